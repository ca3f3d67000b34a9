"""The geometry that the synthetic heads of ``util/phantom.py`` are made of: a grid in mm, shapes, noise and folds.

A shape is given by its *inner distance*: an array over the grid, in mm, positive inside, zero on the surface, and close
to the true distance near it. Unions, cuts and layers are then maxima, minima and sums, and :func:`coverage` turns the
distance into the share of a voxel that the shape fills, which is what a scanner's partial volume effect measures.
"""
import copy

import numpy
from scipy import ndimage
from scipy.interpolate import BSpline

# A cubic B-spline over white noise of variance 1 has variance (151/315)^3 on average over the volume.
_BSPLINE_STD = (151 / 315) ** 1.5


class Grid:
    """Where each voxel lies in the head, in mm: x to the left, y to the front, z upwards, 0 at the brain's middle.

    Args:
        size (tuple): voxels along x, y, z.
        field (tuple): field of view in mm along x, y, z.
        corner (tuple): mm of the outer corner of the first voxel, x, y, z.

    Attributes:
        spacing (tuple): voxel size in mm along x, y, z.
        voxel (float): the mean of the three spacings, mm.
        x, y, z (numpy.ndarray): float32 coordinates, broadcastable to ``shape``; ``move`` may make them full arrays.
        shape (tuple): voxels along z, y, x, as in the arrays.
    """

    def __init__(self, size, field, corner):
        self.shape = tuple(size[::-1])
        self.spacing = tuple(f / n for f, n in zip(field, size))
        self.voxel = sum(self.spacing) / 3
        self.corner = corner
        axes = [(c + (numpy.arange(n) + 0.5) * s).astype('float32') for c, n, s in zip(corner, size, self.spacing)]
        self.z, self.y, self.x = numpy.meshgrid(*axes[::-1], indexing='ij', sparse=True)

    def move(self, rotation, scale, shift):
        """Pose and warp the head: coordinates become ``rotation @ (p + shift) / scale``, all in x, y, z order.

        Args:
            rotation (numpy.ndarray): (3, 3).
            scale (numpy.ndarray): (3,).
            shift (list): three arrays in mm that broadcast to the grid's shape.
        """
        p = [a + s for a, s in zip((self.x, self.y, self.z), shift)]
        self.x, self.y, self.z = (
            sum(numpy.float32(r) * a for r, a in zip(row, p)) / numpy.float32(s) for row, s in zip(rotation, scale))

    def crop(self, mask, margin=3):
        """The part of the grid that holds a mask, and its place in the whole.

        Args:
            mask (numpy.ndarray): bool (z, y, x).
            margin (int): voxels kept around it.

        Returns:
            tuple: a Grid, whose ``noise`` is not a part of this grid's, and the three slices.
        """
        found = ndimage.find_objects(mask.astype('uint8'))[0]
        box = tuple(slice(max(0, s.start - margin), min(n, s.stop + margin)) for s, n in zip(found, self.shape))
        part = copy.copy(self)
        part.x, part.y, part.z = (numpy.broadcast_to(a, self.shape)[box] for a in (self.x, self.y, self.z))
        part.shape = part.x.shape
        return part, box

    def noise(self, rng, wavelength):
        """Smooth Gaussian noise fixed to the field of view: mean 0, variance 1, nothing finer than ``wavelength`` mm.

        The random lattice depends on the field of view and the wavelength only, so that a subject keeps its shape on a
        finer grid.
        """
        step = wavelength / 2
        lines = [numpy.arange(n) * (s / step) + s / (2 * step) for n, s in zip(self.shape, self.spacing[::-1])]
        field = rng.standard_normal([int(line[-1]) + 4 for line in lines]).astype('float32')
        # One axis at a time, four taps each: each pass moves the finished axis to the end.
        for line in lines:
            knots = numpy.arange(-3, len(field) + 1)
            taps = BSpline.design_matrix(line, knots, 3).astype('float32')
            field = (taps @ field.reshape(len(field), -1)).reshape(len(line), *field.shape[1:])
            field = numpy.ascontiguousarray(numpy.moveaxis(field, 0, -1))
        return field / numpy.float32(_BSPLINE_STD)


def band_noise(rng, wavelength, x, y, z):
    """Band-limited noise of one wavelength at given places: its zero set is a labyrinth with steps of half of that.

    Args:
        rng (numpy.random.Generator): source of the noise.
        wavelength (float): mm.
        x, y, z (numpy.ndarray): places in mm, full arrays of one shape.

    Returns:
        numpy.ndarray: float32, variance about 1, periodic over 64 / 6 wavelengths.
    """
    n, steps = 64, 6
    k = numpy.meshgrid(numpy.fft.fftfreq(n), numpy.fft.fftfreq(n), numpy.fft.rfftfreq(n), indexing='ij')
    ring = numpy.exp(-0.5 * ((numpy.sqrt(sum(a * a for a in k)) * steps - 1) / 0.22) ** 2)
    lattice = numpy.fft.irfftn(numpy.fft.rfftn(rng.standard_normal((n, n, n))) * ring, s=(n, n, n), axes=(0, 1, 2))
    lattice = (lattice / lattice.std()).astype('float32')
    places = numpy.stack([z, y, x]) * numpy.float32(steps / wavelength)
    return ndimage.map_coordinates(lattice, places, order=3, mode='grid-wrap', output='float32')


def coverage(distance, width):
    """Share of each voxel inside a shape, 0 to 1, from its inner distance: a smooth step ``width`` mm wide.

    The cubic ramp is close to a box-shaped voxel seen through a scanner's point spread.
    """
    t = numpy.clip(distance / numpy.float32(width) + numpy.float32(0.5), 0, 1)
    return t * t * (3 - 2 * t)


def ellipsoid(grid, centre, radii, mirror=False):
    """Inner distance (first order) of an axis-parallel ellipsoid, mm; ``mirror`` makes its left-right twin as well."""
    x = numpy.abs(grid.x) if mirror else grid.x
    p = [a - numpy.float32(c) for a, c in zip((x, grid.y, grid.z), centre)]
    near = numpy.sqrt(sum((a / numpy.float32(r)) ** 2 for a, r in zip(p, radii)))
    slope = numpy.sqrt(sum((a / numpy.float32(r * r)) ** 2 for a, r in zip(p, radii)))
    return (1 - near) * near / numpy.maximum(slope, numpy.float32(1e-6))


def tube(grid, points, radii, mirror=False):
    """Inner distance of a chain of round cones through ``points`` (mm, x, y, z) with ``radii`` (mm)."""
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
    """Union of two inner distances whose seam is rounded over ``k`` mm (quadratic smooth maximum)."""
    h = numpy.maximum(numpy.float32(k) - numpy.abs(a - b), 0)
    return numpy.maximum(a, b) + h * h / numpy.float32(4 * k)


def over(amount):
    """What is above zero: ``max(amount, 0)``."""
    return numpy.maximum(amount, 0)


def to_zero_set(field, spacing):
    """Distance in mm to where a field is zero, to first order: |f| / |grad f|.

    Args:
        field (numpy.ndarray): (z, y, x).
        spacing (tuple): mm along x, y, z.
    """
    slope = numpy.sqrt(sum(g * g for g in numpy.gradient(field, *spacing[::-1])))
    # Where the field is nearly flat, the quotient would be far too large or undefined.
    return numpy.abs(field) / numpy.maximum(slope, numpy.float32(0.35) * slope.mean())
