"""The network that a config names, and the files that a trained one is kept in."""
import importlib.util

import numpy
from chainer.serializers import DictionarySerializer, NpzDeserializer

from util.config import dump_config, parse_config
from util.degradation import centre_offset
from util.files import replacing
from util.npz import read_npz
from util.script import PROJECT, UserError

EXPERIMENT = 'experiment'  # the entry of a model file that holds the experiment's YAML


def build_network(config):
    """Make the network of ``config.models.generator``, with fresh weights, on the CPU.

    The class is called with ``upsampling_rate=(r_z, r_y, r_x)``, ``centre_offset=(o_z, o_y, o_x)`` (the HR index of the
    centre of LR voxel 0) and the config's ``args``. Its instances must map (N, C, D, H, W) to
    (N, C, r_z*D, r_y*H, r_x*W) and have ``rate`` and ``halo``, as ``models.espcn3d.ESPCN3D`` has.

    Raises:
        UserError: If there is no such file or class, or the class does not take these arguments.
    """
    settings = config.models.generator
    path = network_path(config)
    if not path.is_file():
        raise UserError(f'models.generator.fn: no such file: {path}')
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not hasattr(module, settings.name):
        raise UserError(f'models.generator.name: {path} has no class {settings.name}')
    try:
        offset = centre_offset(config.degradation.name, config.upsampling_rate)
        return getattr(module, settings.name)(upsampling_rate=config.upsampling_rate, centre_offset=offset,
                                              **settings.args)
    except (TypeError, ValueError) as error:
        raise UserError(f'models.generator.args: {settings.name} does not take {settings.args}: {error}') from error


def save_network(path, net, config):
    """Write the network's arrays and the experiment to an .npz file.

    The arrays have the names and shapes of Chainer's ``save_npz`` (``conv1/W``, ...), so that other Chainer code loads
    the file too; one more entry, a text, holds the config.
    """
    serializer = DictionarySerializer()
    serializer.save(net)
    with replacing(path) as temporary:
        numpy.savez_compressed(temporary, **serializer.target, **{EXPERIMENT: numpy.array(dump_config(config))})


def read_experiment(path):
    """The Config that travels in a model file, or None for a bare one, such as the reference's ``gen_iter_*.npz``."""
    entries = read_npz(path, 'model file')
    if EXPERIMENT not in entries:
        return None
    return parse_config(str(entries[EXPERIMENT]), f'{path} ({EXPERIMENT})')


def load_network(path, net):
    """Fill ``net`` with the arrays of a model file.

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


def network_path(config):
    """Path of the Python file that holds the config's network."""
    return PROJECT / config.models.generator.fn
