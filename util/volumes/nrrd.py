"""NRRD (.nrrd, .nhdr): its header and the length of its voxels, checked before ITK sees the file.

ITK's reader takes packed voxels that are damaged, and raw voxels that are too many, without a word.

Source: the fields are those of http://teem.sourceforge.net/nrrd/format.html
"""
import math
import re

from util.script import UserError, blaming, note
from util.volumes.headers import Content, data_file_of, lines_of, numbers, read_header, sizes
from util.volumes.streams import check_file, check_packed, check_raw

_NAMES = {1: 'int8 int8_t uint8 uint8_t uchar/signed char/unsigned char',
          2: 'short int16 int16_t ushort uint16 uint16_t/short int/signed short/signed short int/unsigned short/'
             'unsigned short int',
          4: 'int int32 int32_t uint uint32 uint32_t float/signed int/unsigned int',
          8: 'longlong int64 int64_t ulonglong uint64 uint64_t double/long long/long long int/signed long long/'
             'signed long long int/unsigned long long/unsigned long long int'}
_TYPES = {name: size for size, names in _NAMES.items()
          for name in names.split('/')[0].split() + names.split('/')[1:]}
_FIELDS = {'dimension', 'type', 'block size', 'encoding', 'endian', 'content', 'old min', 'old max', 'data file',
           'line skip', 'byte skip', 'number', 'sample units', 'sizes', 'spacings', 'thicknesses', 'axis mins',
           'axis maxs', 'centers', 'labels', 'units', 'kinds', 'space', 'space dimension', 'space units',
           'space origin', 'space directions', 'measurement frame'}
_OTHER_NAMES = {'datafile': 'data file', 'lineskip': 'line skip', 'byteskip': 'byte skip', 'axismins': 'axis mins',
                'axismaxs': 'axis maxs', 'centerings': 'centers', 'oldmin': 'old min', 'oldmax': 'old max',
                'sampleunits': 'sample units', 'blocksize': 'block size'}
_NEEDED = 'dimension', 'type', 'sizes', 'encoding'
# those that ITK turns into its own LPS; it would take any other for LPS as it is
_SPACES = ('left-posterior-superior', 'lps', 'right-anterior-superior', 'ras', 'left-anterior-superior', 'las',
           'left-posterior-superior-time', 'lpst')
_VECTOR = re.compile(r'\([^()]*\)|none', re.IGNORECASE)


def check(path):
    """Refuse a file that ITK would read wrongly without a word.

    Args:
        path (Path): Ends in .nrrd or .nhdr.

    Returns:
        ~util.volumes.headers.Content: What is in it.

    Raises:
        UserError: In one line that names the file.
    """
    header = read_header(path)
    if not re.match(rb'NRRD000[1-6]\r?\n', header):
        raise UserError(f'{path}: not a NRRD file, or its header is damaged: it does not begin with "NRRD000" and a '
                        'version from 1 to 6')
    end = re.search(rb'\n\r?\n', header)
    fields = _fields(path, header[:end.start() + 1] if end else header)
    axes, = numbers(path, 'dimension', fields['dimension'], 1, whole=True)
    if axes not in (3, 4):
        raise UserError(f'{path}: its header is damaged, or it is no volume: dimension is {axes}; 3 axes are needed, '
                        'or 4')
    values = math.prod(sizes(path, 'sizes', fields['sizes'], axes))
    kind = fields['type'].lower()
    if kind not in _TYPES:
        raise UserError(f'{path}: its type is {fields["type"]!r}; a number of 1, 2, 4 or 8 bytes is needed')
    if _TYPES[kind] > 1 and fields.get('endian', '').lower() not in ('little', 'big'):
        raise UserError(f'{path}: its header is damaged: endian is {fields.get("endian")!r}; little or big is needed')
    _check_space(path, fields, axes)
    content = Content(values, _TYPES[kind])
    _check_voxels(path, fields, content.values * content.bytes_each, end.end() if end else None)
    return content


def _fields(path, header):
    fields = {}
    for line in lines_of(path, header)[1:]:
        if line.startswith('#') or ':=' in line or not line:
            continue
        name, separator, text = line.partition(': ')
        name = _OTHER_NAMES.get(name.lower(), name.lower())
        if not separator or name not in _FIELDS:
            raise UserError(f'{path}: its header is damaged: {line[:60]!r} is no line of a NRRD header')
        if name in fields:
            raise UserError(f'{path}: its header is damaged: it names {name!r} twice')
        fields[name] = text.strip()
    missing = [name for name in _NEEDED if name not in fields]
    if missing:
        raise UserError(f'{path}: its header is damaged: no line says "{missing[0]}: "')
    return fields


def _check_space(path, fields, axes):
    space = fields.get('space', 'lps').strip('"').lower()
    if space not in _SPACES:
        raise UserError(f'{path}: its space is {fields["space"]!r}; one of {", ".join(_SPACES)} is needed')
    dimension, = numbers(path, 'space dimension', fields.get('space dimension', '3'), 1, whole=True)
    if dimension not in (3, 4):
        raise UserError(f'{path}: its header is damaged: space dimension is {dimension}')
    vectors = _VECTOR.findall(fields.get('space directions', ''))
    if 'space directions' in fields and (len(vectors) != axes or _VECTOR.sub('', fields['space directions']).strip()):
        raise UserError(f'{path}: its header is damaged: space directions is {fields["space directions"]!r}; {axes} '
                        'vectors are needed')
    for vector in [*vectors, *([fields['space origin']] if 'space origin' in fields else [])]:
        if vector.lower() != 'none':
            words = vector.strip('()').split(',')
            numbers(path, 'a vector of its space', ' '.join(words), len(words))
    if not {'space directions', 'spacings'} & set(fields):
        note(f'{path}: its header names no spacings; voxels of 1 mm are taken, as SimpleITK does')
    units = set(re.findall(r'"([^"]*)"', fields.get('space units', '')))
    if units - {'mm', '', 's', 'ms', '???'}:
        note(f'{path}: its space units are {fields["space units"]}; its numbers are taken as mm, as SimpleITK does')


def _check_voxels(path, fields, count, end):
    packed = fields['encoding'].lower() in ('gzip', 'gz')
    if not packed and fields['encoding'].lower() != 'raw':
        raise UserError(f'{path}: its encoding is {fields["encoding"]!r}; raw or gzip is read here: write it anew')
    lines, skipped = (numbers(path, name, fields.get(name, '0'), 1, whole=True)[0]
                      for name in ('line skip', 'byte skip'))
    if lines or skipped < -1 or (skipped and packed):
        raise UserError(f'{path}: its line skip is {lines} and its byte skip {skipped}; a file without them is needed')
    if 'data file' in fields:
        with blaming(f'{path}: cannot be read'):
            file = data_file_of(path, fields['data file'])
            _check_stream(file, skipped, count, packed)
    elif end is None:
        raise UserError(f'{path}: truncated, or its header is damaged: no empty line ends it, and no "data file: " is '
                        'named')
    else:
        _check_stream(path, -1 if skipped < 0 else end + skipped, count, packed)


def _check_stream(file, start, count, packed):
    check_file(file)
    (check_packed if packed else check_raw)(file, start, count)
