from types import SimpleNamespace

import numpy
import pytest
import SimpleITK as sitk
from scipy import ndimage
from skimage.metrics import peak_signal_noise_ratio

from util.degradation import degrade
from util.geometry import hr_volume_geometry
from util.interpolation import METHODS, upsample
from util.script import PROJECT
from util.volume import Volume, read_volume

REAL = PROJECT.parent / 'shared' / 'data' / 'ds000011' / 'sub-13' / 'anat' / 'sub-13_T1w.nii.gz'

LR = Volume(numpy.random.default_rng(0).random((11, 12, 13)).astype(numpy.float32) * 100,
            (4.0, 8.0, 2.0), (-8.0, 16.0, 4.0), (0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0))
GRIDS = [((4, 4, 4), (0.0, 0.0, 0.0)), ((4, 4, 4), (1.5, 1.5, 1.5)), ((4, 1, 1), (1.5, 0.0, 0.0)),
         ((1, 2, 4), (0.0, 0.5, 0.0)), ((2, 4, 8), (0.0, 0.0, 0.0))]


def resampled(method, rate, offset):
    image = sitk.GetImageFromArray(LR.array)
    geometry = hr_volume_geometry(LR, rate, offset)
    grid = sitk.Image([n * r for n, r in zip(LR.array.shape[::-1], rate[::-1])], sitk.sitkFloat32)
    for volume, target in ((LR, image), (geometry, grid)):
        target.SetSpacing(volume.spacing)
        target.SetOrigin(volume.origin)
        target.SetDirection(volume.direction)
    interpolator = {'nearest': sitk.sitkNearestNeighbor, 'linear': sitk.sitkLinear, 'bspline': sitk.sitkBSpline}
    return sitk.GetArrayFromImage(sitk.Resample(image, grid, sitk.Transform(), interpolator[method]))


@pytest.mark.parametrize('rate, offset', GRIDS)
@pytest.mark.parametrize('method', METHODS)
def test_agrees_with_simpleitk_at_the_physical_positions(method, rate, offset):
    hr = upsample(LR.array, rate, offset, method)
    assert hr.dtype == numpy.float32
    interior = tuple(slice(r, r * n - r) if r > 1 else slice(None)
                     for r, n in zip(rate, LR.array.shape))
    difference = numpy.abs(hr - resampled(method, rate, offset))
    if method == 'nearest':  # ITK decides ties by the rounding of its coordinates, here and there in another way
        for axis, (r, o) in enumerate(zip(rate, offset)):
            ties = (numpy.arange(hr.shape[axis]) - o) / r % 1 == 0.5
            difference[(slice(None),) * axis + (ties,)] = 0
    assert difference[interior].max() < 2e-4


@pytest.mark.parametrize('rate, offset', GRIDS)
@pytest.mark.parametrize('method, order', [('linear', 1), ('bspline', 3)])
def test_agrees_with_scipy_everywhere_with_coordinates_clamped(method, order, rate, offset):
    coordinates = numpy.meshgrid(*(numpy.clip((numpy.arange(r * n) - o) / r, 0, n - 1)
                                   for n, r, o in zip(LR.array.shape, rate, offset)), indexing='ij')
    expected = ndimage.map_coordinates(LR.array.astype(float), coordinates, order=order, mode='mirror')
    numpy.testing.assert_allclose(upsample(LR.array, rate, offset, method), expected, atol=1e-4)


@pytest.mark.parametrize('offset', [(0, 0, 0), (0.5, 1.0, 1.5)])
@pytest.mark.parametrize('method', METHODS)
def test_a_constant_stays_constant_to_the_border(method, offset):
    numpy.testing.assert_allclose(upsample(numpy.full((3, 2, 5), 70.0), (2, 3, 4), offset, method), 70, rtol=1e-6)


@pytest.mark.parametrize('method', ['linear', 'bspline'])
@pytest.mark.parametrize('offset', [0.0, 1.5])
def test_a_ramp_goes_on_where_its_voxels_lie(method, offset):
    lr = numpy.broadcast_to(4 * numpy.arange(40.0) + offset, (2, 2, 40))
    hr = upsample(lr, (1, 1, 4), (0, 0, offset), method)
    numpy.testing.assert_allclose(hr[0, 0, 40:120], numpy.arange(40, 120), atol=1e-3)


def test_a_tie_goes_to_the_higher_index():
    hr = upsample(numpy.arange(3.0).reshape(1, 1, 3), (1, 1, 4), (0, 0, 0), 'nearest')
    assert hr.ravel().tolist() == [0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2]


@pytest.mark.parametrize('method', METHODS)
def test_an_axis_of_one_voxel_is_repeated(method):
    hr = upsample(numpy.full((1, 2, 2), 3.0), (4, 1, 1), (1.5, 0, 0), method)
    numpy.testing.assert_allclose(hr, numpy.full((4, 2, 2), 3.0), rtol=1e-6)


def test_an_unknown_method_is_named():
    with pytest.raises(ValueError, match="'cubic' is unknown; known are nearest, linear, bspline"):
        upsample(numpy.zeros((2, 2, 2)), (2, 2, 2), (0, 0, 0), 'cubic')


@pytest.mark.skipif(not REAL.is_file(), reason=f'no real volume at {REAL}')
def test_half_a_voxel_matters_on_a_real_volume():
    """Block means lie amid their blocks: there B-spline beats linear; put on the first voxel both lose over 1 dB."""
    hr = read_volume(REAL, numpy.float32).array
    lr = degrade(hr, (4, 4, 4), SimpleNamespace(name='block_mean', noise_sigma=0))

    def psnr(method, offset):
        return peak_signal_noise_ratio(hr, upsample(lr, (4, 4, 4), (offset,) * 3, method), data_range=numpy.ptp(hr))

    assert psnr('bspline', 1.5) > psnr('linear', 1.5) + 0.5
    assert min(psnr(method, 1.5) - psnr(method, 0.0) for method in ('bspline', 'linear')) > 1
