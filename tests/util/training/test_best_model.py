from types import SimpleNamespace

import numpy
import pytest
from chainer.serializers import DictionarySerializer, NpzDeserializer

from util.config_files import load_config
from util.inference.model_file import load_network
from util.inference.network import build_network
from util.script import PROJECT
from util.training.best_model import BestModel

CONFIG = load_config(PROJECT / 'configs/base.yml')


def seen(iteration, psnr, loss=1.0):
    """A trainer after a validation."""
    return SimpleNamespace(observation={'val/psnr': psnr, 'val/loss': loss},
                           updater=SimpleNamespace(iteration=iteration))


def test_only_a_higher_psnr_replaces_the_file(tmp_path):
    net, found = build_network(CONFIG), build_network(CONFIG)
    best = BestModel(tmp_path / 'gen_best.npz', net, CONFIG.to_yaml())
    expected = None
    for iteration, psnr in enumerate([20.0, 30.0, 29.0, numpy.nan, 30.0], start=1):
        net.conv3.b.array[...] = iteration
        best(seen(iteration, psnr))
        expected = min(iteration, 2)
        load_network(tmp_path / 'gen_best.npz', found)
        numpy.testing.assert_array_equal(found.conv3.b.array, expected)
    assert (best.psnr, best.iteration) == (pytest.approx(30.0), expected)


def test_of_a_mean_that_stays_the_lower_loss_replaces_the_file(tmp_path):
    """Its PSNR is the same for ever, but for rounding."""
    config = load_config(PROJECT / 'configs/x4_uncertain.yml', ['models.generator.args.fixed_mean=true'])
    net, found = build_network(config), build_network(config)
    best = BestModel(tmp_path / 'gen_best.npz', net, config.to_yaml())
    for iteration, loss, expected in ((1, -2.0, 1), (2, -2.5, 2), (3, -2.4, 2), (4, numpy.nan, 2), (5, -2.6, 5)):
        net.variance.conv3.b.array[...] = iteration
        best(seen(iteration, 30.0 - 1e-6 * iteration, loss))
        load_network(tmp_path / 'gen_best.npz', found)
        numpy.testing.assert_array_equal(found.variance.conv3.b.array, expected)
    other = BestModel(tmp_path / 'other.npz', build_network(config), config.to_yaml())
    serializer = DictionarySerializer()
    best.serialize(serializer)
    other.serialize(NpzDeserializer(serializer.target))
    other(seen(6, 31.0, -2.55))
    assert (other.loss, other.iteration) == (-2.6, 5)


@pytest.mark.gpu
def test_the_best_weights_are_kept_and_written_from_a_gpu_too(tmp_path, gpu):
    net, found = build_network(CONFIG), build_network(CONFIG)
    net.to_device(gpu)
    best = BestModel(tmp_path / 'gen_best.npz', net, CONFIG.to_yaml())
    for iteration, psnr in ((1, 30.0), (2, 20.0)):
        net.conv3.b.array[...] = iteration
        best(seen(iteration, psnr))
    load_network(tmp_path / 'gen_best.npz', found)
    numpy.testing.assert_array_equal(found.conv3.b.array, 1)
    load_network(tmp_path / 'gen_best.npz', net)  # and back, into a network that is on the GPU
    assert net.device == gpu and (net.conv3.b.array.get() == 1).all()
