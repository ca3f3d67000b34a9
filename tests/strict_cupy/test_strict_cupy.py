"""The stand-in refuses what CuPy refuses, and takes what it takes.

Where there is a GPU the same is asked of CuPy itself: what is said here of it has to be true there.
"""
import copy
import pickle

import numpy
import pytest

from tests.strict_cupy import functions, modules
from tests.strict_cupy.arrays import transfers

HOST = numpy.arange(6, dtype=numpy.float32).reshape(2, 3)


class StandIn:
    """The stand-in's functions as attributes, without an installed module."""
    cuda = modules

    def __getattr__(self, name):
        return functions.TABLE[name]


@pytest.fixture(params=['stand-in', pytest.param('cupy', marks=pytest.mark.gpu)])
def xp(request):
    return StandIn() if request.param == 'stand-in' else pytest.importorskip('cupy')


def same(array, expected):
    """Whether an array of the device holds these elements, of this type."""
    expected = numpy.asarray(expected)
    assert not isinstance(array, numpy.ndarray) and array.dtype == expected.dtype
    numpy.testing.assert_array_equal(array.get(), expected)


def add_in_place(one, other):
    one += other


def assign(array, index, value):
    array[index] = value


REFUSED = {
    'a NumPy array of it': lambda xp, a: numpy.asarray(a),
    'a NumPy array of a list of it': lambda xp, a: numpy.array([a[0, 0], a[0, 1]]),
    'a sum of both, device first': lambda xp, a: a + HOST,
    'a sum of both, host first': lambda xp, a: HOST + a,
    'a product of matrices, host first': lambda xp, a: HOST.T @ a,
    'a comparison': lambda xp, a: a < HOST,
    'an array without axes': lambda xp, a: a * numpy.array(2.0),
    'the host added in place': lambda xp, a: add_in_place(a, HOST),
    'the device added to the host in place': lambda xp, a: add_in_place(HOST.copy(), a),
    "NumPy's function of both": lambda xp, a: numpy.add(a, HOST),
    "NumPy's function of the device into the host": lambda xp, a: numpy.add(a, a, out=HOST.copy()),
    "CuPy's function of both": lambda xp, a: xp.maximum(a, HOST),
    "CuPy's function of the host": lambda xp, a: xp.add(HOST, HOST),
    "CuPy's function of the device into the host": lambda xp, a: xp.add(a, a, out=HOST.copy()),
    "CuPy's product of matrices of both": lambda xp, a: xp.matmul(a, HOST.T),
    'a stack of both by NumPy': lambda xp, a: numpy.stack([a, HOST]),
    'a concatenation of both': lambda xp, a: xp.concatenate([a, HOST]),
    'a contiguous copy of the host': lambda xp, a: xp.ascontiguousarray(HOST),
    'the host assigned': lambda xp, a: assign(a, ..., HOST),
    'the host assigned to a part': lambda xp, a: assign(a, (0, slice(1, None)), HOST[0, 1:]),
    'a list assigned': lambda xp, a: assign(a, 0, [1, 2, 3]),
    'a list set': lambda xp, a: a.set(HOST.tolist()),
    'another type set': lambda xp, a: a.set(HOST.astype(numpy.float64)),
    'another shape set': lambda xp, a: a.set(HOST.T),
    'into a view with gaps set': lambda xp, a: xp.zeros((2, 6), 'float32')[:, ::2].set(HOST),
}


@pytest.mark.parametrize('what', REFUSED)
def test_what_would_mix_host_and_device_is_refused(xp, what, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    a = xp.asarray(HOST)
    with pytest.raises((TypeError, ValueError, RuntimeError)):
        REFUSED[what](xp, a)
    same(a, HOST)


TAKEN = {
    'a Python number': (lambda xp, a: 2 * a + 1, 2 * HOST + 1),
    'a NumPy number on the left': (lambda xp, a: numpy.float32(2) * a, 2 * HOST),
    "NumPy's function of the device alone": (lambda xp, a: numpy.add(a, a), HOST + HOST),
    'a stack by NumPy': (lambda xp, a: numpy.stack([a, a]), numpy.stack([HOST, HOST])),
    'a list of the device': (lambda xp, a: xp.array([a[0], a[1]]), HOST),
    'a list of numbers': (lambda xp, a: xp.array([1.0, 2.0]), numpy.array([1.0, 2.0])),
    'a mirrored view': (lambda xp, a: a[::-1, ::-1], HOST[::-1, ::-1]),
    'an index of the host': (lambda xp, a: a[numpy.array([1, 0])], HOST[[1, 0]]),
    'a mask of the host': (lambda xp, a: a[HOST > 2], HOST[HOST > 2]),
    'a mask of the device': (lambda xp, a: a[a > 2], HOST[HOST > 2]),
    'a sum, without axes': (lambda xp, a: a.sum(), HOST.sum()),
    'a number into a sum': (lambda xp, a: sum([a, a]), HOST + HOST),
    'an output of the device': (lambda xp, a: xp.matmul(a, a.T, out=xp.empty((2, 2), 'float32')), HOST @ HOST.T),
    'a copy': (lambda xp, a: copy.deepcopy(a), HOST),
    'a pickle': (lambda xp, a: pickle.loads(pickle.dumps(a)), HOST),
}


@pytest.mark.parametrize('what', TAKEN)
def test_what_stays_on_the_device_is_done_there(xp, what):
    compute, expected = TAKEN[what]
    same(compute(xp, xp.asarray(HOST)), expected)


def test_numbers_and_arrays_come_to_the_host_when_they_are_asked_to(xp):
    a = xp.asarray(HOST)
    assert (float(a[1, 2]), int(a[1, 2]), bool(a[0, 0]), a[1, 2].item()) == (5.0, 5, False, 5.0)
    for array in (a.get(), xp.asnumpy(a)):
        assert type(array) is numpy.ndarray
        numpy.testing.assert_array_equal(array, HOST)
    assert a.tolist() == HOST.tolist() and [row.tolist() for row in a] == HOST.tolist()


def test_the_device_s_memory_is_its_own(xp):
    host = HOST.copy()
    a = xp.asarray(host)
    host[...] = -1
    same(a, HOST)
    a.get()[...] = -1
    same(a, HOST)
    assert xp.asarray(a) is a
    a[1:].fill(7)
    a[0, 0] = numpy.float32(8)
    a[0, 1] = numpy.array(9)
    same(a, numpy.array([[8, 9, 2], [7, 7, 7]], numpy.float32))
    a.set(HOST)
    same(a, HOST)
    element = a[1, 2]
    element[...] = 10
    assert float(a[1, 2]) == 10


def test_an_array_of_another_device_than_the_current_one_is_looked_at_and_fetched_but_not_computed_with():
    """CuPy lets two GPUs that reach each other's memory mix, with a warning; the stand-in's two do not."""
    with modules.Device(1):
        a = functions.TABLE['asarray'](HOST)
        same(a + a, 2 * HOST)
    assert (modules.Device().id, a.device.id, a[1:].T.device.id) == (0, 1, 1)
    same(a[1:].T, HOST[1:].T)
    other = functions.TABLE['asarray'](HOST)
    for compute in (lambda: a + 1, lambda: other + a, lambda: a.sum(), lambda: functions.TABLE['stack']([a, a]),
                    lambda: assign(a, ..., 0), lambda: assign(other, ..., a), lambda: add_in_place(other, a)):
        with pytest.raises(ValueError, match='device 1, while device 0'):
            compute()
    same(a, HOST)


def test_it_has_no_name_that_cupy_has_not(xp):
    for name in functions.TABLE:
        getattr(xp, name)


def test_transfers_are_counted():
    transfers.clear()
    a = functions.TABLE['asarray'](HOST)
    a = (a + a)[::-1].sum()
    assert transfers == {'to_device': 1}
    float(a)
    a.set(a.get())
    assert transfers == {'to_device': 2, 'to_host': 2}


def test_a_kernel_of_assignments_runs_and_any_other_says_that_it_cannot():
    make, asarray = functions.TABLE['ElementwiseKernel'], functions.TABLE['asarray']
    decay = make('T x, T share', 'T y', 'T part = static_cast<T>(x) * share;\n y -= min(part, y);', 'decay')
    x, y = asarray(HOST), asarray(HOST + 1)
    decay(x, 0.25, y)
    same(y, HOST + 1 - HOST / 4)
    with pytest.raises(TypeError, match='float32 and float64'):
        decay(x, 0.25, asarray(HOST.astype(float)))
    with pytest.raises(TypeError, match='Unsupported type'):
        decay(HOST, 0.25, y)
    for operation in ('y = x > 0 ? x : 0', 'if (x > 0) y = x', 'y[i] = x'):
        with pytest.raises(NotImplementedError, match='cannot run'):
            make('T x', 'T y', operation, 'other')(x, y)


def test_it_is_not_installed_beside_a_chainer_that_is_imported():
    with pytest.raises(RuntimeError, match='imported already'):
        modules.install()
