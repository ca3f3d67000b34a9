"""convolution_3d against F.convolution_nd, numerical gradients, and itself in other batches, threads and graphs."""
import threading

import chainer
import chainer.functions as F
import chainer.links as L
import numpy
import pytest
from chainer import gradient_check

from models import gather_3d
from models.convolution_3d import Convolution3D, convolution_3d

# (batch, in, out, (depth, height, width), kernel): both ways of computing, sizes that no tile or vector divides,
# volumes one voxel thin along each axis, and kernels that reach beyond the whole volume.
CASES = [
    (2, 100, 64, (8, 8, 8), 3),
    (3, 17, 33, (5, 9, 7), 3),
    (1, 16, 16, (3, 3, 3), 3),
    (2, 18, 23, (13, 6, 21), 3),
    (1, 20, 24, (4, 30, 33), 3),
    (1, 32, 16, (9, 4, 1), 3),
    (1, 32, 16, (1, 9, 5), 3),
    (1, 32, 16, (7, 1, 5), 3),
    (2, 1, 50, (6, 7, 5), 3),
    (2, 3, 4, (1, 6, 5), 3),
    (2, 50, 21, (4, 3, 5), 1),
    (2, 17, 9, (5, 9, 7), 5),
    (1, 16, 5, (3, 3, 3), 5),
    (1, 4, 20, (13, 6, 33), 5),
    (2, 3, 5, (6, 4, 5), 5),
    (1, 9, 5, (2, 40, 30), 5),  # a plane in several slabs
    (1, 2, 3, (1, 1, 1), 5),
    (2, 3, 2, (5, 6, 4), (1, 3, 5)),
]
TOLERANCE = {'float32': 1e-5, 'float64': 1e-13}


def make(case, dtype='float32', seed=0):
    """x, W, b and gy with the statistics of a network: rectified inputs, weights of He's scale."""
    n, channels_in, channels_out, size, k = case
    k = (k,) * 3 if isinstance(k, int) else k
    r = numpy.random.default_rng(seed)
    x = numpy.maximum(r.standard_normal((n, channels_in) + size), 0)
    W = r.standard_normal((channels_out, channels_in) + k) * numpy.sqrt(2 / (channels_in * numpy.prod(k)))
    b = r.standard_normal(channels_out)
    gy = r.standard_normal((n, channels_out) + size)
    return [a.astype(dtype) for a in (x, W, b, gy)]


def run(function, x, W, b, gy):
    """y and the gradients of x, W and b."""
    variables = [chainer.Variable(a) for a in (x, W, b)]
    y = function(*variables)
    y.grad = gy
    y.backward()
    return [y.array] + [v.grad for v in variables]


def stock(x, W, b):
    return F.convolution_nd(x, W, b, pad=tuple(k // 2 for k in W.shape[2:]))


def distance(a, b):
    return numpy.linalg.norm(a - b) / max(numpy.linalg.norm(b), 1e-30)


@pytest.mark.parametrize('dtype', TOLERANCE)
@pytest.mark.parametrize('case', CASES, ids=str)
def test_output_and_gradients_equal_stock_convolution(case, dtype):
    arrays = make(case, dtype)
    for ours, theirs in zip(run(convolution_3d, *arrays), run(stock, *arrays), strict=True):
        assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
        assert distance(ours, theirs) < TOLERANCE[dtype]


@pytest.mark.parametrize('case', [(2, 18, 23, (5, 6, 7), 3), (2, 1, 5, (5, 6, 7), 3), (2, 5, 9, (5, 6, 7), 1)], ids=str)
def test_rectified_output_and_gradients_equal_stock_ones(case):
    arrays = make(case)
    ours = run(lambda x, W, b: convolution_3d(x, W, b, relu=True), *arrays)
    for a, b in zip(ours, run(lambda x, W, b: F.relu(stock(x, W, b)), *arrays), strict=True):
        assert distance(a, b) < TOLERANCE['float32']


@pytest.mark.parametrize('case', [(2, 16, 17, (4, 3, 5), 3), (2, 2, 3, (3, 2, 4), 3), (1, 2, 3, (2, 3, 1), 1),
                                  (1, 4, 5, (3, 4, 3), 5)], ids=str)
def test_gradients_equal_numerical_ones(case):
    x, W, b, gy = make(case, 'float64')
    gradient_check.check_backward(convolution_3d, (x, W, b), gy, dtype='d', atol=1e-4, rtol=1e-4)
    gradient_check.check_backward(convolution_3d, (x, W), gy, dtype='d', atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize('case', [(1, 16, 17, (3, 4, 3), 3), (2, 2, 3, (3, 2, 4), 3)], ids=str)
def test_gradients_of_gradients_equal_numerical_ones(case):
    x, W, b, gy = make(case, 'float64')
    again = [numpy.random.default_rng(i).standard_normal(a.shape) for i, a in enumerate((x, W, b))]
    gradient_check.check_double_backward(convolution_3d, (x, W, b), gy, again, dtype='d', atol=1e-3, rtol=1e-3)

    def rectified(*args):
        return convolution_3d(*args, relu=True)

    b += 5  # away from the kink, where numerical gradients mean nothing
    gradient_check.check_double_backward(rectified, (x, W, b), gy, again, dtype='d', atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize('past', [False, True])
@pytest.mark.parametrize('seen', [False, True])
def test_gradients_through_rectified_convolutions_equal_stock_ones(past, seen):
    """First and second ones; a convolution's gradient is rectified where it is made, or later if it is one of two.

    Where somebody holds the rectified output, its own gradient is asked for as well: that is not rectified.
    """
    r = numpy.random.default_rng(0)
    shapes = (2, 3, 5, 4, 6), (6, 3, 3, 3, 3), (6,), (5, 6, 3, 3, 3), (4, 5, 1, 1, 1)
    arrays = [r.standard_normal(shape) for shape in shapes]

    def rectified(*arguments):
        return convolution_3d(*arguments, relu=True)

    def gradients(convolve, convolve_and_rectify):
        x, W_1, b, W_2, W_3 = variables = [chainer.Variable(a) for a in arrays]
        h = convolve_and_rectify(x, W_1, b)
        y = convolve(convolve_and_rectify(h, W_2, None), W_3, None)
        loss = F.sum(y * y) + F.sum(h) if past else F.sum(y * y)
        if seen:
            variables.append(h)
        del h
        first = chainer.grad([loss], variables, enable_double_backprop=True)
        second = chainer.grad([sum(F.sum(g * g) for g in first)], variables)
        return [g.array for g in first + second]

    expected = gradients(stock, lambda *arguments: F.relu(stock(*arguments)))
    for ours, theirs in zip(gradients(convolution_3d, rectified), expected, strict=True):
        assert distance(ours, theirs) < TOLERANCE['float64']


def test_a_gradient_that_is_kept_is_that_of_the_rectified_output():
    """As Chainer's retain_grad keeps it: of the rectifier's output, not of its input."""
    r = numpy.random.default_rng(0)
    x, W_1, W_2 = (chainer.Variable(r.standard_normal(shape))
                   for shape in ((1, 2, 3, 4, 5), (4, 2, 3, 3, 3), (3, 4, 3, 3, 3)))
    kept = []
    for h, convolve in ((convolution_3d(x, W_1, relu=True), convolution_3d), (F.relu(stock(x, W_1, None)), stock)):
        y = convolve(h, W_2, None)
        F.sum(y * y).backward(retain_grad=True)
        kept.append(h.grad)
    assert distance(*kept) < TOLERANCE['float64'] and (kept[0][h.array == 0] != 0).any()


def test_inside_a_network_a_gradient_is_rectified_where_it_is_made(monkeypatch):
    """Once for each rectified convolution that feeds another one: this is what saves the time."""
    masked, convolve = [], gather_3d.convolve
    monkeypatch.setattr(gather_3d, 'convolve', lambda x, W, b, relu, mask: (
        masked.append(mask is not None), convolve(x, W, b, relu, mask))[1])
    r = numpy.random.default_rng(0)
    x, W_1, W_2, W_3 = (chainer.Variable(r.standard_normal(shape))
                        for shape in ((1, 2, 3, 4, 5), *((2, 2, 1, 1, 1),) * 3))
    y = convolution_3d(convolution_3d(convolution_3d(x, W_1, relu=True), W_2, relu=True), W_3)
    F.sum(y).backward()
    assert sum(masked) == 2


@pytest.mark.parametrize('case', [(5, 100, 64, (8, 8, 8), 3), (3, 1, 50, (8, 8, 8), 3)], ids=str)
def test_item_of_a_batch_equals_its_own_run(case):
    x, W, b, _ = make(case)
    whole = convolution_3d(x, W, b).array
    for i in range(len(x)):
        assert distance(convolution_3d(x[i:i + 1], W, b).array, whole[i:i + 1]) < 1e-6


def test_any_memory_layout_gives_the_same():
    x, W, b, gy = make((2, 18, 23, (5, 6, 7), 3))
    expected = run(convolution_3d, x, W, b, gy)
    last = [numpy.ascontiguousarray(a.transpose(0, 2, 3, 4, 1)).transpose(0, 4, 1, 2, 3) for a in (x, gy)]
    reverse = [a[::-1, ::-1].copy()[::-1, ::-1] for a in (x, gy)]
    for x_again, gy_again in (last, reverse):
        for a, b_ in zip(run(convolution_3d, x_again, W, b, gy_again), expected, strict=True):
            assert distance(a, b_) < 1e-6


def test_same_call_gives_the_same_bits():
    arrays = make((5, 100, 64, (8, 8, 8), 3))
    for a, b in zip(run(convolution_3d, *arrays), run(convolution_3d, *arrays), strict=True):
        numpy.testing.assert_array_equal(a, b)


def test_results_survive_later_calls():
    """Buffers are reused between calls; what a graph keeps is not among them."""
    first, second = make((2, 18, 23, (5, 6, 7), 3)), make((2, 18, 23, (5, 6, 7), 3), seed=1)
    kept = run(convolution_3d, *first)
    copies = [a.copy() for a in kept]
    variables = [chainer.Variable(a) for a in first[:3]]
    y = convolution_3d(*variables)
    run(convolution_3d, *second)
    y.grad = first[3]
    y.backward()
    for a, b in zip(kept, copies, strict=True):
        numpy.testing.assert_array_equal(a, b)
    for a, b in zip([v.grad for v in variables], copies[1:], strict=True):
        assert distance(a, b) < 1e-6


def test_threads_do_not_disturb_each_other():
    cases = [make((2, 18, 23, (5, 6, 7), 3), seed=i) for i in range(4)]
    expected = [run(convolution_3d, *c) for c in cases]
    results = [None] * 4

    def work(i):
        for _ in range(5):
            results[i] = run(convolution_3d, *cases[i])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for ours, theirs in zip(results, expected, strict=True):
        assert all(distance(a, b) < 1e-6 for a, b in zip(ours, theirs, strict=True))


def test_nan_stays_within_its_call():
    """Reused buffers hand nothing on: a diverged run does not spoil the next one."""
    x, W, b, gy = make((1, 18, 23, (8, 8, 5), 3))
    expected = run(convolution_3d, x, W, b, gy)
    with numpy.errstate(invalid='ignore'):
        size = (20, 20, 30)
        run(convolution_3d, numpy.full((1, 18) + size, numpy.nan, 'f'), W, b, numpy.ones((1, 23) + size, 'f'))
    for a, b_ in zip(run(convolution_3d, x, W, b, gy), expected, strict=True):
        numpy.testing.assert_array_equal(a, b_)


def test_link_holds_the_parameters_of_convolution_nd(tmp_path):
    theirs = L.ConvolutionND(3, 4, 6, 3, pad=1)
    ours = Convolution3D(4, 6, 3)
    assert {k: p.shape for k, p in ours.namedparams()} == {k: p.shape for k, p in theirs.namedparams()}
    chainer.serializers.save_npz(tmp_path / 'model.npz', theirs)
    chainer.serializers.load_npz(tmp_path / 'model.npz', ours)
    x = numpy.random.default_rng(0).standard_normal((2, 4, 5, 6, 7)).astype('f')
    assert distance(ours(x).array, theirs(x).array) < 1e-6
    assert Convolution3D(4, 6, 3, nobias=True).b is None


def test_half_precision_is_left_to_stock_convolution():
    x, W, b, _ = make((1, 2, 3, (4, 4, 4), 3), 'float16')
    y = convolution_3d(x, W, b).array
    assert y.dtype == numpy.float16
    numpy.testing.assert_array_equal(y, stock(x, W, b).array)


def test_wrong_shapes_say_what_is_wrong():
    x, W, b, _ = make((1, 2, 3, (4, 4, 4), 3))
    with pytest.raises(ValueError, match='same C_in'):
        convolution_3d(x[:, :1], W, b)
    with pytest.raises(ValueError, match='odd'):
        convolution_3d(x, W[..., :2], b)
    with pytest.raises(ValueError, match=r'\(2,\) must have the shape \(3,\)'):
        convolution_3d(x, W, b[:2])


@pytest.mark.gpu
@pytest.mark.parametrize('case', CASES, ids=str)
def test_gpu_equals_cpu(case):
    cupy = pytest.importorskip('cupy')
    arrays = make(case, 'float64')
    for use_cudnn in ('never', 'auto'):
        with chainer.using_config('use_cudnn', use_cudnn):
            results = run(convolution_3d, *[cupy.asarray(a) for a in arrays])
        for ours, theirs in zip(results, run(convolution_3d, *arrays), strict=True):
            assert distance(cupy.asnumpy(ours), theirs) < TOLERANCE['float64']


@pytest.mark.gpu
def test_second_gradients_on_a_gpu_equal_the_cpu_s(gpu):
    """Through the weights' mirroring, and through the rectifier."""
    def results(x, W, b, gy):
        x, W, b, gy = map(chainer.Variable, (x, W, b, gy))
        gx, gW = chainer.grad([convolution_3d(x, W, b, relu=True)], [x, W], [gy], enable_double_backprop=True)
        return [v.array for v in chainer.grad([F.sum(gx * gx) + F.sum(gW * gW)], [x, W, gy])]

    arrays = make((2, 3, 4, (5, 6, 4), 3), 'float64')
    for on_gpu, on_cpu in zip(results(*map(gpu.send, arrays)), results(*arrays), strict=True):
        assert distance(on_gpu.get(), on_cpu) < TOLERANCE['float64']
