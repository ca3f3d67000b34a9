from types import SimpleNamespace

import numpy
import pytest

from util.config_files import load_config
from util.inference.model_file import load_network
from util.inference.network import build_network
from util.script import PROJECT
from util.training.best_model import BestModel

CONFIG = load_config(PROJECT / 'configs/base.yml')


def test_only_a_higher_psnr_replaces_the_file(tmp_path):
    net, found = build_network(CONFIG), build_network(CONFIG)
    best = BestModel(tmp_path / 'gen_best.npz', net, CONFIG.to_yaml())
    expected = None
    for iteration, psnr in enumerate([20.0, 30.0, 29.0, numpy.nan, 30.0], start=1):
        net.conv3.b.array[...] = iteration
        best(SimpleNamespace(observation={'val/psnr': psnr}, updater=SimpleNamespace(iteration=iteration)))
        expected = min(iteration, 2)
        load_network(tmp_path / 'gen_best.npz', found)
        numpy.testing.assert_array_equal(found.conv3.b.array, expected)
    assert (best.psnr, best.iteration) == (pytest.approx(30.0), expected)


@pytest.mark.gpu
def test_the_best_weights_are_kept_and_written_from_a_gpu_too(tmp_path, gpu):
    net, found = build_network(CONFIG), build_network(CONFIG)
    net.to_device(gpu)
    best = BestModel(tmp_path / 'gen_best.npz', net, CONFIG.to_yaml())
    for iteration, psnr in ((1, 30.0), (2, 20.0)):
        net.conv3.b.array[...] = iteration
        best(SimpleNamespace(observation={'val/psnr': psnr}, updater=SimpleNamespace(iteration=iteration)))
    load_network(tmp_path / 'gen_best.npz', found)
    numpy.testing.assert_array_equal(found.conv3.b.array, 1)
    load_network(tmp_path / 'gen_best.npz', net)  # and back, into a network that is on the GPU
    assert net.device == gpu and (net.conv3.b.array.get() == 1).all()
