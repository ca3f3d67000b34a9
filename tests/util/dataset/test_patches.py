import re
from collections import Counter
from itertools import permutations, product

import numpy
import pytest

from util.dataset.patches import FLIPPED, PatchDataset
from util.device import get_device
from util.script import UserError
from util.volumes.degradation import DEGRADATIONS, degrade, sampling_of
from util.volumes.sampling import Sampling
from util.volumes.tensors import as_matrices, from_matrices

OF_SCALARS = [flip for flip in FLIPPED if flip not in ('cube', 'tensors')]  # and each axis stays where it is
RATES = [(4, 4, 4), (2, 2, 2), (3, 3, 3), (4, 1, 1)]


def coordinate_pair(axis, sampling, lr_shape=(1, 8, 9, 10)):
    """A pair whose intensity is its own HR index along an axis, counted from 0: z, y, x."""
    hr_shape = sampling.hr_shape(lr_shape)
    lr_index = sampling.rate[axis] * numpy.arange(lr_shape[axis + 1]) + sampling.offset[axis]
    line = [-1 if i == axis else 1 for i in range(3)]
    return (numpy.broadcast_to(lr_index.reshape(line), lr_shape).astype(numpy.float32),
            numpy.broadcast_to(numpy.arange(hr_shape[axis + 1]).reshape(line), hr_shape).astype(numpy.float32))


def numbered_pair():
    """A pair at rate 2 whose HR voxels are numbered."""
    hr = numpy.arange(16**3, dtype=numpy.float32).reshape(1, 16, 16, 16)
    return hr[:, ::2, ::2, ::2], hr


def steps(patch):
    """How the intensities of a patch's first channel go on from its first voxel, along z, y, x."""
    volume = patch[0]
    return tuple(float(volume[place] - volume[0, 0, 0]) for place in ((1, 0, 0), (0, 1, 0), (0, 0, 1)))


@pytest.mark.parametrize('background_share', [None, 0.5])
@pytest.mark.parametrize('flip', OF_SCALARS)
@pytest.mark.parametrize('name', DEGRADATIONS)
@pytest.mark.parametrize('rate', RATES)
def test_lr_and_hr_patches_show_the_same_place_whichever_way_they_are_mirrored(rate, name, flip, background_share):
    """LR voxel i lies at HR index r*i + offset of its own patch: there, HR's coordinate must be LR's."""
    sampling = sampling_of(name, rate)
    side = [2 * r for r in rate]
    for axis in range(3):
        directions = set()
        pair = coordinate_pair(axis, sampling)
        for lr, hr in PatchDataset([pair], sampling, side, 40, flip=flip, background_share=background_share):
            assert lr.shape == (1, 2, 2, 2) and hr.shape == (1, *side)
            lr_line, hr_line = (numpy.moveaxis(patch[0], axis, 0)[:, 0, 0] for patch in (lr, hr))
            step = hr_line[1] - hr_line[0]
            assert abs(step) == 1
            at_lr_centres = hr_line[0] + step * (rate[axis] * numpy.arange(2) + sampling.offset[axis])
            assert (lr_line == at_lr_centres).all()
            directions.add(float(step))
        assert directions == ({1.0, -1.0} if FLIPPED[flip][axis] else {1.0})  # mirrored patches were seen


def mirrored(hr, sampling, axes):
    """HR seen in a mirror, moved so that its LR is the mirror image of the LR: `patch_starts` says how far.

    LR voxel i of n lies at r * i + offset; mirrored it is LR voxel n - 1 - i, which must lie at
    r * (n - 1 - i) + offset. So HR voxel m goes to r * (n - 1) + 2 * offset - m. What that moves over the border comes
    in again at the other side.
    """
    for axis, r, offset, side in zip((1, 2, 3), sampling.rate, sampling.offset, hr.shape[1:]):
        if axes[axis - 1]:
            hr = hr.take((side - r + round(2 * offset) - numpy.arange(side)) % side, axis=axis)
    return hr


@pytest.mark.parametrize('flip', OF_SCALARS)
@pytest.mark.parametrize('rate', [(4, 4, 4), (3, 3, 3), (1, 2, 4)])
@pytest.mark.parametrize('name', DEGRADATIONS)
def test_mirrored_pair_is_the_pair_of_the_mirrored_volume(name, rate, flip):
    """A patch that was mirrored is a patch as it lies of another pair: the mirrored HR volume, degraded as a whole.

    HR is found in that volume by its random numbers, at a block's first voxel; LR must be what the degradation puts
    there, except near the border, where it may see that the volume ends.
    """
    sampling, border = sampling_of(name, rate), 2
    hr = numpy.random.default_rng(0).normal(size=sampling.hr_shape((1, 11, 10, 9))).astype(numpy.float32)
    pairs, compared = {}, Counter()
    for lr_patch, hr_patch in PatchDataset([(degrade(hr, rate, name), hr)], sampling, [4 * r for r in rate], 60,
                                           flip=flip):
        places = [numpy.argwhere(hr[0] == value)[0] for value in (hr_patch[0, 0, 0, 0], hr_patch[0, -1, -1, -1])]
        flips = tuple((places[1] < places[0]).tolist())
        assert not any(numpy.logical_and(flips, numpy.logical_not(FLIPPED[flip])))
        if flips not in pairs:
            whole = mirrored(hr, sampling, flips)
            pairs[flips] = degrade(whole, rate, name), whole
        lr_whole, whole = pairs[flips]
        start, rest = numpy.divmod(numpy.argwhere(whole[0] == hr_patch[0, 0, 0, 0])[0], rate)
        assert not rest.any()
        hr_window = tuple(slice(r * s, r * s + 4 * r) for r, s in zip(rate, start))
        numpy.testing.assert_array_equal(hr_patch[0], whole[0][hr_window])
        inside = tuple(slice(max(border - s, 0), n - border - s) for s, n in zip(start, lr_whole.shape[1:]))
        lr_window = lr_whole[0][tuple(slice(s, s + 4) for s in start)]
        numpy.testing.assert_allclose(lr_patch[0][inside], lr_window[inside], atol=1e-5)
        compared[flips] += lr_window[inside].size
    assert min(compared.values()) > 50 and any(map(any, compared)) == any(FLIPPED[flip])


@pytest.mark.parametrize('flip', OF_SCALARS)
def test_axes_are_mirrored_together_or_each_by_itself_as_the_name_says(flip):
    dataset = PatchDataset([numbered_pair()], Sampling(2), (4, 4, 4), 200, flip=flip)
    seen = {steps(hr) for _, hr in dataset}
    signs = [(1, -1) if flipped else (1,) for flipped in FLIPPED[flip]]
    expected = {tuple(sign * step for sign, step in zip(each, (256.0, 16.0, 1.0))) for each in product(*signs)}
    if flip == 'together':
        expected = {(256.0, 16.0, 1.0), (-256.0, -16.0, -1.0)}
    assert seen == expected


@pytest.mark.parametrize('flip', OF_SCALARS)
def test_a_channel_is_cut_where_and_as_it_is_alone(flip):
    rng = numpy.random.default_rng(0)
    lr, hr = rng.normal(size=(3, 6, 7, 8)), rng.normal(size=(3, 12, 14, 16))

    def dataset(lr, hr):
        return PatchDataset([(lr, hr)], Sampling(2), (4, 4, 4), 30, 5, flip)

    alone = [dataset(lr[channel:channel + 1], hr[channel:channel + 1]) for channel in range(3)]
    for i, patches in enumerate(dataset(lr, hr)):
        assert [patch.shape for patch in patches] == [(3, 2, 2, 2), (3, 4, 4, 4)]
        for patch, expected in zip(patches, zip(*(one[i] for one in alone))):
            numpy.testing.assert_array_equal(patch, numpy.concatenate(expected))


def test_an_unknown_flip_is_named():
    with pytest.raises(ValueError, match=f"flip 'y' is unknown; known are {', '.join(FLIPPED)}"):
        PatchDataset([numbered_pair()], Sampling(2), (4, 4, 4), 1, flip='y')


def test_mirroring_ends_where_it_is_told_to():
    pair = coordinate_pair(0, Sampling(4))
    always, until = (PatchDataset([pair], Sampling(4), (8, 8, 8), 100, 3, 'per_axis', flip_until=limit)
                     for limit in (None, 50))
    for i in range(50):
        numpy.testing.assert_array_equal(always[i][1], until[i][1])  # up to there nothing changes
    directions = [{steps(dataset[i][1])[0] for i in range(50, 100)} for dataset in (always, until)]
    assert directions == [{1.0, -1.0}, {1.0}]


def test_patches_reach_both_ends_of_the_volume():
    lr, hr = coordinate_pair(0, Sampling(4))
    values = [patch for _, patch in PatchDataset([(lr, hr)], Sampling(4), (8, 8, 8), 300, flip='none')]
    assert min(patch.min() for patch in values) == 0 and max(patch.max() for patch in values) == hr.max()


def test_example_depends_on_seed_and_index_alone():
    rng = numpy.random.default_rng(0)
    pairs = [(rng.normal(size=(1, 6, 6, 6)), rng.normal(size=(1, 12, 12, 12))) for _ in range(3)]

    def dataset(seed, length=50):
        return PatchDataset(pairs, Sampling(2), (4, 4, 4), length, seed, 'per_axis')

    one, other = dataset(0), dataset(0, 1000)
    for i in (49, 3, 17):
        numpy.testing.assert_array_equal(one[i][1], other[i][1])
    assert not all(numpy.array_equal(one[i][1], dataset(1)[i][1]) for i in range(10))


@pytest.mark.parametrize('flip, side, words', [('none', (24, 8, 8), 'along z does not fit .* at most 16'),
                                               ('together', (8, 8, 24), 'along x does not fit mirrored .* at most 20')])
def test_patch_larger_than_a_volume_is_refused(flip, side, words):
    lr, hr = numpy.zeros((1, 4, 4, 6)), numpy.zeros((1, 16, 16, 24))
    with pytest.raises(UserError, match=words):
        PatchDataset([(lr, hr)], Sampling(4), side, 1, flip=flip)


def test_volumes_that_are_no_pair_are_refused():
    hr = numpy.zeros((1, 16, 16, 16))
    for shape in ((1, 4, 4, 5), (2, 4, 4, 4)):
        with pytest.raises(UserError, match=re.escape(f'(1, 16, 16, 16) (channels, z, y, x) is not (4, 4, 4) times its '
                                                      f'LR volume of {shape}')):
            PatchDataset([(numpy.zeros(shape), hr)], Sampling(4), (8, 8, 8), 1)


def ball_in_air(shape=(24, 24, 24), centre=(16, 15, 12), radius=5):
    """A pair at rate 2 whose LR is a bright ball in air, and whose HR voxels are numbered."""
    z, y, x = numpy.ogrid[tuple(map(slice, shape))]
    lr = sum((i - c)**2 for i, c in zip((z, y, x), centre)) <= radius**2
    hr = numpy.arange(8 * lr.size, dtype=numpy.float32).reshape([2 * side for side in shape])
    return lr.astype(numpy.float32)[None], hr[None]


@pytest.mark.parametrize('flip', OF_SCALARS)
@pytest.mark.parametrize('offset', sorted({sampling_of(name, (2, 2, 2)).offset for name in DEGRADATIONS}))
def test_patches_are_centred_in_the_head_except_for_the_background_share(offset, flip):
    def in_head(share):
        dataset = PatchDataset([ball_in_air()], Sampling(2, offset), (8, 8, 8), 400, 1, flip, background_share=share)
        # the centre lies between two voxels in a patch of 4: mirrored it may fall on the other one
        return numpy.mean([lr[0, 1:3, 1:3, 1:3].max() for lr, _ in dataset])

    assert in_head(0.0) == 1
    anywhere = in_head(1.0)
    assert anywhere == pytest.approx(in_head(None), abs=0.08) and anywhere < 0.4
    assert in_head(0.4) == pytest.approx(0.6 + 0.4 * anywhere, abs=0.08)


def test_a_head_at_the_border_gives_patches_up_to_the_border():
    pair = ball_in_air(centre=(1, 22, 12))
    dataset = PatchDataset([pair], Sampling(2), (8, 8, 8), 200, flip='per_axis', background_share=0.0)
    for lr, hr in dataset:
        assert lr.shape == (1, 4, 4, 4) and hr.shape == (1, 8, 8, 8)
    assert min(hr.min() for _, hr in dataset) < 48 * 48  # the first HR slice


def test_the_head_of_several_channels_is_sought_in_all_of_them():
    """A head that shows in the second channel alone, beside air in the first."""
    lr, hr = ball_in_air()
    pair = numpy.concatenate([0 * lr, lr]), numpy.concatenate([hr, hr])
    for patch, _ in PatchDataset([pair], Sampling(2), (8, 8, 8), 100, 1, 'none', background_share=0.0):
        assert patch.shape == (2, 4, 4, 4) and patch[1, 2, 2, 2] == 1


def test_flip_x_mirrors_the_last_axis_alone():
    dataset = PatchDataset([numbered_pair()], Sampling(2), (4, 4, 4), 100, flip='x')
    assert {steps(hr) for _, hr in dataset} == {(256, 16, 1), (256, 16, -1)}


@pytest.mark.parametrize('name', ['bspline', 'block_mean'])
def test_a_cube_lies_in_all_48_ways_and_lr_is_made_of_hr_in_each(name):
    sampling = sampling_of(name, (2, 2, 2))
    _, hr = numbered_pair()
    pair = degrade(hr, (2, 2, 2), name), hr
    seen = Counter()
    for lr, hr in PatchDataset([pair], sampling, (4, 4, 4), 1000, flip='cube', flip_until=960):
        numpy.testing.assert_allclose(lr, degrade(hr, (2, 2, 2), name))
        seen[steps(hr)] += 1
    assert seen.keys() == {tuple(sign * step for sign, step in zip(signs, order))
                           for order in permutations((256.0, 16.0, 1.0)) for signs in product((1, -1), repeat=3)}
    as_it_lies = seen.pop((256.0, 16.0, 1.0))
    assert 40 < as_it_lies < 90 and max(seen.values()) < 50  # of 40 that are not turned, and 20 of each


@pytest.mark.parametrize('rate, side', [((4, 1, 1), (8, 8, 8)), ((2, 2, 2), (8, 8, 4))])
def test_what_is_no_cube_is_not_turned(rate, side):
    hr = numpy.zeros((1, 16, 16, 16))
    with pytest.raises(UserError, match='flip: cube is for a patchside and an upsampling rate that are the same'):
        PatchDataset([(degrade(hr, rate, 'bspline'), hr)], Sampling(rate), side, 1, flip='cube')


def test_a_volume_without_contrast_is_refused_where_a_head_is_needed():
    pair = numpy.zeros((1, 8, 8, 8), numpy.float32), numpy.zeros((1, 16, 16, 16), numpy.float32)
    PatchDataset([pair], Sampling(2), (8, 8, 8), 1)
    with pytest.raises(UserError, match='no head'):
        PatchDataset([pair], Sampling(2), (8, 8, 8), 1, background_share=0.1)


@pytest.mark.gpu
def test_patches_are_the_same_on_a_gpu():
    arguments = [ball_in_air()], Sampling(2, (0.5,) * 3), (8, 8, 8), 20, 0, 'per_axis'
    cpu, gpu = (PatchDataset(*arguments, background_share=0.5) for _ in range(2))
    gpu.to_device(get_device(0))
    for on_cpu, on_gpu in zip(cpu, gpu):
        for expected, patch in zip(on_cpu, on_gpu):
            numpy.testing.assert_array_equal(patch.get(), expected)


def test_a_mirrored_patch_of_tensors_has_the_tensors_of_the_mirrored_body():
    """By matrices: a mirror M makes M D M of a tensor D. Each voxel is known by its trace, which no mirror changes."""
    rng = numpy.random.default_rng(0)
    hr = rng.normal(size=(6, 8, 8, 8)).astype(numpy.float32)
    hr[0] = numpy.arange(512).reshape(8, 8, 8) - hr[2] - hr[5]
    lr, seen = hr.reshape(6, 4, 2, 4, 2, 4, 2).mean(axis=(2, 4, 6)), set()
    sampling = Sampling(2, (0.5, 0.5, 0.5))
    for small, large in PatchDataset([(lr, hr)], sampling, (4, 4, 4), 60, flip='tensors'):
        traces = large[[0, 2, 5]].sum(axis=0)
        places = numpy.rint(traces).astype(int)
        flips = tuple(bool(step < 0) for step in (places[1, 0, 0] - places[0, 0, 0], places[0, 1, 0] - places[0, 0, 0],
                                                  places[0, 0, 1] - places[0, 0, 0]))
        mirror = numpy.diag([-1.0 if flip else 1.0 for flip in flips[::-1]])
        expected = from_matrices(mirror @ as_matrices(hr.reshape(6, -1)[:, places.ravel()]) @ mirror)
        numpy.testing.assert_array_equal(large.reshape(6, -1), expected)
        numpy.testing.assert_allclose(small, large.reshape(6, 2, 2, 2, 2, 2, 2).mean(axis=(2, 4, 6)), atol=1e-4)
        seen.add(flips)
    assert len(seen) == 8


def test_volumes_that_are_no_tensors_are_not_mirrored_as_such():
    with pytest.raises(UserError, match='flip: tensors is for volumes of 6 channels, Dxx, .*; these have 1'):
        PatchDataset([numbered_pair()], Sampling(2), (4, 4, 4), 1, flip='tensors')
