import gc
import random
import sys
import threading

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
    arrays = [reused_memory.empty((1 << 26,), 'uint8') for _ in range(300)]
    del arrays
    gc.collect()
    assert 1 << 26 <= sum(m.nbytes for m in reused_memory._idle) <= 1 << 28


def test_the_garbage_collector_may_release_arrays_at_any_line(monkeypatch):
    """As it does with arrays in reference cycles, even in lines of this module, where the lock may be held."""
    errors, sound = [], []
    monkeypatch.setattr(sys, 'unraisablehook', errors.append)  # where errors of __del__ go
    monkeypatch.setattr(reused_memory, '_MOST_IDLE', 1 << 23)  # so small that memory is given up all the time
    dice = random.Random(0)
    sizes = 1 << 18, 1 << 19, 3 << 18
    spare = [reused_memory.empty((dice.choice(sizes),), 'float32') for _ in range(300)]

    def release_one(frame, event, arg):
        if frame.f_code.co_filename != reused_memory.__file__:
            return None
        if event == 'line' and spare and dice.random() < 0.05:
            spare.pop()
        return release_one

    def work():
        sys.settrace(release_one)  # for this thread
        while spare:
            arrays = [reused_memory.empty((size,), 'float32') for size in sizes + sizes]
            for number, array in enumerate(arrays):
                array[::1 << 10] = number
            sound.append(all((array[::1 << 10] == number).all() and array.base._memory.nbytes == array.nbytes
                             for number, array in enumerate(arrays)))
            del arrays, array

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(60)
    assert not thread.is_alive(), 'it waits for the lock that it holds'
    assert not errors
    assert len(sound) > 3 and all(sound)
    assert len({id(memory) for memory in reused_memory._idle}) == len(reused_memory._idle)  # each is idle once
