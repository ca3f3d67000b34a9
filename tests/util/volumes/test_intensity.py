import numpy
import pytest

from util.script import UserError
from util.volumes.intensity import SCALINGS, intensity_scale, like_input


def head():
    rng = numpy.random.default_rng(0)
    lr = numpy.abs(rng.normal(0, 2, (1, 20, 20, 20)))
    lr[:, 5:15, 5:15, 5:15] += 80
    return lr.astype(numpy.float32)


@pytest.mark.parametrize('method', SCALINGS)
def test_each_channel_is_scaled_as_if_alone_to_float32(method):
    """Divided by the scale, float32 voxels stay float32, and a dim channel is not lost beside a bright one."""
    channels = head(), 1000 * head()[:, ::-1] + 5, head() / 7
    lr = numpy.concatenate(channels)
    scale = intensity_scale(lr, method)
    assert scale.shape == (3, 1, 1, 1) and scale.dtype == numpy.float32 and (scale > 0).all()
    assert (lr / scale).dtype == numpy.float32
    for channel, value in zip(channels, scale):
        assert intensity_scale(channel, method).item() == value.item()


def test_none_is_one():
    assert (intensity_scale(numpy.concatenate([head(), 9 * head()]), 'none') == 1.0).all()


def test_percentile_follows_the_scanner_gain():
    scale = intensity_scale(head(), 'percentile').item()
    assert intensity_scale(7 * head(), 'percentile').item() == pytest.approx(7 * scale)


def test_percentile_hardly_moves_for_a_bright_vessel_that_doubles_the_maximum():
    bright = head()
    bright[0, 10, 10, 3:12] = 5 * bright.max()
    scale = intensity_scale(head(), 'percentile').item()
    assert intensity_scale(bright, 'percentile').item() == pytest.approx(scale, rel=0.01)


def test_percentile_is_that_of_the_sorted_voxels():
    lr = numpy.random.default_rng(1).permutation(101).astype(numpy.float32).reshape(1, 1, 1, 101)
    assert intensity_scale(lr, 'percentile').item() == 99


def test_a_volume_with_a_channel_without_signal_is_refused():
    for lr in (numpy.zeros((1, 4, 4, 4), numpy.float32), numpy.concatenate([head(), 0 * head()])):
        with pytest.raises(UserError, match='99th percentile of this LR volume is 0'):
            intensity_scale(lr, 'percentile')


def test_deviation_is_that_of_the_voxels_that_are_not_0_whatever_their_sign():
    rng = numpy.random.default_rng(2)
    inside = numpy.stack([rng.normal(0, 3, 500), rng.normal(-2, 0.1, 500)]).astype(numpy.float32)
    lr = numpy.zeros((2, 10, 10, 10), numpy.float32)
    lr[:, :5] = inside.reshape(2, 5, 10, 10)
    scale = intensity_scale(lr, 'deviation')
    numpy.testing.assert_allclose(scale.ravel(), inside.astype(float).std(axis=1), rtol=1e-6)
    numpy.testing.assert_allclose(intensity_scale(-7 * lr, 'deviation'), 7 * scale, rtol=1e-6)
    assert not (lr / scale)[:, 5:].any()


def test_a_channel_of_one_value_gives_no_deviation():
    lr = numpy.zeros((1, 4, 4, 4), numpy.float32)
    for value in (0, 3):
        lr[0, 0] = value
        with pytest.raises(UserError, match='no two different values beside 0'):
            intensity_scale(lr, 'deviation')


def test_an_unknown_scaling_is_named():
    """A misspelt name must not pass for one of the others."""
    with pytest.raises(ValueError, match=f"scaling 'percentil' is unknown; known are {', '.join(SCALINGS)}"):
        intensity_scale(head(), 'percentil')


@pytest.mark.parametrize('dtype', ['uint8', 'int16', 'int32', 'float32', 'float64'])
def test_like_input_has_the_type_and_no_value_outside_the_range(dtype):
    lr = numpy.array([[[[3, 100, 201]]]], dtype)
    sr = like_input(numpy.array([[[[-5.0, 3.4, 3.6, 150.5, 300.0]]]], numpy.float32), lr)
    assert sr.dtype == lr.dtype
    expected = [3, 3, 4, 150, 201] if lr.dtype.kind in 'iu' else [3, 3.4, 3.6, 150.5, 201]  # halves go to the even one
    numpy.testing.assert_allclose(sr.ravel(), expected, rtol=1e-6)


def test_like_input_does_not_wrap_around_at_the_end_of_an_integer_type():
    lr = numpy.array([[[[0, 2**31 - 1]]]], numpy.int32)  # 2**31 - 1 is 2**31 in float32
    assert like_input(lr.astype(numpy.float32), lr).tolist() == lr.tolist()


@pytest.mark.parametrize('dtype', ['int64', 'uint64'])
def test_like_input_does_not_wrap_around_at_the_end_of_a_64_bit_type(dtype):
    """Nor goes beyond a channel's maximum that float64 does not hold."""
    last = numpy.iinfo(dtype).max
    for highest in (last, last // 2 - 1, 2**53 + 3):
        lr = numpy.array([[[[0, highest]]]], dtype)
        image = like_input(lr.astype(numpy.float32), lr)
        assert image[..., 0] == 0 and highest * (1 - 2**-50) < image[..., 1].item() <= highest


@pytest.mark.parametrize('dtype', ['int16', 'float32'])
def test_like_input_keeps_each_channel_in_its_own_range(dtype):
    rng = numpy.random.default_rng(0)
    lr = (numpy.array([1, 100, 30]).reshape(3, 1, 1, 1) * rng.uniform(-1, 1, (3, 2, 3, 4))).astype(dtype)
    sr = rng.normal(0, 80, (3, 4, 6, 8)).astype(numpy.float32)
    image = like_input(sr, lr)
    assert image.shape == sr.shape and image.dtype == lr.dtype
    for channel in range(3):
        one = slice(channel, channel + 1)
        numpy.testing.assert_array_equal(image[one], like_input(sr[one], lr[one]))
        assert (image[channel].min(), image[channel].max()) == (lr[channel].min(), lr[channel].max())
