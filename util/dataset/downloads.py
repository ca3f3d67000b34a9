"""Several files from the web at a time."""
import collections
import contextlib
import queue
import threading
from typing import NamedTuple

from util.dataset.download import download
from util.script import UserError

AT_ONCE = 4  # what a public server bears from one user


class Event(NamedTuple):
    """What is new of a file."""
    file: object
    have: int                    # bytes that are there
    fetched: bool | None = None  # at the end: whether it came now, or was there; None before, and if it failed
    failure: str | None = None   # at the end: why it could not be had


def download_all(base, files, folder, **settings):
    """Have files on the disk; one that cannot be had does not keep the others from it.

    Args:
        base (str): What stands before the files' names in their URLs.
        files (list of ~util.dataset.ds000001.RawFile): What is wanted.
        folder (Path): Where they go, under their names.
        settings: As of `util.dataset.download.download`.

    Yields:
        Event: Of each file any number, and one at its end.
    """
    waiting, events = collections.deque(files), queue.SimpleQueue()

    def work():
        with contextlib.suppress(IndexError):  # when none is waiting any more
            while True:
                _have_one(base, waiting.popleft(), folder, events.put, settings)

    for _ in range(min(AT_ONCE, len(files))):
        # Daemons, so that Ctrl-C need not wait until a silent server's time is up; what has come is on the disk.
        threading.Thread(target=work, daemon=True).start()
    left = len(files)
    while left:
        event = events.get()
        if isinstance(event, Exception):
            raise event
        left -= event.fetched is not None or event.failure is not None
        yield event


def _have_one(base, file, folder, put, settings):
    have = 0

    def tell(count):
        nonlocal have
        have = count
        put(Event(file, have))

    try:
        fetched = download(base + file.name, folder / file.name, file.size, file.md5, tell, **settings)
        put(Event(file, have, fetched))
    except UserError as error:
        put(Event(file, have, failure=str(error)))
    except OSError as error:
        put(Event(file, have, failure=f'{error.filename or folder / file.name}: cannot be read or written: '
                                      f'{error.strerror or error}'))
    except Exception as error:  # a mistake, which is to be seen in the main thread, and not to be waited for
        put(error)
