"""Snapshots of a running training."""
import contextlib
import json

import numpy
from chainer.serializers import DictionarySerializer, NpzDeserializer

from util.files import replacing
from util.npz import Npz
from util.script import UserError

NONES = 'entries_that_are_none'  # the entry that names what None stands in
MOST_TEXT = 2 ** 28  # characters of a log: a million of its lines
RAN_WITH = 'ran_with'  # the entry that holds what the training ran with, as JSON
NEWER = {'extensions/best/loss'}  # entries that older snapshots lack; the trainer's own are taken then


def save_snapshot(path, trainer, ran_with=None):
    """Write all that a training needs to go on to an .npz file that opens without pickle.

    Args:
        path (Path): File to write.
        trainer (~chainer.training.Trainer): The running training.
        ran_with (dict): What it runs with, name -> what JSON can hold; :func:`read_ran_with` gives it back. None:
            unknown.
    """
    entries = _entries_of(trainer)
    # Chainer keeps None as an object array, which only pickle can read; its name says as much.
    nones = [name for name, value in entries.items() if value.dtype == object]
    arrays = {name: value for name, value in entries.items() if name not in nones}
    texts = {NONES: nones, RAN_WITH: ran_with}
    with replacing(path) as temporary:
        numpy.savez(temporary, **arrays, **{name: numpy.array(json.dumps(value)) for name, value in texts.items()})


def read_ran_with(path):
    """What the training of a snapshot ran with; None where the snapshot does not say.

    Raises:
        UserError: If the file is no snapshot, or damaged.
    """
    with _opened(path) as archive:
        if RAN_WITH not in archive.names:
            return None
        try:
            return json.loads(_text(archive, RAN_WITH))
        except ValueError as error:
            raise UserError(f'{path}: not a snapshot, or damaged: {error}') from None


def load_snapshot(path, trainer):
    """Put a trainer where :func:`save_snapshot` left another one of the same config.

    All is checked against what the trainer itself would write before anything in it changes.

    Raises:
        UserError: If the file is no such snapshot, of another network or batch size, or damaged.
    """
    with _opened(path) as archive:
        try:
            entries = _fitting(archive, _entries_of(trainer))
            _check_position(entries, trainer.updater)
        except ValueError as error:
            raise UserError(f'{path}: this snapshot does not fit the experiment: {error}') from None
    try:
        NpzDeserializer(entries).load(trainer)
    except (KeyError, ValueError, TypeError) as error:  # a network whose weights have no shape before its first use
        raise UserError(f'{path}: this snapshot does not fit the experiment: {error}') from None


def copy_first(trainer, ranks):
    """Put the trainers of all ranks where that of the first is (~util.ranks.Ranks), which alone has read a snapshot."""
    entries = ranks.of_first(_entries_of(trainer))
    if not ranks.is_first:
        NpzDeserializer(entries).load(trainer)


@contextlib.contextmanager
def _opened(path):
    with Npz(path, 'snapshot') as archive:
        if NONES not in archive.names:
            raise UserError(f'{path}: not a snapshot of training.py; a model file (gen_*.npz) is given by -m instead')
        yield archive


def _entries_of(trainer):
    """Name -> array of all that the trainer writes, with the optimizer's moments from the first iteration on."""
    for optimizer in trainer.updater.get_all_optimizers().values():
        for param in optimizer.target.params():
            rule = param.update_rule
            if rule is not None and rule.enabled and rule.state is None and param.is_initialized:
                rule._init_states(param)  # as its first update would do
    serializer = DictionarySerializer()
    try:
        serializer.save(trainer)
    except RuntimeError:  # Chainer: the training has not been started yet. The time is the last thing that it writes
        serializer('_snapshot_elapsed_time', 0.0)
    return serializer.target


def _fitting(archive, wanted):
    """The archive's arrays that a trainer asks for, each checked against the trainer's own of the same name.

    Raises:
        ValueError: Saying what does not fit.
    """
    nones = json.loads(_text(archive, NONES))
    entries = {}
    for name, own in wanted.items():
        if name in nones:
            if own.dtype != object:
                raise ValueError(f'{name} is none')
            entries[name] = numpy.array(None)
        elif name not in archive.names:
            if name not in NEWER:
                raise ValueError(f'{name} is missing')
            entries[name] = own
        elif own.dtype.kind == 'U':
            entries[name] = numpy.array(_text(archive, name))
        else:
            entries[name] = archive.array(name) if own.dtype == object else archive.like(name, own)
            if own.dtype.kind == 'i' and (entries[name] < 0).any() and (own >= 0).all():
                raise ValueError(f'{name} is negative')
        if name.endswith('/_names'):
            entries.update(_statistics(archive, name.removesuffix('_names'), json.loads(str(entries[name]))))
    return entries


def _statistics(archive, folder, names):
    """What a log has summed up since it was last written: three numbers for each name."""
    entries = {}
    for index in range(len(names)):
        for key, own in (('_x', 0.0), ('_x2', 0.0), ('_n', 0)):
            name = f'{folder}_summaries/{index}/{key}'
            if name not in archive.names:
                raise ValueError(f'{name} is missing')
            header = archive.header(name)
            if header.shape or not numpy.can_cast(header.dtype, type(own), 'safe'):
                raise ValueError(f'{name} is no number')
            entries[name] = archive.array(name)
    return entries


def _is_number(value):
    return type(value) is float or type(value) is int and abs(value) < 2 ** 63


def _are_words(value):
    return isinstance(value, list) and all(isinstance(word, str) for word in value)


def _is_log(value):
    return isinstance(value, list) and all(
        isinstance(line, dict) and all(map(_is_number, line.values())) for line in value)


def _are_settings(value):
    return isinstance(value, (dict, type(None)))


# How the names begin of what this module and Chainer's extensions keep as JSON, and what is let pass there.
_JSON = {NONES: _are_words, RAN_WITH: _are_settings, '_names': _are_words, '_log': _is_log}


def _text(archive, name):
    """A text of the archive.

    Raises:
        ValueError: If it ought to be JSON of some form, and is not.
    """
    text = archive.text(name, MOST_TEXT)
    for start, fits in _JSON.items():
        if name.rpartition('/')[2].startswith(start):
            try:
                value = json.loads(text)
            except (ValueError, RecursionError):
                raise ValueError(f'{name} is no JSON') from None
            if not fits(value):
                raise ValueError(f'{name} is not what it ought to be')
    return text


def _check_position(entries, updater):
    """Refuse a place among the patches where an uninterrupted run of this batch size would not be."""
    position, epoch = (int(entries[f'updater/iterator:main/{key}']) for key in ('current_position', 'epoch'))
    done = int(entries['updater/iteration']) * updater.get_iterator('main').batch_size
    if position > done or epoch == 0 and position != done:
        raise ValueError(f'it has drawn {position} patches, and iteration {entries["updater/iteration"]} of this '
                         f'batchsize {done}')
