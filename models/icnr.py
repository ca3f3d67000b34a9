"""ICNR: initial weights that make a convolution and a pixel shuffler start without a checkerboard."""
from chainer import initializer
from chainer.backends import cuda


class ICNR(initializer.Initializer):
    """Initializer that gives one start to all sub-filters whose outputs the shuffler puts side by side.

    So the first output of the network is constant on each block of r_z x r_y x r_x HR voxels.

    Source: A. Aitken et al., "Checkerboard artifact free sub-pixel convolution", arXiv:1707.02937, 2017, section 3.

    Args:
        filters (~chainer.Initializer): Fills an array (C, in_channels, k_z, k_y, k_x), one sub-filter per channel of
            the shuffler's output.
        factor (int): Sub-filters per channel, r_z*r_y*r_x. Filter c*factor + phase of the convolution makes that phase
            of channel c.

    Example:
        >>> import numpy
        >>> from models.icnr import ICNR
        >>> from chainer.initializers import HeNormal
        >>> weights = numpy.empty((8, 5, 3, 3, 3), 'float32')
        >>> ICNR(HeNormal(), factor=8)(weights)
        >>> bool((weights == weights[0]).all())
        True
    """

    def __init__(self, filters, factor):
        super().__init__()
        self.filters = filters
        self.factor = factor

    def __call__(self, array):
        """Fill the array.

        Args:
            array (numpy.ndarray or cupy.ndarray): Weights, (C*factor, in_channels, k_z, k_y, k_x), floating-point.
        """
        xp = cuda.get_array_module(array)
        filters = xp.empty((len(array) // self.factor,) + array.shape[1:], array.dtype)
        self.filters(filters)
        array[...] = filters.repeat(self.factor, axis=0)
