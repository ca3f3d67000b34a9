import numpy
import pytest

from util.script import UserError
from util.volumes.probes import AROUND, BALLS, RADIUS, level, middle_of_white_matter, probes
from util.volumes.volume import Volume

SPACING = 2.0, 2.5, 3.0  # x, y, z
GREY, WHITE = 60.0, 100.0


def head(size=(30, 36, 45), white=(38, 48, 43)):
    """A ball of grey matter of 40 mm, and in it one of white matter of 22 mm, whose middle is given in mm, z, y, x."""
    z, y, x = numpy.ix_(*(numpy.arange(n) * s for n, s in zip(size, SPACING[::-1])))

    def ball(middle, radius):
        return sum((a - m) ** 2 for a, m in zip((z, y, x), middle)) < radius ** 2

    array = numpy.where(ball(white, 22), WHITE, numpy.where(ball((43, 45, 45), 40), GREY, 0.0))
    return Volume(array[None].astype(numpy.float32), SPACING, (0.0,) * 3, tuple(numpy.eye(3).ravel()))


def distance(volume, middle):
    return numpy.sqrt(sum(((numpy.indices(volume.size)[i] - middle[i]) * SPACING[::-1][i]) ** 2 for i in range(3)))


def all_probes(volume):
    return {name: rest for name, *rest in probes(volume, numpy.random.default_rng(0))}


def test_the_middle_of_the_white_matter_is_found():
    middle = middle_of_white_matter(head()) * SPACING[::-1]
    numpy.testing.assert_allclose(middle, (38, 48, 43), atol=3)


def test_a_ball_of_16_mm_is_changed_and_nothing_else():
    volume, found = head(), all_probes(head())
    away = distance(volume, middle_of_white_matter(volume))
    assert set(found) == {*BALLS, 'inverted'}
    for name in BALLS:
        array, region = found[name]
        numpy.testing.assert_array_equal(array[0] != volume.array[0], away < RADIUS)
        numpy.testing.assert_array_equal(region, away < AROUND)
        assert (away < RADIUS).sum() * numpy.prod(SPACING) == pytest.approx(4 / 3 * numpy.pi * RADIUS ** 3, rel=0.1)
    inside = away < RADIUS
    numpy.testing.assert_allclose(found['dark'][0][0, inside], 0.3 * WHITE)
    numpy.testing.assert_allclose(found['bright'][0][0, inside], 1.8 * WHITE)
    numpy.testing.assert_allclose(found['ring'][0][0, away < 3.9], 0.3 * WHITE)
    numpy.testing.assert_allclose(found['ring'][0][0, inside & (away > 4.1)], 1.8 * WHITE)
    assert found['noise'][0][0, inside].std() == pytest.approx(0.6 * WHITE, rel=0.25)


def test_an_inverted_head_is_dark_where_it_was_bright_and_its_air_stays():
    volume = head()
    array, region = all_probes(volume)['inverted']
    assert level(volume.array) == WHITE
    for old, new in ((0, 0), (GREY, 50), (WHITE, 10)):
        numpy.testing.assert_allclose(array[volume.array == old], new, atol=1e-4)
    numpy.testing.assert_array_equal(region, volume.array[0] > 0)


@pytest.mark.parametrize('array, words', [
    (numpy.ones((1, 9, 9, 9)), 'no head can be found'),
    (numpy.pad(numpy.ones((1, 4, 4, 4)), ((0, 0), *[(3, 3)] * 3)), 'no white matter 14 mm deep in the head is found'),
    (numpy.ones((6, 9, 9, 9)), '6 channels; a ball is put into volumes of one')])
def test_a_volume_without_white_matter_is_told(array, words):
    with pytest.raises(UserError, match=words):
        all_probes(Volume(array.astype(numpy.float32), SPACING, (0.0,) * 3, tuple(numpy.eye(3).ravel())))
