"""The stand-in's functions: those of CuPy that this project and what it uses of Chainer call, and no others."""
import functools
import sys

import numpy

from tests.strict_cupy import arrays
from tests.strict_cupy.arrays import unwrap, wrap

# A name that is not here raises AttributeError on the stand-in. Before it is added, see that CuPy has it:
# tests/strict_cupy/test_strict_cupy.py asks the real one where there is a GPU.
FUNCTIONS = ['absolute', 'add', 'arange', 'broadcast_to', 'concatenate', 'divide', 'empty_like', 'exp',
             'log', 'log1p', 'matmul', 'maximum', 'multiply', 'negative', 'ones', 'ones_like', 'power', 'sign', 'sqrt',
             'square', 'stack', 'subtract', 'zeros', 'zeros_like']


def device_function(function):
    """NumPy's function on the memory of arrays of the device; it takes no numpy.ndarray and returns none."""
    @functools.wraps(function)
    @numpy.errstate(all='ignore')
    def call(*args, out=None, **kwargs):
        if out is not None:
            kwargs['out'] = unwrap(out)
        result = function(*unwrap(args), **unwrap(kwargs))
        return wrap(result) if out is None else out
    return call


class ElementwiseKernel:
    """A kernel whose C++ is assignments alone, such as that of Chainer's Adam: they are run, as Python.

    Args:
        in_params (str): ``'T x, raw T y'``.
        out_params (str): The same.
        operation (str): C++ statements.
        name (str): Its name.
    """

    def __init__(self, in_params, out_params, operation, name, **options):
        self._in, self._out = ([p.split()[-2:] for p in params.split(',')] for params in (in_params, out_params))
        self._statements = [' '.join(s.split()) for s in operation.split(';') if s.strip()]
        self._name, self._options = name, options

    def __call__(self, *args):
        """Run it on arrays of the device and scalars, first those that are read, then those that are written.

        Returns:
            ndarray or tuple: What is written, new where it is not given.

        Raises:
            TypeError: For an array of the host, or for two types where the kernel has one.
            NotImplementedError: If the kernel is no such one.
        """
        params = self._in + self._out
        if len(args) not in (len(params), len(self._in)) or self._options:
            raise NotImplementedError(f'{self._name}: the stand-in runs kernels of arguments, and no options')
        if not all(isinstance(a, (arrays.ndarray, *arrays.SCALARS)) for a in args):
            raise TypeError(f'{self._name}: Unsupported type among {list(map(type, args))}')
        types = {}
        for (kind, _), value in zip(params, args):
            if isinstance(value, arrays.ndarray) and types.setdefault(kind, value.dtype) != value.dtype:
                raise TypeError(f'{self._name}: {kind} is {types[kind]} and {value.dtype}')
        values = {name: unwrap(a) if isinstance(a, arrays.ndarray) else types[kind].type(a)
                  for (kind, name), a in zip(params, args)}
        self._run(values, types)
        written = args[len(self._in):]
        for (_, name), target in zip(self._out, written):
            target[...] = wrap(values[name])
        written = written or [wrap(numpy.asarray(values[name], types[kind])) for kind, name in self._out]
        return written[0] if len(written) == 1 else tuple(written)

    @numpy.errstate(all='ignore')
    def _run(self, values, types):
        casts = {kind: functools.partial(numpy.asarray, dtype=dtype) for kind, dtype in types.items()}
        known = {'__builtins__': {}, 'sqrt': numpy.sqrt, 'tanh': numpy.tanh, 'min': numpy.minimum, 'max': numpy.maximum,
                 **casts}
        for statement in self._statements:
            target, sign, expression = _parse(statement, types)
            if sign is None:
                raise NotImplementedError(f'{self._name}: the stand-in cannot run: {statement}')
            value = eval(expression, known, values)
            values[target] = {'': lambda old, new: new, '+': numpy.add, '-': numpy.subtract}[sign](
                values.get(target), value)


def _parse(statement, types):
    """``'T a = b + static_cast<T>(c)'`` as ``('a', '', 'b + T(c)')``; the sign is None where it is something else."""
    left, equals, expression = statement.partition('=')
    words = left.split()
    sign = words.pop() if words and words[-1] in ('+', '-') else ''
    if words and words[0] in types:
        del words[0]
    for kind in types:
        expression = expression.replace(f'static_cast<{kind}>', kind)
    simple = equals and len(words) == 1 and words[0].isidentifier() and not set(expression) & set('?={}<>!&|[]')
    return (words[0], sign, expression.strip()) if simple else (None, None, None)


class UnknownKernel:
    """A kernel that the stand-in can name but not run."""

    def __init__(self, *args, **kwargs):
        pass

    def __call__(self, *args, **kwargs):
        raise NotImplementedError('the stand-in runs no such kernels')


def memoize(for_each_device=False):
    """Decorator that calls a function once for each set of arguments."""
    return functools.lru_cache(maxsize=None)


def get_array_module(*args):
    """The stand-in if an argument is an array of the device, else NumPy."""
    return sys.modules['cupy'] if any(isinstance(a, arrays.ndarray) for a in args) else numpy


TABLE = {name: device_function(getattr(numpy, name)) for name in FUNCTIONS}
TABLE.update(ndarray=arrays.ndarray, float32=numpy.float32, int32=numpy.int32, array=arrays.array, empty=arrays.empty,
             asarray=arrays.asarray, asnumpy=arrays.asnumpy, ascontiguousarray=arrays.ascontiguousarray,
             copyto=arrays.copyto, ElementwiseKernel=ElementwiseKernel,
             ReductionKernel=UnknownKernel, RawKernel=UnknownKernel, memoize=memoize, clear_memo=lambda: None,
             get_array_module=get_array_module,
             fuse=lambda *args, **kwargs: args[0] if args else lambda f: f)
