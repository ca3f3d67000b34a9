import pytest

from benchmarks import cases, limits
from models.espcn3d import ESPCN3D
from util.volumes.sampling import Sampling

CONV1, CONV2, CONV3 = 27 * 50, 50 * 100, 27 * 100 * 64  # multiply-adds per voxel at rate 4


@pytest.mark.parametrize('rate', [2, 4])
def test_direct_multiply_adds_are_those_of_the_networks_weights(rate):
    """Each weight is used once for every LR voxel; training needs it for two gradients more, conv1 for one."""
    per_voxel = sum(conv.W.size for conv in ESPCN3D(Sampling(rate)).children())
    forward = limits.work(cases.Case('forward', 3, (4, 5, 6), rate)).direct
    assert forward == 3 * 4 * 5 * 6 * per_voxel
    no_gradient_of_the_input = 3 * 4 * 5 * 6 * 50 * 27
    assert limits.work(cases.Case('training', 3, (4, 5, 6), rate)).direct == 3 * forward - no_gradient_of_the_input


def test_winograd_counts_products_and_transforms_of_whole_tiles():
    """5 x 4 x 8 voxels are 2 x 1 x 2 tiles."""
    products, transforms = limits.winograd(3, (5, 4, 8), 10, 7)
    assert products == 3 * 4 * 216 * 10 * 7
    inputs = 6 * 6 * 16 + 6 * 6 * 24 + 6 * 6 * 36
    outputs = 4 * 6 * 36 + 4 * 6 * 24 + 4 * 6 * 16
    filters = 6 * 3 * 9 + 6 * 3 * 18 + 6 * 3 * 36
    assert (inputs, outputs, filters) == (2736, 1824, 1134)
    assert transforms == 3 * 4 * (inputs * 10 + outputs * 7) + filters * 10 * 7


def test_a_forward_pass_takes_winograd_for_conv3_alone():
    needed = limits.work(cases.Case('forward', 1, (8, 8, 4)))  # four tiles, 256 voxels
    assert needed.products == 256 * (CONV1 + CONV2) + 4 * 216 * 6400
    assert needed.transforms == 4 * (2736 * 100 + 1824 * 64) + 1134 * 6400
    weights = (CONV1 + 50) + (CONV2 + 100) + (CONV3 + 64)
    assert needed.bytes == 4 * (256 + 256 * 64 + weights)


def test_a_voxel_alone_is_convolved_directly():
    """A whole tile and the filters' transform would cost more."""
    needed = limits.work(cases.Case('volume', 1, (1, 1, 1)))
    assert needed[:3] == (179150, 179150, 0)


def test_training_needs_the_gradients_and_what_waits_for_them():
    needed = limits.work(cases.Case('training', 2, (8, 8, 8)))  # 8 tiles each, 1024 voxels
    assert needed.products == 1024 * (2 * CONV1 + 3 * CONV2) + 3 * 16 * 216 * 6400
    forward, backward = 2736 * 100 + 1824 * 64, 2736 * 64 + 1824 * 100
    assert needed.transforms == 16 * (2 * forward + backward) + 3 * 1134 * 6400
    weights = (CONV1 + 50) + (CONV2 + 100) + (CONV3 + 64)
    lr_and_hr, features, gradient = 1024 * 65, 1024 * 150, 1024 * 64
    assert needed.bytes == 4 * (lr_and_hr + 2 * features + 2 * gradient + 6 * weights)


def test_the_limit_is_the_longer_of_arithmetic_and_memory():
    case = cases.Case('volume', 1, (8, 8, 4))
    needed = limits.work(case)
    slow_memory = limits.limit(case, 1e12, 1e6)
    assert slow_memory.seconds == slow_memory.memory == pytest.approx(needed.bytes / 1e6)
    fast_memory = limits.limit(case, 1e9, 1e12)
    assert fast_memory.seconds == fast_memory.arithmetic == pytest.approx((needed.products + needed.transforms) / 1e9)
    assert fast_memory.products == pytest.approx(needed.products / 1e9)
