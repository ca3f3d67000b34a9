"""One writer per folder: two runs into one folder would mix their results."""
import contextlib
from pathlib import Path

import filelock

from util.files import remove_strays
from util.script import UserError

_FILE = '.lock'


@contextlib.contextmanager
def locked(folder, instead='name another folder with -o'):
    """Keep other runs of this project out of a folder while the block runs; the folder is made if need be.

    The lock is the operating system's and goes with the process, however that ends. What killed runs left half written
    in the folder is removed.

    Args:
        folder (Path): Folder of results.
        instead (str): What to do rather than to wait for another run's end.

    Raises:
        UserError: If another run holds the folder.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / _FILE)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise UserError(f'{folder}: another run is writing into this folder; wait for its end, or '
                        f'{instead}') from None
    try:
        remove_strays(folder)
        yield
    finally:
        lock.release()
        with contextlib.suppress(OSError):  # what came to nothing leaves nothing
            if [path.name for path in folder.iterdir()] == [_FILE]:
                (folder / _FILE).unlink()
                folder.rmdir()
