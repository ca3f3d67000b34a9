"""Volumes as one file: NIfTI-1, MGH and NRRD, whole or not at all.

nibabel makes the headers of NIfTI and MGH. The voxels are written and read back here, a few slices at a time.

Source: NIfTI-1, https://nifti.nimh.nih.gov/nifti-1 (qform, sform and their codes; descrip, 80 bytes); MGH,
https://surfer.nmr.mgh.harvard.edu/fswiki/FsTutorial/MghFormat; NRRD, http://teem.sourceforge.net/nrrd/format.html
"""
import contextlib
import gzip
import io
from itertools import chain
from typing import NamedTuple

import numpy

from util.files import replacing
from util.script import UserError
from util.volumes import itk
from util.volumes.affine import affine_of_geometry
from util.volumes.streams import opened
from util.volumes.volume import voxel_bytes

_LEVEL = 1  # of gzip, as nibabel's: noise hardly packs better at 9, and takes many times as long
_LONGEST_TEXT = 79  # bytes, and one that is 0


class Label(NamedTuple):
    """What a header says beside a volume's size, type and place."""
    text: str = ''         # where it comes from: NIfTI's descrip, NRRD's content
    codes: tuple = (1, 1)  # NIfTI's sform_code and qform_code: 1 is the scanner's space, 4 is MNI's


NO_LABEL = Label()


def format_of(path):
    """The suffix in `FORMATS` that a path ends in; None if it ends in none."""
    return next((suffix for suffix in FORMATS if path.name.lower().endswith(suffix)), None)


def write(path, volume, label):
    """Write a volume that `util.volumes.writing.write_volume` has looked at.

    Args:
        path (Path): Ends in a suffix of `FORMATS`.
        volume (~util.volumes.volume.Volume): Its channels become frames, in NRRD the components of a vector.
        label (Label): What else the header says.

    Raises:
        UserError: If the format has no such type or cannot hold the place, or the file cannot be written.
    """
    header, pieces = FORMATS[format_of(path)]
    parts = lambda: chain([header(path, volume, label)], pieces(volume.array))
    try:
        with replacing(path) as temporary:
            with contextlib.ExitStack() as stack:
                stream = stack.enter_context(open(temporary, 'wb'))
                if path.name.lower().endswith(('.gz', '.mgz')):  # without a time: the same volume is the same file
                    stream = stack.enter_context(gzip.GzipFile('', 'wb', _LEVEL, stream, 0))
                for part in parts():
                    stream.write(part)
            _read_back(path, temporary, volume, parts())
    except FileExistsError as error:
        raise UserError(f'{path}: cannot be written: {error.filename} is a file, and no folder') from None
    except OSError as error:
        raise UserError(f'{path}: cannot be written: {error.strerror or error}') from None


def _read_back(path, temporary, volume, parts):
    header = next(parts)
    try:
        with opened(temporary) as (stream, _):
            same = all(stream.read(len(part)) == bytes(part) for part in chain([header], parts)) and not stream.read(1)
        affine = _affine(temporary, header)
    except UserError as error:
        raise UserError(f'{path}: what was written does not read back; is the disk full? {error}') from None
    if not same:
        raise UserError(f'{path}: what was written reads back otherwise; is the disk damaged?')
    corners = numpy.indices((2, 2, 2)).reshape(3, 8) * numpy.reshape(volume.size[::-1], (3, 1))
    apart = numpy.abs((affine - affine_of_geometry(volume)) @ numpy.vstack([corners, numpy.ones(8)])).max()
    if not apart <= 0.01 * min(volume.spacing):
        raise UserError(f'{path}: it would lie {apart:.3g} mm away, since the format holds its place in numbers of 32 '
                        'bits; write .nrrd or .mhd')


def _affine(path, header):
    """Where the file lies for those who read it."""
    if path.suffix.lower() == '.nrrd':
        return affine_of_geometry(itk.read(path, slices=1)[1])
    from util.volumes import nifti  # here, since nibabel takes a while
    return nifti.affine_of_header(path, header)


def _shape(volume):
    return (*volume.size[::-1], *([len(volume.array)] if len(volume.array) > 1 else []))


def _text(label):
    return ''.join(c if ' ' <= c <= '~' else '?' for c in label.text)[:_LONGEST_TEXT]


def _nifti_header(path, volume, label):
    from nibabel.nifti1 import Nifti1Header
    from nibabel.spatialimages import HeaderDataError

    header, affine = Nifti1Header(endianness='<'), affine_of_geometry(volume)
    header.set_data_dtype(volume.array.dtype)
    try:
        header.set_data_shape(_shape(volume))
    except HeaderDataError:
        raise UserError(f'{path}: NIfTI-1 has at most 32767 voxels along an axis; with {volume.size} (z, y, x) '
                        'write .nrrd or .mhd') from None
    header.set_qform(affine, label.codes[1])  # first: it sets the spacing as well
    header.set_sform(affine, label.codes[0])
    header.set_xyzt_units('mm', 'sec')
    header.set_slope_inter(1, 0)
    header['descrip'] = _text(label)
    header['vox_offset'] = header.single_vox_offset
    return header.binaryblock + bytes(header.single_vox_offset - header.sizeof_hdr)  # no extension


def _mgh_header(path, volume, label):
    from nibabel.freesurfer.mghformat import MGHError, MGHImage

    view = numpy.broadcast_to(volume.array[:1, 0, 0, 0], _shape(volume))  # nibabel asks for size and type alone
    try:
        image = MGHImage(view, affine_of_geometry(volume))
    except MGHError:
        raise UserError(f'{path}: MGH has no {volume.array.dtype.name}; write .nii.gz, or leave --like-input out'
                        ) from None
    file = io.BytesIO()
    image.header.writehdr_to(file)
    return file.getvalue().ljust(image.header.get_data_offset(), b'\0')


def _nrrd_header(path, volume, label):
    lps = (numpy.diag([-1.0, -1.0, 1.0]) @ affine_of_geometry(volume)[:3] + 0.0).T
    *axes, origin = (f'({",".join(repr(float(value)) for value in vector)})' for vector in lps)
    number = volume.array.dtype.newbyteorder('=').name
    channels, several = len(volume.array), len(volume.array) > 1
    lines = ['NRRD0004', f'type: {({"float32": "float", "float64": "double"}).get(number, number)}',
             f'dimension: {3 + several}', 'space: left-posterior-superior',
             f'sizes: {f"{channels} " * several}{" ".join(map(str, volume.size[::-1]))}',
             f'space directions: {"none " * several}{" ".join(axes)}',
             f'kinds: {"vector " * several}domain domain domain', 'endian: little', 'encoding: raw',
             f'space origin: {origin}', 'space units: "mm" "mm" "mm"']
    return '\n'.join([*lines, *([f'content: {_text(label)}'] if label.text else []), '', '']).encode()


def _frames(order):
    return lambda array: chain.from_iterable(voxel_bytes(channel, order) for channel in array)


def _vectors(array):
    return voxel_bytes(array.transpose(1, 2, 3, 0))


_NIFTI, _MGH = (_nifti_header, _frames('<')), (_mgh_header, _frames('>'))
# suffix -> function of path, volume and label that gives the header; function of (C, z, y, x) that gives the voxels
FORMATS = {'.nii.gz': _NIFTI, '.nii': _NIFTI, '.mgz': _MGH, '.mgh': _MGH, '.nrrd': (_nrrd_header, _vectors)}
