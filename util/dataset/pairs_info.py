"""What the LR-HR pairs of a folder were made with, kept beside them: FOLDER/degradation.yml."""
import os
from pathlib import Path

import yaml

from util.dataset.bids import subject_in
from util.dataset.cases_table import is_case_name
from util.files import read_text, write_text
from util.script import UserError
from util.yaml_text import MOST_BYTES, load_yaml

_FILE = 'degradation.yml'
_AGAIN = 'make the pairs anew with: python util/miscs/make_lr_img.py'
_TENSORS_AGAIN = 'make the pairs anew with: python util/miscs/fit_tensor.py'


def write_pairs_info(folder, config, cases, complete, subjects=None, tensors=False):
    """Say in a folder of pairs what they are made with.

    Args:
        folder (Path): The folder that holds LR/ and HR/.
        config (~util.config.Config): The experiment; its upsampling_rate, degradation and seed are written.
        cases (iterable of str): Names of the cases in the folder.
        complete (bool): False while the pairs are being made. A kill then leaves a folder that says so, and old and new
            pairs in it are not taken for one set.
        subjects (dict): Case -> its subject, of those cases whose subject is known.
        tensors (bool): Whether the volumes are diffusion tensors, which must not be mirrored.
    """
    info = dict(_settings(config), seed=config.seed, cases=sorted(cases), complete=complete)
    if tensors:
        info['tensors'] = True
    if subjects:
        info['subjects'] = dict(sorted(subjects.items()))
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
    if not (isinstance(info, dict) and isinstance(info.get('cases'), list) and all(map(is_case_name, info['cases']))
            and isinstance(info.get('subjects', {}), dict)
            and all(isinstance(subject, str) for subject in info.get('subjects', {}).values())):
        raise UserError(f'{path}: damaged; {_AGAIN}')
    return info


def folder_of_pairs(volume):
    """The folder that holds LR/ and HR/ of the pair that a volume is of, from wherever its path starts.

    Args:
        volume (Path): Such as ``Path('0000.mhd')``, whose ``parent.parent`` would be the folder LR itself.
    """
    return Path(os.path.normpath(volume.parent / os.pardir))


def pairs_made_at(folder):
    """When the pairs of a folder were made, as `st_mtime_ns`; 0 where it does not say."""
    path = Path(folder) / _FILE
    return path.stat().st_mtime_ns if path.exists() else 0


def complete_pairs_info(folder):
    """As :func:`read_pairs_info`, and refuse pairs whose making was interrupted.

    Raises:
        UserError: If it was, or the file cannot be read.
    """
    info = read_pairs_info(folder)
    if info and info.get('complete') is not True:
        raise UserError(f'{folder}: the making of these pairs was interrupted; {_again(info)}')
    return info


def subject_of_case(info, case):
    """Whose a case is.

    Args:
        info (dict): What :func:`read_pairs_info` read in the folder of its pair.
        case (str): Its name.

    Returns:
        str: What clean_data.py's table said of it, or the BIDS subject in its name; None if neither is known.
    """
    return (info or {}).get('subjects', {}).get(case) or subject_in(case)


def check_pairs_info(folder, config, also=()):
    """Refuse pairs that were made with another rate or degradation than the config's.

    A folder that says nothing (pairs that were not made by make_lr_img.py) passes: what their headers tell is checked
    by `util.volumes.geometry.check_pair`.

    Args:
        folder (Path): The folder that holds LR/ and HR/.
        config (~util.config.Config): The experiment.
        also (sequence of str): Names of degradations that will do beside the config's.

    Returns:
        str or None: The name of the degradation that the folder says; None if it says nothing.

    Raises:
        UserError: Naming the settings that differ, or saying that the making of the pairs was interrupted, or that
            tensors would be mirrored, or LR tensors made of HR tensors.
    """
    from util.dataset.patches import OF_TENSORS  # here, since it takes Chainer along, which lists do without

    info = complete_pairs_info(folder)
    degradation = (info or {}).get('degradation')
    made_by = degradation.get('name') if isinstance(degradation, dict) else None
    for key, wanted in _settings(config).items() if info else ():
        if info.get(key) != wanted and not (key == 'degradation' and made_by in also):
            raise UserError(f'{folder}: the pairs were made with {key} {info.get(key)}, the config says '
                            f'{wanted}; {_again(info)} -c CONFIG')
    if holds_tensors(info) and config.drawn.anything:
        raise UserError(f'{folder}: its volumes are diffusion tensors; LR tensors are fitted to LR images and not made '
                        'of HR tensors, so nothing can be drawn: leave out drawn')
    if holds_tensors(info) and config.flip not in OF_TENSORS:
        raise UserError(f'{folder}: its volumes are diffusion tensors, and flip is {config.flip}; allowed: '
                        f'{", ".join(OF_TENSORS)}, since a mirrored tensor has other signs')
    return made_by


def holds_tensors(info):
    """Whether what :func:`read_pairs_info` read says that the pairs are of diffusion tensors."""
    return bool(info and info.get('tensors'))


def _again(info):
    return _TENSORS_AGAIN if holds_tensors(info) else _AGAIN


def _settings(config):
    degradation = config.degradation
    kept = {'name': degradation.name, 'noise_sigma': float(degradation.noise_sigma), **degradation.settings}
    return {'upsampling_rate': list(config.upsampling_rate), 'degradation': kept}
