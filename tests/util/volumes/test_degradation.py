import re

import numpy
import pytest
import SimpleITK as sitk
from scipy import ndimage, stats
from skimage.transform import downscale_local_mean

from util.choices import settings_of
from util.volumes.degradation import DEGRADATIONS, add_rician_noise, degrade, noise_rng, sampling_of
from util.volumes.geometry import lr_volume_geometry
from util.volumes.sampling import Sampling
from util.volumes.volume import Volume

RATES = [(4, 4, 4), (2, 2, 2), (4, 1, 1), (2, 3, 4)]


@pytest.fixture
def head():
    """Smooth blobs on air with noise, T1w-like intensities."""
    rng = numpy.random.default_rng(0)
    blobs = ndimage.gaussian_filter(rng.normal(size=(24, 36, 48)), 2.5)
    return (numpy.clip(blobs * 900, 0, None) + numpy.abs(rng.normal(0, 1.4, blobs.shape))).astype(numpy.float32)


@pytest.mark.parametrize('rate', RATES)
def test_bspline_is_what_simpleitk_resamples_at_r_times_the_spacing(head, rate):
    image = sitk.GetImageFromArray(head.astype(numpy.float64))
    image.SetSpacing((1.0, 1.25, 1.5))
    grid = sitk.Image([n // r for n, r in zip(head.shape[::-1], rate[::-1])], sitk.sitkFloat64)
    grid.SetSpacing([s * r for s, r in zip(image.GetSpacing(), rate[::-1])])
    expected = sitk.GetArrayFromImage(sitk.Resample(image, grid, sitk.Transform(), sitk.sitkBSpline))
    # ITK ends its recursive spline filter at a tolerance of 1e-10 and evaluates in double precision
    numpy.testing.assert_allclose(degrade(head, rate, 'bspline'), expected, atol=1e-5)


@pytest.mark.parametrize('rate', RATES)
def test_block_mean_is_scikit_image_s(head, rate):
    expected = downscale_local_mean(head, rate)
    numpy.testing.assert_allclose(degrade(head, rate, 'block_mean'), expected, rtol=1e-5)


@pytest.mark.parametrize('fwhm', [0.7, 1.0, 1.5])
def test_gaussian_of_odd_rate_is_scipy_s_filter_sampled_at_block_centres(head, fwhm):
    sigma = fwhm * 3 / numpy.sqrt(8 * numpy.log(2))
    blurred = ndimage.gaussian_filter(head.astype(float), sigma, mode='constant', truncate=12)
    blurred /= ndimage.gaussian_filter(numpy.ones(head.shape), sigma, mode='constant', truncate=12)
    lr = degrade(head, (3, 3, 3), 'gaussian', fwhm=fwhm)
    numpy.testing.assert_allclose(lr, blurred[1::3, 1::3, 1::3], rtol=1e-4)


def test_a_gaussian_that_is_narrow_is_what_it_comes_to(head):
    """The voxel at the centre, or the mean of the two nearest; not 0 / 0."""
    for fwhm in (0.02, 1e-5):
        numpy.testing.assert_array_equal(degrade(head, (1, 3, 1), 'gaussian', fwhm=fwhm), head[:, 1::3])
        numpy.testing.assert_allclose(degrade(head, (1, 4, 1), 'gaussian', fwhm=fwhm),
                                      (head[:, 1::4] + head[:, 2::4]) / 2, rtol=1e-6)


@pytest.mark.parametrize('rate', [(4, 4, 4), (2, 4, 1)])
def test_gaussian_of_even_rate_is_scipy_s_filter_at_half_voxels(head, rate):
    """With zeros put between the voxels, half-voxel positions become whole ones."""
    blurred, weight = head.astype(float), numpy.ones(head.shape)
    for axis, r in enumerate(rate):
        if r == 1:
            continue
        finer = tuple(2 * n if k == axis else n for k, n in enumerate(blurred.shape))
        every_second = tuple(slice(None, None, 2) if k == axis else slice(None) for k in range(3))
        at_centres = tuple(slice(r - 1, None, 2 * r) if k == axis else slice(None) for k in range(3))
        spread, sigma = [], 2 * r / numpy.sqrt(8 * numpy.log(2))
        for image in (blurred, weight):
            stuffed = numpy.zeros(finer)
            stuffed[every_second] = image
            spread.append(ndimage.gaussian_filter1d(stuffed, sigma, axis, mode='constant', truncate=12))
        blurred, weight = (spread[0] / spread[1])[at_centres], numpy.ones(spread[0][at_centres].shape)
    numpy.testing.assert_allclose(degrade(head, rate, 'gaussian'), blurred, rtol=1e-4)


@pytest.mark.parametrize('rate', RATES + [(8, 12, 16)])
def test_kspace_is_the_centre_of_numpy_s_fft(head, rate):
    """The frequency at the new Nyquist limit of an even size counts half at each of its two signs."""
    spectrum = numpy.fft.fftshift(numpy.fft.fftn(head.astype(float)))
    for axis, r in enumerate(rate):
        n, m = spectrum.shape[axis], spectrum.shape[axis] // r
        if r > 1:
            twice = 2 * abs(numpy.arange(n) - n // 2)
            weight = numpy.where(twice < m, 1.0, numpy.where(twice == m, 0.5, 0.0))
            spectrum *= weight.reshape([-1 if k == axis else 1 for k in range(3)])
    expected = numpy.fft.ifftn(numpy.fft.ifftshift(spectrum))[::rate[0], ::rate[1], ::rate[2]]
    assert numpy.abs(expected.imag).max() < 1e-9
    numpy.testing.assert_allclose(degrade(head, rate, 'kspace'), expected.real, atol=1e-4)


@pytest.mark.parametrize('rate', RATES)
@pytest.mark.parametrize('name', DEGRADATIONS)
def test_a_constant_image_stays_constant(name, rate):
    lr = degrade(numpy.full((24, 36, 48), 75, numpy.int16), rate, name)
    assert lr.dtype == numpy.float32 and lr.shape == tuple(n // r for n, r in zip((24, 36, 48), rate))
    numpy.testing.assert_allclose(lr, 75, rtol=1e-6)


def millimetres(volume, shape):
    index = numpy.stack(numpy.meshgrid(*map(numpy.arange, shape), indexing='ij')[::-1], axis=-1)
    return volume.origin + (index * volume.spacing) @ numpy.reshape(volume.direction, (3, 3)).T


SLOPE = numpy.array([1.0, -2.0, 0.5])


@pytest.fixture(scope='module')
def ramp():
    """An oblique volume whose intensity is a linear function of millimetres in its middle."""
    direction = (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0)
    volume = Volume(numpy.zeros((1, 120, 120, 120)), (1.0, 1.3, 0.7), (-20.0, 5.0, 3.0), direction)
    # A ramp is not periodic, as the DFT has it: what rings at the seam is kept out by a smooth window that is 1 in the
    # middle and 0 at the border.
    taper = stats.norm.cdf((34 - numpy.abs(numpy.arange(120) - 60)) / 5.5)
    volume.array[0] = millimetres(volume, volume.size) @ SLOPE * taper[:, None, None] * taper[:, None] * taper
    return volume


@pytest.mark.parametrize('rate', RATES)
@pytest.mark.parametrize('name', [name for name in DEGRADATIONS if name != 'zero_filled'])
def test_a_ramp_keeps_its_physical_position(ramp, name, rate):
    """The HR intensity is a linear function of millimetres, and so is the LR's, at the places its header states.

    ``zero_filled`` rings across all of a ramp, whose ends do not meet: a wave tells its position, below.
    """
    lr = Volume(degrade(ramp.array, rate, name), *lr_volume_geometry(ramp, sampling_of(name, rate)))
    middle = tuple(slice(n // 2 - 1, n // 2 + 2) for n in lr.size)
    difference = (lr.array[0] - millimetres(lr, lr.size) @ SLOPE)[middle]
    assert numpy.abs(difference).max() < 0.02  # one LR voxel is worth up to 9


@pytest.mark.parametrize('rate, kept', [((4, 1, 2), 0.5), ((2, 2, 2), 0.7), ((1, 3, 1), 0.2)])
def test_zero_filled_is_a_coarser_kspace_interpolated_by_numpy_s_fft(head, rate, kept):
    expected = degrade(head, rate, 'kspace').astype(float)
    for axis, r in enumerate(rate):
        n, lines = expected.shape[axis], numpy.moveaxis(expected, axis, 0)
        waves = numpy.exp(2j * numpy.pi * numpy.outer(numpy.arange(n), numpy.arange(n)) / n)
        frequencies = numpy.fft.fftfreq(n, 1 / n)
        passed = (abs(frequencies) <= kept * n / 2) if r > 1 else numpy.ones(n)
        lines = numpy.tensordot(waves * passed / n, numpy.tensordot(waves.conj(), lines, 1), 1).real
        expected = numpy.moveaxis(lines, 0, axis)
    numpy.testing.assert_allclose(degrade(head, rate, 'zero_filled', kept=kept), expected, atol=1e-3)
    if kept != 0.5:
        assert numpy.abs(degrade(head, rate, 'zero_filled') - expected).max() > 1


def test_zero_filled_that_keeps_all_is_kspace(head):
    numpy.testing.assert_allclose(degrade(head, (4, 1, 2), 'zero_filled', kept=1), degrade(head, (4, 1, 2), 'kspace'),
                                  atol=1e-4)


@pytest.mark.parametrize('name', ['kspace', 'zero_filled'])
def test_a_slow_wave_is_sampled_at_the_first_voxel_of_each_block(name):
    wave = 50 + 20 * numpy.cos(2 * numpy.pi * 3 * numpy.arange(48) / 48 + 0.4)
    hr = numpy.broadcast_to(wave[:, None, None], (48, 4, 4))
    numpy.testing.assert_allclose(degrade(hr, (4, 1, 1), name), hr[::4], rtol=1e-5)


@pytest.mark.parametrize('name', DEGRADATIONS)
def test_centres_lie_on_the_first_voxel_of_a_block_or_amid_it(name):
    """What the table says; that it is so, the ramp shows."""
    offset = {'first': (0, 0, 0), 'block': (1.5, 0, 0.5)}[DEGRADATIONS[name].centre]
    assert sampling_of(name, (4, 1, 2)) == Sampling((4, 1, 2), offset)


@pytest.mark.parametrize('rate', RATES)
@pytest.mark.parametrize('name', DEGRADATIONS)
def test_a_channel_and_a_batch_are_degraded_as_if_alone(head, name, rate):
    batch = numpy.stack([[head, 300 - 2 * head], [head[::-1], head[:, ::-1] ** 2 / 100]])
    lr = degrade(batch, rate, name)
    assert sampling_of(name, rate).hr_shape(lr.shape) == batch.shape
    assert lr.dtype == numpy.float32 and lr.flags.c_contiguous
    for index in numpy.ndindex(2, 2):
        numpy.testing.assert_allclose(lr[index], degrade(batch[index], rate, name), rtol=1e-6, atol=1e-4)


@pytest.mark.parametrize('name', DEGRADATIONS)
def test_a_setting_does_what_it_says_and_its_default_is_the_table_s(head, name):
    """Each setting of a name changes what it makes; the values that the config puts in are those of the function."""
    defaults = settings_of(DEGRADATIONS[name].along_axis)
    lr = degrade(head, (4, 1, 2), name)
    numpy.testing.assert_array_equal(degrade(head, (4, 1, 2), name, **defaults), lr)
    for key, value in defaults.items():
        assert numpy.abs(degrade(head, (4, 1, 2), name, **{key: 1.5 * value}) - lr).max() > 0.1


@pytest.mark.parametrize('name', DEGRADATIONS)
def test_an_axis_of_rate_1_is_left_as_it_is(head, name):
    """Each slice across the degraded axis comes from the columns above it alone."""
    lr = degrade(head, (4, 1, 1), name)
    columns = degrade(head[:, 5:7, 8:9], (4, 1, 1), name)
    numpy.testing.assert_allclose(columns, lr[:, 5:7, 8:9], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('signal', [0.0, 3.0, 80.0])
def test_noise_has_the_statistics_of_scipy_s_rice_distribution(signal):
    sigma = 2.5
    lr = degrade(numpy.full((80, 80, 80), signal), (2, 2, 2), 'block_mean', sigma, numpy.random.default_rng(1))
    rice = stats.rice(signal / sigma, scale=sigma)
    assert stats.kstest(lr.ravel(), rice.cdf).pvalue > 0.01
    assert lr.mean() == pytest.approx(rice.mean(), abs=4 * rice.std() / numpy.sqrt(lr.size))
    assert lr.std() == pytest.approx(rice.std(), rel=0.02)
    assert lr.dtype == numpy.float32


def test_noise_of_a_case_depends_on_seed_and_name_alone():
    zeros = numpy.zeros((4, 4, 4))
    first = add_rician_noise(zeros, 1.0, noise_rng(0, '0003'))
    numpy.testing.assert_array_equal(first, add_rician_noise(zeros, 1.0, noise_rng(0, '0003')))
    assert (first != add_rician_noise(zeros, 1.0, noise_rng(0, '0004'))).all()
    assert (first != add_rician_noise(zeros, 1.0, noise_rng(1, '0003'))).all()


@pytest.mark.parametrize('name', DEGRADATIONS)
def test_noise_is_put_on_the_degraded_image_anew_in_each_channel(head, name):
    hr = numpy.stack([head, head])
    lr = degrade(hr, (4, 4, 4), name, 2.0, noise_rng(0, '0003'))
    expected = add_rician_noise(degrade(hr, (4, 4, 4), name), 2.0, noise_rng(0, '0003'))
    numpy.testing.assert_array_equal(lr, expected)
    assert (lr[0] != lr[1]).all() and (lr >= 0).all()


def test_faults_are_said_with_the_numbers():
    hr = numpy.zeros((8, 8, 9), numpy.float32)
    for shape in ((8, 8, 9), (2, 8, 8, 9)):
        with pytest.raises(ValueError, match=re.escape(str(shape)) + r'.*\(4, 4, 4\)'):
            degrade(numpy.zeros(shape, numpy.float32), (4, 4, 4), 'bspline')
    with pytest.raises(ValueError, match=r'\(8, 8\).*\(4, 4, 4\)'):
        degrade(hr[..., 0], (4, 4, 4), 'bspline')
    unknown = f"degradation 'bicubic' is unknown; known are {', '.join(DEGRADATIONS)}"
    with pytest.raises(ValueError, match=unknown):
        degrade(hr, (4, 4, 3), 'bicubic')
    with pytest.raises(ValueError, match=unknown):
        sampling_of('bicubic', (4, 4, 3))
    with pytest.raises(ValueError, match='needs a random generator'):
        degrade(hr, (4, 4, 3), 'bspline', 2.0)


@pytest.mark.parametrize('name', DEGRADATIONS)
def test_a_setting_of_another_name_or_of_none_is_a_type_error(head, name):
    known = {key for other in DEGRADATIONS for key in settings_of(DEGRADATIONS[other].along_axis)}
    for key in (known | {'sigma'}) - set(settings_of(DEGRADATIONS[name].along_axis)):
        with pytest.raises(TypeError, match=key):
            degrade(head, (4, 1, 1), name, **{key: 1.0})
