"""The device that -g names."""
import chainer

from util.script import UserError


def get_device(gpu):
    """The device of ``-g``: the CPU if negative, else that CUDA GPU.

    Raises:
        UserError: If CuPy is missing or finds no such GPU.
    """
    if gpu < 0:
        return chainer.get_device('@numpy')
    try:
        import cupy
    except ImportError as error:
        raise UserError(f'-g {gpu}: CuPy cannot be imported ({error}); install it (README.md: Install), or use -g -1'
                        ) from None
    # chainer.backends.cuda.available is true wherever CUDA's libraries load, GPU or not: ask the runtime.
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise UserError(f'-g {gpu}: no usable CUDA GPU: {error}; use -g -1 for the CPU') from None
    if gpu >= count:
        raise UserError(f'-g {gpu}: this machine has {count} GPU(s); use -g 0 to -g {count - 1}, or -g -1 for the CPU')
    device = chainer.get_device(f'@cupy:{gpu}')
    device.use()
    return device
