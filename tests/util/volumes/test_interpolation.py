import numpy
import pytest
import SimpleITK as sitk
from scipy import ndimage
from skimage.metrics import peak_signal_noise_ratio

from util.script import PROJECT
from util.volumes.degradation import degrade
from util.volumes.geometry import hr_volume_geometry
from util.volumes.interpolation import METHODS, Upsampled, interpolation_matrix, upsample
from util.volumes.sampling import Sampling
from util.volumes.reading import read_volume
from util.volumes.volume import Volume

REAL = PROJECT.parent / 'shared' / 'data' / 'ds000011' / 'sub-13' / 'anat' / 'sub-13_T1w.nii.gz'

LR = Volume(numpy.random.default_rng(0).random((1, 11, 12, 13)).astype(numpy.float32) * 100,
            (4.0, 8.0, 2.0), (-8.0, 16.0, 4.0), (0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0))
SAMPLINGS = [Sampling(4), Sampling(4, (1.5, 1.5, 1.5)), Sampling((4, 1, 1), (1.5, 0.0, 0.0)),
             Sampling((1, 2, 4), (0.0, 0.5, 0.0)), Sampling((2, 4, 8))]


def resampled(method, sampling):
    image = sitk.GetImageFromArray(LR.array[0])
    geometry = hr_volume_geometry(LR, sampling)
    grid = sitk.Image([n * r for n, r in zip(LR.size[::-1], sampling.rate[::-1])], sitk.sitkFloat32)
    for volume, target in ((LR, image), (geometry, grid)):
        target.SetSpacing(volume.spacing)
        target.SetOrigin(volume.origin)
        target.SetDirection(volume.direction)
    interpolator = {'nearest': sitk.sitkNearestNeighbor, 'linear': sitk.sitkLinear, 'bspline': sitk.sitkBSpline}
    return sitk.GetArrayFromImage(sitk.Resample(image, grid, sitk.Transform(), interpolator[method]))


@pytest.mark.parametrize('sampling', SAMPLINGS)
@pytest.mark.parametrize('method', METHODS)
def test_agrees_with_simpleitk_at_the_physical_positions(method, sampling):
    hr = upsample(LR.array, sampling, method)
    assert hr.dtype == numpy.float32 and hr.shape == sampling.hr_shape(LR.array.shape)
    interior = tuple(slice(r, r * n - r) if r > 1 else slice(None) for r, n in zip(sampling.rate, LR.size))
    difference = numpy.abs(hr[0] - resampled(method, sampling))
    if method == 'nearest':  # ITK decides ties by the rounding of its coordinates, here and there in another way
        for axis, (r, o) in enumerate(zip(sampling.rate, sampling.offset)):
            ties = (numpy.arange(difference.shape[axis]) - o) / r % 1 == 0.5
            difference[(slice(None),) * axis + (ties,)] = 0
    assert difference[interior].max() < 2e-4


@pytest.mark.parametrize('sampling', SAMPLINGS)
@pytest.mark.parametrize('method, order', [('linear', 1), ('bspline', 3)])
def test_agrees_with_scipy_everywhere_with_coordinates_clamped(method, order, sampling):
    coordinates = numpy.meshgrid(*(numpy.clip((numpy.arange(r * n) - o) / r, 0, n - 1)
                                   for n, r, o in zip(LR.size, sampling.rate, sampling.offset)), indexing='ij')
    expected = ndimage.map_coordinates(LR.array[0].astype(float), coordinates, order=order, mode='mirror')
    numpy.testing.assert_allclose(upsample(LR.array, sampling, method)[0], expected, atol=1e-4)


@pytest.mark.parametrize('method', METHODS)
def test_a_channel_and_a_batch_are_interpolated_as_if_alone(method):
    sampling = Sampling((2, 3, 1), (0.5, 0.0, 0.0))
    batch = numpy.random.default_rng(1).random((2, 3, 4, 5, 6)).astype(numpy.float32)
    hr = upsample(batch, sampling, method)
    assert hr.shape == (2, 3, 8, 15, 6)
    for index in numpy.ndindex(2, 3):
        numpy.testing.assert_allclose(hr[index], upsample(batch[index], sampling, method), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize('where', [
    numpy.s_[:], numpy.s_[1], numpy.s_[0, 5], numpy.s_[:, 3:9], numpy.s_[1, 2:4, 1:7], numpy.s_[0, :, 8],
    numpy.s_[1, :, :, 2], numpy.s_[1:, 7, ::2, 3:], numpy.s_[0, 1, 2, 3], numpy.s_[:, -1], numpy.s_[-1],
    numpy.s_[1:1], numpy.s_[numpy.int64(1), numpy.int32(2)], numpy.s_[:, 5:2]])
def test_a_part_is_what_the_whole_has_there(method, where):
    """Planes, blocks and voxels of an interpolation that does not lie in memory, by NumPy's own indexing."""
    lr = numpy.random.default_rng(1).random((2, 4, 5, 6)).astype(numpy.float32)
    sampling = Sampling((2, 3, 1), (0.5, 0.0, 0.0))
    whole, lazy = upsample(lr, sampling, method), Upsampled(lr, sampling, method)
    assert lazy.shape == whole.shape
    assert lazy[where].shape == whole[where].shape and lazy[where].dtype == numpy.float32
    numpy.testing.assert_allclose(lazy[where], whole[where], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('where', [numpy.s_[..., 0], numpy.s_[[0, 1]], numpy.s_[None], numpy.s_[0, 0.5]])
def test_a_part_is_asked_for_by_numbers_and_slices_alone(where):
    with pytest.raises(TypeError):
        Upsampled(numpy.zeros((2, 4, 5, 6)), Sampling(2), 'linear')[where]


@pytest.mark.parametrize('method', METHODS)
def test_an_axis_is_multiplied_by_a_matrix_that_nobody_can_change(method):
    """It is kept and handed out again: a change would reach every later interpolation."""
    matrix = interpolation_matrix(5, 4, 1.5, method)
    line = numpy.random.default_rng(2).random((5, 1, 1)).astype(numpy.float32)
    expected = upsample(line, Sampling((4, 1, 1), (1.5, 0, 0)), method).ravel()
    numpy.testing.assert_allclose(matrix @ line.ravel(), expected, rtol=1e-6)
    with pytest.raises(ValueError, match='read-only'):
        matrix[0, 0] = 0


@pytest.mark.parametrize('offset', [(0, 0, 0), (0.5, 1.0, 1.5)])
@pytest.mark.parametrize('method', METHODS)
def test_a_constant_stays_constant_to_the_border(method, offset):
    hr = upsample(numpy.full((1, 3, 2, 5), 70.0), Sampling((2, 3, 4), offset), method)
    numpy.testing.assert_allclose(hr, 70, rtol=1e-6)


@pytest.mark.parametrize('method', [method for method in METHODS if method != 'nearest'])  # which makes steps of it
@pytest.mark.parametrize('offset', [0.0, 1.5])
def test_a_ramp_goes_on_where_its_voxels_lie(method, offset):
    lr = numpy.broadcast_to(4 * numpy.arange(40.0) + offset, (1, 2, 2, 40))
    hr = upsample(lr, Sampling((1, 1, 4), (0, 0, offset)), method)
    numpy.testing.assert_allclose(hr[0, 0, 0, 40:120], numpy.arange(40, 120), atol=1e-3)


def test_a_tie_goes_to_the_higher_index():
    hr = upsample(numpy.arange(3.0).reshape(1, 1, 1, 3), Sampling((1, 1, 4)), 'nearest')
    assert hr.ravel().tolist() == [0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2]


@pytest.mark.parametrize('method', METHODS)
def test_an_axis_of_one_voxel_is_repeated(method):
    hr = upsample(numpy.full((1, 1, 2, 2), 3.0), Sampling((4, 1, 1), (1.5, 0, 0)), method)
    numpy.testing.assert_allclose(hr, numpy.full((1, 4, 2, 2), 3.0), rtol=1e-6)


def test_an_unknown_method_is_named():
    with pytest.raises(ValueError, match=f"interpolation 'cubic' is unknown; known are {', '.join(METHODS)}"):
        upsample(numpy.zeros((1, 2, 2, 2)), Sampling(2), method='cubic')


@pytest.mark.skipif(not REAL.is_file(), reason=f'no real volume at {REAL}')
def test_half_a_voxel_matters_on_a_real_volume():
    """Block means lie amid their blocks: there B-spline beats linear; put on the first voxel both lose over 1 dB."""
    hr = read_volume(REAL, numpy.float32).array
    lr = degrade(hr, (4, 4, 4), 'block_mean')

    def psnr(method, offset):
        return peak_signal_noise_ratio(hr, upsample(lr, Sampling(4, (offset,) * 3), method), data_range=numpy.ptp(hr))

    assert psnr('bspline', 1.5) > psnr('linear', 1.5) + 0.5
    assert min(psnr(method, 1.5) - psnr(method, 0.0) for method in ('bspline', 'linear')) > 1
