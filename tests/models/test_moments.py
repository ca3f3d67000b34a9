import numpy
import pytest
from scipy.ndimage import correlate

from models.moments import moments


def convolve(x, W):
    """SciPy's, float64: (C, D, H, W) -> (C_out, D, H, W)."""
    return numpy.array([sum(correlate(image, taps, mode='constant') for image, taps in zip(x, kernel)) for kernel in W])


@pytest.mark.parametrize('count', [2, 8])
def test_of_few_draws_it_is_their_variance_and_what_the_weights_add_to_it(count):
    rng = numpy.random.default_rng(0)
    draws = rng.normal(1, 1, (count, 1, 2, 5, 6, 7))
    W, b, variance = rng.normal(size=(4, 2, 3, 3, 3)), rng.normal(size=4), rng.random((4, 2, 3, 3, 3))
    mean, found = moments(iter(draws), count, W, b, variance)
    outputs = numpy.array([convolve(x, W) + b[:, None, None, None] for x in draws[:, 0]])
    numpy.testing.assert_allclose(mean[0], outputs.mean(axis=0), rtol=1e-9, atol=1e-9)
    expected = outputs.var(axis=0, ddof=1) + convolve((draws[:, 0] ** 2).mean(axis=0), variance)
    numpy.testing.assert_allclose(found[0], expected, rtol=1e-9)


@pytest.mark.parametrize('count, groups', [(2, 2), (8, 8), (13, 8), (40, 10)])
def test_the_mean_of_the_variances_is_the_variance_however_many_draws_are_averaged(count, groups):
    """x normal, of mean m and variance s^2: w x has the variance W^2 s^2 + V (m^2 + s^2), added over the channels."""
    rng, trials = numpy.random.default_rng(0), 5000
    m, s, W, V = (numpy.array(pair) for pair in ((1, -2), (0.5, 1.5), (0.7, -1.2), (0.3, 0.1)))
    draws = (rng.normal(m, s, (trials, 2))[:, :, None, None, None] for _ in range(count))
    shape = 1, 2, 1, 1, 1
    mean, found = moments(draws, count, W.reshape(shape), numpy.zeros(1), V.reshape(shape))
    exact = (W ** 2 * s ** 2 + V * (m ** 2 + s ** 2)).sum()
    assert mean.mean() == pytest.approx(W @ m, abs=5 * mean.std() / numpy.sqrt(trials))
    assert found.mean() == pytest.approx(exact, abs=5 * found.std() / numpy.sqrt(trials))
    # ... and it is as uncertain as so few groups make it: of the part that is not known beforehand.
    assert found.std() >= 0.9 * (W ** 2 * s ** 2).sum() * numpy.sqrt(2 / (groups - 1))


def test_the_memory_of_a_draw_may_be_that_of_the_one_before():
    rng = numpy.random.default_rng(0)
    values, W = rng.normal(size=(20, 1, 2, 4, 4, 4)), rng.normal(size=(3, 2, 1, 1, 1))

    def in_one_place():
        x = numpy.empty(values.shape[1:])
        for value in values:
            x[...] = value
            yield x

    for found, expected in zip(moments(in_one_place(), 20, W, numpy.zeros(3), W * W),
                               moments(iter(values), 20, W, numpy.zeros(3), W * W)):
        numpy.testing.assert_array_equal(found, expected)


@pytest.mark.gpu
def test_gpu_equals_cpu(gpu):
    rng = numpy.random.default_rng(0)
    draws = rng.normal(size=(20, 1, 4, 5, 6, 7)).astype(numpy.float32)
    W, b = rng.normal(size=(8, 4, 3, 3, 3)).astype(numpy.float32), numpy.ones(8, numpy.float32)
    expected = moments(iter(draws), 20, W, b, W * W)
    found = moments(map(gpu.send, draws), 20, *map(gpu.send, (W, b, W * W)))
    for on_gpu, on_cpu in zip(found, expected):
        numpy.testing.assert_allclose(on_gpu.get(), on_cpu, rtol=1e-3, atol=1e-4)
