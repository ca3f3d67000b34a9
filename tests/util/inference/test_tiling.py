"""Tiles give what the whole volume gives, whatever a network returns and however many channels it has."""
import tracemalloc

import chainer
import numpy
import pytest
from chainer.distributions import Normal

from models import reused_memory
from models.bayesian_espcn3d import DROPOUTS, BayesianESPCN3D
from models.deep_espcn3d import DeepESPCN3D
from models.espcn3d import ESPCN3D
from models.network import Predictive
from tests.strict_cupy import arrays
from util.inference.tiling import choose_tile, join, predict, predictive_tiles, tiled
from util.volumes.sampling import Sampling


class Uncertain(chainer.Chain):
    """A network that predicts variances: two ESPCN3D, one for the mean and one for the logarithm of the variance."""

    def __init__(self, sampling, in_channels=1):
        super().__init__()
        self.sampling, self.in_channels = sampling, in_channels
        with self.init_scope():
            self.mean, self.log_variance = (ESPCN3D(sampling, in_channels) for _ in range(2))
        self.halo = self.mean.halo

    def forward(self, x):
        return Normal(self.mean(x), log_scale=self.log_variance(x) / 2)


class Returns(chainer.Chain):
    """A network that returns what a function makes of its input."""
    halo, in_channels = 0, 1

    def __init__(self, function, rate=2):
        super().__init__()
        self.function, self.sampling = function, Sampling(rate)

    def forward(self, x):
        return self.function(x)


def volume(channels=1, size=(13, 16, 11)):
    return numpy.random.default_rng(0).normal(size=(channels, *size)).astype(numpy.float32)


def whole(net, lr):
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        return net(lr[None])


# float32 sums over other Winograd tiles differ by up to 3e-6; a halo too small by one, by 1e-2 and more (below)
def assert_close(one, other):
    numpy.testing.assert_allclose(one, other, atol=1e-5 * numpy.abs(other).max())


@pytest.mark.parametrize('tile', [(4, 4, 4), (5, 16, 3), (8, 8, 8)])
@pytest.mark.parametrize('channels, rate, ksizes', [(1, 2, (3, 1, 3)), (1, (4, 1, 1), (3, 3, 5)), (3, 2, (3, 1, 3))])
def test_tiles_give_what_the_whole_volume_gives(tile, channels, rate, ksizes):
    net = ESPCN3D(Sampling(rate), channels, ksizes)
    lr = volume(channels)
    assert_close(predict(net, lr, tile), whole(net, lr).array[0])


def test_one_voxel_less_halo_would_show():
    """The test above can fail: a halo too small by one changes the result visibly."""
    net = ESPCN3D(Sampling(2))
    lr = volume()
    untiled = predict(net, lr, lr.shape[1:])
    net.halo -= 1
    assert numpy.abs(predict(net, lr, (4, 4, 4)) - untiled).max() > 1e-2


@pytest.mark.parametrize('channels', [1, 2])
def test_a_distribution_comes_back_whole_with_every_parameter(channels):
    net, lr = Uncertain(Sampling(2), channels), volume(channels)
    tiles, expected = predict(net, lr, (5, 6, 7)), whole(net, lr)
    assert isinstance(tiles, Normal)
    assert_close(tiles.mean.array, expected.mean.array[0])
    assert_close(tiles.variance.array, expected.variance.array[0])
    assert tiles.mean.shape == Sampling(2).hr_shape(lr.shape)


@pytest.mark.parametrize('returned', [lambda x: (x, x), lambda x: [x], lambda x: None])
def test_what_is_no_array_and_no_distribution_is_said_to_be_so(returned):
    with pytest.raises(TypeError, match='the network returned a (tuple|list|NoneType); it must return a Variable or'):
        predict(Returns(returned), volume(size=(4, 4, 4)))


@pytest.mark.parametrize('channels, size', [(2, 8), (1, 4)])
def test_a_second_output_as_a_channel_or_another_size_is_not_lost_in_silence(channels, size):
    """Two channels of one could be a mean and a log variance, of which one would have to be thrown away."""
    net = Returns(lambda x: chainer.Variable(numpy.zeros((1, channels, 8, 8, size), numpy.float32)))
    with pytest.raises(ValueError, match=rf'the network returned \(1, {channels}, 8, 8, {size}\) .* as its point, '
                       r'where \(1, 1, 8, 8, 8\) is wanted; a second output belongs in a distribution'):
        predict(net, volume(size=(4, 4, 4)))


def test_any_function_can_be_tiled_with_leading_axes_of_its_own():
    """Two maps, one without channels and one with two further axes, against the function of the whole volume."""
    def function(lr):
        hr = lr.repeat(2, -3).repeat(3, -1)
        return {'sum': hr.sum(axis=0), 'more': numpy.stack([[hr, -hr]] * 3)}

    lr = volume(2)
    maps = tiled(function, lr, (2, 1, 3), 1, (4, 5, 6))
    assert maps['more'].shape == (3, 2, 2, 26, 16, 33)
    for name, expected in function(lr).items():
        numpy.testing.assert_array_equal(maps[name], expected)


def test_tiling_leaves_it_to_the_function_whether_the_network_trains():
    """Sampling weights in use needs a network in training mode: `predict` sets the mode, `tiled` does not."""
    seen = []
    with chainer.using_config('train', 'as the caller wants'):
        tiled(lambda lr: seen.append(chainer.config.train) or {'a': lr}, volume(), (1, 1, 1), 0, (8, 8, 8))
        predict(Returns(lambda x: seen.append(chainer.config.train) or ESPCN3D(Sampling(2))(x)), volume())
        assert chainer.config.train == 'as the caller wants' and chainer.config.enable_backprop
    assert set(seen) == {'as the caller wants', False}


@pytest.mark.parametrize('size', [(40, 48, 48), (300, 20, 20), (7, 200, 33)])
@pytest.mark.parametrize('memory', [2**21, 2**24])
def test_the_chosen_tile_fits_the_memory_budget_and_hardly_less(size, memory):
    """The feature maps of conv1, conv2 and conv3 of a tile with its halo of 2, as float32."""
    def needed(tile):
        return 4 * (50 + 100 + 64) * numpy.prod([min(side + 4, most) for side, most in zip(tile, size)])

    tile = choose_tile(size, ESPCN3D(Sampling(4)), memory)
    assert all(1 <= side <= most for side, most in zip(tile, size))
    assert needed(tile) <= memory
    assert needed([2 * side for side in tile]) > memory or tile == size


def test_the_wide_halo_of_a_deep_network_does_not_make_tiles_that_are_little_else():
    net, size = DeepESPCN3D(Sampling(2), width=4, blocks=4), (90, 80, 100)
    tile = choose_tile(size, net, memory=2**16)
    computed = [min(side + 20, most) for side, most in zip(tile, size)]
    assert numpy.prod(computed) <= 4 * numpy.prod(tile)
    assert numpy.prod([side + 20 for side in tile]) > 2.5 * numpy.prod(tile)  # and no larger than need be


def test_a_small_volume_is_one_tile():
    assert choose_tile((16, 17, 18), ESPCN3D(Sampling(4))) == (16, 17, 18)


@pytest.mark.gpu
def test_tiles_on_a_gpu_give_what_the_cpu_gives(gpu):
    net, lr = Uncertain(Sampling(2), 2), volume(2)
    expected = predict(net, lr)
    net.to_device(gpu)
    prediction = predict(net, lr, (5, 16, 3))
    assert_close(prediction.mean.array, expected.mean.array)
    assert_close(prediction.variance.array, expected.variance.array)


@pytest.mark.gpu
def test_a_tile_goes_to_the_gpu_once_and_its_output_back_once(gpu):
    """Each way back waits for the GPU. The small matrices of the residual have gone there before."""
    if gpu.xp.ndarray is not arrays.ndarray:
        pytest.skip('CuPy counts no transfers; the stand-in does (tests/strict_cupy)')
    net, lr = ESPCN3D(Sampling(2), residual='linear'), volume()
    net.to_device(gpu)
    predict(net, lr, (7, 8, 11))
    arrays.transfers.clear()
    predict(net, lr, (7, 8, 11))
    assert arrays.transfers == {'to_device': 4, 'to_host': 4}  # of four tiles


@pytest.mark.parametrize('dropout', DROPOUTS)
def test_networks_that_are_drawn_leave_no_seams(dropout):
    """Each tile is computed by the same networks, halos included, and on no other than the whole volume is."""
    net, lr = BayesianESPCN3D(Sampling(2), residual='linear', dropout=dropout), volume()
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        whole = net.predictive(lr[None], map(numpy.random.default_rng, range(5)))
    maps = join(predictive_tiles(net, lr, 5, (5, 16, 3)), [2 * side for side in lr.shape[1:]])
    assert set(maps) == set(whole._fields)
    for name, found in maps.items():
        assert_close(found, getattr(whole, name)[0])


def test_memory_does_not_grow_with_the_number_of_networks():
    net, lr = BayesianESPCN3D(Sampling(2), dropout='binary', variance='homoscedastic'), volume(size=(24, 24, 24))

    def peak(samples):
        tracemalloc.start()
        try:
            for _ in predictive_tiles(net, lr, samples):
                reused_memory.release()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(2)
    assert peak(12) < 1.05 * peak(2)


def test_what_drawn_networks_return_is_checked_as_what_a_network_returns():
    class Doubled(BayesianESPCN3D):
        def predictive(self, x, generators):
            return Predictive(*(numpy.concatenate([array] * 2, axis=1) for array in super().predictive(x, generators)))

    with pytest.raises(ValueError, match=r'the network returned \(1, 2, 26, 32, 22\)'):
        list(predictive_tiles(Doubled(Sampling(2)), volume(), 2))
