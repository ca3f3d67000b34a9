"""3D convolution (stride 1, zero 'same' padding, odd kernel) that is fast on CPUs and needs no cuDNN on GPUs."""
import chainer
from chainer import function_node
from chainer import initializers
from chainer import variable
from chainer.backends import cuda
import chainer.functions as F
import numpy

from models import gather_3d
from models import reused_memory
from models import winograd_3d
from models.cpu_blocks import workers


def _use_stock(x, W):
    """Whether `F.convolution_nd` is the better one: cuDNN at hand, or a dtype that BLAS does not multiply."""
    if x.dtype != W.dtype or x.dtype not in (numpy.float32, numpy.float64):
        return True
    return isinstance(x, cuda.ndarray) and chainer.should_use_cudnn('>=auto')


def _way(x, ksize, channels_out):
    """The module that computes it: Winograd's transforms pay unless channels are few or the volume is mostly padding.

    100 -> 8 channels, batch 5 of 32 x 32 x 32, one thread: gathered 309 ms, Winograd 112 (docs/convolution-notes.md).
    """
    if (isinstance(x, numpy.ndarray) and tuple(ksize) == (3, 3, 3)
            and min(x.shape[4], channels_out) >= 4 and min(x.shape[1:4]) >= 3):
        return winograd_3d
    return gather_3d


def _channels_last(x):
    """(N, C, D, H, W) to C-contiguous (N, D, H, W, C); no copy of what this module made itself."""
    xp = cuda.get_array_module(x)
    return xp.ascontiguousarray(x.transpose(0, 2, 3, 4, 1))


def _flip(W):
    """The weights of the gradient with respect to the input: in- and output exchanged, taps in reverse order."""
    return F.transpose(W[:, :, ::-1, ::-1, ::-1], (1, 0, 2, 3, 4))


def _check(x_shape, W_shape, b_shape=None):
    if len(x_shape) != 5 or len(W_shape) != 5 or x_shape[1] != W_shape[1]:
        raise ValueError(f'convolution_3d: x {x_shape} must be (N, C_in, D, H, W) and W {W_shape} '
                         '(C_out, C_in, kd, kh, kw) with the same C_in')
    if any(k % 2 == 0 for k in W_shape[2:]):
        raise ValueError(f"convolution_3d: kernel {W_shape[2:]} must be odd along every axis for 'same' padding")
    if b_shape is not None and b_shape != W_shape[:1]:
        raise ValueError(f'convolution_3d: b {b_shape} must have the shape {W_shape[:1]} for W {W_shape}')


class Convolution3DFunction(function_node.FunctionNode):
    """y = x * W + b, or max(0, that); (N, C, D, H, W) by shape, channels-last in memory, as the next one reads it."""

    def __init__(self, relu=False):
        self.relu = relu

    def forward(self, inputs):
        self.retain_inputs((0, 1))
        if self.relu:
            self.retain_outputs((0,))
        x, W = inputs[:2]
        b = inputs[2] if len(inputs) == 3 else None
        x = _channels_last(x)
        y = _way(x, W.shape[2:], W.shape[0]).convolve(x, W, b, self.relu)
        return y.transpose(0, 4, 1, 2, 3),

    def backward(self, indexes, grad_outputs):
        x, W = self.get_retained_inputs()
        gy, = grad_outputs
        if self.relu:
            gy, = RectifierGradient(self.get_retained_outputs()[0].array).apply((gy,))
        grads = {}
        if 0 in indexes:
            grads[0] = convolution_3d(gy, _flip(W))
        if 1 in indexes:
            grads[1], = Convolution3DWeightGradient(W.shape[2:]).apply((x, gy))
        if 2 in indexes:
            grads[2] = F.sum(gy, axis=(0, 2, 3, 4))
        return tuple(grads[i] for i in indexes)


class RectifierGradient(function_node.FunctionNode):
    """gy where the rectified output `y` is positive, 0 elsewhere; linear in gy, so its own gradient too."""

    def __init__(self, y):
        self.y = y

    def forward(self, inputs):
        gy, y = _channels_last(inputs[0]), _channels_last(self.y)
        if isinstance(gy, numpy.ndarray):
            gx = reused_memory.empty(gy.shape, gy.dtype)

            def compute(plane, scratch):
                numpy.multiply(gy[plane], y[plane] > 0, out=gx[plane])

            workers.run(compute, list(numpy.ndindex(gy.shape[:2])))
        else:
            gx = gy * (y > 0)
        return gx.transpose(0, 4, 1, 2, 3),

    def backward(self, indexes, grad_outputs):
        return RectifierGradient(self.y).apply(grad_outputs)


class Convolution3DWeightGradient(function_node.FunctionNode):
    """gW of `Convolution3DFunction`, linear in x and in gy."""

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


def convolution_3d(x, W, b=None, relu=False):
    """3D convolution (cross-correlation, as in `F.convolution_nd`) with stride 1 and zero padding to the same size.

    Args:
        x: Variable or array (N, C_in, D, H, W).
        W: Variable or array (C_out, C_in, kd, kh, kw), each k odd.
        b: Variable or array (C_out,), or None.
        relu (bool): return `F.relu` of it, which costs nothing while the result is in the cache.

    Returns:
        Variable (N, C_out, D, H, W), channels-last in memory.

    Raises:
        ValueError: where shapes do not fit or the kernel is even.
    """
    _check(x.shape, W.shape, None if b is None else b.shape)
    x, W = chainer.as_variable(x), chainer.as_variable(W)
    if _use_stock(x.array, W.array):
        y = F.convolution_nd(x, W, b, stride=1, pad=tuple(k // 2 for k in W.shape[2:]))
        return F.relu(y) if relu else y
    inputs = (x, W) if b is None else (x, W, b)
    return Convolution3DFunction(relu).apply(inputs)[0]


class Convolution3D(chainer.Link):
    """Link of `convolution_3d`, with the parameters of `L.ConvolutionND`: `W` (out, in, kd, kh, kw) and `b` (out,).

    Args:
        in_channels, out_channels (int): numbers of channels.
        ksize (int or 3-tuple): odd kernel size, (z, y, x).
        nobias (bool): no `b`.
        initialW, initial_bias: initializers, as in `L.ConvolutionND`; by default LeCunNormal and 0.
        relu (bool): rectify the output.
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
        return convolution_3d(x, self.W, self.b, self.relu)
