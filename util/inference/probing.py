"""What a predicted deviation says of something that the training has not seen, and what the error is there."""
from dataclasses import replace

import numpy

from util.inference.maps import MAPS
from util.inference.super_resolution import super_resolve
from util.volumes.degradation import degrade, noise_rng
from util.volumes.head_mask import head_mask
from util.volumes.probes import level, probes

AS_IT_IS = 'as it is'


def probe(net, config, lr, hr, seed, samples=None):
    """Deviations and error of a case, and how many times as large they are with each of `util.volumes.probes`.

    LR is made anew from the changed HR, as the experiment makes it, with the same noise.

    Args:
        net (~chainer.Chain): As `models.network` describes it; one that returns a distribution has deviations.
        config (~util.config.Config): Its experiment.
        lr (~util.volumes.volume.Volume): Where the LR volume lies.
        hr (~util.volumes.volume.Volume): The HR volume, (1, z, y, x).
        seed (str): What the random numbers are drawn for, such as the case's name.
        samples (int): How many networks are drawn (`util.inference.super_resolution`); None: none.

    Yields:
        (str, dict): First :data:`AS_IT_IS` and root mean squares in the head, in percent of HR's 99th percentile:
        ``parameter``, ``intrinsic``, ``deviation``, as far as the network has them, and ``error``. Then each probe and,
        where it is, the same over what they are there without it; each in its volume's 99th percentiles. NaN or
        infinite where there was none.

    Raises:
        UserError: As of `probes`, and of :func:`util.inference.super_resolution.super_resolve`.
    """
    def maps(array):
        degradation = config.degradation
        new = degrade(array, config.upsampling_rate, degradation.name, degradation.noise_sigma,
                      noise_rng(config.seed, seed), **degradation.settings)
        sr = super_resolve(net, replace(lr, array=new), config.intensity_scaling, samples=samples)
        found = {name: getattr(sr, name) for name in reversed(MAPS)}
        return {**{name: volume.array for name, volume in found.items() if volume}, 'error': sr.mean.array - array}

    def sizes(found, array, region):
        return {name: numpy.sqrt(numpy.mean(its[:, region].astype(float) ** 2)) / level(array)
                for name, its in found.items()}

    before = maps(hr.array)
    yield AS_IT_IS, {name: 100 * size for name, size in sizes(before, hr.array, head_mask(hr.array)).items()}
    for name, array, region in probes(hr, noise_rng(config.seed, seed)):
        old, new = sizes(before, hr.array, region), sizes(maps(array), array, region)
        with numpy.errstate(divide='ignore', invalid='ignore'):
            ratios = {key: new[key] / old[key] for key in old}
        yield name, ratios
