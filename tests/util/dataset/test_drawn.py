import numpy
import pytest
from scipy import ndimage, stats

from util.config import Degradation
from util.config_drawn import Drawn
from util.dataset.drawn import Drawing
from util.dataset.patches import PatchDataset
from util.device import get_device
from util.script import UserError
from util.volumes.degradation import DEGRADATIONS, degrade, sampling_of

EVERYTHING = {'degradation': ['bspline', 'block_mean', {'name': 'gaussian', 'fwhm': [0.6, 1.4]}, 'kspace',
                              {'name': 'zero_filled', 'kept': [0.5, 1]}],
              'blur': [0, 2], 'blurred': 0.7, 'uneven': 0.5, 'inverted': 0.4, 'gamma': [0.7, 1.4], 'bias': [0, 0.3],
              'noise': [0, 0.03]}
RATES = [(4, 4, 4), (3, 3, 3), (4, 1, 2)]
LR_SHAPE = 1, 7, 8, 9


def random_hr(sampling):
    return numpy.random.default_rng(1).random(sampling.hr_shape(LR_SHAPE), numpy.float32)


def make_dataset(name, rate, drawn, flip='per_axis', length=12, seed=0, hr=None, side=3):
    """Patches of a volume, of random numbers if not given, whose fixed pair is made by a degradation."""
    sampling = sampling_of(name, rate)
    hr = random_hr(sampling) if hr is None else hr
    pairs = [(degrade(hr, rate, name), hr)]
    drawing = Drawing(pairs, sampling, Drawn(**drawn), Degradation(name=name)) if drawn else None
    return PatchDataset(pairs, sampling, tuple(side * r for r in rate), length, seed, flip, drawing=drawing)


def assert_cut_out(dataset, lr, hr, atol):
    """The dataset's patches are those that are cut out of two volumes as they are."""
    cut = PatchDataset([(lr, hr)], dataset.sampling, dataset.patchside, len(dataset), dataset.seed, dataset.flip)
    for made, expected in zip(dataset, cut, strict=True):
        for patch, of_volume in zip(made, expected, strict=True):
            assert patch.dtype == numpy.float32
            numpy.testing.assert_allclose(patch, of_volume, atol=atol)


@pytest.mark.parametrize('flip', ['none', 'per_axis'])
@pytest.mark.parametrize('rate', RATES)
@pytest.mark.parametrize('name', DEGRADATIONS)
def test_lr_made_of_an_hr_patch_is_cut_out_of_the_whole_lr_volume(name, rate, flip):
    """The pair's own degradation, drawn: the patches are those that were cut out before, at the border as well."""
    dataset = make_dataset(name, rate, {'degradation': name}, flip, 30)
    assert_cut_out(dataset, *dataset.pairs[0], atol=5e-6)


def moved(hr, by):
    """HR at index m + by, along z, y, x, of a cubic B-spline: by SciPy, in three dimensions at once."""
    where = [numpy.clip(numpy.arange(n) + b, 0, n - 1) for n, b in zip(hr.shape[1:], by)]
    return ndimage.map_coordinates(hr[0], numpy.meshgrid(*where, indexing='ij'), order=3, mode='mirror')[None]


@pytest.mark.parametrize('rate', RATES)
@pytest.mark.parametrize('own', ['bspline', 'block_mean'])
@pytest.mark.parametrize('name', DEGRADATIONS)
def test_another_degradation_is_moved_to_where_the_pairs_have_their_lr_voxels(name, own, rate):
    """As if the whole HR volume were moved by the difference of the offsets, and then degraded."""
    dataset = make_dataset(own, rate, {'degradation': name})
    hr = dataset.pairs[0][1]
    by = numpy.subtract(dataset.sampling.offset, sampling_of(name, rate).offset)
    assert_cut_out(dataset, degrade(moved(hr, by), rate, name), hr, atol=2e-5)


def blurred(hr, fwhm):
    """By SciPy; at the border what lies outside is left out."""
    def mean(x):
        return ndimage.gaussian_filter(x, (0, *[fwhm / numpy.sqrt(8 * numpy.log(2))] * 3), mode='constant', truncate=6)

    return mean(hr) / mean(numpy.ones_like(hr))


def of_contrast(hr, gamma, fixed):
    level = numpy.percentile(degrade(fixed, (4, 4, 4), 'bspline'), 99)
    return level * (hr / level) ** gamma


@pytest.mark.parametrize('name', DEGRADATIONS)
@pytest.mark.parametrize('drawn, changed', [
    ({'blur': 1.7}, lambda hr: blurred(hr, 1.7)),
    ({'gamma': 0.7}, lambda hr: of_contrast(hr, 0.7, hr)),
    ({'inverted': 1}, lambda hr: numpy.percentile(degrade(hr, (4, 4, 4), 'bspline'), 99) - hr),
    ({'blur': 1.7, 'gamma': 1.4}, lambda hr: of_contrast(blurred(hr, 1.7), 1.4, hr))])
def test_hr_is_changed_and_lr_made_of_what_came_of_it(drawn, changed, name):
    """As if the whole volume were changed and degraded; blur comes first. The level is that of the fixed LR."""
    dataset = make_dataset('bspline', (4, 4, 4), {'degradation': name, **drawn})
    hr = changed(dataset.pairs[0][1]).astype(numpy.float32)
    by = numpy.subtract(dataset.sampling.offset, sampling_of(name, (4, 4, 4)).offset)
    assert_cut_out(dataset, degrade(moved(hr, by), (4, 4, 4), name), hr, atol=3e-5)


def whole(shape):
    return [slice(0, n) for n in shape]


@pytest.mark.parametrize('drawn', [{**EVERYTHING, 'degradation': name, 'noise': None} for name in DEGRADATIONS])
@pytest.mark.parametrize('rate', RATES)
def test_a_patch_is_part_of_what_the_whole_volume_would_be(rate, drawn):
    """With the same random numbers; so a bias field, for one, goes over the volume and not over the patch."""
    dataset = make_dataset('bspline', rate, drawn)
    hr = dataset.pairs[0][1]
    lr_window = [slice(1, 4), slice(5, 8), slice(0, 3)]
    hr_window = [slice(r * rows.start + 1, r * rows.start + 1 + 2 * r) for r, rows in zip(rate, lr_window)]
    for seed in range(3):
        (lr, image), (lr_part, image_part) = (
            dataset.drawing.draw(0, hr, *windows, numpy.random.default_rng(seed))
            for windows in ((whole(LR_SHAPE[1:]), whole(hr.shape[1:])), (lr_window, hr_window)))
        numpy.testing.assert_allclose(lr_part, lr[(slice(None), *lr_window)], atol=1e-5)
        numpy.testing.assert_allclose(image_part, image[(slice(None), *hr_window)], atol=1e-5)


@pytest.mark.parametrize('rate', RATES)
def test_a_volume_that_is_made_some_planes_at_a_time_gives_the_same_patches(rate, monkeypatch):
    examples = list(make_dataset('bspline', rate, EVERYTHING))
    monkeypatch.setattr('util.dataset.drawn.VOXELS', 2000)
    monkeypatch.setattr('util.dataset.drawn.ROWS', 3)
    for made, expected in zip(make_dataset('bspline', rate, EVERYTHING), examples, strict=True):
        for patch, at_once in zip(made, expected, strict=True):
            numpy.testing.assert_allclose(patch, at_once, atol=1e-6)


def test_a_bias_field_is_on_both_and_differs_from_patch_to_patch():
    dataset = make_dataset('block_mean', (4, 4, 4), {'bias': 0.3}, 'none', side=6)
    fields = []
    for (lr, hr), (_, plain) in zip(dataset, make_dataset('block_mean', (4, 4, 4), None, 'none', side=6)):
        fields.append(hr / plain)
        numpy.testing.assert_allclose(lr, degrade(hr, (4, 4, 4), 'block_mean'), atol=1e-5)
    assert len({field.mean() for field in fields}) == len(fields)
    assert 1 / 1.3 - 1e-5 < min(map(numpy.min, fields)) < 0.9 and 1.1 < max(map(numpy.max, fields)) < 1.3 + 1e-5


def test_slices_of_uneven_brightness_are_on_lr_alone_along_the_thick_axis_and_not_the_same_in_each_patch():
    hr = numpy.full((1, 32, 16, 16), 7, numpy.float32)
    seen = []
    for lr, hr_patch in make_dataset('bspline', (4, 1, 1), {'slices': [0.02, 0.06]}, 'none', hr=hr):
        assert lr.dtype == numpy.float32 and (hr_patch == 7).all()
        assert (lr == lr[:, :, :1, :1]).all()
        seen.append(lr[0, :, 0, 0])
    logs = numpy.log(numpy.array(seen) / 7)
    assert len(numpy.unique(logs)) == logs.size and 0.02 < logs.std() < 0.06


def test_a_share_of_the_patches_is_inverted():
    hr = numpy.full((1, 16, 16, 16), 7, numpy.float32)
    hr[:, :4, :4] = 1
    patches = [hr.max() for _, hr in make_dataset('bspline', (2, 2, 2), {'inverted': 0.3}, 'none', 400, hr=hr, side=6)]
    assert numpy.mean([value < 7 for value in patches]) == pytest.approx(0.3, abs=0.07)


@pytest.mark.parametrize('share', [0, 0.3, 1])
def test_a_share_of_the_patches_is_blurred(share):
    """Blur takes nearly all of what differs from voxel to voxel."""
    hr = numpy.random.default_rng(1).random((1, 32, 32, 32), numpy.float32)
    dataset = make_dataset('bspline', (2, 2, 2), {'blur': 4, 'blurred': share}, 'none', 200, hr=hr, side=6)
    blurred = [patch.std() < hr.std() / 4 for _, patch in dataset]
    assert numpy.mean(blurred) == pytest.approx(share, abs=0.1 if 0 < share < 1 else 0)


@pytest.mark.parametrize('share', [0, 0.5, 1])
def test_a_share_of_the_blurred_patches_is_blurred_by_a_width_of_its_own_along_each_axis(share):
    """Of white noise each axis keeps the less of its steps the wider the blur."""
    hr = numpy.random.default_rng(1).random((1, 48, 48, 48), numpy.float32)
    dataset = make_dataset('bspline', (2, 2, 2), {'blur': [0, 6], 'uneven': share}, 'none', 100, hr=hr, side=24)
    steps = numpy.array([[numpy.diff(patch, axis=axis).std() / patch.std() for axis in (1, 2, 3)]
                         for _, patch in dataset])
    uneven = steps.max(axis=1) > 1.25 * steps.min(axis=1)
    assert uneven.mean() == pytest.approx(share, abs=0.15 if share else 0.03)
    if share:  # no axis is favoured
        assert numpy.bincount(steps[uneven].argmax(axis=1)).min() > 0.2 * uneven.sum()


def test_one_axis_two_or_three_are_blurred_each_as_often():
    """A step of white noise from voxel to voxel is sqrt(2) of its deviation; blur of 2 voxels and more halves it."""
    hr = numpy.random.default_rng(1).random((1, 48, 48, 48), numpy.float32)
    dataset = make_dataset('bspline', (2, 2, 2), {'blur': [2, 6], 'uneven': 1}, 'none', 300, hr=hr, side=24)
    blurred = numpy.array([[numpy.diff(patch, axis=axis).std() < patch.std() for axis in (1, 2, 3)]
                           for _, patch in dataset])
    which, times = numpy.unique(blurred, axis=0, return_counts=True)
    counts = {number: times[which.sum(axis=1) == number] for number in range(4)}
    assert [len(counts[number]) for number in range(4)] == [0, 3, 3, 1]  # each axis, and each pair of axes
    assert [counts[number].sum() for number in (1, 2, 3)] == pytest.approx([100] * 3, abs=30)


def test_noise_is_on_lr_alone_with_the_statistics_of_scipy_s_rice_distribution():
    """Of a signal of 7, of which 2 % are sigma."""
    dataset = make_dataset('bspline', (2, 2, 2), {'noise': 0.02}, hr=numpy.full((1, 32, 32, 32), 7, numpy.float32),
                           side=12)
    rice = stats.rice(1 / 0.02, scale=7 * 0.02)
    values = []
    for lr, hr in dataset:
        assert lr.dtype == numpy.float32 and (hr == 7).all()
        values.append(lr.ravel())
    assert stats.kstest(numpy.concatenate(values), rice.cdf).pvalue > 0.01
    assert abs(numpy.corrcoef(values)[0, 1:]).max() < 0.1  # each patch has its own


def test_a_range_is_drawn_from_end_to_end():
    """The sigma of each patch of a constant, from its spread."""
    dataset = make_dataset('bspline', (2, 2, 2), {'noise': [0.01, 0.05]}, length=100, side=6,
                           hr=numpy.full((1, 16, 16, 16), 7, numpy.float32))
    shares = numpy.array([lr.std() / 7 for lr, _ in dataset])
    assert shares.min() == pytest.approx(0.01, rel=0.25) and shares.max() == pytest.approx(0.05, rel=0.25)
    assert shares.mean() == pytest.approx(0.03, rel=0.1)


def test_widths_are_drawn_from_end_to_end():
    """That of a Gaussian shows in what a bright plane gives the LR voxel above it, and the next one, 3 voxels away."""
    hr = numpy.zeros((1, 27, 9, 9), numpy.float32)
    hr[:, 13] = 1
    drawn = {'degradation': {'name': 'gaussian', 'fwhm': [0.8, 1.6]}}
    dataset = make_dataset('block_mean', (3, 3, 3), drawn, hr=hr)
    widths = []
    for seed in range(60):
        lr, _ = dataset.drawing.draw(0, hr, whole((9, 3, 3)), whole((27, 9, 9)), numpy.random.default_rng(seed))
        widths.append(numpy.sqrt(4 * numpy.log(2) / numpy.log(lr[0, 4, 1, 1] / lr[0, 5, 1, 1])))
    assert min(widths) == pytest.approx(0.8, abs=0.03) and max(widths) == pytest.approx(1.6, abs=0.03)
    assert numpy.mean(widths) == pytest.approx(1.2, abs=0.1)


def test_degradations_are_drawn_by_their_weights():
    drawn = {'degradation': ['bspline', {'name': 'block_mean', 'weight': 3}]}
    dataset = make_dataset('bspline', (2, 2, 2), drawn, 'none', 400)
    share = numpy.mean([numpy.allclose(lr, hr[:, ::2, ::2, ::2]) for lr, hr in dataset])
    assert share == pytest.approx(0.25, abs=0.07)


def test_noise_is_a_share_of_each_channel_s_own_level():
    hr = numpy.stack([numpy.full((16, 16, 16), level, numpy.float32) for level in (1, 100)])
    for lr, _ in make_dataset('bspline', (2, 2, 2), {'noise': 0.02}, hr=hr, side=6):
        assert lr.std(axis=(1, 2, 3)) == pytest.approx([0.02, 2], rel=0.2)


def test_an_example_depends_on_the_seed_and_its_number_alone():
    one, other = (make_dataset('bspline', (4, 4, 4), EVERYTHING, length=length) for length in (12, 40))
    for i in (11, 3, 7):
        for patch, expected in zip(one[i], other[i]):
            numpy.testing.assert_array_equal(patch, expected)
    assert not numpy.array_equal(one[0][0], make_dataset('bspline', (4, 4, 4), EVERYTHING, seed=1)[0][0])


@pytest.mark.parametrize('drawn', [{'gamma': 0.7}, {'inverted': 0.5}, {'noise': 0.02}])
def test_an_lr_volume_without_a_level_is_refused_where_one_is_needed(drawn):
    hr = numpy.zeros((1, 16, 16, 16), numpy.float32)
    make_dataset('bspline', (4, 4, 4), {'bias': 0.3}, hr=hr)
    with pytest.raises(UserError, match='drawn: the 99th percentile of an LR volume is not above 0'):
        make_dataset('bspline', (4, 4, 4), drawn, hr=hr)


@pytest.mark.gpu
@pytest.mark.parametrize('rate, drawn', [((4, 4, 4), EVERYTHING), ((4, 1, 1), {**EVERYTHING, 'slices': [0.02, 0.06]})])
def test_patches_are_the_same_on_a_gpu(rate, drawn):
    cpu, gpu = (make_dataset('bspline', rate, drawn) for _ in range(2))
    gpu.to_device(get_device(0))
    for on_cpu, on_gpu in zip(cpu, gpu):
        for expected, patch in zip(on_cpu, on_gpu):
            assert patch.dtype == numpy.float32
            numpy.testing.assert_allclose(patch.get(), expected, atol=1e-5)
