"""A Gaussian's draw from its mean, its variance and a standard normal number, and the gradients of that."""
from chainer import function_node
from chainer.backends import cuda
import chainer.functions as F

from models.element_wise import in_blocks

LEAST_VARIANCE = 1e-8  # is added: the root of 0 has no gradient


def draw(mean, variance, noise, relu=False):
    """mean + sqrt(variance) * noise, rectified or not; differentiable any number of times.

    Args:
        mean, variance (~chainer.Variable or array): Of one shape. A variance that rounding has made negative counts as
            positive.
        noise (numpy.ndarray or cupy.ndarray): Standard normal numbers of that shape.
        relu (bool): Whether to rectify.

    Returns:
        ~chainer.Variable: Of that shape; in memory as the mean is.
    """
    return _Draw(noise, relu).apply((mean, variance))[0]


class _Draw(function_node.FunctionNode):

    def __init__(self, noise, relu):
        self.noise, self.relu = noise, relu

    def forward(self, inputs):
        mean, variance = inputs
        self.retain_inputs((1,))
        y = cuda.get_array_module(mean).empty_like(mean)
        in_blocks(self._draw, y, mean, variance, self.noise)
        if self.relu:
            self.retain_outputs((0,))
        return y,

    def _draw(self, y, mean, variance, noise):
        xp = cuda.get_array_module(y)
        xp.absolute(variance, out=y)  # by Winograd's filtering a 0 may come out a little below
        y += LEAST_VARIANCE
        xp.sqrt(y, out=y)
        y *= noise
        y += mean
        if self.relu:
            xp.maximum(y, 0, out=y)

    def backward(self, indexes, grad_outputs):
        mask = self.get_retained_outputs()[0].array if self.relu else None
        return _DrawGradient(self.noise, mask).apply((*self.get_retained_inputs(), *grad_outputs))


class _DrawGradient(function_node.FunctionNode):
    """Gradients of a draw with respect to mean and variance, of the variance and the draw's gradient; 0 where the mask
    is not positive.
    """

    def __init__(self, noise, mask):
        self.noise, self.mask = noise, mask

    def forward(self, inputs):
        self.retain_inputs((0, 1))
        variance, gy = inputs
        xp = cuda.get_array_module(gy)
        of_variance = xp.empty_like(variance)
        if self.mask is None:
            in_blocks(self._of_variance, of_variance, variance, self.noise, gy)
            return gy, of_variance
        of_mean = xp.empty_like(variance)
        in_blocks(self._of_both, of_variance, variance, self.noise, gy, of_mean, self.mask)
        return of_mean, of_variance

    def _of_both(self, of_variance, variance, noise, gy, of_mean, mask):
        cuda.get_array_module(gy).multiply(gy, mask > 0, out=of_mean)
        self._of_variance(of_variance, variance, noise, of_mean)

    @staticmethod
    def _of_variance(of_variance, variance, noise, gy):
        xp = cuda.get_array_module(gy)
        xp.absolute(variance, out=of_variance)
        of_variance += LEAST_VARIANCE
        xp.sqrt(of_variance, out=of_variance)
        xp.divide(noise, of_variance, out=of_variance)
        of_variance *= 0.5
        of_variance *= gy
        of_variance *= xp.sign(variance)

    def backward(self, indexes, grad_outputs):
        variance, gy = self.get_retained_inputs()
        of_mean, of_variance = (0 if gradient is None else gradient for gradient in grad_outputs)
        xp = cuda.get_array_module(gy.array)
        sign = xp.sign(variance.array)
        kept = 1 if self.mask is None else (self.mask > 0).astype(gy.dtype)
        root = F.sqrt(variance * sign + LEAST_VARIANCE)
        return (-of_variance * gy * (kept * self.noise / 4) / root ** 3,
                kept * (of_mean + of_variance * (self.noise * sign / 2) / root))
