import pytest

from util.device import get_device
from util.script import UserError


def test_a_negative_number_is_the_cpu():
    assert get_device(-1).name == '@numpy'


def test_a_gpu_that_is_not_there_is_one_line():
    with pytest.raises(UserError, match=r'^-g 99: .*-g -1') as caught:
        get_device(99)
    assert '\n' not in str(caught.value)


@pytest.mark.gpu
def test_the_first_gpu_is_usable():
    device = get_device(0)
    assert device.name == '@cupy:0' and (device.xp.arange(3).sum() == 3)
