"""The files that a trained network is kept in: its arrays, and the text of the experiment that made them."""
import numpy
from chainer.serializers import DictionarySerializer, NpzDeserializer

from util.files import replacing
from util.npz import read_npz
from util.script import UserError

EXPERIMENT = 'experiment'  # the entry of a model file that holds the experiment's YAML


def save_network(path, net, experiment):
    """Write the network's arrays and the experiment to an .npz file.

    The arrays have the names and shapes of Chainer's ``save_npz`` (``conv1/W``, ...), so that other Chainer code loads
    the file too; one more entry, a text, holds the experiment.

    Args:
        path (Path): File to write.
        net (~chainer.Chain): The network.
        experiment (str): YAML text: :meth:`util.config.Config.to_yaml`.
    """
    serializer = DictionarySerializer()
    serializer.save(net)
    with replacing(path) as temporary:
        numpy.savez_compressed(temporary, **serializer.target, **{EXPERIMENT: numpy.array(experiment)})


def read_experiment_text(path):
    """The YAML text of the experiment in a model file; None for a bare file, such as the reference's.

    Raises:
        UserError: If the file cannot be read without pickle.
    """
    entries = read_npz(path, 'model file')
    return str(entries[EXPERIMENT]) if EXPERIMENT in entries else None


def load_network(path, net):
    """Fill a network with the arrays of a model file.

    Args:
        path (Path): The model file.
        net (~chainer.Chain): The network; changed in place.

    Raises:
        UserError: If the file cannot be read without pickle, or an array is missing or of another shape.
    """
    entries = read_npz(path, 'model file')
    for name, param in sorted(net.namedparams()):
        name = name.lstrip('/')
        if name not in entries:
            raise UserError(f'{path}: no array {name}, which this network has; found: {", ".join(sorted(entries))}')
        if entries[name].shape != param.shape:
            raise UserError(f'{path}: {name} has shape {entries[name].shape}; this network needs {param.shape}: '
                            'is it a model of another upsampling rate or network?')
    NpzDeserializer(entries).load(net)
