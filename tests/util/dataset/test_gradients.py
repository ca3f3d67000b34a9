import numpy
import pytest

from tests.util.dataset.diffusion import BVALS, LAS, RAS, VECTORS, save_series
from util.dataset.gradients import find_series, read_series
from util.script import UserError
from util.volumes.orientation import axis_codes

IMAGES = numpy.random.default_rng(0).uniform(1, 9, (3, 4, 5, len(BVALS)))
OBLIQUE = numpy.array([[0, -1.6, 1.2, 5], [2.0, 0, 0, 6], [0, 1.2, 1.6, 7], [0, 0, 0, 1]])


def test_series_are_found_by_their_files_in_any_tree(tmp_path):
    for name in ('b.nii.gz', 'sub-01/dwi/sub-01_dwi.nii.gz', 'a.nii', 'no_table.nii.gz', 'sub-01/anat/sub-01_T1w.nii',
                 'derivatives/c.nii', 'only_bvec.nii'):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for name in ('a.bval', 'a.bvec', 'b.bval', 'derivatives/c.bval', 'only_bvec.bvec', 'other.bval'):
        (tmp_path / name).touch()
    assert [path.relative_to(tmp_path).as_posix() for path in find_series(tmp_path)] == [
        'a.nii', 'b.nii.gz', 'only_bvec.nii', 'sub-01/dwi/sub-01_dwi.nii.gz']


@pytest.mark.parametrize('affine', [LAS, RAS, OBLIQUE, OBLIQUE * [[-1], [1], [1], [1]]])
def test_a_vector_stays_where_it_points_in_the_body_when_the_axes_are_laid(tmp_path, affine):
    """FSL: along the image's axes, x reversed where the affine has a positive determinant."""
    save_series(tmp_path / 'a.nii.gz', IMAGES, affine)
    series = read_series(tmp_path / 'a.nii.gz')
    assert axis_codes(series.images) == 'LPS'
    in_image = VECTORS * [-1 if numpy.linalg.det(affine[:3, :3]) > 0 else 1, 1, 1]
    in_body = in_image @ (affine[:3, :3] / numpy.linalg.norm(affine[:3, :3], axis=0)).T * [-1, -1, 1]  # RAS to LPS
    laid = series.vectors @ numpy.reshape(series.images.direction, (3, 3)).T
    numpy.testing.assert_allclose(laid, in_body, atol=1e-6)
    assert sorted(series.images.array.ravel()) == pytest.approx(sorted(IMAGES.ravel()))


def test_of_two_shells_the_lower_one_that_suffices_is_read(tmp_path, capsys):
    bvals = numpy.array([0, *[300] * 6, 5, 50, *[995, 1005] * 3, *[2000] * 6])
    vectors = numpy.concatenate([VECTORS[:7], VECTORS[:1], VECTORS[:1], VECTORS[1:7], VECTORS[1:7]])
    images = numpy.arange(1.0, 22) * numpy.ones((3, 4, 5, 1))
    save_series(tmp_path / 'a.nii.gz', images, LAS, bvals, vectors)
    series = read_series(tmp_path / 'a.nii.gz')
    assert series.bvals.tolist() == [0, 5, 50, *[995, 1005] * 3]  # up to 50 counts as 0
    assert series.images.array[:, 0, 0, 0].tolist() == [1, 8, 9, 10, 11, 12, 13, 14, 15]
    assert not series.vectors[:3].any()
    assert 'of the b-values 300, 1000, 2000 the 6 images of 1000 are fitted' in capsys.readouterr().err


def refusal(path):
    with pytest.raises(UserError) as caught:
        read_series(path)
    return str(caught.value)


@pytest.mark.parametrize('end', ['.bval', '.bvec'])
def test_a_missing_or_damaged_table_is_named(tmp_path, end):
    save_series(tmp_path / 'a.nii.gz', IMAGES)
    (tmp_path / f'a{end}').write_text('0 x\n')
    assert f'a{end}: ' in refusal(tmp_path / 'a.nii.gz') and 'wanted' in refusal(tmp_path / 'a.nii.gz')
    (tmp_path / f'a{end}').unlink()
    assert f'its a{end} cannot be read: No such file' in refusal(tmp_path / 'a.nii.gz')


@pytest.mark.parametrize('images, bvals, vectors, words', [
    (IMAGES, BVALS[:-1], VECTORS, '12 b-values in .*a.bval, and 13 vectors in .*a.bvec'),
    (IMAGES[..., 1:], BVALS, VECTORS, '12 images, and 13 b-values'),
    (IMAGES, BVALS, VECTORS * 1.1, 'vector 2 of 13 has length 1.1; unit vectors are wanted'),
    (IMAGES, BVALS, VECTORS * 0, 'vector 2 of 13 has length 0;'),
    (IMAGES, BVALS - 1, VECTORS, 'a b-value of -1'),
    (IMAGES, BVALS + 1000, numpy.concatenate([VECTORS[1:], VECTORS[:1] + [1, 0, 0]]), 'no image without diffusion'),
    (IMAGES, BVALS * 0, VECTORS, 'six independent directions .* there are none'),
    (IMAGES, BVALS // 3, VECTORS, 'from 500 on; there are 6 of b = 333'),
    (IMAGES[..., :6], BVALS[:6], VECTORS[:6], 'there are 5 of b = 1000'),
    # twelve directions in one plane tell three of the six elements
    (IMAGES, BVALS, numpy.array([[0, 0, 0], *([numpy.cos(a), numpy.sin(a), 0] for a in range(12))]), 'there are 3 of')])
def test_what_no_tensor_can_be_fitted_to_is_one_line(tmp_path, images, bvals, vectors, words):
    save_series(tmp_path / 'a.nii.gz', images, LAS, bvals, vectors)
    with pytest.raises(UserError, match=words):
        read_series(tmp_path / 'a.nii.gz')
