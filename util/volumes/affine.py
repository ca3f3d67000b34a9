"""Between an affine and spacing, origin and direction, and which of these are refused."""
import numpy

from util.script import UserError
from util.volumes.geometry import Geometry

# Unit vectors whose products are larger than this are no right angles. 0.001 is 0.06 degrees: what float32 and a
# quaternion lose is far below, what registration programs leave as a shear is far above.
SHEAR = 1e-3


def geometry_of_affine(affine):
    """Where the voxels of an affine lie, in this project's terms.

    Args:
        affine (numpy.ndarray): (4, 4), from voxel indices x, y, z to mm, RAS as nibabel has it.

    Returns:
        ~util.volumes.geometry.Geometry: LPS, as ITK has it: x and y point the other way.

    Raises:
        UserError: If it is not finite, an axis has no length, or the axes are not at right angles.
    """
    affine = numpy.asarray(affine, dtype=float)
    if not numpy.isfinite(affine).all():
        raise UserError('its place in space is not finite (NaN or infinite)')
    with numpy.errstate(over='ignore', under='ignore'):
        lps = numpy.diag([-1.0, -1.0, 1.0]) @ affine[:3] + 0.0  # no -0 in the headers
        spacing = numpy.linalg.norm(lps[:, :3], axis=0)
        with numpy.errstate(divide='ignore', invalid='ignore'):
            direction = lps[:, :3] / spacing
    geometry = Geometry(*(tuple(part.ravel().tolist()) for part in (spacing, lps[:, 3], direction)))
    check_geometry(geometry)
    return geometry


def affine_of_geometry(geometry):
    """The affine of where a volume's voxels lie: the inverse of :func:`geometry_of_affine`.

    Args:
        geometry (~util.volumes.volume.Volume or ~util.volumes.geometry.Geometry): LPS, as ITK has it.

    Returns:
        numpy.ndarray: (4, 4), from voxel indices x, y, z to mm, RAS as nibabel has it.
    """
    affine = numpy.eye(4)
    affine[:3, :3] = numpy.reshape(geometry.direction, (3, 3)) * geometry.spacing
    affine[:3, 3] = geometry.origin
    return numpy.diag([-1.0, -1.0, 1.0, 1.0]) @ affine + 0.0  # no -0 in the headers


def check_geometry(geometry):
    """Refuse a place in space that no scanner gives.

    Args:
        geometry (~util.volumes.volume.Volume or ~util.volumes.geometry.Geometry): Of a file, or what is to be written.

    Raises:
        UserError: If it is not finite, a spacing is not above 0, or the axes are not unit vectors at right angles.
    """
    spacing = numpy.asarray(geometry.spacing)
    if not (numpy.isfinite(spacing).all() and (spacing > 0).all()):
        raise UserError(f'its voxels are {_listed(spacing)} mm large; each must be a number above 0')
    if not (numpy.isfinite(geometry.origin).all() and numpy.isfinite(geometry.direction).all()):
        raise UserError('its place in space is not finite (NaN or infinite)')
    axes = numpy.reshape(geometry.direction, (3, 3))
    products = axes.T @ axes
    if not numpy.abs(products - numpy.eye(3)).max() <= SHEAR:
        raise UserError('its axes are sheared: they are not at right angles, or no unit vectors; resample it onto a '
                        f'right-angled grid first (products of its axes: {_listed(products[numpy.triu_indices(3)])})')


def _listed(values):
    return ' '.join(f'{value:.6g}' for value in values)
