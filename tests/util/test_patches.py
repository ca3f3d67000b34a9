import numpy
import pytest

from util.degradation import centre_offset, degrade
from util.config import Degradation
from util.device import get_device
from util.patches import PatchDataset
from util.script import UserError

RATES = [(4, 4, 4), (2, 2, 2), (3, 3, 3), (4, 1, 1)]
NAMES = ['bspline', 'block_mean', 'gaussian', 'kspace']


def coordinate_pair(axis, rate, offset, lr_shape=(8, 9, 10)):
    """A pair whose intensity is its own HR index along an axis."""
    hr_shape = [r * side for r, side in zip(rate, lr_shape)]
    lr_index = rate[axis] * numpy.arange(lr_shape[axis]) + offset[axis]
    line = [-1 if i == axis else 1 for i in range(3)]
    return (numpy.broadcast_to(lr_index.reshape(line), lr_shape).astype(numpy.float32),
            numpy.broadcast_to(numpy.arange(hr_shape[axis]).reshape(line), hr_shape).astype(numpy.float32))


@pytest.mark.parametrize('background_share', [None, 0.5])
@pytest.mark.parametrize('flip', ['none', 'together', 'per_axis', 'x'])
@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('rate', RATES)
def test_lr_and_hr_patches_show_the_same_place_whichever_way_they_are_mirrored(rate, name, flip, background_share):
    """LR voxel i lies at HR index r*i + offset of its own patch: there, HR's coordinate must be LR's."""
    offset = centre_offset(name, rate)
    side = [2 * r for r in rate]
    directions = set()
    for axis in range(3):
        pair = coordinate_pair(axis, rate, offset)
        dataset = PatchDataset([pair], rate, offset, side, 40, flip=flip, background_share=background_share)
        for lr, hr in dataset:
            assert lr.shape == (1, 2, 2, 2) and hr.shape == (1, *side)
            lr_line, hr_line = (numpy.moveaxis(patch[0], axis, 0)[:, 0, 0] for patch in (lr, hr))
            step = hr_line[1] - hr_line[0]
            assert abs(step) == 1
            at_lr_centres = hr_line[0] + step * (rate[axis] * numpy.arange(2) + offset[axis])
            numpy.testing.assert_allclose(lr_line, at_lr_centres)
            directions.add(float(step))
    assert directions == ({1.0} if flip == 'none' else {1.0, -1.0})  # mirrored patches were seen


@pytest.mark.parametrize('name', NAMES)
def test_mirrored_pair_is_the_pair_of_the_mirrored_volume(name):
    """Degrading a mirrored HR volume gives the LR that the flipped patches show: the geometry really is kept."""
    rate, offset = (4, 4, 4), centre_offset(name, (4, 4, 4))
    hr = numpy.random.default_rng(0).normal(size=(32, 32, 32)).astype(numpy.float32)
    settings = Degradation(name=name)
    lr = degrade(hr, rate, settings)
    dataset = PatchDataset([(lr, hr)], rate, offset, (16, 16, 16), 60, flip='together')
    # Only where the degradation sees no further than the patch itself can it be repeated on the patch.
    if name in ('bspline', 'block_mean'):
        for lr_patch, hr_patch in dataset:
            numpy.testing.assert_allclose(degrade(hr_patch[0], rate, settings), lr_patch[0], atol=1e-6)


def test_flips_per_axis_are_independent():
    offset = (0.0, 0.0, 0.0)
    hr = numpy.arange(16**3, dtype=numpy.float32).reshape(16, 16, 16)
    dataset = PatchDataset([(hr[::2, ::2, ::2], hr)], (2, 2, 2), offset, (4, 4, 4), 200, flip='per_axis')
    seen = {tuple(numpy.sign([p[0, 1, 0, 0] - p[0, 0, 0, 0], p[0, 0, 1, 0] - p[0, 0, 0, 0],
                              p[0, 0, 0, 1] - p[0, 0, 0, 0]])) for _, p in dataset}
    assert len(seen) == 8


def test_mirroring_ends_where_it_is_told_to():
    lr, hr = coordinate_pair(0, (4, 4, 4), (0, 0, 0))
    always, until = (PatchDataset([(lr, hr)], (4, 4, 4), (0, 0, 0), (8, 8, 8), 100, 3, 'per_axis', flip_until=limit)
                     for limit in (None, 50))

    def mirrored(dataset, i):
        return dataset[i][1][0, 0, 0, 0] > dataset[i][1][0, 1, 0, 0]
    for i in range(50):
        numpy.testing.assert_array_equal(always[i][1], until[i][1])  # up to there nothing changes
    assert any(mirrored(always, i) for i in range(50, 100)) and not any(mirrored(until, i) for i in range(50, 100))


def test_patches_reach_both_ends_of_the_volume():
    lr, hr = coordinate_pair(0, (4, 4, 4), (0, 0, 0))
    dataset = PatchDataset([(lr, hr)], (4, 4, 4), (0, 0, 0), (8, 8, 8), 300, flip='none')
    values = [patch for _, patch in dataset]
    assert min(patch.min() for patch in values) == 0 and max(patch.max() for patch in values) == hr.max()


def test_example_depends_on_seed_and_index_alone():
    rng = numpy.random.default_rng(0)
    pairs = [(rng.normal(size=(6, 6, 6)), rng.normal(size=(12, 12, 12))) for _ in range(3)]

    def dataset(seed, length=50):
        return PatchDataset(pairs, (2, 2, 2), (0, 0, 0), (4, 4, 4), length, seed, 'per_axis')

    one, other = dataset(0), dataset(0, 1000)
    for i in (49, 3, 17):
        numpy.testing.assert_array_equal(one[i][1], other[i][1])
    assert not all(numpy.array_equal(one[i][1], dataset(1)[i][1]) for i in range(10))


@pytest.mark.parametrize('flip, side, words', [('none', (24, 8, 8), 'along z does not fit .* at most 16'),
                                               ('together', (8, 8, 24), 'along x does not fit mirrored .* at most 20')])
def test_patch_larger_than_a_volume_is_refused(flip, side, words):
    lr, hr = numpy.zeros((4, 4, 6)), numpy.zeros((16, 16, 24))
    with pytest.raises(UserError, match=words):
        PatchDataset([(lr, hr)], (4, 4, 4), (0, 0, 0), side, 1, flip=flip)


def test_volumes_that_are_no_pair_are_refused():
    with pytest.raises(UserError, match=r'\(16, 16, 16\) .* is not \(4, 4, 4\) times .*\(4, 4, 5\)'):
        PatchDataset([(numpy.zeros((4, 4, 5)), numpy.zeros((16, 16, 16)))], (4, 4, 4), (0, 0, 0), (8, 8, 8), 1)


def ball_in_air(shape=(24, 24, 24), centre=(16, 15, 12), radius=5):
    """A pair at rate 2 whose LR is a bright ball in air, and whose HR voxels are numbered."""
    z, y, x = numpy.ogrid[tuple(map(slice, shape))]
    lr = sum((i - c)**2 for i, c in zip((z, y, x), centre)) <= radius**2
    hr = numpy.arange(8 * lr.size, dtype=numpy.float32).reshape([2 * side for side in shape])
    return lr.astype(numpy.float32), hr


@pytest.mark.parametrize('flip', ['none', 'per_axis'])
@pytest.mark.parametrize('name', ['bspline', 'block_mean'])
def test_patches_are_centred_in_the_head_except_for_the_background_share(name, flip):
    offset, n = centre_offset(name, (2, 2, 2)), 400

    def in_head(share):
        dataset = PatchDataset([ball_in_air()], (2, 2, 2), offset, (8, 8, 8), n, 1, flip, background_share=share)
        # the centre lies between two voxels in a patch of 4: mirrored it may fall on the other one
        return numpy.mean([lr[0, 1:3, 1:3, 1:3].max() for lr, _ in dataset])

    assert in_head(0.0) == 1
    anywhere = in_head(1.0)
    assert anywhere == pytest.approx(in_head(None), abs=0.08) and anywhere < 0.4
    assert in_head(0.4) == pytest.approx(0.6 + 0.4 * anywhere, abs=0.08)


def test_a_head_at_the_border_gives_patches_up_to_the_border():
    pair = ball_in_air(centre=(1, 22, 12))
    dataset = PatchDataset([pair], (2, 2, 2), (0, 0, 0), (8, 8, 8), 200, flip='per_axis', background_share=0.0)
    for lr, hr in dataset:
        assert lr.shape == (1, 4, 4, 4) and hr.shape == (1, 8, 8, 8)
    assert min(hr.min() for _, hr in dataset) < 48 * 48  # the first HR slice


def test_flip_x_mirrors_the_last_axis_alone():
    hr = numpy.arange(16**3, dtype=numpy.float32).reshape(16, 16, 16)
    dataset = PatchDataset([(hr[::2, ::2, ::2], hr)], (2, 2, 2), (0.0,) * 3, (4, 4, 4), 100, flip='x')
    steps = {(p[0, 1, 0, 0] - p[0, 0, 0, 0], p[0, 0, 1, 0] - p[0, 0, 0, 0], p[0, 0, 0, 1] - p[0, 0, 0, 0])
             for _, p in dataset}
    assert steps == {(256, 16, 1), (256, 16, -1)}


def test_a_volume_without_contrast_is_refused_where_a_head_is_needed():
    pair = numpy.zeros((8, 8, 8), numpy.float32), numpy.zeros((16, 16, 16), numpy.float32)
    PatchDataset([pair], (2, 2, 2), (0, 0, 0), (8, 8, 8), 1)
    with pytest.raises(UserError, match='no head'):
        PatchDataset([pair], (2, 2, 2), (0, 0, 0), (8, 8, 8), 1, background_share=0.1)


@pytest.mark.gpu
def test_patches_are_the_same_on_a_gpu():
    arguments = [ball_in_air()], (2, 2, 2), (0.5,) * 3, (8, 8, 8), 20, 0, 'per_axis', 0.5
    cpu, gpu = PatchDataset(*arguments), PatchDataset(*arguments)
    gpu.to_device(get_device(0))
    for on_cpu, on_gpu in zip(cpu, gpu):
        for expected, patch in zip(on_cpu, on_gpu):
            numpy.testing.assert_array_equal(patch.get(), expected)
