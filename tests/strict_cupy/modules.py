"""The stand-in's modules, under the names by which Chainer and this project import CuPy's."""
import sys
import types

import numpy

from tests.strict_cupy import arrays, functions, kernels

VERSION = '14.2.0'  # the CuPy whose names and refusals these are; it has no cuDNN


DEVICES = 2


class Device:
    """A device by its number; None: the current one."""

    def __init__(self, device=None):
        self.id = arrays.current[-1] if device is None else int(device)

    def use(self):
        if self.id >= DEVICES:
            raise CUDARuntimeError('cudaErrorInvalidDevice: invalid device ordinal')
        arrays.current[-1] = self.id

    def synchronize(self):
        """Nothing: all is done when a function returns."""

    def __enter__(self):
        arrays.current.append(arrays.current[-1])
        self.use()
        return self

    def __exit__(self, *exception):
        arrays.current.pop()

    def __eq__(self, other):
        return isinstance(other, Device) and other.id == self.id

    def __hash__(self):
        return hash(self.id)

    def __int__(self):
        return self.id


class CUDARuntimeError(RuntimeError):
    """What CUDA's runtime says is wrong."""


class Stream:
    """Nothing is asynchronous here."""


class Event:
    """Nothing is asynchronous here."""


class PerformanceWarning(RuntimeWarning):
    """CuPy's; the stand-in never gives it."""


class MemoryPool:
    """The device's memory is the host's, and nothing is kept of it."""

    def free_all_blocks(self):
        pass

    def total_bytes(self):
        return 0


def random_normal(loc=0.0, scale=1.0, size=None, dtype=float):
    return functions.wrap(numpy.random.normal(loc, scale, size).astype(dtype))


def random_uniform(low=0.0, high=1.0, size=None, dtype=float):
    return functions.wrap(numpy.random.uniform(low, high, size).astype(dtype))


class Philox4x3210:
    """One of CuPy's bit generators; a seed is a number or a list of them."""

    def __init__(self, seed=None):
        self.generator = numpy.random.default_rng(seed)


class Generator:
    """CuPy's, of which the project uses two methods."""

    def __init__(self, bit_generator):
        self._generator = bit_generator.generator

    def random(self, size=None, dtype=numpy.float64):
        return functions.wrap(self._generator.random(size, dtype))

    def standard_normal(self, size=None, dtype=numpy.float64):
        return functions.wrap(self._generator.standard_normal(size, dtype))


def _package(name, **contents):
    """A package of that name in sys.modules, and in the one that it is part of."""
    module = types.ModuleType(name)
    module.__path__ = []
    vars(module).update(contents)
    sys.modules[name] = module
    parent, _, last = name.rpartition('.')
    if parent:
        setattr(sys.modules[parent], last, module)
    return module


def install(compiles=False):
    """Put the stand-in where ``import cupy`` finds it; Chainer must not have been imported before.

    Args:
        compiles (bool): With RawModule: what the project computes by kernels of its own goes through these.

    Raises:
        RuntimeError: If it has been, or if the real CuPy has.
    """
    if 'chainer' in sys.modules or 'cupy' in sys.modules:
        raise RuntimeError('chainer or cupy is imported already')
    pool = MemoryPool()
    _package('cupy', __version__=VERSION, get_default_memory_pool=lambda: pool,
             get_default_pinned_memory_pool=lambda: pool, **functions.TABLE)
    if compiles:
        sys.modules['cupy'].RawModule = kernels.RawModule
    _package('cupy.cuda', Device=Device, Event=Event, Stream=Stream)
    _package('cupy.cuda.cublas')
    _package('cupy.cuda.runtime', getDevice=lambda: Device().id, getDeviceCount=lambda: DEVICES,
             CUDARuntimeError=CUDARuntimeError)
    _package('cupy._util', PerformanceWarning=PerformanceWarning)
    _package('cupy.lib')
    _package('cupy.lib.stride_tricks',
             as_strided=functions.device_function(numpy.lib.stride_tricks.as_strided))
    _package('cupy.random', normal=random_normal, uniform=random_uniform, Generator=Generator,
             Philox4x3210=Philox4x3210)
    for name in ('cupyx', 'cupyx.scipy', 'cupyx.scipy.linalg', 'cupyx.scipy.special'):
        _package(name)
