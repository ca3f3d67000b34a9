"""What the LR-HR pairs of a folder were made with, kept beside them: FOLDER/degradation.yml."""
from pathlib import Path

import yaml

from util.files import read_text, write_text
from util.script import UserError
from util.yaml_text import MOST_BYTES, load_yaml

_FILE = 'degradation.yml'
_AGAIN = 'make the pairs anew with: python util/miscs/make_lr_img.py'


def write_pairs_info(folder, config, cases, complete):
    """Say in a folder of pairs what they are made with.

    Args:
        folder (Path): The folder that holds LR/ and HR/.
        config (~util.config.Config): The experiment; its upsampling_rate, degradation and seed are written.
        cases (iterable of str): Names of the cases in the folder.
        complete (bool): False while the pairs are being made. A kill then leaves a folder that says so, and old and new
            pairs in it are not taken for one set.
    """
    info = dict(_settings(config), seed=config.seed, cases=sorted(cases), complete=complete)
    write_text(Path(folder) / _FILE, yaml.safe_dump(info, sort_keys=False))


def read_pairs_info(folder):
    """What :func:`write_pairs_info` wrote in a folder, as a dict; None where nothing is written.

    Raises:
        UserError: If the file cannot be read.
    """
    path = Path(folder) / _FILE
    try:
        info = load_yaml(read_text(path, MOST_BYTES), path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UserError(f'{path}: cannot be read: {error.strerror}') from None
    except UserError as error:
        raise UserError(f'{path}: damaged; {_AGAIN} ({str(error).removeprefix(f"{path}: ")})') from None
    cases = info.get('cases') if isinstance(info, dict) else None
    if not isinstance(cases, list) or not all(isinstance(case, str) for case in cases):
        raise UserError(f'{path}: damaged; {_AGAIN}')
    return info


def pairs_made_at(folder):
    """When the pairs of a folder were made, as `st_mtime_ns`; 0 where it does not say."""
    path = Path(folder) / _FILE
    return path.stat().st_mtime_ns if path.exists() else 0


def check_pairs_info(folder, config):
    """Refuse pairs that were made with another rate or degradation than the config's.

    A folder that says nothing (pairs that were not made by make_lr_img.py) passes: what their headers tell is checked
    by `util.volumes.geometry.check_pair`.

    Args:
        folder (Path): The folder that holds LR/ and HR/.
        config (~util.config.Config): The experiment.

    Raises:
        UserError: Naming the settings that differ, or saying that the making of the pairs was interrupted.
    """
    info = read_pairs_info(folder)
    if info is None:
        return
    if info.get('complete') is not True:
        raise UserError(f'{folder}: the making of these pairs was interrupted; {_AGAIN}')
    for key, wanted in _settings(config).items():
        if info.get(key) != wanted:
            raise UserError(f'{folder}: the pairs were made with {key} {info.get(key)}, the config says '
                            f'{wanted}; {_AGAIN} -c CONFIG')


def _settings(config):
    degradation = config.degradation
    kept = {'name': degradation.name, 'noise_sigma': float(degradation.noise_sigma), **degradation.settings}
    return {'upsampling_rate': list(config.upsampling_rate), 'degradation': kept}
