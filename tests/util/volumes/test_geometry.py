import numpy
import pytest
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

from util.script import UserError
from util.volumes.geometry import check_pair, crop_to_multiple, hr_volume_geometry, lr_volume_geometry
from util.volumes.sampling import Sampling
from util.volumes.volume import Volume

DIRECTION = tuple(Rotation.from_euler('xyz', [0.3, -0.5, 1.1]).as_matrix().ravel())
SAMPLINGS = [Sampling(4), Sampling((4, 1, 1), (1.5, 0.0, 0.0)), Sampling((2, 3, 4), (0.5, 1.0, 1.5))]


def make_volume(size=(8, 9, 12), channels=1):
    return Volume(numpy.zeros((channels, *size), numpy.float32), (1.0, 1.3, 0.7), (-80.0, 20.5, 3.0), DIRECTION)


def as_sitk(size_zyx, geometry):
    image = sitk.Image([int(n) for n in size_zyx[::-1]], sitk.sitkUInt8)
    image.SetSpacing(geometry.spacing)
    image.SetOrigin(geometry.origin)
    image.SetDirection(geometry.direction)
    return image


@pytest.mark.parametrize('sampling', SAMPLINGS)
def test_lr_voxel_i_lies_at_hr_index_r_i_plus_offset(sampling):
    """In millimetres, as SimpleITK computes them, for an oblique volume."""
    hr = make_volume()
    hr_image = as_sitk(hr.size, hr)
    lr_image = as_sitk((2, 3, 3), lr_volume_geometry(hr, sampling))
    for index in [(0, 0, 0), (1, 2, 1), (2, 1, 0)]:  # x, y, z
        hr_index = [r * i + o for r, i, o in zip(sampling.rate[::-1], index, sampling.offset[::-1])]
        numpy.testing.assert_allclose(lr_image.TransformIndexToPhysicalPoint(index),
                                      hr_image.TransformContinuousIndexToPhysicalPoint(hr_index), atol=1e-9)


@pytest.mark.parametrize('sampling', SAMPLINGS)
def test_hr_geometry_is_the_inverse_of_lr_geometry(sampling):
    hr = make_volume()
    back = hr_volume_geometry(lr_volume_geometry(hr, sampling), sampling)
    numpy.testing.assert_allclose(back.spacing, hr.spacing, rtol=1e-12)
    numpy.testing.assert_allclose(back.origin, hr.origin, atol=1e-10)
    assert back.direction == hr.direction


@pytest.mark.parametrize('channels', [1, 2])
def test_cropping_takes_the_far_end_off_and_leaves_the_origin(channels):
    volume = make_volume((9, 9, 9), channels)
    volume.array[:] = numpy.arange(channels * 729).reshape(channels, 9, 9, 9)
    cropped = crop_to_multiple(volume, (4, 1, 2))
    numpy.testing.assert_array_equal(cropped.array, volume.array[:, :8, :, :8])
    assert (cropped.spacing, cropped.origin, cropped.direction) == (volume.spacing, volume.origin, volume.direction)


def test_an_axis_smaller_than_its_rate_is_refused_with_the_numbers():
    with pytest.raises(UserError, match=r'\(3, 9, 12\).*\(4, 1, 1\)'):
        crop_to_multiple(make_volume((3, 9, 12), 2), (4, 1, 1))


@pytest.mark.parametrize('channels', [1, 2])
def test_a_pair_of_another_rate_offset_place_or_number_of_channels_is_refused(channels):
    sampling, hr = Sampling((4, 3, 2), (1.5, 1.0, 0.5)), make_volume((8, 9, 12), channels)
    lr = Volume(numpy.zeros((channels, 2, 3, 6), numpy.float32), *lr_volume_geometry(hr, sampling))
    check_pair(lr, hr, sampling, ('LR.mhd', 'HR.mhd'))
    sizes = rf'LR.mhd and HR.mhd: sizes \({channels}, 2, 3, 6\) and \({channels}, 8, 9, 12\)'
    with pytest.raises(UserError, match=sizes):
        check_pair(lr, hr, Sampling(4, sampling.offset), ('LR.mhd', 'HR.mhd'))
    with pytest.raises(UserError, match=rf'sizes \({channels}, 2, 3, 6\) and \(3, 8, 9, 12\)'):
        check_pair(lr, make_volume((8, 9, 12), 3), sampling, ('LR.mhd', 'HR.mhd'))
    with pytest.raises(UserError, match='mm away'):
        check_pair(lr, hr, Sampling(sampling.rate), ('LR.mhd', 'HR.mhd'))
    others = {'spacing': (2.0, 4.0, 2.8), 'origin': (0.0, 0.0, 0.0), 'direction': tuple(numpy.eye(3).ravel())}
    for field, value in others.items():
        moved = Volume(**{**vars(lr), field: value})
        with pytest.raises(UserError, match='mm away'):
            check_pair(moved, hr, sampling, ('LR.mhd', 'HR.mhd'))


def test_lr_voxels_may_lie_a_hundredth_of_an_hr_voxel_elsewhere_and_no_more():
    """HR voxels are 0.7 mm wide along their narrowest axis."""
    hr, sampling = make_volume((8, 8, 12)), Sampling(2)
    spacing, origin, direction = lr_volume_geometry(hr, sampling)
    lr = numpy.zeros((1, 4, 4, 6), numpy.float32)

    def check(distance):
        check_pair(Volume(lr, spacing, (origin[0] + distance, *origin[1:]), direction), hr, sampling, 'LH')

    check(0.0069)
    with pytest.raises(UserError, match='L lies 0.0071 mm away'):
        check(0.0071)
