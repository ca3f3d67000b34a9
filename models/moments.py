"""Mean and variance of a convolution whose input is drawn and whose weights are Gaussian; none of these is drawn."""
import itertools

from chainer.backends import cuda

from models.convolution_3d import convolution_3d
from models.element_wise import in_blocks
from models.parts import cut
from models.spread import Spread

# Draws of the input are averaged before they are convolved, at most so many, where that leaves so many means or more.
# With uncertain weights in three layers the last one's, which need no draws, make most of the variance.
MOST_AVERAGED, LEAST_MEANS = 4, 8


def moments(draws, count, W, b, variance):
    """Mean and variance of x * w + b, over an input x and weights w that are independent.

    By the law of total variance it is Var(x * W + b) + variance * E x^2. The second part is known without a draw of w,
    and so the whole is known better than by draws of both. A convolution is linear: it takes the mean of n draws
    of x to the mean of n outputs, whose variance is an nth. So the first part comes from means of groups, by the mean
    square between them, which is unbiased for groups of any size (R. A. Fisher, Statistical Methods for Research
    Workers, 1925, chapter 7).

    Args:
        draws (iterable of arrays): Draws of x, (N, C_in, D, H, W), float32 or float64. Each may use the memory of the
            one before.
        count (int): How many they are, 2 or more.
        W (~chainer.Variable or array): Mean of w, (C_out, C_in, k_z, k_y, k_x), dtype of x.
        b (~chainer.Variable or array): (C_out,).
        variance (~chainer.Variable or array): Variance of each weight, of the shape of ``W``.

    Returns:
        (array, array): Mean and variance, (N, C_out, D, H, W). The mean is that of the draws by the weights ``W``.
    """
    draws, spread, total = iter(draws), Spread(), None
    for part in cut(count, max(min(count, LEAST_MEANS), count // MOST_AVERAGED)):
        size = part.stop - part.start
        for i, x in enumerate(itertools.islice(draws, size)):
            if total is None:
                xp = cuda.get_array_module(x)
                total, squares = xp.zeros_like(x), xp.zeros_like(x)
            elif i == 0:
                total[...] = 0
            in_blocks(_add, total, squares, x)
        spread.add(convolution_3d(total, W / size, b).array, size)
    of_weights = convolution_3d(squares, variance / count).array
    of_weights = xp.maximum(of_weights, 0, out=of_weights)  # by Winograd's filtering a 0 may come out a little below
    return spread.mean(), spread.variance() + of_weights


def _add(total, squares, x):
    total += x
    squares += x * x
