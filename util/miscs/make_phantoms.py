"""Make the demo cohort: synthetic T1-weighted heads as NIfTI, in the BIDS tree that OpenNeuro uses.

    python util/miscs/make_phantoms.py
"""
import argparse
import gzip
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run as a file, Python looks beside that file only

from util.script import PROJECT, UserError, a_path, progress, run

NAME = 'Synthetic T1-weighted heads (3D-ESPCN demo cohort)'
README = """{name}

These volumes are SYNTHETIC. They were computed by util/miscs/make_phantoms.py from random numbers; no person was
scanned, and nothing in them may be read as anatomy. They exist so that the super-resolution pipeline runs without a
download. The same command makes the same files:

    python util/miscs/make_phantoms.py --subjects {subjects} --size {size} --seed {seed}
"""


def parse_arguments(argv):
    parser = argparse.ArgumentParser(
        description='Make synthetic T1-weighted heads in a BIDS tree: sub-01/anat/sub-01_T1w.nii.gz and so on. A head '
                    'depends on the seed, the size and its number, and not on how many are made.',
        epilog='Exit code: 0, or 2 if the arguments cannot be carried out.')
    parser.add_argument('-o', '--out', type=a_path, default=PROJECT / 'data/demo/raw',
                        help='folder of the result (default: data/demo/raw in the project)')
    parser.add_argument('--subjects', type=int, default=8, metavar='N', help='how many heads (default: %(default)s)')
    parser.add_argument('--size', type=int, nargs=3, default=(80, 96, 96), metavar=('X', 'Y', 'Z'),
                        help='voxels along x, y, z (default: 80 96 96; as real scans: 160 192 192)')
    parser.add_argument('--seed', type=int, default=0, help='0 or above (default: %(default)s)')
    return parser.parse_args(argv)


def main(argv=None):
    """Run the script with a command line (default: the process's)."""
    args = parse_arguments(argv)
    # Imported here and below: neither --help nor a wrong argument waits for them.
    from util.files import write_text
    from util.lock import locked
    from util.volumes.phantom import make_head

    check(args)
    with locked(args.out):
        for name, text in texts(args).items():
            write_text(args.out / name, text)
        for number in progress(range(args.subjects), 'heads', 'head'):
            write_head(args.out / f'{case(number)}/anat/{case(number)}_T1w.nii.gz',
                       make_head(tuple(args.size), args.seed, number))
    print(f'{args.subjects} heads: {args.out}')


def write_head(path, head):
    """Write a head as .nii.gz, read back and flushed to the disk before it takes the place of an older file.

    Args:
        path (Path): The file; folders on the way are made.
        head (~util.volumes.phantom.Head): From :func:`util.volumes.phantom.make_head`.

    Raises:
        UserError: If it cannot be written, or reads back otherwise.
    """
    import numpy
    from util.files import replacing
    from util.volumes.phantom import head_image
    from util.volumes.reading import read_volume

    try:
        with replacing(path) as temporary:
            temporary.write_bytes(gzip.compress(head_image(head).to_bytes(), compresslevel=6, mtime=0))
            if not numpy.array_equal(read_volume(temporary).array[0], head.volume):
                raise UserError(f'{path}: what was written reads back otherwise; is the disk damaged?')
    except OSError as error:
        raise UserError(f'{path}: cannot be written: {error.strerror or error}') from None


def case(number):
    """BIDS name of a subject, counted from sub-01."""
    return f'sub-{number + 1:02d}'


def check(args):
    """Refuse what cannot be made, and folders where the cohort would be mixed with other volumes."""
    from util.volumes.phantom import MAX_SIZE, MIN_SIZE

    if not all(MIN_SIZE <= n <= MAX_SIZE for n in args.size):
        raise UserError(f'--size {" ".join(map(str, args.size))} cannot hold a head: each must be from {MIN_SIZE} to '
                        f'{MAX_SIZE}')
    if args.subjects < 1 or args.seed < 0:
        raise UserError(f'--subjects {args.subjects} --seed {args.seed}: give 1 subject or more, a seed of 0 or above')
    if args.out.exists() and not args.out.is_dir():
        raise UserError(f'{args.out} is a file: choose a folder with -o')
    found = sorted(path.name for path in args.out.glob('sub-*'))
    description = args.out / 'dataset_description.json'
    if found and not (description.is_file() and NAME in description.read_text('utf-8', errors='replace')):
        raise UserError(f'{args.out} holds volumes that this script did not make: choose another folder with -o')
    others = sorted(set(found) - {case(number) for number in range(args.subjects)})
    if others:
        raise UserError(f'{args.out} holds {", ".join(others[:3])} of a larger cohort: remove the folder or choose '
                        'another with -o')


def texts(args):
    """The cohort's text files: name to content."""
    description = {'Name': NAME, 'BIDSVersion': '1.8.0', 'DatasetType': 'derivative', 'License': 'CC0',
                   'GeneratedBy': [{'Name': 'util/miscs/make_phantoms.py'}]}
    rows = ''.join(f'{case(number)}\tn/a\tn/a\n' for number in range(args.subjects))
    readme = README.format(name=NAME, subjects=args.subjects, seed=args.seed, size=' '.join(map(str, args.size)))
    return {'dataset_description.json': json.dumps(description, indent=4) + '\n',
            'participants.tsv': f'participant_id\tsex\tage\n{rows}',
            'README': readme}


if __name__ == '__main__':
    run(main)
