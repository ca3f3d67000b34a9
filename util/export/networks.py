"""From a network of `models` to an ONNX model that runs without Chainer."""
import json
import math

import numpy

from models.bayesian_espcn3d import BayesianESPCN3D
from models.deep_espcn3d import SHARE_SCALE, DeepESPCN3D
from models.espcn3d import ESPCN3D
from models.heteroscedastic_deep_espcn3d import HeteroscedasticDeepESPCN3D
from models.heteroscedastic_espcn3d import HeteroscedasticESPCN3D
from models.softplus import softplus
from models.upscaling import BLENDED
from models.variance import LEAST_VARIANCE, ConstantVariance
from util.export.graph import Graph
from util.export.spline import bspline
from util.script import UserError

INPUT, MEAN, DEVIATION = 'lr', 'sr', 'deviation'


def _convolved(graph, net, h, path, names):
    """h through convolutions of a network, one after another; path is what stands before their names."""
    for name in names:
        layer = net[name]
        h = graph.convolution(h, f'{path}{name}', layer.W.array, layer.b.array, layer.relu)
    return h


def _upscaled(graph, net, h):
    if net.residual != 'none':
        h = graph.add('Add', h, graph.interpolation(graph.inputs, net.in_channels, net.sampling, net.residual))
    return graph.pixel_shuffle(h, net.sampling.rate)


def _blended(graph, net, h, share):
    """As the pixel shuffler gives the sum of h and linear interpolation, but B-spline interpolation by its share."""
    in_blocks = numpy.arange(net.in_channels).repeat(math.prod(net.sampling.rate))  # each LR voxel's, as h has them
    share = graph.add('Gather', share, in_blocks, axis=1)
    own = graph.add('Add', h, graph.interpolation(graph.inputs, net.in_channels, net.sampling, 'linear'))
    own = graph.add('Sub', own, graph.add('Mul', share, own))
    smooth = graph.add('Mul', graph.pixel_shuffle(share, net.sampling.rate), bspline(graph, graph.inputs, net.sampling))
    return graph.add('Add', graph.pixel_shuffle(own, net.sampling.rate), smooth)


def _espcn3d(graph, net, path=''):
    return _upscaled(graph, net, _convolved(graph, net, graph.inputs, path, ('conv1', 'conv2', 'conv3')))


def _deep(graph, net, path=''):
    h = _convolved(graph, net, graph.inputs, path, ('first',))
    for number, block in enumerate(net.blocks):
        h = graph.add('Add', h, _convolved(graph, block, h, f'{path}blocks/{number}/', ('conv1', 'conv2')))
    last = _convolved(graph, net, h, path, ('last',))
    if net.residual == BLENDED:
        balance = graph.add('Mul', _convolved(graph, net, h, path, ('balance',)), numpy.float32(SHARE_SCALE))
        return _blended(graph, net, last, graph.add('Sigmoid', balance))
    return _upscaled(graph, net, last)


def _point(of_mean):
    return lambda graph, net: {MEAN: of_mean(graph, net)}


def _gaussian(of_mean):
    """Of weights that are uncertain, the mean ones, as the network itself takes in use."""
    def build(graph, net):
        mean = of_mean(graph, net.mean, 'mean/')
        if isinstance(net.variance, ConstantVariance):
            variance = softplus(net.variance.b).array + numpy.float32(LEAST_VARIANCE)
            deviation = graph.add('Expand', numpy.sqrt(variance)[:, None, None, None], graph.add('Shape', mean))
        else:
            variance = graph.softplus(_espcn3d(graph, net.variance, 'variance/'))
            deviation = graph.add('Sqrt', graph.add('Add', variance, numpy.float32(LEAST_VARIANCE)))
        return {MEAN: mean, DEVIATION: deviation}

    return build


# class -> function of (graph, network) that gives the outputs, name -> value. A class derived from one of these may
# compute something else, and is another one.
BUILDERS = {ESPCN3D: _point(_espcn3d), DeepESPCN3D: _point(_deep), HeteroscedasticESPCN3D: _gaussian(_espcn3d),
            HeteroscedasticDeepESPCN3D: _gaussian(_deep), BayesianESPCN3D: _gaussian(_espcn3d)}


def onnx_model(net, config, lie, commit):
    """A network as an ONNX model.

    Its input ``lr``, (N, C, D, H, W), float32, takes LR volumes divided by their scale (`util.volumes.intensity`). Its
    outputs, (N, C, r_z*D, r_y*H, r_x*W), are to be multiplied by that: ``sr``, and ``deviation`` of a network that
    predicts a standard deviation. Of a network whose weights are uncertain it is the intrinsic one.

    The metadata say what else one must know, each as JSON: ``rate`` and ``offset`` (z, y, x), ``in_channels``,
    ``intensity_scaling``, ``degradation``, ``trained_on`` (how the training's volumes lie, as
    `util.volumes.orientation.Lie`; null: unknown), ``halo`` (LR voxels that tiles need around them), ``network`` and
    ``commit``, the project's.

    Args:
        net (~chainer.Chain): The network, with its weights, on the CPU.
        config (~util.config.Config): The experiment that it was trained in.
        lie (~util.volumes.orientation.Lie): As above, or None.
        commit (str): As above, or None.

    Returns:
        onnx.ModelProto: The weights are the network's, bit for bit, under their names in Chainer.

    Raises:
        UserError: If the network is none of :data:`BUILDERS`, or too large for such a file.
    """
    name = type(net).__name__
    if type(net) not in BUILDERS:
        raise UserError(f'{name} cannot be exported: there is no graph of it; there is one of '
                        f'{", ".join(known.__name__ for known in BUILDERS)} (util/export/networks.py)')
    graph = Graph(INPUT)
    outputs = BUILDERS[type(net)](graph, net)
    told = {'rate': net.sampling.rate, 'offset': net.sampling.offset, 'halo': net.halo, 'in_channels': net.in_channels,
            'intensity_scaling': config.intensity_scaling, 'degradation': config.degradation.model_dump(mode='json'),
            'trained_on': lie and lie._asdict(), 'network': name, 'commit': commit}
    return graph.model(net.in_channels, net.sampling.rate, outputs,
                       {key: json.dumps(value) for key, value in told.items()})
