"""MetaImage and NRRD by SimpleITK, behind a check of the header: ITK trusts its files, and a crash is no error."""
import contextlib
import functools
import os
import re
import sys
import tempfile

import numpy

from util.script import UserError, blaming
from util.volumes import metaimage, nrrd
from util.volumes.affine import check_geometry
from util.volumes.geometry import Geometry

_META, _NRRD = (metaimage.check, 'MetaImageIO'), (nrrd.check, 'NrrdImageIO')
FORMATS = {'.mhd': _META, '.mha': _META, '.nrrd': _NRRD, '.nhdr': _NRRD}


@functools.cache
def simple_itk():
    """SimpleITK, imported when it is needed, since that takes a while; without its warnings.

    They would break into the progress bars, and ask nothing of the user: what matters is checked here.

    Raises:
        UserError: If it cannot be loaded, as where memory does not suffice.
    """
    try:
        import SimpleITK
    except ImportError as error:
        raise UserError(f'SimpleITK cannot be loaded: {error}; is it installed, and is there memory enough?') from None

    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    return SimpleITK


def read(path, slices=None):
    """Read a file of one of these formats.

    Args:
        path (Path): A name with a suffix of `FORMATS`.
        slices (int): How many slices along z to read; None reads all.

    Returns:
        (numpy.ndarray, ~util.volumes.geometry.Geometry): (C, z, y, x), of the stored type; spacing, origin and
            direction.

    Raises:
        UserError: In one line that names the file.
    """
    check, io = FORMATS[path.suffix.lower()]
    check_name(path)
    content = check(path)
    sitk = simple_itk()
    reader = sitk.ImageFileReader()
    reader.SetImageIO(io)
    with one_line_errors(path):
        reader.SetFileName(str(path))
        reader.ReadImageInformation()
    _check_information(path, reader, content)
    size, values = list(reader.GetSize()), content.values
    if slices is not None:
        values = values // size[2] * slices
        size[2] = slices
        reader.SetExtractSize(size)
    with one_line_errors(path):
        image = reader.Execute()
        array = numpy.asarray(_Voxels(image, sitk.GetArrayViewFromImage(image)))
    if array.nbytes != values * content.bytes_each:
        raise UserError(f'{path}: its header is damaged: SimpleITK takes its voxels for {array.dtype}')
    if reader.GetNumberOfComponents() > 1:
        array = numpy.ascontiguousarray(numpy.moveaxis(array, -1, 0))
    elif reader.GetDimension() == 3:
        array = array[None]
    return array, _geometry(path, image)


def check_name(path):
    """Refuse a path that is not UTF-8, as an old disk or archive may have it: SimpleITK ends the process at one.

    Raises:
        UserError: If it is not.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise UserError(f'{path}: its path is not UTF-8, which SimpleITK needs for MetaImage, NRRD and DICOM; give the '
                        'file or its folder another name') from None


class _Voxels:
    """The voxels of an image, where they are; an array of them holds this, and with it the image."""

    def __init__(self, image, view):
        self._image = image
        self.__array_interface__ = {**view.__array_interface__, 'data': (view.ctypes.data, False)}  # may be written


def _check_information(path, reader, content):
    size, components = reader.GetSize(), reader.GetNumberOfComponents()
    pixels = simple_itk().GetPixelIDValueAsString(reader.GetPixelID())
    if 'complex' in pixels:
        raise UserError(f'{path}: its voxels are complex ({pixels}); real numbers are needed, such as the magnitude')
    if len(size) not in (3, 4) or min(size[:3]) < 2 or (len(size) == 4 and components > 1):
        raise UserError(f'{path}: its size is {" x ".join(map(str, size))}, with {components} values per voxel; a 3D '
                        'volume is needed, 2 voxels or more along each axis, with its channels as values per voxel or '
                        'along a fourth axis')
    if int(numpy.prod(size, dtype=object)) * components != content.values:
        raise UserError(f'{path}: its header is damaged: SimpleITK takes its size for {" x ".join(map(str, size))}')


def _geometry(path, image):
    # a 4D file places its frames along a fourth axis, which has no place in space
    axes = numpy.reshape(image.GetDirection(), (image.GetDimension(),) * 2)
    geometry = Geometry(image.GetSpacing()[:3], image.GetOrigin()[:3], tuple(axes[:3, :3].ravel().tolist()))
    with blaming(path):
        check_geometry(geometry)
    return geometry


@contextlib.contextmanager
def one_line_errors(path):
    """Turn what ITK throws and prints into a UserError of one line."""
    # ITK writes to the process's stderr, past Python, and often the only useful words of a failure stand there.
    sys.stderr.flush()
    with _scratch_file() as said:
        kept = os.dup(2)
        os.dup2(said.fileno(), 2)
        try:
            yield
        except (RuntimeError, MemoryError, TypeError, ValueError) as error:  # the last two: a name that is no text
            said.seek(0)
            words = ' '.join(said.read().decode(errors='replace').split())
            raise UserError(f'{path}: cannot be read: {words or _reason(error)}') from None
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _scratch_file():
    try:
        return tempfile.TemporaryFile()
    except OSError:  # a full disk; the words are lost then, and the volume is read all the same
        return open(os.devnull, 'r+b')


def _reason(error):
    words = ' '.join(str(error).split()) or 'memory does not suffice'
    return re.sub(r'^.*ERROR: *(\w+\(0x[0-9a-f]+\): *)?', '', words)
