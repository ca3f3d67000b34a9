"""The 3D pixel shuffler: r^3 feature channels of an LR volume become one volume r times finer on each axis."""
import numpy
from chainer import function_node

from models import reused_memory


def _as_rate(r):
    rate = (r, r, r) if isinstance(r, (int, numpy.integer)) else tuple(r)
    if len(rate) != 3 or any(not isinstance(s, (int, numpy.integer)) or s < 1 for s in rate):
        raise ValueError(f'the rate must be a positive integer or three of them (z, y, x), not {r!r}')
    return rate


def _runs(a, length):
    """`a` with each `length` neighbours along its last axis as one element, a view if `a` is C-contiguous.

    NumPy copies such an element as a whole. Number by number, a shuffle takes 3 to 8 times as long.
    """
    return numpy.ascontiguousarray(a).view(numpy.dtype((numpy.void, length * a.itemsize)))


def shuffle(x, rate):
    """Pixel shuffle of a plain array; see :func:`pixel_shuffler_3d`.

    It is fastest where ``x`` is channels-last in memory, as `models.convolution_3d` leaves it.

    Args:
        x (numpy.ndarray or cupy.ndarray): (N, C*r_z*r_y*r_x, D, H, W), any dtype of numbers.
        rate ((int, int, int)): Upsampling rate, (r_z, r_y, r_x).

    Returns:
        numpy.ndarray or cupy.ndarray: (N, C, r_z*D, r_y*H, r_x*W), dtype of ``x``.
    """
    rz, ry, rx = rate
    n, channels, d, h, w = x.shape
    c = channels // (rz * ry * rx)
    if isinstance(x, numpy.ndarray):
        runs = _runs(x.transpose(0, 2, 3, 4, 1), rx).reshape(n, d, h, w, c, rz, ry)
        y = reused_memory.empty((n, c, d * rz, h * ry, w * rx), x.dtype)
        _runs(y, rx).reshape(n, c, d, rz, h, ry, w)[...] = runs.transpose(0, 4, 1, 5, 2, 6, 3)
        return y
    x = x.reshape(n, c, rz, ry, rx, d, h, w)
    return x.transpose(0, 1, 5, 2, 6, 3, 7, 4).reshape(n, c, d * rz, h * ry, w * rx)


def unshuffle(y, rate):
    """The inverse of :func:`shuffle`.

    Args:
        y (numpy.ndarray or cupy.ndarray): (N, C, r_z*D, r_y*H, r_x*W), any dtype of numbers.
        rate ((int, int, int)): Upsampling rate, (r_z, r_y, r_x).

    Returns:
        numpy.ndarray or cupy.ndarray: (N, C*r_z*r_y*r_x, D, H, W), dtype of ``y``; channels-last in memory, the layout
        that `models.convolution_3d` works in.

    Example:
        >>> import numpy
        >>> from models.pixel_shuffler_3d import shuffle, unshuffle
        >>> x = numpy.arange(48).reshape(1, 12, 1, 2, 2)
        >>> bool((unshuffle(shuffle(x, (3, 2, 2)), (3, 2, 2)) == x).all())
        True
    """
    rz, ry, rx = rate
    n, c, d, h, w = y.shape
    d, h, w = d // rz, h // ry, w // rx
    if isinstance(y, numpy.ndarray):
        x = reused_memory.empty((n, d, h, w, c * rz * ry * rx), y.dtype)
        runs = _runs(y, rx).reshape(n, c, d, rz, h, ry, w).transpose(0, 2, 4, 6, 1, 3, 5)
        _runs(x, rx).reshape(runs.shape)[...] = runs
    else:
        y = y.reshape(n, c, d, rz, h, ry, w, rx)
        x = y.transpose(0, 2, 4, 6, 1, 3, 5, 7).reshape(n, d, h, w, c * rz * ry * rx)
    return x.transpose(0, 4, 1, 2, 3)


class PixelShuffler3D(function_node.FunctionNode):
    """Function node of :func:`pixel_shuffler_3d`; differentiable any number of times.

    It is a permutation of the array's elements. So its gradient is the inverse permutation, and the gradient of the
    inverse is the permutation itself.

    Args:
        r (int or (int, int, int)): Upsampling rate, or (r_z, r_y, r_x).

    Raises:
        ValueError: If ``r`` is not a positive integer, nor three of them.
        TypeError: If ``r`` is neither an integer nor a sequence.
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
    """Function node of the inverse of PixelShuffler3D, which is also the gradient of that."""

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

    Tanno et al. leave the order of channels open. Here c counts in steps of r^3, the only step that uses each input
    channel once.

    Sources: R. Tanno et al., "Bayesian Image Quality Transfer with CNNs: Exploring Uncertainty in dMRI
    Super-Resolution", MICCAI 2017, section 2; after W. Shi et al., "Real-Time Single Image and Video Super-Resolution
    Using an Efficient Sub-Pixel Convolutional Neural Network", CVPR 2016, equation 4.

    Args:
        x (~chainer.Variable or array): (N, C*r^3, D, H, W), float16, float32 or float64.
        r (int or (int, int, int)): Upsampling rate. A triple (r_z, r_y, r_x) sets each axis; above, r^3 then becomes
            r_z*r_y*r_x, r^2 becomes r_x*r_y, and r becomes r_x.

    Returns:
        ~chainer.Variable: (N, C, r_z*D, r_y*H, r_x*W), dtype of ``x``.

    Raises:
        ValueError: If ``x`` does not have 5 axes, or r^3 does not divide its number of channels, or ``r`` is not a
            positive integer, nor three of them.
        TypeError: If ``x`` is not of a floating-point type, or ``r`` is neither an integer nor a sequence.

    Example:
        Eight channels of one voxel become a cube of side 2; x runs fastest, then y, then z.

        >>> import numpy
        >>> from models.pixel_shuffler_3d import pixel_shuffler_3d
        >>> x = numpy.arange(8, dtype='float32').reshape(1, 8, 1, 1, 1)
        >>> y = pixel_shuffler_3d(x, 2)
        >>> y.shape
        (1, 1, 2, 2, 2)
        >>> y.array[0, 0].tolist()
        [[[0.0, 1.0], [2.0, 3.0]], [[4.0, 5.0], [6.0, 7.0]]]
    """
    return PixelShuffler3D(r).apply((x,))[0]
