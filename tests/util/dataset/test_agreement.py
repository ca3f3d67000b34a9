"""A pair whose volumes cannot belong together is told from all those that this project makes."""
import itertools
import tracemalloc

import numpy
import pytest
from scipy import ndimage

from util.dataset.agreement import disagreement
from util.volumes.degradation import DEGRADATIONS, add_rician_noise, degrade, sampling_of
from util.volumes.phantom import make_head


@pytest.fixture(scope='module')
def head():
    return make_head((48, 64, 64), seed=0, subject=0).volume[None].astype(numpy.float32)


@pytest.mark.parametrize('rate', [(2, 2, 2), (4, 4, 4), (8, 8, 8), (4, 1, 1), (16, 1, 1), (2, 1, 1)])
@pytest.mark.parametrize('name', DEGRADATIONS)
def test_nothing_speaks_against_a_pair_of_any_degradation_with_noise_in_either(head, name, rate):
    rng, sampling = numpy.random.default_rng(0), sampling_of(name, rate)
    for of_hr, of_lr in ((0, 0), (0, 8), (20, 0)):  # white matter is 80
        hr = add_rician_noise(head, of_hr, rng)
        assert disagreement(degrade(hr, rate, name, of_lr, rng), hr, sampling) is None


@pytest.mark.parametrize('reversed_axes', [axes for n in (1, 2, 3) for axes in itertools.combinations('zyx', n)])
def test_a_mirrored_volume_is_told_with_its_axes(head, reversed_axes):
    lr = numpy.flip(degrade(head, (2, 2, 2), 'block_mean'), ['_zyx'.index(name) for name in reversed_axes])
    told = disagreement(lr, head, sampling_of('block_mean', (2, 2, 2)))
    assert f'reversed along {" and ".join(reversed_axes)} (a' in told


@pytest.mark.parametrize('side, is_told', [(4, False), (32, True)])
def test_a_few_voxels_that_fit_better_mirrored_may_do_so_by_chance(side, is_told):
    """Both halves of a symmetric volume are alike, and noise decides: of 64 voxels a correlation says little."""
    rng = numpy.random.default_rng(0)
    half = rng.normal(size=(1, side // 2, side, side))
    lr, noise = numpy.concatenate([half, half[:, ::-1]], 1), rng.normal(size=(1, side, side, side))
    hr = numpy.flip(lr + 0.6 * noise, 1).repeat(2, 1)
    told = disagreement(lr + 0.3 * noise, hr, sampling_of('bspline', (2, 1, 1)))
    assert ('reversed along z (a' in told) if is_told else told is None


@pytest.mark.parametrize('name', ['bspline', 'gaussian'])
@pytest.mark.parametrize('factor', [0.001, 3])
def test_other_units_are_told_with_their_factor(head, factor, name):
    lr = factor * degrade(head, (2, 2, 2), name) + 5
    told, _, after = disagreement(lr, head, sampling_of(name, (2, 2, 2))).partition(' times those of its HR volume')
    assert float(told.removeprefix('its intensities are about ')) == pytest.approx(factor, rel=0.15) and after


def test_a_volume_of_something_else_is_told(head):
    lr, sampling = degrade(head, (4, 4, 4), 'kspace'), sampling_of('kspace', (4, 4, 4))
    rng = numpy.random.default_rng(0)
    for volume in (lr.max() - lr, ndimage.rotate(lr, 90, (1, 3), reshape=False).max() - lr,
                   *(rng.normal(size=lr.shape) for _ in range(20))):
        assert 'it has little to do with its HR volume' in disagreement(volume, head, sampling)


@pytest.mark.parametrize('value', [0, 7, 1e30])
def test_of_a_constant_volume_nothing_is_said(head, value):
    lr = numpy.full_like(head[:, ::2, ::2, ::2], value)
    assert disagreement(lr, head, sampling_of('bspline', (2, 2, 2))) is None
    assert disagreement(lr, numpy.full_like(head, value), sampling_of('bspline', (2, 2, 2))) is None


def test_a_channel_s_offset_hides_nothing(head):
    hr = numpy.concatenate([head, head / 2 + 5000])
    lr, sampling = degrade(hr, (2, 2, 2), 'bspline'), sampling_of('bspline', (2, 2, 2))
    assert disagreement(lr, hr, sampling) is None
    assert 'reversed along z (a' in disagreement(lr[:, ::-1], hr, sampling)
    assert 'its intensities are about 4 times' in disagreement(lr * 4, hr, sampling)


def test_a_large_volume_takes_no_memory_of_its_size():
    hr = numpy.random.default_rng(0).random((1, 320, 256, 256), numpy.float32)
    lr = hr[:, ::2]
    tracemalloc.start()
    assert disagreement(lr, hr, sampling_of('bspline', (2, 1, 1))) is None
    assert tracemalloc.get_traced_memory()[1] < 20 << 20
    tracemalloc.stop()
