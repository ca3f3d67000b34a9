"""Synthetic heads: reproducible, different from each other, and as a T1-weighted scan has them."""
import numpy
import pytest
import scipy.ndimage
import scipy.stats

from util.volumes.phantom import CORNER, FIELD, MAX_SIZE, TISSUES, head_image, make_head

SIZE = (60, 72, 72)


@pytest.fixture(scope='module')
def heads():
    return [make_head(SIZE, 7, subject) for subject in range(3)]


def intensities(head, tissue):
    """Those of a tissue's voxels, away from its borders where it is thick enough."""
    mask = head.labels == TISSUES.index(tissue)
    inner = scipy.ndimage.binary_erosion(mask)
    return head.volume[inner if inner.sum() > 50 else mask]


def brain(head):
    return numpy.isin(head.labels, [TISSUES.index(tissue) for tissue in ('grey', 'white', 'deep grey')])


def test_the_same_seed_and_subject_give_the_same_bits(heads):
    again = make_head(SIZE, 7, 1)
    numpy.testing.assert_array_equal(again.volume, heads[1].volume)
    numpy.testing.assert_array_equal(again.labels, heads[1].labels)


@pytest.mark.parametrize('seed, subject', [(8, 1), (7, 9)])
def test_another_seed_or_subject_is_another_head(heads, seed, subject):
    """The cortex lies elsewhere, not only the noise."""
    grey = TISSUES.index('grey')
    a, b = make_head(SIZE, seed, subject).labels == grey, heads[1].labels == grey
    assert 2 * (a & b).sum() / (a.sum() + b.sum()) < 0.7


def test_subjects_differ_in_shape_and_contrast(heads):
    for i, j in ((0, 1), (0, 2), (1, 2)):
        air = [(heads[n].labels == 0) for n in (i, j)]
        assert (air[0] ^ air[1]).sum() > 0.01 * air[0].size
        assert heads[i].white != heads[j].white
    # Of the same contrast in every subject, these would lie within 0.01: noise and bias remain.
    contrast = sorted(intensities(head, 'grey').mean() / intensities(head, 'white').mean() for head in heads)
    assert numpy.diff(contrast).min() > 0.015


def test_type_range_and_shape(heads):
    for head in heads:
        assert head.volume.dtype == numpy.int16 and head.volume.shape == SIZE[::-1] == head.labels.shape
        assert head.volume.min() == 0
        # Bright vessels set the maximum, at several times white matter, as in scans with inflow.
        assert 2 * head.white < head.volume.max() < 600


def test_order_of_tissue_intensities(heads):
    for head in heads:
        level = {tissue: numpy.median(intensities(head, tissue)) for tissue in TISSUES}
        assert level['vessel'] > level['white'] > level['deep grey'] > level['grey'] > level['csf'] > level['air']
        assert level['skull'] < level['csf'] < 0.35 * level['white']
        assert level['fat'] > level['muscle'] > level['skull']
        assert 0.5 < level['grey'] / level['white'] < 0.75
        assert level['air'] < 3


def test_the_layers_follow_each_other_from_the_air_to_the_brain(heads):
    """On a line down from the crown: air, scalp, skull, then brain."""
    for head in heads:
        column = [TISSUES[n] for n in head.labels[::-1, 34, 22]]
        first = [column.index(tissue) for tissue in ('air', 'fat', 'skull', 'grey', 'white')]
        assert first == sorted(first)


def test_the_brain_is_as_large_as_a_brain_and_no_tissue_is_missing(heads):
    for head in heads:
        share = numpy.bincount(head.labels.ravel(), minlength=len(TISSUES)) * numpy.prod(head.spacing) / 1000  # mL
        volume = dict(zip(TISSUES, share))
        assert 800 < volume['grey'] + volume['white'] + volume['deep grey'] < 1600
        assert 0.4 < volume['grey'] / volume['white'] < 2.5
        assert all(volume[tissue] > 0 for tissue in TISSUES)


def test_ventricles_fill_the_middle_of_the_brain(heads):
    """About 13 mL of CSF lie within 28 mm of its centre; without ventricles it would be 3 to 6 mL."""
    for head in heads:
        places = numpy.indices(head.labels.shape).T * head.spacing[::-1]
        centre = numpy.multiply(scipy.ndimage.center_of_mass(brain(head)), head.spacing[::-1])
        near = (numpy.linalg.norm(places - centre, axis=-1) < 28).T
        csf = near & (head.labels == TISSUES.index('csf'))
        assert 9 < csf.sum() * numpy.prod(head.spacing) / 1000 < 25


def test_the_cortex_is_folded(heads):
    """Its surface is far larger than that of a smooth brain of the same extent.

    Fissures and cerebellum alone make it twice as large.
    """
    for head in heads:
        hull = scipy.ndimage.binary_closing(numpy.pad(brain(head), 8), iterations=6)
        border = [(m & ~scipy.ndimage.binary_erosion(m)).sum() for m in (brain(head), hull)]
        assert border[0] > 2.25 * border[1]


def test_noise_in_air_is_rayleigh_distributed(heads):
    """The magnitude of complex Gaussian noise, rounded to whole numbers."""
    for head in heads:
        air = head.volume[scipy.ndimage.binary_erosion(head.labels == 0, iterations=3)]
        edges = numpy.append([0], numpy.arange(0.5, 4.6))
        cdf = scipy.stats.rayleigh(scale=head.noise).cdf(edges)
        expected = numpy.append(numpy.diff(cdf), 1 - cdf[-1]) * air.size
        counted = numpy.bincount(numpy.minimum(air, 5), minlength=6)
        assert scipy.stats.chisquare(counted, expected).pvalue > 1e-3
        assert 0.012 < head.noise / head.white < 0.022


def test_edges_are_partial_volumes(heads):
    """Between skull or CSF and scalp or brain there are values in between: no two-level steps."""
    for head in heads:
        steps = numpy.abs(numpy.diff(head.volume.astype(int), axis=2))
        vessel = head.labels == TISSUES.index('vessel')
        assert numpy.percentile(steps[~(vessel[:, :, 1:] | vessel[:, :, :-1])], 99.9) < head.white


def test_size_changes_neither_pose_nor_contrast(heads):
    fine = make_head((80, 96, 96), 7, 0)
    assert fine.white == heads[0].white and fine.noise == heads[0].noise
    centre = [numpy.array(scipy.ndimage.center_of_mass(h.labels > 0)) / h.labels.shape for h in (heads[0], fine)]
    numpy.testing.assert_allclose(*centre, atol=0.01)


def test_image_geometry_puts_each_voxel_where_it_was_drawn(heads):
    image = head_image(heads[0])
    assert image.shape == SIZE and image.get_data_dtype() == numpy.int16
    numpy.testing.assert_array_equal(numpy.asanyarray(image.dataobj), heads[0].volume.T)
    for affine in (image.affine, image.get_sform(coded=True)[0], image.get_qform(coded=True)[0]):
        first, last = (affine[:3] @ [*i, 1] for i in ([-0.5] * 3, [n - 0.5 for n in SIZE]))
        # RAS: y to the front and z up as in the array, x to the right against it.
        numpy.testing.assert_allclose(first, (-CORNER[0], CORNER[1], CORNER[2]), rtol=1e-6)
        numpy.testing.assert_allclose(last - first, (-FIELD[0], FIELD[1], FIELD[2]), rtol=1e-6)


@pytest.mark.parametrize('size', [(80, 96), (80, 96, 8), (0, 96, 96), (80, 96, MAX_SIZE + 1), (-80, 96, 96)])
def test_impossible_sizes_are_refused_with_their_numbers(size):
    with pytest.raises(ValueError, match=f'{size[-1]}.*24 to {MAX_SIZE}'):
        make_head(size, 0, 0)


@pytest.mark.parametrize('size', [(24, 24, 24), (24, 90, 31), (70, 24, 40)])
def test_the_smallest_and_odd_sizes_still_hold_a_head(size):
    head = make_head(size, 0, 0)
    assert head.volume.shape == size[::-1] and numpy.ptp(head.volume) > head.white
