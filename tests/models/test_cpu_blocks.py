"""The pool of threads: every block once, sums that repeat, errors, forks, scratch memory, and BLAS's threads."""
import collections
import os
import random
import subprocess
import sys
import threading
import time

import numpy
import pytest
import threadpoolctl

from models.cpu_blocks import Scratch, Workers
from util.script import PROJECT

needs_fork = pytest.mark.skipif(not hasattr(os, 'fork'), reason='this system has no os.fork')


def blas_threads():
    """Number of threads of each BLAS in the process."""
    blas = threadpoolctl.ThreadpoolController().select(user_api='blas')
    return [library['num_threads'] for library in blas.info()]


needs_blas = pytest.mark.skipif(not blas_threads(), reason='threadpoolctl finds no BLAS here, so nothing is limited')


@pytest.fixture(params=[1, 3], ids='threads={}'.format)
def pool(request):
    """A pool of that many threads, however many cores there are."""
    with threadpoolctl.threadpool_limits(request.param, 'blas'):
        workers = Workers()
        yield workers
        workers.stop()


class Broken(Exception):
    pass


def in_a_fresh_interpreter(code, **environment):
    """What it prints; environment variables of the caller that set numbers of threads do not count."""
    inherited = {name: value for name, value in os.environ.items() if not name.endswith('_NUM_THREADS')}
    return subprocess.run([sys.executable, '-c', code], cwd=PROJECT, env={**inherited, **environment}, check=True,
                          stdout=subprocess.PIPE, text=True, timeout=300).stdout.split()


@pytest.mark.parametrize('more', [-1, 0, 1, 40])
def test_every_block_is_done_exactly_once(pool, more):
    blocks = [f'block {i}' for i in range(pool.count + more)]
    done = collections.Counter()
    lock = threading.Lock()

    def task(block, scratch):
        time.sleep(1e-4)  # so that threads change places between blocks
        with lock:
            done[block] += 1

    pool.run(task, blocks)
    assert done == dict.fromkeys(blocks, 1)


def test_as_many_blocks_as_threads_run_at_once_with_scratch_memory_of_their_own(pool):
    together = threading.Barrier(pool.count)
    scratches = []

    def task(block, scratch):
        together.wait(60)
        scratches.append(scratch)

    pool.run(task, range(pool.count))
    assert len({id(scratch) for scratch in scratches}) == pool.count


def test_callers_wait_for_each_other(pool):
    """Scratch memory is that of one call at a time."""
    inside, most = [], []

    def task(block, scratch):
        inside.append(block)
        time.sleep(1e-3)
        most.append(len({caller for caller, _ in inside}))
        inside.remove(block)

    callers = [threading.Thread(target=pool.run, args=(task, [(i, k) for k in range(5)])) for i in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert most == [1] * 20


@pytest.mark.parametrize('blocks', [1, 2, 3, 20])
def test_sum_is_numpys_sum_of_the_parts(pool, blocks):
    """Of whole numbers, so that the order of the additions does not matter."""
    parts = numpy.random.default_rng(0).integers(-1000, 1000, (blocks, 4, 5)).astype('float32')

    def task(block, scratch, total):
        total += parts[block]

    total = pool.sum(task, range(blocks), (4, 5), 'float32')
    assert total.dtype == numpy.float32
    numpy.testing.assert_array_equal(total, parts.sum(axis=0))
    pool.sum(lambda block, scratch, total: total.fill(7), range(blocks), (4, 5), 'float32')
    numpy.testing.assert_array_equal(total, parts.sum(axis=0))


def test_sum_gives_the_same_bits_whichever_thread_is_faster(pool):
    parts = numpy.random.default_rng(0).standard_normal((30, 100)).astype('float32')
    # The test means something only if the order of the additions shows in the bits.
    assert (parts.cumsum(axis=0)[-1] != parts[::-1].cumsum(axis=0)[-1]).any()

    def task(block, scratch, total):
        time.sleep(random.uniform(0, 2e-3))
        total += parts[block]

    totals = [pool.sum(task, range(30), parts[0].shape, 'float32') for _ in range(6)]
    for total in totals[1:]:
        numpy.testing.assert_array_equal(total, totals[0])


def works(pool):
    done = []
    pool.run(lambda block, scratch: done.append(block), range(20))
    return sorted(done) == list(range(20))


@pytest.mark.parametrize('method, more', [('run', ()), ('sum', ((3,), 'float32'))])
def test_an_error_of_a_task_reaches_the_caller_and_the_pool_goes_on(pool, method, more):
    error = Broken('block 5')

    def task(block, scratch, total=None):
        if block == 5:
            raise error

    for _ in range(3):
        with pytest.raises(Broken) as caught:
            getattr(pool, method)(task, range(20), *more)
        assert caught.value is error
    assert works(pool)


@pytest.mark.parametrize('where', ['caller', 'pool'])
def test_an_error_in_any_thread_reaches_the_caller_after_all_threads_are_through(pool, where):
    if where == 'pool' and pool.count == 1:
        pytest.skip('the only thread is that of the caller')
    caller = threading.current_thread()
    together = threading.Barrier(pool.count)
    raised, through = [], []

    def task(block, scratch):
        together.wait(60)  # so that each thread takes one block
        if (threading.current_thread() is caller) == (where == 'caller'):
            raised.append(block)
            raise Broken(where)
        time.sleep(0.05)
        through.append(block)

    with pytest.raises(Broken, match=where):
        pool.run(task, range(pool.count))
    assert sorted(raised + through) == list(range(pool.count))
    assert works(pool)


@needs_blas
@needs_fork
def test_a_forked_child_convolves_as_its_parent():
    """The pool's threads stay with the parent: a child that waited for them would hang, which the alarm ends."""
    code = '''
import os, signal, numpy, threadpoolctl
limits = threadpoolctl.threadpool_limits(3, 'blas')
from models.convolution_3d import convolution_3d
from models.cpu_blocks import workers
r = numpy.random.default_rng(0)
x, W = (r.standard_normal(s).astype('f') for s in ((2, 16, 9, 10, 11), (24, 16, 3, 3, 3)))
expected = convolution_3d(x, W).array
def right():
    return numpy.allclose(convolution_3d(x, W).array, expected, atol=1e-4)
child = os.fork()
if child == 0:
    signal.alarm(60)
    first, count = right(), workers.count
    workers.stop()
    os._exit(0 if first and count == 1 and workers.count == 3 and right() else 1)
print(os.waitpid(child, 0)[1], right(), workers.count)
'''
    assert in_a_fresh_interpreter(code) == ['0', 'True', '3']


@pytest.mark.parametrize('dtype', ['float32', 'float64', 'int16'])
@pytest.mark.parametrize('shape', [(), (7,), (0, 3), (2, 3, 4)])
def test_scratch_memory_has_the_shape_and_dtype_asked_for(shape, dtype):
    a = Scratch().get('a', shape, dtype)
    assert a.shape == shape and a.dtype == dtype and a.flags.c_contiguous and a.flags.writeable


def test_scratch_memory_is_used_again_and_grows():
    scratch = Scratch()
    small = scratch.get('a', (10,), 'float32')
    assert not numpy.shares_memory(small, scratch.get('b', (10,), 'float32'))
    assert numpy.shares_memory(small, scratch.get('a', (5, 1), 'float64'))  # as many bytes
    large = scratch.get('a', (11,), 'float32')
    assert not numpy.shares_memory(small, large)
    again = scratch.get('a', (2, 2), 'float32')
    assert again.ctypes.data == large.ctypes.data  # and it does not shrink
    small[...], large[...] = 1, 2
    assert small.tolist() == [1] * 10 and again.tolist() == [[2, 2], [2, 2]]


@needs_blas
@pytest.mark.parametrize('count', [1, 2, 5])
def test_a_callers_limit_of_threads_sets_the_number_of_threads(count):
    code = 'import threadpoolctl; from models.cpu_blocks import workers\n'
    assert in_a_fresh_interpreter(
        code + f'with threadpoolctl.threadpool_limits({count}, "blas"): print(workers.count)') == [str(count)]


@needs_blas
def test_there_are_as_many_threads_as_the_environment_lets_blas_have():
    code = ('import numpy, threadpoolctl; from models.cpu_blocks import workers\n'
            'info = threadpoolctl.ThreadpoolController().select(user_api="blas").info()\n'
            'print(max(i["num_threads"] for i in info), workers.count)')
    by_itself = in_a_fresh_interpreter(code)
    assert by_itself[0] == by_itself[1]
    limited = dict.fromkeys(('OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS', 'BLIS_NUM_THREADS'), '1')
    assert in_a_fresh_interpreter(code, **limited) == ['1', '1']


def pool_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith('convolution')]


@needs_blas
def test_stop_gives_blas_its_threads_back_and_ends_those_of_the_pool():
    with threadpoolctl.threadpool_limits(3, 'blas'):
        others, before = len(pool_threads()), blas_threads()
        assert set(before) == {3}
        workers = Workers()
        workers.stop()  # nothing has started, so nothing happens
        assert blas_threads() == before
        together = threading.Barrier(3)
        for _ in range(2):  # the second time it starts anew
            workers.run(lambda block, scratch: together.wait(60), range(3))
            assert set(blas_threads()) == {1} and len(pool_threads()) == others + 2
            workers.stop()
            assert blas_threads() == before and len(pool_threads()) == others
        workers.stop()
        assert blas_threads() == before


@needs_blas
def test_blas_keeps_to_one_thread_from_the_first_convolution_until_stop():
    """As the docstring of Convolution3D says; the results before and after are the same."""
    out = in_a_fresh_interpreter('''
import numpy, threadpoolctl
from models.convolution_3d import convolution_3d
from models.cpu_blocks import workers
def blas():
    return {i['num_threads'] for i in threadpoolctl.ThreadpoolController().select(user_api='blas').info()}
x, W = (numpy.random.default_rng(0).standard_normal(s) for s in ((2, 8, 9, 8, 7), (8, 8, 3, 3, 3)))
with threadpoolctl.threadpool_limits(2, 'blas'):
    print(*blas())
    first = convolution_3d(x, W).array
    print(*blas())
    workers.stop()
    print(*blas())
    print((convolution_3d(x, W).array == first).all())
    print(*blas())
''')
    assert out == ['2', '1', '2', 'True', '1']
