"""A function of blocks does each number once, wherever it lies, on the CPU as on a GPU."""
import numpy
import pytest

from models.element_wise import in_blocks

SHAPE = 3, 41, 43, 37  # three blocks, the last one not full


def scaled(out, x, weights):
    out += x * weights + 1


@pytest.mark.parametrize('axes', [(0, 1, 2, 3), (3, 0, 2, 1)])
def test_each_number_is_done_once_wherever_it_lies(axes):
    rng = numpy.random.default_rng(0)
    x, weights = rng.normal(size=(2, *SHAPE)).astype('float32')
    out = rng.normal(size=[SHAPE[axis] for axis in axes]).astype('float32').transpose(numpy.argsort(axes))
    expected = out + (x * weights + 1)
    in_blocks(scaled, out, x, weights)
    numpy.testing.assert_array_equal(out, expected)


def test_no_block_is_larger_than_a_core_s_cache():
    sizes, out = [], numpy.zeros(SHAPE, 'float32')
    in_blocks(lambda block: sizes.append(block.nbytes), out)
    assert sum(sizes) == out.nbytes and max(sizes) <= 256 * 1024


@pytest.mark.gpu
def test_gpu_equals_cpu(gpu):
    out, x, weights = numpy.random.default_rng(0).normal(size=(3, *SHAPE)).astype('float32')
    on_gpu = [gpu.send(array) for array in (out, x, weights)]
    in_blocks(scaled, *on_gpu)
    in_blocks(scaled, out, x, weights)
    numpy.testing.assert_allclose(on_gpu[0].get(), out, rtol=1e-6)
