"""MetaImage (.mhd, .mha): its header and the length of its voxels, checked before ITK sees the file.

ITK's reader ends the process where NDims is negative, takes damaged compressed voxels without a word, and passes over
a field whose name it does not know.

Source: the fields are those of MetaIO, https://itk.org/Wiki/ITK/MetaIO/Documentation
"""
import math
import re

import numpy

from util.script import UserError, blaming, note
from util.volumes.headers import Content, check_text, data_file_of, lines_of, numbers, read_header, sizes
from util.volumes.streams import check_file, check_packed, check_raw

# as NumPy calls them; the number is that of the bytes
_TYPES = {'MET_CHAR': 'i1', 'MET_UCHAR': 'u1', 'MET_SHORT': 'i2', 'MET_USHORT': 'u2', 'MET_INT': 'i4',
          'MET_UINT': 'u4', 'MET_LONG': 'i4', 'MET_ULONG': 'u4', 'MET_LONG_LONG': 'i8', 'MET_ULONG_LONG': 'u8',
          'MET_FLOAT': 'f4', 'MET_DOUBLE': 'f8'}
# names to how many numbers: 0 is one, 1 is one per axis, 2 is a matrix of the axes
_WHOLE = {'NDims': 0, 'ID': 0, 'ParentID': 0, 'CompressedDataSize': 0, 'HeaderSize': 0, 'ElementNumberOfChannels': 0,
          'ElementNBits': 0, 'CompressionLevel': 0, 'DimSize': 1}
_NUMBERS = {'ElementMin': 0, 'ElementMax': 0, 'ElementToIntensityFunctionSlope': 0,
            'ElementToIntensityFunctionOffset': 0, 'SequenceID': 1, 'CenterOfRotation': 1,
            'Offset': 1, 'Position': 1, 'Origin': 1, 'ImagePosition': 1, 'ElementSpacing': 1, 'ElementSize': 1,
            'TransformMatrix': 2, 'Rotation': 2, 'Orientation': 2}
_FLAGS = 'BinaryData', 'BinaryDataByteOrderMSB', 'ElementByteOrderMSB', 'CompressedData'
_TEXTS = ('ObjectType', 'ObjectSubType', 'TransformType', 'Comment', 'Name', 'Modality', 'AnatomicalOrientation',
          'AcquisitionDate', 'DistanceUnits', 'ElementType', 'ElementDataFile')
_FIELDS = (*_WHOLE, *_NUMBERS, *_FLAGS, *_TEXTS)
# several names of one thing; the last wins in ITK, so that they must agree
_SYNONYMS = (('Offset', 'Position', 'Origin', 'ImagePosition'), ('TransformMatrix', 'Rotation', 'Orientation'),
             ('BinaryDataByteOrderMSB', 'ElementByteOrderMSB'))
_LOCAL = 'LOCAL', 'Local', 'local'  # names for the header's own file
_NEEDED = 'NDims', 'DimSize', 'ElementType'


def check(path):
    """Refuse a file that ITK would crash on, or read wrongly without a word.

    Args:
        path (Path): Ends in .mhd or .mha.

    Returns:
        ~util.volumes.headers.Content: What is in it.

    Raises:
        UserError: In one line that names the file.
    """
    fields, end = _read_fields(path)
    axes = _whole(path, fields, 'NDims', 0)
    if axes not in (3, 4):
        raise UserError(f'{path}: its header is damaged, or it is no volume: NDims is {axes}; 3 axes are needed, or 4')
    values = math.prod(sizes(path, 'DimSize', fields['DimSize'], axes))
    _check_values(path, fields, axes)
    channels = _whole(path, fields, 'ElementNumberOfChannels', 1)
    if not 1 <= channels < 2 ** 20:
        raise UserError(f'{path}: its header is damaged: ElementNumberOfChannels is {channels}')
    if fields['ElementType'] not in _TYPES:
        raise UserError(f'{path}: its ElementType is {fields["ElementType"]!r}; it must be one of {", ".join(_TYPES)}')
    content = Content(values * channels, int(_TYPES[fields['ElementType']][1]))
    _check_voxels(path, fields, content.values * content.bytes_each, end)
    return content


def mapped(path):
    """The voxels of a file, left where they are: what is taken of the array is read from the disk then.

    Args:
        path (Path): Ends in .mhd.

    Returns:
        numpy.memmap: (C, z, y, x), of the stored type, read-only.

    Raises:
        UserError: As :func:`check`, or if the voxels are compressed, or in the header's own file.
    """
    content = check(path)
    fields, _ = _read_fields(path)
    name, start = fields['ElementDataFile'], _whole(path, fields, 'HeaderSize', 0)
    if _flag(fields, 'CompressedData') or name in _LOCAL:
        raise UserError(f'{path}: its voxels cannot be left on the disk, since they are compressed or lie in the '
                        'header; write it anew, as make_lr_img.py does')
    file = data_file_of(path, name)
    if start < 0:  # the voxels are the end of the file
        start = file.stat().st_size - content.values * content.bytes_each
    order = '>' if any(_flag(fields, flag) for flag in _SYNONYMS[-1]) else '<'
    lengths = sizes(path, 'DimSize', fields['DimSize'], _whole(path, fields, 'NDims', 0))[::-1]
    channels = _whole(path, fields, 'ElementNumberOfChannels', 1)
    voxels = numpy.memmap(file, order + _TYPES[fields['ElementType']], 'r', start,
                          (*lengths, channels) if len(lengths) == 3 else tuple(lengths))
    return numpy.moveaxis(voxels, -1, 0) if len(lengths) == 3 else voxels


def _read_fields(path):
    """The header's fields, and the byte at which it ends."""
    header = read_header(path)
    end = re.search(rb'^[ \t]*ElementDataFile[ \t]*[=:][^\n]*(\n|\Z)', header, re.MULTILINE)
    if not end:
        raise UserError(f'{path}: not a MetaImage, or its header is damaged: no line says "ElementDataFile = "')
    return _fields(path, header[:end.end()]), end.end()


def _fields(path, header):
    fields = {}
    for line in lines_of(path, header):
        name, separator, text = (part.strip() for part in re.match(r'([^=:]*)([=:]?)(.*)', line).groups())
        if not line.strip():
            continue
        if not (name and separator):
            raise UserError(f'{path}: its header is damaged: {line.strip()[:60]!r} is no line of a MetaImage')
        if name in fields:
            raise UserError(f'{path}: its header is damaged: it names {name} twice')
        meant = [] if name in _FIELDS else [field for field in _FIELDS if _one_letter_apart(field, name)]
        if meant:
            raise UserError(f'{path}: its header is damaged: {name!r} is no field of a MetaImage; {meant[0]!r} is')
        fields[name] = text
    missing = [name for name in _NEEDED if name not in fields]
    if missing:
        raise UserError(f'{path}: not a MetaImage, or its header is damaged: no line says "{missing[0]} = "')
    return fields


def _one_letter_apart(one, other):
    """Whether a letter was changed, lost or added, or capitals were mixed up."""
    same = next((n for n, (a, b) in enumerate(zip(one, other)) if a != b), min(len(one), len(other)))
    rests = one[same:], other[same:]
    return (one.lower() == other.lower() or rests[0][1:] == rests[1][1:] or rests[0] == rests[1][1:]
            or rests[0][1:] == rests[1])


def _whole(path, fields, name, default):
    return numbers(path, name, fields[name], 1, whole=True)[0] if name in fields else default


def _check_values(path, fields, axes):
    for name, text in fields.items():
        if name in _WHOLE or name in _NUMBERS:
            power = _WHOLE.get(name, _NUMBERS.get(name))
            values = numbers(path, name, text, axes ** power, whole=name in _WHOLE)
            if name in ('ElementSpacing', 'ElementSize') and min(values) <= 0:
                raise UserError(f'{path}: its {name} is {text}; each must be above 0')
        elif name in _FLAGS and text.lower() not in ('true', 'false', '1', '0'):
            raise UserError(f'{path}: its header is damaged: {name} is {text!r}; True or False is needed')
        elif name in _TEXTS:
            check_text(path, name, text)
    for names in _SYNONYMS:
        there = [name for name in names if name in fields]
        if len({_flag(fields, name) if name in _FLAGS else tuple(map(float, fields[name].split()))
                for name in there}) > 1:
            raise UserError(f'{path}: its header contradicts itself: {" and ".join(there)}')
    if fields.get('ObjectType', 'Image') != 'Image':
        raise UserError(f'{path}: its ObjectType is {fields["ObjectType"]!r}; an Image is needed')
    if not _flag(fields, 'BinaryData', True):
        raise UserError(f'{path}: its voxels are written as text (BinaryData = False); write it anew as binary')
    _say_what_is_not_used(path, fields)


def _say_what_is_not_used(path, fields):
    if not {'ElementSpacing', 'ElementSize'} & set(fields):
        note(f'{path}: its header names no ElementSpacing; voxels of 1 mm are taken, as SimpleITK does')
    if fields.get('DistanceUnits', 'mm') not in ('mm', '?'):
        note(f'{path}: its DistanceUnits are {fields["DistanceUnits"]}; its numbers are taken as mm, as SimpleITK does')
    slope, offset = (float(fields.get(f'ElementToIntensityFunction{name}', default))
                     for name, default in (('Slope', 1), ('Offset', 0)))
    if (slope, offset) != (1, 0):
        note(f'{path}: its ElementToIntensityFunction is not applied, as SimpleITK does not')


def _flag(fields, name, default=False):
    return fields[name].lower() in ('true', '1') if name in fields else default


def _check_voxels(path, fields, count, end):
    name, skipped = fields['ElementDataFile'], _whole(path, fields, 'HeaderSize', 0)
    local = name in _LOCAL
    packed, length = _flag(fields, 'CompressedData'), _whole(path, fields, 'CompressedDataSize', 0)
    if not name:
        raise UserError(f'{path}: its header is damaged: no file is named after "ElementDataFile = "')
    if skipped < -1 or (skipped and (local or packed)):
        raise UserError(f'{path}: its header is damaged: HeaderSize is {skipped}')
    if local:
        _check_stream(path, end, count, packed, length)
        return
    with blaming(f'{path}: cannot be read'):
        _check_stream(data_file_of(path, name), skipped, count, packed, length)


def _check_stream(file, start, count, packed, length):
    check_file(file)
    if not packed:
        check_raw(file, start, count)
        return
    there = file.stat().st_size - start
    # where the size is missing, ITK takes the whole file, and with it the header of a .mha
    if there != length and (length or start):
        raise UserError(f'{file}: {"truncated" if there < length else "too long"}: CompressedDataSize is {length}, and '
                        f'{there} bytes are there')
    check_packed(file, start, count)
