"""What the stand-in runs of CUDA C++, and the mistakes in kernels that it shows."""
import numpy
import pytest

from tests.strict_cupy import kernels, modules
from tests.strict_cupy.arrays import array, empty

CODE = '''
extern "C" __global__ void places(float *y) {
    const int block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
    const int thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
    const int i = block * blockDim.x * blockDim.y * blockDim.z + thread;
    y[i] = i;
}

extern "C" __global__ void numbers(float *y, int a, long long b, float c, const float *x) {
    y[0] = a + b + c + (x ? x[0] : SCALE);
}

extern "C" __global__ void shift(const float *x, float *y, int from, int to) {
    const int i = threadIdx.x;
    y[i + to] = x[i + from];
}

extern "C" __global__ void add(const float *x, float *y, int from, int to) {
    const int i = threadIdx.x;
    y[i + to] += i < 4 ? x[i + from] : 1;
}

// Each thread reads what another one wrote, and then overwrites what another one reads.
template <bool FIRST, bool SECOND>
__device__ void turn(const float *x, float *y) {
    __shared__ float all[8];
    const int i = threadIdx.x, at = 8 * blockIdx.x + i;
    all[i] = x[at];
    if (FIRST)
        __syncthreads();
    const float other = all[7 - i];
    if (SECOND)
        __syncthreads();
    all[i] = -1;
    y[at] = other;
}

extern "C" __global__ void turn_all(const float *x, float *y) { turn<true, true>(x, y); }
extern "C" __global__ void turn_too_early(const float *x, float *y) { turn<false, true>(x, y); }
extern "C" __global__ void turn_too_late(const float *x, float *y) { turn<true, false>(x, y); }

extern "C" __global__ void hand_down(const float *x, float *y) {
    __shared__ float one;
    if (threadIdx.x == 0)
        one = x[0];
    y[blockIdx.x * blockDim.x + threadIdx.x] = one;
}

extern "C" __global__ void left_over(float *y) {
    __shared__ float one;
    if (blockIdx.x == 0)
        one = 1;
    y[blockIdx.x] = one;
}

extern "C" __global__ void some_wait(float *y) {
    if (threadIdx.x < 3)
        __syncthreads();
    else
        y[0] = 1;
}

extern "C" __global__ void wait_apart(float *y) {
    if (threadIdx.x < 3)
        __syncthreads();
    else
        __syncthreads();
}
'''
X = numpy.arange(16, dtype=numpy.float32)
INT = numpy.int32


@pytest.fixture(scope='module')
def module():
    if kernels.why_not():
        pytest.skip(kernels.why_not())
    return kernels.RawModule(code=CODE, options=('-std=c++17', '-DSCALE=0.5f'))


@pytest.fixture
def run(module):
    """Runs a kernel whose last array is y; returns that."""
    def call(name, grid, block, *args):
        module.get_function(name)(grid, block, args)
        return next(a for a in reversed(args) if not isinstance(a, (int, float, numpy.generic))).get()
    return call


def test_each_thread_of_a_grid_knows_its_place(run):
    numpy.testing.assert_array_equal(run('places', (3, 2, 2), (4, 3, 2), empty(288, 'float32')), numpy.arange(288))


def test_arguments_are_of_the_parameters_types(run):
    y, x = empty(1, 'float32'), array(X[3:])
    right = y, INT(1), 1 << 20, numpy.float32(0.25), 0
    assert run('numbers', (1,), (1,), *right) == (1 << 20) + 1.75
    run('numbers', (1,), (1,), *right[:-1], x)
    assert y.get() == (1 << 20) + 4.25
    for i, wrong in [(0, X[:1]), (0, array(X.astype(float))), (0, 1), (1, 1), (1, numpy.int64(1)), (1, x), (2, INT(1)),
                     (2, True), (2, 1.0), (3, 0.25), (3, numpy.float64(1)), (3, 1), (4, None), (4, 1), (4, X)]:
        args = [*right[:i], wrong, *right[i + 1:]]
        with pytest.raises(TypeError, match=f'parameter {i}'):
            run('numbers', (1,), (1,), *args)
    with pytest.raises(TypeError, match='4 arguments for 5'):
        run('numbers', (1,), (1,), *right[:-1])
    with modules.Device(1), pytest.raises(ValueError, match='device 0'):
        run('numbers', (1,), (1,), *right)


def test_a_grid_that_no_gpu_takes_is_refused(run):
    for grid, block in [((1, 65536), (1,)), ((1, 1, 65536), (1,)), ((1,), (1025,)), ((1,), (32, 32, 2)), ((0,), (1,))]:
        with pytest.raises(ValueError, match='no GPU'):
            run('places', grid, block, empty(1, 'float32'))


def test_views_are_read_and_written_where_they_are(run):
    """A pointer is that of the first element, wherever in its memory that is."""
    whole, x = array(X), array(X)[::-1]
    run('shift', (1,), (4,), x, whole[4:9], INT(-3), INT(1))
    numpy.testing.assert_array_equal(whole.get(), [0, 1, 2, 3, 4, 12, 13, 14, 15, *range(9, 16)])


def test_what_is_outside_an_array_is_nan_and_not_to_be_written(run):
    """Also where other elements of the same memory are there."""
    whole = array(X)
    y = run('shift', (1,), (8,), whole[4:8], empty(8, 'float32'), INT(-2), INT(0))
    numpy.testing.assert_array_equal(y, [numpy.nan] * 2 + [4, 5, 6, 7] + [numpy.nan] * 2)
    for to in (-1, 1):
        with pytest.raises(RuntimeError, match='outside'):
            run('shift', (1,), (8,), whole, empty(10, 'float32')[1:-1], INT(0), INT(to))
    for name in ('shift', 'add'):  # what is read there is written there
        with pytest.raises(RuntimeError, match='outside'):
            run(name, (1,), (8,), whole[:4], empty(4, 'float32'), INT(0), INT(0))
    assert numpy.isnan(run('shift', (1,), (4,), whole, empty(8, 'float32'), INT(0), INT(0))[4:]).all()
    with pytest.raises(NotImplementedError, match='in place'):
        run('shift', (1,), (8,), whole[:8], whole[7:], INT(0), INT(0))


def test_a_missing_barrier_shows(run):
    expected = X.reshape(2, 8)[:, ::-1].ravel()
    numpy.testing.assert_array_equal(run('turn_all', (2,), (8,), array(X), empty(16, 'float32')), expected)
    for name in ('turn_too_early', 'turn_too_late'):
        assert (run(name, (2,), (8,), array(X), empty(16, 'float32')) != expected).any()
    assert numpy.isnan(run('hand_down', (2,), (8,), array(X[3:]), empty(16, 'float32'))).any()


def test_shared_memory_is_not_that_of_the_block_before(run):
    numpy.testing.assert_array_equal(run('left_over', (2,), (1,), empty(2, 'float32')), [1, numpy.nan])


@pytest.mark.parametrize('name', ['some_wait', 'wait_apart'])
def test_a_barrier_that_not_all_threads_come_to_is_told(run, name):
    for _ in range(2):
        with pytest.raises(RuntimeError, match='different barriers'):
            run(name, (1,), (8,), empty(1, 'float32'))


def test_what_does_not_compile_says_why(module):
    with pytest.raises(RuntimeError, match=r'kernel:2.*no_such_thing'):
        kernels.RawModule(code='\nextern "C" __global__ void one(float *y) { no_such_thing(y); }',
                          options=('-std=c++17',))
    with pytest.raises(RuntimeError, match='type that the stand-in does not know'):
        kernels.RawModule(code='extern "C" __global__ void one(double x) {}', options=('-std=c++17',))
