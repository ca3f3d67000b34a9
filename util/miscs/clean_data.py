"""Collect the T1w volumes under data/raw as data/interim/0000.mhd, 0001.mhd, ...

    python util/miscs/clean_data.py
"""
import argparse
import csv
import fnmatch
import hashlib
import os
import sys
from pathlib import Path

from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run as a file, Python looks beside that file only

from util.files import replacing
from util.script import PROJECT, UserError, run
from util.volumes.volume import read_volume, remove_volume, write_volume

TABLE = 'cases.tsv'


def parse_arguments(argv):
    parser = argparse.ArgumentParser(
        description='Collect volumes under one folder as 0000.mhd, 0001.mhd, ... with their geometry and intensity '
                    'type, in plain sorted order of their relative paths; what is refused takes no number. '
                    f'A table {TABLE} says which is which. Volumes of an earlier run are replaced or removed.',
        epilog='Exit code: 0 if all were taken, 1 if some were refused (named at the end), 2 if nothing was found.')
    parser.add_argument('-i', '--input', type=Path, default=PROJECT / 'data/raw',
                        help='folder with the volumes, in any tree (default: data/raw in the project)')
    parser.add_argument('-o', '--output', type=Path, default=PROJECT / 'data/interim',
                        help='folder of the result (default: data/interim in the project)')
    parser.add_argument('--pattern', default='*T1w*.nii*', metavar='GLOB',
                        help="which file names to take, such as '*.mha' (default: %(default)s); hidden ones never")
    parser.add_argument('--channels', type=int, default=1, metavar='C',
                        help='channels that a volume must have, others being refused (default: %(default)s)')
    return parser.parse_args(argv)


def find_files(root, pattern):
    """The files to read below a folder, sorted by relative path, and refusals of what is known by sight."""
    files, refusals, seen = [], [], {root.resolve()}

    def refuse_folder(error):
        refusals.append(f'{error.filename}: cannot be listed: {error.strerror}')

    for folder, below, names in os.walk(root, onerror=refuse_folder, followlinks=True):
        folder, below_real = Path(folder), {name: (Path(folder) / name).resolve() for name in below}
        # links may go round in a circle; sorted, so that of two ways to a folder it is always the same one
        below[:] = [name for name in sorted(below) if not name.startswith('.') and below_real[name] not in seen]
        seen.update(below_real[name] for name in below)
        paths = [folder / name for name in sorted(names) if not name.startswith('.')]
        dicom = {path for path in paths if is_dicom(path)}
        if dicom:
            refusals.append(f'{folder}: a DICOM series folder ({len(dicom)} DICOM files); convert it to NIfTI first, '
                            'with dcm2niix for one')
        files += [path for path in paths if path not in dicom and fnmatch.fnmatchcase(path.name, pattern)]
    return sorted(files, key=lambda path: path.relative_to(root).as_posix()), refusals


def is_dicom(path):
    try:
        with open(path, 'rb') as file:
            return file.read(132)[128:] == b'DICM'
    except OSError:
        return False


def read_distinct_volume(path, channels, known):
    """Read a volume that can be learned from; `known` maps the voxels' hashes to the files seen so far."""
    volume = read_volume(path)
    if len(volume.array) != channels:
        raise UserError(f'{path}: {len(volume.array)} channels (values per voxel, or volumes along a fourth axis); '
                        f'{channels} wanted (--channels)')
    lowest, highest = volume.array.min(), volume.array.max()
    if lowest == highest:
        raise UserError(f'{path}: every voxel is {lowest}')
    digest = hashlib.sha256(f'{volume.array.shape}{volume.array.dtype}'.encode() + volume.array.tobytes()).digest()
    if digest in known:
        raise UserError(f'{path}: the same voxels as {known[digest]}; one scan must not be in training and test')
    known[digest] = path
    return volume


def cases_of_earlier_run(output):
    try:
        with open(output / TABLE, encoding='utf-8', newline='') as file:
            return {row['case'] for row in csv.DictReader(file, delimiter='\t')}
    except (FileNotFoundError, KeyError):
        return set()


def main(argv=None):
    """Run the script with a command line (default: the process's)."""
    args = parse_arguments(argv)
    if not args.input.is_dir():
        raise UserError(f'{args.input}: no such folder; put the volumes there, in any tree, or name another with -i')
    files, refusals = find_files(args.input, args.pattern)
    if not files:
        raise UserError('; '.join([f'{args.input}: no file name matches {args.pattern!r}; put the volumes there, in '
                                   'any tree, or choose others with -i or --pattern'] + refusals))
    rows, known = {}, {}
    for path in tqdm(files, desc='clean_data', unit='volume', disable=None):
        try:
            volume = read_distinct_volume(path, args.channels, known)
        except UserError as error:
            refusals.append(str(error))
            continue
        case = f'{len(rows):04d}'
        write_volume(args.output / f'{case}.mhd', volume)
        size, spacing = reversed(volume.size), (f'{value:.6g}' for value in volume.spacing)
        rows[case] = (path.relative_to(args.input).as_posix(), 'x'.join(map(str, size)), 'x'.join(spacing))

    for case in cases_of_earlier_run(args.output) - set(rows):
        remove_volume(args.output / f'{case}.mhd')
    with replacing(args.output / TABLE) as temporary, open(temporary, 'w', encoding='utf-8', newline='') as file:
        table = csv.writer(file, delimiter='\t', lineterminator='\n')
        table.writerow(('case', 'source', 'size_xyz', 'spacing_xyz_mm'))
        table.writerows((case, *row) for case, row in rows.items())

    for refusal in refusals:
        print(f'refused: {refusal}', file=sys.stderr)
    print(f'{len(rows)} volumes in {args.output} ({args.output / TABLE} names their sources), {len(refusals)} refused')
    return 1 if refusals else 0


if __name__ == '__main__':
    run(main)
