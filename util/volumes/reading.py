"""Volumes from files: NIfTI-1, NIfTI-2, Analyze and MGH by nibabel; MetaImage, NRRD and DICOM series by SimpleITK."""
from pathlib import Path

from util.script import UserError
from util.volumes import itk
from util.volumes.streams import check_file, is_dicom, one_line
from util.volumes.volume import Volume, check_finite


def read_volume(path, dtype=None):
    """Read one finite 3D volume, of one or more channels.

    The channels are the components of a vector image, or the frames of a 4D file.

    Args:
        path (Path): A .nii, .hdr, .img, .mgh, .mgz (each with .gz or without), .mhd, .mha, .nrrd or .nhdr file, or a
            folder with the files of one DICOM series.
        dtype: NumPy type of the array; None keeps the type that the file has (after NIfTI's slope and intercept).

    Returns:
        Volume: Its array is (C, z, y, x).

    Raises:
        UserError: In one line that names the file, if it is missing, damaged, truncated, too long, complex, not 3D, not
            at right angles, or holds values that are not finite as float32 (the type of everything computed from it).
    """
    path = Path(path)
    suffix = path.suffix.lower() if path.suffix.lower() != '.gz' else path.with_suffix('').suffix.lower()
    with one_line(path):
        if path.is_dir():
            from util.volumes import dicom  # rarely needed
            return _volume(path, dtype, *dicom.read(path))
        check_file(path)
        if path.suffix.lower() in itk.FORMATS:
            return _volume(path, dtype, *itk.read(path))
        from util.volumes import nifti  # here, since nibabel takes a while, and the project's own files do without
        if suffix not in nifti.FORMATS and is_dicom(path):
            raise UserError(f'{path}: one file of a DICOM series; name the folder with all of them')
        if suffix not in nifti.FORMATS:
            raise UserError(f'{path}: not an image in a format that is read here: '
                            + ', '.join((*nifti.FORMATS, *itk.FORMATS)))
        return _volume(path, dtype, *nifti.read(path))


def form_codes(path):
    """NIfTI's sform_code and qform_code for a volume that is to lie where this one does.

    Args:
        path (Path): What :func:`read_volume` has read.

    Returns:
        (int, int): Those of a NIfTI file (`util.volumes.nifti.form_codes`), else 1, the scanner's space.
    """
    if path.is_dir() or path.suffix.lower() in itk.FORMATS:
        return 1, 1
    from util.volumes import nifti
    return nifti.form_codes(path)


def _volume(path, dtype, array, geometry):
    check_finite(path, array)
    return Volume(array if dtype is None else array.astype(dtype, copy=False), *geometry)
