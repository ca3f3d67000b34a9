"""ICNR: initial weights that make a convolution and a pixel shuffler start without a checkerboard."""
from chainer import initializer
from chainer.backends import cuda


class ICNR(initializer.Initializer):
    """All sub-filters that the shuffler puts side by side start equal, so the first output is constant on each block.

    Source: A. Aitken et al., "Checkerboard artifact free sub-pixel convolution", arXiv:1707.02937, 2017, section 3.

    Args:
        filters (~chainer.initializer.Initializer): Makes one sub-filter a channel, (C, in_channels, k_z, k_y, k_x).
        factor (int): Sub-filters of a channel, r_z*r_y*r_x; channel c*factor + phase of the convolution is phase of c.
    """

    def __init__(self, filters, factor):
        super().__init__()
        self.filters = filters
        self.factor = factor

    def __call__(self, array):
        xp = cuda.get_array_module(array)
        filters = xp.empty((len(array) // self.factor,) + array.shape[1:], array.dtype)
        self.filters(filters)
        array[...] = filters.repeat(self.factor, axis=0)
