"""What an inference is about: the experiment that its model is used by, and the cases."""
import os
from pathlib import Path

import chainer
import numpy

from models.gaussian import GaussianNetwork
from models.network import has_fixed_mean, mean_of
from util.config import check_values
from util.config_files import load_config, read_experiment
from util.dataset.case_lists import read_list
from util.dataset.cases_table import TABLE
from util.dataset.pairs_info import folder_of_pairs, holds_tensors, read_pairs_info
from util.inference.maps import KINDS
from util.inference.model_file import load_network
from util.inference.network import build_network, check_code_of_model
from util.script import PROJECT, UserError, blaming, note
from util.volumes.degradation import DEGRADATIONS
from util.yaml_text import load_yaml

# What the network was trained for: a model file's own values hold, and a config that says otherwise is refused.
TRAINED_FOR = ('upsampling_rate', 'degradation', 'models', 'intensity_scaling')


def choose_config(model, config_path=None, root=PROJECT):
    """The experiment that a model file is used by: its own, or the user's where that is the same in what matters.

    Args:
        model (Path): The model file.
        config_path (Path): The user's; None: the model file's own, or configs/base.yml where it has none.
        root (Path): Where the network's code may lie beside the project.

    Returns:
        ~util.config.Config: The experiment.

    Raises:
        UserError: If a file cannot be read, the model file names code from elsewhere, or the two differ in
            `TRAINED_FOR`.
    """
    trained = read_experiment(model)
    if config_path is None and trained is not None:
        check_code_of_model(trained, model, root)
        return trained
    config = load_config(config_path or PROJECT / 'configs/base.yml')
    for key, its, trained_for in differences(config, trained) if trained is not None else ():
        raise UserError(f'{config_path}: {key} is not what {model} was trained for: {its} against {trained_for}; leave '
                        '-c out to use the model\'s own config')
    return config


def open_model(model, config_path=None, root=PROJECT):
    """What a model file holds; arguments and errors as of :func:`choose_config`.

    Returns:
        (~util.config.Config, ~chainer.Chain): The experiment, and the network with its weights, on the CPU.

    Raises:
        UserError: If the weights are not those of the network.
    """
    config = choose_config(model, config_path, root)
    with blaming(config_path or model):
        net = build_network(config, root)
    load_network(model, net)
    return config, net


def differences(config, other):
    """What of `TRAINED_FOR` two experiments do not share: a list of (key, the one's value, the other's)."""
    values = ((key, getattr(config, key), getattr(other, key)) for key in TRAINED_FOR)
    return [(key, one, another) for key, one, another in values if one != another]


def load_start(model, net, config, root=PROJECT):
    """Fill a network that is to be trained with the weights of a model file.

    Another network's will do where they fit, such as those of one with uncertain weights for the same one without,
    which then starts from their means; or those of a network without a variance, for the network of the mean in one
    that returns a Gaussian. The arrays of variational dropout are not made up, so that such a network starts from its
    like alone. What differs is told.

    Args:
        model (Path): The model file.
        net (~chainer.Chain): The network; changed in place, or not at all where the weights do not fit.
        config (~util.config.Config): The experiment that it is trained in.
        root (Path): Where the network's code may lie beside the project.

    Raises:
        UserError: If the file cannot be read, or its weights do not fit; or if the network is to answer as the model
            does (``fixed_mean``), and would not.
    """
    trained = read_experiment(model)
    other = trained is not None and _described(trained) != _described(config)
    try:
        _load(model, net, net.mean if other and isinstance(net, GaussianNetwork) else None)
    except UserError as error:
        if not other:
            raise
        raise UserError(f'{model}: its weights do not fit; they are of {_described(trained)}, and the config says '
                        f'{_described(config)}. Start from a model of that, or leave -m out '
                        f'({str(error).removeprefix(f"{model}: ")})') from None
    if trained is not None and has_fixed_mean(net):
        _check_same_answers(model, net, trained, config, root)
    if other:
        note(f'{model}: its weights are of {_described(trained)}, and are trained further as {_described(config)}')


def _check_same_answers(model, net, trained, config, root):
    """Refuse a network whose mean is to stay that of a model, and which makes something else of an LR volume."""
    if trained.models.generator.fn != config.models.generator.fn:  # which the user has named, and so trusts
        check_code_of_model(trained, model, root)
    with blaming(model):
        own = build_network(trained, root)
    load_network(model, own)
    lr = numpy.random.default_rng(0).random((1, net.in_channels, 5, 6, 7), numpy.float32)
    with chainer.no_backprop_mode(), chainer.using_config('train', False):
        answers = [chainer.as_variable(mean_of(one(lr))).array for one in (own, net)]
    if trained.intensity_scaling != config.intensity_scaling or not numpy.array_equal(*answers):
        raise UserError(f'{model}: with fixed_mean its answers would not stay as they are: it is of '
                        f'{_described(trained)}, and the config says {_described(config)}')


def _load(model, net, part):
    try:
        load_network(model, net)
    except UserError as error:
        if part is None:
            raise
        try:
            load_network(model, part)
        except UserError:
            raise error from None


def _described(config):
    network = config.models.generator
    arguments = ', '.join(f'{key}={value!r}' for key, value in network.args.items())
    return (f'{network.name}({arguments}) at rate {config.upsampling_rate}, degradation {config.degradation.name}, '
            f'intensity_scaling {config.intensity_scaling}')


def parse_degradation(source, text, config):
    """A degradation as the command line has it.

    Args:
        source (str): The option, for messages.
        text (str): YAML: a name of `util.volumes.degradation.DEGRADATIONS`, or a mapping as in a config.
        config (~util.config.Config): The experiment.

    Returns:
        ~util.config.Degradation: Without noise.

    Raises:
        UserError: If it is none.
    """
    given = load_yaml(text, source)
    if not isinstance(given, str) and not (isinstance(given, dict) and 'name' in given):
        raise UserError(f'{source} {text!r}: the name of a degradation is wanted ({", ".join(DEGRADATIONS)}), or a '
                        "mapping with a name, such as '{name: gaussian, fwhm: 0.8}'")
    degradation = check_values({**config.model_dump(mode='json'), 'degradation': given}, f'{source} {text}').degradation
    if degradation.noise_sigma:
        raise UserError(f'{source} {text}: noise cannot be told from the rest; leave noise_sigma out')
    return degradation


def listed_cases(config, source, root=PROJECT):
    """The cases of an experiment's test list.

    Args:
        config (~util.config.Config): The experiment.
        source (Path): The file that it came from, for the message.
        root (Path): Where relative paths start.

    Returns:
        list of ~util.dataset.case_lists.Case: In the list's order.

    Raises:
        UserError: If the list cannot be read.
    """
    with blaming(f'{source}: dataset.test_list'):
        return read_list(root / config.dataset.test_list, root)


def read_training_list(model, config, root=PROJECT):
    """The cases that a model was trained on, as far as they are known.

    Beside the model lies the list of its training. Where the config has it, another one may have been made since.

    Args:
        model (Path): The model file.
        config (~util.config.Config): Its experiment.
        root (Path): Where relative paths start.

    Returns:
        (Path, list of ~util.dataset.case_lists.Case): The list, absolute; and its cases: none where there is no such
        list, or its volumes are not there, as where a run came from another machine.
    """
    kept = Path(os.path.realpath(model)).parent / 'training_list.txt'
    path = kept if kept.is_file() else (root / config.dataset.training_list).absolute()
    try:
        return path, read_list(path, root)
    except UserError:
        return path, []


def check_mirrored(cases):
    """Refuse an ensemble over mirrorings of diffusion tensors, where signs of elements would have to change as well.

    Args:
        cases (list of ~util.dataset.case_lists.Case): The cases, in folders of pairs or elsewhere.

    Raises:
        UserError: Naming the first volume in a folder of pairs of tensors.
    """
    for case in cases:
        if holds_tensors(read_pairs_info(folder_of_pairs(case.lr_path))):
            raise UserError(f'{case.lr_path}: a volume of diffusion tensors, which cannot be mirrored; leave '
                            '--ensemble out')


def check_results(out, cases):
    """Refuse a folder of results where one of them would replace a volume that is read, or another result.

    Args:
        out (Path): The folder.
        cases (list of ~util.dataset.case_lists.Case): The cases.

    Raises:
        UserError: Naming the volume.
    """
    names = {case.name for case in cases}
    kinds = *KINDS, 'uncertainty'
    for name in names:
        for suffix in kinds:
            if f'{name}_{suffix}' in names:
                raise UserError(f'{name}_{suffix} would be the name of two results; call that volume otherwise')
    if (out / TABLE).exists():
        raise UserError(f'{out} holds the volumes of clean_data.py; name another folder with -o')
    real = Path(os.path.realpath(out))  # the working directory has no name of its own
    if real.name in ('LR', 'HR') and read_pairs_info(real.parent):
        raise UserError(f'{out} holds the volumes of LR-HR pairs; name another folder with -o')
    # Path.resolve raises where links go round
    inputs = {os.path.realpath(path) for case in cases for path in (case.lr_path, case.hr_path) if path}
    for case in cases:
        for kind in ('', *kinds):
            path = out / case.file(kind)
            if os.path.realpath(path) in inputs:
                raise UserError(f'{path} is a volume to be read, and the result would replace it; name another folder '
                                'with -o')
