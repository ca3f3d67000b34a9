import numpy
import pytest
from scipy.ndimage import gaussian_filter
from skimage.morphology import ball, dilation

from util.scores.error_regions import ERROR_REGIONS, RIM, error_regions, region_errors


@pytest.mark.parametrize('channels', [1, 3])
def test_regions_are_scikit_image_s_dilation_and_their_parts_add_up_to_the_mean_squared_error(channels):
    rng = numpy.random.default_rng(0)
    head = gaussian_filter(rng.normal(size=(30, 31, 32)), 3) > 0.05
    error = rng.normal(size=(channels, *head.shape)).astype(numpy.float32)
    regions = error_regions(head)
    parts = region_errors(error, regions)
    assert tuple(regions) == tuple(parts) == ERROR_REGIONS
    numpy.testing.assert_array_equal(sum(mask.astype(int) for mask in regions.values()), 1)  # each voxel in one
    assert sum(parts.values()) == pytest.approx(numpy.mean(error.astype(float) ** 2))
    wider = dilation(head, ball(RIM))
    for name, mask in (('head', head), ('rim', wider & ~head), ('air', ~wider)):
        assert mask.any() and parts[name] == pytest.approx(numpy.where(mask, error.astype(float) ** 2, 0).mean())


def test_an_error_is_counted_where_it_lies():
    head = numpy.zeros((1, 1, 20), bool)
    head[..., :5] = True
    for place, region in ((0, 'head'), (4, 'head'), (5, 'rim'), (4 + RIM, 'rim'), (5 + RIM, 'air'), (19, 'air')):
        error = numpy.zeros((1, *head.shape))
        error[..., place] = 3
        assert region_errors(error, error_regions(head)) == {name: 9 / 20 * (name == region) for name in ERROR_REGIONS}


def test_the_parts_of_several_channels_are_the_means_of_those_of_each():
    rng = numpy.random.default_rng(1)
    regions = error_regions(gaussian_filter(rng.normal(size=(30, 31, 32)), 3) > 0.05)
    error = rng.normal(size=(3, 30, 31, 32)) * numpy.reshape([1, 5, 20], (3, 1, 1, 1))
    alone = [region_errors(channel[None], regions) for channel in error]
    for name, part in region_errors(error, regions).items():
        assert part == pytest.approx(numpy.mean([parts[name] for parts in alone]))
