"""Volumes to files: MetaImage, a .mhd header and the voxels beside it, never half written and never another volume's.

`single_files` writes the formats that have all in one file.

While a volume NAME.mhd is written, a folder .NAME.writing beside it holds what is new, and the header of what was
there. A kill leaves that folder, and its headers name the files of this volume: nothing else is ever removed.
"""
import contextlib
import functools
import os
import re
import shutil
import zlib
from itertools import count
from pathlib import Path

import numpy

from util.files import flush
from util.script import UserError, blaming
from util.volumes import itk, single_files
from util.volumes.affine import check_geometry
from util.volumes.volume import check_finite, voxel_bytes

_HEADERS = '.mhd', '.mha', '.nhdr', '.nrrd'  # which may name a file with voxels
# MetaImage takes names with % or LIST for many files, a first = or : for its own, a first ~ for the start of a path
# from elsewhere, and cannot hold a line's end or blanks around a name
_UNSAFE = re.compile(r'^(?=(skip)?list)|[%\x00-\x1f\x7f]|^[=:~\s]|\s$', re.IGNORECASE)
_TYPES = {'int8': 'MET_CHAR', 'uint8': 'MET_UCHAR', 'int16': 'MET_SHORT', 'uint16': 'MET_USHORT', 'int32': 'MET_INT',
          'uint32': 'MET_UINT', 'int64': 'MET_LONG_LONG', 'uint64': 'MET_ULONG_LONG', 'float32': 'MET_FLOAT',
          'float64': 'MET_DOUBLE'}
WRITTEN = '.mhd', *single_files.FORMATS  # how the name of a volume that is written may end
_LONGEST_HEADER = 1 << 16  # bytes in which that name is looked for
_DATA_FILE = re.compile(rb'^[ \t]*(?:ElementDataFile[ \t]*=|data ?file:)[ \t]*([^\r\n]+?)[ \t]*\r?$',
                        re.MULTILINE | re.IGNORECASE)


def write_volume(path, volume, label=single_files.NO_LABEL):
    """Write a volume as one file, or as `path` (.mhd) and a file of raw voxels beside it, without loss.

    Several channels become the components of a vector image, or frames. What is written is read back and flushed to
    the disk; only then is it moved into place, the header last. A kill at any moment leaves the old volume or the new
    one.

    Args:
        path (Path): Where to write; ends in .mhd or a suffix of `single_files.FORMATS`. Its folder is made if need be.
        volume (Volume): Its array has an integer type or float32 or float64.
        label (~util.volumes.single_files.Label): What else a header says; MetaImage's says nothing of it.

    Raises:
        ValueError: If the path ends otherwise, or the type is another.
        UserError: If it is no volume that can be read again (a single slice, values that are not finite), the format
            does not have its type, or it cannot be written (a full disk, a folder without permission).
    """
    path = Path(path)
    one_file = single_files.format_of(path)
    if path.suffix != '.mhd' and not one_file:
        raise ValueError(f'{path}: volumes are written as {", ".join(WRITTEN)}')
    if volume.array.dtype.name not in _TYPES:
        raise ValueError(f'{path}: {volume.array.dtype} is no type of a volume')
    if min(volume.size) < 2:
        raise UserError(f'{path}: a volume of {volume.size} voxels (z, y, x) is none; 2 or more are needed along each '
                        'axis')
    check_finite(path, volume.array)
    if path.suffix.lower() in itk.FORMATS:  # they are read back
        itk.check_name(path)
    if path.suffix == '.mhd' and '\\' in path.name:  # where it is no separator
        raise UserError(f'{path}: MetaImage takes the \\ in this name for a folder, and would not find the voxels; '
                        'give it another name')
    with blaming(path):
        check_geometry(volume)
    if one_file:
        single_files.write(path, volume, label)
        return
    folder = _folder(path)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path)  # what a kill has left
        folder.mkdir()
        try:
            new, data = _write_beside(path, volume)
            for source, target in ((data, path.parent / data.name), (new, path)):
                os.replace(source, target)
                flush(path.parent)
        finally:
            _sweep(path)
    except FileExistsError as error:
        raise UserError(f'{path}: cannot be written: {error.filename} is a file, and no folder') from None
    except OSError as error:
        raise UserError(f'{path}: cannot be written: {error.strerror or error}') from None


def remove_volume(path):
    """Remove a volume: of a .mhd also the voxels that it names, but no file of another; a missing one is no error.

    Args:
        path (Path): Where :func:`write_volume` wrote it.

    Raises:
        UserError: If it cannot be removed.
    """
    path = Path(path)
    try:
        if single_files.format_of(path):
            path.unlink(missing_ok=True)
            return
        _sweep(path)
        if os.path.lexists(path):
            _folder(path).mkdir()
            os.replace(path, _folder(path) / 'old.mhd')
            _sweep(path)
    except OSError as error:
        raise UserError(f'{path}: cannot be removed: {error.strerror or error}') from None


def data_file(path):
    """The file that holds the voxels of a MetaImage or NRRD header; None if it names none, or holds them itself."""
    with open(path, 'rb') as file:
        match = _DATA_FILE.search(file.read(_LONGEST_HEADER))
    name = os.fsdecode(match[1]) if match else 'LOCAL'
    return None if name.upper() == 'LOCAL' else Path(path).parent / os.path.normpath(name)


def remove_strays(folder):
    """Remove what kills have left of volumes that were being written into a folder; nobody may be writing there."""
    for path in Path(folder).glob('.*.writing'):
        _sweep(path.with_name(path.name[1:].removesuffix('.writing') + '.mhd'))


def _folder(path):
    return path.with_name(f'.{path.stem}.writing')  # in the same folder, so that moves stay within one file system


def _write_beside(path, volume):
    """Write a volume into its folder, see that it is whole, and flush it; its header and its voxels there."""
    folder = _folder(path)
    if path.exists():
        shutil.copyfile(path, folder / 'old.mhd')
    new, data = folder / 'new.mhd', folder / _free_name(path)
    for file, pieces in ((data, _slices(volume)), (new, [_header(volume, data.name)])):
        with open(file, 'wb') as stream:
            for piece in pieces:
                stream.write(piece)
        flush(file)
    _read_back(path, new, data, volume)
    return new, data


def _slices(volume):
    return voxel_bytes(volume.array.transpose(1, 2, 3, 0))  # the channels of a voxel lie together


def _header(volume, name):
    fields = {
        'ObjectType': 'Image', 'NDims': 3, 'BinaryData': True, 'BinaryDataByteOrderMSB': False,
        'CompressedData': False,
        'TransformMatrix': _listed(numpy.reshape(volume.direction, (3, 3)).T.ravel()),  # MetaImage's rows are the axes
        'Offset': _listed(volume.origin), 'CenterOfRotation': '0 0 0', 'ElementSpacing': _listed(volume.spacing),
        'DimSize': ' '.join(map(str, reversed(volume.size))),
        **({'ElementNumberOfChannels': len(volume.array)} if len(volume.array) > 1 else {}),
        'ElementType': _TYPES[volume.array.dtype.name]}
    text = ''.join(f'{field} = {value}\n' for field, value in fields.items())
    return text.encode() + b'ElementDataFile = ' + os.fsencode(name) + b'\n'


def _listed(values):
    return ' '.join(repr(float(value)) for value in values)  # repr loses nothing


def _read_back(path, new, data, volume):
    try:
        first, geometry = itk.read(new, slices=1)
        same = _holds(data, _slices(volume))
    except UserError as error:
        raise UserError(f'{path}: what was written does not read back; is the disk full? {error}') from None
    as_itk_sees_it = (first.dtype == volume.array.dtype.newbyteorder('=')
                      and numpy.array_equal(first, volume.array[:, :1])
                      and all(numpy.allclose(part, getattr(volume, name), rtol=1e-15, atol=1e-300)
                              for name, part in geometry._asdict().items()))  # C++ takes 1e-310 for 0
    if not (same and as_itk_sees_it):
        raise UserError(f'{path}: what was written reads back otherwise; is the disk damaged?')


def _holds(file, pieces):
    """Whether a file holds these pieces, one after the other, and no more.

    Args:
        file (Path): The file.
        pieces (iterable of numpy.ndarray): uint8, (bytes,); none is longer than the first.
    """
    room = None
    with open(file, 'rb') as stream:
        for piece in pieces:
            room = numpy.empty_like(piece) if room is None else room
            there = room[:len(piece)]
            if stream.readinto(there) < len(piece) or not numpy.array_equal(there, piece):
                return False
        return not stream.read(1)


def _free_name(path):
    """A name for the voxels of `path` that no other volume has or can get: NAME.raw, or NAME.raw1, NAME.raw2 ..."""
    safe = _UNSAFE.sub('_', path.stem)
    # 'a%b' and 'a\tb' may be written at the same time, and both are a_b
    stem = f'{path.stem}.raw' if safe == path.stem else f'{safe}-{zlib.crc32(os.fsencode(path.stem)):08x}.rawx'
    named = _named_by_headers(path.parent)
    names = (stem + (str(number) if number else '') for number in count())
    return next(name for name in names
                if os.path.abspath(path.parent / name) not in named and not (path.parent / name).exists())


def _named_by_headers(folder):
    """The absolute paths of the files that headers in a folder name."""
    headers = [entry.path for entry in os.scandir(folder) if entry.name.lower().endswith(_HEADERS) and entry.is_file()]
    named = set()
    for header in headers:
        with contextlib.suppress(FileNotFoundError):  # one that another process of this run has just removed
            status = os.stat(header)
            named.add(_data_file_of(header, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns))
    return {os.path.abspath(file) for file in named if file is not None}


@functools.lru_cache(2 ** 16)
def _data_file_of(header, *_):
    """As :func:`data_file`; a header that is as it was is not read again for each volume that is written beside it."""
    return data_file(header)


def _sweep(path):
    """Remove the folder of `path`, and of what its headers name what no header beside `path` does."""
    folder = _folder(path)
    if not folder.exists():
        return
    # a header that was cut short while it was written may name another file
    headers = [header for header in folder.glob('*.mhd') if header.is_file() and header.read_bytes().endswith(b'\n')]
    named = None
    for file in map(data_file, headers):
        # the header may be of others, and name a file of theirs: elsewhere, or a NIfTI file whose voxels it borrows
        if file is None or file.parent != folder or not re.search(r'\.z?raw[0-9x]*$', file.name):
            continue
        named = _named_by_headers(path.parent) if named is None else named
        if os.path.abspath(path.parent / file.name) not in named:
            (path.parent / file.name).unlink(missing_ok=True)
    shutil.rmtree(folder)
