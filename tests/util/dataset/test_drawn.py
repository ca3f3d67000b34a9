import numpy
import pytest
from scipy import ndimage

from util.config import Degradation, Drawn
from util.dataset.drawn import Drawing
from util.dataset.patches import PatchDataset
from util.device import get_device
from util.volumes.degradation import DEGRADATIONS, degrade, sampling_of

EVERYTHING = {'degradation': ['bspline', 'block_mean', {'name': 'gaussian', 'fwhm': [0.6, 1.4]}, 'kspace'],
              'blur': [0, 2], 'gamma': [0.7, 1.4], 'bias': [0, 0.3], 'noise': [0, 0.03]}
RATES = [(4, 4, 4), (3, 3, 3), (4, 1, 2)]


def make_dataset(name, rate, drawn, flip='per_axis', length=12, channels=1, seed=0, **fixed):
    """Patches of 3 LR voxels of a volume of random numbers, whose fixed pair is made by a degradation."""
    sampling = sampling_of(name, rate)
    hr = numpy.random.default_rng(1).random(sampling.hr_shape((channels, 7, 8, 9)), numpy.float32)
    pairs = [(degrade(hr, rate, name, **fixed), hr)]
    drawing = Drawing(pairs, sampling, Drawn(**drawn), Degradation(name=name, **fixed)) if drawn is not None else None
    return PatchDataset(pairs, sampling, tuple(3 * r for r in rate), length, seed, flip, drawing=drawing)


def shifted(hr, by):
    """HR at index m + by, along z, y, x, of a cubic B-spline: by SciPy, in three dimensions at once."""
    where = [numpy.clip(numpy.arange(n) + b, 0, n - 1) for n, b in zip(hr.shape[1:], by)]
    places = numpy.stack(numpy.meshgrid(*where, indexing='ij'))
    return numpy.stack([ndimage.map_coordinates(channel, places, order=3, mode='mirror') for channel in hr])


@pytest.mark.parametrize('flip', ['none', 'per_axis'])
@pytest.mark.parametrize('rate', RATES)
@pytest.mark.parametrize('name', DEGRADATIONS)
def test_lr_made_of_an_hr_patch_is_cut_out_of_the_whole_lr_volume(name, rate, flip):
    """The pairs' own degradation, drawn: the patches are those that were cut out before, at the border as well."""
    cut, made = (make_dataset(name, rate, drawn, flip, 40) for drawn in (None, {'degradation': name}))
    for (lr, hr), (made_lr, made_hr) in zip(cut, made):
        numpy.testing.assert_array_equal(made_hr, hr)
        assert made_lr.dtype == numpy.float32
        numpy.testing.assert_allclose(made_lr, lr, atol=5e-6)


@pytest.mark.parametrize('rate', RATES)
@pytest.mark.parametrize('own', ['bspline', 'block_mean'])
@pytest.mark.parametrize('name', DEGRADATIONS)
def test_another_degradation_is_moved_to_where_the_pairs_have_their_lr_voxels(name, own, rate):
    """As if the whole HR volume were moved by the difference of the offsets, by SciPy, and then degraded."""
    dataset = make_dataset(own, rate, {'degradation': name})
    hr = dataset.pairs[0][1]
    by = numpy.subtract(dataset.sampling.offset, sampling_of(name, rate).offset)
    plain = make_dataset(own, rate, None)
    plain.pairs = [(degrade(shifted(hr, by), rate, name), hr)]
    for (lr, hr), (made_lr, made_hr) in zip(plain, dataset):
        numpy.testing.assert_array_equal(made_hr, hr)
        numpy.testing.assert_allclose(made_lr, lr, atol=2e-5)


def test_an_example_depends_on_the_seed_and_its_number_alone():
    one, other = (make_dataset('bspline', (4, 4, 4), EVERYTHING, length=length) for length in (12, 40))
    for i in (11, 3, 7):
        for patch, expected in zip(one[i], other[i]):
            numpy.testing.assert_array_equal(patch, expected)
    assert not numpy.array_equal(one[0][0], make_dataset('bspline', (4, 4, 4), EVERYTHING, seed=1)[0][0])


@pytest.mark.gpu
def test_patches_are_the_same_on_a_gpu():
    cpu, gpu = (make_dataset('bspline', (4, 4, 4), EVERYTHING) for _ in range(2))
    gpu.to_device(get_device(0))
    for on_cpu, on_gpu in zip(cpu, gpu):
        for expected, patch in zip(on_cpu, on_gpu):
            assert patch.dtype == numpy.float32
            numpy.testing.assert_allclose(patch.get(), expected, atol=1e-5)
