import chainer
import numpy
import pytest
from chainer.distributions import Normal

from models.espcn3d import ESPCN3D
from models.heteroscedastic_espcn3d import HeteroscedasticESPCN3D
from models.network import ArgumentError, check_prediction
from models.variance import LEAST_VARIANCE
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
    raw = ESPCN3D.forward(net.variance, x).array.astype(float)
    numpy.testing.assert_allclose(prediction.variance.array, numpy.logaddexp(0, raw) + LEAST_VARIANCE, rtol=1e-5)
    assert (net.sampling, net.in_channels, net.halo) == (sampling, channels, ESPCN3D(sampling, channels).halo)


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


def test_a_fixed_mean_has_no_gradient_and_the_variance_has_the_one_that_it_has_otherwise():
    nets = [HeteroscedasticESPCN3D(Sampling(2), fixed_mean=fixed) for fixed in (False, True)]
    nets[1].copyparams(nets[0])
    x = lr_batch()
    hr = numpy.random.default_rng(1).random(Sampling(2).hr_shape(x.shape)).astype(numpy.float32)
    for net in nets:
        net.cleargrads()
        gaussian_nll(net(x), hr).backward()
    for (name, free), (_, fixed) in zip(*(sorted(net.namedparams()) for net in nets)):
        if name.startswith('/mean/'):
            assert fixed.grad is None and numpy.abs(free.grad).max() > 0, name
        else:
            numpy.testing.assert_array_equal(fixed.grad, free.grad, name)


@pytest.mark.slow
def test_it_finds_a_noise_that_varies_in_space():
    """HR is LR's voxel plus noise whose deviation rises with it, from 0.02 to 0.12: slope 1 and no offset are right."""
    rng = numpy.random.default_rng(0)

    def batch():
        x = rng.random((4, 1, 8, 8, 8)).astype(numpy.float32)
        hr = x.repeat(2, 2).repeat(2, 3).repeat(2, 4)
        true = 0.02 + 0.1 * hr
        return x, (hr + true * rng.standard_normal(hr.shape)).astype(numpy.float32), true

    net = HeteroscedasticESPCN3D(Sampling(2, (0.5, 0.5, 0.5)), residual='nearest', conv3_init='zero')
    optimizer = chainer.optimizers.Adam(beta2=0.99).setup(net)
    for step in range(3000):
        optimizer.alpha = 4e-3 * (1 - step / 3000)
        optimizer.update(lambda x, hr: gaussian_nll(net(x), hr), *batch()[:2])
    x, _, true = batch()
    slope, offset = numpy.polyfit(true.ravel(), numpy.sqrt(net(x).variance.array.ravel()), 1)
    assert slope == pytest.approx(1, abs=0.05) and abs(offset) < 0.003


def test_a_config_s_wrong_arguments_are_told_in_one_line():
    """They pass through to the networks inside, and are the user's all the same."""
    config = load_config(PROJECT / 'configs/x4_uncertain.yml', ['models.generator.args.ksizes=[1, 3]'])
    with pytest.raises(UserError, match='models.generator.args: .*ksizes must be three odd numbers'):
        build_network(config)


def test_arguments_that_cannot_be_are_refused_as_those_of_one_network():
    with pytest.raises(ArgumentError, match='ksizes must be three odd numbers'):
        HeteroscedasticESPCN3D(Sampling(2), ksizes=(2, 1, 3))
    with pytest.raises(ArgumentError, match='fixed_mean must be true or false; got 1'):
        HeteroscedasticESPCN3D(Sampling(2), fixed_mean=1)
