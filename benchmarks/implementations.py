"""The same network in this project, in stock Chainer and in PyTorch.

Each ``prepare_*`` returns a function ``step()``, which is what is timed. It does the case's work once and returns the
result in float32: the loss of a training iteration before its update, without axes, or the HR batch or volume.
"""
import functools

import numpy

from benchmarks.cases import make_arrays

GEMM_SIDE = {'cpu': 2048, 'gpu': 8192}


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
    return _chainer_step(case, gpu, ESPCN3D(Sampling(case.rate)))


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

    return _chainer_step(case, gpu, Stock(case.rate))


def _chainer_step(case, gpu, net):
    """The step of a Chainer network with `conv1`, `conv2` and `conv3`."""
    import chainer
    import chainer.functions as F
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
            loss = F.mean_squared_error(net(lr), hr)
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


def _pytorch_net(rate):
    """The network in PyTorch, as one would write it, with PyTorch's own initial weights."""
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self, rate):
            super().__init__()
            self.rate = rate
            self.conv1 = nn.Conv3d(1, 50, 3, padding=1)
            self.conv2 = nn.Conv3d(50, 100, 1)
            self.conv3 = nn.Conv3d(100, rate ** 3, 3, padding=1)

        def forward(self, x):
            h = self.conv3(torch.relu(self.conv2(torch.relu(self.conv1(x)))))
            n, _, depth, height, width = h.shape
            r = self.rate
            h = h.reshape(n, 1, r, r, r, depth, height, width).permute(0, 1, 5, 2, 6, 3, 7, 4)
            return h.reshape(n, 1, r * depth, r * height, r * width)

    return Net(rate)


def prepare_pytorch(case, gpu, memory_format, compiled):
    """The network in PyTorch.

    Args:
        case (Case): The work.
        gpu (int): GPU number, or negative for the CPU.
        memory_format (str): Name of a memory format of PyTorch: ``'channels_last_3d'`` or ``'contiguous_format'``.
        compiled (bool): Let ``torch.compile`` make the step.

    Returns:
        callable: The step.
    """
    import torch
    from torch import nn

    # float32 products on a GPU as well, like the others here: cuDNN would take TF32 by default.
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    device = torch.device('cpu' if gpu < 0 else f'cuda:{gpu}')
    memory_format = getattr(torch, memory_format)
    lr, hr, weights = make_arrays(case)

    net = _pytorch_net(case.rate)
    with torch.no_grad():
        for conv, (W, b) in zip((net.conv1, net.conv2, net.conv3), weights):
            conv.weight.copy_(torch.from_numpy(W))
            conv.bias.copy_(torch.from_numpy(b))
    net = net.to(device, memory_format=memory_format)
    lr = torch.from_numpy(lr)
    if case.kind != 'volume':
        lr = lr.to(device, memory_format=memory_format)

    if case.kind == 'training':
        hr = torch.from_numpy(hr).to(device)
        optimizer = torch.optim.Adam(net.parameters(), lr=1e-4, fused=True)
        criterion = (lambda lr, hr: nn.functional.mse_loss(net(lr), hr))
        criterion = torch.compile(criterion) if compiled else criterion

        def step():
            optimizer.zero_grad()
            loss = criterion(lr, hr)
            loss.backward()
            optimizer.step()
            return loss.detach()
        return step

    forward = torch.compile(net) if compiled else net

    def step():
        with torch.inference_mode():
            sr = forward(lr.to(device, memory_format=memory_format))
            return sr.cpu() if case.kind == 'volume' else sr
    return step


def prepare_gemm(case, gpu):
    """The machine's yardstick instead of a network: a large float32 matrix product, the same for every case.

    Args:
        case (Case): Not used.
        gpu (int): GPU number, or negative for the CPU.

    Returns:
        callable: The step; it returns the product, (2048, 2048) on the CPU and (8192, 8192) on a GPU.
    """
    if gpu < 0:
        xp, side = numpy, GEMM_SIDE['cpu']
    else:
        import util  # noqa: F401
        from util.device import get_device
        get_device(gpu)
        import cupy as xp
        side = GEMM_SIDE['gpu']
    a, b = (xp.asarray(numpy.random.default_rng(i).random((side, side), dtype=numpy.float32)) for i in range(2))
    c = xp.empty_like(a)
    return lambda: xp.matmul(a, b, out=c)


PROJECT, STOCK, GEMM = 'this project', 'stock Chainer', 'float32 GEMM'
PYTORCH = {
    'PyTorch, channels_last_3d': functools.partial(prepare_pytorch, memory_format='channels_last_3d', compiled=False),
    'PyTorch, contiguous': functools.partial(prepare_pytorch, memory_format='contiguous_format', compiled=False),
    'PyTorch, compiled': functools.partial(prepare_pytorch, memory_format='channels_last_3d', compiled=True),
}
PREPARE = {PROJECT: prepare_project, **PYTORCH, STOCK: prepare_stock, GEMM: prepare_gemm}
EAGER = [name for name in PYTORCH if 'compiled' not in name]


def to_numpy(result):
    """Bring a result of any step to the host; waits for the device.

    Args:
        result (numpy.ndarray, cupy.ndarray or torch.Tensor): What a step returned.

    Returns:
        numpy.ndarray: The same values, shape and dtype.
    """
    if hasattr(result, 'get'):
        return result.get()
    return result.cpu().numpy() if hasattr(result, 'cpu') else numpy.asarray(result)
