"""A step on a GPU, which is recorded, against the same step that is not."""
import chainer
import numpy
import pytest

from models.deep_espcn3d import DeepESPCN3D
from models.espcn3d import ESPCN3D
from models.heteroscedastic_deep_espcn3d import HeteroscedasticDeepESPCN3D
from models.heteroscedastic_espcn3d import HeteroscedasticESPCN3D
from util.training import recording
from util.training.adam import Adam
from util.training.losses import LOSSES
from util.training.margin import with_margin
from util.training.updater import Updater
from util.volumes.sampling import Sampling

NETWORKS = {
    'paper': lambda: ESPCN3D(Sampling(2)),
    'linear': lambda: ESPCN3D(Sampling(2), residual='linear', conv3_init='icnr', ksizes=(5, 1, 3)),
    'deep': lambda: DeepESPCN3D(Sampling((1, 2, 2)), width=8, blocks=2),
    'blended': lambda: DeepESPCN3D(Sampling((1, 2, 2)), width=8, blocks=1, residual='blended'),
    'uncertain': lambda: HeteroscedasticESPCN3D(Sampling(2)),
    'deep and uncertain': lambda: HeteroscedasticDeepESPCN3D(Sampling(2), width=8, blocks=2),
    'its mean fixed': lambda: HeteroscedasticDeepESPCN3D(Sampling(2), width=8, blocks=2, fixed_mean=True),
}


MARGINS = {'psnr': (1, 2, 2)}  # HR voxels


class Batches(chainer.dataset.Iterator):
    """Different ones, of views that are not contiguous."""

    def __init__(self, net, device):
        r = numpy.random.default_rng(0)
        shape = (1, 7, 5, 4)
        self.pairs = [tuple(device.send(r.random(s).astype('float32'))[..., ::-1] for s in
                            (shape, net.sampling.hr_shape(shape))) for _ in range(10)]
        self.i = 0

    def next(self):
        self.i += 2
        return self.pairs[self.i - 2:self.i]


def losses(net, loss, device, steps=5):
    """Of some steps, and the network's weights after them."""
    numpy.random.seed(0)
    net = net()
    net.to_device(device)
    optimizer = Adam(1e-3, 0.9, 0.999).setup(net)
    loss = with_margin(LOSSES[loss], MARGINS.get(loss, (0, 0, 0)))
    updater = Updater(Batches(net, device), optimizer, lambda lr, hr: loss(net(lr), hr))
    reporter, found = chainer.Reporter(), []
    reporter.add_observer('main', net)
    for _ in range(steps):
        observation = {}
        with reporter.scope(observation):
            updater.update()
        found.append(observation['main/loss'])
    return updater, [float(value) for value in found], [param.array for param in net.params()]


@pytest.mark.gpu
@pytest.mark.parametrize('net, loss', [
    ('linear', 'charbonnier'), ('deep', 'mse'), ('blended', 'psnr'),
    *(pytest.param(*case, marks=pytest.mark.slow) for case in (
        ('paper', 'mse'), ('linear', 'l1'), ('deep', 'mse_ssim'), ('uncertain', 'gaussian_nll'),
        ('deep and uncertain', 'gaussian_nll'), ('its mean fixed', 'gaussian_nll')))])
def test_steps_are_those_of_the_cpu(gpu_with_kernels, net, loss):
    found, expected = (losses(NETWORKS[net], loss, device, steps=3)[1] for device in
                       (gpu_with_kernels, chainer.get_device('@numpy')))
    numpy.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.gpu
@pytest.mark.parametrize('net, loss', [('paper', 'mse'), ('linear', 'l1'), ('linear', 'charbonnier'), ('deep', 'mse'),
                                       ('blended', 'psnr'), ('deep', 'mse_ssim'), ('uncertain', 'gaussian_nll'),
                                       ('its mean fixed', 'gaussian_nll')])
def test_steps_that_are_recorded_are_the_same(real_gpu, monkeypatch, net, loss):
    updater, recorded, weights = losses(NETWORKS[net], loss, real_gpu)
    assert updater._recording is not None
    on_cpu = losses(NETWORKS[net], loss, chainer.get_device('@numpy'))[1]
    monkeypatch.setattr(NETWORKS[net]().__class__, 'is_static', False)
    updater, expected, others = losses(NETWORKS[net], loss, real_gpu)
    assert updater._recording is None
    assert recorded == expected and len(set(recorded)) == 5
    assert all((a == b).all() for a, b in zip(weights, others, strict=True))
    numpy.testing.assert_allclose(recorded, on_cpu, rtol=1e-4)


@pytest.mark.gpu
def test_what_the_loss_does_not_go_by_keeps_its_zero_gradient_from_step_to_step(real_gpu):
    """A new one each time would be sent to the GPU anew."""
    updater, _, _ = losses(NETWORKS['uncertain'], 'mse', real_gpu, steps=3)
    table = updater.get_optimizer('main')._table
    updater.get_iterator('main').i = 0
    updater.update()
    assert table is not None and updater.get_optimizer('main')._table is table


@pytest.mark.gpu
def test_memory_that_is_not_there_is_no_error_at_which_a_pool_gives_back_what_a_graph_writes_to(real_gpu):
    with pytest.raises(MemoryError, match='bytes are left on the GPU'):
        real_gpu.xp.cuda.MemoryPool(recording._take).malloc(1 << 50)


@pytest.mark.gpu
def test_a_recording_holds_while_memory_is_given_back(real_gpu):
    """Between two steps, validation takes memory, and CuPy gives back what is free when it runs out."""
    net = NETWORKS['paper']()
    net.to_device(real_gpu)
    updater = Updater(Batches(net, real_gpu), Adam(0, 0.9, 0.999).setup(net),
                      lambda lr, hr: LOSSES['mse'](net(lr), hr))
    reporter, found = chainer.Reporter(), []
    reporter.add_observer('main', net)
    batch = updater.get_iterator('main').next()
    updater.get_iterator('main').next = lambda: batch
    for _ in range(4):
        observation = {}
        with reporter.scope(observation):
            updater.update()
        found.append(float(observation['main/loss']))
        real_gpu.xp.get_default_memory_pool().free_all_blocks()
        junk = [real_gpu.xp.full(1 << 18, numpy.nan, 'float32') for _ in range(50)]
        del junk
    assert len(set(found)) == 1 and numpy.isfinite(found[0])
