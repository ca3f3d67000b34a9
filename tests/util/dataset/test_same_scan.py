"""A copy is the same scan, whatever a tool made of its axes and its numbers; another scan of the same head is not."""
import itertools

import numpy
import pytest
from scipy.ndimage import gaussian_filter

from util.dataset.same_scan import SeenScans, same_voxels, thumbnail
from util.volumes.volume import Volume
from util.volumes.writing import write_volume

GEOMETRY = (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


def scan(seed=0, size=(17, 22, 19), channels=1):
    """A smooth object with fine detail, int16, on a background of nothing."""
    rng, shape = numpy.random.default_rng(seed), (channels, *size)
    blobs = gaussian_filter(rng.normal(size=shape), (0, 2, 2, 2)) * 9000
    return numpy.where(blobs > 0, blobs + rng.random(shape) * 90, 0).astype(numpy.int16)


@pytest.fixture
def seen(tmp_path):
    scans = SeenScans()
    for seed in range(3):
        path = tmp_path / f'{seed}.mhd'
        write_volume(path, Volume(scan(seed), *GEOMETRY))
        scans.find_or_add(path, scan(seed))
    return scans


@pytest.mark.parametrize('order', list(itertools.permutations(range(1, 4))))
def test_a_copy_is_found_in_all_48_orientations(seen, tmp_path, order):
    for steps in itertools.product((1, -1), repeat=3):
        turned = scan(1).transpose(0, *order)[(slice(None), *(slice(None, None, step) for step in steps))]
        assert seen.find_or_add('copy', turned.astype(numpy.float32)) == tmp_path / '1.mhd'


def to_levels(array, levels, rounded):
    scaled = (array - array.min()) / float(numpy.ptp(array)) * levels
    return rounded(scaled).astype(numpy.uint16 if levels > 255 else numpy.uint8)


COPIES = {
    'float32': lambda array: array.astype(numpy.float32), 'float64': lambda array: array.astype(float),
    'int32': lambda array: array.astype(numpy.int32), 'big-endian': lambda array: array.astype('>i2'),
    'scaled': lambda array: (array * 1.2345 + 7).astype(numpy.float32),
    'very large': lambda array: (array * 1e34).astype(numpy.float32),
    'very small': lambda array: (array * 1e-34).astype(numpy.float32),
    'slope of a NIfTI': lambda array: numpy.float32(to_levels(array, 65535, numpy.rint) * 0.3721 - 3),
    '40 levels': lambda array: to_levels(array, 40, numpy.rint),
    'uint8': lambda array: to_levels(array, 255, numpy.rint),
    'uint8, cut down': lambda array: to_levels(array, 255, numpy.floor),
    'a few voxels changed': lambda array: numpy.where(numpy.arange(array.size).reshape(array.shape) % 999, array, 0),
    'rounded float': lambda array: numpy.rint(array + 0.4 * numpy.random.default_rng(0).random(array.shape)),
}


@pytest.mark.parametrize('copy', COPIES.values(), ids=COPIES)
def test_a_copy_of_another_type_or_scale_is_found(seen, tmp_path, copy):
    assert seen.find_or_add('copy', copy(scan(1))) == tmp_path / '1.mhd'


OTHERS = {
    'another head': lambda array: scan(9),
    'a second scan, with noise of its own': lambda array: array + numpy.random.default_rng(1).normal(
        0, 0.02 * array.max(), array.shape).astype(numpy.int16),
    'a second scan, with little noise and none outside the head': lambda array: array + (array > 0) * (
        numpy.random.default_rng(1).normal(0, 0.003 * array.max(), array.shape).astype(numpy.int16)),
    'a shift': lambda array: numpy.roll(array, 1, 2), 'a crop': lambda array: array[:, 1:],
    'inverted': lambda array: array.max() - array}


@pytest.mark.parametrize('other', OTHERS.values(), ids=OTHERS)
def test_another_scan_is_not(seen, other):
    assert seen.find_or_add('copy', other(scan(1))) is None


def test_channels_are_compared_all_together(tmp_path):
    scans, array = SeenScans(), scan(channels=2)
    write_volume(tmp_path / 'a.mhd', Volume(array, *GEOMETRY))
    scans.find_or_add(tmp_path / 'a.mhd', array)
    assert scans.find_or_add('copy', array) == tmp_path / 'a.mhd'
    assert scans.find_or_add('copy', array[::-1]) is None and scans.find_or_add('copy', array[:1]) is None


def test_sparse_and_coarse_volumes_are_the_same_only_if_their_voxels_are():
    """Small masks in one place: 99 of 100 voxels agree, and every value is within a step of every other."""
    one, other = numpy.zeros((2, 1, 20, 20, 20), numpy.uint8)
    one[0, 8:12, 8:12, 8:12], other[0, 9:13, 8:12, 8:12] = 1, 1
    assert same_voxels(one, one.astype(float)) and not same_voxels(one, other)
    assert not same_voxels(numpy.zeros((1, 3, 3, 3)), numpy.ones((1, 3, 3, 3)))


@pytest.mark.parametrize('size', [(2, 3, 4), (6, 7, 8), (13, 14, 15), (33, 20, 160)])
def test_thumbnails_turn_with_their_volumes(size):
    array = numpy.random.default_rng(0).random((1, *size))
    numpy.testing.assert_allclose(thumbnail(array[:, ::-1, :, ::-1].swapaxes(1, 2)),
                                  thumbnail(array)[:, ::-1, :, ::-1].swapaxes(1, 2), atol=1e-12)
    assert (thumbnail(array) ** 2).sum() == pytest.approx(1) and max(thumbnail(array).shape) <= 7
