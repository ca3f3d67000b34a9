"""The volumes of a case list, ready for the network."""
import numpy

from util.case_lists import read_list
from util.degradation import centre_offset
from util.geometry import check_pair
from util.intensity import intensity_scale
from util.script import UserError
from util.volume import read_volume


def load_pairs(list_path, config, root):
    """Read a list's LR and HR volumes with scaled intensities.

    Args:
        list_path (Path): Case list.
        config (~util.config.Config): The experiment; its rate, degradation and intensity scaling are used.
        root (Path): Folder that relative paths in the list start from.

    Returns:
        list: (lr, hr) arrays a case, (z, y, x), float32, both divided by the LR's intensity scale.

    Raises:
        UserError: If a volume is missing or unreadable, or a pair was made at another rate or by another degradation.
    """
    offset = centre_offset(config.degradation.name, config.upsampling_rate)
    pairs = []
    for case in read_list(list_path, root):
        if case.hr_path is None:
            raise UserError(f'{list_path}: case {case.name} has no HR volume; training and validation need LR and HR')
        lr, hr = read_volume(case.lr_path, numpy.float32), read_volume(case.hr_path, numpy.float32)
        check_pair(lr, hr, config.upsampling_rate, offset, (case.lr_path, case.hr_path))
        scale = intensity_scale(lr.array, config.intensity_scaling)
        pairs.append((lr.array / numpy.float32(scale), hr.array / numpy.float32(scale)))
    return pairs
