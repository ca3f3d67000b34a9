import numpy
import pytest
from scipy import ndimage
from skimage.filters import threshold_li

from util.script import UserError
from util.volumes.head_mask import head_mask


def ball(shape, centre, radius):
    z, y, x = numpy.ogrid[tuple(map(slice, shape))]
    return (z - centre[0])**2 + (y - centre[1])**2 + (x - centre[2])**2 <= radius**2


@pytest.mark.parametrize('scale', [1, 1000])
def test_it_is_the_bright_ball_with_its_dark_inside_and_without_the_bright_speck_in_the_air(scale):
    shape = (30, 32, 34)
    head, ventricle = ball(shape, (15, 16, 17), 10), ball(shape, (15, 16, 17), 4)
    rng = numpy.random.default_rng(0)
    volume = numpy.abs(rng.normal(0, 0.03, shape)) + head - 0.9 * ventricle + ball(shape, (3, 3, 3), 2)
    mask = head_mask((scale * volume).astype(numpy.float32)[None])
    assert mask.dtype == bool
    numpy.testing.assert_array_equal(mask, head)


def test_a_dark_tunnel_to_the_air_is_filled_where_a_plane_encloses_it():
    """A canal along z is open in 3D, and enclosed in every axial plane."""
    shape = (20, 30, 30)
    head = ball(shape, (9, 15, 15), 9)
    volume = head.astype(numpy.float32)
    volume[:, 14:17, 14:17] = 0
    mask = head_mask(volume[None])
    numpy.testing.assert_array_equal(mask[5:15], head[5:15])


@pytest.mark.parametrize('dtype, bottom', [('float32', 0), ('float32', -70), ('int16', 0), ('float64', 1e5)])
def test_the_mask_is_that_of_scikit_image_s_threshold_filled_by_scipy(dtype, bottom):
    """Tissue with dark spots, of more planes than are filled at a time; holes of the volume and those of each plane."""
    rng = numpy.random.default_rng(0)
    shape = (36, 40, 38)
    noise = ndimage.gaussian_filter(rng.normal(size=shape), 1.5)
    volume = (ball(shape, (18, 20, 19), 14) * (300 + 3000 * noise) + rng.gamma(2, 10, shape) + bottom).astype(dtype)
    labels, count = ndimage.label(volume > threshold_li(volume))
    head = labels == 1 + numpy.argmax(ndimage.sum_labels(labels > 0, labels, range(1, count + 1)))
    expected = ndimage.binary_fill_holes(head)
    assert expected.sum() > head.sum()
    before = expected.copy()
    for axis in range(3):
        for plane, filled in zip(numpy.moveaxis(before, axis, 0), numpy.moveaxis(expected, axis, 0)):
            filled |= ndimage.binary_fill_holes(plane)
    assert expected.sum() > before.sum()
    numpy.testing.assert_array_equal(head_mask(volume[None]), expected)


@pytest.mark.parametrize('channels', [1, 2])
@pytest.mark.parametrize('value', [0, numpy.nan])
def test_a_volume_without_contrast_is_refused(value, channels):
    with pytest.raises(UserError, match='no head can be found'):
        head_mask(numpy.full((channels, 4, 4, 4), value, numpy.float32))


@pytest.mark.filterwarnings('ignore::RuntimeWarning')  # on the way to it
def test_intensities_beyond_the_threshold_s_arithmetic_are_refused():
    with pytest.raises(UserError, match='no head can be found in a volume with intensities from 0 to 3e'):
        head_mask(3e38 * ball((8, 8, 8), (4, 4, 4), 3)[None].astype(numpy.float32))


def test_of_several_channels_it_is_that_of_the_root_of_their_sum_of_squares():
    """Two halves of a head, one in a channel of negative values, are one head; order and signs say nothing."""
    shape = (20, 22, 24)
    head = ball(shape, (10, 11, 12), 7)
    noise = numpy.random.default_rng(0).normal(0, 0.03, (2, *shape))
    left, right = head * 1.0, -1.0 * head
    left[..., 12:], right[..., :12] = 0, 0
    volume = (noise + numpy.stack([left, right])).astype(numpy.float32)
    numpy.testing.assert_array_equal(head_mask(volume), head)
    numpy.testing.assert_array_equal(head_mask(-volume[::-1]), head)
    magnitude = numpy.hypot(*volume.astype(numpy.float64))
    numpy.testing.assert_array_equal(head_mask(volume), head_mask(magnitude[None]))


def test_large_integers_do_not_overflow_where_channels_are_put_together():
    head = ball((20, 20, 20), (10, 10, 10), 6)
    numpy.testing.assert_array_equal(head_mask(numpy.stack([30000 * head, 20000 * head]).astype(numpy.int16)), head)
