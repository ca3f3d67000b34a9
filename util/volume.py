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
    """A 3D image and where its voxels lie.

    Args:
        array: (D, H, W), axes z, y, x.
        spacing: mm between voxel centres along x, y, z.
        origin: position of the centre of voxel (0, 0, 0), x, y, z in mm (LPS, as ITK has it).
        direction: 9 numbers, row-major: the columns are the unit vectors of the axes x, y, z.
    """
    array: numpy.ndarray
    spacing: tuple
    origin: tuple
    direction: tuple


def read_volume(path, dtype=None):
    """Read one finite scalar 3D volume; a 4D NIfTI file with one frame counts as 3D.

    Args:
        path: file in any format that SimpleITK reads (.nii, .nii.gz, .mhd, .mha, .nrrd ...).
        dtype: NumPy type of the array; None keeps the type that the file has (after NIfTI's slope and intercept).

    Returns:
        Volume.

    Raises:
        UserError: in one line that names the file, if it is missing, damaged, truncated, not scalar, not 3D, or holds
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
    size = ' x '.join(map(str, reader.GetSize()))
    if reader.GetNumberOfComponents() != 1:
        raise UserError(f'{path}: {reader.GetNumberOfComponents()} values a voxel '
                        f'({sitk.GetPixelIDValueAsString(reader.GetPixelID())}); a scalar volume is needed')
    if reader.GetDimension() != 3 or min(reader.GetSize()) < 2:
        raise UserError(f'{path}: its size is {size}; one 3D volume is needed, 2 voxels or more along each axis')
    _check_nifti(path, reader)
    with _one_line_errors(path):
        image = reader.Execute()
        array = sitk.GetArrayFromImage(image)
    if array.dtype.kind == 'f':
        _check_finite(path, array)
    if dtype is not None:
        array = array.astype(dtype, copy=False)
    return Volume(array, image.GetSpacing(), image.GetOrigin(), image.GetDirection())


def write_volume(path, volume):
    """Write a volume as `path` (.mhd) and a .raw file beside it, without loss.

    A kill at any moment leaves the old volume or the new one. The header is moved into place last, and never names
    the data file of the header before it: data go to NAME.raw and NAME.1.raw in turn.

    Args:
        path: where to write; ends in .mhd. Its folder is made if need be.
        volume: Volume whose array has an integer type or float32 or float64.

    Raises:
        ValueError: if the array is not 3D, or the path does not end in .mhd.
        UserError: if it cannot be written (a full disk, a folder without permission).
    """
    path = Path(path)
    if path.suffix != '.mhd':
        raise ValueError(f'{path}: volumes are written as .mhd')
    if volume.array.ndim != 3:
        raise ValueError(f'{path}: the array has shape {volume.array.shape}; three axes (z, y, x) are needed')
    image = sitk.GetImageFromArray(volume.array)
    image.SetSpacing([float(value) for value in volume.spacing])
    image.SetOrigin([float(value) for value in volume.origin])
    image.SetDirection([float(value) for value in volume.direction])

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
            sitk.WriteImage(image, str(header))
        if header.with_suffix('.raw').stat().st_size != volume.array.nbytes:
            raise UserError(f'{path}: cannot be written in full; is the disk full?')
        os.replace(header.with_suffix('.raw'), data)
        os.replace(header, path)
        other.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f'{path}: cannot be written: {error}') from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_volume(path):
    """Remove what :func:`write_volume` wrote as `path`, header first; nothing there is no fault."""
    Path(path).unlink(missing_ok=True)
    for suffix in ('.raw', '.1.raw'):
        Path(path).with_suffix(suffix).unlink(missing_ok=True)


def data_file(path):
    """The file that holds the voxels of a MetaImage header."""
    match = re.search(r'^ElementDataFile\s*=\s*(.+?)\s*$', Path(path).read_text(errors='replace'), re.MULTILINE)
    return Path(path).parent / match[1] if match else None


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
