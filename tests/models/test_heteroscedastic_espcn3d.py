import chainer
import numpy
import pytest
from chainer import gradient_check
from chainer.distributions import Normal

from models.espcn3d import ESPCN3D
from models.heteroscedastic_espcn3d import LEAST_VARIANCE, START_VARIANCE, HeteroscedasticESPCN3D, softplus
from models.network import ArgumentError, check_prediction
from util.config_files import load_config
from util.inference.network import build_network
from util.script import PROJECT, UserError
from util.training.losses import gaussian_nll
from util.volumes.sampling import Sampling


def lr_batch(channels=1):
    return numpy.random.default_rng(0).random((2, channels, 5, 6, 7)).astype(numpy.float32)


@pytest.mark.parametrize('channels, rate', [(1, (2, 2, 2)), (3, (1, 3, 2))])
def test_it_returns_a_gaussian_of_the_hr_batch_with_the_mean_of_one_network_and_the_variance_of_another(channels, rate):
    sampling = Sampling(rate)
    net, x = HeteroscedasticESPCN3D(sampling, channels, residual='linear'), lr_batch(channels)
    net.variance.conv3.W.array[...] = numpy.random.default_rng(1).normal(size=net.variance.conv3.W.shape)
    prediction = net(x)
    assert isinstance(prediction, Normal)
    check_prediction(prediction, sampling.hr_shape(x.shape))
    numpy.testing.assert_array_equal(prediction.mean.array, net.mean(x).array)
    softplus = numpy.logaddexp(0, net.variance(x).array.astype(float)) + LEAST_VARIANCE
    numpy.testing.assert_allclose(prediction.variance.array, softplus, rtol=1e-5)
    assert (net.sampling, net.in_channels, net.halo) == (sampling, channels, ESPCN3D(sampling, channels).halo)


def test_all_voxels_start_at_the_same_variance():
    prediction = HeteroscedasticESPCN3D(Sampling(2))(lr_batch())
    numpy.testing.assert_allclose(prediction.variance.array, START_VARIANCE, rtol=1e-3)


def test_softplus_is_its_formula_and_its_gradients_are_right_twice():
    x = numpy.linspace(-30, 30, 24).reshape(4, 6)
    numpy.testing.assert_allclose(softplus(x).array, numpy.logaddexp(0, x), rtol=1e-12)
    x = numpy.random.default_rng(0).normal(size=(2, 5))
    gradient_check.check_backward(softplus, x, numpy.ones_like(x), dtype='d')
    gradient_check.check_double_backward(softplus, x, numpy.ones_like(x), numpy.ones_like(x), dtype='d')


@pytest.mark.gpu
def test_softplus_on_a_gpu_is_that_of_the_cpu(gpu):
    x = numpy.linspace(-120, 120, 25, dtype=numpy.float32)
    on_gpu, on_cpu = chainer.Variable(gpu.send(x)), chainer.Variable(x)
    for y in (softplus(on_gpu), softplus(on_cpu)):
        chainer.functions.sum(y).backward()
    numpy.testing.assert_allclose(on_gpu.grad.get(), on_cpu.grad, rtol=1e-5)
    numpy.testing.assert_allclose(softplus(on_gpu).array.get(), softplus(on_cpu).array, rtol=1e-5)


@pytest.mark.parametrize('raw', [-1e6, -100.0, 100.0, 1e6])
def test_likelihood_and_gradients_are_finite_whatever_the_second_network_says(raw):
    """A softplus of -100 is 0 in float32, and one divides by the variance."""
    net = HeteroscedasticESPCN3D(Sampling(2))
    net.variance.conv3.b.array[...] = raw
    x = lr_batch()
    loss = gaussian_nll(net(x), numpy.full(Sampling(2).hr_shape(x.shape), 3, numpy.float32))
    net.cleargrads()
    loss.backward()
    assert numpy.isfinite(loss.array) and all(numpy.isfinite(param.grad).all() for param in net.params())


@pytest.mark.slow
def test_it_finds_a_noise_that_varies_in_space():
    """HR is LR's voxel plus noise whose deviation is a tenth where LR is bright and a hundredth where it is dark.

    The network of the mean is right from the start and stays so; else the variance would rightly hold its errors, too.
    """
    rng = numpy.random.default_rng(0)

    def batch():
        x = rng.integers(0, 2, (4, 1, 6, 6, 6)).astype(numpy.float32)
        hr = x.repeat(2, 2).repeat(2, 3).repeat(2, 4)
        return x, (hr + (0.01 + 0.09 * hr) * rng.standard_normal(hr.shape)).astype(numpy.float32), hr > 0.5

    net = HeteroscedasticESPCN3D(Sampling(2, (0.5, 0.5, 0.5)), residual='nearest', conv3_init='zero')
    optimizer = chainer.optimizers.Adam().setup(net)
    net.mean.disable_update()
    for step in range(250):
        optimizer.alpha = 3e-3 * (1 - step / 250)
        optimizer.update(lambda x, hr: gaussian_nll(net(x), hr), *batch()[:2])
    x, _, bright = batch()
    deviation = numpy.sqrt(net(x).variance.array)
    for region, true in ((bright, 0.1), (~bright, 0.01)):
        assert numpy.median(deviation[region]) == pytest.approx(true, rel=0.15)


def test_a_config_s_wrong_arguments_are_told_in_one_line():
    """They pass through to the networks inside, and are the user's all the same."""
    config = load_config(PROJECT / 'configs/x4_uncertain.yml', ['models.generator.args.ksizes=[1, 3]'])
    with pytest.raises(UserError, match='models.generator.args: .*ksizes must be three odd numbers'):
        build_network(config)


def test_arguments_that_cannot_be_are_refused_as_those_of_one_network():
    with pytest.raises(ArgumentError, match='ksizes must be three odd numbers'):
        HeteroscedasticESPCN3D(Sampling(2), ksizes=(2, 1, 3))
