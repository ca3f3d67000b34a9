"""Reading experiments: YAML files, what they extend, and what the command line changes."""
import os
from pathlib import Path

import yaml

from util.config import check_values
from util.inference.model_file import read_experiment_text
from util.script import UserError

EXTENDS = 'extends'  # the key that names the file whose values hold where a file says nothing
MOST_EXTENDED = 8  # files in a chain


def load_config(path, changes=()):
    """Read and check the YAML experiment of a file.

    Args:
        path (Path): The file. It may extend another: ``extends: other.yml``, relative to itself. Mappings are merged
            key by key, but one that says another ``name`` than the one it extends replaces it: settings belong to
            their name. All other values replace.
        changes (list of str): ``KEY=VALUE``, such as ``adam.alpha=1e-3``, as if the file ended with them.

    Returns:
        ~util.config.Config: The whole, resolved experiment.

    Raises:
        UserError: One line that names the file, the key and what is allowed.
    """
    values, source = _read_whole(Path(path)), os.fspath(path)
    for change in changes:
        values = _merged(values, _parse_change(change))
    if changes:
        source += ''.join(f' --set {change}' for change in changes)
    return check_values(values, source)


def parse_config(text, source):
    """Check the text of a YAML experiment that stands by itself.

    Args:
        text (str): YAML.
        source (str): What the text is called in error messages.

    Returns:
        ~util.config.Config: The experiment.

    Raises:
        UserError: One line that names ``source``, the key and what is allowed.
    """
    return check_values(_parse_yaml(text, source), source)


def read_experiment(path):
    """The Config that travels in a model file, or None for a bare one, such as the reference's ``gen_iter_*.npz``.

    Raises:
        UserError: If the file cannot be read, or its experiment is none.
    """
    text = read_experiment_text(path)
    if text is None:
        return None
    source = f'{path} (its experiment)'
    values = _parse_yaml(text, source)
    degradation = values.get('degradation')
    # Model files of before `extends` hold the default of gaussian's fwhm beside every degradation.
    if isinstance(degradation, dict) and degradation.get('name') != 'gaussian' and degradation.get('fwhm') == 1.0:
        values = {**values, 'degradation': {key: value for key, value in degradation.items() if key != 'fwhm'}}
    return check_values(values, source)


def _read_whole(path, above=()):
    """A file's values laid over those of the file it extends; ``above`` are the files that led here."""
    if path.resolve() in [other.resolve() for other in above]:
        raise UserError(f'{path}: {EXTENDS}: goes round in a circle: {" -> ".join(map(str, (*above, path)))}')
    if len(above) >= MOST_EXTENDED:
        raise UserError(f'{above[0]}: {EXTENDS}: a chain of more than {MOST_EXTENDED} files')
    try:
        text = path.read_text(encoding='utf-8')
    except OSError as error:
        by = f'{above[-1]}: {EXTENDS}: ' if above else ''
        raise UserError(f'{by}{path}: cannot read this config: {error.strerror}') from None
    except UnicodeDecodeError as error:
        raise UserError(f'{path}: a config is a UTF-8 text file: {error}') from None
    values = _parse_yaml(text, path)
    if EXTENDS not in values:
        return values
    extended = values.pop(EXTENDS)
    if not isinstance(extended, str):
        raise UserError(f'{path}: {EXTENDS}: the path of one config is wanted; found {extended!r}')
    return _merged(_read_whole(path.parent / extended, (*above, path)), values)


def _parse_yaml(text, source):
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(f'{source}: not valid YAML: {" ".join(str(error).split())}') from None
    if not isinstance(values, dict):
        raise UserError(f'{source}: no keys found; a config is a YAML file such as configs/base.yml')
    return values


def _parse_change(change):
    """``adam.alpha=1e-3`` as ``{'adam': {'alpha': '1e-3'}}``, the value read as YAML."""
    keys, equals, value = change.partition('=')
    parts = keys.strip().split('.')
    if not equals or not all(parts) or parts[0] == EXTENDS:
        raise UserError(f'--set {change}: KEY=VALUE is wanted, such as adam.alpha=1e-3')
    try:
        nested = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise UserError(f'--set {change}: not valid YAML: {" ".join(str(error).split())}') from None
    for part in reversed(parts):
        nested = {part: nested}
    return nested


def _merged(below, above):
    """The values of ``above`` laid over those of ``below``; neither is changed."""
    if isinstance(below, str):
        below = {'name': below}  # the short form of a choice
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    if above.get('name', below.get('name')) != below.get('name'):
        return above
    return {**below, **{key: _merged(below.get(key), value) for key, value in above.items()}}
