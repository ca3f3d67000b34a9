"""Scores of super-resolved diffusion tensors: their elements, mean diffusivity and fractional anisotropy.

Source: R. Tanno et al., MICCAI 2017, section 3: root mean squared errors in the brain, in its interior, where all that
the network looks at lies in the brain, and in its exterior, the rest of it, near the border.
"""
import numpy

from util.scores.uncertainty import uncertainty_scores
from util.volumes.tensors import DIAGONAL, brain_of, fractional_anisotropy, mean_diffusivity

REGIONS = 'brain', 'interior', 'exterior'
QUANTITIES = 'elements', 'md', 'fa'
TENTHS = 10  # 1e-3 mm^2/s, the tensors' unit, in 1e-4 mm^2/s, the papers'
DRAWS = 32
_OF_DEVIATION = 'sharpness_ratio', 'coverage95', 'correlation'  # of `util.scores.uncertainty`


def regions_of(lr, hr, sampling, halo):
    """The regions of a brain.

    Args:
        lr, hr (numpy.ndarray): LR and HR tensors, (6, z, y, x); 0 outside of the brain.
        sampling (~util.volumes.sampling.Sampling): Where LR voxels lie among HR voxels.
        halo (int): How many LR voxels beyond its own place the network looks.

    Returns:
        dict: Each of :data:`REGIONS` -> bool, (z, y, x), of HR. An HR voxel of the brain is of the interior if the
        (2 halo + 1)^3 LR voxels around its own lie in the LR volume and in its brain.
    """
    from scipy.ndimage import minimum_filter  # here, since it takes a while

    inside = sampling.over_blocks(minimum_filter(brain_of(lr), 2 * halo + 1, mode='constant', cval=0))
    brain = brain_of(hr)
    return {'brain': brain, 'interior': brain & inside, 'exterior': brain & ~inside}


def tensor_scores(hr, images, regions):
    """Root mean squared errors of reconstructed tensors.

    Args:
        hr (numpy.ndarray): True tensors, (6, z, y, x), in 1e-3 mm^2/s.
        images (dict): Name -> reconstructed tensors, or what gives them when indexed (`Upsampled`).
        regions (dict): Name -> bool, (z, y, x).

    Returns:
        dict: Name of the image -> {quantity_region: value}: ``elements``, of the six together, and ``md``, of the mean
        diffusivity, in 1e-4 mm^2/s; ``fa``, of the fractional anisotropy. NaN in a region without a voxel.
    """
    result = {}
    for name, image in images.items():
        image = image[:]
        squares = {'elements': numpy.mean((image.astype(numpy.float64) - hr) ** 2, axis=0) * TENTHS ** 2,
                   'md': (mean_diffusivity(image).astype(numpy.float64) - mean_diffusivity(hr)) ** 2 * TENTHS ** 2,
                   'fa': (fractional_anisotropy(image) - fractional_anisotropy(hr)) ** 2}
        result[name] = {f'{quantity}_{region}': _root_mean(squares[quantity][where])
                        for region, where in regions.items() for quantity in QUANTITIES}
    return result


def deviation_scores(hr, mean, deviation, regions, seed=0):
    """How good a predicted deviation is for mean diffusivity and fractional anisotropy.

    The six elements are taken as independent: their variances are all that a network gives. Then the variance of MD is
    (vxx + vyy + vzz) / 9. FA is not linear: its deviation is that of :data:`DRAWS` draws of the six elements.

    Args:
        hr, mean, deviation (numpy.ndarray): True tensors, predicted ones and their standard deviation, (6, z, y, x).
        regions (dict): Name -> bool, (z, y, x).
        seed (int): Of the draws.

    Returns:
        dict: quantity_score_region -> value: ``sharpness_ratio``, the root mean predicted variance over the RMSE, 1
        being right; ``coverage95``, the share of voxels within the central 95 % interval of a Gaussian;
        ``correlation``, Spearman's, of the absolute error and the predicted deviation.
    """
    predicted = {'md': numpy.sqrt(numpy.sum(deviation[DIAGONAL].astype(numpy.float64) ** 2, axis=0)) / 3,
                 'fa': fa_deviation(mean, deviation, seed)}
    result = {}
    for quantity, function in (('md', mean_diffusivity), ('fa', fractional_anisotropy)):
        arrays = [array.astype(numpy.float32)[None] for array in (function(hr), function(mean), predicted[quantity])]
        for region, where in regions.items():
            values, _ = uncertainty_scores(*arrays, where)
            result.update({f'{quantity}_{score}_{region}': values[f'{score}_head'] for score in _OF_DEVIATION})
    return result


def fa_deviation(mean, deviation, seed=0, draws=DRAWS):
    """The standard deviation of FA where the elements are independent and normal, from draws of them.

    Plane by plane, so that the draws take little memory; each plane has a generator of its own.

    Args:
        mean, deviation (numpy.ndarray): Of the six elements, (6, z, y, x), float32, in the same unit, whichever it is.
        seed (int): Of the draws, 0 or more.
        draws (int): How many, 2 or more.

    Returns:
        numpy.ndarray: (z, y, x), float64, without a unit, as FA; the unbiased variance's root.
    """
    planes = []
    for z in range(mean.shape[1]):
        noise = numpy.random.default_rng((seed, z)).standard_normal((6, draws, *mean.shape[2:]), numpy.float32)
        drawn = mean[:, z, None] + deviation[:, z, None] * noise
        planes.append(fractional_anisotropy(drawn).std(axis=0, ddof=1))
    return numpy.stack(planes)


def _root_mean(squares):
    return float(numpy.sqrt(squares.mean())) if squares.size else numpy.nan
