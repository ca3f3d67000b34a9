"""The stand-in's RawModule: a kernel in CUDA C++ runs on the CPU, compiled by g++ with cuda_on_cpu.h.

Beyond its results it shows

- arguments that are not of the types of the kernel's parameters, which CuPy hands over as they are;
- writing outside the arrays, and reading there what a result depends on: a kernel gets copies, between bands of NaN;
- a barrier that is missing, or that not all threads of a block come to (cuda_on_cpu.h).

It shows nothing of what arrays do that a kernel reaches by addresses in another array, as Adam's does, nor of speed.
"""
import ctypes
import functools
import math
import re
import subprocess
import tempfile
from pathlib import Path

import numpy

from tests.strict_cupy import arrays

_HEADER = Path(__file__).with_name('cuda_on_cpu.h')
_KERNEL = re.compile(r'__global__ void\s+(?:__launch_bounds__\([^)]*\)\s*)?(\w+)\(')
_BAND = 1 << 16  # bytes before and behind an array
# NaN of two kinds: of what is written, those that any arithmetic alters; of what is read, others, so that a copy shows.
_WRITTEN, _READ = 0x7fa0a0a0, 0xffffffff
_NUMBERS = {'int32': (numpy.int32, ctypes.c_int32), 'int64': (int, ctypes.c_int64),
            'float32': (numpy.float32, ctypes.c_float)}


@functools.cache
def why_not():
    """Why no kernel can be compiled here; None: they can be."""
    try:
        done = _compile('-fsyntax-only', '-std=c++17', '-x', 'c++', _HEADER)
    except FileNotFoundError:
        return 'there is no g++, with which the stand-in for CuPy compiles kernels'
    if done.returncode:
        return f'g++ does not take what the stand-in for CuPy needs: {done.stderr.splitlines()[0]}'
    return None


def _compile(*arguments):
    return subprocess.run(['g++', *arguments], capture_output=True, text=True)


class RawModule:
    """Kernels in CUDA C++.

    Args:
        code (str): CUDA C++.
        options (tuple of str): For the compiler.

    Raises:
        RuntimeError: If g++ does not compile it.
    """

    def __init__(self, *, code, options=()):
        parts = [f'#include "{_HEADER}"', 'namespace {', '#line 1 "kernel"', code, '}']
        for name in _KERNEL.findall(code):
            parts.append(f'extern "C" bool run_{name}(const unsigned *grid, const unsigned *block, void **arguments)'
                         f' {{ return on_cpu::launch({name}, grid, block, arguments); }}\n'
                         f'extern "C" const char *signature_of_{name}() {{ return on_cpu::signature({name}); }}')
        with tempfile.TemporaryDirectory() as folder:
            source, library = Path(folder, 'kernel.cpp'), Path(folder, 'kernel.so')
            source.write_text('\n'.join(parts), encoding='utf-8')
            # A fortified longjmp does not go from one stack to another.
            done = _compile('-O2', '-U_FORTIFY_SOURCE', '-shared', '-fPIC', *options, source, '-o', library)
            if done.returncode:
                raise RuntimeError(done.stderr)
            self._library = ctypes.PyDLL(str(library))

    def get_function(self, name):
        """The kernel of that name."""
        signature = self._library[f'signature_of_{name}']
        signature.restype = ctypes.c_char_p
        run = self._library[f'run_{name}']
        run.restype = ctypes.c_bool
        return Kernel(name, run, signature().decode().split())


class Kernel:
    """A kernel, called as CuPy's RawKernel.

    Args:
        name (str): Its name.
        run: The library's function.
        signature (list of str): The types of its parameters.
    """

    def __init__(self, name, run, signature):
        self._name, self._run, self._signature = name, run, signature

    def __call__(self, grid, block, args):
        """Run it.

        Raises:
            TypeError: For arguments that are not of the parameters' types.
            ValueError: For an array of another device than the current one; for a grid or a block that no GPU takes.
            NotImplementedError: For an array that is written to and shares memory with another one.
            RuntimeError: If threads of a block wait at different barriers, or if it writes outside its arrays.
        """
        grid, block = (tuple(lengths) + (1,) * (3 - len(lengths)) for lengths in (grid, block))
        if min(grid + block) < 1 or max(grid[1:]) > 65535 or math.prod(block) > 1024:
            raise ValueError(f'{self._name}: no GPU takes a grid {grid} of blocks {block}')
        if len(args) != len(self._signature):
            raise TypeError(f'{self._name}: {len(args)} arguments for {len(self._signature)} parameters')
        values, copies = [], []
        for i, (kind, value) in enumerate(zip(self._signature, args)):
            if isinstance(value, arrays.ndarray) and (kind == 'const*' or kind.endswith(f'{value.dtype}*')):
                copies.append(_Copy(value, written='const' not in kind))
                values.append(ctypes.c_void_p(copies[-1].address))
            elif kind.endswith('*') and type(value) is int and value == 0:
                values.append(ctypes.c_void_p())
            elif kind in _NUMBERS and type(value) is _NUMBERS[kind][0]:
                values.append(_NUMBERS[kind][1](value))
            else:
                raise TypeError(f'{self._name}: parameter {i} is {kind}, not {getattr(value, "dtype", type(value))}')
        if any(a.written and a.overlaps(b) for a in copies for b in copies if a is not b):
            raise NotImplementedError(f'{self._name}: the stand-in runs no kernel in place')
        if not self._run(_three(grid), _three(block), (ctypes.c_void_p * len(values))(*map(ctypes.addressof, values))):
            raise RuntimeError(f'{self._name}: the threads of a block wait at different barriers')
        for copy in copies:
            copy.give_back(self._name)


class _Copy:
    """A copy of the memory from an array's first byte to its last one, between bands of NaN."""

    def __init__(self, array, written):
        memory = arrays.unwrap(array)
        steps = [stride * (length - 1) for stride, length in zip(memory.strides, memory.shape)]
        before = -sum(min(step, 0) for step in steps)
        size = sum(map(abs, steps)) + memory.itemsize if memory.size else 0
        self.first = memory.ctypes.data - before
        self._original = numpy.frombuffer((ctypes.c_ubyte * size).from_address(self.first), numpy.uint8)
        self._bytes = numpy.empty(size + 2 * _BAND, numpy.uint8)
        self._bytes[_BAND:-_BAND] = self._original
        self._bands = [self._bytes[part].view(numpy.uint32) for part in (slice(_BAND), slice(-_BAND, None))]
        self.written, self._nan = written, _WRITTEN if written else _READ
        for band in self._bands:
            band.fill(self._nan)
        self.address = self._bytes.ctypes.data + _BAND + before

    def overlaps(self, other):
        return self.first < other.first + len(other._original) and other.first < self.first + len(self._original)

    def give_back(self, name):
        """The array gets what the kernel wrote."""
        if any((band != self._nan).any() for band in self._bands):
            raise RuntimeError(f'{name}: writes outside an array')
        if self.written:
            self._original[...] = self._bytes[_BAND:-_BAND]


def _three(lengths):
    return (ctypes.c_uint * 3)(*lengths)
