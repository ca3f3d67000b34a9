"""A Volume to a Volume: what inference.py does with a scan, to be called from anywhere."""
from typing import NamedTuple

import numpy

from chainer.distribution import Distribution

from models import reused_memory
from util.inference.ensemble import mean_over_mirrorings
from util.inference.network import check_channels
from util.inference.tiling import predict, predicted_tiles
from util.script import UserError
from util.volumes.geometry import hr_volume_geometry
from util.volumes.intensity import intensity_scale
from util.volumes.volume import Volume


class SuperResolved(NamedTuple):
    """What a network makes of an LR volume, both in the LR's intensity units and place in space."""
    mean: Volume                        # the super-resolved volume
    deviation: Volume | None = None  # the standard deviation, of a network that returns a distribution


def super_resolve(net, lr, scaling, ensemble=False):
    """Super-resolve a volume.

    Args:
        net (~chainer.Chain): As `models.network` describes it.
        lr (~util.volumes.volume.Volume): LR volume, of any type.
        scaling (str): The intensity scaling that the network was trained with (`util.volumes.intensity.SCALINGS`).
        ensemble (bool): Take the mean over the eight mirrorings (`util.inference.ensemble`).

    Returns:
        SuperResolved: float32.

    Raises:
        UserError: If the volume has other channels than the network, it gives no intensity scale, or the result is
            not finite.
    """
    check_channels(net, lr.array)
    array = lr.array.astype(numpy.float32, copy=False)  # of float64, the convolution would be many times slower
    scale = intensity_scale(array, scaling)

    def parts(mirrored):
        return ((place, _moments(prediction)) for place, prediction in predicted_tiles(net, mirrored))

    scaled = array / scale
    try:
        moments = mean_over_mirrorings(parts, scaled, net.sampling) if ensemble else _moments(predict(net, scaled))
    finally:
        reused_memory.release()  # only now: each mirroring uses the memory of the one before
    volumes = {}
    for name, array in moments.items():  # in place: an HR volume is large
        with numpy.errstate(over='ignore', invalid='ignore'):  # looked for below
            if name == 'variance':
                numpy.sqrt(array, out=array)
            array *= scale
        if not numpy.isfinite(array.min() + array.max()):
            raise UserError(f'the network gives values that are not finite, as its {name}; its weights or this volume '
                            'are not what it was trained for')
        volumes[name] = Volume(array, *hr_volume_geometry(lr, net.sampling))
    return SuperResolved(volumes['mean'], volumes.get('variance'))


def _moments(prediction):
    if isinstance(prediction, Distribution):
        return {'mean': prediction.mean.array, 'variance': prediction.variance.array}
    return {'mean': prediction}
