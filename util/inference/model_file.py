"""The files that a trained network is kept in: its arrays, and the text of the experiment that made them."""
import json
import math
from pathlib import Path

import numpy
from chainer.serializers import DictionarySerializer, NpzDeserializer

from util.files import replacing
from util.npz import Npz
from util.script import UserError
from util.volumes.looks import FEATURES
from util.volumes.orientation import Lie
from util.yaml_text import MOST_BYTES

EXPERIMENT = 'experiment'  # the entry of a model file that holds the experiment's YAML
TRAINED_ON = 'trained_on'  # the entry that holds how the training's volumes lie, as JSON
LOOKS = 'looks'  # the entry that holds what the training's LR volumes look like, as JSON
CALIBRATION = 'calibration'  # the entry that calibrate.py adds, as JSON: how wide the intervals of its deviations are


def save_network(path, net, experiment, lie=None, looks=None, half=False):
    """Write the network's arrays and where they come from to an .npz file.

    The arrays have the names and shapes of Chainer's ``save_npz`` (``conv1/W``, ...), so that other Chainer code loads
    the file too; the other entries are texts.

    Args:
        path (Path): File to write.
        net (~chainer.Chain): The network.
        experiment (str): YAML text: :meth:`util.config.Config.to_yaml`.
        lie (~util.volumes.orientation.Lie): How the LR volumes of its training lie; None: several ways, or unknown.
        looks (dict): What they look like (`util.volumes.looks.expected_looks`); None: unknown.
        half (bool): Write weights as float16, which take half the bytes, instead of float32.

    Raises:
        UserError: If a weight is not finite: such a network is of no use to anyone. Or if it is too large for float16.
    """
    arrays = arrays_of(net)
    for name, array in arrays.items():
        if not numpy.isfinite(array).all():
            raise UserError(f'{path}: not written, since {name} holds weights that are not finite; try a smaller '
                            'adam.alpha, or intensity_scaling: percentile')
        if half and array.dtype.kind == 'f':
            if abs(array).max(initial=0) > numpy.finfo('f2').max:
                raise UserError(f'{path}: not written, since {name} holds weights that half precision cannot; write it '
                                'in float32')
            arrays[name] = array.astype('f2')
    texts = {EXPERIMENT: numpy.array(experiment)}
    if lie:
        texts[TRAINED_ON] = numpy.array(json.dumps(lie._asdict()))
    if looks:
        texts[LOOKS] = numpy.array(json.dumps(looks))
    with replacing(path) as temporary:
        numpy.savez_compressed(temporary, **arrays, **texts)


def read_lie(path):
    """How the LR volumes of a network's training lie; None where the model file does not say.

    Raises:
        UserError: If the file cannot be read, or what it says is damaged.
    """
    def parse(told):
        lie = Lie(str(told['axes']), tuple(float(s) for s in told['spacing']))
        if (sorted(lie.axes.translate(str.maketrans('LPI', 'RAS'))) != ['A', 'R', 'S'] or len(lie.spacing) != 3
                or not all(0 < s < math.inf for s in lie.spacing)):
            raise ValueError(told)
        return lie

    return read_told(path, TRAINED_ON, parse)


def read_looks(path, channels):
    """What the LR volumes of a network's training look like; None where the model file does not say.

    Args:
        path (Path): The model file.
        channels (int): Of the network.

    Returns:
        dict or None: As `util.volumes.looks.expected_looks` gives it.

    Raises:
        UserError: If the file cannot be read, or what it says is damaged.
    """
    def parse(told):
        looks = {name: [(float(middle), float(tolerance)) for middle, tolerance in told[name]] for name in FEATURES}
        if not all(len(its) == channels and math.isfinite(middle) and 0 < tolerance < math.inf
                   for its in looks.values() for middle, tolerance in its):
            raise ValueError(looks)
        return looks

    return read_told(path, LOOKS, parse)


def read_told(path, entry, parse, remedy=''):
    """What is made of the JSON object in an entry of a model file; None where there is no such entry.

    Args:
        path (Path): The model file.
        entry (str): The entry's name.
        parse (callable): Makes it of a dict of anything; it raises a ValueError, TypeError, KeyError or OverflowError
            where that cannot be.
        remedy (str): What a user can do about a damaged one, to end the message.

    Raises:
        UserError: If the file cannot be read, the entry is no JSON object, or nothing can be made of it.
    """
    with Npz(path, 'model file') as archive:
        if entry not in archive.names:
            return None
        text = archive.text(entry, MOST_BYTES)
    try:
        told = json.loads(text)
        if not isinstance(told, dict):
            raise ValueError('no JSON object')
        return parse(told)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise UserError(f'{path}: its entry {entry} is damaged: {error}{remedy}') from None


def put_told(path, entry, told):
    """Put an entry of JSON into a model file, or in the place of an older one; each array stays as it is, bit for bit.

    Args:
        path (Path): The model file, or a link to it; replaced as a whole or not at all.
        entry (str): The entry's name.
        told (dict): Of what JSON can hold.

    Raises:
        UserError: If the file cannot be read.
    """
    with Npz(path, 'model file') as archive:
        arrays = {name: archive.array(name) for name in archive.names}
    arrays[entry] = numpy.array(json.dumps(told, allow_nan=False))
    with replacing(Path(path).resolve()) as temporary:  # of a link, what it leads to
        numpy.savez_compressed(temporary, **arrays)


def read_experiment_text(path):
    """The YAML text of the experiment in a model file; None for a bare file, such as the reference's.

    Raises:
        UserError: If the file cannot be read without pickle, its experiment is no text, or it is a snapshot.
    """
    with Npz(path, 'model file') as archive:
        _check_no_snapshot(path, archive)
        return archive.text(EXPERIMENT, MOST_BYTES) if EXPERIMENT in archive.names else None


def _check_no_snapshot(path, archive):
    if 'entries_that_are_none' in archive.names:
        raise UserError(f'{path}: a snapshot; go on from it with --resume, or give the gen_iter_N.npz of the same '
                        'number')


def load_network(path, net):
    """Fill a network with the arrays of a model file.

    Args:
        path (Path): The model file.
        net (~chainer.Chain): The network; changed in place, once the whole file is seen to be right. Weights of
            another floating-point type become the network's.

    Raises:
        UserError: If the file cannot be read without pickle, or an array is missing, of another shape or kind, or not
            finite.
    """
    entries = {}
    with Npz(path, 'model file') as archive:
        _check_no_snapshot(path, archive)
        for name, wanted in sorted(arrays_of(net).items()):
            if name not in archive.names:
                raise UserError(f'{path}: no array {name}, which this network has; found: {", ".join(archive.names)}')
            try:
                entries[name] = archive.like(name, wanted)
            except ValueError as error:
                raise UserError(f'{path}: {error}: is it a model of another upsampling rate or network?') from None
    fill(net, entries)


def arrays_of(net):
    """The arrays of a network by their names in a model file."""
    serializer = DictionarySerializer()
    serializer.save(net)
    return serializer.target


def fill(net, arrays):
    """Give a network, in place, the arrays that :func:`arrays_of` has taken of one of its kind."""
    NpzDeserializer(arrays).load(net)
