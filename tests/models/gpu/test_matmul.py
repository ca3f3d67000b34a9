"""Against NumPy's product, in float64."""
import numpy
import pytest

from models.gpu.matmul import matmul

pytestmark = pytest.mark.gpu
# (batch, rows, depth, columns): no tile divides them, long and narrow ones, depths that are split, single rows
CASES = [(1, 1, 1, 1), (3, 70, 33, 50), (1, 200, 100, 100), (1, 5, 600, 9), (2, 64, 16, 300), (40, 140, 20, 8),
         (7, 3, 2, 1)]
LARGE = [(216, 40, 20, 8), (216, 320, 100, 64), (1, 1, 20000, 100), (1, 50, 20001, 100), (1, 20000, 27, 50)]


def make(*shape):
    return numpy.random.default_rng(0).standard_normal(shape).astype('float32')


def assert_close(ours, theirs):
    assert ours.dtype == 'float32' and ours.shape == theirs.shape and ours.flags.c_contiguous
    assert numpy.linalg.norm(ours.get() - theirs) <= 1e-6 * numpy.linalg.norm(theirs)


@pytest.mark.parametrize('case', CASES + [pytest.param(case, marks=pytest.mark.slow) for case in LARGE], ids=str)
def test_the_product_is_numpys_whatever_the_strides(gpu_with_kernels, case):
    batch, rows, depth, columns = case
    a, b = make(batch, rows, depth), make(batch, depth, columns)
    expected = a.astype('float64') @ b.astype('float64')
    a, b = gpu_with_kernels.send(a), gpu_with_kernels.send(b)
    for one in (a, a.transpose(0, 2, 1).copy().transpose(0, 2, 1)):
        for other in (b, b.transpose(0, 2, 1).copy().transpose(0, 2, 1)):
            assert_close(matmul(one, other), expected)
    assert_close(matmul(a[0], b[0]), expected[0])
    assert_close(matmul(a[0], b), a[0].get().astype('float64') @ b.get())


def test_what_a_layer_does_to_it(gpu_with_kernels):
    a, b, bias, mask = make(333, 30), make(30, 70), make(70), make(333, 70)[::-1].copy()
    expected = numpy.maximum(a.astype('float64') @ b + bias, 0) * (mask > 0)
    a, b, bias, mask = map(gpu_with_kernels.send, (a, b, bias, mask))
    assert_close(matmul(a, b, bias, True, mask), expected)


@pytest.mark.parametrize('depth', [20, 5000])
def test_it_adds_to_what_is_there(gpu_with_kernels, depth):
    a, b, there = make(40, depth), make(depth, 30), make(40, 30)
    expected = there + a.astype('float64') @ b
    out = gpu_with_kernels.send(there)
    assert matmul(gpu_with_kernels.send(a), gpu_with_kernels.send(b), out=out, accumulate=True) is out
    assert_close(out, expected)


def test_the_same_to_the_bit_each_time(gpu_with_kernels):
    a, b = gpu_with_kernels.send(make(50, 5000)), gpu_with_kernels.send(make(5000, 100))
    assert all((matmul(a, b) == matmul(a, b)).all().get() for _ in range(5))
