"""What the networks compute on an NVIDIA GPU, by kernels of their own in CUDA C++.

CuPy compiles a kernel when it is first used, and keeps it on disk. All is float32, and gives the same result each time,
to the bit.
"""
from chainer.backends import cuda


def takes(*arrays):
    """Whether the kernels here compute with such arrays: float32, and on an NVIDIA GPU.

    Args:
        arrays (numpy.ndarray or cupy.ndarray): All of them count.

    Returns:
        bool: False as well where CuPy compiles no kernels, as its stand-in in most tests.
    """
    return hasattr(cuda.cupy, 'RawModule') and all(
        isinstance(array, cuda.ndarray) and array.dtype == 'float32' for array in arrays)
