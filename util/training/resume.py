"""Going on with an interrupted training: which snapshot, and whether it is of this experiment."""
import math
import re
import shutil
import sys
from pathlib import Path

from util.config_files import CHOICES
from util.script import UserError
from util.training.snapshot import load_snapshot, read_ran_with

# What may be other than when the snapshot was written: how long, how often looked at, what is kept.
MAY_CHANGE = {'iteration', 'display_interval', 'evaluation_interval', 'snapshot_interval', 'snapshots_kept'}
VOXELS = 'voxels'  # of what a snapshot ran with: each case's checksum, by its name; older snapshots lack it


def find_snapshots(out, last=math.inf):
    """The snapshots of a run, the newest first.

    Args:
        out (Path): Folder of the run.
        last (int): The iteration up to which they are wanted.

    Returns:
        list of Path: ``snapshot_iter_N.npz`` by falling N.
    """
    numbered = [(path.stem.rsplit('_', 1)[1], path) for path in out.glob('snapshot_iter_*.npz')]
    numbered = sorted(((int(n), path) for n, path in numbered if n.isdecimal()), reverse=True)
    return [path for number, path in numbered if number <= last]


def holds_run(out):
    """Whether a run has left anything in a folder that another one would replace."""
    return (out / 'log').exists() or any(out.glob('gen_*.npz')) or any(out.glob('snapshot_iter_*.npz'))


def remove_log_strays(out):
    """Remove the folders in which a killed run was writing Chainer's log."""
    for path in out.iterdir():
        ours = re.fullmatch('log[a-z0-9_]{8}', path.name) and path.is_dir()
        if ours and {inside.name for inside in path.iterdir()} <= {'log.json'}:
            shutil.rmtree(path)


def resume(trainer, which, ran_with, archived):
    """Put a trainer where a snapshot left off.

    Args:
        trainer (~chainer.training.Trainer): As :func:`util.training.trainer.make_trainer` makes it.
        which (Path or str): A snapshot; None: the newest usable one of the trainer's folder. A damaged one
            that is passed over is put aside as ``NAME.damaged``.
        ran_with (dict): What runs now, to be compared with what the snapshot ran with.
        archived: Function that gives the Config that has run in the trainer's folder. It is asked only where the
            training is to start anew there: nothing else may. What it raises ends that.

    Returns:
        Path, str or None: The snapshot; None: the training starts anew.

    Raises:
        UserError: If the snapshot named cannot be used or is of another experiment, its iteration is the last, or the
            trainer's folder holds another run.
    """
    out = Path(trainer.out)
    if which is not None:
        if holds_run(out) and Path(which).resolve().parent != out.resolve():
            raise UserError(f'{out} holds another run than that of {which}; name another folder with -o')
        _load(which, trainer, ran_with)
        return which
    for path in find_snapshots(out):
        try:
            _load(path, trainer, ran_with)
        except DamagedSnapshot as error:
            if path.is_file():
                path.replace(f'{path}.damaged')
            print(f'passed over: {error}', file=sys.stderr)
        else:
            print(f'going on from {path}', file=sys.stderr)
            return path
    _compare(out / 'config.yml', settings_of(archived()),
             {key: value for key, value in ran_with.items() if not key.endswith(' cases') and key != VOXELS})
    print(f'{out}: no usable snapshot there; the training starts anew', file=sys.stderr)
    return None


def _compare(path, then, now):
    then, now = _long_form(then), _long_form(now)
    # names first: the settings of another name are others for that alone
    for key in sorted((now.keys() | then.keys()) - {VOXELS}, key=lambda key: (not key.endswith('.name'), key)):
        if key not in MAY_CHANGE and then.get(key) != now.get(key):
            raise UserError(f'{path}: {key} was {then.get(key)} and is {now.get(key)} now; a run goes on with what it '
                            f'began with (only {", ".join(sorted(MAY_CHANGE))} may change). Start another run with -o, '
                            'from these weights with -m')
    kept = then.get(VOXELS)
    others = [case for case in (now[VOXELS] if isinstance(kept, dict) else ()) if kept.get(case) != now[VOXELS][case]]
    if others:
        raise UserError(f'{path}: the volumes of {", ".join(others)} are not those that the run began with; put these '
                        'where the lists say, or start another run with -o, from these weights with -m')


def _long_form(settings):
    """Settings with the name of a choice under one key, whether settings of its own go with it or not."""
    return {f'{key}.name' if (key,) in CHOICES else key: value for key, value in settings.items()}


def settings_of(config):
    """Every setting of a config by its dotted key, but for the paths of the case lists."""
    settings = {}

    def flatten(values, prefix):
        for key, value in values.items():
            if isinstance(value, dict):
                flatten(value, f'{prefix}{key}.')
            else:
                settings[prefix + key] = value

    flatten(config.model_dump(mode='json', exclude={'dataset'}), '')
    return settings


class DamagedSnapshot(UserError):
    """A snapshot that cannot be used, where the one before it may be."""


def _load(path, trainer, ran_with):
    try:
        then = read_ran_with(path)
    except UserError as error:
        raise DamagedSnapshot(str(error)) from None
    if then is not None:
        _compare(path, then, ran_with)
    try:
        load_snapshot(path, trainer)
    except UserError as error:
        raise DamagedSnapshot(str(error)) from None
    last = trainer.stop_trigger.period
    if trainer.updater.iteration >= last:
        raise UserError(f'{path}: iteration {trainer.updater.iteration} is the last already; to go on, raise iteration '
                        'in the config')
