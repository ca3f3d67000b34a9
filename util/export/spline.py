"""B-spline interpolation as a graph of ONNX, for volumes of any size."""
import numpy

TERMS = 30  # of the prefilter, to each side: each is 0.268 of the one before


def bspline(graph, x, sampling):
    """`util.volumes.interpolation` of LR volumes by an interpolating cubic B-spline: exact at any size, borders too.

    As there, an axis is one product with a matrix. The matrix depends on the size, and so is made in the graph: of the
    spline's values at the HR voxels, of the prefilter that gives its coefficients, and of which LR voxel lies where a
    mirrored volume goes on.

    Source of the prefilter, whose response is explicit here: M. Unser, "Splines: a perfect fit for signal and image
    processing", IEEE Signal Processing Magazine 1999, box 2.

    Args:
        graph (~util.export.graph.Graph): Written to.
        x (str): (N, C, D, H, W).
        sampling (~util.volumes.sampling.Sampling): Where LR voxels lie among HR voxels.

    Returns:
        str: (N, C, r_z*D, r_y*H, r_x*W).
    """
    size = graph.add('Shape', x, start=2)
    along_z, along_y, along_x = (_matrix(graph, graph.add('Gather', size, axis), r, offset)
                                 for axis, (r, offset) in enumerate(zip(sampling.rate, sampling.offset)))
    rows = graph.add('MatMul', x, graph.add('Transpose', along_x, perm=(1, 0)))
    planes = graph.add('MatMul', along_y, rows)
    z_before_x = (0, 1, 3, 2, 4)  # and back
    volume = graph.add('MatMul', along_z, graph.add('Transpose', planes, perm=z_before_x))
    return graph.add('Transpose', volume, perm=z_before_x)


def _matrix(graph, n, rate, offset):
    """(rate * n, n), of an axis of n LR voxels, a value of the graph."""
    from onnx import TensorProto  # here, since it is optional

    def integers(first, end):
        return graph.add('Range', numpy.int64(first), graph.add('Add', n, numpy.int64(end)), numpy.int64(1))

    def column(values):
        return graph.add('Unsqueeze', values, numpy.array([1]))

    def real(values):
        return graph.add('Cast', values, to=TensorProto.FLOAT)

    # In HR voxels all are multiples of a half: divided by a rate such as 3, places far from the first would be rounded.
    last = graph.add('Mul', real(graph.add('Sub', n, numpy.int64(1))), numpy.float32(rate))
    hr = real(graph.add('Range', numpy.int64(0), graph.add('Mul', n, numpy.int64(rate)), numpy.int64(1)))
    places = graph.add('Sub', hr, numpy.float32(offset))
    places = graph.add('Min', graph.add('Relu', places), last)  # what lies outside is the edge

    knots, lr = integers(-1, 1), integers(-1 - TERMS, 1 + TERMS)
    knots_in_hr = graph.add('Mul', real(knots), numpy.float32(rate))
    distances = graph.add('Div', graph.add('Abs', graph.add('Sub', column(places), knots_in_hr)), numpy.float32(rate))
    values = graph.add('Div', graph.add('Sub', _cubed_below(graph, 2, distances),
                                        graph.add('Mul', numpy.float32(4), _cubed_below(graph, 1, distances))),
                       numpy.float32(6))
    pole = 3 ** 0.5 - 2
    response = numpy.append(-6 * pole / (1 - pole ** 2) * pole ** numpy.arange(TERMS + 1), 0).astype(numpy.float32)
    steps = graph.add('Abs', graph.add('Sub', column(knots), lr))
    prefilter = graph.add('Gather', response, graph.add('Min', steps, numpy.int64(TERMS + 1)))

    period = graph.add('Max', graph.add('Mul', graph.add('Sub', n, numpy.int64(1)), numpy.int64(2)), numpy.int64(1))
    within = graph.add('Mod', graph.add('Abs', lr), period)
    mirrored = graph.add('Min', within, graph.add('Sub', period, within))
    found = real(graph.add('Equal', column(mirrored), integers(0, 0)))
    return graph.add('MatMul', graph.add('MatMul', values, prefilter), found)


def _cubed_below(graph, end, distances):
    """(end - distance)^3, and 0 beyond the end."""
    below = graph.add('Relu', graph.add('Sub', numpy.float32(end), distances))
    return graph.add('Mul', below, graph.add('Mul', below, below))
