"""What a training makes small: a mean over all voxels of a penalty on SR - HR."""
import chainer.functions as F

CHARBONNIER_EPSILON = 1e-3  # in scaled intensities, as Lai et al. have it for images from 0 to 1


def charbonnier(sr, hr):
    """Charbonnier loss, a differentiable L1: mean of sqrt((sr - hr)^2 + epsilon^2), epsilon 1e-3.

    Source: W.-S. Lai et al., "Deep Laplacian pyramid networks for fast and accurate super-resolution", CVPR 2017,
    section 3.3. It is quadratic below epsilon, so intensities should be of the order of 1, as
    ``intensity_scaling: percentile`` makes them.

    Args:
        sr, hr (~chainer.Variable or array): Of one shape, float32.

    Returns:
        ~chainer.Variable: float32 scalar.
    """
    difference = sr - hr
    return F.mean(F.sqrt(difference * difference + CHARBONNIER_EPSILON ** 2))


# the config's `loss` -> function of (sr, hr), a float32 scalar Variable
LOSSES = {'mse': F.mean_squared_error, 'l1': F.mean_absolute_error, 'charbonnier': charbonnier}
