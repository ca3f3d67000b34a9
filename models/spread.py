"""Mean and variance of arrays that come one after another."""
import functools

from chainer.backends import cuda

from models.element_wise import in_blocks


class Spread:
    """Mean and variance, number by number, of arrays of one shape, with memory for three of them.

    An array may be the mean of several. The variance is that of a single one then, by the mean square between groups.

    Sums are those of the differences from the first array, which are as small as the deviation: float32 loses nothing.

    Attributes:
        count (int): How many arrays there were, those in a mean included.

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
        self.count, self._groups = 0, 0

    def add(self, array, size=1):
        """Take in one more array, or the mean of several; it is not kept.

        Args:
            array (numpy.ndarray or cupy.ndarray): Of the first one's shape, float32 or float64.
            size (int): How many it is the mean of.
        """
        self.count += size
        self._groups += 1
        if self._groups == 1:
            xp = cuda.get_array_module(array)
            self._first = array.copy(order='K')  # its memory may be used again
            self._sum, self._square = xp.zeros_like(self._first), xp.zeros_like(self._first)
            return
        in_blocks(functools.partial(_add, size), self._first, self._sum, self._square, array)

    def mean(self):
        """The mean, of the arrays' shape and dtype."""
        return self._first + self._sum / self.count

    def variance(self):
        """The unbiased variance, of the arrays' shape and dtype; of two calls of :meth:`add` or more."""
        variance = self._square - self._sum * self._sum / self.count
        variance /= self._groups - 1
        return cuda.get_array_module(variance).maximum(variance, 0, out=variance)  # by rounding a little less


def _add(size, first, total, square, array):
    difference = array - first
    if size == 1:
        total += difference
        difference *= difference
        square += difference
    else:
        total += size * difference
        difference *= difference
        square += size * difference
