"""Files that a kill leaves either as they were or complete."""
import contextlib
import os
import tempfile
from pathlib import Path


@contextlib.contextmanager
def replacing(path):
    """A temporary path beside ``path``, with its suffixes, that takes its place when the block ends well.

    Folders on the way are made. If the block raises, the temporary file goes and ``path`` stays as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f'.{path.stem}-', suffix=''.join(path.suffixes), dir=path.parent)
    os.close(handle)
    try:
        yield Path(temporary)
        # mkstemp lets nobody but the owner read; a result is an ordinary file.
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


def write_text(path, text):
    """Put a UTF-8 text file in place, whole or not at all; lines end in a line feed on every system."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding='utf-8', newline='\n')


def remove_strays(folder):
    """Remove temporary files that a kill left in a folder."""
    for path in folder.glob('.*-????????*'):
        path.unlink()
