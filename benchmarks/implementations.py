"""Who takes part: the same network in this project, in stock Chainer, PyTorch, ONNX Runtime and OpenVINO; yardsticks.

Each ``prepare(case, gpu)`` returns a function ``step()``, which is what is timed. It does the case's work once and
returns the result in float32: the loss of a training iteration before its update, without axes, or the HR batch or
volume.
"""
from collections.abc import Callable
import functools
from typing import NamedTuple

import numpy

from benchmarks import chainer_nets, onnx_nets, pytorch_net, yardsticks

PROJECT, STOCK, GEMM, COPY = 'this project', 'stock Chainer', 'float32 GEMM', 'copy'
YARDSTICKS = GEMM, COPY


class Implementation(NamedTuple):
    """One way to do the work."""
    prepare: Callable   # (case, gpu) -> step
    modules: list       # imported before memory is counted
    package: str        # whose memory pool a GPU's memory is in: numpy (CuPy) or torch
    volumes_only: bool = False  # takes part in whole volumes on the CPU alone


_CHAINER = ['util', 'chainer', 'chainer.links', 'models.espcn3d', 'util.device', 'util.inference.tiling']


def _pytorch(memory_format, compiled=False):
    return Implementation(functools.partial(pytorch_net.prepare, memory_format=memory_format, compiled=compiled),
                          ['torch', 'torch._inductor.compile_fx'] if compiled else ['torch'], 'torch')


def _onnx(runtime, tiles):
    return Implementation(functools.partial(onnx_nets.prepare, runtime=runtime, tiles=tiles),
                          [runtime, 'onnx', 'util.export.graph'] + (_CHAINER if tiles else []), 'numpy',
                          volumes_only=True)


PYTORCH = {
    'PyTorch, channels_last_3d': _pytorch('channels_last_3d'),
    'PyTorch, contiguous': _pytorch('contiguous_format'),
    'PyTorch, compiled': _pytorch('channels_last_3d', compiled=True),
}
ONNXRUNTIME = {f'ONNX Runtime, {how}': _onnx('onnxruntime', how == 'tiles') for how in ('whole', 'tiles')}
OPENVINO = {f'OpenVINO, {how}': _onnx('openvino', how == 'tiles') for how in ('whole', 'tiles')}
IMPLEMENTATIONS = {
    PROJECT: Implementation(chainer_nets.prepare_project, _CHAINER, 'numpy'),
    **PYTORCH, **ONNXRUNTIME, **OPENVINO,
    STOCK: Implementation(chainer_nets.prepare_stock, _CHAINER, 'numpy'),
    GEMM: Implementation(yardsticks.prepare_gemm, [], 'numpy'),
    COPY: Implementation(yardsticks.prepare_copy, [], 'numpy'),
}
EAGER = [name for name in PYTORCH if 'compiled' not in name]


def names_of(case, gpu):
    """Who takes part in a case.

    Args:
        case (Case): The work.
        gpu (int): GPU number, or negative for the CPU.

    Returns:
        list of str: Keys of :data:`IMPLEMENTATIONS`.
    """
    on_cpu = case.kind == 'volume' and gpu < 0
    names = [name for name, implementation in IMPLEMENTATIONS.items() if on_cpu or not implementation.volumes_only]
    return [name for name in names if name in (PROJECT, *PYTORCH, *YARDSTICKS)] if case.blocks else names


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
