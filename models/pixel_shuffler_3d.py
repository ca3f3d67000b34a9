"""The 3D pixel shuffler: r^3 feature channels of an LR volume become one volume r times finer on each axis."""
import numpy
from chainer import function_node


def _as_rate(r):
    rate = (r, r, r) if isinstance(r, (int, numpy.integer)) else tuple(r)
    if len(rate) != 3 or any(not isinstance(s, (int, numpy.integer)) or s < 1 for s in rate):
        raise ValueError(f'the rate must be a positive integer or three of them (z, y, x), not {r!r}')
    return rate


def shuffle(x, rate):
    """Pixel shuffle of a plain array; see :func:`pixel_shuffler_3d`. One copy."""
    rz, ry, rx = rate
    n, channels, d, h, w = x.shape
    c = channels // (rz * ry * rx)
    x = x.reshape(n, c, rz, ry, rx, d, h, w)
    return x.transpose(0, 1, 5, 2, 6, 3, 7, 4).reshape(n, c, d * rz, h * ry, w * rx)


def unshuffle(y, rate):
    """The inverse of :func:`shuffle`. One copy, channels-last in memory: the layout that convolution_3d works in."""
    rz, ry, rx = rate
    n, c, d, h, w = y.shape
    y = y.reshape(n, c, d // rz, rz, h // ry, ry, w // rx, rx)
    x = y.transpose(0, 2, 4, 6, 1, 3, 5, 7).reshape(n, d // rz, h // ry, w // rx, c * rz * ry * rx)
    return x.transpose(0, 4, 1, 2, 3)


class PixelShuffler3D(function_node.FunctionNode):
    """Function node of :func:`pixel_shuffler_3d`; differentiable any number of times.

    A permutation of the array's elements, so its gradient is the inverse permutation, and that one's the permutation.

    Args:
        r (int or (int, int, int)): Upsampling rate, or (r_z, r_y, r_x).
    """

    def __init__(self, r):
        self.rate = _as_rate(r)

    def forward(self, inputs):
        x, = inputs
        rz, ry, rx = self.rate
        factor = rz * ry * rx
        if x.ndim != 5:
            raise ValueError(f'the pixel shuffler takes 5 axes, (N, C*{factor}, D, H, W); got {x.ndim}, shape '
                             f'{x.shape}')
        if x.dtype.kind != 'f':
            raise TypeError(f'the pixel shuffler takes float16, float32 or float64; got {x.dtype}')
        if x.shape[1] % factor:
            raise ValueError(f'the number of channels ({x.shape[1]}) must be divisible by '
                             f'r_z*r_y*r_x = {rz}*{ry}*{rx} = {factor}')
        return shuffle(x, self.rate),

    def backward(self, indexes, grad_outputs):
        return _PixelUnshuffler3D(self.rate).apply(grad_outputs)


class _PixelUnshuffler3D(function_node.FunctionNode):
    """The inverse of PixelShuffler3D, and its gradient."""

    def __init__(self, rate):
        self.rate = rate

    def forward(self, inputs):
        return unshuffle(inputs[0], self.rate),

    def backward(self, indexes, grad_outputs):
        return PixelShuffler3D(self.rate).apply(grad_outputs)


def pixel_shuffler_3d(x, r):
    """Rearrange channels into space: (N, C*r^3, D, H, W) -> (N, C, r*D, r*H, r*W).

    With i, j, k the output's coordinates along x (the last axis), y and z, and c its channel,

        S(F)[i, j, k, c] = F[i // r, j // r, k // r, r^3*c + i % r + r*(j % r) + r^2*(k % r)]

    which is the shuffle of Tanno et al., "Bayesian Image Quality Transfer with CNNs", MICCAI 2017, section 2, after Shi
    et al., "Real-time single image and video super-resolution using an efficient sub-pixel convolutional neural
    network", CVPR 2016, equation 4. Tanno et al. leave the order of channels open; here c counts in steps of r^3, the
    only step that uses each input channel once.

    Args:
        x (~chainer.Variable or array): (N, C*r^3, D, H, W), float16, float32 or float64.
        r (int or (int, int, int)): Upsampling rate; a triple (r_z, r_y, r_x) sets each axis, and r^3 above becomes
            r_z*r_y*r_x, r^2 r_x*r_y, and r r_x.

    Returns:
        ~chainer.Variable: (N, C, r_z*D, r_y*H, r_x*W), dtype of ``x``.

    Raises:
        ValueError: If ``x`` has not 5 axes, or r^3 does not divide its number of channels, or r is no rate.
        TypeError: If ``x`` is not of a floating-point type.
    """
    return PixelShuffler3D(r).apply((x,))[0]
