"""Mean and variance of arrays that come one after another."""
from chainer.backends import cuda
import numpy

from models.cpu_blocks import workers

_BLOCK = 1 << 16  # numbers; three arrays' blocks stay in a core's cache


class Spread:
    """Mean and variance, number by number, of arrays of one shape, with memory for three of them.

    Sums are those of the differences from the first array, which are as small as the deviation: float32 loses nothing.

    Attributes:
        count (int): How many arrays there were.

    Example:
        >>> import numpy
        >>> from models.spread import Spread
        >>> spread = Spread()
        >>> for value in (1.0, 2.0, 6.0):
        ...     spread.add(numpy.array([value, 5.0]))
        >>> spread.mean().tolist(), spread.variance().tolist()
        ([3.0, 5.0], [7.0, 0.0])
    """

    def __init__(self):
        self.count = 0

    def add(self, array):
        """Take in one more array, numpy.ndarray or cupy.ndarray, float32 or float64. It is not kept."""
        self.count += 1
        if self.count == 1:
            xp = cuda.get_array_module(array)
            self._first = array.copy(order='K')  # its memory may be used again
            self._sum, self._square = xp.zeros_like(self._first), xp.zeros_like(self._first)
            return
        arrays = [_flat(a, self._first) for a in (array, self._first, self._sum, self._square)]
        if not isinstance(array, numpy.ndarray):
            _add(*arrays)
            return
        workers.run(lambda start, _: _add(*(a[start:start + _BLOCK] for a in arrays)),
                    range(0, array.size, _BLOCK))

    def mean(self):
        """The mean, of the arrays' shape and dtype."""
        return self._first + self._sum / self.count

    def variance(self):
        """The unbiased variance, of the arrays' shape and dtype, of two arrays or more."""
        variance = self._square - self._sum * self._sum / self.count
        variance /= self.count - 1
        return cuda.get_array_module(variance).maximum(variance, 0, out=variance)  # by rounding a little less


def _flat(array, like):
    """The numbers of an array in the order in which those of another one lie in memory; a view where it can be."""
    axes = sorted(range(like.ndim), key=lambda axis: -like.strides[axis])
    return array.transpose(axes).reshape(-1)


def _add(array, first, total, square):
    difference = array - first
    total += difference
    difference *= difference
    square += difference
