import chainer
import numpy
import pytest
from chainer import gradient_check

from models.pixel_shuffler_3d import PixelShuffler3D, pixel_shuffler_3d, unshuffle


def random_input(channels, rate, dtype=numpy.float32):
    rz, ry, rx = rate
    return numpy.random.default_rng(0).normal(size=(2, channels * rz * ry * rx, 3, 2, 4)).astype(dtype)


@pytest.mark.parametrize('channels', [1, 2, 6])
@pytest.mark.parametrize('r', [1, 2, 3, 4])
def test_every_element_follows_the_published_formula(channels, r):
    x = random_input(channels, (r, r, r))
    y = pixel_shuffler_3d(x, r).array
    assert y.shape == (2, channels, r * 3, r * 2, r * 4)
    for n, c, k, j, i in numpy.ndindex(y.shape):  # i along x, the last axis; j along y; k along z
        assert y[n, c, k, j, i] == x[n, r**3 * c + i % r + r * (j % r) + r**2 * (k % r), k // r, j // r, i // r]


@pytest.mark.parametrize('rate', [(4, 1, 1), (1, 2, 3), (2, 2, 1)])
def test_every_element_follows_the_formula_at_a_rate_per_axis(rate):
    rz, ry, rx = rate
    x = random_input(2, rate)
    y = pixel_shuffler_3d(x, rate).array
    assert y.shape == (2, 2, rz * 3, ry * 2, rx * 4)
    for n, c, k, j, i in numpy.ndindex(y.shape):
        channel = rx * ry * rz * c + i % rx + rx * (j % ry) + rx * ry * (k % rz)
        assert y[n, c, k, j, i] == x[n, channel, k // rz, j // ry, i // rx]


@pytest.mark.parametrize('rate', [(2, 2, 2), (3, 1, 2)])
def test_unshuffle_is_the_inverse(rate):
    x = random_input(3, rate)
    numpy.testing.assert_array_equal(unshuffle(pixel_shuffler_3d(x, rate).array, rate), x)


def test_any_memory_layout_gives_the_same():
    rate = (2, 3, 2)
    x = random_input(2, rate)
    y = pixel_shuffler_3d(x, rate).array
    for order in ((0, 2, 3, 4, 1), (4, 3, 2, 1, 0)):
        back = numpy.argsort(order)
        numpy.testing.assert_array_equal(pixel_shuffler_3d(x.transpose(order).copy().transpose(back), rate).array, y)
        numpy.testing.assert_array_equal(unshuffle(y.transpose(order).copy().transpose(back), rate), x)


@pytest.mark.parametrize('dtype', [numpy.float16, numpy.float32, numpy.float64])
def test_dtype_is_kept_forward_and_backward(dtype):
    x = chainer.Variable(random_input(1, (2, 2, 2), dtype))
    y = pixel_shuffler_3d(x, 2)
    y.grad = y.array.copy()
    y.backward()
    assert y.dtype == x.grad.dtype == dtype
    numpy.testing.assert_array_equal(x.grad, x.array)  # the gradient is the inverse permutation


@pytest.mark.parametrize('rate', [(2, 2, 2), (4, 1, 1)])
def test_first_and_second_gradients_agree_with_numerical_ones(rate):
    rng = numpy.random.default_rng(1)
    x = random_input(2, rate, numpy.float64)
    gy, ggx = rng.normal(size=pixel_shuffler_3d(x, rate).shape), rng.normal(size=x.shape)
    gradient_check.check_backward(lambda x: pixel_shuffler_3d(x, rate), x, gy, dtype=numpy.float64)
    # squared, since the second derivative of a permutation alone is zero
    gradient_check.check_double_backward(lambda x: pixel_shuffler_3d(x, rate)**2, x, gy, ggx, dtype=numpy.float64)


@pytest.mark.parametrize('shape, dtype, error, words', [
    ((1, 64, 2, 2), 'f', ValueError, r'5 axes.*got 4, shape \(1, 64, 2, 2\)'),
    ((1, 63, 2, 2, 2), 'f', ValueError, r'channels \(63\) must be divisible by .* = 4\*4\*4 = 64'),
    ((1, 64, 2, 2, 2), 'i', TypeError, 'got int32'),
])
def test_wrong_input_is_refused_with_its_numbers(shape, dtype, error, words):
    with pytest.raises(error, match=words):
        pixel_shuffler_3d(numpy.zeros(shape, dtype), 4)


@pytest.mark.parametrize('rate', [0, (2, 2), (2, 2, 0), 1.5])
def test_wrong_rate_is_refused(rate):
    with pytest.raises((ValueError, TypeError)):
        PixelShuffler3D(rate)


@pytest.mark.gpu
def test_gpu_equals_cpu_up_to_the_second_gradient(gpu):
    def results(x):
        x = chainer.Variable(x)
        y = pixel_shuffler_3d(x, (2, 1, 3))
        gx, = chainer.grad([y * y], [x], enable_double_backprop=True)
        ggx, = chainer.grad([gx * gx], [x])
        return y.array, gx.array, ggx.array

    x = random_input(2, (2, 1, 3))
    for on_gpu, on_cpu in zip(results(gpu.send(x)), results(x), strict=True):
        numpy.testing.assert_allclose(on_gpu.get(), on_cpu, rtol=1e-6)
