from types import SimpleNamespace

import numpy
import pytest
import SimpleITK as sitk
from scipy import ndimage, stats
from skimage.transform import downscale_local_mean

from util.degradation import add_rician_noise, centre_offset, degrade, noise_rng
from util.geometry import lr_volume_geometry
from util.volume import Volume

NAMES = ['bspline', 'block_mean', 'gaussian', 'kspace']
RATES = [(4, 4, 4), (2, 2, 2), (4, 1, 1), (2, 3, 4)]


def settings(name, fwhm=1.0, noise_sigma=0.0):
    return SimpleNamespace(name=name, fwhm=fwhm, noise_sigma=noise_sigma)


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
    numpy.testing.assert_allclose(degrade(head, rate, settings('bspline')), expected, atol=1e-5)


@pytest.mark.parametrize('rate', RATES)
def test_block_mean_is_scikit_image_s(head, rate):
    expected = downscale_local_mean(head, rate)
    numpy.testing.assert_allclose(degrade(head, rate, settings('block_mean')), expected, rtol=1e-5)


@pytest.mark.parametrize('fwhm', [0.7, 1.0, 1.5])
def test_gaussian_of_odd_rate_is_scipy_s_filter_sampled_at_block_centres(head, fwhm):
    sigma = fwhm * 3 / numpy.sqrt(8 * numpy.log(2))
    blurred = ndimage.gaussian_filter(head.astype(float), sigma, mode='constant', truncate=12)
    blurred /= ndimage.gaussian_filter(numpy.ones(head.shape), sigma, mode='constant', truncate=12)
    lr = degrade(head, (3, 3, 3), settings('gaussian', fwhm))
    numpy.testing.assert_allclose(lr, blurred[1::3, 1::3, 1::3], rtol=1e-4)


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
    numpy.testing.assert_allclose(degrade(head, rate, settings('gaussian')), blurred, rtol=1e-4)


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
    numpy.testing.assert_allclose(degrade(head, rate, settings('kspace')), expected.real, atol=1e-4)


@pytest.mark.parametrize('rate', RATES)
@pytest.mark.parametrize('name', NAMES)
def test_a_constant_image_stays_constant(name, rate):
    lr = degrade(numpy.full((24, 36, 48), 75, numpy.int16), rate, settings(name))
    assert lr.dtype == numpy.float32 and lr.shape == tuple(n // r for n, r in zip((24, 36, 48), rate))
    numpy.testing.assert_allclose(lr, 75, rtol=1e-6)


@pytest.mark.parametrize('rate', RATES)
@pytest.mark.parametrize('name', NAMES)
def test_a_ramp_keeps_its_physical_position(name, rate):
    """The HR intensity is a linear function of millimetres, and so is the LR's, at the places its header states."""
    direction = (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0)
    shape = (120, 120, 120) if name == 'kspace' else (48, 48, 48)
    hr = Volume(numpy.zeros(shape), (1.0, 1.3, 0.7), (-20.0, 5.0, 3.0), direction)
    slope = numpy.array([1.0, -2.0, 0.5])
    hr_ramp = millimetres(hr, shape) @ slope
    if name == 'kspace':
        # a ramp is not periodic, as the DFT has it: what rings at the seam is kept out by a smooth window that is 1
        # in the middle and 0 at the border
        taper = stats.norm.cdf((30 - numpy.abs(numpy.arange(120) - 60)) / 6)
        hr_ramp = hr_ramp * taper[:, None, None] * taper[:, None] * taper
    lr_array = degrade(hr_ramp, rate, settings(name))
    lr = Volume(lr_array, *lr_volume_geometry(hr, rate, centre_offset(name, rate)))
    middle = tuple(slice(n // 2 - 1, n // 2 + 2) for n in lr_array.shape)
    difference = (lr_array - millimetres(lr, lr_array.shape) @ slope)[middle]
    assert numpy.abs(difference).max() < 0.02  # one LR voxel is worth up to 9


def millimetres(volume, shape):
    index = numpy.stack(numpy.meshgrid(*map(numpy.arange, shape), indexing='ij')[::-1], axis=-1)
    return volume.origin + (index * volume.spacing) @ numpy.reshape(volume.direction, (3, 3)).T


def test_kspace_samples_a_slow_wave_at_the_first_voxel_of_each_block():
    wave = 50 + 20 * numpy.cos(2 * numpy.pi * 3 * numpy.arange(48) / 48 + 0.4)
    hr = numpy.broadcast_to(wave[:, None, None], (48, 4, 4))
    numpy.testing.assert_allclose(degrade(hr, (4, 1, 1), settings('kspace')), hr[::4], rtol=1e-5)


@pytest.mark.parametrize('name, offset', [('bspline', (0, 0, 0)), ('kspace', (0, 0, 0)),
                                          ('block_mean', (1.5, 0, 0.5)), ('gaussian', (1.5, 0, 0.5))])
def test_offsets(name, offset):
    assert centre_offset(name, (4, 1, 2)) == offset


@pytest.mark.parametrize('name', NAMES)
def test_an_axis_of_rate_1_is_left_as_it_is(head, name):
    """Each slice across the degraded axis comes from the columns above it alone."""
    lr = degrade(head, (4, 1, 1), settings(name))
    columns = degrade(head[:, 5:7, 8:9], (4, 1, 1), settings(name))
    numpy.testing.assert_allclose(columns, lr[:, 5:7, 8:9], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('signal', [0.0, 3.0, 80.0])
def test_noise_has_the_statistics_of_scipy_s_rice_distribution(signal):
    sigma = 2.5
    lr = degrade(numpy.full((80, 80, 80), signal), (2, 2, 2), settings('block_mean', noise_sigma=sigma),
                 numpy.random.default_rng(1))
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


def test_faults_are_said_with_the_numbers():
    hr = numpy.zeros((8, 8, 9), numpy.float32)
    with pytest.raises(ValueError, match=r'\(8, 8, 9\).*\(4, 4, 4\)'):
        degrade(hr, (4, 4, 4), settings('bspline'))
    with pytest.raises(ValueError, match="'bicubic' is unknown; known are bspline"):
        degrade(hr, (4, 4, 3), settings('bicubic'))
    with pytest.raises(ValueError, match='needs a random generator'):
        degrade(hr, (4, 4, 3), settings('bspline', noise_sigma=2.0))
