import sys
from types import SimpleNamespace

import numpy
import pytest
from chainer.backends import cuda

from util.device import get_device
from util.script import UserError


class CUDARuntimeError(RuntimeError):
    pass


def refusal(gpu=0):
    """The line that a GPU is refused with."""
    with pytest.raises(UserError) as caught:
        get_device(gpu)
    assert str(caught.value).startswith(f'-g {gpu}: ') and '-g -1' in str(caught.value)
    assert '\n' not in str(caught.value) and '\\n' not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def cupy(monkeypatch):
    """A CuPy that Chainer can use; its runtime finds two GPUs."""
    runtime = SimpleNamespace(getDeviceCount=lambda: 2, CUDARuntimeError=CUDARuntimeError)
    module = SimpleNamespace(__version__='14.2.0', cuda=SimpleNamespace(runtime=runtime))
    monkeypatch.setitem(sys.modules, 'cupy', module)
    monkeypatch.setattr(cuda, 'available', True)
    return module


def test_a_negative_number_is_the_cpu():
    assert get_device(-1).name == '@numpy'


def test_a_gpu_that_is_not_there_is_one_line():
    refusal(99)


def test_without_cupy_it_is_told_what_cupy_needs(monkeypatch):
    monkeypatch.setitem(sys.modules, 'cupy', None)
    text = refusal()
    assert 'CuPy cannot be imported (ModuleNotFoundError: ' in text and 'README.md: Install' in text
    assert 'NumPy 2.0, SciPy 1.14 and CUDA 12, or newer' in text


@pytest.mark.parametrize('raised', ["raise ImportError('=====\\nHow to install it\\n=====') from OSError('no such "
                                    "libnvrtc.so\\n.12')", "raise OSError('no such libnvrtc.so .12')"])
def test_a_cupy_that_does_not_load_gives_its_reason_on_one_line(raised, tmp_path, monkeypatch):
    """CuPy's own text has twenty lines, and its cause the reason; not every reason is an ImportError."""
    (tmp_path / 'cupy.py').write_text(raised)
    monkeypatch.delitem(sys.modules, 'cupy', raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    assert 'CuPy cannot be imported (OSError: no such libnvrtc.so .12)' in refusal()


def test_a_cupy_that_chainer_cannot_use_is_told_with_chainer_s_reason(cupy, monkeypatch):
    monkeypatch.setattr(cuda, 'available', False)
    monkeypatch.setattr(cuda, '_resolution_error', ImportError('no module\nnamed scipy'), raising=False)
    text = refusal()
    assert 'this CuPy 14.2.0 (ImportError: no module named scipy)' in text and 'SciPy 1.14' in text


def test_a_machine_without_a_gpu_is_told_what_the_runtime_says(cupy):
    def count():
        raise CUDARuntimeError('cudaErrorInsufficientDriver:\nthe driver is older than the runtime')

    cupy.cuda.runtime.getDeviceCount = count
    text = refusal()
    assert 'no usable CUDA GPU: ' in text and 'the driver is older than the runtime' in text and 'CUDA 12' in text


def test_a_number_beyond_the_last_gpu_is_told_how_many_there_are(cupy):
    assert 'this machine has 2 GPU(s), or shows no more to this process; use -g 0 to -g 1' in refusal(2)


@pytest.mark.gpu
def test_the_first_gpu_is_usable():
    device = get_device(0)
    assert device.name == '@cupy:0' and (device.xp.arange(3).sum() == 3)


@pytest.mark.gpu
def test_arrays_go_to_the_gpu_and_back(gpu):
    """Without a warning, such as Chainer's where CuPy has no cuDNN: it is an error in these tests."""
    array = numpy.arange(6.0).reshape(2, 3)
    assert isinstance(gpu.send(array), cuda.ndarray)
    numpy.testing.assert_array_equal(gpu.send(array).get(), array)
