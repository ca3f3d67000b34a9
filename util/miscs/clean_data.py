"""Collect the T1w volumes under data/raw as data/interim/0000.mhd, 0001.mhd, ...

    python util/miscs/clean_data.py
"""
import argparse
import sys
from pathlib import Path

import nibabel
import numpy
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run as a file, Python looks beside that file only

from util.dataset.bids import subject_of
from util.dataset.cases_table import TABLE, begin_table, known_cases, write_table
from util.dataset.raw_files import T1W, find_files
from util.dataset.same_scan import SeenScans
from util.lock import locked
from util.script import PROJECT, UserError, run
from util.volumes.reading import read_volume
from util.volumes.writing import remove_strays, remove_volume, write_volume


def parse_arguments(argv):
    parser = argparse.ArgumentParser(
        description='Collect volumes under one folder as 0000.mhd, 0001.mhd, ... with their geometry and intensity '
                    'type, in plain sorted order of their relative paths; what is refused takes no number. '
                    f'A table {TABLE} says which is which, whose each is, and where its axes go, in RAS+ codes as '
                    "nibabel's (LAS: x to the left, y to the front, z up). Hidden files and what BIDS puts beside the "
                    'raw scans, such as derivatives/, are passed over, and what is passed over is said. Volumes of an '
                    'earlier run are replaced or removed.',
        epilog='Exit code: 0 if all were taken, 1 if some were refused (named at the end), 2 if nothing was found.')
    parser.add_argument('-i', '--input', type=Path, default=PROJECT / 'data/raw',
                        help='folder with the volumes, in any tree (default: data/raw in the project)')
    parser.add_argument('-o', '--output', type=Path, default=PROJECT / 'data/interim',
                        help='folder of the result (default: data/interim in the project)')
    parser.add_argument('--pattern', metavar='GLOB',
                        help=f"which file names to take, such as '*.mha' (default: {' '.join(T1W)}, and of these no "
                             'masks, segmentations, processed copies or copies in another space)')
    parser.add_argument('--channels', type=int, default=1, metavar='C',
                        help='channels that a volume must have, others being refused (default: %(default)s)')
    return parser.parse_args(argv)


def read_distinct_scan(path, channels, seen):
    """Read a volume that can be learned from; `seen` holds the scans so far."""
    volume = read_volume(path)
    if len(volume.array) != channels:
        raise UserError(f'{path}: {len(volume.array)} channels (values per voxel, or volumes along a fourth axis); '
                        f'{channels} wanted (--channels)')
    lowest, highest = volume.array.min(), volume.array.max()
    if lowest == highest:
        raise UserError(f'{path}: every voxel is {lowest}')
    other = seen.find(volume.array)
    if other:
        raise UserError(f'{path}: the same voxels as {other}, orientation, type and scale aside; one scan must not be '
                        'in training and test')
    seen.add(path, volume.array)
    return volume


def describe(volume):
    """What the table says of a volume itself. Axis codes are nibabel's: L is an axis x that goes to the left."""
    size, spacing = reversed(volume.size), (f'{value:.6g}' for value in volume.spacing)
    affine = numpy.eye(4)
    affine[:3, :3] = numpy.diag([-1, -1, 1]) @ numpy.reshape(volume.direction, (3, 3))  # from ITK's LPS to RAS
    return {'size_xyz': 'x'.join(map(str, size)), 'spacing_xyz_mm': 'x'.join(spacing),
            'orientation': ''.join(nibabel.aff2axcodes(affine))}


def clean(files, args):
    """Write what can be learned from, with its table; returns the table's rows and the refusals.

    If that is nothing, what an earlier run left stays.
    """
    rows, refusals, seen, earlier = {}, [], SeenScans(), known_cases(args.output)
    for path in tqdm(files, desc='clean_data', unit='volume', disable=None):
        try:
            names = {'source': path.relative_to(args.input).as_posix(), 'subject': subject_of(path, args.input)}
            volume = read_distinct_scan(path, args.channels, seen)
        except UserError as error:
            refusals.append(str(error))
            continue
        case = f'{len(rows):04d}'
        begin_table(args.output, earlier | {*rows, case})
        write_volume(args.output / f'{case}.mhd', volume)
        rows[case] = {**names, **describe(volume)}
    if rows:
        for case in earlier - set(rows):
            remove_volume(args.output / f'{case}.mhd')
        write_table(args.output, rows)
    return rows, refusals


def main(argv=None):
    """Run the script with a command line (default: the process's)."""
    args = parse_arguments(argv)
    if not args.input.is_dir():
        raise UserError(f'{args.input}: no such folder; put the volumes there, in any tree, or name another with -i')
    found = find_files(args.input, args.pattern)
    if not found.files:
        pattern = args.pattern or '*_T1w.nii*'
        raise UserError('; '.join([f'{args.input}: no file name matches {pattern!r}; put the volumes there, in any '
                                   'tree, or choose others with -i or --pattern'] + found.refusals + found.account()))
    for path in found.files:
        if path.resolve().parent == args.output.resolve():
            raise UserError(f'{path}: lies in the folder of the result and could be replaced; name another with -o')
    with locked(args.output):
        remove_strays(args.output)
        rows, refusals = clean(found.files, args)
    refusals = found.refusals + refusals
    for refusal in refusals:
        print(f'refused: {refusal}', file=sys.stderr)
    for line in found.account():
        print(line)
    subjects = len({row['subject'] for row in rows.values()})
    print(f'{len(rows)} volumes of {subjects} subjects in {args.output} ({args.output / TABLE} names their sources), '
          f'{len(refusals)} refused' if rows else f'0 volumes, {len(refusals)} refused; {args.output} is as it was')
    return 1 if refusals else 0


if __name__ == '__main__':
    run(main)
