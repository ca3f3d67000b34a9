import functools

import numpy
import pytest

from util.config import Degradation
from util.inference import data_consistency
from util.inference.data_consistency import make_consistent
from util.volumes.axis_matrices import degradation_matrix
from util.volumes.degradation import DEGRADATIONS, degrade, sampling_of

RATES = [(2, 2, 2), (4, 1, 1), (3, 1, 2)]
LR_SHAPE = 2, 3, 4, 5


def volumes(name, rate, **settings):
    """LR, a truth that it is made of, and something else; the sampling."""
    sampling = sampling_of(name, rate)
    truth, sr = numpy.random.default_rng(0).normal(size=(2, *sampling.hr_shape(LR_SHAPE))).astype(numpy.float32)
    return degrade(truth, rate, name, **settings), truth, sr, sampling


@pytest.mark.parametrize('rate', RATES)
@pytest.mark.parametrize('name', DEGRADATIONS)
def test_it_is_the_nearest_volume_that_the_lr_volume_is_made_of(name, rate):
    """By a least-squares solver, of all three axes as one matrix."""
    lr, _, sr, sampling = volumes(name, rate)
    whole = functools.reduce(numpy.kron, [degradation_matrix(n, r, offset, name) for n, r, offset in
                                          zip(sr.shape[1:], rate, sampling.offset)]).astype(float)
    expected = [x.ravel() + numpy.linalg.lstsq(whole, y.ravel() - whole @ x.ravel(), rcond=1e-5)[0]
                for x, y in zip(sr, lr)]
    make_consistent(sr, lr, sampling, Degradation(name=name))
    numpy.testing.assert_allclose(sr.reshape(2, -1), expected, atol=2e-5)
    numpy.testing.assert_allclose(degrade(sr, rate, name), lr, atol=1e-5)


@pytest.mark.parametrize('settings', [{'name': name} for name in DEGRADATIONS] + [{'name': 'gaussian', 'fwhm': 2.0}])
def test_no_truth_is_farther_than_before(settings):
    lr, truth, sr, sampling = volumes(rate=(2, 2, 2), **settings)
    before = numpy.linalg.norm(sr - truth)
    make_consistent(sr, lr, sampling, Degradation(**settings))
    assert numpy.linalg.norm(sr - truth) < before


def test_what_lr_hardly_tells_is_left_to_the_network():
    """Else noise on LR, of a Gaussian of twice an LR voxel's width, would be 1e5 times as large in SR."""
    lr, _, sr, sampling = volumes('gaussian', (2, 1, 1), fwhm=2.0)
    noisy, degradation = sr.copy(), Degradation(name='gaussian', fwhm=2.0)
    noise = numpy.random.default_rng(1).normal(size=lr.shape).astype(numpy.float32)
    make_consistent(sr, lr, sampling, degradation)
    make_consistent(noisy, lr + noise, sampling, degradation)
    largest = numpy.linalg.norm(degradation_matrix(6, 2, 0.5, 'gaussian', fwhm=2.0), 2)
    assert numpy.linalg.norm(noisy - sr) <= numpy.linalg.norm(noise) / (data_consistency.LEAST * largest)


@pytest.mark.filterwarnings('error')
@pytest.mark.parametrize('size', [1e-30, 1e34])
def test_what_is_left_is_told_whatever_the_intensities_are(size):
    lr, _, sr, sampling = volumes(rate=(2, 2, 2), name='gaussian', fwhm=3.0)
    lr = numpy.random.default_rng(1).normal(size=lr.shape).astype(numpy.float32)
    of_one = make_consistent(sr.copy(), lr, sampling, Degradation(name='gaussian', fwhm=3.0))
    left = make_consistent(sr * numpy.float32(size), lr * numpy.float32(size), sampling,
                           Degradation(name='gaussian', fwhm=3.0))
    assert left == pytest.approx(of_one, rel=1e-4)


def test_what_is_left_is_told():
    """Noise has waves that no HR volume has left after a wide Gaussian; block_mean leaves nothing."""
    for settings in ({'name': 'gaussian', 'fwhm': 3.0}, {'name': 'block_mean'}):
        lr, _, sr, sampling = volumes(rate=(2, 2, 2), **settings)
        lr = numpy.random.default_rng(1).normal(size=lr.shape).astype(numpy.float32)
        left = make_consistent(sr, lr, sampling, Degradation(**settings))
        expected = numpy.linalg.norm(degrade(sr, (2, 2, 2), **settings) - lr) / numpy.linalg.norm(lr)
        assert left == pytest.approx(expected, rel=1e-3, abs=1e-5)
        assert (left > 0.1) == (settings['name'] == 'gaussian')


def test_slabs_are_no_different_from_the_whole(monkeypatch):
    lr, _, sr, sampling = volumes('kspace', (3, 1, 2))
    by_slabs = sr.copy()
    make_consistent(sr, lr, sampling, Degradation(name='kspace'))
    monkeypatch.setattr(data_consistency, 'SLAB', 2)
    make_consistent(by_slabs, lr, sampling, Degradation(name='kspace'))
    numpy.testing.assert_allclose(by_slabs, sr, atol=1e-5)
