"""Snapshots of a running training."""
import json

import numpy
from chainer.serializers import DictionarySerializer, NpzDeserializer

from util.files import replacing
from util.npz import read_npz
from util.script import UserError

NONES = 'entries_that_are_none'  # the entry that names what None stands in
RAN_WITH = 'ran_with'  # the entry that holds what the training ran with, as JSON


def save_snapshot(path, trainer, ran_with=None):
    """Write all that a training needs to go on to an .npz file that opens without pickle.

    Args:
        path (Path): File to write.
        trainer (~chainer.training.Trainer): The running training.
        ran_with (dict): What it runs with, name -> what JSON can hold; :func:`read_ran_with` gives it back. None:
            unknown.
    """
    serializer = DictionarySerializer()
    serializer.save(trainer)
    entries = serializer.target
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
    entries = read_npz(path, 'snapshot')
    if NONES not in entries:
        raise UserError(f'{path}: not a snapshot of training.py; a model file (gen_*.npz) is given by -m instead')
    try:
        told = json.loads(str(entries[RAN_WITH])) if RAN_WITH in entries else None
        if not isinstance(told, (dict, type(None))):
            raise ValueError(told)
    except ValueError as error:
        raise UserError(f'{path}: not a snapshot, or damaged: {error}') from None
    return told


def load_snapshot(path, trainer):
    """Put a trainer where :func:`save_snapshot` left another one of the same config.

    Raises:
        UserError: If the file is no such snapshot, or of another network.
    """
    entries = read_npz(path, 'snapshot')
    if NONES not in entries:
        raise UserError(f'{path}: not a snapshot of training.py; a model file (gen_*.npz) is given by -m instead')
    entries.update({name: numpy.array(None) for name in json.loads(str(entries[NONES]))})
    try:
        NpzDeserializer(entries).load(trainer)
    except (KeyError, ValueError, TypeError) as error:
        raise UserError(f'{path}: this snapshot does not fit the experiment: {error}') from None
