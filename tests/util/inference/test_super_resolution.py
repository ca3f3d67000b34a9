"""A Volume to a Volume: in the LR's intensity units, where it belongs in space, with what the network is unsure of."""
from dataclasses import replace
from pathlib import Path

import numpy
import pytest
from chainer.distributions import Normal, Poisson

from models.bayesian_espcn3d import BayesianESPCN3D
from models.espcn3d import ESPCN3D
from util.dataset.case_lists import Case
from util.inference import tiling
from util.inference.super_resolution import SuperResolved, moved, super_resolve
from util.script import UserError
from util.volumes.degradation import DEGRADATIONS, sampling_of
from util.volumes.geometry import hr_volume_geometry
from util.volumes.interpolation import upsample
from util.volumes.volume import Volume

OBLIQUE = (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0)


class Unsure(ESPCN3D):
    """Interpolation, with a standard deviation that is a tenth of it (in scaled intensities)."""

    def forward(self, x):
        mean = super().forward(x)
        return Normal(mean, abs(mean) / 10)


def silent(net):
    for param in net.params():
        param.array[...] = 0
    return net


def scan(channels=1):
    array = numpy.random.default_rng(0).uniform(10, 500, (channels, 6, 7, 8)).astype(numpy.float32)
    return Volume(array, (2.0, 1.0, 4.0), (-3.0, 5.0, 7.0), OBLIQUE)


@pytest.mark.parametrize('scaling', ['none', 'percentile'])
@pytest.mark.parametrize('name', DEGRADATIONS)
@pytest.mark.parametrize('channels', [1, 2])
def test_a_residual_network_of_zero_weights_interpolates_in_place_and_units(channels, name, scaling):
    sampling, lr = sampling_of(name, (2, 1, 3)), scan(channels)
    mean, *others = super_resolve(silent(ESPCN3D(sampling, channels, residual='linear')), lr, scaling)
    numpy.testing.assert_allclose(mean.array, upsample(lr.array, sampling, 'linear'), rtol=1e-5)
    assert (mean.spacing, mean.origin, mean.direction) == tuple(hr_volume_geometry(lr, sampling))
    assert others == [None] * 3


@pytest.mark.parametrize('ensemble', [False, True])
def test_a_network_that_returns_a_distribution_gives_its_standard_deviation_too(ensemble):
    """In intensity units, beside the mean. Amid blocks, mirroring changes nothing for interpolation."""
    sampling, lr = sampling_of('block_mean', (2, 2, 2)), scan(2)
    net = silent(Unsure(sampling, 2, residual='nearest'))
    mean, deviation, *others = super_resolve(net, lr, 'percentile', ensemble)
    assert others == [None] * 2
    numpy.testing.assert_allclose(mean.array, upsample(lr.array, sampling, 'nearest'), rtol=1e-5)
    numpy.testing.assert_allclose(deviation.array, mean.array / 10, rtol=1e-4)
    assert (deviation.spacing, deviation.origin) == (mean.spacing, mean.origin)


@pytest.mark.parametrize('ensemble', [False, True])
def test_networks_that_are_drawn_give_two_parts_of_the_deviation_in_intensity_units(ensemble):
    """A hundred times the intensities are a hundred times each, and their squares add up."""
    sampling, lr = sampling_of('bspline', (2, 1, 2)), scan(2)
    net = BayesianESPCN3D(sampling, 2, residual='linear')
    found = super_resolve(net, lr, 'percentile', ensemble, samples=5)
    total = found.intrinsic.array.astype(float) ** 2 + found.parameter.array.astype(float) ** 2
    numpy.testing.assert_allclose(found.deviation.array, numpy.sqrt(total), rtol=1e-5)
    assert found.parameter.array.mean() > 0.01 * found.mean.array.std()
    for volume in found:
        assert (volume.array.dtype, volume.origin) == (numpy.float32, hr_volume_geometry(lr, sampling).origin)
    brighter = super_resolve(net, replace(lr, array=100 * lr.array), 'percentile', ensemble, samples=5)
    for one, other in zip(found, brighter):
        numpy.testing.assert_allclose(other.array, 100 * one.array, rtol=1e-3, atol=1e-3 * other.array.max())


def test_of_certain_weights_no_network_can_be_drawn():
    with pytest.raises(UserError, match='no uncertain weights that samples could be drawn of; leave --samples out'):
        super_resolve(ESPCN3D(sampling_of('bspline', (2, 2, 2))), scan(), 'none', samples=4)


def test_the_ensemble_is_another_mean_than_the_network_s_own():
    sampling, lr = sampling_of('bspline', (2, 2, 2)), scan()
    net = ESPCN3D(sampling, residual='linear')
    one, eight = (super_resolve(net, lr, 'percentile', ensemble).mean.array for ensemble in (False, True))
    assert one.shape == eight.shape and numpy.abs(one - eight).max() > 1


@pytest.mark.gpu
@pytest.mark.parametrize('ensemble', [False, True])
@pytest.mark.parametrize('kind', [ESPCN3D, Unsure])
def test_gpu_equals_cpu(kind, ensemble, gpu):
    """Both a network that returns an array and one that returns a distribution, on tiles of the volume."""
    sampling, lr = sampling_of('bspline', (2, 1, 3)), scan(2)
    net = kind(sampling, 2, residual='linear')
    expected = super_resolve(net, lr, 'percentile', ensemble)
    assert (expected.deviation is None) == (kind is ESPCN3D)
    net.to_device(gpu)
    for on_gpu, on_cpu in zip(super_resolve(net, lr, 'percentile', ensemble), expected, strict=True):
        assert (on_gpu is None) == (on_cpu is None)
        if on_cpu is not None:
            numpy.testing.assert_allclose(on_gpu.array, on_cpu.array, rtol=1e-4, atol=1e-3 * on_cpu.array.std())


class Counting(ESPCN3D):
    """Of which mean and variance are one array."""

    def forward(self, x):
        return Poisson(super().forward(x))


@pytest.mark.parametrize('make, samples', [
    (lambda sampling: Counting(sampling, residual='linear', conv3_init='zero'), None),
    (lambda sampling: BayesianESPCN3D(sampling, residual='linear', variance='homoscedastic'), 3)])
def test_maps_that_share_memory_or_lend_it_are_those_of_several_tiles(monkeypatch, make, samples):
    """A volume that is one tile is not copied where that can be avoided."""
    net, lr = make(sampling_of('bspline', (2, 2, 2))), scan()
    once = super_resolve(net, lr, 'percentile', samples=samples)
    monkeypatch.setattr(tiling, 'MEMORY', 1)
    parts = super_resolve(net, lr, 'percentile', samples=samples)
    for whole, tiled in zip(once, parts, strict=True):
        assert (whole is None) == (tiled is None)
        if whole is not None:
            numpy.testing.assert_allclose(whole.array, tiled.array, atol=1e-4 * numpy.abs(tiled.array).max())


def test_a_deviation_that_is_moved_to_another_grid_stays_above_0(capsys):
    """Beside a voxel that stands out a B-spline would be negative. The mean, which may be, is what the spline gives."""
    here, there = sampling_of('bspline', (2, 2, 2)), sampling_of('block_mean', (2, 2, 2))
    lr = scan()
    array = numpy.zeros((1, 12, 14, 16), numpy.float32)
    array[0, 6, 6, 8] = 1
    hr = Volume(array, *hr_volume_geometry(lr, here))
    found = moved(SuperResolved(hr, hr), Case('a', Path('a.mhd'), None), lr, here, there)
    assert found.mean.array.min() < -0.01 and found.intrinsic is None
    numpy.testing.assert_array_equal(found.deviation.array, found.mean.array.clip(0))
    assert found.deviation.origin == hr_volume_geometry(lr, there).origin
    assert 'note: a.mhd: its voxels are centred elsewhere' in capsys.readouterr().err
