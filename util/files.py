"""Files that a kill leaves either as they were or complete, and text files of bounded size."""
import contextlib
import errno
import hashlib
import os
import secrets
from pathlib import Path

from util.script import UserError

NAME = '3D-ESPCN'  # by which a file says what program it is of
UNFINISHED = '.unfinished-espcn-'  # how the name of a file that is being written begins


@contextlib.contextmanager
def replacing(path):
    """A temporary path beside ``path``, with its suffixes, that takes its place when the block ends well.

    Folders on the way are made. If the block raises, the temporary file goes and ``path`` stays as it was. What is
    written is on the disk before it takes the place of anything.

    Raises:
        OSError: Naming ``path`` if it is the temporary file that cannot be written, such as on a full disk.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(UNFINISHED + secrets.token_hex(8) + ''.join(path.suffixes[-2:]))
    try:
        # Made by the system with the permissions of an ordinary file, which tempfile's are not.
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        yield temporary
        take_place(temporary, path)
    except OSError as error:
        if error.errno and error.filename in (None, str(temporary)):  # write() names no file
            error.filename = str(path)
            del error.filename2  # a None would be printed: 'a.txt' -> None
        raise
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)


def take_place(finished, path):
    """Give a finished file beside ``path`` that name; it is on the disk before it takes the place of anything."""
    flush(finished)
    os.replace(finished, path)
    flush(path.parent)


def flush(path):
    """Have the system put a file, or the names in a folder, on the disk, so that a power failure cannot take it."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except PermissionError:  # Windows opens no folders
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):  # some network disks cannot be asked
            raise
    finally:
        os.close(handle)


def remove_strays(folder):
    """Remove the files that killed runs were writing into a folder; call it while no other run can write there."""
    for stray in Path(folder).glob(f'{UNFINISHED}*'):
        if not stray.is_dir():
            stray.unlink(missing_ok=True)


def write_text(path, text):
    """Put a UTF-8 text file in place, whole or not at all; lines end in a line feed on every system."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding='utf-8', newline='\n')


def sha256(path):
    """The SHA-256 of a file's content, in hexadecimal digits.

    Raises:
        OSError: If it cannot be read.
    """
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def read_text(path, most):
    """The text of a UTF-8 file.

    Args:
        path (Path): The file.
        most (int): Bytes that it may have.

    Raises:
        UserError: If it is larger, or no text.
        OSError: If it cannot be read.
    """
    with open(path, 'rb') as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise UserError(f'{path}: larger than the {most} bytes that such a file may have; is it the right file?')
    try:
        text = content.decode('utf-8-sig')
    except UnicodeDecodeError as error:
        raise UserError(f'{path}: not a UTF-8 text file: {error.reason} at byte {error.start}') from None
    if '\0' in text:
        raise UserError(f'{path}: not a text file: it holds NUL bytes')
    return text
