"""3D convolution that is fast on CPUs and on GPUs: stride 1, zero 'same' padding, odd kernel."""
import chainer
from chainer import function_node
from chainer import initializers
from chainer import variable
from chainer.backends import cuda
import chainer.functions as F
import numpy

from models import gather_3d, gpu, winograd_3d
from models.gpu import gather_3d as gather_3d_on_gpu
from models.gpu import winograd_3d as winograd_3d_on_gpu
from models.product import product


def _use_stock(x, W):
    """Whether `F.convolution_nd` is the better choice: BLAS does not multiply this dtype."""
    return x.dtype != W.dtype or x.dtype not in (numpy.float32, numpy.float64)


def _way(x, ksize, channels_out):
    """The module that computes it: `winograd_3d` or `gather_3d`, of `models` or of `models.gpu`.

    Winograd's transforms pay unless channels are few or the volume is mostly padding. From 100 to 8 channels, batch 5
    of 32 x 32 x 32 voxels, on one thread: 309 ms gathered, 112 ms with Winograd (docs/convolution-notes.md). A kernel
    of 5 from 48 to 48 channels takes a fifth of the time.
    """
    winograd = (ksize[0] in winograd_3d.KERNELS and len(set(ksize)) == 1 and min(x.shape[4], channels_out) >= 4
                and min(x.shape[1:4]) >= 3)
    if gpu.takes(x):
        return winograd_3d_on_gpu if winograd else gather_3d_on_gpu
    return winograd_3d if winograd and isinstance(x, numpy.ndarray) else gather_3d


def _channels_last(x):
    """(N, C, D, H, W) to C-contiguous (N, D, H, W, C), without a copy of what this module made itself."""
    xp = cuda.get_array_module(x)
    return xp.ascontiguousarray(x.transpose(0, 2, 3, 4, 1))


def _flip(W):
    """The weights of the gradient with respect to the input: channels in and out exchanged, taps in reverse order."""
    for axis in (2, 3, 4):
        W = F.flip(W, axis)
    return F.transpose(W, (1, 0, 2, 3, 4))


def _check(x_shape, W_shape, b_shape=None):
    if len(x_shape) != 5 or len(W_shape) != 5 or x_shape[1] != W_shape[1]:
        raise ValueError(f'convolution_3d: x {x_shape} must be (N, C_in, D, H, W) and W {W_shape} '
                         '(C_out, C_in, kd, kh, kw) with the same C_in')
    if any(k % 2 == 0 for k in W_shape[2:]):
        raise ValueError(f"convolution_3d: kernel {W_shape[2:]} must be odd along every axis for 'same' padding")
    if b_shape is not None and b_shape != W_shape[:1]:
        raise ValueError(f'convolution_3d: b {b_shape} must have the shape {W_shape[:1]} for W {W_shape}')


class Convolution3DFunction(function_node.FunctionNode):
    """Function node of :func:`convolution_3d`: y = x * W + b, or max(0, x * W + b); differentiable any number of times.

    The output is (N, C_out, D, H, W) by its shape and channels-last in memory, as the next convolution reads it.

    The gradient of a rectified output mostly comes from a convolution as well. That one rectifies it while it is in the
    cache, and leaves word of it in ``rectified``: a pass over the array is saved, and memory for a second one. It does
    so only where the output's Variable is gone, as inside a network: nobody can ask for its gradient then.

    Args:
        relu (bool): Rectify the output.
        mask (numpy.ndarray, cupy.ndarray or None): (N, C_out, D, H, W); the output is 0 where this is not positive.

    Attributes:
        rectified (numpy.ndarray, cupy.ndarray or None): The gradient of the output that has been rectified already.
    """

    def __init__(self, relu=False, mask=None):
        self.relu, self.mask = relu, mask
        self.rectified = None

    def forward(self, inputs):
        self.retain_inputs((0, 1))
        if self.relu:
            self.retain_outputs((0,))
        x, W = inputs[:2]
        b = cuda.get_array_module(x).ascontiguousarray(inputs[2], x.dtype) if len(inputs) == 3 else None
        x = _channels_last(x)
        mask = None if self.mask is None else _channels_last(self.mask)
        y = _way(x, W.shape[2:], W.shape[0]).convolve(x, W, b, self.relu, mask)
        return y.transpose(0, 4, 1, 2, 3),

    def backward(self, indexes, grad_outputs):
        is_seen = self.inputs[0].get_variable_or_none() is not None  # before the next line makes a Variable
        x, W = self.get_retained_inputs()
        gy, = grad_outputs
        mask = self.get_retained_outputs()[0].array if self.relu else self.mask
        if mask is not None and gy.array is not self.rectified:  # a sum of several gradients, or none of ours
            gy = gy * (mask > 0).astype(gy.dtype)
        self.rectified = None
        grads = {}
        if 1 in indexes:
            grads[1], = Convolution3DWeightGradient(W.shape[2:]).apply((x, gy))
        if 2 in indexes:
            grads[2], = _ChannelSums().apply((gy,))
        if 0 in indexes:
            grads[0] = self._gradient_of_input(x, gy, _flip(W), is_seen)
        return tuple(grads[i] for i in indexes)

    def _gradient_of_input(self, x, gy, W, is_seen):
        source = self.inputs[0].creator_node
        if (is_seen or not isinstance(source, Convolution3DFunction) or not source.relu
                or _use_stock(gy.array, W.array)):
            return convolution_3d(gy, W)
        gx, = Convolution3DFunction(mask=x.array).apply((gy, W))
        source.rectified = gx.array
        return gx


class Convolution3DWeightGradient(function_node.FunctionNode):
    """Gradient of `Convolution3DFunction` with respect to W; linear in x and in gy.

    Args:
        ksize ((int, int, int)): Odd kernel size, (k_z, k_y, k_x).
    """

    def __init__(self, ksize):
        self.ksize = tuple(ksize)

    def forward(self, inputs):
        self.retain_inputs((0, 1))
        x, gy = map(_channels_last, inputs)
        return _way(x, self.ksize, gy.shape[4]).weight_gradient(x, gy, self.ksize),

    def backward(self, indexes, grad_outputs):
        x, gy = self.get_retained_inputs()
        ggW, = grad_outputs
        grads = {}
        if 0 in indexes:
            grads[0] = convolution_3d(gy, _flip(ggW))
        if 1 in indexes:
            grads[1] = convolution_3d(x, ggW)
        return tuple(grads[i] for i in indexes)


class _ChannelSums(function_node.FunctionNode):
    """The sum over all voxels, (N, C, D, H, W) -> (C,)."""

    def forward(self, inputs):
        self.shape = inputs[0].shape
        rows = _channels_last(inputs[0]).reshape(-1, self.shape[1])
        # As a product, which takes half the time of a sum.
        return product(cuda.get_array_module(rows).ones((1, len(rows)), rows.dtype), rows)[0],

    def backward(self, indexes, grad_outputs):
        return F.broadcast_to(F.reshape(grad_outputs[0], (-1, 1, 1, 1)), self.shape),


def convolution_3d(x, W, b=None, relu=False):
    """3D convolution with stride 1 and zero padding to the same size; a cross-correlation, as `F.convolution_nd`.

    `models.winograd_3d` and `models.gather_3d` say how it is computed, and their namesakes of `models.gpu`. The first
    call on the CPU holds BLAS to one thread; see :class:`Convolution3D`.

    `F.convolution_nd` computes it instead where the dtype is neither float32 nor float64, and where x and W differ in
    dtype.

    Args:
        x (~chainer.Variable or array): (N, C_in, D, H, W).
        W (~chainer.Variable or array): (C_out, C_in, k_z, k_y, k_x), each k odd, dtype of ``x``.
        b (~chainer.Variable, array or None): (C_out,), dtype of ``x``.
        relu (bool): Return `F.relu` of the sum, which costs nothing while the result is in the cache.

    Returns:
        ~chainer.Variable: (N, C_out, D, H, W), dtype of ``x``; channels-last in memory, unless `F.convolution_nd`
        made it.

    Raises:
        ValueError: If shapes do not fit, or a side of the kernel is even.

    Example:
        A kernel of ones counts the voxels of a volume of ones that lie under it:

        >>> import numpy
        >>> from models.convolution_3d import convolution_3d
        >>> x = numpy.ones((1, 1, 3, 3, 3), 'float32')
        >>> y = convolution_3d(x, numpy.ones((1, 1, 3, 3, 3), 'float32'))
        >>> y.shape
        (1, 1, 3, 3, 3)
        >>> y.array[0, 0, 1].tolist()
        [[12.0, 18.0, 12.0], [18.0, 27.0, 18.0], [12.0, 18.0, 12.0]]
    """
    _check(x.shape, W.shape, None if b is None else b.shape)
    x, W = chainer.as_variable(x), chainer.as_variable(W)
    if _use_stock(x.array, W.array):
        y = F.convolution_nd(x, W, b, stride=1, pad=tuple(k // 2 for k in W.shape[2:]))
        return F.relu(y) if relu else y
    inputs = (x, W) if b is None else (x, W, b)
    return Convolution3DFunction(relu).apply(inputs)[0]


class Convolution3D(chainer.Link):
    """Link of :func:`convolution_3d`, with the names, shapes and initial values of `L.ConvolutionND`'s parameters.

    **BLAS keeps to one thread** from the first convolution on the CPU on, for NumPy and everything else in the process.
    The convolution runs threads of its own. After a single product on BLAS's threads OpenBLAS leaves these spinning
    for 26 ms, on the cores that the next convolution needs. To give BLAS its threads back::

        from models.cpu_blocks import workers
        workers.stop()

    The next convolution starts its threads anew and holds BLAS again.

    Args:
        in_channels (int): Channels of the input.
        out_channels (int): Channels of the output.
        ksize (int or (int, int, int)): Odd kernel size, or (k_z, k_y, k_x).
        nobias (bool): Have no ``b``.
        initialW (~chainer.Initializer, array, float or None): Start of ``W``; None: `LeCunNormal`.
        initial_bias (~chainer.Initializer, array, float or None): Start of ``b``; None: 0.
        relu (bool): Rectify the output.

    Attributes:
        W (~chainer.Parameter): (out_channels, in_channels, k_z, k_y, k_x), float32 by default.
        b (~chainer.Parameter or None): (out_channels,).

    Raises:
        ValueError: If a side of the kernel is even, or there are not three of them.

    Example:
        >>> import numpy
        >>> from models.convolution_3d import Convolution3D
        >>> convolution = Convolution3D(2, 4, ksize=(1, 3, 3), relu=True)
        >>> convolution.W.shape, convolution.b.shape
        ((4, 2, 1, 3, 3), (4,))
        >>> convolution(numpy.zeros((5, 2, 6, 7, 8), 'float32')).shape
        (5, 4, 6, 7, 8)
    """

    def __init__(self, in_channels, out_channels, ksize, nobias=False, initialW=None, initial_bias=None,
                 relu=False):
        super().__init__()
        self.relu = relu
        ksize = (ksize,) * 3 if isinstance(ksize, int) else tuple(ksize)
        shape = (out_channels, in_channels) + ksize
        _check((1, in_channels, 1, 1, 1), shape)
        with self.init_scope():
            self.W = variable.Parameter(initializers._get_initializer(initialW), shape)
            self.b = None
            if not nobias:
                bias = 0 if initial_bias is None else initial_bias
                self.b = variable.Parameter(initializers._get_initializer(bias), (out_channels,))

    def forward(self, x):
        """Convolve.

        Args:
            x (~chainer.Variable or array): (N, in_channels, D, H, W).

        Returns:
            ~chainer.Variable: (N, out_channels, D, H, W).
        """
        return convolution_3d(x, self.W, self.b, self.relu)
