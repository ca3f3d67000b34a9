"""A Volume to a Volume: what inference.py does with a scan, to be called from anywhere."""
from dataclasses import replace
from typing import NamedTuple

import numpy

from chainer.distribution import Distribution

from models import reused_memory
from models.network import BayesianNetwork
from util.inference.ensemble import mean_over_mirrorings
from util.inference.network import check_channels
from util.inference.tiling import join, predicted_tiles, predictive_tiles
from util.script import UserError, note
from util.volumes.axis_matrices import on_grid
from util.volumes.geometry import hr_volume_geometry
from util.volumes.intensity import intensity_scale
from util.volumes.volume import Volume


class SuperResolved(NamedTuple):
    """What a network makes of an LR volume, all in the LR's intensity units and place in space."""
    mean: Volume                     # the super-resolved volume
    deviation: Volume | None = None  # the standard deviation of HR, of a network that returns a distribution
    # The two parts of it, where networks were drawn; their squares add up to its square.
    intrinsic: Volume | None = None  # what LR leaves open, of a network that returns a distribution
    parameter: Volume | None = None  # what the training leaves open


def moved(sr, case, lr, here, there):
    """What a network made of an LR volume, on the grid of the case's HR volume; that it had to be moved is told.

    Args:
        sr (SuperResolved): On the network's grid.
        case (~util.dataset.case_lists.Case): The case, for the message.
        lr (~util.volumes.volume.Volume): Its LR volume.
        here (~util.volumes.sampling.Sampling): The network's.
        there (~util.volumes.sampling.Sampling): Where the LR voxels lie among those of the HR volume.

    Returns:
        SuperResolved: ``sr`` itself where the two are the same.
    """
    if here.offset == there.offset:
        return sr
    note(f'{case.lr_path}: its voxels are centred elsewhere in their blocks than those of the training; the result is '
         'moved to the HR volume by an interpolating B-spline')
    mean, *maps = (volume and on_grid(volume, lr, here, there) for volume in sr)
    return SuperResolved(mean, *(each and replace(each, array=each.array.clip(0)) for each in maps))  # it overshoots


def parts_of(net, lr, samples, which=slice(None)):
    """The maps of a volume, part by part.

    Args:
        net (~chainer.Chain): As `models.network` describes it.
        lr (numpy.ndarray): Scaled LR volume, (C, z, y, x), float32.
        samples (int): As of :func:`super_resolve`.
        which (slice): Which of the parts, such as every second one.

    Yields:
        (tuple, dict): Place in the HR volume, three slices, and the mean and the variances there: name -> (C, z, y, x),
        float32.
    """
    if samples is None:
        return ((place, _moments(prediction)) for place, prediction in predicted_tiles(net, lr, which=which))
    return predictive_tiles(net, lr, samples, which=which)


def super_resolve(net, lr, scaling, ensemble=False, samples=None, parts=parts_of):
    """Super-resolve a volume.

    Args:
        net (~chainer.Chain): As `models.network` describes it.
        lr (~util.volumes.volume.Volume): LR volume, of any type.
        scaling (str): The intensity scaling that the network was trained with (`util.volumes.intensity.SCALINGS`).
        ensemble (bool): Take the mean over the eight mirrorings (`util.inference.ensemble`).
        samples (int): How many networks are drawn from one with uncertain weights, and their mean taken, 2 or more;
            None: the mean weights alone.
        parts (callable): What computes as :func:`parts_of` does, perhaps elsewhere.

    Returns:
        SuperResolved: float32.

    Raises:
        UserError: If the volume has other channels than the network, it gives no intensity scale, the result is not
            finite, or networks are to be drawn from one that has no uncertain weights.
    """
    check_channels(net, lr.array)
    check_samples(net, samples)
    array = lr.array.astype(numpy.float32, copy=False)  # of float64, the convolution would be many times slower
    scale = intensity_scale(array, scaling)

    scaled = array / scale
    try:
        maps = (mean_over_mirrorings(lambda image: parts(net, image, samples), scaled, net.sampling) if ensemble
                else join(parts(net, scaled, samples), net.sampling.hr_shape(scaled.shape)[1:]))
    finally:
        reused_memory.release()  # only now: each mirroring uses the memory of the one before
    if 'parameter' in maps:
        maps['deviation'] = maps['parameter'] + maps.get('intrinsic', 0)
    volumes = {}
    for name, array in maps.items():  # in place: an HR volume is large
        with numpy.errstate(over='ignore', invalid='ignore'):  # looked for below
            if name != 'mean':
                numpy.sqrt(array, out=array)
            array *= scale
        if not numpy.isfinite(array.min() + array.max()):
            raise UserError(f'the network gives values that are not finite, as its {name}; its weights or this volume '
                            'are not what it was trained for')
        volumes[name] = Volume(array, *hr_volume_geometry(lr, net.sampling))
    return SuperResolved(**volumes)


def check_samples(net, samples):
    """Refuse to draw networks from one that has no uncertain weights.

    Raises:
        UserError: If ``samples`` is a number and it has none.
    """
    if samples is not None and not isinstance(net, BayesianNetwork):
        raise UserError('this network has no uncertain weights that samples could be drawn of; leave --samples out, or '
                        'train one that has (configs/x4_bayesian.yml)')


def _moments(prediction):
    """The mean and the variances of a prediction: maps by their names in SuperResolved."""
    if isinstance(prediction, Distribution):
        return {'mean': prediction.mean.array, 'deviation': prediction.variance.array}
    return {'mean': prediction}
