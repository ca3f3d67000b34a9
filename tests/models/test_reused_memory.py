import gc

import numpy

from models import reused_memory

SHAPE = (1 << 20, 3)


def address(a):
    return a.__array_interface__['data'][0]


def test_memory_is_used_again_only_when_the_last_view_has_gone():
    first = reused_memory.empty(SHAPE, 'float32')
    first[...] = 1
    where = address(first)
    view = first.reshape(-1)[7::2][1:].view(numpy.int32)
    del first
    second = reused_memory.empty(SHAPE, 'float32')
    second[...] = 2
    assert address(second) != where
    assert (view.view(numpy.float32) == 1).all()
    del view
    gc.collect()
    assert address(reused_memory.empty(SHAPE, 'float32')) == where


def test_arrays_are_like_those_of_numpy():
    for shape in (SHAPE, (2, 3), (0, 4)):
        a = reused_memory.empty(shape, 'float64')
        assert a.shape == shape and a.dtype == numpy.float64 and a.flags.c_contiguous and a.flags.writeable
        assert a.ctypes.data % 16 == 0


def test_idle_memory_is_bounded():
    arrays = [reused_memory.empty((1 << 26,), 'uint8') for _ in range(6)]
    del arrays
    gc.collect()
    assert sum(m.nbytes for m in reused_memory._idle) <= 1 << 28


def test_the_garbage_collector_may_release_arrays_at_any_moment():
    """Arrays in reference cycles are released wherever the collector runs, in this module's own lines too."""
    class Cycle:
        pass

    thresholds = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for _ in range(300):
            cycle = Cycle()
            cycle.itself, cycle.array = cycle, reused_memory.empty((1 << 18, 2), 'float64')
            del cycle
            arrays = [reused_memory.empty((1 << 17, side), 'float64') for side in (2, 3)]
            del arrays
    finally:
        gc.set_threshold(*thresholds)
    assert sum(m.nbytes for m in reused_memory._idle) <= 1 << 28
