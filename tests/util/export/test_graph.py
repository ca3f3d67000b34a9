"""The pieces of a graph against the arrays that they stand for, in ONNX Runtime."""
import itertools

import numpy
import pytest

from models.pixel_shuffler_3d import shuffle
from models.upscaling import RESIDUALS
from util.export import graph as graph_module
from util.export.graph import Graph
from util.script import UserError
from util.volumes.degradation import DEGRADATIONS, sampling_of
from util.volumes.interpolation import upsample

onnxruntime = pytest.importorskip('onnxruntime', reason='requirements-dev.txt has it')
RATES = (2, 2, 2), (4, 1, 1), (1, 2, 3)


def compute(graph, value, lr, channels=1, rate=(1, 1, 1)):
    model = graph.model(channels, rate, {'y': value}, {}).SerializeToString()
    session = onnxruntime.InferenceSession(model, providers=['CPUExecutionProvider'])
    return session.run(None, {'x': lr})[0]


@pytest.mark.parametrize('rate', RATES)
def test_the_shuffle_is_the_network_s_to_the_bit(rate):
    graph, h = Graph('x'), numpy.random.default_rng(0).random((2, 3 * numpy.prod(rate), 2, 3, 1), dtype=numpy.float32)
    value = graph.pixel_shuffle('x', rate)
    numpy.testing.assert_array_equal(compute(graph, value, h, h.shape[1], rate), shuffle(h, rate))


@pytest.mark.parametrize('method', RESIDUALS[1:])
@pytest.mark.parametrize('name, rate', [*itertools.product(DEGRADATIONS, (*RATES, (5, 4, 3)))])
def test_interpolation_is_util_volumes_at_any_size_and_at_the_borders(name, rate, method):
    """One graph for all sizes; a single voxel is all border."""
    sampling, graph = sampling_of(name, rate), Graph('x')
    value = graph.pixel_shuffle(graph.interpolation('x', 2, sampling, method), rate)
    for size in ((1, 1, 1), (2, 5, 3)):
        lr = numpy.random.default_rng(0).normal(size=(2, 2, *size)).astype(numpy.float32)
        numpy.testing.assert_allclose(compute(graph, value, lr, 2, rate), upsample(lr, sampling, method), rtol=0,
                                      atol=0 if method == 'nearest' else 1e-6)


def test_softplus_keeps_its_digits_where_it_is_small_and_where_exp_of_x_overflows():
    graph, x = Graph('x'), numpy.linspace(-80, 120, 2001, dtype=numpy.float32).reshape(1, 1, 1, 1, -1)
    numpy.testing.assert_allclose(compute(graph, graph.softplus('x'), x), numpy.logaddexp(0, x.astype(float)),
                                  rtol=1e-6)


def test_more_weights_than_a_file_can_hold_are_refused(monkeypatch):
    monkeypatch.setattr(graph_module, 'MOST_BYTES', 2 ** 20)
    graph = Graph('x')
    value = graph.add('Add', 'x', numpy.zeros(2 ** 19, numpy.float32))
    with pytest.raises(UserError, match='2 MiB of weights; an ONNX file holds at most 1 MiB'):
        graph.model(1, (1, 1, 1), {'y': value}, {})
