"""The self-ensemble averages values of one and the same physical position, whatever the degradation's geometry."""
from types import SimpleNamespace

import chainer
import numpy
import pytest
from scipy.ndimage import map_coordinates

from models.espcn3d import ESPCN3D
from util.degradation import centre_offset
from util.ensemble import reconstruct_ensemble
from util.interpolation import upsample
from util.reconstruction import reconstruct

DEGRADATIONS = ('bspline', 'kspace', 'block_mean', 'gaussian')
RATES = ((2, 2, 2), (4, 4, 4), (4, 1, 1), (1, 3, 2))


class Interpolation(chainer.Chain):
    """A stand-in for a network that interpolates linearly, with LR centres at ``offset``."""
    halo = 2

    def __init__(self, rate, offset):
        super().__init__()
        self.rate, self.offset = rate, offset

    def forward(self, x):
        return SimpleNamespace(array=upsample(x[0, 0], self.rate, self.offset, 'linear')[None, None])


def lr_volume(shape=(7, 6, 9)):
    return numpy.random.default_rng(0).normal(size=shape).astype(numpy.float32)


@pytest.mark.parametrize('name', DEGRADATIONS)
@pytest.mark.parametrize('rate', RATES)
def test_a_ramp_keeps_its_physical_position(name, rate):
    """LR voxels that hold their centres' HR index come out as the HR index of each voxel between the LR centres."""
    offset = centre_offset(name, rate)
    for axis in range(3):
        shape = (7, 6, 9)
        index = numpy.arange(shape[axis], dtype=numpy.float32).reshape([-1 if a == axis else 1 for a in range(3)])
        lr = numpy.broadcast_to(rate[axis] * index + offset[axis], shape).astype(numpy.float32)
        sr = numpy.moveaxis(reconstruct_ensemble(Interpolation(rate, offset), lr, offset), axis, 0)
        hr_index = numpy.arange(len(sr))
        between = (hr_index >= offset[axis]) & (hr_index <= rate[axis] * (shape[axis] - 1) + offset[axis])
        expected = numpy.broadcast_to(hr_index[between, None, None], sr[between].shape)
        numpy.testing.assert_allclose(sr[between], expected, atol=1e-4)


@pytest.mark.parametrize('name', DEGRADATIONS)
@pytest.mark.parametrize('rate', RATES)
def test_linear_interpolation_stays_what_it_is_up_to_the_border(name, rate):
    """Linear interpolation does not know left from right: its ensemble is SciPy's linear interpolation everywhere."""
    offset, lr = centre_offset(name, rate), lr_volume()
    sr = reconstruct_ensemble(Interpolation(rate, offset), lr, offset, tile=(4, 4, 4))
    position = numpy.indices(sr.shape) - numpy.reshape(offset, (3, 1, 1, 1))
    coordinates = position / numpy.reshape(rate, (3, 1, 1, 1))
    numpy.testing.assert_allclose(sr, map_coordinates(lr, coordinates, order=1, mode='nearest'), atol=1e-5)


def test_without_moving_back_the_ramp_would_be_shifted():
    """The tests above can fail: taking LR centres for the middle of their blocks blurs and shifts by 1.5 voxels."""
    rate, lr = (4, 4, 4), lr_volume()
    right = reconstruct_ensemble(Interpolation(rate, (0, 0, 0)), lr, (0, 0, 0))
    wrong = reconstruct_ensemble(Interpolation(rate, (0, 0, 0)), lr, (1.5, 1.5, 1.5))
    assert numpy.abs(right - wrong).max() > 0.1


def test_a_network_that_does_not_know_left_from_right_is_its_own_ensemble():
    """A residual network of zero weights takes the nearest LR voxel: no ties amid blocks, so no side is preferred."""
    rate, lr = (2, 3, 4), lr_volume()
    offset = centre_offset('block_mean', rate)
    net = ESPCN3D(1, rate, centre_offset=offset, residual='nearest')
    for param in net.params():
        param.array[...] = 0
    numpy.testing.assert_allclose(reconstruct_ensemble(net, lr, offset), reconstruct(net, lr), rtol=1e-6)


def test_it_is_the_mean_over_the_eight_mirrorings():
    """Against the definition, away from the border, with random weights and LR centres on the first voxel."""
    net, lr = ESPCN3D(1, 2), lr_volume((6, 6, 6))
    sr = reconstruct_ensemble(net, lr, (0, 0, 0))
    total = 0
    for axes in ((), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)):
        copy = numpy.flip(reconstruct(net, numpy.ascontiguousarray(numpy.flip(lr, axes))), axes)
        total = total + numpy.roll(copy, [-1] * len(axes), axes)  # rate 2, offset 0: one voxel too far
    numpy.testing.assert_allclose(sr[:-1, :-1, :-1], total[:-1, :-1, :-1] / 8, atol=1e-5 * numpy.abs(sr).max())
    # the last plane along x is not given by the copies mirrored along x
    last = sum(numpy.roll(numpy.flip(reconstruct(net, numpy.ascontiguousarray(numpy.flip(lr, axes))), axes),
                          [-1] * len(axes), axes) for axes in ((), (0,), (1,), (0, 1))) / 4
    numpy.testing.assert_allclose(sr[:-1, :-1, -1], last[:-1, :-1, -1], atol=1e-5 * numpy.abs(sr).max())
