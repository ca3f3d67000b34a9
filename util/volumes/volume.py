"""Volumes with their place in space: read from any format SimpleITK knows, written as MetaImage (.mhd + .raw)."""
import contextlib
import gzip
import os
import re
import shutil
import sys
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy
import SimpleITK as sitk

from util.script import UserError

# ITK's warnings (a sform put right, a qform ignored) would break into the progress bars, and ask nothing of the user.
sitk.ProcessObject.SetGlobalWarningDisplay(False)


@dataclass(frozen=True, eq=False)
class Volume:
    """A 3D image of one or more channels, and where its voxels lie.

    Args:
        array (numpy.ndarray): (C, z, y, x).
        spacing ((float, float, float)): mm between voxel centres, x, y, z.
        origin ((float, float, float)): Position of the centre of voxel (0, 0, 0), x, y, z in mm (LPS, as ITK has it).
        direction (tuple): 9 numbers, row by row: the columns are the unit vectors of the axes x, y, z.

    Raises:
        ValueError: If the array has not four axes.
    """
    array: numpy.ndarray
    spacing: tuple
    origin: tuple
    direction: tuple

    def __post_init__(self):
        if self.array.ndim != 4:
            raise ValueError(f'a volume has the axes (C, z, y, x); got an array of shape {self.array.shape}')

    @property
    def size(self):
        """Voxels along z, y, x."""
        return self.array.shape[1:]


def read_volume(path, dtype=None):
    """Read one finite 3D volume, of one or more channels.

    The channels are the components of a vector image, or the frames of a 4D file.

    Args:
        path (Path): File in any format that SimpleITK reads (.nii, .nii.gz, .mhd, .mha, .nrrd ...).
        dtype: NumPy type of the array; None keeps the type that the file has (after NIfTI's slope and intercept).

    Returns:
        Volume: Its array is (C, z, y, x).

    Raises:
        UserError: In one line that names the file, if it is missing, damaged, truncated, complex, not 3D, or holds
            values that are not finite as float32 (the type of everything computed from it).
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f'{path}: ' + ('a link to a file that is not there' if path.is_symlink() else 'no such file'))
    if path.stat().st_size == 0:
        raise UserError(f'{path}: the file is empty (0 bytes)')
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    with _one_line_errors(path):
        reader.ReadImageInformation()
    _check_header(path, reader)
    _check_nifti(path, reader)
    with _one_line_errors(path):
        image = reader.Execute()
        array = sitk.GetArrayFromImage(image)
    if reader.GetNumberOfComponents() > 1:
        array = numpy.ascontiguousarray(numpy.moveaxis(array, -1, 0))
    elif reader.GetDimension() == 3:
        array = array[None]
    if array.dtype.kind == 'f':
        _check_finite(path, array)
    if dtype is not None:
        array = array.astype(dtype, copy=False)
    # a 4D file places its frames along a fourth axis, which has no place in space
    direction = numpy.reshape(image.GetDirection(), (image.GetDimension(),) * 2)[:3, :3]
    return Volume(array, image.GetSpacing()[:3], image.GetOrigin()[:3], tuple(direction.ravel().tolist()))


def _check_header(path, reader):
    size, components = reader.GetSize(), reader.GetNumberOfComponents()
    pixels = sitk.GetPixelIDValueAsString(reader.GetPixelID())
    if 'complex' in pixels:
        raise UserError(f'{path}: its voxels are complex ({pixels}); real numbers are needed, such as the magnitude')
    if len(size) not in (3, 4) or min(size[:3]) < 2 or (len(size) == 4 and components > 1):
        raise UserError(f'{path}: its size is {" x ".join(map(str, size))}, with {components} values per voxel; a 3D '
                        'volume is needed, 2 voxels or more along each axis, with its channels as values per voxel or '
                        'along a fourth axis')


def write_volume(path, volume):
    """Write a volume as `path` (.mhd) and a .raw file beside it, without loss.

    Several channels become the components of a vector image. A kill at any moment leaves the old volume or the new
    one. The header is moved into place last, and never names the data file of the header before it: data go to
    NAME.raw and NAME.1.raw in turn.

    Args:
        path (Path): Where to write; ends in .mhd. Its folder is made if need be.
        volume (Volume): Its array has an integer type or float32 or float64.

    Raises:
        ValueError: If the path does not end in .mhd.
        UserError: If it cannot be written (a full disk, a folder without permission).
    """
    path = Path(path)
    if path.suffix != '.mhd':
        raise ValueError(f'{path}: volumes are written as .mhd')
    # Below the same folder, so that the moves stay within one file system. SimpleITK names the data file after
    # the header, and the header names it without a folder: both may be moved.
    folder = path.with_name(f'.{path.stem}.writing')
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        data, other = path.with_suffix('.raw'), path.with_suffix('.1.raw')
        if path.exists() and data_file(path) == data:
            data, other = other, data
        shutil.rmtree(folder, ignore_errors=True)  # a kill may have left it
        folder.mkdir()
        header = folder / data.with_suffix('.mhd').name
        with _one_line_errors(path, 'cannot be written'):
            sitk.WriteImage(as_image(volume), str(header))
        if header.with_suffix('.raw').stat().st_size != volume.array.nbytes:
            raise UserError(f'{path}: cannot be written in full; is the disk full?')
        os.replace(header.with_suffix('.raw'), data)
        os.replace(header, path)
        other.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f'{path}: cannot be written: {error}') from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def as_image(volume):
    """A volume as a SimpleITK image: scalar for one channel, vector for several."""
    if len(volume.array) == 1:
        image = sitk.GetImageFromArray(volume.array[0])
    else:
        image = sitk.GetImageFromArray(numpy.moveaxis(volume.array, 0, -1), isVector=True)
    image.SetSpacing([float(value) for value in volume.spacing])
    image.SetOrigin([float(value) for value in volume.origin])
    image.SetDirection([float(value) for value in volume.direction])
    return image


def remove_volume(path):
    """Remove the files that :func:`write_volume` wrote for `path`, the header first; missing files are no error."""
    Path(path).unlink(missing_ok=True)
    for suffix in ('.raw', '.1.raw'):
        Path(path).with_suffix(suffix).unlink(missing_ok=True)


def data_file(path):
    """The file that holds the voxels of a MetaImage header."""
    match = re.search(r'^ElementDataFile\s*=\s*(.+?)\s*$', Path(path).read_text(errors='replace'), re.MULTILINE)
    return Path(path).parent / match[1] if match else None


_COLOURS = '128', '2304'  # NIfTI's RGB and RGBA: several values per voxel, and bitpix counts them all


def _check_nifti(path, reader):
    # SimpleITK 2.5 fills a truncated NIfTI file up with zeros and turns NaN and infinities into zeros, without a word:
    # the file's own bytes tell. gzip's checksum finds damage inside as well.
    if not reader.HasMetaDataKey('nifti_type'):
        return
    content = header = _unzipped(path)
    if reader.GetMetaData('nifti_type') != '1':  # a pair: the header and the voxels in a file each
        header = _unzipped(path.with_name(path.name.replace('.img', '.hdr')))
        content = _unzipped(path.with_name(path.name.replace('.hdr', '.img')))
    start, voxels = int(float(reader.GetMetaData('vox_offset'))), int(numpy.prod(reader.GetSize(), dtype=numpy.int64))
    if reader.GetMetaData('datatype') not in _COLOURS:
        voxels *= reader.GetNumberOfComponents()
    needed = start + voxels * int(reader.GetMetaData('bitpix')) // 8
    if len(content) < needed:
        raise UserError(f'{path}: truncated: {needed} bytes are needed, {len(content)} are there')
    kind = {'16': 'f4', '64': 'f8'}.get(reader.GetMetaData('datatype'))
    if kind:
        byte_order = '<' if int.from_bytes(header[:4], 'little') == 348 else '>'  # a header begins with its own size
        _check_finite(path, numpy.frombuffer(content, byte_order + kind, voxels, start))


def _unzipped(path):
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content[:2] == b'\x1f\x8b' else content
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f'{path}: truncated or damaged: {error}') from None


def _check_finite(path, array):
    with numpy.errstate(over='ignore'):
        bad = array.size - numpy.count_nonzero(numpy.isfinite(array.astype(numpy.float32, copy=False)))
    if bad:
        raise UserError(f'{path}: {bad} of {array.size} values are not finite (NaN, infinite, or beyond float32)')


@contextlib.contextmanager
def _one_line_errors(path, what='cannot be read'):
    # ITK writes to the process's stderr, past Python, and often the only useful words of a failure stand there.
    sys.stderr.flush()
    with tempfile.TemporaryFile() as said:
        kept = os.dup(2)
        os.dup2(said.fileno(), 2)
        try:
            yield
        except (RuntimeError, MemoryError) as error:
            said.seek(0)
            words = ' '.join(said.read().decode(errors='replace').split())
            raise UserError(f'{path}: {what}: {words or _last_line(error)}') from None
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _last_line(error):
    text = re.sub(r'^.*ERROR: *', '', str(error).strip().splitlines()[-1])
    if 'Unable to determine ImageIO reader' in text:
        return 'not an image in a format that SimpleITK knows, or its header is damaged'
    return text
