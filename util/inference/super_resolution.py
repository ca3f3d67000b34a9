"""A Volume to a Volume: what inference.py does with a scan, to be called from anywhere."""
from typing import NamedTuple

import numpy

from chainer.distribution import Distribution

from util.inference.ensemble import mean_over_mirrorings
from util.inference.tiling import predict
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
        lr (~util.volumes.volume.Volume): LR volume, float32.
        scaling (str): The intensity scaling that the network was trained with (`util.volumes.intensity.SCALINGS`).
        ensemble (bool): Take the mean over the eight mirrorings (`util.inference.ensemble`).

    Returns:
        SuperResolved: float32.

    Raises:
        UserError: If the volume gives no intensity scale.
    """
    scale = intensity_scale(lr.array, scaling)

    def maps(array):
        return _moments(predict(net, array))

    scaled = lr.array / scale
    moments = mean_over_mirrorings(maps, scaled, net.sampling) if ensemble else maps(scaled)
    geometry = hr_volume_geometry(lr, net.sampling)
    mean = Volume(moments['mean'] * scale, *geometry)
    if 'variance' not in moments:
        return SuperResolved(mean)
    return SuperResolved(mean, Volume(numpy.sqrt(moments['variance']) * scale, *geometry))


def _moments(prediction):
    if isinstance(prediction, Distribution):
        return {'mean': prediction.mean.array, 'variance': prediction.variance.array}
    return {'mean': prediction}
