"""Make the demo cohort: synthetic T1-weighted heads as NIfTI, in the BIDS tree that OpenNeuro uses.

    python util/miscs/make_phantoms.py --subjects 8 --seed 0

Files: ``OUT/sub-01/anat/sub-01_T1w.nii.gz`` and so on, ``participants.tsv``, ``dataset_description.json``, ``README``.
"""
import argparse
import json
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import SimpleITK as sitk  # noqa: E402
from tqdm import tqdm  # noqa: E402

from util.phantom import MAX_SIZE, MIN_SIZE, head_image, make_head  # noqa: E402

NAME = 'Synthetic T1-weighted heads (3D-ESPCN demo cohort)'
README = """{name}

These volumes are SYNTHETIC. They were computed by util/miscs/make_phantoms.py from random numbers; no person was
scanned, and nothing in them may be read as anatomy. They exist so that the super-resolution pipeline runs without a
download. The same command makes the same files:

    python util/miscs/make_phantoms.py --subjects {subjects} --size {size} --seed {seed}
"""


def main(argv=None):
    """Make the cohort. Returns the exit code: 0, or 2 for a command line that cannot be carried out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('-o', '--out', type=Path, default=ROOT / 'data/raw/demo', help='folder (default: %(default)s)')
    parser.add_argument('--subjects', type=int, default=8, metavar='N', help='how many heads (default: %(default)s)')
    parser.add_argument('--size', type=int, nargs=3, default=(80, 96, 96), metavar=('X', 'Y', 'Z'),
                        help='voxels along x, y, z (default: 80 96 96; as real scans: 160 192 192)')
    parser.add_argument('--seed', type=int, default=0, help='0 or above (default: %(default)s)')
    args = parser.parse_args(argv)

    wrong = refusal(args)
    if wrong:
        print(f'make_phantoms.py: {wrong}', file=sys.stderr)
        return 2

    args.out.mkdir(parents=True, exist_ok=True)
    for path, text in texts(args).items():
        replace(path, lambda temporary: temporary.write_text(text, encoding='utf-8', newline='\n'))
    for number in tqdm(range(args.subjects), unit='head', desc=str(args.out)):
        path = args.out / f'{case(number)}/anat/{case(number)}_T1w.nii.gz'
        path.parent.mkdir(parents=True, exist_ok=True)
        image = head_image(make_head(tuple(args.size), args.seed, number))
        replace(path, lambda temporary: sitk.WriteImage(image, str(temporary)))
    return 0


def case(number):
    """BIDS name of a subject, counted from sub-01."""
    return f'sub-{number + 1:02d}'


def refusal(args):
    """One line that says why the arguments cannot be carried out, or None."""
    if not all(MIN_SIZE <= n <= MAX_SIZE for n in args.size):
        return f'--size {" ".join(map(str, args.size))} cannot hold a head: each must be from {MIN_SIZE} to {MAX_SIZE}'
    if args.subjects < 1 or args.seed < 0:
        return f'--subjects {args.subjects} --seed {args.seed}: give at least 1 subject and a seed of 0 or above'
    if args.out.exists() and not args.out.is_dir():
        return f'{args.out} is a file: choose another folder with -o'
    # A cohort must be of one making: other people's data are never mixed with it, nor an older, larger cohort.
    wanted = {case(n) for n in range(args.subjects)}
    others = sorted(p.name for p in args.out.glob('sub-*') if p.name not in wanted)
    if others:
        return f'{args.out} already holds {", ".join(others[:3])} (of {len(others)}): remove them or choose another -o'
    description = args.out / 'dataset_description.json'
    if any(args.out.glob('sub-*')) and not (description.is_file() and NAME in description.read_text('utf-8')):
        return f'{args.out} holds volumes that this script did not make: choose another folder with -o'
    return None


def texts(args):
    """The cohort's text files: path to content."""
    description = {'Name': NAME, 'BIDSVersion': '1.8.0', 'DatasetType': 'derivative', 'License': 'CC0',
                   'GeneratedBy': [{'Name': 'util/miscs/make_phantoms.py'}]}
    rows = ''.join(f'{case(n)}\tn/a\tn/a\n' for n in range(args.subjects))
    readme = README.format(name=NAME, subjects=args.subjects, seed=args.seed, size=' '.join(map(str, args.size)))
    return {args.out / 'dataset_description.json': json.dumps(description, indent=4) + '\n',
            args.out / 'participants.tsv': f'participant_id\tsex\tage\n{rows}',
            args.out / 'README': readme}


def replace(path, write):
    """Call ``write`` with a temporary name beside ``path`` and move the result there, so that no half file is left."""
    temporary = path.with_name(f'.tmp-{os.getpid()}-{path.name}')
    try:
        write(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


if __name__ == '__main__':
    sys.exit(main())
