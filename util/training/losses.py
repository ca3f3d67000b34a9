"""What a training makes small.

A loss is called with what the network returned and the truth. What it needs of the network is its own business: most
take the point estimate, and so serve networks that return an array and networks that return a distribution.
"""
import math

import chainer
import chainer.functions as F
from chainer import function_node
from chainer.backends import cuda
from chainer.distributions import Normal

from models import gpu
from models.element_wise import in_blocks
from models.gpu.sum_of_squares import sum_of_squares
from models.network import mean_of
from util.script import UserError
from util.training.ssim import WINDOW, ssim

FARTHEST = 10  # times SSIM's range, or its inverse: what intensities may reach


def mse(prediction, hr):
    """Mean squared error over all voxels and channels.

    Args:
        prediction (~chainer.Variable, array or ~chainer.distribution.Distribution): Of HR, (..., z, y, x), float32.
        hr (~chainer.Variable or array): The truth, of the same shape.

    Returns:
        ~chainer.Variable: Scalar, float32.

    Raises:
        ValueError: If the shapes differ.
    """
    return _MeanSquare().apply((_error(prediction, hr),))[0]


def _error(prediction, hr):
    mean = mean_of(prediction)
    if mean.shape != hr.shape:
        raise ValueError(f'a prediction of {mean.shape} and a truth of {hr.shape} are not of one shape')
    return mean - hr


class _MeanSquare(function_node.FunctionNode):
    """Mean of the squares of an array. `F.mean_squared_error` goes over the arrays twice as often in its gradient."""

    def forward(self, inputs):
        self.retain_inputs((0,))
        flat = inputs[0].ravel()
        if gpu.takes(flat):
            return sum_of_squares(flat) / flat.dtype.type(flat.size),
        return cuda.get_array_module(flat).asarray(flat.dot(flat) / flat.dtype.type(flat.size)),

    def backward(self, indexes, grad_outputs):
        x, = self.get_retained_inputs()
        return F.broadcast_to(grad_outputs[0] * (2 / x.size), x.shape) * x,


def l1(prediction, hr):
    """Mean absolute error over all voxels and channels; arguments and result as of :func:`mse`."""
    return F.mean_absolute_error(mean_of(prediction), hr)


def psnr(prediction, hr, *, floor=1e-5):
    """Minus the PSNR for a range of 1: mean over the patches of 10 log10(their mean squared error + floor).

    A patch counts by how much better it could be, where in :func:`mse` the hardest ones count alone: the squared error
    of a smooth scan is a hundredth of a sharp one's, or less.

    Source: L. Chen et al., "Simple baselines for image restoration", ECCV 2022, whose code has it as PSNR loss.

    Args:
        prediction, hr: As of :func:`mse`, (N, C, z, y, x), or a single volume, (C, z, y, x).
        floor (float): In scaled intensities, squared: a patch with a smaller error than this counts for less.

    Returns:
        ~chainer.Variable: Scalar, float32, in dB.

    Raises:
        ValueError: If the shapes differ.
    """
    error = _error(prediction, hr)
    errors = F.mean(error * error, axis=(-4, -3, -2, -1))
    return 10 / math.log(10) * F.mean(F.log(errors + floor))


def charbonnier(prediction, hr, *, epsilon=1e-3):
    """Charbonnier loss, a differentiable L1: mean of sqrt((prediction - hr)^2 + epsilon^2).

    Source: W.-S. Lai et al., "Deep Laplacian pyramid networks for fast and accurate super-resolution", CVPR 2017,
    section 3.3. It is quadratic below epsilon, so intensities should be of the order of 1, as
    ``intensity_scaling: percentile`` makes them.

    Args:
        prediction, hr: As of :func:`mse`.
        epsilon (float): In scaled intensities; the paper has 1e-3 for images from 0 to 1.

    Returns:
        ~chainer.Variable: Scalar, float32.

    Raises:
        ValueError: If the shapes differ.
    """
    error = _error(prediction, hr)
    return F.mean(F.sqrt(error * error + epsilon ** 2))


def mse_ssim(prediction, hr, *, weight=0.01, peak=3.0):
    """Mean squared error, and what SSIM lacks of 1: mse + weight (1 - SSIM).

    The squared error is that of the brightest edges; SSIM looks at what is dark as well.

    Source: H. Zhao et al., "Loss functions for image restoration with neural networks", IEEE Trans Comput Imaging
    3:47, 2017, section III, who add SSIM to an L1 loss.

    Args:
        prediction, hr: As of :func:`mse`; 7 voxels or more along each axis.
        weight (float): Of SSIM.
        peak (float): The range of the intensities (`util.training.ssim`), as ``intensity_scaling: percentile`` scales
            them: 1 is about the brightest tissue, and vessels, by which the score goes, reach 2 to 5.

    Returns:
        ~chainer.Variable: Scalar, float32.

    Raises:
        UserError: If an axis is shorter than SSIM's window.
        ValueError: If the shapes differ.
    """
    _check_window(hr.shape)
    return mse(prediction, hr) + weight * (1 - ssim(mean_of(prediction), hr, peak))


def check_intensities(loss, lr, hr):
    """See that a loss can be computed of a case, before a training begins.

    Args:
        loss (~util.config.Loss): Name and settings.
        lr (numpy.ndarray): (C, z, y, x), in scaled intensities.
        hr (numpy.ndarray or ~util.dataset.mapped.MappedVolume): (C, r_z*z, r_y*y, r_x*x).

    Raises:
        UserError: For ``mse_ssim``, if the intensities are far from the range that SSIM goes by, where it would say
            nothing; or if HR is smaller than SSIM's window.
    """
    if loss.name != 'mse_ssim':
        return
    top, peak = float(abs(lr).max()), loss.settings['peak']
    if not peak / FARTHEST <= top <= peak * FARTHEST:
        raise UserError(f'its intensities reach {top:g}, and loss: mse_ssim goes by a range of {peak:g}; use '
                        'intensity_scaling: percentile, or set loss.peak to their range')
    _check_window(hr.shape)


def _check_window(shape):
    if min(shape[-3:]) < WINDOW:
        raise UserError(f'loss: mse_ssim needs {WINDOW} HR voxels or more along each axis, of patches (patchside) '
                        f'within their margin as of volumes; these have {shape[-3:]} (z, y, x)')


def gaussian_nll(prediction, hr, divergence=0, *, beta=0.5):
    """Negative log-likelihood of the truth under a Gaussian for each voxel, weighted by the variance to the power beta.

    Mean of s^(2 beta) ((hr - m)^2 / s^2 + log s^2) / 2, of mean m and standard deviation s; the weight takes no part in
    the gradient. The constant log(2 pi) / 2 is left out.

    To that comes, with the mean of the weights s^(2 beta), the divergence of uncertain weights from their prior: so it
    counts as much against the likelihood as without weights, where the sum is the evidence lower bound's negative.

    Source: R. Tanno et al., MICCAI 2017, section 2, for beta 0, which is the likelihood itself. There the mean learns
    little where the variance is large, and the variance is large where the mean has not learned: M. Seitzer et al.,
    "On the pitfalls of heteroscedastic uncertainty estimation with probabilistic neural networks", ICLR 2022, who
    weight by beta 0.5. With beta 1 the mean learns as from :func:`mse`.

    Args:
        prediction (~chainer.distributions.Normal): Of HR, (..., z, y, x), float32.
        hr (~chainer.Variable or array): The truth, of the same shape.
        divergence (~chainer.Variable or float): Of the network's weights from their prior
            (`models.network.BayesianNetwork`), in nats per voxel and channel of the whole training set.
        beta (float): From 0 to 1.

    Returns:
        ~chainer.Variable: Scalar, float32.

    Raises:
        UserError: If the network returns anything but a Normal distribution.
    """
    if not isinstance(prediction, Normal):
        raise UserError('loss: gaussian_nll needs a network that returns a Normal distribution, such as '
                        'models/heteroscedastic_espcn3d.py; this one returns a ' + type(prediction).__name__)
    weights = prediction.scale.array ** (2 * beta)
    likelihood, = _GaussianNLL(weights).apply((prediction.loc - hr, prediction.scale))
    return F.mean(likelihood) + divergence * weights.mean()


class _GaussianNLL(function_node.FunctionNode):
    """(e^2 / s^2 + log s^2) / 2 of error e and deviation s, weighted. Differentiable once: its gradients come with it,
    while its numbers are in the cache.
    """

    def __init__(self, weights):
        self.weights = weights

    def forward(self, inputs):
        xp = cuda.get_array_module(*inputs)
        y, *self.gradients = (xp.empty_like(inputs[0]) for _ in range(3))
        in_blocks(_weighted_nll, y, *self.gradients, *inputs, self.weights)
        return y,

    def backward(self, indexes, grad_outputs):
        if chainer.config.enable_backprop:
            raise RuntimeError('gaussian_nll is differentiable once')
        gy, = grad_outputs
        return tuple(gy * self.gradients[i] for i in indexes)


def _weighted_nll(y, of_error, of_scale, error, scale, weights):
    xp = cuda.get_array_module(y)
    xp.divide(error, scale, out=y)
    xp.divide(weights, scale, out=of_scale)
    xp.multiply(of_scale, y, out=of_error)
    y *= y
    of_scale *= 1 - y
    y /= 2
    y += xp.log(scale)
    y *= weights


# name -> function of (prediction, hr, *, settings with defaults), a float32 scalar Variable. A likelihood, in nats per
# voxel, takes a divergence as well.
LOSSES = {'mse': mse, 'l1': l1, 'charbonnier': charbonnier, 'mse_ssim': mse_ssim, 'psnr': psnr,
          'gaussian_nll': gaussian_nll}
LIKELIHOODS = ('gaussian_nll',)
