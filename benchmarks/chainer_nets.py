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
    from models.espcn3d import ESPCN3D
    from util.volumes.sampling import Sampling
    from util.training.losses import mse
    return _step(case, gpu, ESPCN3D(Sampling(case.rate)), mse)


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

    return _step(case, gpu, Stock(case.rate), F.mean_squared_error)


def _step(case, gpu, net, mean_squared_error):
    """The step of a Chainer network with `conv1`, `conv2` and `conv3`."""
    import chainer
    from util.device import get_device
    from util.inference.tiling import predict

    device = get_device(gpu)
    lr, hr, weights = make_arrays(case)
    for conv, (W, b) in zip((net.conv1, net.conv2, net.conv3), weights):
        conv.W.array[...], conv.b.array[...] = W, b
    net.to_device(device)

    if case.kind == 'training':
        optimizer = chainer.optimizers.Adam(alpha=1e-4).setup(net)
        lr, hr = device.send(lr), device.send(hr)
        last = {}

        def loss_func(lr, hr):
            loss = mean_squared_error(net(lr), hr)
            last['loss'] = loss.array
            return loss

        def step():
            optimizer.update(loss_func, lr, hr)
            return last['loss']
        return step

    if case.kind == 'volume' and hasattr(net, 'halo'):
        return lambda: predict(net, lr[0])

    if case.kind == 'forward':
        lr = device.send(lr)

    def step():
        with chainer.using_config('train', False), chainer.no_backprop_mode():
            sr = net(device.send(lr)).array
        return sr if case.kind == 'forward' else chainer.get_device('@numpy').send(sr)
    return step
