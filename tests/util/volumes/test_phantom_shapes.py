"""Shapes, noise and folds against formulas."""
import numpy
import pytest

from util.volumes.phantom_shapes import Grid, band_noise, blend, coverage, ellipsoid, to_zero_set, tube


@pytest.fixture
def grid():
    return Grid((40, 44, 36), (80.0, 88.0, 108.0), (-40.0, -44.0, -54.0))


def spectrum(field, spacing):
    """Wave numbers in 1/mm and power of a field, flat."""
    k = numpy.meshgrid(*[numpy.fft.fftfreq(n, s) for n, s in zip(field.shape, spacing[::-1])], indexing='ij')
    power = numpy.abs(numpy.fft.fftn(field - field.mean())) ** 2
    return numpy.sqrt(sum(a * a for a in k)).ravel(), power.ravel()


def test_coordinates_are_voxel_centres_in_mm(grid):
    assert grid.shape == (36, 44, 40) and grid.spacing == (2.0, 2.0, 3.0)
    assert grid.x.ravel()[[0, -1]].tolist() == [-39, 39] and grid.z.ravel()[[0, -1]].tolist() == [-52.5, 52.5]


def test_a_sphere_has_its_exact_distance(grid):
    expected = 20 - numpy.sqrt((grid.x - 3) ** 2 + grid.y ** 2 + (grid.z + 2) ** 2)
    numpy.testing.assert_allclose(ellipsoid(grid, (3, 0, -2), (20, 20, 20)), expected, atol=1e-3)


def test_the_mirrored_shape_is_symmetric(grid):
    shape = ellipsoid(grid, (15, 2, 0), (8, 6, 9), mirror=True)
    numpy.testing.assert_array_equal(shape, shape[:, :, ::-1])
    left = grid.x.ravel() > 0
    numpy.testing.assert_array_equal(shape[:, :, left], ellipsoid(grid, (15, 2, 0), (8, 6, 9))[:, :, left])


def test_partial_volumes_add_up_to_the_volume_of_the_ellipsoid(grid):
    radii = (22, 30, 26)
    filled = coverage(ellipsoid(grid, (0.7, -0.4, 1.1), radii), 3.0).sum() * numpy.prod(grid.spacing)
    assert filled == pytest.approx(4 / 3 * numpy.pi * numpy.prod(radii), rel=0.01)


def test_coverage_rises_from_0_to_1_over_the_width():
    d = numpy.linspace(-3, 3, 61)
    share = coverage(d, 2.0)
    assert (numpy.diff(share) >= 0).all() and share[d <= -1].max() == 0 and share[d >= 1].min() == 1
    numpy.testing.assert_allclose(share + share[::-1], 1)


def test_a_tube_is_its_segments_distance(grid):
    a, b, r = numpy.array([-20.0, 5, -10]), numpy.array([15.0, -8, 20]), 6.0
    # Independent: the nearest of many points on the segment.
    points = a + numpy.linspace(0, 1, 400)[:, None] * (b - a)
    place = numpy.stack([v.ravel() for v in numpy.broadcast_arrays(grid.x, grid.y, grid.z)], 1)[::37]
    near = numpy.linalg.norm(place[:, None] - points, axis=2).min(1)
    numpy.testing.assert_allclose(tube(grid, [a, b], [r, r]).ravel()[::37], r - near, atol=0.02)


def test_a_tube_joins_its_segments_and_widens_between_its_points(grid):
    """On its middle line it is as deep as its radius there."""
    chain = tube(grid, [(-31, 1, 1.5), (1, 1, 1.5), (1, 33, 1.5)], [4, 8, 6])
    y, z = (int(numpy.flatnonzero(axis.ravel() == place)[0]) for axis, place in ((grid.y, 1), (grid.z, 1.5)))
    x = int(numpy.flatnonzero(grid.x.ravel() == 1)[0])
    along = (grid.x.ravel() > -31) & (grid.x.ravel() < 1)
    numpy.testing.assert_allclose(chain[z, y, along], 8 - (1 - grid.x.ravel()[along]) / 8, atol=1e-4)
    along = (grid.y.ravel() > 1) & (grid.y.ravel() < 33)
    numpy.testing.assert_allclose(chain[z, along, x], 8 - (grid.y.ravel()[along] - 1) / 16, atol=1e-4)


def test_a_move_shifts_then_turns_then_scales():
    """Rotation by 90 degrees about z: the new x is minus the old y."""
    grid = Grid((4, 5, 6), (8.0, 10.0, 12.0), (-4.0, -5.0, -6.0))
    x, y, z = grid.x, grid.y, grid.z
    quarter_turn = numpy.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]])
    grid.move(quarter_turn, scale=numpy.array([2, 1, 0.5]), shift=[10, numpy.full((6, 5, 4), 20), 0])
    for axis, expected in ((grid.x, -(y + 20) / 2), (grid.y, x + 10), (grid.z, 2 * z)):
        numpy.testing.assert_allclose(*numpy.broadcast_arrays(axis, expected))


def test_a_blend_is_a_union_with_a_rounded_seam():
    a, b = numpy.array([5.0, -9, 1]), numpy.array([-9.0, 5, 1])
    assert blend(a, b, 4).tolist() == [5, 5, 2]


def test_distance_to_the_zero_set_of_a_plane(grid):
    plane = 0.3 * (0.6 * grid.x + 0.8 * grid.z) + 0 * grid.y
    numpy.testing.assert_allclose(to_zero_set(plane, grid.spacing), numpy.abs(plane) / 0.3, atol=1e-3)


def test_distance_to_the_zero_set_stays_finite_where_the_field_is_flat(grid):
    """Nowhere is the slope taken to be less than 0.35 of its mean."""
    field = numpy.maximum(grid.x, -20) + 0 * (grid.y + grid.z)
    distance = to_zero_set(field, grid.spacing)
    slope = numpy.gradient(field[0, 0], 2.0).mean()
    numpy.testing.assert_allclose(distance[:, :, 0], 20 / (0.35 * slope), rtol=1e-4)


def test_noise_has_unit_variance_and_nothing_finer_than_its_wavelength():
    grid = Grid((64, 64, 64), (128.0, 128.0, 128.0), (-64.0,) * 3)
    field = grid.noise(numpy.random.default_rng(0), 16)
    assert field.mean() == pytest.approx(0, abs=0.05) and field.std() == pytest.approx(1, abs=0.05)
    k, power = spectrum(field * numpy.prod(numpy.meshgrid(*[numpy.hanning(64)] * 3), axis=0), grid.spacing)
    assert power[k > 1.5 / 16].sum() < 0.01 * power.sum()


def test_noise_is_the_same_on_a_finer_grid():
    field, corner = (80.0, 96.0, 96.0), (-40.0, -48.0, -48.0)
    coarse = Grid((20, 24, 24), field, corner).noise(numpy.random.default_rng(1), 40)
    fine = Grid((40, 48, 48), field, corner).noise(numpy.random.default_rng(1), 40)
    numpy.testing.assert_allclose(fine.reshape(24, 2, 24, 2, 20, 2).mean((1, 3, 5)), coarse, atol=0.05)


def test_band_noise_has_its_power_at_its_wavelength():
    grid = Grid((48, 48, 48), (144.0,) * 3, (-72.0,) * 3)
    x, y, z = numpy.broadcast_arrays(grid.x, grid.y, grid.z)
    field = band_noise(numpy.random.default_rng(2), 18, x, y, z)
    k, power = spectrum(field, grid.spacing)
    assert (k * power).sum() / power.sum() == pytest.approx(1 / 18, rel=0.15)
    assert field.std() == pytest.approx(1, abs=0.15)


def test_a_crop_holds_the_mask_and_says_where_it_lies(grid):
    mask = numpy.zeros(grid.shape, bool)
    mask[10:14, 20:25, 5:9] = True
    part, box = grid.crop(mask, margin=2)
    assert part.shape == (8, 9, 8) and box == (slice(8, 16), slice(18, 27), slice(3, 11))
    assert part.x[0, 0].tolist() == grid.x.ravel()[3:11].tolist()
    _, box = grid.crop(mask, margin=30)
    assert box == (slice(0, 36), slice(0, 44), slice(0, 39))  # as far as the grid reaches
