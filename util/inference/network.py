"""From the names in a config to a network; `models.network` says what a network is."""
import hashlib
import importlib
import importlib.util
import inspect
import os
import sys
import traceback
from pathlib import Path

import chainer

from models.network import ATTRIBUTES, ArgumentError
from util.script import PROJECT, UserError, blaming

_FROM_ELSEWHERE = ('data', 'results')  # the project's folders that hold what was downloaded or given


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
    refusal = f'models.generator.args: {settings.name} does not take {settings.args}'
    if 'sampling' in settings.args:
        raise UserError(f'{refusal}: sampling is upsampling_rate and degradation, and comes by itself')
    arguments = {'sampling': config.sampling, **settings.args}
    try:
        inspect.signature(cls).bind(**arguments)
    except TypeError as error:
        raise UserError(f'{refusal}: {error}') from None
    try:
        net = cls(**arguments)
    except ArgumentError as error:
        *_, (frame, _) = traceback.walk_tb(error.__traceback__)
        if frame.f_globals.get('__name__') not in {base.__module__ for base in cls.__mro__}:
            raise  # of a network inside this one, which this one has given a wrong argument
        raise UserError(f'{refusal}: {error}') from None
    for name, kind in ATTRIBUTES.items():
        if not isinstance(getattr(net, name, None), kind):
            raise UserError(f'models.generator: {settings.name} in {path} has no attribute {name} ({kind.__name__}); '
                            'models/network.py says what a network needs')
    return net


def network_path(config, root=PROJECT):
    """Path of the Python file that holds the config's network.

    Args:
        config (~util.config.Config): The experiment.
        root (Path): Where the file is looked for first; then below the project.

    Returns:
        Path: Absolute, without links.

    Raises:
        UserError: If there is no such file below ``root`` or the project.
    """
    fn = config.models.generator.fn
    for folder in (root, PROJECT):
        path = Path(os.path.realpath(folder), fn)
        if os.path.isfile(path) and path.suffix == '.py':
            return Path(os.path.realpath(path))
    raise UserError(f'models.generator.fn: no such Python file: {fn}, looked for below the project and -R; put it '
                    'below the project, or name the folder that it starts from with -R')


def check_code_of_model(config, model, root=PROJECT):
    """Refuse a model file whose experiment names code from anywhere but the project or ``root``.

    A model file comes from elsewhere and must not choose which code runs. The project's folders for data and results
    are where files from elsewhere lie, so they do not count as the project.

    Args:
        config (~util.config.Config): The model file's own experiment.
        model (Path): The model file, for the message.
        root (Path): The folder that the user has named with -R.

    Raises:
        UserError: If the network's file is given by an absolute path or by one with ``..``, is missing or lies
            elsewhere.
    """
    fn, root = Path(config.models.generator.fn), Path(root).resolve()
    inside = not fn.is_absolute() and '..' not in fn.parts
    if inside:
        with blaming(model):
            path = network_path(config, root)
        inside = (root != PROJECT and path.is_relative_to(root)) or (
            path.is_relative_to(PROJECT) and path.relative_to(PROJECT).parts[0] not in _FROM_ELSEWHERE)
    if not inside:
        raise UserError(f'{model}: its experiment names the code {fn}; a model file may name code below the project '
                        '(but for data and results) or -R only. If you trust that file, give the experiment yourself '
                        'with -c of inference.py, calibrate.py or export_onnx.py')


def check_channels(net, array):
    """Refuse a volume whose channels are not those of the network.

    Args:
        net (~chainer.Chain): As `models.network` describes it.
        array (numpy.ndarray): LR or HR volume, (C, z, y, x).

    Raises:
        UserError: Naming both numbers.
    """
    if len(array) != net.in_channels:
        raise UserError(f'{len(array)} channels; this network takes {net.in_channels} (in_channels in '
                        'models.generator.args)')


def _import(path):
    """The module of a Python file: the project's own under its dotted name, so that its classes are what they are."""
    if path.is_relative_to(PROJECT):
        parts = path.relative_to(PROJECT).with_suffix('').parts
        spec = importlib.util.find_spec('.'.join(parts)) if parts[0] in ('models', 'util', 'tests') else None
        if spec and spec.origin and Path(spec.origin).resolve() == path:
            return importlib.import_module('.'.join(parts))
    # A name of its own, so that a file elsewhere never takes the place of a module. Known under it, so that its
    # instances can be pickled, for this process and those that it forks.
    name = f'network_{hashlib.sha256(str(path).encode()).hexdigest()[:16]}_{path.stem}'
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException as error:
            del sys.modules[name]
            if isinstance(error, ModuleNotFoundError):
                raise UserError(f'{path}: it imports {error.name}, which {sys.executable} does not find; a module of '
                                "your own has to be on Python's path (PYTHONPATH)") from None
            raise
    return sys.modules[name]
