"""The geometry of the synthetic heads of ``util/volumes/phantom.py``: a grid in mm, shapes, noise and folds.

A shape is given by its *inner distance*, an array over the grid in mm. It is positive inside, zero on the surface, and
close to the true distance near the surface. A union is then a maximum, a cut a minimum, and a layer a sum.

:func:`coverage` turns the distance into the share of a voxel that the shape fills. That share is the partial volume
which a scanner measures.
"""
import copy

import numpy
from scipy import ndimage
from scipy.interpolate import BSpline

# A cubic B-spline over white noise of variance 1 has variance (151/315)^3 on average over the volume.
_BSPLINE_STD = (151 / 315) ** 1.5


class Grid:
    """Where each voxel lies in the head, in mm: x to the left, y to the front, z up, 0 at the middle of the brain.

    Args:
        size ((int, int, int)): Voxels along x, y, z.
        field ((float, float, float)): Field of view along x, y, z, mm.
        corner ((float, float, float)): Outer corner of the first voxel, x, y, z, mm.

    Attributes:
        shape ((int, int, int)): Voxels along z, y, x, as in arrays.
        spacing ((float, float, float)): Voxel size along x, y, z, mm.
        voxel (float): Mean of the three spacings, mm.
        corner ((float, float, float)): As given.
        x, y, z (numpy.ndarray): Coordinates in mm, float32. They broadcast to ``shape``; after `move` they may be full
            arrays.

    Example:
        >>> from util.volumes.phantom_shapes import Grid
        >>> grid = Grid((4, 3, 2), (8.0, 6.0, 6.0), (-4.0, -3.0, -3.0))
        >>> grid.shape, grid.spacing, grid.x.ravel().tolist()
        ((2, 3, 4), (2.0, 2.0, 3.0), [-3.0, -1.0, 1.0, 3.0])
    """

    def __init__(self, size, field, corner):
        self.shape = tuple(size[::-1])
        self.spacing = tuple(f / n for f, n in zip(field, size))
        self.voxel = sum(self.spacing) / 3
        self.corner = corner
        axes = [(c + (numpy.arange(n) + 0.5) * s).astype('float32') for c, n, s in zip(corner, size, self.spacing)]
        self.z, self.y, self.x = numpy.meshgrid(*axes[::-1], indexing='ij', sparse=True)

    def move(self, rotation, scale, shift):
        """Pose and warp the head: coordinates p become ``rotation @ (p + shift) / scale``, all in the order x, y, z.

        Args:
            rotation (numpy.ndarray): Rotation matrix, (3, 3).
            scale (numpy.ndarray): Size of the head along each axis, (3,); 1 keeps it.
            shift (list of numpy.ndarray): Shift along each axis in mm, three arrays that broadcast to ``shape``.
        """
        p = [a + s for a, s in zip((self.x, self.y, self.z), shift)]
        self.x, self.y, self.z = (
            sum(numpy.float32(r) * a for r, a in zip(row, p)) / numpy.float32(s) for row, s in zip(rotation, scale))

    def crop(self, mask, margin=3):
        """Cut out the part of the grid that holds a mask.

        Args:
            mask (numpy.ndarray): bool, (z, y, x), True somewhere.
            margin (int): Voxels kept around the mask, as far as the grid reaches.

        Returns:
            (Grid, tuple of slice): The part, and its place in the whole, (z, y, x). The part's ``noise`` is not a part
            of the whole grid's.
        """
        found = ndimage.find_objects(mask.astype('uint8'))[0]
        box = tuple(slice(max(0, s.start - margin), min(n, s.stop + margin)) for s, n in zip(found, self.shape))
        part = copy.copy(self)
        part.x, part.y, part.z = (numpy.broadcast_to(a, self.shape)[box] for a in (self.x, self.y, self.z))
        part.shape = part.x.shape
        return part, box

    def noise(self, rng, wavelength):
        """Smooth Gaussian noise, fixed to the field of view: mean 0, variance 1, nothing finer than ``wavelength``.

        The random lattice depends on the field of view and the wavelength alone. So a subject keeps its shape on a
        finer grid.

        Args:
            rng (numpy.random.Generator): Source of the noise.
            wavelength (float): mm.

        Returns:
            numpy.ndarray: float32, (z, y, x).
        """
        step = wavelength / 2
        lines = [numpy.arange(n) * (s / step) + s / (2 * step) for n, s in zip(self.shape, self.spacing[::-1])]
        field = rng.standard_normal([int(line[-1]) + 4 for line in lines]).astype('float32')
        # Axis by axis, since four taps along each are far fewer than 64 for all; a finished axis moves to the end.
        for line in lines:
            knots = numpy.arange(-3, len(field) + 1)
            taps = BSpline.design_matrix(line, knots, 3).astype('float32')
            field = (taps @ field.reshape(len(field), -1)).reshape(len(line), *field.shape[1:])
            field = numpy.ascontiguousarray(numpy.moveaxis(field, 0, -1))
        return field / numpy.float32(_BSPLINE_STD)


def band_noise(rng, wavelength, x, y, z):
    """Noise of about one wavelength, at given places.

    Its zero set is a labyrinth of sheets half a wavelength apart.

    Args:
        rng (numpy.random.Generator): Source of the noise.
        wavelength (float): mm.
        x (numpy.ndarray): Coordinates of the places along x, mm; any shape.
        y (numpy.ndarray): The same along y, a full array of the shape of ``x``.
        z (numpy.ndarray): The same along z, a full array of the shape of ``x``.

    Returns:
        numpy.ndarray: float32, shape of ``x``; variance about 1, periodic over 64 / 6 wavelengths.
    """
    n, steps = 64, 6
    k = numpy.meshgrid(numpy.fft.fftfreq(n), numpy.fft.fftfreq(n), numpy.fft.rfftfreq(n), indexing='ij')
    ring = numpy.exp(-0.5 * ((numpy.sqrt(sum(a * a for a in k)) * steps - 1) / 0.22) ** 2)
    lattice = numpy.fft.irfftn(numpy.fft.rfftn(rng.standard_normal((n, n, n))) * ring, s=(n, n, n), axes=(0, 1, 2))
    lattice = (lattice / lattice.std()).astype('float32')
    places = numpy.stack([z, y, x]) * numpy.float32(steps / wavelength)
    return ndimage.map_coordinates(lattice, places, order=3, mode='grid-wrap', output='float32')


def coverage(distance, width):
    """Share of each voxel that lies inside a shape: a smooth step of its inner distance.

    The step is cubic. It is close to a box-shaped voxel seen through a scanner's point spread.

    Args:
        distance (numpy.ndarray): Inner distance in mm, any shape.
        width (float): Width of the step, mm.

    Returns:
        numpy.ndarray: From 0, outside, to 1, inside; shape and dtype of ``distance``.

    Example:
        >>> import numpy
        >>> from util.volumes.phantom_shapes import coverage
        >>> coverage(numpy.array([-1.0, -0.5, 0.0, 0.5, 1.0]), 2.0).tolist()
        [0.0, 0.15625, 0.5, 0.84375, 1.0]
    """
    t = numpy.clip(distance / numpy.float32(width) + numpy.float32(0.5), 0, 1)
    return t * t * (3 - 2 * t)


def ellipsoid(grid, centre, radii, mirror=False):
    """Inner distance of an ellipsoid with axes along x, y, z, to first order; 0 at its very centre.

    Args:
        grid (Grid): Where the voxels lie.
        centre ((float, float, float)): Centre, x, y, z, mm.
        radii ((float, float, float)): Half axes along x, y, z, mm.
        mirror (bool): Make its left-right twin as well; then the centre's x must not be negative.

    Returns:
        numpy.ndarray: mm, float32, (z, y, x).

    Example:
        >>> from util.volumes.phantom_shapes import Grid, ellipsoid
        >>> grid = Grid((6, 5, 5), (6.0, 5.0, 5.0), (-3.0, -2.5, -2.5))
        >>> ellipsoid(grid, (0, 0, 0), (2, 2, 2))[2, 2].tolist()
        [-0.5, 0.5, 1.5, 1.5, 0.5, -0.5]
    """
    x = numpy.abs(grid.x) if mirror else grid.x
    p = [a - numpy.float32(c) for a, c in zip((x, grid.y, grid.z), centre)]
    near = numpy.sqrt(sum((a / numpy.float32(r)) ** 2 for a, r in zip(p, radii)))
    slope = numpy.sqrt(sum((a / numpy.float32(r * r)) ** 2 for a, r in zip(p, radii)))
    return (1 - near) * near / numpy.maximum(slope, numpy.float32(1e-6))


def tube(grid, points, radii, mirror=False):
    """Inner distance of a chain of round cones, close to the true one where radii change slowly.

    Args:
        grid (Grid): Where the voxels lie.
        points (list of (float, float, float)): Middle line of the tube, x, y, z, mm; two points or more.
        radii (sequence of float): Radius at each point, mm.
        mirror (bool): Make its left-right twin as well; then no point's x must be negative.

    Returns:
        numpy.ndarray: mm, float32, (z, y, x).
    """
    x = numpy.abs(grid.x) if mirror else grid.x
    best = None
    for a, b, ra, rb in zip(points, points[1:], radii, radii[1:]):
        axis = [float(q - p) for p, q in zip(a, b)]
        p = [c - numpy.float32(o) for c, o in zip((x, grid.y, grid.z), a)]
        t = numpy.clip(sum(numpy.float32(v / sum(w * w for w in axis)) * c for v, c in zip(axis, p)), 0, 1)
        away = numpy.sqrt(sum((c - t * numpy.float32(v)) ** 2 for v, c in zip(axis, p)))
        inner = numpy.float32(ra) + t * numpy.float32(rb - ra) - away
        best = inner if best is None else numpy.maximum(best, inner)
    return best


def blend(a, b, k):
    """Union of two shapes with a rounded seam: a quadratic smooth maximum of their inner distances.

    Args:
        a (numpy.ndarray): Inner distance of one shape, mm.
        b (numpy.ndarray): Inner distance of the other, mm; it broadcasts with ``a``.
        k (float): Where the distances differ by less than this, in mm, the seam is rounded.

    Returns:
        numpy.ndarray: Inner distance of the union, mm.

    Example:
        >>> import numpy
        >>> from util.volumes.phantom_shapes import blend
        >>> blend(numpy.array([5.0, -9.0, 1.0]), numpy.array([-9.0, 5.0, 1.0]), 4).tolist()
        [5.0, 5.0, 2.0]
    """
    h = numpy.maximum(numpy.float32(k) - numpy.abs(a - b), 0)
    return numpy.maximum(a, b) + h * h / numpy.float32(4 * k)


def over(amount):
    """What lies above zero: ``max(amount, 0)``.

    Args:
        amount (numpy.ndarray): Any unit and shape.

    Returns:
        numpy.ndarray: Same unit, shape and dtype.
    """
    return numpy.maximum(amount, 0)


def to_zero_set(field, spacing):
    """Distance to where a field is zero, to first order: |f| / |grad f|.

    Args:
        field (numpy.ndarray): Any unit, (z, y, x).
        spacing ((float, float, float)): Voxel size along x, y, z, mm.

    Returns:
        numpy.ndarray: mm, (z, y, x), 0 or above.

    Example:
        A field that rises by 3 per mm along x:

        >>> import numpy
        >>> from util.volumes.phantom_shapes import to_zero_set
        >>> field = numpy.zeros((2, 2, 4)) + [-6.0, 0.0, 6.0, 12.0]
        >>> to_zero_set(field, (2.0, 2.0, 2.0))[0, 0].tolist()
        [2.0, 0.0, 2.0, 4.0]
    """
    slope = numpy.sqrt(sum(g * g for g in numpy.gradient(field, *spacing[::-1])))
    # Where the field is nearly flat, the quotient would be far too large, or undefined.
    return numpy.abs(field) / numpy.maximum(slope, numpy.float32(0.35) * slope.mean())
