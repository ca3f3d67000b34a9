"""The network as an ONNX graph, in ONNX Runtime and in OpenVINO, as `benchmarks.implementations` asks for it.

Each runs on the CPU, in float32, on graphs of fixed size: both are faster with these than with free sizes.
"""
import numpy

from benchmarks.cases import make_arrays


def graph(weights, rate, size):
    """The network for LR arrays of one size.

    Args:
        weights (list): (W, b) of each layer, float32: W (C_out, C_in, k, k, k) and b (C_out,).
        rate (int): HR voxels per LR voxel along each axis.
        size ((int, int, int)): LR voxels, (z, y, x).

    Returns:
        bytes: A serialized ONNX model. Its input ``lr`` is (1, 1, z, y, x), its output ``sr`` (1, 1, r*z, r*y, r*x),
        both float32.
    """
    from onnx.tools.update_model_dims import update_inputs_outputs_dims
    from util.export.graph import Graph

    net, last = Graph('lr'), 'lr'
    for number, (W, b) in enumerate(weights, 1):
        last = net.convolution(last, f'conv{number}', W, b, relu=number < len(weights))
    model = net.model(1, (rate,) * 3, {'sr': net.pixel_shuffle(last, (rate,) * 3)}, {})
    hr_size = [rate * side for side in size]
    return update_inputs_outputs_dims(model, {'lr': [1, 1, *size]}, {'sr': [1, 1, *hr_size]}).SerializeToString()


def _onnxruntime(model):
    import onnxruntime
    session = onnxruntime.InferenceSession(model, providers=['CPUExecutionProvider'])
    return lambda lr: session.run(None, {'lr': lr})[0]


def _openvino(model):
    import openvino
    core = openvino.Core()
    # One volume as soon as possible, on all cores; and float32 where OpenVINO would take bfloat16, if the CPU has it.
    compiled = core.compile_model(core.read_model(model), 'CPU',
                                  {'PERFORMANCE_HINT': 'LATENCY', 'INFERENCE_PRECISION_HINT': 'f32'})
    request = compiled.create_infer_request()
    return lambda lr: request.infer({0: lr}, share_inputs=True, share_outputs=True)[0]


RUNTIMES = {'onnxruntime': _onnxruntime, 'openvino': _openvino}


def prepare(case, gpu, runtime, tiles):
    """A whole volume through the graph.

    Args:
        case (Case): A whole volume.
        gpu (int): Negative: these run on the CPU.
        runtime (str): A name of :data:`RUNTIMES`.
        tiles (bool): Run it tile by tile, on this project's tiles, instead of as a whole.

    Returns:
        callable: The step.
    """
    start, (lr, _, weights) = RUNTIMES[runtime], make_arrays(case)
    if not tiles:
        run = start(graph(weights, case.rate, case.size))
        return lambda: run(lr)

    import util  # noqa: F401
    from models.espcn3d import ESPCN3D
    from util.inference.tiling import choose_tile, tiled
    from util.volumes.sampling import Sampling

    net, started = ESPCN3D(Sampling(case.rate)), {}

    def forward(part):
        size = part.shape[-3:]
        if size not in started:
            started[size] = start(graph(weights, case.rate, size))
        return {'sr': started[size](numpy.ascontiguousarray(part))}

    tile = choose_tile(case.size, net)
    return lambda: tiled(forward, lr, net.sampling.rate, net.halo, tile)['sr']
