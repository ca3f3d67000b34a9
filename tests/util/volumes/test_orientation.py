"""Axes are exchanged and reversed as nibabel has it, and every voxel stays where it is in space."""
import itertools

import nibabel
import numpy
import pytest
from scipy.spatial.transform import Rotation

from util.volumes.orientation import AS_IT_IS, Layout, Lie, axis_codes, common_lie, inverse, lay, layout_as
from util.volumes.volume import Volume

LAYOUTS = [Layout(axes, back) for axes in itertools.permutations(range(3))
           for back in itertools.product((False, True), repeat=3)]


def make_volume(angles=(0.2, -0.1, 0.3), spacing=(1.0, 2.0, 4.0), mirrored=False):
    direction = Rotation.from_euler('xyz', angles).as_matrix() * [-1 if mirrored else 1, 1, 1]
    array = numpy.random.default_rng(0).normal(size=(2, 3, 4, 5))
    return Volume(array, spacing, (-10.0, 20.0, 5.0), tuple(direction.ravel()))


def affine(volume):
    """RAS, from the voxel indices x, y, z, as nibabel has it."""
    matrix = numpy.eye(4)
    matrix[:3, :3] = numpy.reshape(volume.direction, (3, 3)) * volume.spacing
    matrix[:3, 3] = volume.origin
    return numpy.diag([-1.0, -1.0, 1.0, 1.0]) @ matrix


def voxels_in_space(volume):
    """(value, place) of every voxel, in an order that the layout has no say in."""
    index = numpy.stack(numpy.meshgrid(*map(numpy.arange, volume.size[::-1]), indexing='ij'), -1).reshape(-1, 3)
    places = nibabel.affines.apply_affine(affine(volume), index)
    values = volume.array[0, index[:, 2], index[:, 1], index[:, 0]]
    order = numpy.argsort(values)
    return values[order], places[order]


@pytest.mark.parametrize('layout', LAYOUTS)
def test_every_voxel_keeps_its_value_and_its_place_and_the_inverse_undoes_it(layout):
    volume = make_volume()
    laid = lay(volume, layout)
    for one, other in zip(voxels_in_space(laid), voxels_in_space(volume)):
        numpy.testing.assert_allclose(one, other, atol=1e-9)
    back = lay(laid, inverse(layout))
    numpy.testing.assert_array_equal(back.array, volume.array)
    numpy.testing.assert_allclose(affine(back), affine(volume), atol=1e-9)


def test_axes_are_named_as_nibabel_names_them_however_they_lie():
    """Of an axis halfway between two, which no version of nibabel need name alike, a direction of its own is told."""
    for rotation in (*Rotation.random(300, random_state=0).as_matrix(), *Rotation.create_group('O').as_matrix()):
        for mirrored in (1, -1):
            volume = Volume(numpy.zeros((1, 2, 2, 2)), (1.0, 2.0, 4.0), (0.0,) * 3,
                            tuple((rotation * [mirrored, 1, 1]).ravel()))
            assert axis_codes(volume) == ''.join(nibabel.aff2axcodes(affine(volume)))
    for angles in itertools.product((0.0, numpy.pi / 4, -numpy.pi / 4), repeat=3):
        names = axis_codes(make_volume(angles))
        assert sorted('LPI'['RAS'.index(name)] if name in 'RAS' else name for name in names) == ['I', 'L', 'P']


@pytest.mark.parametrize('mirrored', [False, True])
@pytest.mark.parametrize('codes', ['RAS', 'LPS', 'PIR', 'SLA'])
def test_axes_are_laid_as_nibabel_lays_them(codes, mirrored):
    """Spacings alike: the body decides."""
    volume = make_volume(spacing=(1.0, 1.2, 1.1), mirrored=mirrored)
    laid = lay(volume, layout_as(volume, Lie(codes, (1.0, 1.0, 1.0))))
    image = nibabel.Nifti1Image(volume.array[0].T, affine(volume))
    assert axis_codes(volume) == ''.join(nibabel.aff2axcodes(image.affine))
    change = nibabel.orientations.ornt_transform(nibabel.io_orientation(image.affine),
                                                 nibabel.orientations.axcodes2ornt(codes))
    expected = image.as_reoriented(change)
    assert axis_codes(laid) == codes
    numpy.testing.assert_array_equal(laid.array[0].T, expected.get_fdata())
    numpy.testing.assert_allclose(affine(laid), expected.affine, atol=1e-9)


def test_a_volume_that_lies_as_the_training_s_stays_as_it_is():
    volume = make_volume()
    assert layout_as(volume, Lie(axis_codes(volume), volume.spacing)) == AS_IT_IS


def test_thick_slices_go_where_the_training_s_were():
    """Sagittal slices of 4 mm, where the training had axial ones."""
    volume = make_volume(angles=(0, 0, 0), spacing=(4.0, 1.0, 1.0))
    laid = lay(volume, layout_as(volume, Lie('LPS', (1.0, 1.0, 4.0))))
    assert laid.spacing == (1.0, 1.0, 4.0)


@pytest.mark.parametrize('lie', [None, Lie('LAS', (0.9, 1.1, 4.6))])
@pytest.mark.parametrize('thick', range(3))
def test_the_axis_of_the_largest_spacing_goes_where_the_rate_is_large(thick, lie):
    """Whichever axis that is, however thin the slices are; the one whose place it takes takes its own."""
    for thin, largest in itertools.product((0.3, 1.0, 3.0), (1.7, 4.0, 20.0)):
        volume = make_volume(angles=(0, 0, 0), spacing=[thin * largest if axis == thick else thin for axis in range(3)])
        layout = layout_as(volume, lie, (4, 1, 1))
        assert lay(volume, layout).spacing == (thin, thin, thin * largest)
        assert sum(axis != place for place, axis in enumerate(layout.axes)) in (0, 2)


@pytest.mark.parametrize('spacing', [(1.4, 1.0, 1.0), (1.0, 1.0, 1.0), (1.1, 1.3, 1.0), (0.8, 0.7, 6.0)])
@pytest.mark.parametrize('lie', [None, Lie('LAS', (0.9, 1.1, 4.6))])
def test_axes_stay_with_the_body_where_none_is_clearly_the_thick_one_or_where_it_lies_there(spacing, lie):
    layout = layout_as(make_volume(angles=(0, 0, 0), spacing=spacing), lie, (4, 1, 1))
    assert layout.axes == (0, 1, 2)
    assert layout == AS_IT_IS or lie


def test_thin_slices_of_few_voxels_in_plane_are_laid_by_what_the_training_had():
    """Made finer in plane alone, of slices that stay 12 mm: the rate by itself would take z for one of the plane's."""
    volume = make_volume(angles=(0, 0, 0), spacing=(4.0, 4.0, 12.0))
    assert layout_as(volume, Lie(axis_codes(volume), volume.spacing), (1, 4, 4)) == AS_IT_IS


def test_the_lie_of_a_training_is_that_of_all_its_volumes_or_none():
    volumes = [make_volume(spacing=(1.0, 2.0, z)) for z in (3.0, 4.0, 9.0)]
    assert common_lie(volumes) == Lie(axis_codes(volumes[0]), (1.0, 2.0, 4.0))
    assert common_lie([*volumes, lay(volumes[0], LAYOUTS[1])]) is None
