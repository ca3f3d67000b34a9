import numpy
import pytest

from models.spread import Spread


def spread_of(arrays):
    spread = Spread()
    for array in arrays:
        spread.add(array)
    return spread


@pytest.mark.parametrize('count', [2, 9])
def test_mean_and_variance_are_numpy_s_of_arrays_that_lie_in_memory_as_a_convolution_leaves_them(count):
    stack = numpy.random.default_rng(0).normal(size=(count, 2, 5, 30, 31, 20)).astype(numpy.float32)
    spread = spread_of(array.transpose(0, 4, 1, 2, 3) for array in stack)
    assert spread.count == count
    expected = stack.transpose(0, 1, 5, 2, 3, 4)
    numpy.testing.assert_allclose(spread.mean(), expected.mean(axis=0), rtol=1e-5, atol=1e-6)
    numpy.testing.assert_allclose(spread.variance(), expected.var(axis=0, ddof=1), rtol=1e-4, atol=1e-6)
    assert spread.mean().dtype == spread.variance().dtype == numpy.float32


def test_a_spread_far_smaller_than_the_values_is_not_lost():
    """The mean of squares less the square of the mean would have no digit left of it in float32."""
    rng = numpy.random.default_rng(0)
    stack = (1000 + 0.01 * rng.normal(size=(50, 3, 4))).astype(numpy.float32)
    numpy.testing.assert_allclose(spread_of(stack).variance(), stack.astype(float).var(axis=0, ddof=1), rtol=1e-3)


def test_it_keeps_what_it_was_given_although_the_memory_is_used_again():
    array = numpy.zeros((3, 4))
    spread = Spread()
    for value in (1, 3):
        array[...] = value
        spread.add(array)
    assert (spread.mean() == 2).all() and (spread.variance() == 2).all()


def test_means_of_several_give_the_variance_of_a_single_one():
    """The mean square between groups, written out."""
    values, sizes = numpy.random.default_rng(0).normal(size=(12, 5)), (3, 1, 5, 3)
    groups = numpy.split(values, numpy.cumsum(sizes)[:-1])
    spread = Spread()
    for group in groups:
        spread.add(group.mean(axis=0), len(group))
    assert spread.count == 12
    numpy.testing.assert_allclose(spread.mean(), values.mean(axis=0), rtol=1e-12)
    between = sum(len(group) * (group.mean(axis=0) - values.mean(axis=0)) ** 2 for group in groups) / 3
    numpy.testing.assert_allclose(spread.variance(), between, rtol=1e-9)


@pytest.mark.gpu
def test_gpu_equals_cpu(gpu):
    stack = numpy.random.default_rng(0).normal(size=(4, 2, 3, 5, 6)).astype(numpy.float32)
    on_cpu, on_gpu = spread_of(stack), spread_of(gpu.send(array) for array in stack)
    for one, other in ((on_cpu.mean(), on_gpu.mean()), (on_cpu.variance(), on_gpu.variance())):
        numpy.testing.assert_allclose(other.get(), one, rtol=1e-5, atol=1e-7)
