import chainer
import numpy
import pytest
from chainer import gradient_check

from models import deep_espcn3d, upscaling
from models.deep_espcn3d import SHARE_SCALE, DeepESPCN3D
from models.network import ArgumentError, check_prediction
from models.pixel_shuffler_3d import pixel_shuffler_3d
from util.config_files import load_config
from util.inference.network import build_network
from util.inference.tiling import predict
from util.script import PROJECT, UserError
from util.volumes.degradation import sampling_of
from util.volumes.interpolation import upsample
from util.volumes.sampling import Sampling


def lr_batch(channels=1, size=(5, 6, 7)):
    return numpy.random.default_rng(0).random((2, channels, *size)).astype(numpy.float32)


def filled(net):
    """Weights that let every layer count, also those that start at 0."""
    rng = numpy.random.default_rng(1)
    for param in net.params():
        param.array[...] = rng.normal(0, 0.1, param.shape)
    return net


@pytest.mark.parametrize('name', ['bspline', 'block_mean'])
def test_the_untrained_network_is_the_interpolation(name):
    sampling, x = sampling_of(name, (2, 1, 3)), lr_batch(2)
    y = DeepESPCN3D(sampling, 2, width=4, blocks=2)(x)
    check_prediction(y, sampling.hr_shape(x.shape))
    numpy.testing.assert_allclose(y.array[0], upsample(x[0], sampling, 'linear'), rtol=1e-5)


@pytest.mark.parametrize('name', ['bspline', 'block_mean'])
@pytest.mark.parametrize('logit, share', [(-40, 0), (0, 0.5), (40, 1)])
def test_a_blended_network_that_adds_nothing_is_its_share_of_two_interpolations(name, logit, share):
    sampling, x = sampling_of(name, (2, 1, 3)), lr_batch(2)
    net = DeepESPCN3D(sampling, 2, width=4, blocks=2, residual='blended')
    net.balance.b.array += logit / SHARE_SCALE
    expected = (1 - share) * upsample(x, sampling, 'linear') + share * upsample(x, sampling, 'bspline')
    numpy.testing.assert_allclose(net(x).array, expected, rtol=1e-5, atol=1e-6)
    with chainer.no_backprop_mode():  # in use the sums are made in place
        numpy.testing.assert_allclose(net(x).array, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('cached', [1, 2100, 2 ** 20])
def test_the_share_is_each_lr_voxel_s_own_and_that_of_its_block(monkeypatch, cached):
    """B-spline interpolation has it; linear interpolation with what the network adds has the rest. In use a CPU makes a
    few planes at a time, whose number changes nothing.
    """
    monkeypatch.setattr(upscaling, 'CACHED', cached)
    sampling, x = Sampling((2, 1, 3)), lr_batch(2)
    net = filled(DeepESPCN3D(sampling, 2, width=4, blocks=1, residual='blended'))
    net.balance.W.array /= SHARE_SCALE
    passed, upscale = [], net.upscale
    net.upscale = lambda h, x, share: passed.append((h.array.copy(), share.array)) or upscale(h, x, share)
    y = net(x).array
    (h, share), = passed
    assert 0.01 < share.min() < share.max() < 0.99 and share.std() > 0.01
    own = upsample(x, sampling, 'linear') + pixel_shuffler_3d(h, sampling.rate).array
    of_blocks = share.repeat(2, 2).repeat(3, 4)
    expected = (1 - of_blocks) * own + of_blocks * upsample(x, sampling, 'bspline')
    numpy.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)
    with chainer.no_backprop_mode():
        numpy.testing.assert_allclose(net(x).array, expected, rtol=1e-5, atol=1e-6)


def test_the_gradients_of_what_is_blended_are_the_numerical_ones():
    rng, net = numpy.random.default_rng(0), DeepESPCN3D(Sampling((1, 2, 1)), width=1, blocks=1, residual='blended')
    h, x, share = rng.normal(size=(2, 2, 2, 4, 3)), *rng.random((2, 2, 1, 2, 4, 3))
    gradient_check.check_backward(net.upscale, (h, x, share), rng.normal(size=(2, 1, 2, 8, 3)), dtype=float, rtol=1e-4,
                                  atol=1e-6)


@pytest.mark.parametrize('residual', ['linear', 'blended'])
def test_every_weight_learns_once_the_last_convolution_is_not_0(residual):
    net, x = DeepESPCN3D(Sampling(2), width=4, blocks=3, residual=residual), lr_batch()
    net.last.W.array[...] = numpy.random.default_rng(0).normal(size=net.last.W.shape)
    optimizer = chainer.optimizers.SGD(0.01).setup(net)
    for _ in range(2):  # the blocks' first convolutions learn when their second ones are not 0 any more
        before = {name: param.array.copy() for name, param in net.namedparams()}
        optimizer.update(lambda: chainer.functions.mean_squared_error(net(x), x.repeat(2, 2).repeat(2, 3).repeat(2, 4)))
    assert all((before[name] != param.array).any() for name, param in net.namedparams())


@pytest.mark.parametrize('scale, least, most', [(SHARE_SCALE, 0.5, 0.8), (1, 0.99, 1)])
def test_a_share_stays_where_the_network_learns_for_as_long_as_b_splines_are_better(monkeypatch, scale, least, most):
    """100 steps on a scan that B-splines are right for. Where all of the share is theirs, the network has no gradient
    and never learns: so it went at alpha 1e-3 in the first 200 steps of x4_deep_robust.yml.
    """
    monkeypatch.setattr(deep_espcn3d, 'SHARE_SCALE', scale)
    numpy.random.seed(0)
    net, x = DeepESPCN3D(Sampling(2), width=16, blocks=2, residual='blended'), lr_batch()
    hr = upsample(x, Sampling(2), 'bspline')
    optimizer, shares = chainer.optimizers.Adam(1e-3, beta2=0.99).setup(net), []
    upscale = net.upscale
    net.upscale = lambda h, x, share: shares.append(share.array.mean()) or upscale(h, x, share)
    for _ in range(100):
        optimizer.update(lambda: chainer.functions.mean_squared_error(net(x), hr))
    assert least < shares[-1] <= most


@pytest.mark.parametrize('blocks, halo', [(1, 4), (3, 8)])
def test_tiles_give_what_the_whole_volume_gives_and_not_with_a_halo_less(blocks, halo):
    net, lr = filled(DeepESPCN3D(Sampling(2), width=4, blocks=blocks)), lr_batch(size=(9, 26, 10))[0]
    assert net.halo == halo
    whole = predict(net, lr, lr.shape[1:])
    numpy.testing.assert_allclose(predict(net, lr, (9, 7, 10)), whole, rtol=1e-3, atol=1e-5 * numpy.abs(whole).max())
    net.halo -= 1
    assert numpy.abs(predict(net, lr, (9, 7, 10)) - whole).max() > 1e-4 * numpy.abs(whole).max()


def test_a_b_spline_reaches_further_than_a_few_blocks_do_and_tiles_still_give_the_whole_volume():
    net, lr = filled(DeepESPCN3D(Sampling(2), width=4, blocks=1, residual='blended')), lr_batch(size=(9, 40, 10))[0]
    whole = predict(net, lr, lr.shape[1:])
    numpy.testing.assert_allclose(predict(net, lr, (9, 7, 10)), whole, rtol=1e-5, atol=1e-6 * numpy.abs(whole).max())
    net.halo = 4  # the convolutions' own
    assert numpy.abs(predict(net, lr, (9, 7, 10)) - whole).max() > 1e-4 * numpy.abs(whole).max()


@pytest.mark.parametrize('argument, value', [('width', 0), ('width', 2.5), ('blocks', 0), ('blocks', True),
                                             ('width', 10 ** 6), ('residual', 'cubic'), ('in_channels', 0)])
def test_a_config_s_wrong_arguments_are_told_in_one_line(argument, value):
    config = load_config(PROJECT / 'configs/x4_deep.yml', [f'models.generator.args.{argument}={value}'])
    with pytest.raises(UserError, match=f'models.generator.args: DeepESPCN3D does not take .*: {argument}'):
        build_network(config)


@pytest.mark.parametrize('residual', ['linear', 'blended'])
def test_the_size_that_is_refused_is_that_of_the_weights(monkeypatch, residual):
    def make():
        return DeepESPCN3D(Sampling(2), 2, 8, 3, residual)

    size = sum(param.array.nbytes for param in make().params() if param.ndim == 5)
    monkeypatch.setattr('models.upscaling.MOST_BYTES', size)
    make()
    monkeypatch.setattr('models.upscaling.MOST_BYTES', size - 1)
    with pytest.raises(ArgumentError, match='MiB of weights'):
        make()


def test_what_a_recorded_training_reads_stays_whatever_else_is_computed():
    """A recorded step goes on with the arrays that it was recorded with."""
    net, x = DeepESPCN3D(Sampling(2), width=4, blocks=1, residual='blended'), lr_batch()
    net(x)
    kept = [id(matrix) for matrices in net._trains_with.values() for matrix in matrices]
    upscaling._matrix.cache_clear()
    net(lr_batch(size=(4, 4, 4)))
    net(x)
    assert len(kept) == 6
    assert {*kept} <= {id(matrix) for matrices in net._trains_with.values() for matrix in matrices}


@pytest.mark.gpu
@pytest.mark.parametrize('residual', ['linear', 'blended'])
def test_gpu_equals_cpu(gpu, residual):
    net, x = filled(DeepESPCN3D(Sampling(2), 2, width=4, blocks=2, residual=residual)), lr_batch(2)
    expected = net(x).array
    net.to_device(gpu)
    numpy.testing.assert_allclose(net(gpu.send(x)).array.get(), expected, rtol=1e-3, atol=1e-4)
    with chainer.no_backprop_mode():  # in place
        numpy.testing.assert_allclose(net(gpu.send(x)).array.get(), expected, rtol=1e-3, atol=1e-4)
