"""Structural similarity (SSIM) with a gradient."""
import chainer
import chainer.functions as F
from chainer.backends import cuda

from models.product import AlongAxes

WINDOW = 7           # voxels along each axis
K1, K2 = 0.01, 0.03  # of the paper
DEPTH = 64           # planes of the map that are computed at a time where no gradient is wanted, as of a whole volume


def ssim(x, y, peak):
    """Mean of the SSIM of all windows that lie in a volume.

    Source: Z. Wang et al., "Image quality assessment: from error visibility to structural similarity", IEEE Trans Image
    Process 13:600, 2004, equation 13; with a flat window of 7 voxels and unbiased covariances, scikit-image's
    defaults. The scores (`util.scores.error_sums`) have Gaussian weights, which cost more.

    Args:
        x (~chainer.Variable or array): (..., z, y, x), float32, of 7 voxels or more along each axis.
        y (~chainer.Variable or array): Of the same shape.
        peak (float): The range of the intensities, L of the paper.

    Returns:
        ~chainer.Variable: Scalar, float32.
    """
    depth, height, width = x.shape[-3:]
    planes = depth - WINDOW + 1
    if chainer.config.enable_backprop:  # the gradient of a slab would be added to the volume's voxel by voxel
        total = F.sum(_map(x, y, peak))
    else:
        slabs = [(..., slice(first, first + DEPTH + WINDOW - 1), slice(None), slice(None))
                 for first in range(0, planes, DEPTH)]
        total = sum(F.sum(_map(x[slab], y[slab], peak)) for slab in slabs)
    return total / (x.size // (depth * height * width) * planes * (height - WINDOW + 1) * (width - WINDOW + 1))


def _map(x, y, peak):
    """(..., z, y, x) -> (..., z - 6, y - 6, x - 6): SSIM of each window."""
    matrices = [_means_of_windows(n, x) for n in x.shape[-3:]]

    def mean(volume):
        return AlongAxes(*matrices).apply((volume,))[0]

    mean_x, mean_y = mean(x), mean(y)
    unbiased = WINDOW ** 3 / (WINDOW ** 3 - 1)
    variances = unbiased * (mean(x * x) + mean(y * y) - mean_x * mean_x - mean_y * mean_y)
    covariance = unbiased * (mean(x * y) - mean_x * mean_y)
    c1, c2 = (K1 * peak) ** 2, (K2 * peak) ** 2
    return ((2 * mean_x * mean_y + c1) * (2 * covariance + c2)
            / ((mean_x * mean_x + mean_y * mean_y + c1) * (variances + c2)))


def _means_of_windows(n, volume):
    """(n - 6, n), made where a volume is, and of its dtype: a step that is recorded on a GPU can take nothing there."""
    xp = cuda.get_array_module(volume)
    first, column = xp.arange(n - WINDOW + 1)[:, None], xp.arange(n)
    inside = (column >= first) & (column < first + WINDOW)
    return inside.astype(volume.dtype) / volume.dtype.type(WINDOW)
