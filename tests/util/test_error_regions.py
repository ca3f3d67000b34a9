import numpy
import pytest
from scipy.ndimage import gaussian_filter
from skimage.morphology import ball, dilation

from util.error_regions import ERROR_REGIONS, RIM, error_regions, region_errors


def test_regions_are_scikit_image_s_dilation_and_their_parts_add_up_to_the_mean_squared_error():
    rng = numpy.random.default_rng(0)
    head = gaussian_filter(rng.normal(size=(30, 31, 32)), 3) > 0.05
    error = rng.normal(size=head.shape).astype(numpy.float32)
    parts = region_errors(error, error_regions(head))
    assert tuple(parts) == ERROR_REGIONS
    assert sum(parts.values()) == pytest.approx(numpy.mean(error.astype(float) ** 2))
    wider = dilation(head, ball(RIM))
    for name, mask in (('head', head), ('rim', wider & ~head), ('air', ~wider)):
        assert mask.any() and parts[name] == pytest.approx(numpy.where(mask, error.astype(float) ** 2, 0).mean())


def test_an_error_is_counted_where_it_lies():
    head = numpy.zeros((1, 1, 20), bool)
    head[..., :5] = True
    for place, region in ((0, 'head'), (4, 'head'), (5, 'rim'), (4 + RIM, 'rim'), (5 + RIM, 'air'), (19, 'air')):
        error = numpy.zeros(head.shape)
        error[0, 0, place] = 3
        assert region_errors(error, error_regions(head)) == {name: 9 / 20 * (name == region) for name in ERROR_REGIONS}
