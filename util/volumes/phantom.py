"""Synthetic T1-weighted heads. They are the demo cohort, so that the whole experiment runs without a download.

They hold no anatomy of a real person. A head is a set of shapes in mm (``util/volumes/phantom_shapes.py``): scalp,
skull, CSF, a folded ribbon of grey matter around white matter, ventricles, deep grey matter, cerebellum with folia,
brain stem, eyes and vessels. Each subject has its own size, pose, folds and contrast.

Intensities follow 3D T1-weighted gradient-echo scans: white matter near 80, cortex at about 0.6 of that, CSF at about
0.2 of it. A smooth coil bias comes on top, then Rician noise, which is the magnitude of complex Gaussian noise.

Source of the noise: H. Gudbjartsson and S. Patz, "The Rician distribution of noisy MRI data", Magn Reson Med 34:910,
1995.
"""
from collections import namedtuple

import nibabel
import numpy
from scipy.interpolate import make_interp_spline
from scipy.spatial.transform import Rotation

from util.volumes.phantom_shapes import Grid, band_noise, blend, coverage, ellipsoid, over, to_zero_set, tube

FIELD = (160.0, 216.0, 216.0)  # mm along x, y, z
# mm, in coordinates of the head: the brain lies high in the field, and the neck leaves it below.
CORNER = (-80.0, -103.0, -128.0)
MIN_SIZE, MAX_SIZE = 24, 320
TISSUES = ('air', 'skin', 'fat', 'muscle', 'skull', 'marrow', 'csf', 'grey', 'white', 'deep grey', 'vessel', 'eye')
# mm. Folds and layers have their natural width at this voxel size. On coarser grids they are widened to nearly as many
# voxels, so that super-resolution meets a similar task there.
_FINE_VOXEL = 1.15

Head = namedtuple('Head', 'volume labels spacing white noise')


def make_head(size, seed, subject):
    """Make one synthetic head.

    The same arguments give the same bits, however many other heads are made. With other versions of NumPy or SciPy one
    voxel in a million may differ, by one intensity level.

    Args:
        size ((int, int, int)): Voxels along x, y, z, each from 24 to 320.
        seed (int): Seed of the cohort, 0 or above.
        subject (int): Number of the subject in the cohort, 0 or above.

    Returns:
        Head: ``volume``: int16, (z, y, x). ``labels``: uint8, (z, y, x), index in ``TISSUES`` of what fills most of
        the voxel. ``spacing``: mm along x, y, z. ``white``: intensity of white matter. ``noise``: sigma of the noise,
        in units of intensity.

    Raises:
        ValueError: If a size is out of range.

    Example:
        >>> from util.volumes.phantom import make_head
        >>> head = make_head((24, 27, 30), seed=0, subject=0)
        >>> head.volume.shape, head.spacing[1]
        ((30, 27, 24), 8.0)
    """
    if len(size) != 3 or not all(MIN_SIZE <= n <= MAX_SIZE for n in size):
        raise ValueError(f'size {tuple(size)} (x, y, z) cannot hold a head: give three numbers from {MIN_SIZE} to '
                         f'{MAX_SIZE}, as 80 96 96')
    # A stream for each part, so that a subject keeps its pose, bias and contrast when it is drawn on another grid.
    streams = (numpy.random.default_rng(s) for s in numpy.random.SeedSequence(seed, spawn_key=(subject,)).spawn(9))
    grid = Grid(size, FIELD, CORNER)
    detail = max(1.0, grid.voxel / _FINE_VOXEL)
    # Coils see less of what lies low.
    bias = 0.1 * grid.noise(next(streams), 160) - 0.0016 * over(-40 - grid.z)
    bias = numpy.exp(bias - bias.mean())
    canvas = _Canvas(grid, _contrast(next(streams)))
    _pose(next(streams), grid)
    rng = next(streams)
    # Tissue is never flat: its texture reaches down to the voxel, as in real scans.
    texture = 0.7 * grid.noise(rng, 7 * detail) + grid.noise(rng, 2.6 * grid.voxel)

    cerebellum = ellipsoid(grid, (0, -50, -42), (50, 31, 25))
    cerebrum = _cerebrum_hull(grid, cerebellum)
    stem = tube(grid, [(0, -14, -14), (0, -17, -34), (0, -27, -60), (0, -36, -150)], (14, 12, 7.5, 6))
    inner = blend(blend(cerebrum, cerebellum, 12), numpy.minimum(stem, grid.z + 66), 12)
    _outside(next(streams), grid, canvas, inner, texture, detail)
    _brain(next(streams), grid, canvas, cerebrum, texture, detail)
    _cerebellum(next(streams), grid, canvas, cerebellum, stem, detail)
    _vessels(next(streams), grid, canvas)

    rng = next(streams)
    sigma = rng.uniform(1.3, 1.5)
    signal = canvas.image * bias
    noisy = numpy.hypot(signal + sigma * rng.standard_normal(grid.shape, 'float32'),
                        sigma * rng.standard_normal(grid.shape, 'float32'))
    volume = numpy.clip(numpy.rint(noisy), 0, 32767).astype('int16')
    return Head(volume, canvas.labels, grid.spacing, canvas.level['white'], sigma)


def head_image(head):
    """Make a NIfTI image of a head, placed as scanners place it.

    NIfTI's axes point to the right, the front and up. The array's x runs to the left, so the affine turns it.

    Args:
        head (Head): From :func:`make_head`.

    Returns:
        nibabel.Nifti1Image: int16, (x, y, z), with its affine in mm.
    """
    first = [c + s / 2 for c, s in zip(CORNER, head.spacing)]
    affine = numpy.diag([-head.spacing[0], head.spacing[1], head.spacing[2], 1.0])
    affine[:3, 3] = -first[0], first[1], first[2]
    image = nibabel.Nifti1Image(head.volume.T, affine)
    image.set_sform(affine, code='scanner')
    image.set_qform(affine, code='scanner')
    image.header.set_xyzt_units('mm')
    return image


class _Canvas:
    """The noise-free image and its labels. Each tissue covers what lies there, by the share that it fills of a voxel.

    Args:
        grid (Grid): Where the voxels lie.
        level (dict): Intensity per tissue.
    """

    def __init__(self, grid, level):
        self.image = numpy.zeros(grid.shape, 'float32')
        self.labels = numpy.zeros(grid.shape, 'uint8')
        self.level = level
        self.width = 1.6 * grid.voxel

    def lay(self, tissue, inner, box=..., gain=1.0):
        """Lay a tissue over what is there.

        Args:
            tissue (str): One of ``TISSUES``.
            inner (numpy.ndarray): Inner distance of its shape in mm, (z, y, x) of the box.
            box (tuple of slice): Part of the image that ``inner`` covers, (z, y, x); by default all of it.
            gain (float or numpy.ndarray): Factor on the intensity, (z, y, x) of the box.
        """
        share = coverage(inner, self.width)
        image, labels = self.image[box], self.labels[box]
        image += share * (numpy.float32(self.level[tissue]) * gain - image)
        labels[share > 0.5] = TISSUES.index(tissue)


def _contrast(rng):
    """Intensity per tissue for one subject; its ratios to white matter are those of T1-weighted scans."""
    white = rng.uniform(72, 88)
    ratio = {'air': 0, 'skin': rng.uniform(0.4, 0.55), 'fat': rng.uniform(0.72, 0.98),
             'muscle': rng.uniform(0.38, 0.46), 'skull': rng.uniform(0.06, 0.1), 'marrow': rng.uniform(0.3, 0.55),
             'csf': rng.uniform(0.16, 0.22),
             'grey': rng.uniform(0.54, 0.63), 'white': 1, 'deep grey': rng.uniform(0.72, 0.8),
             'vessel': rng.uniform(2.6, 3.8), 'eye': rng.uniform(0.16, 0.22)}
    return {name: white * value for name, value in ratio.items()}


def _pose(rng, grid):
    """Give the subject its size, pose and smooth distortion."""
    rotation = Rotation.from_euler('xyz', rng.normal(0, 3, 3), degrees=True).as_matrix()
    scale = rng.uniform(0.93, 1.0) * rng.uniform(0.97, 1.03, 3)
    shift = [2.0 * grid.noise(rng, 75) + numpy.float32(rng.normal(0, 1.5)) for _ in range(3)]
    grid.move(rotation, scale, shift)


def _cerebrum_hull(grid, cerebellum):
    """Inner distance of the cerebrum without its folds: an egg with a flat base, and two temporal lobes."""
    # The front is narrower than the back.
    egg = ellipsoid(grid, (0, -4, 6), (59, 80, 57)) - 5 * coverage(grid.y - 45, 80)
    base = grid.z + 17 + 0.1 * grid.y
    dome = -blend(-egg, -base, 14)
    lobes = ellipsoid(grid, (41, 6, -27), (19, 36, 18), mirror=True)
    return numpy.minimum(blend(dome, lobes, 10), -2.5 - cerebellum)


def _outside(rng, grid, canvas, inner, texture, detail):
    """Everything around the brain: skin, fat, muscle, skull, CSF up to the skull, eyes and airways."""
    skull = (5.4 + 0.9 * grid.noise(rng, 45)) * detail ** 0.4 + 0.05 * over(-30 - grid.z)
    scalp = (4.2 + 0.7 * grid.noise(rng, 60)) * detail ** 0.4
    csf = inner + (1.5 + 0.4 * grid.noise(rng, 50))
    vault = csf + skull
    face = blend(ellipsoid(grid, (0, 45, -62), (56, 45, 62)), ellipsoid(grid, (0, 88, -50), (13, 14, 20)), 14)
    neck = tube(grid, [(0, -22, -60), (0, -32, -160)], (58, 54))
    head = blend(blend(vault + scalp, face, 25), neck, 25)

    canvas.lay('skin', head)
    canvas.lay('fat', head - 1.4 * detail ** 0.4, gain=1 + 0.1 * texture)
    # Below the vault, muscles lie between sheets of fat: the zero set of coarse noise.
    sheets = to_zero_set(grid.noise(rng, 26 * detail) + 0.5 * grid.noise(rng, 10 * detail), grid.spacing)
    patches = over(grid.noise(rng, 14 * detail))
    canvas.lay('fat', head - scalp - 1.5, gain=0.75 + 0.1 * texture)
    canvas.lay('muscle', numpy.minimum(head - scalp - 1.5, sheets - 0.7 * detail),
               gain=1 + 0.15 * texture + 0.3 * patches)
    spine = tube(grid, [(0, -12, -82), (0, -18, -160)], (8.5, 9))
    canvas.lay('skull', spine + 2)
    canvas.lay('marrow', numpy.minimum(spine, 7 - 17 * numpy.abs(grid.z / 17 - numpy.rint(grid.z / 17))), gain=1.2)
    canvas.lay('skull', vault)
    diploe = numpy.minimum(vault - 0.32 * skull, 0.66 * skull - vault) + 0.6 * grid.noise(rng, 15) * detail ** 0.4
    canvas.lay('marrow', diploe - 0.4)

    for centre, radii, mirror in (((0, 66, -48), (9, 24, 22), False), ((26, 62, -52), (12, 14, 14), True),
                                  ((0, 30, -78), (8, 9, 30), False), ((11, 74, -8), (8, 5, 8), True)):
        canvas.lay('air', numpy.minimum(ellipsoid(grid, centre, radii, mirror), numpy.minimum(sheets - 1, head - 6)))
    for centre, radii, tissue in (((32, 55, -24), (17, 24, 16), 'fat'), ((32, 68, -24), (12.5, 12.5, 12.5), 'skull'),
                                  ((32, 68, -24), (11.7, 11.7, 11.7), 'eye'),
                                  ((32, 77.5, -24), (4.5, 2.2, 4.5), 'muscle')):
        canvas.lay(tissue, numpy.minimum(ellipsoid(grid, centre, radii, mirror=True), -csf - 1.5))
    canvas.lay('muscle', tube(grid, [(32, 57, -24), (8, 25, -16)], (2.2, 2.0), mirror=True))
    canvas.lay('csf', csf)


def _brain(rng, whole, canvas, cerebrum, texture, detail):
    """The cerebrum: cortex around sulci, white matter, ventricles and deep grey matter."""
    grid, box = whole.crop(cerebrum > -4)
    hull, texture = cerebrum[box], texture[box]
    side = numpy.abs(grid.x)
    core = ellipsoid(grid, (0, -6, 4), (37, 38, 25))

    # Each fissure is a sheet. The terms with `over` measure how far a voxel lies beyond the sheet's edge.
    midline = numpy.hypot(grid.x, over(core))
    slope = grid.z + 5 + 0.32 * grid.y
    sylvian = numpy.sqrt(slope ** 2 + over(33 - side) ** 2 + over(numpy.abs(grid.y - 2) - 36) ** 2)
    insula = numpy.sqrt((side - 35) ** 2 + over(numpy.abs(slope) - 8) ** 2 + over(numpy.abs(grid.y - 4) - 20) ** 2)
    fissures = numpy.minimum(midline - 0.4 * detail, numpy.minimum(sylvian, insula) - 0.7 * detail ** 0.5)
    depth = numpy.minimum(hull, fissures)

    # Sulci are sheets that go straight down. So the noise is read at places stretched along the radius of a hemisphere.
    p = [(side - 30) / 34, (grid.y + 4) / 80, (grid.z - 6) / 56]
    radius = numpy.sqrt(sum(a * a for a in p)) + numpy.float32(1e-3)
    reach = numpy.float32(0.4) + numpy.float32(0.6) / radius
    pitch = 20.0 * detail ** 1.0
    field = band_noise(rng, pitch, numpy.sign(grid.x) * (30 + 34 * p[0] * reach), 80 * p[1] * reach, 56 * p[2] * reach)
    field += numpy.float32(0.35) * band_noise(rng, 0.6 * pitch, grid.x, grid.y, grid.z)
    reach = (16 + 5 * grid.noise(rng, 40)) * detail ** 0.4
    gap = (0.4 + 0.3 * grid.noise(rng, 30)) * detail * (1 - 0.5 * numpy.clip(depth / 20, 0, 1))
    sulci = numpy.hypot(to_zero_set(field, grid.spacing), over(numpy.maximum(depth - reach, core + 3)))
    pial = numpy.minimum(depth, sulci - over(gap))

    thick = (2.9 + 0.35 * grid.noise(rng, 35)) * detail ** 0.6
    canvas.lay('csf', numpy.minimum(hull + 1.5, -pial + 3), box)
    canvas.lay('grey', pial, box, 1 + 0.05 * texture)
    # Fibres fan out into the cortex, so its inner edge is softer than the outer one.
    canvas.lay('white', (pial - thick) / 1.6, box, 1 + 0.024 * texture)
    _deep(rng, grid, canvas, box)


def _deep(rng, grid, canvas, box):
    """Thalamus, caudate, putamen, pallidum, hippocampus and the ventricles."""
    def lay(tissue, inner, gain=1.0):
        canvas.lay(tissue, inner, box, gain)

    lay('deep grey', ellipsoid(grid, (26, 4, 1), (6, 17, 12), mirror=True))
    lay('white', ellipsoid(grid, (19.5, 0, 0), (4.5, 10, 8), mirror=True), 0.9)
    lay('grey', tube(grid, [(20, 2, -20), (27, -14, -17), (25, -30, -5)], (6.5, 4.5, 3.5), mirror=True), 1.05)
    size = rng.uniform(0.75, 1.35)
    horns = [(8, 33, 6), (7, 20, 13), (8, -8, 19), (22, -36, 12), (31, -18, -9), (32, 0, -17)]
    ventricle = tube(grid, horns, [size * r for r in (2.5, 4.5, 4.0, 5.5, 2.2, 1.4)], mirror=True)
    ventricle = numpy.maximum(ventricle, tube(grid, [(22, -36, 12), (22, -58, 8)], (4 * size, 1.2), mirror=True))
    ventricle = numpy.maximum(ventricle, ellipsoid(grid, (9, 8, 15), (8 * size, 26, 5.5 * size), mirror=True))
    lay('csf', numpy.minimum(ventricle, numpy.abs(grid.x) - 0.4))
    # These two bulge into the ventricles, which gives them their wings.
    lay('deep grey', ellipsoid(grid, (11, -15, 4), (9, 14, 9), mirror=True), 1.08)
    lay('deep grey', tube(grid, [(14, 24, 5), (16, 6, 12), (20, -20, 18)], (6.5, 5, 2.5), mirror=True))
    lay('csf', ellipsoid(grid, (0, -8, 0), (1.8 * size, 13, 9)))


def _cerebellum(rng, whole, canvas, cerebellum, stem, detail):
    """Cerebellum, whose folia run from left to right around its middle, and the brain stem."""
    grid, box = whole.crop(numpy.maximum(cerebellum, stem) > -4)
    hull, stem = cerebellum[box], stem[box]
    # Fissures fan out from the front of the cerebellum; more of them are shallow than deep.
    up, back = grid.z + 42, -(grid.y + 24)
    angle, far = numpy.arctan2(up, back), numpy.hypot(up, back)
    wobble = 0.16 * grid.noise(rng, 30)
    pial = hull
    for pitch, reach, gap in ((13.0, 20.0, 0.5), (5.0, 8.0, 0.25)):
        field = numpy.sin((angle + wobble) * numpy.float32(numpy.pi * 42 / (pitch * detail ** 0.8)))
        beyond = over(numpy.maximum(hull - reach * detail ** 0.4, 16 - far))
        sheet = numpy.hypot(to_zero_set(field, grid.spacing), beyond)
        pial = numpy.minimum(pial, sheet - gap * detail)
    canvas.lay('csf', hull + 2, box)
    canvas.lay('grey', pial, box)
    canvas.lay('white', pial - 1.7 * detail ** 0.5, box, 0.97)
    canvas.lay('csf', numpy.minimum(stem + 2.5, -22 - grid.z), box)
    canvas.lay('white', stem, box, 0.9)
    canvas.lay('csf', ellipsoid(grid, (0, -31, -36), (6, 4, 9)), box)


def _vessels(rng, whole, canvas):
    """Arteries, which inflow makes bright."""
    wiggle = rng.normal(0, 2.0, (6, 3))
    carotid = [(24, -4, -135), (23, -2, -90), (20, 4, -55), (12, 12, -32), (10, 16, -22)]
    middle = [(10, 16, -20), (22, 14, -18), (34, 12, -9), (40, 4, -6), (44, -12, 0), (48, -28, 6)]
    front = [(2, 34, -12), (2, 44, 8), (2, 36, 34), (2, 10, 41)]
    basilar = [(0, -14, -66), (0, -4, -46), (0, -2, -28), (0, -6, -16)]
    for points, radii, mirror, gain in ((carotid, (2.8, 2.8, 2.6, 2.4, 2.0), True, 1.0),
                                        (middle, (1.7, 1.5, 1.3, 1.2, 1.0, 0.8), True, 0.9),
                                        (front, (1.3, 1.2, 1.0, 0.8), False, 0.8),
                                        (basilar, (1.6, 1.8, 1.8, 1.5), False, 0.85)):
        course = make_interp_spline(range(len(points)), numpy.add(points, wiggle[:len(points)]), k=2)
        at = numpy.linspace(0, len(points) - 1, 3 * len(points))
        vessel = tube(whole, course(at).tolist(), numpy.interp(at, range(len(radii)), radii), mirror)
        canvas.lay('vessel', vessel, gain=gain)
