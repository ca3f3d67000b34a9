import chainer
import numpy
import pytest
from chainer.distributions import Normal

from models.espcn3d import ESPCN3D
from util.scores.metrics import psnr
from util.training.evaluator import VolumeEvaluator
from util.training.losses import LOSSES
from util.volumes.interpolation import upsample
from util.volumes.sampling import Sampling


def nearest_neighbour(sampling, in_channels=1):
    """A residual network of zero weights is nearest-neighbour interpolation, whose loss and PSNR are known."""
    net = ESPCN3D(sampling, in_channels, residual='nearest')
    for param in net.params():
        param.array[...] = 0
    return net


def report(net, pairs, loss):
    observation = {}
    with chainer.reporter.Reporter().scope(observation):
        VolumeEvaluator(net, pairs, loss)(trainer=None)
    return observation


def test_its_loss_is_the_training_s():
    lr, hr = numpy.zeros((1, 4, 4, 4), numpy.float32), numpy.full((1, 8, 8, 8), 3, numpy.float32)
    hr[:, 0] = 4
    for name, expected in (('mse', 9 + 7 / 8), ('l1', 3 + 1 / 8)):
        observed = report(nearest_neighbour(Sampling(2)), [(lr, hr)], LOSSES[name])
        assert observed['val/loss'] == pytest.approx(expected)


def test_its_psnr_is_the_training_s_of_all_channels_together():
    """A volume has no axis of examples, of which the training's loss takes the mean."""
    rng = numpy.random.default_rng(0)
    lr, hr = rng.random((2, 3, 4, 5), numpy.float32), rng.random((2, 6, 8, 10), numpy.float32)
    hr[1] *= 50
    observed = report(nearest_neighbour(Sampling(2), 2), [(lr, hr)], LOSSES['psnr'])
    of_patch = LOSSES['psnr'](nearest_neighbour(Sampling(2), 2)(lr[None]), hr[None])
    assert observed['val/loss'] == pytest.approx(float(of_patch.array), rel=1e-5)


@pytest.mark.parametrize('channels', [1, 3])
def test_it_reports_means_over_the_volumes_beside_linear_interpolation(channels):
    sampling = Sampling(2, (0.5,) * 3)
    rng = numpy.random.default_rng(0)
    pairs = [(hr[:, ::2, ::2, ::2], hr) for hr in rng.uniform(size=(2, channels, 8, 10, 12)).astype(numpy.float32)]
    nearest = [lr.repeat(2, 1).repeat(2, 2).repeat(2, 3) for lr, _ in pairs]
    linear = [upsample(lr, sampling, 'linear') for lr, _ in pairs]

    observed = report(nearest_neighbour(sampling, channels), pairs, LOSSES['mse'])
    truths = [hr for _, hr in pairs]
    assert observed['val/loss'] == pytest.approx(numpy.mean([(hr - sr)**2 for hr, sr in zip(truths, nearest)]))
    assert observed['val/psnr'] == pytest.approx(numpy.mean([psnr(hr, sr) for hr, sr in zip(truths, nearest)]))
    assert observed['val/psnr_linear'] == pytest.approx(numpy.mean([psnr(*both) for both in zip(truths, linear)]))


def test_the_first_volume_is_a_sample_without_a_second_pass():
    """The mean of what the network returns, and its PSNR."""
    class Counts(ESPCN3D):
        passes = 0

        def forward(self, x):
            self.passes += 1
            mean = super().forward(x)
            return Normal(mean, chainer.Variable(numpy.ones(mean.shape, numpy.float32)))

    net = Counts(Sampling(2, (0.5,) * 3), residual='nearest')
    for param in net.params():
        param.array[...] = 0
    volumes = numpy.random.default_rng(0).uniform(size=(2, 1, 8, 10, 12)).astype(numpy.float32)
    taken = []
    evaluator = VolumeEvaluator(net, [(hr[:, ::2, ::2, ::2], hr) for hr in volumes], LOSSES['mse'],
                                lambda *arguments: taken.append(arguments))
    with chainer.reporter.Reporter().scope({}):
        evaluator('the trainer')
    (trainer, sr, decibels), = taken
    nearest = volumes[0][:, ::2, ::2, ::2].repeat(2, 1).repeat(2, 2).repeat(2, 3)
    assert trainer == 'the trainer' and net.passes == 2 and decibels == pytest.approx(psnr(volumes[0], nearest))
    numpy.testing.assert_array_equal(sr, nearest)


def test_a_loss_gets_the_distribution_that_the_network_returns():
    """What a loss needs of it is the loss's business: here the standard deviation."""
    class Uncertain(ESPCN3D):
        def forward(self, x):
            mean = super().forward(x)
            return Normal(mean, chainer.Variable(numpy.full(mean.shape, 5, numpy.float32)))

    net = Uncertain(Sampling(2), residual='nearest')
    lr, hr = numpy.ones((1, 4, 4, 4), numpy.float32), numpy.ones((1, 8, 8, 8), numpy.float32)
    hr[0, 0] = 0
    observed = report(net, [(lr, hr)], lambda prediction, truth: chainer.functions.mean(prediction.stddev))
    assert observed['val/loss'] == pytest.approx(5) and numpy.isfinite(observed['val/psnr'])


@pytest.mark.gpu
def test_a_network_on_a_gpu_is_reported_as_on_the_cpu(gpu):
    net = ESPCN3D(Sampling(2), residual='linear')
    volumes = numpy.random.default_rng(0).uniform(size=(2, 1, 8, 10, 12)).astype(numpy.float32)
    pairs = [(hr[:, ::2, ::2, ::2], hr) for hr in volumes]
    on_cpu = report(net, pairs, LOSSES['l1'])
    net.to_device(gpu)
    on_gpu = report(net, pairs, LOSSES['l1'])
    assert on_gpu == pytest.approx(on_cpu, rel=1e-4) and len(on_cpu) == 3
