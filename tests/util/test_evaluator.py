import chainer
import numpy
import pytest

from models.espcn3d import ESPCN3D
from util.evaluator import VolumeEvaluator
from util.interpolation import upsample
from util.losses import LOSSES
from util.metrics import psnr


def test_its_loss_is_the_training_s():
    net = ESPCN3D(1, 2, residual='nearest')
    lr, hr = numpy.zeros((4, 4, 4), numpy.float32), numpy.full((8, 8, 8), 3, numpy.float32)
    hr[0] = 4
    for param in net.params():
        param.array[...] = 0
    for name, expected in (('mse', 9 + 7 / 8), ('l1', 3 + 1 / 8)):
        observation = {}
        with chainer.reporter.Reporter().scope(observation):
            VolumeEvaluator(net, [(lr, hr)], (0, 0, 0), LOSSES[name])(trainer=None)
        assert observation['val/loss'] == pytest.approx(expected)


def test_it_reports_means_over_the_volumes_beside_linear_interpolation():
    """A residual network of zero weights is nearest-neighbour, whose loss and PSNR are known."""
    net = ESPCN3D(1, 2, centre_offset=(0.5,) * 3, residual='nearest')
    for param in net.params():
        param.array[...] = 0
    rng = numpy.random.default_rng(0)
    pairs = [(hr[::2, ::2, ::2], hr) for hr in rng.uniform(size=(2, 8, 10, 12)).astype(numpy.float32)]
    nearest = [lr.repeat(2, 0).repeat(2, 1).repeat(2, 2) for lr, _ in pairs]
    linear = [upsample(lr, (2, 2, 2), (0, 0, 0), 'linear') for lr, _ in pairs]

    observation = {}
    with chainer.reporter.Reporter().scope(observation):
        VolumeEvaluator(net, pairs, (0, 0, 0))(trainer=None)
    truths = [hr for _, hr in pairs]
    assert observation['val/loss'] == pytest.approx(numpy.mean([(hr - sr)**2 for hr, sr in zip(truths, nearest)]))
    assert observation['val/psnr'] == pytest.approx(numpy.mean([psnr(hr, sr) for hr, sr in zip(truths, nearest)]))
    assert observation['val/psnr_linear'] == pytest.approx(numpy.mean([psnr(*both) for both in zip(truths, linear)]))
