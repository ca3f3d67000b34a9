"""From the names in a config to a network; `models.network` says what a network is."""
import hashlib
import importlib
import importlib.util
import inspect
import sys
from pathlib import Path

import chainer

from models.network import ATTRIBUTES, ArgumentError
from util.script import PROJECT, UserError


def build_network(config, root=PROJECT):
    """Make the network of ``config.models.generator``, with fresh weights, on the CPU.

    Chainer draws the weights from NumPy's global generator: seed that first.

    Args:
        config (~util.config.Config): The experiment.
        root (Path): Where the network's file is looked for first; then below the project.

    Returns:
        ~chainer.Chain: As `models.network` describes it.

    Raises:
        UserError: If there is no such file or class, the class does not take these arguments, or its instances are no
            network. Any other exception that the class raises is its own mistake and passes through.
    """
    settings = config.models.generator
    path = network_path(config, root)
    cls = getattr(_import(path), settings.name, None)
    if not (inspect.isclass(cls) and issubclass(cls, chainer.Chain)):
        raise UserError(f'models.generator.name: {path} has no class {settings.name} that is a chainer.Chain')
    arguments = {'sampling': config.sampling, **settings.args}
    try:
        inspect.signature(cls).bind(**arguments)
    except TypeError as error:
        raise UserError(f'models.generator.args: {settings.name} does not take {settings.args}: {error}') from None
    try:
        net = cls(**arguments)
    except ArgumentError as error:
        raise UserError(f'models.generator.args: {settings.name} does not take {settings.args}: {error}') from None
    missing = [name for name in ATTRIBUTES if not hasattr(net, name)]
    if missing:
        raise UserError(f'models.generator: {settings.name} in {path} has no attribute {", ".join(missing)}; '
                        'models/network.py says what a network needs')
    return net


def network_path(config, root=PROJECT):
    """Path of the Python file that holds the config's network.

    Raises:
        UserError: If there is no such file below ``root`` or the project.
    """
    fn = config.models.generator.fn
    for folder in (root, PROJECT):
        path = Path(folder).resolve() / fn
        if path.is_file() and path.suffix == '.py':
            return path
    raise UserError(f'models.generator.fn: no such Python file: {fn}; it is looked for below {root} and the project')


def check_code_of_model(config, model, root=PROJECT):
    """Refuse a model file whose experiment names code from anywhere but the project or ``root``.

    A model file comes from elsewhere and must not choose which code runs.

    Args:
        config (~util.config.Config): The model file's own experiment.
        model (Path): The model file, for the message.
        root (Path): The folder that the user has named with -R.

    Raises:
        UserError: If the network's file is given by an absolute path or by one with ``..``, or lies elsewhere by a
            link.
    """
    fn = Path(config.models.generator.fn)
    inside = not fn.is_absolute() and '..' not in fn.parts
    if inside:
        path = network_path(config, root).resolve()
        inside = any(path.is_relative_to(Path(folder).resolve()) for folder in (root, PROJECT))
    if not inside:
        raise UserError(f'{model}: its experiment names the code {fn}; a model file may name code below the project or '
                        '-R only. If you trust that file, give the experiment yourself with -c')


def check_channels(net, array, path):
    """Refuse a volume whose channels are not those of the network.

    Args:
        net (~chainer.Chain): As `models.network` describes it.
        array (numpy.ndarray): LR or HR volume, (C, z, y, x).
        path (Path): The volume's file, for the message.

    Raises:
        UserError: Naming both numbers.
    """
    if len(array) != net.in_channels:
        raise UserError(f'{path}: {len(array)} channels; this network takes {net.in_channels} (in_channels in '
                        'models.generator.args)')


def _import(path):
    """The module of a Python file: the project's own under its dotted name, so that its classes are what they are."""
    if path.is_relative_to(PROJECT):
        return importlib.import_module('.'.join(path.relative_to(PROJECT).with_suffix('').parts))
    # A name of its own, so that a file elsewhere never takes the place of a module; known, so that pickling works.
    name = f'network_{hashlib.sha256(str(path).encode()).hexdigest()[:16]}_{path.stem}'
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]
