"""Collect the T1w volumes under data/raw as data/interim/0000.mhd, 0001.mhd, ...

    python util/miscs/clean_data.py
"""
import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run as a file, Python looks beside that file only

from util.dataset.cases_table import TABLE
from util.dataset.raw_files import T1W, find_files
from util.script import PROJECT, UserError, a_path, importing, run


def parse_arguments(argv):
    parser = argparse.ArgumentParser(
        description='Collect volumes under one folder as 0000.mhd, 0001.mhd, ... with their geometry and intensity '
                    'type, in plain sorted order of their relative paths; what is refused takes no number. '
                    f'A table {TABLE} says which is which, whose each is, and where its axes go, in RAS+ codes as '
                    "nibabel's (LAS: x to the left, y to the front, z up). Hidden files and what BIDS puts beside the "
                    'raw scans, such as derivatives/, are passed over, and what is passed over is said. Volumes of an '
                    'earlier run are replaced or removed.',
        epilog='Exit code: 0 if all were taken, 1 if some were refused (named at the end), 2 if nothing was found.')
    parser.add_argument('-i', '--input', type=a_path, default=PROJECT / 'data/raw',
                        help='folder with the volumes, in any tree (default: data/raw in the project)')
    parser.add_argument('-o', '--output', type=a_path, default=PROJECT / 'data/interim',
                        help='folder of the result (default: data/interim in the project)')
    parser.add_argument('--pattern', metavar='GLOB',
                        help=f"which file names to take, such as '*.mha' (default: {' '.join(T1W)}, and of these no "
                             'masks, segmentations, processed copies or copies in another space)')
    parser.add_argument('--channels', type=int, default=1, metavar='C',
                        help='channels that a volume must have, others being refused (default: %(default)s)')
    return parser.parse_args(argv)


def main(argv=None):
    """Run the script with a command line (default: the process's)."""
    args = parse_arguments(argv)
    if args.channels < 1:
        raise UserError(f'--channels {args.channels}: the channels that a volume must have, 1 or more')
    if not args.input.is_dir():
        raise UserError(f'{args.input}: no such folder; put the volumes there, in any tree, or name another with -i')
    found = find_files(args.input, args.pattern)
    if not found.files:
        pattern = args.pattern or '*_T1w.nii*'
        raise UserError('; '.join([f'{args.input}: no file name matches {pattern!r}; put the volumes there, in any '
                                   'tree, or choose others with -i or --pattern'] + found.refusals + found.account()))
    for path in found.files:
        if os.path.dirname(os.path.realpath(path)) == os.path.realpath(args.output):
            raise UserError(f'{path}: lies in the folder of the result and could be replaced; name another with -o')
    # Imported here: neither --help nor a wrong argument waits for them.
    with importing():
        from util.dataset.cleaning import clean
        from util.lock import locked
        from util.volumes.writing import remove_strays

    with locked(args.output):
        remove_strays(args.output)
        rows, refusals = clean(found.files, args.input, args.output, args.channels)
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
