"""SR that is known to agree with LR is found to; what is off is found with its size, as other formulas have it."""
import numpy
import pytest

from util.scores.consistency import data_consistency, detail_kept, dots, slice_means, stripes
from util.volumes.degradation import degrade, sampling_of
from util.volumes.interpolation import upsample
from util.volumes.sampling import Sampling

SHAPE = (2, 12, 24, 36)
RATES = ((4, 1, 1), (1, 1, 3), (4, 4, 4), (2, 3, 1))


def noise(shape=SHAPE, seed=0):
    return numpy.random.default_rng(seed).normal(size=shape).astype(numpy.float32)


@pytest.mark.parametrize('rate', RATES)
def test_of_lr_amid_its_block_it_is_the_mean_of_the_block(rate):
    means, whole = slice_means(noise(), sampling_of('block_mean', rate))
    numpy.testing.assert_allclose(means, degrade(noise(), rate, 'block_mean'), atol=1e-5)
    assert means[(slice(None), *whole)].shape == means.shape


@pytest.mark.parametrize('r', [2, 3, 4, 5])
def test_of_lr_on_the_first_voxel_it_is_the_integral_over_the_slice_around_that(r):
    """Each voxel a constant, integrated by 120 points; the first slice begins before the first voxel."""
    sr, n = noise((1, 4 * r, 2, 2)), 120
    means, whole = slice_means(sr, Sampling((r, 1, 1)))
    points = (numpy.arange(n) + 0.5) / n * r - r / 2
    expected = [sr[0, numpy.floor(r * i + points + 0.5).astype(int)].mean(axis=0) for i in range(1, 4)]
    numpy.testing.assert_allclose(means[0, 1:], expected, atol=1e-5)
    assert whole == (slice(1, 4), slice(None), slice(None))


@pytest.mark.parametrize('name', ['bspline', 'block_mean'])
def test_a_ramp_of_any_rate_and_offset_agrees_with_itself(name):
    """Its mean over a slice is its value at the slice's centre: the offset is honoured."""
    sampling = sampling_of(name, (4, 1, 2))
    hr = numpy.indices((20, 5, 8))[[0, 2]].astype(numpy.float32)
    lr = numpy.indices((5, 5, 4))[[0, 2]] * numpy.reshape([4, 2], (2, 1, 1, 1)) + numpy.reshape(
        [sampling.offset[0], sampling.offset[2]], (2, 1, 1, 1))
    assert data_consistency(lr, hr, sampling, numpy.ones(lr.shape[1:], bool)) == pytest.approx(0, abs=1e-6)


def test_an_error_is_found_with_its_size_relative_to_the_head_s_range():
    sampling, head = sampling_of('block_mean', (4, 1, 1)), noise((3, 24, 36), 1) > 0
    lr = degrade(noise(), sampling.rate, 'block_mean')
    off = numpy.where(head, lr + [[[[0.5]]], [[[-0.25]]]], 1000)
    ranges = [numpy.percentile(channel[head], 99.5) - channel[head].min() for channel in off]
    assert data_consistency(off, noise(), sampling, head) == pytest.approx((0.5 / ranges[0] + 0.25 / ranges[1]) / 2)


@pytest.mark.parametrize('axis', range(3))
def test_linear_interpolation_of_noise_keeps_the_detail_that_its_weights_keep(axis):
    """Slices of noise, none like the other: p of 4 from one to the next there is (1 - p/4)^2 + (p/4)^2 of it."""
    rate = tuple(4 if a == axis else 1 for a in range(3))
    lr, head = noise((1, 40, 41, 42)), numpy.zeros((40, 41, 42), bool)
    head[3:-3, 3:-3, 3:-3] = True
    kept = detail_kept(lr, upsample(lr, Sampling(rate), 'linear'), Sampling(rate), head)
    numpy.testing.assert_allclose(kept, [1, 0.625, 0.5, 0.625], atol=0.02)


def test_detail_of_a_wave_is_what_the_gaussian_takes_off():
    """Of k cycles per voxel a Gaussian of sigma 1 leaves exp(-2 (pi k)^2); what changes from slice to slice is none."""
    x, z = numpy.arange(240), numpy.arange(8)[:, None, None]
    head = numpy.zeros((8, 4, 240), bool)
    head[..., 20:-20] = True

    def wave(k, offset=0):
        return numpy.broadcast_to(numpy.cos(2 * numpy.pi * k * x) + offset, (1, *head.shape))

    kept = detail_kept(wave(0.2, 5 * z), wave(0.1)[:, numpy.arange(16) // 2], Sampling((2, 1, 1)), head)
    fine, coarse = ((1 - numpy.exp(-2 * (numpy.pi * k) ** 2)) ** 2 for k in (0.2, 0.1))
    numpy.testing.assert_allclose(kept, [coarse / fine] * 2, rtol=0.01)


@pytest.mark.parametrize('rate', RATES)
def test_dots_are_found_wherever_they_are_and_interpolation_makes_none(rate):
    """Each HR voxel, by a loop of its own, against the LR voxels around it."""
    lr, head = noise((2, *(n // r for n, r in zip(SHAPE[1:], rate)))), noise(SHAPE[1:], 1)
    head = head[::rate[0], ::rate[1], ::rate[2]] > 0
    sampling = Sampling(rate)
    linear = upsample(lr, sampling, 'linear')
    assert dots(lr, linear, sampling, head) == 0
    sr = linear + 2 * noise(linear.shape, 2)
    expected = []
    for scan, image in zip(lr, sr):
        inside = scan[head]
        reach = 0.1 * (numpy.percentile(inside, 99.5) - inside.min())
        beyond = [abs(image[at] - numpy.clip(image[at], near.min(), near.max())) > reach
                  for at in numpy.ndindex(image.shape)
                  for own in [tuple(i // r for i, r in zip(at, rate))] if head[own]
                  for near in [scan[tuple(slice(max(i - 1, 0), i + 2) for i in own)]]]
        expected.append(numpy.mean(beyond))
    assert 0.05 < expected[0] < 0.95
    assert dots(lr, sr, sampling, head) == pytest.approx(numpy.mean(expected))


@pytest.mark.parametrize('axis', range(3))
def test_stripes_are_as_strong_as_the_unevenness_that_was_laid_on(axis):
    """Every second thin slice brighter by 6 %: 3 % about the mean, of which the mean of nine has a ninth."""
    rate = tuple(2 if a == axis else 1 for a in range(3))
    head = numpy.zeros([36 // r for r in rate], bool)
    head[tuple(slice(2, -1) for _ in rate)] = True
    slices = 1 + 0.03 * (-1.0) ** numpy.arange(36).reshape([-1 if a == axis else 1 for a in range(3)])
    sr = numpy.broadcast_to([[[[5.0]]], [[[900.0]]]] * slices, (2, 36, 36, 36)).copy()
    even = numpy.full_like(sr, 7)
    sr[:, 0, 0, 0] = 1e6  # not in the middle third
    assert stripes(sr, Sampling(rate), head) == pytest.approx(0.03 * 8 / 9, rel=1e-3)
    assert stripes(even, Sampling(rate), head) == 0
    assert stripes(-sr, Sampling(rate), head) == stripes(sr, Sampling(rate), head)


@pytest.mark.filterwarnings('error')
@pytest.mark.parametrize('exponent', [-100, 100])
def test_the_units_do_not_matter(exponent):
    """A power of two changes no digit of float32."""
    unit, sampling = numpy.float32(2.0 ** exponent), sampling_of('block_mean', (4, 1, 1))
    head = noise((3, 24, 36), 1) > 0
    lr, sr = degrade(noise(), sampling.rate, 'block_mean') + noise((2, 3, 24, 36), 2), noise()
    of, others = (lr, sr, sampling, head), (lr * unit, sr * unit, sampling, head)
    for score in (data_consistency, dots, detail_kept):
        numpy.testing.assert_allclose(score(*others), score(*of), rtol=1e-12)
    assert stripes(*others[1:]) == pytest.approx(stripes(*of[1:]), rel=1e-12)


def test_the_smallest_head_and_one_of_zeros_have_stripes_that_are_a_number():
    head = numpy.zeros((2, 2, 2), bool)
    head[0, 1, 1] = True
    for sr in (numpy.ones((1, 8, 2, 2), numpy.float32), numpy.zeros((1, 8, 2, 2), numpy.float32)):
        assert stripes(sr, Sampling((4, 1, 1)), head) == 0
