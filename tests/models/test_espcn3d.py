import chainer
import chainer.functions as F
import chainer.links as L
import numpy
import pytest
from scipy.ndimage import gaussian_filter

from models.deep_espcn3d import DeepESPCN3D
from models.espcn3d import ESPCN3D
from models.pixel_shuffler_3d import pixel_shuffler_3d, unshuffle
from util.inference.tiling import predict
from util.volumes.degradation import DEGRADATIONS, sampling_of
from util.volumes.interpolation import upsample
from util.volumes.sampling import Sampling

REFERENCE_ARRAYS = {  # as the reference experiment's saved models hold them
    '/conv1/W': (50, 1, 3, 3, 3), '/conv1/b': (50,),
    '/conv2/W': (100, 50, 1, 1, 1), '/conv2/b': (100,),
    '/conv3/W': (64, 100, 3, 3, 3), '/conv3/b': (64,),
}


def test_arrays_have_the_reference_names_shapes_and_dtype():
    params = dict(ESPCN3D(Sampling(4)).namedparams())
    assert {name: param.shape for name, param in params.items()} == REFERENCE_ARRAYS
    assert {param.dtype for param in params.values()} == {numpy.dtype(numpy.float32)}


@pytest.mark.parametrize('rate, channels', [(2, 1), (4, 2), ((4, 1, 1), 1)])
def test_output_is_rate_times_the_input(rate, channels):
    rz, ry, rx = (rate,) * 3 if isinstance(rate, int) else rate
    y = ESPCN3D(Sampling(rate), channels)(numpy.zeros((2, channels, 3, 4, 5), numpy.float32))
    assert y.shape == (2, channels, 3 * rz, 4 * ry, 5 * rx)


def test_conv2_and_conv3_start_he_normal():
    """He et al. 2015: standard deviation sqrt(2 / fan in)."""
    net = ESPCN3D(Sampling(4))
    for conv, fan_in in ((net.conv2, 50), (net.conv3, 100 * 27)):
        assert conv.W.array.std() == pytest.approx(numpy.sqrt(2 / fan_in), rel=0.05)


@pytest.mark.parametrize('ksizes', [(3, 1, 3), (5, 3, 3)])
def test_halo_is_exactly_how_far_a_voxel_reaches(ksizes):
    net = ESPCN3D(Sampling(2), ksizes=ksizes)
    side = 2 * net.halo + 5
    x = numpy.zeros((1, 1, side, side, side), numpy.float32)
    changed = x.copy()
    centre = side // 2
    changed[0, 0, centre, centre, centre] = 1
    difference = numpy.abs(unshuffle((net(changed) - net(x)).array, net.sampling.rate)).max(axis=(0, 1))
    touched = numpy.argwhere(difference > 1e-5 * difference.max())  # the rest is rounding
    assert touched.min() == centre - net.halo
    assert touched.max() == centre + net.halo


def silent(*args, **kwargs):
    net = ESPCN3D(*args, **kwargs)
    for param in net.params():
        param.array[...] = 0
    return net


@pytest.mark.parametrize('name', DEGRADATIONS)
@pytest.mark.parametrize('rate', [(2, 1, 3), (4, 4, 4)])
@pytest.mark.parametrize('residual', ['nearest', 'linear'])
def test_residual_network_of_zero_weights_is_the_interpolation(residual, rate, name):
    net = silent(sampling_of(name, rate), 2, residual=residual)
    x = numpy.random.default_rng(0).normal(size=(2, 2, 3, 5, 4)).astype(numpy.float32)
    expected = upsample(x, net.sampling, residual)
    numpy.testing.assert_allclose(net(x).array, expected, atol=1e-6)


def test_conv3_that_starts_at_zero_starts_at_the_interpolation_and_learns():
    net = ESPCN3D(Sampling(2), residual='linear', conv3_init='zero')
    rng = numpy.random.default_rng(0)
    x, t = (rng.normal(size=(1, 1) + (side,) * 3).astype(numpy.float32) for side in (4, 8))
    y = net(x)
    numpy.testing.assert_allclose(y.array[0, 0], upsample(x[0, 0], Sampling(2), 'linear'), atol=1e-6)
    net.cleargrads()
    chainer.functions.mean_squared_error(y, t).backward()
    assert numpy.abs(net.conv3.W.grad).max() > 0


@pytest.mark.parametrize('residual', ['nearest', 'linear'])
def test_residual_network_tile_by_tile_is_the_whole_volume(residual):
    """Even where the convolutions alone would need no halo."""
    net = ESPCN3D(Sampling(2, (0.5,) * 3), ksizes=(1, 1, 1), residual=residual)
    lr = numpy.random.default_rng(0).normal(size=(1, 7, 8, 9)).astype(numpy.float32)
    numpy.testing.assert_allclose(predict(net, lr, (3, 3, 3)), net(lr[None]).array[0], atol=1e-5)


def test_residual_network_is_differentiable_in_the_lr_volume():
    """Interpolation is linear: the gradient of <g, A x> is A^T g."""
    net = silent(Sampling((4, 1, 2)), residual='linear')
    rng = numpy.random.default_rng(0)
    x, dx = (rng.normal(size=(1, 1, 3, 4, 5)).astype(numpy.float32) for _ in range(2))
    x = chainer.Variable(x)
    y = net(x)
    y.grad = g = rng.normal(size=y.shape).astype(numpy.float32)
    y.backward()
    assert (x.grad * dx).sum() == pytest.approx((g * net(dx).array).sum(), rel=1e-4)


@pytest.mark.gpu
def test_gpu_equals_cpu():
    net = ESPCN3D(Sampling(4, (1.5,) * 3), residual='linear', conv3_init='icnr')
    x = numpy.random.default_rng(0).normal(size=(2, 1, 4, 5, 6)).astype(numpy.float32)
    expected = net(x).array
    net.to_device('@cupy:0')
    y = net(net.device.send(x)).array
    numpy.testing.assert_allclose(chainer.get_device('@numpy').send(y), expected, atol=1e-4)


@pytest.mark.gpu
@pytest.mark.parametrize('residual', ['none', 'nearest', 'linear', 'blended'])
def test_it_runs_on_the_gpu_that_it_is_on_whichever_is_the_current_one(residual, gpu):
    cuda = gpu.xp.cuda
    if cuda.runtime.getDeviceCount() < 2:
        pytest.skip('one GPU')
    net = (DeepESPCN3D if residual == 'blended' else ESPCN3D)(Sampling(2), residual=residual)
    lr = numpy.random.default_rng(0).normal(size=(1, 4, 5, 6)).astype(numpy.float32)
    expected = predict(net, lr)
    net.to_device('@cupy:1')
    assert cuda.Device().id == 0
    numpy.testing.assert_allclose(predict(net, lr, (2, 5, 6)), expected, atol=1e-4)


@pytest.mark.parametrize('residual', [True, 'cubic', None, 'blended'])
def test_an_unknown_residual_is_refused(residual):
    with pytest.raises(ValueError, match='allowed: none, nearest, linear'):
        ESPCN3D(Sampling(4), residual=residual)


def test_an_unknown_initialization_is_refused():
    with pytest.raises(ValueError, match="conv3_init 'icnr2' is unknown; allowed: he_normal, icnr, zero"):
        ESPCN3D(Sampling(4), conv3_init='icnr2')


@pytest.mark.parametrize('ksizes', [(3, 2, 3), (3, 3), (0, 1, 3), 3, '313', None, (3.0, 1, 3), (True, 1, 3),
                                    ('3', 1, 3), {1: 1, 3: 3, 5: 5}])
def test_even_or_missing_kernel_sizes_are_refused(ksizes):
    with pytest.raises(ValueError, match='three odd numbers'):
        ESPCN3D(Sampling(4), ksizes=ksizes)


@pytest.mark.slow
def test_two_hundred_iterations_give_the_losses_of_the_stock_convolution():
    """Within 1e-3 relative at every iteration, from the same initial weights; a wrong gradient would drift apart."""
    rng = numpy.random.default_rng(0)
    hr = gaussian_filter(rng.normal(size=(8, 1, 24, 24, 24)), (0, 0, 2, 2, 2)).astype(numpy.float32) * 10
    lr = numpy.ascontiguousarray(hr[..., ::4, ::4, ::4])

    def losses(net):
        optimizer = chainer.optimizers.Adam(1e-3).setup(net)
        for i in range(200):
            batch = slice(i % 4 * 2, i % 4 * 2 + 2)
            loss = F.mean_squared_error(net(lr[batch]), hr[batch])
            net.cleargrads()
            loss.backward()
            optimizer.update()
            yield float(loss.array)

    fast, stock = ESPCN3D(Sampling(4)), Stock()
    stock.copyparams(fast)
    fast, stock = (numpy.array(list(losses(net))) for net in (fast, stock))
    assert stock[-1] < 0.5 * stock[0]  # that is, it learned
    numpy.testing.assert_allclose(fast, stock, rtol=1e-3)


class Stock(chainer.Chain):
    """The paper's network of Chainer's own convolutions."""

    def __init__(self):
        super().__init__()
        with self.init_scope():
            self.conv1 = L.ConvolutionND(3, 1, 50, 3, pad=1)
            self.conv2 = L.ConvolutionND(3, 50, 100, 1)
            self.conv3 = L.ConvolutionND(3, 100, 64, 3, pad=1)

    def forward(self, x):
        return pixel_shuffler_3d(self.conv3(F.relu(self.conv2(F.relu(self.conv1(x))))), 4)


@pytest.mark.parametrize('arguments', [{'in_channels': 10 ** 8}, {'in_channels': 2 ** 63}, {'in_channels': 3200},
                                       {'ksizes': (3, 1, 10 ** 6 + 1)}, {'ksizes': (2 ** 63 - 1, 1, 3)}])
def test_weights_that_no_memory_holds_are_refused_by_their_size(arguments):
    with pytest.raises(ValueError, match='MiB of weights; allowed: at most 2048 MiB'):
        ESPCN3D(Sampling(4), **arguments)


def test_the_size_that_is_refused_is_that_of_the_weights(monkeypatch):
    net = ESPCN3D(Sampling((2, 1, 3)), in_channels=2, ksizes=(5, 3, 1))
    size = sum(param.array.nbytes for param in net.params())
    monkeypatch.setattr('models.upscaling.MOST_BYTES', size)
    ESPCN3D(Sampling((2, 1, 3)), in_channels=2, ksizes=(5, 3, 1))
    monkeypatch.setattr('models.upscaling.MOST_BYTES', size - 1)
    with pytest.raises(ValueError, match='MiB of weights'):
        ESPCN3D(Sampling((2, 1, 3)), in_channels=2, ksizes=(5, 3, 1))


@pytest.mark.parametrize('in_channels', [0, -1, 1.0, '1', True, None])
def test_channels_that_cannot_be_are_refused(in_channels):
    with pytest.raises(ValueError, match='in_channels must be a positive whole number'):
        ESPCN3D(Sampling(2), in_channels)
