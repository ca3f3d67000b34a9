"""Going on with an interrupted training: which snapshot, and whether it is of this experiment."""
import re
import shutil
import sys

from util.script import UserError
from util.training.snapshot import load_snapshot, read_ran_with

NEWEST = 'newest'  # --resume without a name
# What may be other than when the snapshot was written: how long, how often looked at, what is kept.
MAY_CHANGE = {'iteration', 'display_interval', 'evaluation_interval', 'snapshot_interval', 'snapshots_kept'}


def find_snapshots(out):
    """The snapshots of a run, the newest first.

    Args:
        out (Path): Folder of the run.

    Returns:
        list of Path: ``snapshot_iter_N.npz`` by falling N.
    """
    numbered = [(path.stem.rsplit('_', 1)[1], path) for path in out.glob('snapshot_iter_*.npz')]
    return [path for number, path in sorted(((int(n), path) for n, path in numbered if n.isdecimal()), reverse=True)]


def remove_log_strays(out):
    """Remove the folders in which a killed run was writing Chainer's log."""
    for path in out.iterdir():
        if re.fullmatch('log[a-z0-9_]{8}', path.name) and path.is_dir():
            shutil.rmtree(path)


def resume(trainer, which, ran_with):
    """Put a trainer where a snapshot left off.

    Args:
        trainer (~chainer.training.Trainer): As :func:`util.training.trainer.make_trainer` makes it.
        which (Path or str): A snapshot; or :data:`NEWEST`, the newest usable one of the trainer's folder.
        ran_with (dict): What runs now, to be compared with what the snapshot ran with.

    Raises:
        UserError: If the snapshot named cannot be used or is of another experiment, or if its iteration is the last.
    """
    if which != NEWEST:
        _load(which, trainer, ran_with)
        return
    for path in find_snapshots(trainer.out):
        try:
            _load(path, trainer, ran_with)
        except DamagedSnapshot as error:
            print(f'passed over: {error}', file=sys.stderr)
        else:
            print(f'going on from {path}', file=sys.stderr)
            return
    print(f'{trainer.out}: no usable snapshot there; the training starts anew', file=sys.stderr)


class DamagedSnapshot(UserError):
    """A snapshot that cannot be used, where the one before it may be."""


def _load(path, trainer, ran_with):
    try:
        then = read_ran_with(path)
    except UserError as error:
        raise DamagedSnapshot(str(error)) from None
    for key in ran_with.keys() | then.keys() if then is not None else ():
        if key not in MAY_CHANGE and then.get(key) != ran_with.get(key):
            raise UserError(f'{path}: {key} was {then.get(key)} and is {ran_with.get(key)} now; a run goes on with '
                            f'what it began with (only {", ".join(sorted(MAY_CHANGE))} may change). Start another run '
                            'with -o, from these weights with -m')
    try:
        load_snapshot(path, trainer)
    except UserError as error:
        raise DamagedSnapshot(str(error)) from None
    last = trainer.stop_trigger.period
    if trainer.updater.iteration >= last:
        raise UserError(f'{path}: iteration {trainer.updater.iteration} is the last already; to go on, raise iteration '
                        'in the config')
