"""Work on many items in several processes: what each says comes in the items' order, and a death costs one item alone.

`concurrent.futures` gives up all that is pending where a process dies, and does not tell which item it was about.
"""
import contextlib
import io
import multiprocessing
import os
import signal
import threading
import traceback
from collections import deque
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from typing import NamedTuple

from util.mpiexec import THREADS
from util.script import UserError, note, tell


class Died(NamedTuple):
    """In the place of a result: the process that was to give it is gone."""
    how: str  # words for a person


def results(prepare, argument, items, processes, threads):
    """What a function makes of each item, as it comes.

    The processes are new ones (spawn), not copies of this one. Close the generator if it is left early: that kills
    them, and what they were writing is left as a kill leaves it.

    Args:
        prepare (callable): Called once in each process with ``argument``; returns the function of an item. It is named
            in a module, and all that goes from process to process can be pickled.
        argument: Anything.
        items (list): Anything.
        processes (int): How many work at a time.
        threads (int): Threads of BLAS in each.

    Yields:
        (int, result): An item's number, and what the function returned; a :class:`Died` where its process did.

    Raises:
        UserError, OSError, MemoryError: What was raised in a process.
        RuntimeError: The same of other exceptions, with their traceback.
    """
    context, tasks = multiprocessing.get_context('spawn'), deque(enumerate(items))
    working, everyone, told = {}, [], _InOrder()  # connection -> (process, number of its item)

    def begin():
        connection, other = context.Pipe()
        process = context.Process(target=_work, args=(prepare, argument, other), daemon=True)
        with _environment(threads), _ctrl_c_waiting():  # both are inherited, and hold from the child's first moment
            process.start()
            everyone.append(process)
        other.close()
        give(connection, process)

    def give(connection, process):
        if not tasks:
            connection.close()  # which ends the process
            return
        number, item = tasks.popleft()
        working[connection] = process, number
        with contextlib.suppress(OSError):  # it is dead already, which is seen below
            connection.send(item)

    try:
        for _ in range(min(processes, len(items))):
            begin()
        while working:
            for connection in wait(list(working)):
                process, number = working.pop(connection)
                try:
                    result, text = connection.recv()
                except (EOFError, OSError):
                    process.join()
                    result, text = Died(_how(process.exitcode)), ''
                    if tasks:
                        begin()
                else:
                    if isinstance(result, Exception):
                        raise result
                    give(connection, process)
                told.add(number, text)
                yield number, result
    finally:
        # Not asked to end: the exception that a signal raises is lost where it falls into a __del__.
        for process in everyone:
            process.kill()
        for process in everyone:
            process.join()


class _InOrder:
    """Says what was said about items in the items' order."""

    def __init__(self):
        self._waiting, self._next = {}, 0

    def add(self, number, text):
        self._waiting[number] = text
        while self._next in self._waiting:
            repeat(self._waiting.pop(self._next))
            self._next += 1


def repeat(text):
    """Say here what another process has said."""
    for line in text.splitlines():
        if line.startswith('note: '):
            note(line.removeprefix('note: '))
        else:
            tell(line)


def _how(code):
    if code >= 0:
        return f'ended with exit code {code}'
    name = signal.Signals(-code).name if -code in list(signal.Signals) else f'signal {-code}'
    return f'was killed ({name})' + ', as the system does where memory is short' * (name == 'SIGKILL')


@contextlib.contextmanager
def _environment(threads):
    # Each BLAS reads one of these when it is loaded; `models.cpu_blocks` has as many threads as BLAS.
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, str(threads)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _ctrl_c_waiting():
    """Ctrl-C waits for the end of the block, and for ever in a process that is begun in it.

    A terminal sends it to all processes; it is for the first one to end the others.
    """
    if not hasattr(signal, 'pthread_sigmask'):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # a process of multiprocessing's, whose start would let Ctrl-C through again
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])


def _work(prepare, argument, connection):
    """The life of a process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where it is not waiting
    threading.Thread(target=_end_with_parent, daemon=True).start()
    function = None
    while True:
        try:
            item = connection.recv()
        except EOFError:
            return
        said = io.StringIO()
        try:
            with contextlib.redirect_stderr(said):
                function = function or prepare(argument)
                result = function(item)
        except (UserError, OSError, MemoryError) as error:
            result = error
        except Exception:
            result = RuntimeError(f'in a process of its own:\n{traceback.format_exc()}')
        connection.send((result, said.getvalue()))


def _end_with_parent():
    """Its lock on the folder of the results is gone as well."""
    wait([multiprocessing.parent_process().sentinel])
    os._exit(1)
