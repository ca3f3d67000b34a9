"""The files that a trained network is kept in: its arrays, and the text of the experiment that made them."""
import json
import math

import numpy
from chainer.serializers import DictionarySerializer, NpzDeserializer

from util.files import replacing
from util.npz import Npz
from util.script import UserError
from util.volumes.orientation import Lie
from util.yaml_text import MOST_BYTES

EXPERIMENT = 'experiment'  # the entry of a model file that holds the experiment's YAML
TRAINED_ON = 'trained_on'  # the entry that holds how the training's volumes lie, as JSON


def save_network(path, net, experiment, lie=None):
    """Write the network's arrays and where they come from to an .npz file.

    The arrays have the names and shapes of Chainer's ``save_npz`` (``conv1/W``, ...), so that other Chainer code loads
    the file too; two more entries are texts.

    Args:
        path (Path): File to write.
        net (~chainer.Chain): The network.
        experiment (str): YAML text: :meth:`util.config.Config.to_yaml`.
        lie (~util.volumes.orientation.Lie): How the LR volumes of its training lie; None: several ways, or unknown.

    Raises:
        UserError: If a weight is not finite: such a network is of no use to anyone.
    """
    arrays = _arrays_of(net)
    for name, array in arrays.items():
        if not numpy.isfinite(array).all():
            raise UserError(f'{path}: not written, since {name} holds weights that are not finite; try a smaller '
                            'adam.alpha, or intensity_scaling: percentile')
    texts = {EXPERIMENT: numpy.array(experiment)}
    if lie:
        texts[TRAINED_ON] = numpy.array(json.dumps(lie._asdict()))
    with replacing(path) as temporary:
        numpy.savez_compressed(temporary, **arrays, **texts)


def read_lie(path):
    """How the LR volumes of a network's training lie; None where the model file does not say.

    Raises:
        UserError: If the file cannot be read, or what it says is damaged.
    """
    with Npz(path, 'model file') as archive:
        if TRAINED_ON not in archive.names:
            return None
        text = archive.text(TRAINED_ON, MOST_BYTES)
    try:
        told = json.loads(text)
        lie = Lie(str(told['axes']), tuple(float(s) for s in told['spacing']))
        if (sorted(lie.axes.translate(str.maketrans('LPI', 'RAS'))) != ['A', 'R', 'S'] or len(lie.spacing) != 3
                or not all(0 < s < math.inf for s in lie.spacing)):
            raise ValueError(told)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise UserError(f'{path}: what it says of its training is damaged: {error}') from None
    return lie


def read_experiment_text(path):
    """The YAML text of the experiment in a model file; None for a bare file, such as the reference's.

    Raises:
        UserError: If the file cannot be read without pickle, or its experiment is no text.
    """
    with Npz(path, 'model file') as archive:
        return archive.text(EXPERIMENT, MOST_BYTES) if EXPERIMENT in archive.names else None


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
        for name, wanted in sorted(_arrays_of(net).items()):
            if 'entries_that_are_none' in archive.names:
                raise UserError(f'{path}: a snapshot; go on from it with --resume, or give the gen_iter_N.npz of the '
                                'same number')
            if name not in archive.names:
                raise UserError(f'{path}: no array {name}, which this network has; found: {", ".join(archive.names)}')
            try:
                entries[name] = archive.like(name, wanted)
            except ValueError as error:
                raise UserError(f'{path}: {error}: is it a model of another upsampling rate or network?') from None
    NpzDeserializer(entries).load(net)


def _arrays_of(net):
    serializer = DictionarySerializer()
    serializer.save(net)
    return serializer.target
