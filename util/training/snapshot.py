"""Snapshots of a running training."""
import json

import numpy
from chainer.serializers import DictionarySerializer, NpzDeserializer

from util.files import replacing
from util.npz import read_npz
from util.script import UserError

NONES = 'entries_that_are_none'  # the entry that names what None stands in


def save_snapshot(path, trainer):
    """Write all that a training needs to go on to an .npz file that opens without pickle."""
    serializer = DictionarySerializer()
    serializer.save(trainer)
    entries = serializer.target
    # Chainer keeps None as an object array, which only pickle can read; its name says as much.
    nones = [name for name, value in entries.items() if value.dtype == object]
    arrays = {name: value for name, value in entries.items() if name not in nones}
    with replacing(path) as temporary:
        numpy.savez(temporary, **arrays, **{NONES: numpy.array(json.dumps(nones))})


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
