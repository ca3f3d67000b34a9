"""What a scan looks like is told by numbers that a different scan changes, and a scan of the same kind does not."""
import numpy
import pytest
from scipy import stats
from scipy.ndimage import binary_erosion, gaussian_filter

from util.volumes import looks
from util.volumes.looks import FALSE_ALARMS, FEATURES, LEAST_TOLERANCE, expected_looks, looks_of, unlike

SIZE = 20, 24, 22
BALL = sum(((numpy.arange(n) - n / 2) / (n / 2)).reshape([-1 if a == axis else 1 for a in range(3)]) ** 2
           for axis, n in enumerate(SIZE)) < 0.7


def head(seed, sharpness=1.0, noise=0.02):
    """A ball of smooth tissue that is a little darker at its rim, in some units; (1, z, y, x), float32."""
    rng = numpy.random.default_rng(seed)
    tissue = 1 + 0.25 * stats.zscore(gaussian_filter(rng.normal(size=SIZE), 1.2 / sharpness), axis=None)
    image = numpy.where(BALL, tissue * (0.7 + 0.3 * binary_erosion(BALL, iterations=2)), 0)
    image = numpy.abs(image + noise * rng.normal(size=SIZE))
    return (rng.uniform(50, 500) * image)[None].astype(numpy.float32)


TRAINING = expected_looks([head(seed) for seed in range(8)])


def test_the_numbers_are_their_formulas():
    lr = head(0).astype(numpy.float64)
    channel, inside = lr[0], lr[0] > 0.15 * numpy.percentile(lr, 99)
    values, found = channel[inside], {name: value for name, (value,) in looks_of(lr).items()}
    size = numpy.sqrt((values ** 2).mean())
    assert found['q25'] == pytest.approx(numpy.percentile(values, 25) / size, rel=1e-4)
    assert found['skew'] == pytest.approx(stats.skew(values), rel=1e-4)
    assert found['air'] == pytest.approx(numpy.sqrt((channel[~inside] ** 2).mean()) / size, rel=1e-4)
    rim = inside & ~binary_erosion(numpy.pad(inside, 1, constant_values=True))[1:-1, 1:-1, 1:-1]
    assert found['rim'] == pytest.approx(channel[rim].mean() / size, rel=1e-4)
    steps = [b - a for plane, mask in zip(channel, inside) for a, b, both in
             zip(plane[:-1].flat, plane[1:].flat, (mask[:-1] & mask[1:]).flat) if both]
    assert found['step_y'] == pytest.approx(numpy.sqrt(numpy.square(steps).mean()) / values.std(), rel=1e-4)
    assert found.keys() == FEATURES.keys()


def test_sharpness_is_that_of_white_noise_and_of_a_ramp():
    """The variance of second differences of white noise is 6, that of first ones 2; a ramp has no second ones."""
    noise = 10 + numpy.random.default_rng(0).normal(size=(1, 40, 40, 40))
    ramp = numpy.broadcast_to(numpy.arange(10, 50.0)[:, None, None], noise.shape)
    for axis in 'zyx':
        assert looks_of(noise)[f'curve_{axis}'] == [pytest.approx(numpy.sqrt(3), rel=0.02)]
    assert looks_of(ramp)['curve_z'] == [pytest.approx(0, abs=1e-6)]


def test_units_and_mirroring_change_nothing():
    lr = head(0)
    for other in (1000 * lr, lr[..., ::-1], lr[:, ::-1]):
        for name, value in looks_of(other).items():
            assert value == pytest.approx(looks_of(lr)[name], rel=1e-3), name
    both = numpy.concatenate([lr, head(1)])
    for name, value in looks_of(both * [[[[1]]], [[[1e4]]]]).items():  # each channel has its own
        assert value == pytest.approx(looks_of(both)[name], rel=1e-3), name


def test_what_is_expected_is_the_prediction_interval_of_scans_of_one_kind():
    scans = [looks_of(head(seed))['skew'][0] for seed in range(8)]
    level = 1 - FALSE_ALARMS / len(FEATURES)
    low, high = stats.t.interval(level, 7, numpy.mean(scans), numpy.std(scans, ddof=1) * numpy.sqrt(1 + 1 / 8))
    (middle, tolerance), = TRAINING['skew']
    assert (middle - tolerance, middle + tolerance) == pytest.approx((low, high))
    assert min(tolerance for (_, tolerance), in TRAINING.values()) >= LEAST_TOLERANCE


def test_scans_of_the_same_kind_are_alike():
    assert max(unlike(head(seed), TRAINING)[0] for seed in range(100, 140)) < 1


@pytest.mark.parametrize('what, change', [
    ('contrast', lambda lr: numpy.where(lr > 0.15 * lr.max(), lr.max() - lr, 0)),
    ('', lambda lr: lr.max() - lr),
    ('ness along', lambda lr: gaussian_filter(lr, (0, 0.6, 0.6, 0.6))),
    ('', lambda lr: lr + 0.15 * lr.max() * numpy.abs(numpy.random.default_rng(0).normal(size=lr.shape))),
    ('along z', lambda lr: lr[:, ::2])], ids=['inverted', 'air too', 'smoothed', 'noisy', 'thick'])
def test_a_scan_of_another_kind_is_told_from_them(what, change):
    for seed in range(100, 110):
        score, words = unlike(change(head(seed)), TRAINING)
        assert score > 1.3
        assert what in words


def test_false_alarms_are_as_rare_as_it_says(monkeypatch):
    """Of numbers that are Gaussian and independent of each other: there Bonferroni's bound is nearly reached."""
    rng = numpy.random.default_rng(0)
    monkeypatch.setattr(looks, 'looks_of', lambda lr: {name: [rng.normal(5, 3)] for name in FEATURES})
    volume, trials = numpy.zeros((1, 1, 1, 1)), 1500
    alarms = sum(unlike(volume, expected_looks([volume] * 6))[0] > 1 for _ in range(trials))
    assert 0.3 * FALSE_ALARMS < alarms / trials < 2 * FALSE_ALARMS


def test_each_channel_has_numbers_of_its_own():
    scans = [numpy.concatenate([head(seed), -head(seed + 50)]) for seed in range(6)]
    expected = expected_looks(scans[:5])
    assert unlike(scans[5], expected)[0] < 1
    score, words = unlike(scans[5] * [[[[1]]], [[[-1]]]], expected)
    assert score > 1 and 'channel 2' in words


def test_two_scans_are_too_few_to_tell():
    assert expected_looks([head(0), head(1)]) is None
    assert expected_looks([head(0), head(1), head(2)]) is not None


@pytest.mark.parametrize('lr', [numpy.zeros((1, 4, 5, 6)), numpy.ones((2, 4, 5, 6)), numpy.ones((1, 1, 1, 1)),
                                numpy.eye(5)[None, None], -numpy.ones((1, 3, 3, 3))],
                         ids=['empty', 'constant', 'one voxel', 'one plane', 'below 0'])
def test_a_scan_without_structure_has_finite_numbers_too(lr):
    assert all(numpy.isfinite(value).all() for value in looks_of(lr).values())
