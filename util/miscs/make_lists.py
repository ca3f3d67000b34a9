"""Split the cases of data/processed into training, validation and test lists.

    python util/miscs/make_lists.py --val 2 --test 3 --seed 0
    python util/miscs/make_lists.py --train 0000 0001 --val 0003 --test 0010
"""
import argparse
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run as a file, Python looks beside that file only

from util.dataset.case_lists import Case, write_list
from util.script import PROJECT, UserError, run


def parse_arguments(argv):
    parser = argparse.ArgumentParser(
        description='Split cases into training_list.txt, val_list.txt and test_list.txt. Cases are given by name, or '
                    'as a number of cases to draw at random. The reference split of ds000001 is in configs/.')
    parser.add_argument('--train', nargs='+', metavar='CASE', help='names, or how many (default: all the others)')
    parser.add_argument('--val', nargs='+', required=True, metavar='CASE', help='names, or how many')
    parser.add_argument('--test', nargs='+', required=True, metavar='CASE', help='names, or how many')
    parser.add_argument('--seed', type=int, default=0, help='of the random draw (default: %(default)s)')
    parser.add_argument('-i', '--input', type=Path, default=PROJECT / 'data/processed',
                        help='folder with LR and HR (default: data/processed in the project)')
    parser.add_argument('-o', '--out', type=Path, help='folder of the lists (default: lists in the input folder)')
    return parser.parse_args(argv)


def split(names, wanted, seed):
    """Give names to lists: named ones first, then counted ones at random, then the rest.

    Args:
        names: all cases.
        wanted: for each list, what the command line says: names, [a count], or None for all that are left.
        seed: of the random draw.

    Returns:
        dict of sorted names, a key a list.
    """
    left, result = sorted(names), {}
    # A word that is a case's name is that case, whatever it looks like; 2 is a count, 0002 with its zeros a name.
    by_name = {key: words for key, words in wanted.items()
               if words and not (len(words) == 1 and words[0].isdecimal() and words[0] not in names
                                 and words[0] == str(int(words[0])))}
    for key, words in by_name.items():
        for name in words:
            if name not in names:
                raise UserError(f'--{key} {name}: no such case; there are {", ".join(sorted(names))}')
            if name not in left:
                raise UserError(f'--{key} {name}: this case is named twice')
            left.remove(name)
        result[key] = sorted(words)
    counts = {key: int(words[0]) for key, words in wanted.items() if words and key not in by_name}
    if sum(counts.values()) > len(left):
        asked = ' and '.join(f'{count} for --{key}' for key, count in counts.items())
        raise UserError(f'{asked}: only {len(left)} of {len(names)} cases are left to draw from')
    drawn = random.Random(seed).sample(left, len(left))
    for key, count in counts.items():
        result[key], drawn = sorted(drawn[:count]), drawn[count:]
    for key, words in wanted.items():
        if words is None:
            result[key] = sorted(drawn)
        if not result[key]:
            raise UserError(f'the list --{key} would be empty: there are {len(names)} cases in all')
    return result


def main(argv=None):
    """Run the script with a command line (default: the process's)."""
    args = parse_arguments(argv)
    lr, hr = args.input / 'LR', args.input / 'HR'
    cases = {path.stem: Case(path.stem, path, hr / path.name) for path in sorted(lr.glob('*.mhd'))
             if (hr / path.name).is_file()}
    if not cases:
        raise UserError(f'{args.input}: no pairs in LR and HR there; make them with: python util/miscs/make_lr_img.py')
    wanted = {'val': args.val, 'test': args.test, 'train': args.train}
    out = args.out or args.input / 'lists'
    for key, names in split(set(cases), wanted, args.seed).items():
        path = out / {'train': 'training_list.txt', 'val': 'val_list.txt', 'test': 'test_list.txt'}[key]
        write_list(path, [cases[name] for name in names], PROJECT)
        print(f'{path}: {" ".join(names)}')


if __name__ == '__main__':
    run(main)
