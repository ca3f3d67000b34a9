"""Degradations as matrices, one an axis: so a part of an LR volume can be made of a part of an HR volume."""
import numpy

from models.product import along_axes
from util.volumes.degradation import DEGRADATIONS, sampling_of
from util.volumes.geometry import hr_volume_geometry
from util.volumes.interpolation import interpolation_matrix
from util.volumes.volume import Volume

NEGLIGIBLE = 1e-6  # weights below it are left out: a row of them sums to 1, and float32 has seven digits


def degradation_matrix(n, r, offset, name, **settings):
    """What one axis of an HR volume is multiplied by.

    It is made by degrading the unit vectors, so borders are what the degradation itself makes of them. Where LR voxels
    are to lie elsewhere than the degradation puts them (:func:`util.volumes.degradation.sampling_of`), the volume is
    moved by the difference first, with an interpolating cubic B-spline, mirrored at the borders. Its weights fall by
    3.7 from voxel to voxel and never end: beyond about ten voxels they are below :data:`NEGLIGIBLE`.

    Args:
        n (int): HR voxels along the axis, a multiple of r.
        r (int): HR voxels per LR voxel; 1: the axis is left as it is.
        offset (float): HR index of the centre of LR voxel 0.
        name (str): A name of :data:`util.volumes.degradation.DEGRADATIONS`.
        settings: Those of the name.

    Returns:
        numpy.ndarray: (n / r, n), float32: LR values from HR values; what was negligible is 0.
    """
    if r == 1:
        return numpy.eye(n, dtype=numpy.float32)
    matrix = DEGRADATIONS[name].along_axis(numpy.eye(n), 0, r, **settings)
    own = sampling_of(name, (r, r, r)).offset[0]
    if offset != own:
        matrix = matrix @ interpolation_matrix(n, 1, own - offset, 'bspline')
    return _without_negligible(matrix)


def blur_matrix(n, fwhm):
    """A Gaussian mean along an axis, as that of the degradation ``gaussian``, for each of its voxels.

    Args:
        n (int): Voxels along the axis.
        fwhm (float): Full width at half maximum, in voxels, above 0.

    Returns:
        numpy.ndarray: (n, n), float32; what was negligible is 0.
    """
    return _without_negligible(DEGRADATIONS['gaussian'].along_axis(numpy.eye(n), 0, 1, fwhm=fwhm))


def _without_negligible(matrix):
    return numpy.where(numpy.abs(matrix) < NEGLIGIBLE, 0, matrix).astype(numpy.float32)


def columns_of(matrix):
    """The columns that each row of a matrix needs: all but the zeros at its ends.

    Args:
        matrix (numpy.ndarray): (m, n), no row of zeros alone.

    Returns:
        (numpy.ndarray, numpy.ndarray): First column and the one after the last, both (m,), int.
    """
    needed = matrix != 0
    return needed.argmax(axis=1), matrix.shape[1] - needed[:, ::-1].argmax(axis=1)


def on_grid(hr, lr, here, there):
    """An HR volume on the grid of another sampling, by an interpolating cubic B-spline.

    Args:
        hr (~util.volumes.volume.Volume): Of the LR volume, as a sampling has it.
        lr (~util.volumes.volume.Volume): The LR volume.
        here (~util.volumes.sampling.Sampling): That sampling.
        there (~util.volumes.sampling.Sampling): The one that is wanted, of the same rate.

    Returns:
        ~util.volumes.volume.Volume: float32; beyond the old grid's ends as at them.
    """
    matrices = [interpolation_matrix(n, 1, wanted - offset, 'bspline').astype(numpy.float32)
                for n, offset, wanted in zip(hr.size, here.offset, there.offset)]
    return Volume(along_axes(hr.array, matrices), *hr_volume_geometry(lr, there))
