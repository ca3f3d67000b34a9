"""The kernels' sources, compiled when they are first used."""
import functools
from pathlib import Path

from chainer.backends.cuda import cupy


@functools.cache
def _module(source, head, macros):
    code = (Path(__file__).parent / f'{source}.cu').read_text(encoding='utf-8')
    return cupy.RawModule(code=head + code, options=('-std=c++17', *macros))


@functools.cache
def _kernel(source, name, head, macros, device):
    return _module(source, head, macros).get_function(name)


def kernel(source, name, head='', macros=()):
    """A kernel, compiled for the current GPU.

    Args:
        source (str): Name of the .cu file of this folder, without its suffix.
        name (str): Of the kernel.
        head (str): CUDA C++ that comes before the source.
        macros (tuple of str): Such as ``-DTM=8``.

    Returns:
        cupy.RawKernel: Called with (grid, block, arguments).
    """
    return _kernel(source, name, head, macros, cupy.cuda.runtime.getDevice())
