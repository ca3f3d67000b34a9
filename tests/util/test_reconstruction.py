import chainer
import numpy
import pytest

from models.espcn3d import ESPCN3D
from util.reconstruction import choose_tile, reconstruct


def volume(shape=(13, 16, 11)):
    return numpy.random.default_rng(0).normal(size=shape).astype(numpy.float32)


@pytest.mark.parametrize('tile', [(4, 4, 4), (5, 16, 3), (8, 8, 8)])
@pytest.mark.parametrize('rate, ksizes', [(2, (3, 1, 3)), ((4, 1, 1), (3, 3, 5))])
def test_tiles_give_what_the_whole_volume_gives(tile, rate, ksizes):
    net = ESPCN3D(1, rate, ksizes)
    lr = volume()
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        whole = net(lr[None, None]).array[0, 0]
    # float32 sums over other Winograd tiles differ by up to 3e-6; a halo too small by one, by 1e-2 and more (below)
    numpy.testing.assert_allclose(reconstruct(net, lr, tile), whole, atol=1e-5 * numpy.abs(whole).max())


def test_one_voxel_less_halo_would_show():
    """The test above can fail: a halo too small by one changes the result visibly."""
    net = ESPCN3D(1, 2)
    lr = volume()
    whole = reconstruct(net, lr, lr.shape)
    net.halo -= 1
    assert numpy.abs(reconstruct(net, lr, (4, 4, 4)) - whole).max() > 1e-2


def test_training_mode_comes_back():
    net = ESPCN3D(1, 2)
    with chainer.using_config('train', True):
        reconstruct(net, volume((4, 4, 4)))
        assert chainer.config.train and chainer.config.enable_backprop


@pytest.mark.parametrize('shape', [(40, 48, 48), (300, 20, 20), (7, 200, 33)])
@pytest.mark.parametrize('memory', [2**20, 2**24])
def test_the_chosen_tile_fits_the_memory_budget_and_hardly_less(shape, memory):
    """The feature maps of conv1, conv2 and conv3 of a tile with its halo of 2, as float32."""
    def size(tile):
        return 4 * (50 + 100 + 64) * numpy.prod([side + 4 for side in tile])

    tile = choose_tile(shape, ESPCN3D(), memory)
    assert all(1 <= side <= whole for side, whole in zip(tile, shape))
    assert size(tile) <= memory
    assert size([2 * side for side in tile]) > memory or tile == shape


def test_a_small_volume_is_one_tile():
    assert choose_tile((16, 17, 18), ESPCN3D()) == (16, 17, 18)
