"""The network in this project and in stock Chainer, as `benchmarks.implementations` asks for it."""
from benchmarks.cases import make_arrays


def prepare_project(case, gpu):
    """The network of this project.

    Args:
        case (Case): The work.
        gpu (int): GPU number, or negative for the CPU.

    Returns:
        callable: The step.
    """
    import util  # noqa: F401
    from models.deep_espcn3d import DeepESPCN3D
    from models.espcn3d import ESPCN3D
    from util.volumes.sampling import Sampling
    from util.training.adam import Adam
    from util.training.losses import mse
    from util.training.updater import Updater
    sampling = Sampling(case.rate)
    net = DeepESPCN3D(sampling, blocks=case.blocks, residual='none') if case.blocks else ESPCN3D(sampling)
    return _training(case, gpu, net, mse, Adam, Updater) if case.kind == 'training' else _inference(case, gpu, net)


def prepare_stock(case, gpu):
    """The network as one would write it with Chainer alone.

    It has ``L.ConvolutionND``, and a pixel shuffle of reshape and transpose.

    Args:
        case (Case): The work.
        gpu (int): GPU number, or negative for the CPU.

    Returns:
        callable: The step.
    """
    import util  # noqa: F401
    import chainer
    import chainer.functions as F
    import chainer.links as L

    class Stock(chainer.Chain):
        def __init__(self, rate):
            super().__init__()
            self.rate = rate
            with self.init_scope():
                self.conv1 = L.ConvolutionND(3, 1, 50, 3, pad=1)
                self.conv2 = L.ConvolutionND(3, 50, 100, 1)
                self.conv3 = L.ConvolutionND(3, 100, rate ** 3, 3, pad=1)

        def forward(self, x):
            h = self.conv3(F.relu(self.conv2(F.relu(self.conv1(x)))))
            n, _, depth, height, width = h.shape
            r = self.rate
            h = F.transpose(F.reshape(h, (n, 1, r, r, r, depth, height, width)), (0, 1, 5, 2, 6, 3, 7, 4))
            return F.reshape(h, (n, 1, r * depth, r * height, r * width))

    net = Stock(case.rate)
    if case.kind == 'training':
        return _training(case, gpu, net, F.mean_squared_error, chainer.optimizers.Adam, _stock_updater)
    return _inference(case, gpu, net)


def _load(case, gpu, net):
    """The network with the case's weights, on its device, and the case's LR and HR there."""
    from util.device import get_device

    device = get_device(gpu)
    lr, hr, weights = make_arrays(case)
    convolutions = ([net.first, *(conv for block in net.blocks for conv in (block.conv1, block.conv2)), net.last]
                    if case.blocks else [net.conv1, net.conv2, net.conv3])
    for conv, (W, b) in zip(convolutions, weights, strict=True):
        conv.W.array[...], conv.b.array[...] = W, b
    net.to_device(device)
    return device, lr, hr


def _training(case, gpu, net, mean_squared_error, adam, updater):
    import chainer

    device, lr, hr = _load(case, gpu, net)
    lr, hr = device.send(lr), device.send(hr)
    optimizer = adam(1e-4, 0.9, 0.999).setup(net)
    updater = updater({'main': _Batch(lr, hr)}, optimizer, lambda lr, hr: mean_squared_error(net(lr), hr))
    reporter, observation = chainer.Reporter(), {}
    reporter.add_observer('main', net)

    def step():
        with reporter.scope(observation):
            updater.update()
        return chainer.as_variable(observation['main/loss']).array
    return step


class _Batch:
    """An iterator that gives the same batch again and again."""

    is_new_epoch = False

    def __init__(self, lr, hr):
        self.lr, self.hr = lr, hr

    def next(self):
        return list(zip(self.lr, self.hr))


def _stock_updater(iterator, optimizer, loss):
    import chainer

    def reported(lr, hr):
        value = loss(lr, hr)
        chainer.report({'loss': value}, optimizer.target)
        return value
    return chainer.training.StandardUpdater(iterator, optimizer, device=optimizer.target.device, loss_func=reported)


def _inference(case, gpu, net):
    import chainer
    from util.inference.tiling import predict

    device, lr, _ = _load(case, gpu, net)
    if case.kind == 'volume' and hasattr(net, 'halo'):
        return lambda: predict(net, lr[0])
    if case.kind == 'forward':
        lr = device.send(lr)

    def step():
        with chainer.using_config('train', False), chainer.no_backprop_mode():
            sr = net(device.send(lr)).array
        return sr if case.kind == 'forward' else chainer.get_device('@numpy').send(sr)
    return step
