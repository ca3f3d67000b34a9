"""Element-wise functions on all cores of a CPU, where NumPy's own take one, and on a GPU."""
import numpy

from models.cpu_blocks import workers

_BLOCK = 1 << 16  # numbers; three arrays' blocks stay in a core's cache


def in_blocks(function, *arrays):
    """Call an element-wise function with blocks of the numbers of arrays of one shape, on all cores, or as a whole.

    Args:
        function: Takes as many arrays of one axis, and writes to some of them.
        arrays (numpy.ndarray or cupy.ndarray): Those that are written to lie in memory as the first one does.
    """
    flat = [_flat(array, arrays[0]) for array in arrays]
    if not isinstance(arrays[0], numpy.ndarray):
        function(*flat)
        return
    workers.run(lambda start, _: function(*(a[start:start + _BLOCK] for a in flat)), range(0, arrays[0].size, _BLOCK))


def _flat(array, like):
    """The numbers of an array in the order in which those of another one lie in memory; a view where it can be."""
    axes = sorted(range(like.ndim), key=lambda axis: -like.strides[axis])
    return array.transpose(axes).reshape(-1)
