"""A planted checkerboard is found, with its size; noise and what interpolation does are not taken for one."""
import numpy
import pytest
from scipy.ndimage import gaussian_filter

from util.scores.phase_error import error_spectra, grid_peak, pattern_share, phase_errors
from util.volumes.interpolation import upsample
from util.volumes.sampling import Sampling

RATES = ((2, 2, 2), (4, 4, 4), (4, 1, 1), (1, 3, 2))
SHAPE = (1, 24, 36, 48)


def noise(seed=0):
    return numpy.random.default_rng(seed).normal(size=SHAPE)


def checkerboard(rate, size):
    """A pattern of zero mean and standard deviation ``size`` over a block, repeated."""
    block = numpy.random.default_rng(1).normal(size=rate)
    block = size * (block - block.mean()) / block.std()
    return numpy.tile(block, [side // r for side, r in zip(SHAPE[1:], rate)])[None]


@pytest.mark.parametrize('rate', RATES)
def test_phases_are_the_voxels_of_one_channel_of_the_shuffle(rate):
    mean, square = phase_errors(noise(), rate)
    at = tuple(r - 1 for r in rate)
    index = numpy.indices(SHAPE[1:]) % numpy.reshape(rate, (3, 1, 1, 1))
    voxels = noise()[0][(index == numpy.reshape(at, (3, 1, 1, 1))).all(axis=0)]
    assert mean.shape == square.shape == rate
    assert mean[at] == pytest.approx(voxels.mean()) and square[at] == pytest.approx(numpy.mean(voxels ** 2))


def test_a_mask_leaves_out_what_lies_outside():
    mask = noise() > 0
    mean, square = phase_errors(numpy.where(mask, 2, 100), (2, 2, 2), mask[0])
    assert (mean == 2).all() and (square == 4).all()


@pytest.mark.parametrize('masked', [False, True])
def test_the_voxels_of_all_channels_count_alike(masked):
    """Mean and mean square of a phase, and the spectrum's power, are the means of those of the channels."""
    channels, rate = [noise(), 3 * noise(1) + 1, noise(2) - 2], (1, 3, 2)
    mask = noise(3)[0] > 0 if masked else None
    together = numpy.concatenate(channels)
    alone = [phase_errors(channel, rate, mask) for channel in channels]
    numpy.testing.assert_allclose(phase_errors(together, rate, mask), numpy.mean(alone, axis=0))
    alone = [error_spectra(channel) for channel in channels]
    for (frequency, power), *others in zip(error_spectra(together), *alone):
        numpy.testing.assert_allclose(power, numpy.mean([other_power for _, other_power in others], axis=0))
        numpy.testing.assert_array_equal(frequency, others[0][0])


@pytest.mark.parametrize('rate', RATES)
def test_a_planted_checkerboard_is_found_with_its_size(rate):
    """Pattern of standard deviation 0.5 under noise of 1: a share of 0.25 / 1.25 of the squared error."""
    planted = noise() + checkerboard(rate, 0.5)
    assert pattern_share(*phase_errors(planted, rate)) == pytest.approx(0.2, abs=0.01)
    assert pattern_share(*phase_errors(noise(), rate)) < 0.003
    assert grid_peak(error_spectra(planted), rate) > 3 > 1.3 > grid_peak(error_spectra(noise()), rate)


@pytest.mark.parametrize('rate', RATES)
def test_a_checkerboard_in_one_channel_of_two_is_found(rate):
    planted = numpy.concatenate([noise(), noise(1) + checkerboard(rate, 0.5)])
    assert pattern_share(*phase_errors(planted, rate)) == pytest.approx(0.0625 / 1.125, abs=0.01)  # half the amplitude
    both = numpy.concatenate([noise(), noise(1)])
    assert grid_peak(error_spectra(planted), rate) > 2 > 1.3 > grid_peak(error_spectra(both), rate)


def test_a_constant_error_is_a_bias_and_no_pattern():
    assert pattern_share(*phase_errors(numpy.full(SHAPE, 3.0), (2, 2, 2))) == 0
    assert pattern_share(*phase_errors(numpy.zeros(SHAPE), (2, 2, 2))) == 0


def test_the_errors_of_interpolation_are_larger_between_lr_voxels_but_no_checkerboard():
    hr = gaussian_filter(noise(), (0, 1.5, 1.5, 1.5))
    error = upsample(hr[:, ::4, ::4, ::4], Sampling(4), 'linear') - hr
    mean, square = phase_errors(error, (4, 4, 4))
    assert square[0, 0, 0] < 1e-10 < square[2, 2, 2]
    assert pattern_share(mean, square) < 0.03


def test_spectra_follow_their_definition():
    """The mean of the lines' squared Fourier transforms over their length."""
    error = numpy.random.default_rng(5).normal(size=(2, 6, 7, 9)).astype(numpy.float32)
    for axis, (frequency, power) in enumerate(error_spectra(error), 1):
        transformed = numpy.abs(numpy.fft.rfft(error.astype(float), axis=axis)) ** 2
        numpy.testing.assert_allclose(power, transformed.mean(axis=tuple({0, 1, 2, 3} - {axis})) / error.shape[axis],
                                      rtol=1e-5)
        numpy.testing.assert_allclose(frequency, numpy.arange(error.shape[axis] // 2 + 1) / error.shape[axis])


def test_the_spectrum_of_a_cosine_is_one_line_of_its_power():
    """A quarter of the squared amplitude per line of n voxels, times n (Parseval: half of it lies at -f)."""
    for axis, side in enumerate(SHAPE[1:]):
        index = numpy.arange(side).reshape([-1 if a == axis else 1 for a in range(3)])
        cosine = numpy.broadcast_to(3 * numpy.cos(2 * numpy.pi * index / 6), SHAPE)
        frequency, power = error_spectra(cosine)[axis]
        assert frequency[power.argmax()] == pytest.approx(1 / 6)
        assert power.max() == pytest.approx(9 / 4 * side) and power.sum() == pytest.approx(power.max())
