"""What the text headers of MetaImage and NRRD have in common, read before ITK sees them."""
import re
from typing import NamedTuple

from util.script import UserError
from util.volumes.streams import first_bytes

LONGEST = 1 << 20  # bytes of a header; those with every tag of a DICOM series have some 10 000
_LONGEST_TEXT = 250  # MetaIO copies texts into arrays of 255
_NUMBER = re.compile(r'[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?')


class Content(NamedTuple):
    """What a header says of the voxels."""
    values: int
    bytes_each: int


def read_header(path):
    """The first bytes of a file with a text header, :data:`LONGEST` at most.

    Raises:
        UserError: If the file is packed as a whole, which ITK does not unpack.
    """
    with open(path, 'rb') as file:
        if file.read(2) == b'\x1f\x8b':
            raise UserError(f'{path}: packed as a whole; unpack it with gunzip first')
    return first_bytes(path, LONGEST)


def lines_of(path, header):
    """The lines of a header.

    Args:
        path (Path): For the message.
        header (bytes): Its text.

    Returns:
        list: Of str, without the line's end.

    Raises:
        UserError: If there are bytes that a text has not, as after damage.
    """
    if re.search(rb'[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)', header):
        raise UserError(f'{path}: its header is damaged: it holds bytes that are no text')
    return header.decode('utf-8', 'surrogateescape').replace('\r\n', '\n').split('\n')


def numbers(path, name, text, count, whole=False):
    """The numbers of a header's field.

    Args:
        path (Path): For the message.
        name (str): The field.
        text (str): Its value.
        count (int): How many there must be.
        whole (bool): Whether they must be integers.

    Returns:
        list: Of int or float, all finite.

    Raises:
        UserError: If there are more, fewer or others.
    """
    words = text.split()
    if len(words) != count or not all(map(_NUMBER.fullmatch, words)):
        raise UserError(f'{path}: its header is damaged: {name} is {text!r}; it must be {count} long, of numbers')
    values = [float(word) for word in words]
    if max(map(abs, values)) > 1e300 or (whole and not all(value.is_integer() for value in values)):
        raise UserError(f'{path}: its header is damaged: {name} is {text!r}')
    return [int(value) for value in values] if whole else values


def sizes(path, name, text, count):
    """The voxels along each axis; arguments as of :func:`numbers`.

    Returns:
        list of int: Each from 1 to 2^31 - 1.

    Raises:
        UserError: As of :func:`numbers`, or if one is out of that range.
    """
    values = numbers(path, name, text, count, whole=True)
    if not all(1 <= value < 2 ** 31 for value in values):
        raise UserError(f'{path}: its header is damaged: {name} is {text!r}; each must be from 1 to {2 ** 31 - 1}')
    return values


def check_text(path, name, text):
    """Refuse a text that is longer than MetaIO has room for, 250 bytes.

    Raises:
        UserError: If it is; naming the file and the field.
    """
    if len(text.encode('utf-8', 'surrogateescape')) > _LONGEST_TEXT:
        raise UserError(f'{path}: its header is damaged: {name} is longer than {_LONGEST_TEXT} bytes')


def data_file_of(path, name):
    """The file that a header names for its voxels.

    Args:
        path (Path): The header.
        name (str): As it stands there.

    Returns:
        Path: Relative names start at the header's folder.

    Raises:
        UserError: If several files are named.
    """
    if name.upper().startswith(('LIST', 'SKIPLIST')) or '%' in name:
        raise UserError(f'{path}: its voxels lie in several files ({name}); one file with all of them is needed: '
                        'write it anew with SimpleITK or 3D Slicer')
    return path.parent / name
