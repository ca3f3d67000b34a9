"""Where the header of a NIfTI or Analyze file places its voxels.

Source: nibabel's manual, "Working with NIfTI images": the sform before the qform, and their codes.
"""
import io

import numpy
from nibabel.fileholders import FileHolder
from nibabel.spatialimages import HeaderDataError
from nibabel.spm2analyze import Spm2AnalyzeImage

from util.script import UserError, blaming, note
from util.volumes.affine import geometry_of_affine
from util.volumes.streams import check_end, first_bytes

_MAT_FILE = 1 << 16  # bytes; it holds a matrix or two
_MICROMETRE, _METRE = 3, 1  # codes of NIfTI's xyzt_units


def geometry_of_header(path, header, said, mat):
    """Where a file's voxels lie; what is odd about it is noted.

    Args:
        path (Path): The file, for the messages.
        header (nibabel header): Its header.
        said (list of (int, str)): What nibabel has put right in it, with how grave that is.
        mat (Path): Where SPM would keep the affine of an Analyze image.

    Returns:
        ~util.volumes.geometry.Geometry: The sform's, before the qform's.

    Raises:
        UserError: If it is no place that a volume can have.
    """
    affine = header.get_best_affine()
    sform = 'sform_code' in header and header['sform_code'] != 0
    if isinstance(header, Spm2AnalyzeImage.header_class):
        affine = _affine_of_mat_file(path, header, affine, mat)
    for level, message in said:
        if 'non-zero' in message and not sform:
            raise UserError(f'{path}: its voxels are 0 mm large along an axis (pixdim), and it has no sform')
        # the sform has the voxels' size as well; where SPM can map a file does not matter here
        if level >= 30 and 'vox offset' not in message and not ('pixdim' in message and sform):
            note(f'{path}: its header is not as it should be: {message}, as nibabel does')
    with blaming(path):
        geometry = geometry_of_affine(affine)
    if 'sform_code' in header and not sform and header['qform_code'] == 0:
        note(f'{path}: its header says not where its axes go (sform_code and qform_code are 0); x to the left, y to '
             'the front and z up are taken, as nibabel does')
    if sform and header['qform_code'] != 0:
        _note_distance(path, header, affine, min(geometry.spacing))
    if 'xyzt_units' in header:
        units = int(header['xyzt_units']) % 8
        if units in (_METRE, _MICROMETRE):
            note(f'{path}: its header says {"metres" if units == _METRE else "micrometres"}; its numbers are taken as '
                 'millimetres, as nibabel does')
    return geometry


def codes_of_header(header):
    """sform_code and qform_code for a volume that lies where the header says; `util.volumes.nifti.form_codes`."""
    if 'sform_code' not in header:
        return 1, 1
    sform, qform = int(header['sform_code']), int(header['qform_code'])
    if sform and qform:
        try:
            together = _distance(header, header.get_sform()) <= 0.1 * min(header.get_zooms()[:3])
        except (HeaderDataError, ValueError):  # a damaged qform
            together = False
        return sform, qform if together else sform
    return sform or qform or 1, qform or sform or 1


def _note_distance(path, header, affine, voxel):
    """Say so where the two places that a NIfTI header gives differ by more than a tenth of a voxel."""
    try:
        distance = _distance(header, affine)
    except (HeaderDataError, ValueError) as error:
        note(f'{path}: its qform is damaged ({" ".join(str(error).split())}); its sform is used')
        return
    if not distance <= 0.1 * voxel:
        note(f'{path}: its sform and its qform lie up to {distance:.3g} mm apart; the sform is used, as nibabel does')


def _distance(header, affine):
    """How far an affine and the header's qform lie apart, at the corner where it is most, in mm."""
    corners = numpy.indices((2, 2, 2)).reshape(3, 8) * numpy.reshape(header.get_data_shape()[:3], (3, 1)) - 0.5
    return numpy.linalg.norm((affine - header.get_qform())[:3] @ numpy.vstack([corners, numpy.ones(8)]), axis=0).max()


def _affine_of_mat_file(path, header, affine, mat):
    """SPM's affine of an Analyze image, in a MATLAB file beside it; nibabel reads that."""
    if not mat.is_file():
        return affine
    with blaming(path):
        content = first_bytes(mat, _MAT_FILE)
        check_end(mat, _MAT_FILE)
    files = {'header': io.BytesIO(header.binaryblock), 'image': io.BytesIO(), 'mat': io.BytesIO(content)}
    try:
        affine = Spm2AnalyzeImage.from_file_map({key: FileHolder(fileobj=file) for key, file in files.items()}).affine
        return numpy.asarray(affine, dtype=float).reshape(4, 4)
    except Exception as error:  # SciPy's reader of a damaged file raises anything
        words = ' '.join(str(error).split())
        raise UserError(f'{path}: {mat.name} beside it holds no affine of SPM: {words}') from None
