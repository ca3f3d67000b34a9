"""Uncertain weights: their moments are those of the closed form, in training by noise and in use by draws."""
import chainer
import chainer.functions as F
import numpy
import pytest
from scipy import integrate
from scipy.ndimage import correlate
from scipy.stats import norm

from models.convolution_3d import Convolution3D
from models.noise import Noise
from models.noisy_convolution_3d import DROPPED, STEP, DroppedInputs, VariationalConvolution3D


def batch(n=1, channels=2, side=4):
    return numpy.random.default_rng(0).random((n, channels, side, side, side)).astype(numpy.float32)


def variational(per_kernel, **settings):
    layer = VariationalConvolution3D(2, 3, 3, noise=Noise(), per_kernel=per_kernel, **settings)
    rng = numpy.random.default_rng(1)
    layer.spread.array[...] = rng.uniform(-3, 0, layer.spread.shape) / STEP
    layer.b.array[...] = rng.normal(size=3)
    return layer


def closed_form(layer, x):
    """The output's mean F * x + b and its variance (alpha F^2) * x^2, by SciPy, float64."""
    W = layer.W.array.astype(float)
    alpha = numpy.exp(layer.log_alpha.array.astype(float))
    alpha = alpha.reshape(W.shape) if alpha.shape[1] > 1 else alpha.reshape(-1, 1, 1, 1, 1)

    def convolve(images, filters):
        return numpy.array([sum(correlate(image, taps, mode='constant') for image, taps in zip(images, kernel))
                            for kernel in filters])

    mean = convolve(x[0].astype(float), W) + layer.b.array[:, None, None, None]
    return mean, convolve(x[0].astype(float) ** 2, alpha * W * W)


def assert_moments(outputs, mean, variance):
    """Of T outputs, within five standard errors; 3 x 64 values are looked at."""
    outputs = numpy.array(outputs, float)
    error = (outputs.mean(axis=0) - mean) / numpy.sqrt(variance / len(outputs))
    assert numpy.abs(error).max() < 5 and error.std() < 2
    ratio = outputs.var(axis=0, ddof=1) / variance
    assert numpy.abs(ratio - 1).max() < 5 * numpy.sqrt(2 / len(outputs))


@pytest.mark.parametrize('per_kernel', [False, True])
def test_in_training_the_outputs_are_drawn_with_the_moments_of_the_closed_form(per_kernel):
    """All in one batch: each example has noise of its own, and so has each voxel."""
    layer, x = variational(per_kernel), batch()
    y = layer(x.repeat(3000, axis=0)).array
    assert_moments(y, *closed_form(layer, x))
    neighbours = numpy.corrcoef(y[:, 0, 1, 1, 1], y[:, 0, 1, 1, 2])[0, 1]
    assert abs(neighbours) < 0.1


@pytest.mark.parametrize('per_kernel', [False, True])
def test_networks_that_are_drawn_have_the_moments_of_the_closed_form(per_kernel):
    layer, x = variational(per_kernel), batch()
    with chainer.no_backprop_mode():
        outputs = [layer.drawn(x, numpy.random.default_rng(seed)).array[0] for seed in range(1500)]
    assert_moments(outputs, *closed_form(layer, x))


def test_in_use_it_is_the_convolution_of_the_mean_weights():
    layer, x = variational(False, relu=True), batch(2)
    plain = Convolution3D(2, 3, 3, initialW=layer.W.array, initial_bias=layer.b.array, relu=True)
    with chainer.using_config('train', False):
        numpy.testing.assert_array_equal(layer(x).array, plain(x).array)
    assert numpy.abs(layer(x).array - plain(x).array).max() > 1e-3 and (layer(x).array >= 0).all()


@pytest.mark.parametrize('per_kernel, count', [(False, 3 * 2 * 27), (True, 3)])
def test_type_one_has_an_alpha_for_each_weight_and_type_two_for_each_kernel(per_kernel, count):
    assert VariationalConvolution3D(2, 3, 3, noise=Noise(), per_kernel=per_kernel).spread.size == count


@pytest.mark.parametrize('log_alpha', [-8.0, -3.0, -1.0, 0.0, 1.0, 3.0])
@pytest.mark.parametrize('per_kernel', [False, True])
def test_the_divergence_is_the_integral_for_each_weight(per_kernel, log_alpha):
    """KL of N(1, alpha) from a density that is uniform in log |w|, with the constant that makes it 0 at infinity.

    There E log |w| = log(alpha) / 2 + E log |z| of a standard z, which is -(Euler's gamma + log 2) / 2.
    """
    sigma = numpy.exp(log_alpha / 2)

    def term(w):
        return norm.pdf(w, 1, sigma) * numpy.log(abs(w))

    ends = [1 - 12 * sigma, 0, 1, 1 + 12 * sigma]
    expected_log = sum(integrate.quad(term, *pair, limit=200)[0] for pair in zip(ends, ends[1:]) if pair[0] < pair[1])
    exact = expected_log - log_alpha / 2 + (numpy.euler_gamma + numpy.log(2)) / 2
    layer = VariationalConvolution3D(2, 3, 3, noise=Noise(), per_kernel=per_kernel)
    layer.spread.array[...] = log_alpha / STEP
    assert float(layer.divergence().array) / layer.W.size == pytest.approx(exact, abs=0.01)


def test_the_divergence_draws_alpha_upwards():
    layer = variational(False)
    layer.cleargrads()
    layer.divergence().backward()
    assert (layer.spread.grad < 0).all()


@pytest.mark.parametrize('start', [1e-2, 1e-6])
def test_alpha_becomes_what_the_data_leave_open_wherever_it_starts(start):
    """One weight w, y = w x + noise of deviation s, N voxels: the bound is best at alpha = s^2 / (N w^2 E x^2)."""
    w, s, voxels = 0.5, 0.1, 400
    rng = numpy.random.default_rng(0)
    layer = VariationalConvolution3D(1, 1, 1, noise=Noise(), per_kernel=False, initialW=w)
    layer.spread.array[...] = numpy.log(start) / STEP
    optimizer = chainer.optimizers.Adam().setup(layer)
    layer.W.update_rule.enabled = layer.b.update_rule.enabled = False

    def loss():
        x = rng.normal(size=(1, 1, 10, 10, 10)).astype(numpy.float32)
        y = w * x + s * rng.normal(size=x.shape).astype(numpy.float32)
        return F.mean_squared_error(layer(x), y) / (2 * s * s) + layer.divergence() / voxels

    for step in range(300):
        optimizer.alpha = 0.02 * (1 - step / 300)
        optimizer.update(loss)
    assert float(layer.log_alpha.array.ravel()[0]) == pytest.approx(numpy.log(s * s / voxels / w ** 2), abs=0.3)


def test_the_same_seed_is_the_same_noise_and_another_one_is_not():
    layer, x = variational(False), batch()

    def after(*seed):
        layer.noise.seed(*seed)
        return layer(x).array

    first = after(1, 7)
    numpy.testing.assert_array_equal(after(1, 7), first)
    assert all((after(*other) != first).all() for other in ((1, 8), (2, 7), (7, 1)))
    assert (layer(x).array != after(7, 1)).all()  # and the next batch's is new


@pytest.mark.parametrize('layer', [variational(False), DroppedInputs(2, 3, 3, noise=Noise())])
def test_a_share_of_a_batch_sees_the_noise_that_it_has_in_the_whole_one(layer):
    x, parts = batch(n=5), []
    layer.noise.seed(1, 7)
    whole = [layer(x).array, layer(x).array]
    for share in (slice(0, 2), slice(2, 5)):
        layer.noise.seed(1, 7, batchsize=5, share=share)
        parts.append([layer(x[share]).array, layer(x[share]).array])
    for number in (0, 1):
        numpy.testing.assert_allclose(numpy.concatenate([part[number] for part in parts]), whole[number], atol=1e-5)


def dropped():
    layer = DroppedInputs(40, 3, 1, noise=Noise(), nobias=True, initialW=1)
    return layer, numpy.ones((200, 40, 2, 2, 2), numpy.float32)


def test_binary_dropout_leaves_out_whole_maps_of_each_example_and_keeps_the_mean():
    layer, x = dropped()
    y = layer(x).array
    assert (y == y[:, :1, :1, :1, :1]).all()
    kept = y[:, 0, 0, 0, 0] * (1 - DROPPED)
    numpy.testing.assert_allclose(kept, kept.round(), atol=1e-4)
    assert len(numpy.unique(kept.round())) > 4
    assert kept.mean() / 40 == pytest.approx(1 - DROPPED, abs=4 * numpy.sqrt(DROPPED * (1 - DROPPED) / 8000))
    with chainer.using_config('train', False):
        numpy.testing.assert_allclose(layer(x).array, 40, rtol=1e-6)


def test_a_drawn_network_leaves_out_the_same_maps_in_every_example_and_voxel():
    layer, x = dropped()
    outputs = [layer.drawn(x, numpy.random.default_rng(seed)).array for seed in range(100)]
    assert all(numpy.ptp(y) == 0 for y in outputs)
    kept = numpy.array([y.flat[0] for y in outputs]) * (1 - DROPPED)
    assert kept.mean() / 40 == pytest.approx(1 - DROPPED, abs=4 * numpy.sqrt(DROPPED * (1 - DROPPED) / 4000))
    assert kept.std() == pytest.approx(numpy.sqrt(40 * DROPPED * (1 - DROPPED)), rel=0.3)


@pytest.mark.gpu
@pytest.mark.parametrize('kind', ['binary', 'per_weight', 'per_kernel'])
def test_a_network_drawn_on_a_gpu_is_that_of_the_cpu_and_training_there_has_gradients(kind, gpu):
    layer = (DroppedInputs(2, 3, 3, noise=Noise()) if kind == 'binary' else variational(kind == 'per_kernel'))
    x = batch(2)
    expected = layer.drawn(x, numpy.random.default_rng(3)).array
    layer.to_device(gpu)
    drawn = layer.drawn(gpu.send(x), numpy.random.default_rng(3)).array
    numpy.testing.assert_allclose(drawn.get(), expected, rtol=1e-4, atol=1e-5)
    layer.noise.seed(1)
    y = layer(gpu.send(x))
    loss = F.sum(y * y) + layer.divergence()
    layer.cleargrads()
    loss.backward()
    assert all(numpy.isfinite(param.grad.get()).all() and param.grad.get().any() for param in layer.params())
