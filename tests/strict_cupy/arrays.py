"""The stand-in's array: its memory is a device's, which the host neither reads nor writes by accident.

There are two devices. New arrays are made on the current one, and functions take arrays of that one alone.
"""
import collections
import operator
import types
import warnings

import numpy

# How many arrays went which way: 'to_device', 'to_host'. Real CuPy does not count; each one to the host waits for the
# device.
transfers = collections.Counter()

current = [0]  # numbers of the devices that are or were current, the last one now

SCALARS = (bool, int, float, complex, numpy.generic)
VIEWS = ['reshape', 'swapaxes', 'transpose']
METHODS = ['all', 'astype', 'copy', 'dot', 'mean', 'ravel', 'repeat', 'sum']
BINARY = {'add': numpy.add, 'sub': numpy.subtract, 'mul': numpy.multiply, 'truediv': numpy.divide,
          'floordiv': numpy.floor_divide, 'mod': numpy.remainder, 'pow': numpy.power, 'matmul': numpy.matmul,
          'and': numpy.bitwise_and, 'or': numpy.bitwise_or, 'xor': numpy.bitwise_xor}
COMPARISONS = {'eq': numpy.equal, 'ne': numpy.not_equal, 'lt': numpy.less, 'le': numpy.less_equal,
               'gt': numpy.greater, 'ge': numpy.greater_equal}
UNARY = {'neg': numpy.negative, 'pos': numpy.positive, 'abs': numpy.absolute, 'invert': numpy.invert}


class ndarray:
    """An array on the current device.

    Args:
        shape (int or tuple of int): Shape.
        dtype (numpy.dtype or str): Type of the elements.
    """

    __array_priority__ = 100

    def __init__(self, shape, dtype=float):
        self._memory = numpy.empty(shape, dtype)
        if self.dtype.kind in 'fc':
            self._memory.fill(numpy.nan)  # so that what is never written is seen
        self._device = current[-1]

    # From the host and to it

    def get(self, stream=None, *, out=None):
        """The elements as a numpy.ndarray of their own, or in one of the same shape and type."""
        transfers['to_host'] += 1
        if out is None:
            return self._memory.copy(order='C')
        if not isinstance(out, numpy.ndarray) or (out.dtype, out.shape) != (self.dtype, self.shape):
            raise ValueError(f'get: no numpy.ndarray of {self.dtype} and {self.shape} to write to')
        if not (self.flags.c_contiguous and out.flags.c_contiguous):
            raise RuntimeError('get: this array and the one to write to must be C-contiguous')
        out[...] = self._memory
        return out

    def set(self, array, stream=None):
        """Overwrite all elements with those of a numpy.ndarray of the same shape and type."""
        if not isinstance(array, numpy.ndarray):
            raise TypeError(f'set takes a numpy.ndarray, not {type(array)}')
        if array.dtype != self.dtype:
            raise TypeError(f'set: {array.dtype} into an array of {self.dtype}')
        if array.shape != self.shape:
            raise ValueError(f'set: {array.shape} into an array of {self.shape}')
        if not (self.flags.c_contiguous or self.flags.f_contiguous):
            raise RuntimeError('set: this array is not contiguous')
        transfers['to_device'] += 1
        self._memory[...] = array

    def item(self):
        return self.get().item()

    def tolist(self):
        return self.get().tolist()

    def __array__(self, dtype=None, copy=None):
        raise TypeError('Implicit conversion to a NumPy array is not allowed; use get()')

    def __reduce__(self):
        return array, (self.get(),)

    def __deepcopy__(self, memo):
        with self.device:
            return self.copy()

    # What NumPy's functions do with it: CuPy's function of the same name is called, which takes no numpy.ndarray

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        from tests.strict_cupy import functions
        function = functions.TABLE.get(ufunc.__name__)
        if method != '__call__' or function is None:
            return NotImplemented
        if not all(isinstance(x, (ndarray, numpy.ndarray, *SCALARS)) for x in inputs):
            return NotImplemented
        if 'out' in kwargs:
            kwargs['out'], = kwargs['out']
        return function(*inputs, **kwargs)

    def __array_function__(self, function, types, args, kwargs):
        from tests.strict_cupy import functions
        ours = functions.TABLE.get(function.__name__) if function.__module__ == 'numpy' else None
        return NotImplemented if ours is None else ours(*args, **kwargs)

    # What is known without a look at the elements

    shape, dtype, ndim, size, itemsize, nbytes, strides, flags = (
        property(operator.attrgetter(f'_memory.{name}'))
        for name in ('shape', 'dtype', 'ndim', 'size', 'itemsize', 'nbytes', 'strides', 'flags'))
    T = property(lambda self: self.transpose())

    @property
    def device(self):
        from tests.strict_cupy.modules import Device
        return Device(self._device)

    @property
    def data(self):
        """Where the elements are: its attribute ``ptr`` is an address, for a kernel."""
        return types.SimpleNamespace(ptr=self._memory.ctypes.data)

    def __len__(self):
        return len(self._memory)

    # Elements

    def __getitem__(self, index):
        at = _index(index)
        if any(isinstance(part, (numpy.ndarray, list)) for part in at):
            unwrap(self)
        return wrap(self._memory[at], self._device)

    def __setitem__(self, index, value):
        at, memory = _index(index), unwrap(self)
        if isinstance(value, numpy.ndarray) and value.shape != ():
            # A basic index fills a view, which takes a scalar; one with arrays makes an array of what it is given.
            if not any(isinstance(part, (numpy.ndarray, list)) for part in at):
                raise ValueError('a numpy.ndarray cannot be assigned to an array of the device; send it there first')
            transfers['to_device'] += 1
            memory[at] = value
        elif isinstance(value, (ndarray, numpy.ndarray, *SCALARS)):
            memory[at] = unwrap(value) if isinstance(value, ndarray) else value
        else:
            raise TypeError(f'Unsupported type {type(value)}')

    def __iter__(self):
        if not self.ndim:
            raise TypeError('iteration over a 0-d array')
        return (self[i] for i in range(len(self)))

    def fill(self, value):
        self[...] = value

    def scatter_add(self, index, value):
        warnings.warn('`ndarray.scatter_add` is deprecated. Please use `cupyx.scatter_add` instead.',
                      DeprecationWarning, stacklevel=2)
        numpy.add.at(unwrap(self), _index(index), unwrap(value))

    def __repr__(self):
        return repr(self.get())


def wrap(result, device=None):
    """An array of the device for an array or scalar of NumPy that is its memory; anything else as it is.

    Args:
        result (numpy.ndarray, a list or tuple of them, or anything): What a function of NumPy returned.
        device (int): Number of the device; None: the current one.
    """
    if isinstance(result, (numpy.ndarray, numpy.generic)):
        wrapped = ndarray.__new__(ndarray)
        wrapped._memory = numpy.asarray(result)  # as CuPy: a scalar is an array without axes, still on the device
        wrapped._device = current[-1] if device is None else device
        return wrapped
    if isinstance(result, (list, tuple)):
        return type(result)(wrap(part, device) for part in result)
    return result


def unwrap(value):
    """The memory of an argument, or of the arguments in it; a numpy.ndarray has none on the device.

    Raises:
        TypeError: For a numpy.ndarray.
        ValueError: For an array of another device than the current one.
    """
    if isinstance(value, ndarray):
        if value._device != current[-1]:
            raise ValueError(f'an array of device {value._device}, while device {current[-1]} is the current one')
        return value._memory
    if isinstance(value, numpy.ndarray):
        raise TypeError(f'Unsupported type {type(value)}')
    if isinstance(value, (list, tuple)):
        return type(value)(map(unwrap, value))
    return value


def array(obj, dtype=None, copy=True, order='K', ndmin=0):
    """An array of the device from one of the host, from one of the device, or from nested lists of numbers or of them.
    """
    if isinstance(obj, ndarray):
        return wrap(numpy.array(obj._memory, dtype, copy=copy, order=order, ndmin=ndmin))
    if isinstance(obj, (list, tuple)) and any(isinstance(part, ndarray) for part in obj):
        return wrap(numpy.array(unwrap(obj), dtype, ndmin=ndmin))
    made = numpy.array(obj, dtype, order=order, ndmin=ndmin)  # a copy: the device has memory of its own
    if made.dtype.kind not in 'biufc':
        raise ValueError(f'Unsupported dtype {made.dtype}')
    transfers['to_device'] += 1
    return wrap(made)


def empty(shape, dtype=float):
    """An array that nothing has been written to."""
    return ndarray(shape, dtype)


def asarray(a, dtype=None, order='K'):
    """As :func:`array`; an array of the device that needs no change is returned itself."""
    if isinstance(a, ndarray) and dtype in (None, a.dtype):
        return a
    return array(a, dtype, order=order)


def asnumpy(a):
    """A numpy.ndarray of what is on the device, or of anything else."""
    return a.get() if isinstance(a, ndarray) else numpy.asarray(a)


def ascontiguousarray(a, dtype=None):
    """The array itself, or a C-contiguous copy; this one is not for arrays of the host."""
    if dtype in (None, a.dtype) and isinstance(a, ndarray) and a.flags.c_contiguous:
        return a
    return wrap(numpy.ascontiguousarray(unwrap(a), dtype))


def copyto(dst, src):
    """Overwrite an array of the device with another one, or with a number."""
    unwrap(dst)[...] = unwrap(src)


def _index(index):
    """An index as a tuple for the memory. Those of the host's arrays in it that CuPy takes, it sends to the device."""
    parts = index if isinstance(index, tuple) else (index,)
    for part in parts:
        transfers['to_device'] += isinstance(part, (numpy.ndarray, list))
    parts = tuple(unwrap(part) if isinstance(part, ndarray) else part for part in parts)
    # With an ellipsis one element is a view, as on the device, and no number.
    return parts if any(part is Ellipsis for part in parts) else (*parts, ...)


def _operator(function, swapped=False):
    @numpy.errstate(all='ignore')  # a GPU does not tell of an overflow
    def compute(self, other):
        if not isinstance(other, (ndarray, numpy.ndarray, *SCALARS)):
            return NotImplemented
        operands = (other, self) if swapped else (self, other)
        return wrap(function(*unwrap(operands)))
    return compute


def _in_place(function):
    @numpy.errstate(all='ignore')
    def compute(self, other):
        function(unwrap(self), unwrap(other), out=unwrap(self))
        return self
    return compute


def _method(name):
    @numpy.errstate(all='ignore')
    def method(self, *args, out=None, **kwargs):
        if out is not None:
            kwargs['out'] = unwrap(out)
        result = getattr(self._memory if name in VIEWS else unwrap(self), name)(*unwrap(args), **kwargs)
        return out if out is not None else wrap(result, self._device)
    return method


for _name in VIEWS + METHODS:
    setattr(ndarray, _name, _method(_name))
for _name, _function in BINARY.items():
    setattr(ndarray, f'__{_name}__', _operator(_function))
    setattr(ndarray, f'__r{_name}__', _operator(_function, swapped=True))
    setattr(ndarray, f'__i{_name}__', _in_place(_function))
for _name, _function in COMPARISONS.items():
    setattr(ndarray, f'__{_name}__', _operator(_function))
for _name, _function in UNARY.items():
    setattr(ndarray, f'__{_name}__', lambda self, function=_function: wrap(function(unwrap(self))))
for _name, _convert in {'float': float, 'int': int, 'bool': bool, 'complex': complex}.items():
    setattr(ndarray, f'__{_name}__', lambda self, convert=_convert: convert(self.get()))
