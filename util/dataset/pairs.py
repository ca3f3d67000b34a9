"""The LR-HR pairs of a case list, ready for the network."""
import numpy

from util.dataset.case_lists import read_list
from util.dataset.pairs_info import check_pairs_info
from util.script import UserError, blaming
from util.volumes.geometry import check_pair
from util.volumes.intensity import intensity_scale
from util.volumes.volume import read_volume


def read_pair(case, config):
    """Read the LR and HR volume of a case, and refuse what does not belong together or to this experiment.

    Args:
        case (~util.dataset.case_lists.Case): A case with an HR volume.
        config (~util.config.Config): The experiment.

    Returns:
        (~util.volumes.volume.Volume, ~util.volumes.volume.Volume): LR and HR, float32.

    Raises:
        UserError: If a volume is unreadable, or the pair was made at another rate or by another degradation.
    """
    check_pairs_info(case.lr_path.parent.parent, config)
    lr, hr = read_volume(case.lr_path, numpy.float32), read_volume(case.hr_path, numpy.float32)
    check_pair(lr, hr, config.sampling, (case.lr_path, case.hr_path))
    return lr, hr


def load_pairs(list_path, config, root, check=None):
    """Read a list's LR and HR volumes with scaled intensities.

    Args:
        list_path (Path): Case list.
        config (~util.config.Config): The experiment; its rate, degradation and intensity scaling are used.
        root (Path): Folder that relative paths in the list start from.
        check: Function of (LR array, path) that refuses a volume, such as one of other channels than the network's.

    Returns:
        list: (lr, hr) of each case: arrays (C, z, y, x), float32, both divided by the LR's intensity scale.

    Raises:
        UserError: If a volume is missing or has no HR; and as :func:`read_pair`.
    """
    pairs = []
    for case in read_list(list_path, root):
        if case.hr_path is None:
            raise UserError(f'{list_path}: case {case.name} has no HR volume; training and validation need LR and HR')
        lr, hr = read_pair(case, config)
        if check:
            check(lr.array, case.lr_path)
        with blaming(case.lr_path):
            scale = intensity_scale(lr.array, config.intensity_scaling)
        pairs.append((lr.array / scale, hr.array / scale))
    return pairs
