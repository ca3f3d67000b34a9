"""The self-ensemble averages values of one and the same physical position, whatever the degradation's geometry."""
import numpy
import pytest
from scipy.ndimage import map_coordinates

from models.espcn3d import ESPCN3D
from util.inference.ensemble import mean_over_mirrorings
from util.inference.tiling import predict, predicted_tiles
from util.volumes.degradation import DEGRADATIONS, sampling_of
from util.volumes.interpolation import upsample
from util.volumes.sampling import Sampling

RATES = ((2, 2, 2), (4, 4, 4), (4, 1, 1), (1, 3, 2))


def interpolating(sampling):
    """A stand-in for a network: a function that interpolates linearly."""
    return lambda lr: in_one_part({'mean': upsample(lr, sampling, 'linear')})


def in_one_part(maps):
    return [(tuple(slice(0, side) for side in maps['mean'].shape[1:]), maps)]


def ensemble(net, lr, tile=None):
    def parts(array):
        return ((place, {'mean': part}) for place, part in predicted_tiles(net, array, tile))

    return mean_over_mirrorings(parts, lr, net.sampling)['mean']


def lr_volume(shape=(1, 7, 6, 9)):
    return numpy.random.default_rng(0).normal(size=shape).astype(numpy.float32)


@pytest.mark.parametrize('name', DEGRADATIONS)
@pytest.mark.parametrize('rate', RATES)
def test_a_ramp_keeps_its_physical_position(name, rate):
    """LR voxels that hold their centres' HR index come out as the HR index of each voxel between the LR centres."""
    sampling = sampling_of(name, rate)
    for axis in range(3):
        shape = (7, 6, 9)
        index = numpy.arange(shape[axis], dtype=numpy.float32).reshape([-1 if a == axis else 1 for a in range(3)])
        lr = numpy.broadcast_to(rate[axis] * index + sampling.offset[axis], (1, *shape)).astype(numpy.float32)
        sr = mean_over_mirrorings(interpolating(sampling), lr, sampling)['mean']
        sr = numpy.moveaxis(sr[0], axis, 0)
        hr_index = numpy.arange(len(sr))
        first = sampling.offset[axis]
        between = (hr_index >= first) & (hr_index <= rate[axis] * (shape[axis] - 1) + first)
        expected = numpy.broadcast_to(hr_index[between, None, None], sr[between].shape)
        numpy.testing.assert_allclose(sr[between], expected, atol=1e-4)


@pytest.mark.parametrize('name', DEGRADATIONS)
@pytest.mark.parametrize('rate', RATES)
def test_linear_interpolation_stays_what_it_is_up_to_the_border(name, rate):
    """Linear interpolation does not know left from right: its ensemble is SciPy's linear interpolation everywhere."""
    sampling, lr = sampling_of(name, rate), lr_volume((2, 7, 6, 9))
    sr = mean_over_mirrorings(interpolating(sampling), lr, sampling)['mean']
    position = numpy.indices(sr.shape[1:]) - numpy.reshape(sampling.offset, (3, 1, 1, 1))
    coordinates = position / numpy.reshape(rate, (3, 1, 1, 1))
    for channel, image in zip(lr, sr):
        numpy.testing.assert_allclose(image, map_coordinates(channel, coordinates, order=1, mode='nearest'), atol=1e-5)


def test_without_moving_back_the_ramp_would_be_shifted():
    """The tests above can fail: taking LR centres for the middle of their blocks blurs and shifts by 1.5 voxels."""
    sampling, lr = Sampling(4), lr_volume()
    right = mean_over_mirrorings(interpolating(sampling), lr, sampling)['mean']
    wrong = mean_over_mirrorings(interpolating(sampling), lr, Sampling(4, (1.5, 1.5, 1.5)))['mean']
    assert numpy.abs(right - wrong).max() > 0.1


def test_a_network_that_does_not_know_left_from_right_is_its_own_ensemble():
    """A residual network of zero weights takes the nearest LR voxel: no ties amid blocks, so no side is preferred."""
    lr = lr_volume()
    net = ESPCN3D(sampling_of('block_mean', (2, 3, 4)), residual='nearest')
    for param in net.params():
        param.array[...] = 0
    numpy.testing.assert_allclose(ensemble(net, lr), predict(net, lr), rtol=1e-6)


def test_it_is_the_mean_over_the_eight_mirrorings():
    """Against the definition, away from the border, with random weights and LR centres on the first voxel."""
    net, lr = ESPCN3D(Sampling(2)), lr_volume((1, 6, 6, 6))
    sr = ensemble(net, lr)[0]

    def copy(axes):
        mirrored = numpy.ascontiguousarray(numpy.flip(lr[0], axes))[None]
        back = numpy.flip(predict(net, mirrored)[0], axes)
        return numpy.roll(back, [-1] * len(axes), axes)  # rate 2, offset 0: one voxel too far

    total = sum(copy(axes) for axes in ((), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)))
    numpy.testing.assert_allclose(sr[:-1, :-1, :-1], total[:-1, :-1, :-1] / 8, atol=1e-5 * numpy.abs(sr).max())
    # the last plane along x is not given by the copies mirrored along x
    last = sum(copy(axes) for axes in ((), (0,), (1,), (0, 1))) / 4
    numpy.testing.assert_allclose(sr[:-1, :-1, -1], last[:-1, :-1, -1], atol=1e-5 * numpy.abs(sr).max())


@pytest.mark.parametrize('name', DEGRADATIONS)
@pytest.mark.parametrize('tile', [(1, 6, 2), (3, 4, 5), (7, 1, 9)])
def test_tiles_of_any_size_give_what_one_part_gives(name, tile):
    """Also tiles that the move puts over the border, in part or as a whole."""
    net, lr = ESPCN3D(sampling_of(name, (2, 4, 3))), lr_volume()
    one = ensemble(net, lr, lr.shape[1:])
    numpy.testing.assert_allclose(ensemble(net, lr, tile), one, atol=1e-5 * numpy.abs(one).max())


def test_every_map_is_averaged_by_itself():
    sampling, lr = Sampling(2), lr_volume()
    maps = mean_over_mirrorings(lambda array: in_one_part({'mean': upsample(array, sampling, 'linear'),
                                                           'variance': upsample(array ** 2, sampling, 'linear')}),
                                lr, sampling)
    for name, array in (('mean', lr), ('variance', lr ** 2)):
        alone = mean_over_mirrorings(interpolating(sampling), array, sampling)['mean']
        numpy.testing.assert_allclose(maps[name], alone, rtol=1e-6)
