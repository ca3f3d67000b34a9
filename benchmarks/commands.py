"""The whole commands that are timed: a script of this project, and a plain script that does the same."""
from collections.abc import Callable
import dataclasses

from benchmarks import agreement

HERE, PLAIN, FILES = 'this project', 'plain script', 'its files alone'


@dataclasses.dataclass(frozen=True)
class Command:
    """One piece of work, as two command lines.

    Args:
        name (str): In words, for the report.
        scripts (dict): :data:`HERE` and :data:`PLAIN` -> script, below the project, and arguments. ``{out}`` in an
            argument is the folder of the results.
        reads (tuple of pathlib.Path): The files that have to be read.
        agree (callable or None): Takes the two folders of results; raises :class:`agreement.Disagreement` where they
            differ.
        network (tuple of (Case, int)): What the network has to do, and how often.
    """
    name: str
    scripts: dict
    reads: tuple = ()
    agree: Callable | None = None
    network: tuple = ()


def commands(folder, made):
    """What is timed.

    Args:
        folder (pathlib.Path): The data that `benchmarks.cohort.make` made.
        made (dict): What it returned.

    Returns:
        list of Command: In the report's order.
    """
    def below(*patterns):
        return tuple(sorted(path for pattern in patterns for path in folder.glob(pattern)))

    model, volume, iterations = folder / 'model.npz', made['volume'], made['iterations']
    scan, tests = folder / 'processed/LR/0000.mhd', folder / 'test_list.txt'
    heads = len(tests.read_text().splitlines())
    voxels = '×'.join(map(str, volume.size))
    return [
        Command('`inference.py --help`',
                {HERE: ['inference.py', '--help'], PLAIN: ['benchmarks/plain/infer.py', '--help']}),
        Command(f'`inference.py`, one scan, LR {voxels}',
                {HERE: ['inference.py', '-m', model, '-i', scan, '-o', '{out}/0000.mhd'],
                 PLAIN: ['benchmarks/plain/infer.py', '-m', model, '-i', scan, '-o', '{out}']},
                below('model.npz', 'processed/LR/0000.*'), agreement.same_volumes, ((volume, 1),)),
        Command(f'`inference.py`, {heads} cases with scores and pictures',
                {HERE: ['inference.py', '-m', model, '-R', folder, '-o', '{out}'],
                 PLAIN: ['benchmarks/plain/infer.py', '-m', model, '--list', tests, '-o', '{out}']},
                below('model.npz', 'processed/*/*.mhd', 'processed/*/*.raw'), agreement.same_volumes_and_scores,
                ((volume, heads),)),
        Command(f'`training.py`, {iterations} iterations, one validation',
                {HERE: ['training.py', '-c', folder / 'experiment.yml', '-m', model, '-R', folder, '-o', '{out}'],
                 PLAIN: ['benchmarks/plain/train.py', '-m', model, '--training', folder / 'training_list.txt', '--val',
                         folder / 'val_list.txt', '--iterations', iterations, '--side', made['training'].size[0],
                         '-o', '{out}']},
                below('model.npz', 'processed/*/000[01].*'), agreement.trained_alike,
                ((made['training'], iterations), (volume, 1))),
        Command(f'`make_lr_img.py`, {heads} volumes',
                {HERE: ['util/miscs/make_lr_img.py', '-i', folder / 'interim', '-o', '{out}'],
                 PLAIN: ['benchmarks/plain/make_lr.py', '-i', folder / 'interim', '-o', '{out}']},
                below('interim/*.mhd', 'interim/*.raw'), agreement.same_volumes),
        Command(f'`clean_data.py`, {heads} volumes',
                {HERE: ['util/miscs/clean_data.py', '-i', folder / 'raw', '-o', '{out}'],
                 PLAIN: ['benchmarks/plain/clean.py', '-i', folder / 'raw', '-o', '{out}']},
                below('raw/**/*.nii.gz'), agreement.same_volumes),
    ]
