"""Squared error and structural similarity, block by block, against scikit-image over the whole volume."""
import numpy
import pytest
from scipy.ndimage import gaussian_filter
from skimage.metrics import structural_similarity

from util.scores.error_sums import error_sums
from util.script import PROJECT
from util.volumes.degradation import degrade
from util.volumes.head_mask import head_mask
from util.volumes.interpolation import Upsampled, upsample
from util.volumes.reading import read_volume
from util.volumes.sampling import Sampling

REAL = PROJECT.parent / 'shared' / 'data' / 'ds000011' / 'sub-13' / 'anat' / 'sub-13_T1w.nii.gz'


def expected_sums(hr, sr, head, data_range):
    """By scikit-image, in float64, over the whole volume: (z, y, x) each."""
    _, similarity = structural_similarity(hr.astype(float), sr.astype(float), data_range=data_range,
                                          gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True)
    square = (hr.astype(float) - sr) ** 2
    inner = similarity[5:-5, 5:-5, 5:-5]
    return square.sum(), inner.sum(), square[head].sum(), similarity[head].sum()


def volumes(shape, offset=100.0):
    rng = numpy.random.default_rng(0)
    hr = (gaussian_filter(rng.normal(size=shape), (0, 2, 2, 2)) * 500 + offset).astype(numpy.float32)
    images = {name: (hr + rng.normal(0, sigma, shape)).astype(numpy.float32) for name, sigma in (('a', 3), ('b', 30))}
    return hr, images, rng.random(shape[1:]) < 0.4


# below one block along every axis; several blocks that do not divide the axes; as few voxels as one window
@pytest.mark.parametrize('shape', [(1, 20, 24, 22), (2, 57, 70, 101), (1, 11, 11, 11), (1, 11, 90, 30)])
def test_sums_are_those_of_scikit_image_over_the_whole_volume(shape):
    hr, images, head = volumes(shape)
    for channel, truth in enumerate(hr):
        data_range = float(truth.max() - truth.min())
        sums = error_sums(hr, images, channel, head, data_range)
        assert list(sums) == ['a', 'b']
        for name, image in images.items():
            numpy.testing.assert_allclose(sums[name], expected_sums(truth, image[channel], head, data_range),
                                       rtol=5e-6)  # of one window: float32's own rounding


@pytest.mark.parametrize('offset', [1e3, -1e4, 1e5])
def test_a_bright_offset_costs_no_more_than_the_precision_of_the_volumes(offset):
    """Variances are differences of squares: 100 000 beside contrasts of 100, and what float32 leaves of these."""
    hr, images, head = volumes((1, 40, 40, 40), offset=offset)
    sums = error_sums(hr, images, 0, head, float(numpy.ptp(hr)))
    for name, image in images.items():
        numpy.testing.assert_allclose(sums[name], expected_sums(hr[0], image[0], head, float(numpy.ptp(hr))), rtol=2e-6)


@pytest.mark.parametrize('exponent', [-120, -60, -35, 35, 60, 100])
def test_the_units_do_not_matter(exponent):
    """A diffusivity in m^2/s is 1e-9; and a power of two changes no digit of float32."""
    hr, images, head = volumes((1, 20, 24, 22))
    unit, data_range = numpy.float32(2.0 ** exponent), float(numpy.ptp(hr))
    sums = error_sums(hr, images, 0, head, data_range)
    others = error_sums(hr * unit, {name: image * unit for name, image in images.items()}, 0, head,
                        data_range * float(unit))
    for name, values in sums.items():
        numpy.testing.assert_array_equal(others[name], values * [4.0 ** exponent, 1, 4.0 ** exponent, 1])


def test_an_interpolation_need_not_be_there_as_a_volume():
    hr, _, head = volumes((1, 40, 44, 48))
    lr = degrade(hr, (4, 4, 4), 'bspline')
    sampling = Sampling(4)
    parts, whole = (error_sums(hr, {'linear': interpolate(lr, sampling, 'linear')}, 0, head, 300.0)
                    for interpolate in (Upsampled, upsample))
    numpy.testing.assert_allclose(parts['linear'], whole['linear'], rtol=1e-6)


@pytest.mark.skipif(not REAL.is_file(), reason=f'no real volume at {REAL}')
def test_sums_of_a_real_scan_are_those_of_scikit_image():
    hr = read_volume(REAL, numpy.float32).array[:, :80]
    sr = upsample(degrade(hr, (4, 4, 4), 'bspline'), Sampling(4), 'linear')
    head, data_range = head_mask(hr), float(numpy.ptp(hr))
    numpy.testing.assert_allclose(error_sums(hr, {'linear': sr}, 0, head, data_range)['linear'],
                                  expected_sums(hr[0], sr[0], head, data_range), rtol=1e-6)
