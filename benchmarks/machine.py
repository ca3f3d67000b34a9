"""The machine and the versions, in words."""
import importlib.metadata
import os
import platform
import re

PACKAGES = ('numpy', 'chainer', 'torch', 'onnx', 'onnxruntime', 'openvino', 'SimpleITK', 'scikit-image', 'cupy',
            'cupy-cuda12x', 'cupy-cuda13x')


def describe(gpu):
    """What the run ran on.

    Args:
        gpu (int): GPU number, or negative for the CPU.

    Returns:
        list of str: Lines for the report.
    """
    with open('/proc/cpuinfo') as file:
        text = file.read()
    model = re.search(r'model name\s*:\s*(.*)', text)
    with open('/proc/meminfo') as file:
        memory = int(re.search(r'MemTotal:\s*(\d+)', file.read()).group(1)) / 2 ** 20
    lines = [f'CPU: {model.group(1) if model else platform.machine()}, {len(os.sched_getaffinity(0))} cores, '
             f'{memory:.0f} GiB, {platform.system()}; {_low_precision(text)}']
    if gpu >= 0:
        import cupy
        from chainer.backends import cuda
        runtime = cupy.cuda.runtime
        cudnn = 'with' if cuda.cudnn_enabled else 'without'
        lines.append(f'GPU: {runtime.getDeviceProperties(gpu)["name"].decode()}, CUDA driver '
                     f'{runtime.driverGetVersion()}; CuPy {cudnn} cuDNN, PyTorch with its own; TF32 off')
    found = [f'Python {platform.python_version()}']
    for package in PACKAGES:
        try:
            found.append(f'{package} {importlib.metadata.version(package)}')
        except importlib.metadata.PackageNotFoundError:
            continue
    return [*lines, ', '.join(found)]


def _low_precision(cpuinfo):
    """Whether the CPU has units for bfloat16, which nobody may use here."""
    units = [name for name, flag in (('AVX-512 BF16', 'avx512_bf16'), ('AMX BF16', 'amx_bf16'))
             if re.search(rf'\b{flag}\b', cpuinfo)]
    return (f'it has {" and ".join(units)}, left unused: all compute in float32' if units
            else 'it has no units for bfloat16')
