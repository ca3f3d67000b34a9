"""The rim of a patch, where the network sees less of a scan than it does anywhere in a volume."""
from chainer import function_node
from chainer.backends import cuda
from chainer.distribution import Distribution

WHOLE = 0.1  # what the loss of the whole patch counts for; the rest is its inner part's


def with_margin(loss, margin):
    """A loss of patches that is mostly that of their inner part.

    Near its edge a patch ends where the scan goes on. A network has less to go by there, and an interpolation that
    looks far, as B-splines do, is worse than in the volume: of a smooth scan all of the error is there. The rim counts
    still, a little, since a volume ends somewhere as well.

    Args:
        loss (callable): (prediction, hr, ...) -> scalar Variable.
        margin ((int, int, int)): HR voxels at each side that are the rim, (z, y, x).

    Returns:
        callable: As ``loss``: 0.9 of the inner part's loss, and 0.1 of the whole patch's.
    """
    if not any(margin):
        return loss

    def of_patches(prediction, hr, *others):
        inner = tuple(slice(n, size - n) for n, size in zip(margin, hr.shape[-3:]))
        of_inner = loss(_inner(prediction, inner), hr[(..., *inner)], *others)
        return (1 - WHOLE) * of_inner + WHOLE * loss(prediction, hr, *others)

    return of_patches


def _inner(prediction, slices):
    if isinstance(prediction, Distribution):
        return type(prediction)(**{name: _inner(param, slices) for name, param in prediction.params.items()})
    return _Inner((..., *slices), prediction.shape).apply((prediction,))[0]


class _Inner(function_node.FunctionNode):
    """A part of an array, all of whose voxels are taken once: Chainer's own adds them up in its gradient, and is slow.
    """

    def __init__(self, part, shape):
        self.part, self.shape = part, shape

    def forward(self, inputs):
        return inputs[0][self.part].copy(),

    def backward(self, indexes, grad_outputs):
        return _Outer(self.part, self.shape).apply(grad_outputs)


class _Outer(function_node.FunctionNode):
    """An array of zeros around a part."""

    def __init__(self, part, shape):
        self.part, self.shape = part, shape

    def forward(self, inputs):
        y = cuda.get_array_module(*inputs).zeros(self.shape, inputs[0].dtype)
        y[self.part] = inputs[0]
        return y,

    def backward(self, indexes, grad_outputs):
        return _Inner(self.part, self.shape).apply(grad_outputs)
