"""The device that -g names."""
import chainer
from chainer.backends import cuda

from util.script import UserError

NEEDS = 'CuPy 14 needs NumPy 2.0, SciPy 1.14 and CUDA 12, or newer'


def get_device(gpu):
    """The device of ``-g``: the CPU if negative, else that CUDA GPU.

    Args:
        gpu (int): Number of the GPU.

    Returns:
        ~chainer.backend.Device: Of a GPU, the current one from here on.

    Raises:
        UserError: If CuPy is missing, does not load or finds no such GPU.
    """
    if gpu < 0:
        return chainer.get_device('@numpy')
    try:
        import cupy
    except Exception as error:  # built for another NumPy or CUDA it raises more than ImportError
        raise UserError(f'-g {gpu}: CuPy cannot be imported ({_reason(error)}); install it (README.md: Install; '
                        f'{NEEDS}), or use -g -1 for the CPU') from None
    if not cuda.available:
        # Chainer imports parts of CuPy that `import cupy` leaves alone, and keeps to itself what went wrong.
        error = getattr(cuda, '_resolution_error', None)
        raise UserError(f'-g {gpu}: Chainer cannot use this CuPy {cupy.__version__} ({_reason(error)}); {NEEDS}; or '
                        'use -g -1 for the CPU')
    # chainer.backends.cuda.available is true wherever CUDA's libraries load, GPU or not: ask the runtime.
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise UserError(f'-g {gpu}: no usable CUDA GPU: {_reason(error)}; {NEEDS}; or use -g -1 for the CPU') from None
    if gpu >= count:
        raise UserError(f'-g {gpu}: this machine has {count} GPU(s), or shows no more to this process; use -g 0 '
                        f'to -g {count - 1}, or -g -1 for the CPU. Under mpiexec each rank takes the next GPU: start '
                        'no more ranks than there are, and let each see them all')
    device = chainer.get_device(f'@cupy:{gpu}')
    device.use()
    return device


def _reason(error):
    """What an exception says, on one line: CuPy frames the reason for which it does not load in twenty."""
    error = error.__cause__ or error
    return f'{type(error).__name__}: {" ".join(str(error).split())}'
