"""The network in PyTorch, as `benchmarks.implementations` asks for it."""
from benchmarks.cases import make_arrays


def prepare(case, gpu, memory_format, compiled):
    """The network in PyTorch, in float32 throughout.

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

    from benchmarks.plain.network import DeepESPCN3D, ESPCN3D

    # float32 products on a GPU as well, like the others here: cuDNN would take TF32 by default. On a CPU float32 is
    # the default, whether or not the CPU has bfloat16.
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    device = torch.device('cpu' if gpu < 0 else f'cuda:{gpu}')
    memory_format = getattr(torch, memory_format)
    lr, hr, weights = make_arrays(case)

    net = DeepESPCN3D(case.rate, case.blocks) if case.blocks else ESPCN3D(case.rate)
    net = net.load(weights).to(device, memory_format=memory_format)
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
