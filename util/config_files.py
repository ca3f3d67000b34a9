"""Reading experiments: YAML files, what they extend, and what the command line changes."""
import os
from pathlib import Path

from util.config import check_values, lists_in
from util.files import read_text
from util.inference.model_file import read_experiment_text
from util.script import UserError
from util.yaml_text import DEEPEST, MOST_BYTES, load_yaml

EXTENDS = 'extends'  # the key that names the file whose values hold where a file says nothing
MOST_EXTENDED = 16  # files in a chain; the project's own longest one has 7
CHOICES = {('degradation',), ('loss',), ('schedule',)}  # the keys of util.config_types.Choice
NAMED = {*CHOICES, ('models', 'generator')}  # what belongs to one name is not that of another


def load_config(path, changes=()):
    """Read and check the YAML experiment of a file.

    Args:
        path (Path): The file. It may extend another: ``extends: other.yml``, relative to itself. Mappings are merged
            key by key, but a degradation, loss, schedule or network of another ``name`` replaces the one it extends:
            settings belong to their name. All other values replace.
        changes (list of str): ``KEY=VALUE``, such as ``adam.alpha=1e-3``, as if the file ended with them.

    Returns:
        ~util.config.Config: The whole, resolved experiment.

    Raises:
        UserError: One line that names the file, the key and what is allowed.
    """
    values, source, changed = _read_whole(Path(path)), os.fspath(path), {}
    for change in changes:  # all together, so that their order has no say
        _add(changed, _parse_change(change), change)
        source += f' --set {change}'
    return check_values(_merged(values, changed), source)


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
    if len(above) >= MOST_EXTENDED:
        raise UserError(f'{above[0]}: {EXTENDS}: a chain of more than {MOST_EXTENDED} files')
    by = f'{above[-1]}: {EXTENDS}: ' if above else ''
    try:
        if os.path.realpath(path) in map(os.path.realpath, above):
            raise UserError(f'{path}: {EXTENDS}: goes round in a circle: {" -> ".join(map(str, (*above, path)))}')
        text = read_text(path, MOST_BYTES)
    except (OSError, ValueError) as error:  # a ValueError: a path that no file can have
        raise UserError(f'{by}{path}: cannot read this config: {getattr(error, "strerror", error)}') from None
    values = _parse_yaml(text, path)
    if EXTENDS not in values:
        return values
    extended = values.pop(EXTENDS)
    if not isinstance(extended, str):
        raise UserError(f'{path}: {EXTENDS}: the path of one config is wanted; found {extended!r}')
    return _merged(_read_whole(path.parent / extended, (*above, path)), values)


def _parse_yaml(text, source):
    values = load_yaml(text, source)
    if not isinstance(values, dict):
        raise UserError(f'{source}: no keys found; a config is a YAML file such as configs/base.yml')
    return values


def _parse_change(change):
    """``adam.alpha=1e-3`` as ``{'adam': {'alpha': '1e-3'}}``, the value read as YAML."""
    keys, equals, value = change.partition('=')
    parts = keys.strip().split('.')
    if not equals or not all(parts) or len(parts) > DEEPEST:
        raise UserError(f'--set {change}: KEY=VALUE is wanted, such as adam.alpha=1e-3')
    if parts[0] == EXTENDS:
        raise UserError(f'--set {change}: what a config extends stands in its file; write it there')
    nested = load_yaml(value, f'--set {change}')
    for part in reversed(parts):
        nested = {part: nested}
    return nested


def _add(values, nested, change, above=()):
    """Add one change to others, in place; all below the keys that lead there."""
    for key, value in nested.items():
        value = _long_form((*above, key), value)
        if isinstance(value, dict) and isinstance(values.get(key), dict):
            _add(values[key], value, change, (*above, key))
        elif key in values:
            raise UserError(f'--set {change}: this key is changed twice')
        else:
            values[key] = value


def _long_form(keys, value):
    """A choice's name alone, or the folder of the lists alone, as the mapping that it stands for."""
    if not isinstance(value, str):
        return value
    return {'name': value} if keys in CHOICES else lists_in(value) if value and keys == ('dataset',) else value


def _merged(below, above, keys=()):
    """The values of ``above`` laid over those of ``below``, both of where the keys lead to; neither is changed."""
    below, above = _long_form(keys, below), _long_form(keys, above)
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    if keys in NAMED and None not in (below.get('name'), above.get('name')) and below['name'] != above['name']:
        return above
    return {**below, **{part: _merged(below.get(part), value, (*keys, part)) for part, value in above.items()}}
