"""The bytes of volume files: plain or packed, no more of them than a header asks for, every failure in one line."""
import contextlib
import gzip
import os
import zlib

import numpy

from util.script import UserError

_CHUNK = 1 << 20
_LARGEST_RATIO = 1032  # deflate's: 258 bytes out of two bits
_POINTERS = (
    (b'/annex/objects/', 'a pointer of git-annex, not the volume; fetch it with: git annex get {}'),
    (b'version https://git-lfs.github.com/spec/', 'a pointer of Git LFS, not the volume; fetch it with: git lfs pull'))


def check_file(path):
    """Refuse what is no file with content of its own, saying what it is.

    Args:
        path (Path): Where a file is expected.

    Raises:
        UserError: If it is missing, a folder, empty, or a pointer of git-annex or Git LFS to what is elsewhere.
    """
    with one_line(path):
        if not path.is_file():
            raise UserError(f'{path}: {_what_is_there(path)}')
        if path.stat().st_size == 0:
            raise UserError(f'{path}: the file is empty (0 bytes)')
        with open(path, 'rb') as file:
            start = file.read(100)
    for words, what in _POINTERS:
        if start.startswith(words):
            raise UserError(f'{path}: ' + what.format(path.name))


def _what_is_there(path):
    if path.is_dir():
        return 'a folder; a file is needed'
    if path.exists():  # asked first: the shell names a pipe by a link that leads to no path
        return 'not a regular file'
    if not path.is_symlink():
        return 'no such file'
    # git-annex keeps content in .git/annex/objects, in .git/modules/NAME/annex/objects for a submodule
    if 'annex/objects' in os.path.realpath(path).replace('\\', '/'):
        return f'a link of git-annex to content that is not here; fetch it with: git annex get {path.name}'
    return 'a link to a file that is not there'


@contextlib.contextmanager
def one_line(path):
    """Turn what goes wrong while a file is read into a UserError that names it."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(f'{path}: truncated or damaged: {error}') from None
    except MemoryError:
        raise UserError(f'{path}: its header asks for more than memory can hold') from None
    except OSError as error:
        raise UserError(f'{path}: cannot be read: {error.strerror or error}') from None


@contextlib.contextmanager
def opened(path):
    """Open a file to read its bytes, unpacked if it is gzip's: its content says so, not its name.

    Args:
        path (Path): The file.

    Yields:
        (io.BufferedIOBase, int or None): The stream, and the file's length in bytes where it is not packed.

    Raises:
        UserError: As of :func:`check_file`, or if what is read of it in the block is damaged or cannot be read.
    """
    check_file(path)
    with one_line(path), open(path, 'rb') as file:
        packed = file.read(2) == b'\x1f\x8b'
        file.seek(0)
        if packed:
            with gzip.GzipFile(fileobj=file) as stream:
                yield stream, None
        else:
            yield file, os.fstat(file.fileno()).st_size


def first_bytes(path, count):
    """The first bytes of a file, fewer if it is shorter; unpacked if need be.

    Raises:
        UserError: As of :func:`opened`.
    """
    with opened(path) as (stream, _):
        return stream.read(count)


def is_dicom(path):
    """Whether a file begins as DICOM files do; what cannot be read does not."""
    try:
        with open(path, 'rb') as file:
            return file.read(132)[128:] == b'DICM'
    except OSError:
        return False


def check_end(path, longest):
    """Read a small file to its end, where gzip's checksum stands, and refuse one of more than `longest` bytes.

    Raises:
        UserError: If it is longer; and as of :func:`opened`.
    """
    with opened(path) as (stream, _):
        if _passed(stream, longest + 1) > longest:
            raise UserError(f'{path}: longer than {longest} bytes; a header is needed here')


def read_voxels(path, start, count, tail=0):
    """Read exactly what a header asks for, and see that the file ends there.

    Args:
        path (Path): The file with the voxels, plain or gzip.
        start (int): Where they begin, in bytes; in the unpacked stream if it is packed.
        count (int): How many bytes they take.
        tail (int): How many bytes may follow them.

    Returns:
        numpy.ndarray: uint8, (count,).

    Raises:
        UserError: If the file is shorter or longer, damaged, or cannot hold so much.
    """
    check_memory(path, count)
    needed = start + count
    with opened(path) as (stream, length):
        if length is None:
            length = path.stat().st_size
            if needed > _LARGEST_RATIO * length:
                raise UserError(f'{path}: truncated, or its header is damaged: it asks for {needed} bytes, and '
                                f'{length} bytes of gzip cannot hold so many')
        elif not needed <= length <= needed + tail:
            raise UserError(_wrong_length(path, needed, length))
        voxels = numpy.empty(count, numpy.uint8)
        there = _passed(stream, start)
        if there == start:
            there += _filled(stream, voxels)
        if there < needed:
            raise UserError(_wrong_length(path, needed, there))
        # gzip's checksum is looked at where the stream ends
        if _passed(stream, tail + 1) > tail:
            raise UserError(f'{path}: too long: its header asks for {needed} bytes, and more are there')
    return voxels


def _filled(stream, voxels):
    view, there = memoryview(voxels), 0
    while there < len(view):
        count = stream.readinto(view[there:there + _CHUNK])  # gzip's stream makes a copy of all it is asked for
        if not count:
            break
        there += count
    return there


def _passed(stream, count):
    """Read on by so many bytes, in little memory; how many there were."""
    there = 0
    while there < count:
        chunk = len(stream.read(min(_CHUNK, count - there)))
        if not chunk:
            break
        there += chunk
    return there


def _wrong_length(path, needed, there):
    if there < needed:
        return f'{path}: truncated: {needed} bytes are needed, {there} are there'
    return f'{path}: too long: its header asks for {needed} bytes, {there} are there'


def check_memory(path, needed):
    """Refuse voxels that take more than the machine's memory, before Linux would kill the process for them.

    Args:
        path (Path): The file, for the message.
        needed (int): Bytes that they take.

    Raises:
        UserError: If they take more.
    """
    try:
        memory = os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')
    except (AttributeError, ValueError, OSError):  # not told here
        return
    if needed > memory:
        raise UserError(f'{path}: its header asks for {needed / 2 ** 30:.4g} GiB, more than memory can hold '
                        f'({memory / 2 ** 30:.4g} GiB)')


def check_raw(path, start, count):
    """Refuse voxels as they are, unless the file has exactly so many bytes.

    Args:
        path (Path): The file with the voxels.
        start (int): Where they begin; -1: they are the last `count` bytes.
        count (int): How many bytes they take.

    Raises:
        UserError: If the file is shorter or longer.
    """
    check_memory(path, count)
    check_file(path)
    with one_line(path):
        length = path.stat().st_size
    if start < 0:
        start = max(0, length - count)
    if length != start + count:
        raise UserError(_wrong_length(path, start + count, length))


def check_packed(path, start, count):
    """Refuse voxels packed by zlib or gzip, unless their one stream is sound, gives so many bytes and ends the file.

    Its checksum is compared, in little memory. ITK's readers do not look at it.

    Args:
        path (Path): The file with the voxels.
        start (int): Where the stream begins.
        count (int): How many bytes it must give.

    Raises:
        UserError: If it does not.
    """
    check_memory(path, count)
    check_file(path)
    there, unpacker = 0, zlib.decompressobj(zlib.MAX_WBITS | 32)  # 32: zlib or gzip, whichever it is
    with one_line(path), open(path, 'rb') as file:
        file.seek(start)
        while not unpacker.eof and there <= count:
            waiting = unpacker.unconsumed_tail or file.read(_CHUNK)
            unpacked = len(unpacker.decompress(waiting, _CHUNK))
            there += unpacked
            if not waiting and not unpacked:
                break
        more = unpacker.unused_data or file.read(1)
    if there > count:
        raise UserError(f'{path}: too long: its header asks for {count} bytes of voxels, and more are packed')
    if not unpacker.eof or there < count:
        raise UserError(f'{path}: truncated: {count} bytes of voxels are needed, {there} are packed')
    if more:
        raise UserError(f'{path}: too long: more follows where its packed voxels end')
