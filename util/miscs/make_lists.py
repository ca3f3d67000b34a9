"""Split the cases of data/processed into training, validation and test lists.

    python util/miscs/make_lists.py --val 2 --test 3 --seed 0
    python util/miscs/make_lists.py --train 0000 0001 --val 0003 --test 0010
"""
import argparse
import json
import random
import shlex
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run as a file, Python looks beside that file only

from util.dataset.case_lists import Case, relative_below, write_list
from util.script import PROJECT, UserError, a_path, run


def parse_arguments(argv):
    parser = argparse.ArgumentParser(
        description='Split cases into training_list.txt, val_list.txt and test_list.txt. Cases are given by name, or '
                    'as a number of subjects to draw at random; all cases of a subject land in one list. The reference '
                    'split of ds000001 is in configs/.')
    parser.add_argument('--train', nargs='+', metavar='CASE', help='names, or how many (default: all the others)')
    parser.add_argument('--val', nargs='+', required=True, metavar='CASE', help='names, or how many')
    parser.add_argument('--test', nargs='+', required=True, metavar='CASE', help='names, or how many')
    parser.add_argument('--seed', type=int, default=0, help='of the random draw (default: %(default)s)')
    parser.add_argument('-i', '--input', type=a_path, default=PROJECT / 'data/processed',
                        help='folder with LR and HR (default: data/processed in the project)')
    parser.add_argument('-o', '--out', type=a_path, help='folder of the lists (default: lists in the input folder)')
    return parser.parse_args(argv)


def split(subjects, wanted, seed):
    """Give cases to lists by subject: named ones first, then counted ones at random, then the rest.

    All cases of a subject land in one list: heads of one person are nearly the same head, and a test with them would be
    too good. A count is of subjects, not of cases: what a test is worth depends on how many people it is of, and a
    number of cases could often not be met without cutting a subject in two. Where each subject has one case, the two
    are the same.

    Args:
        subjects (dict): Case -> subject, of all cases.
        wanted (dict): For each list, what the command line says: names, [a count], or None for all that are left.
        seed (int): Of the random draw.

    Returns:
        dict: List -> sorted names of cases.

    Raises:
        UserError: If the split is impossible, or would cut a subject in two.
    """
    # A word that is a case's name is that case, whatever it looks like; 2 is a count, 0002 with its zeros a name.
    by_name = {key: words for key, words in wanted.items()
               if words and not (len(words) == 1 and words[0].isdecimal() and words[0] not in subjects
                                 and words[0] == str(int(words[0])))}
    taken = take_named(subjects, by_name)
    result = {key: sorted(words) for key, words in by_name.items()}
    left = {}  # subject -> cases, by their first case: the draw is that of cases where each subject has one
    for name in sorted(set(subjects) - set(taken)):
        left.setdefault(subjects[name], []).append(name)
    if len(by_name) < len(wanted):
        for name, key in taken.items():
            if subjects[name] in left:
                raise UserError(f'--{key} {name}: {left[subjects[name]][0]} is of the same subject, {subjects[name]}, '
                                'and would be left to another list; name all cases of a subject in one list')
    counts = {key: int(words[0]) for key, words in wanted.items() if words and key not in by_name}
    if sum(counts.values()) > len(left):
        asked = ' and '.join(f'{count} for --{key}' for key, count in counts.items())
        kind = 'cases' if len(set(subjects.values())) == len(subjects) else 'subjects'
        raise UserError(f'{asked}: only {len(left)} of {len(set(subjects.values()))} {kind} are left to draw from')
    drawn = random.Random(seed).sample(list(left), len(left))
    for key, count in counts.items():
        result[key], drawn = sorted(sum((left[subject] for subject in drawn[:count]), [])), drawn[count:]
    for key, words in wanted.items():
        if words is None:
            result[key] = sorted(sum((left[subject] for subject in drawn), []))
        if not result[key]:
            raise UserError(f'the list --{key} would be empty: there are {len(set(subjects.values()))} subjects with '
                            f'{len(subjects)} cases in all')
    return result


def take_named(subjects, by_name):
    """See that named cases are there, once, and no subject's in two lists.

    Args:
        subjects (dict): Case -> subject, of all cases.
        by_name (dict): List -> names of cases.

    Returns:
        dict: Case -> list, of the named ones.

    Raises:
        UserError: Naming the list and the case that is not there, is named twice, or is of a subject in another list.
    """
    taken, owners = {}, {}
    for key, words in by_name.items():
        for name in words:
            if name not in subjects:
                raise UserError(f'--{key} {name}: no such case; there are {", ".join(sorted(subjects))}')
            if name in taken:
                raise UserError(f'--{key} {name}: this case is named twice')
            taken[name] = key
            other = owners.setdefault(subjects[name], name)
            if taken[other] != key:
                raise UserError(f'--{key} {name}: {other} in --{taken[other]} is of the same subject, '
                                f'{subjects[name]}; name all cases of a subject in one list')
    return taken


def main(argv=None):
    """Run the script with a command line (default: the process's)."""
    args = parse_arguments(argv)
    # Imported here: neither --help nor a wrong argument waits for them.
    from util.dataset.pairs_info import complete_pairs_info, subject_of_case
    from util.yaml_text import load_yaml

    lr, hr = args.input / 'LR', args.input / 'HR'
    cases = {path.stem: Case(path.stem, path, hr / path.name) for path in sorted(lr.glob('*.mhd'))
             if (hr / path.name).is_file()}
    if not cases:
        raise UserError(f'{args.input}: no pairs in LR and HR there; make them with: python util/miscs/make_lr_img.py')
    info = complete_pairs_info(args.input)
    subjects = {name: subject_of_case(info, name) for name in cases}
    if None in subjects.values():
        unknown = sorted(name for name, subject in subjects.items() if subject is None)
        print(f'{args.input} does not say whose {len(unknown)} of its cases are ({" ".join(unknown[:3])}'
              f'{" ..." * (len(unknown) > 3)}); each of them counts as a subject of its own')
    wanted = {'val': args.val, 'test': args.test, 'train': args.train}
    out = args.out or args.input / 'lists'
    subjects = {name: subject or name for name, subject in subjects.items()}
    for key, names in split(subjects, wanted, args.seed).items():
        path = out / {'train': 'training_list.txt', 'val': 'val_list.txt', 'test': 'test_list.txt'}[key]
        write_list(path, [cases[name] for name in names], PROJECT)
        of = {subjects[name] for name in names}
        print(f'{path}: {" ".join(names)}' + f' ({len(names)} cases of {len(of)} subjects)' * (len(of) < len(names)))
    folder = relative_below(out, PROJECT)
    if load_yaml(folder, str(out)) != folder:  # such as a year, which YAML takes for a number
        folder = json.dumps(folder)
    print(f'for training.py: --set {shlex.quote(f"dataset={folder}")}')


if __name__ == '__main__':
    run(main)
