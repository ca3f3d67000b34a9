"""NIfTI-1, NIfTI-2, Analyze and MGH: nibabel says what a header means, here is what it does not ask of a file.

Source: nibabel's manual, "Working with NIfTI images": the sform before the qform, their codes, scl_slope.
"""
import contextlib
import warnings

import numpy
from nibabel.freesurfer import MGHImage
from nibabel.freesurfer.mghformat import MGHError
from nibabel.nifti1 import Nifti1Image, Nifti1Pair
from nibabel.nifti2 import Nifti2Image, Nifti2Pair
from nibabel.spatialimages import HeaderDataError
from nibabel.spm2analyze import Spm2AnalyzeImage
from nibabel.volumeutils import apply_read_scaling
from nibabel.wrapstruct import WrapStructError

from util.script import UserError, blaming
from util.volumes.nifti_place import codes_of_header, geometry_of_header
from util.volumes.streams import check_end, first_bytes, read_voxels

# In the order in which nibabel.load tries them; it takes every Analyze file as SPM2's.
_PAIRS = Nifti1Pair, Nifti2Pair, Spm2AnalyzeImage
FORMATS = {'.nii': (Nifti1Image, Nifti2Image), '.hdr': _PAIRS, '.img': _PAIRS, '.mgh': (MGHImage,), '.mgz': (MGHImage,)}

_HEADER = 540  # bytes of the longest one, NIfTI-2's
_EXTENSIONS = 1 << 24  # bytes that may follow the header of a pair, or the voxels of an MGH file


def read(path):
    """Read a file of one of these formats.

    Args:
        path (Path): A name with a suffix of `FORMATS`, and .gz or not; one or the other file of a pair.

    Returns:
        (numpy.ndarray, ~util.volumes.geometry.Geometry): (C, z, y, x), of the stored type, or float64 where the
            header has a slope and an intercept; spacing, origin and direction.

    Raises:
        UserError: In one line that names the file.
    """
    single, header_path, image_path = _files(path)
    with _blaming_other(path, header_path):
        block = first_bytes(header_path, _HEADER)
        if not single:
            check_end(header_path, _EXTENSIONS)
    with _one_line(path):
        header, said = _header(path, block)
        shape, dtype, start = _shape(path, header), _dtype(path, header), _start(path, header, single)
        slope, intercept = header.get_slope_inter()
        geometry = geometry_of_header(path, header, said, partner(path, '.mat'))
    count = dtype.itemsize * int(numpy.prod(shape, dtype=object))
    tail = _EXTENSIONS if _suffix(path) in ('.mgh', '.mgz') else 0  # MGH: what was done with it, in words
    with _blaming_other(path, image_path):
        voxels = read_voxels(image_path, start, count, tail)
    with _one_line(path):
        array = apply_read_scaling(voxels.view(dtype), slope, intercept)
        if array.dtype.itemsize > 8:  # for a slope that takes it; what overflows is found to be not finite
            array = array.astype(float)
    # x runs fastest in these files, z slowest: a view with the axes the other way round
    array = array.astype(array.dtype.newbyteorder('='), copy=False).reshape((-1, *shape[2::-1]))
    return array, geometry


def form_codes(path):
    """Which spaces a header's sform and qform lie in, as codes for a volume that is to lie where `read` puts this one.

    Args:
        path (Path): A file that `read` has read.

    Returns:
        (int, int): sform_code and qform_code, 1 or more; 1, the scanner's space, where the file does not say. Where its
        two forms lie apart, that of the sform twice.
    """
    _, header_path, _ = _files(path)
    with _one_line(path):
        return codes_of_header(_header(path, first_bytes(header_path, _HEADER))[0])


def affine_of_header(path, block):
    """The affine, (4, 4), RAS, of a header's bytes; the file's name says what header it is."""
    return _header(path, block)[0].get_best_affine()


def _files(path):
    """Whether header and voxels are one file, and the two files."""
    single = _suffix(path) not in ('.hdr', '.img')
    return (single, path, path) if single else (single, partner(path, '.hdr'), partner(path, '.img'))


def _suffix(path):
    name = path.name.lower().removesuffix('.gz')
    return name[name.rfind('.'):]


def partner(path, suffix):
    """A file of the same pair: a.hdr, A.HDR and a.hdr.gz have a.img, A.IMG and a.img.gz beside them.

    Args:
        path (Path): One of its files.
        suffix (str): .hdr, .img or .mat.

    Returns:
        Path: The file of that suffix.
    """
    end = path.name[-3:] if path.name.lower().endswith('.gz') else ''
    stem, old = path.name.removesuffix(end)[:-4], path.name.removesuffix(end)[-4:]
    return path.with_name(stem + (suffix.upper() if old.isupper() else suffix) + end)


def _blaming_other(path, file):
    return contextlib.nullcontext() if file == path else blaming(path)


@contextlib.contextmanager
def _one_line(path):
    try:
        with warnings.catch_warnings(), numpy.errstate(all='ignore'):
            warnings.simplefilter('ignore')
            yield
    except (HeaderDataError, WrapStructError, MGHError, ValueError, OverflowError, LookupError) as error:
        raise UserError(f'{path}: its header is damaged: {" ".join(str(error).split())}') from None


class _Said(list):
    """What nibabel has put right in a header; it takes this for a logger."""

    def log(self, level, message):
        if level:
            self.append((level, message))


def _header(path, block):
    for klass in FORMATS[_suffix(path)]:
        header_class, said = klass.header_class, _Said()
        known = getattr(header_class, 'may_contain_header', len)  # MGH's has no such function, and looks itself
        if known(block):
            header = header_class(block[:header_class.template_dtype.itemsize], check=False)
            if 'dim' in header and not 1 <= header['dim'][0] <= 7:
                raise UserError(f'{path}: its header is damaged: {header["dim"][0]} axes (dim[0]); 1 to 7 can be')
            header.check_fix(said, error_level=40)
            if any('bitpix' in message for _, message in said):
                raise UserError(f'{path}: its header is damaged: its bits per voxel (bitpix) contradict its datatype')
            return header, said
    names = ' or '.join(klass.__name__.removesuffix('Image') for klass in FORMATS[_suffix(path)])
    raise UserError(f'{path}: not an image in a format that its name promises ({names}), or its header is damaged')


def _shape(path, header):
    shape = tuple(int(n) for n in header.get_data_shape())
    size = ' x '.join(map(str, shape))
    if min(shape) < 1:
        raise UserError(f'{path}: its header is damaged: its size is {size}')
    if len(shape) < 3 or min(shape[:3]) < 2 or sum(n > 1 for n in shape[3:]) > 1:
        raise UserError(f'{path}: its size is {size}; a 3D volume is needed, 2 voxels or more along each axis, with '
                        'its channels, if there are several, along one further axis')
    return shape


def _dtype(path, header):
    try:
        dtype = header.get_data_dtype()
    except KeyError as error:
        raise UserError(f'{path}: its header is damaged: nibabel knows no data type {error}') from None
    if dtype.kind == 'c':
        raise UserError(f'{path}: its voxels are complex ({dtype}); real numbers are needed, such as the magnitude')
    if dtype.fields:
        raise UserError(f'{path}: its voxels are colours ({"".join(dtype.names)}); one number each is needed')
    if dtype.kind not in 'iuf' or dtype.itemsize > 8:
        raise UserError(f'{path}: its voxels are of type {dtype.name}; numbers of up to 64 bits are needed')
    return dtype


def _start(path, header, single):
    if 'vox_offset' not in header:
        return header.get_data_offset()
    start = float(header['vox_offset'])
    if not (start >= 0 and start.is_integer()):
        raise UserError(f'{path}: its header is damaged: its voxels begin at byte {start:g} (vox_offset)')
    if single and start < header.single_vox_offset:
        raise UserError(f'{path}: its header is damaged: its voxels begin at byte {start:g} (vox_offset), inside the '
                        f'header of {header.single_vox_offset} bytes')
    return int(start)
