"""The LR-HR pairs of a case list, ready for the network."""
import contextlib
from typing import NamedTuple

import numpy

from util.dataset.agreement import disagreement
from util.dataset.case_lists import read_list
from util.dataset.mapped import MappedVolume
from util.dataset.pairs_info import check_pairs_info, folder_of_pairs
from util.script import UserError, blaming, note
from util.volumes.degradation import sampling_of
from util.volumes.geometry import Geometry, check_pair
from util.volumes.intensity import intensity_scale
from util.volumes.reading import read_volume
from util.volumes.volume import checksum


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
    check_pairs_info(folder_of_pairs(case.lr_path), config)
    lr, hr, _ = _read(case, [config.sampling])
    return lr, hr


def read_pair_to_score(case, config):
    """As :func:`read_pair`, of any degradation that the network was trained with: those that were drawn as well.

    Returns:
        (~util.volumes.volume.Volume, ~util.volumes.volume.Volume, ~util.volumes.sampling.Sampling): LR and HR, float32;
        and where LR voxels lie among HR voxels, which may be elsewhere than the network's do.

    Raises:
        UserError: As :func:`read_pair`.
    """
    drawn = [each.name for each in config.drawn.degradation or ()]
    made_by = check_pairs_info(folder_of_pairs(case.lr_path), config, drawn)
    return _read(case, [*(sampling_of(name, config.upsampling_rate) for name in drawn if made_by in (None, name)),
                        config.sampling])


def _read(case, samplings):
    """LR and HR of a case, and the first of the samplings that they lie as; that they do not agree is told."""
    lr, hr = read_volume(case.lr_path, numpy.float32), read_volume(case.hr_path, numpy.float32)
    sampling = _sampling(lr, hr, samplings, (case.lr_path, case.hr_path))
    against = disagreement(lr.array, hr.array, sampling)
    if against:
        note(f'{case.lr_path}: {against}')
    return lr, hr, sampling


def _sampling(lr, hr, samplings, names):
    for sampling in samplings[:-1]:
        with contextlib.suppress(UserError):
            check_pair(lr, hr, sampling, names)
            return sampling
    check_pair(lr, hr, samplings[-1], names)
    return samplings[-1]


class Pairs(NamedTuple):
    """The LR-HR pairs of a case list."""
    names: list       # of the cases
    arrays: list      # (lr, hr) of each case: (C, z, y, x), float32, both divided by the LR's intensity scale; hr may
                      # be a ~util.dataset.mapped.MappedVolume
    geometries: list  # ~util.volumes.geometry.Geometry of each LR volume
    checksums: list   # ~util.volumes.volume.checksum of the voxels of each case, LR and HR, as they were read


def load_pairs(list_path, config, root, on_disk=False):
    """Read a list's LR and HR volumes with scaled intensities.

    Args:
        list_path (Path): Case list.
        config (~util.config.Config): The experiment; its rate, degradation and intensity scaling are used.
        root (Path): Folder that relative paths in the list start from.
        on_disk (bool): Leave the HR voxels where they are (`util.dataset.mapped`), once they have been read and
            checked.

    Returns:
        Pairs: In the list's order.

    Raises:
        UserError: If a volume is missing, has no HR, gives no intensity scale or cannot be left on the disk; and as
            :func:`read_pair`.
    """
    pairs = Pairs([], [], [], [])
    for case in read_list(list_path, root):
        if case.hr_path is None:
            raise UserError(f'{list_path}: case {case.name} has no HR volume; training and validation need LR and HR')
        lr, hr = read_pair(case, config)
        with blaming(case.lr_path):
            scale = intensity_scale(lr.array, config.intensity_scaling)
        pairs.names.append(case.name)
        scaled = MappedVolume(case.hr_path, hr.array, scale) if on_disk else hr.array / scale
        pairs.arrays.append((lr.array / scale, scaled))
        pairs.geometries.append(Geometry(lr.spacing, lr.origin, lr.direction))
        pairs.checksums.append(checksum(lr.array, hr.array))
    return pairs
