from pathlib import Path
from types import SimpleNamespace

import numpy
import pytest

from tests.util.dataset.diffusion import BVALS, VECTORS, ball, signals, tensor_field
from tests.util.volumes.files import make_volume
from util.config_files import load_config
from util.dataset import tensor_pairs
from util.dataset.tensor_pairs import LARGEST, brain_mask, fit_tensors
from util.script import PROJECT, UserError
from util.volumes.degradation import degrade, noise_rng
from util.volumes.tensors import as_matrices


def fit(images, where):
    return fit_tensors(images.transpose(3, 2, 1, 0), where.T, BVALS, VECTORS)


def test_tensors_put_in_are_recovered_to_float_precision_and_0_elsewhere():
    field, inside = tensor_field(), ball()
    tensors, said = fit(signals(field, inside), inside)
    assert tensors.dtype == numpy.float32
    numpy.testing.assert_allclose(tensors[:, inside.T], field.transpose(0, 3, 2, 1)[:, inside.T], atol=2e-6)
    assert not tensors[:, ~inside.T].any()
    assert said.startswith(f'{inside.sum()} tensors; 0.00 % had an eigenvalue below 0 and 0.00 % one above 0.004')


def test_a_tensor_that_cannot_be_is_cut_to_the_limits_and_counted():
    field, inside = tensor_field((4, 4, 4)), numpy.ones((4, 4, 4), bool)
    field[:, 0, 0, 0], field[:, 1, 0, 0] = [5.0, 0, 1, 0, 0, 1], [1.0, 0, 0.5, 0, 0, -0.4]
    tensors, said = fit(signals(field, inside), inside)
    numpy.testing.assert_allclose(tensors[:, 0, 0, 0], [LARGEST, 0, 1, 0, 0, 1], atol=1e-5)
    numpy.testing.assert_allclose(tensors[:, 0, 0, 1], [1, 0, 0.5, 0, 0, 0], atol=1e-5)
    assert '1.56 % had an eigenvalue below 0 and 1.56 % one above' in said


def test_signals_of_0_and_below_give_finite_tensors():
    images = signals(tensor_field((4, 4, 4)), numpy.ones((4, 4, 4), bool))
    images[0, 0, 0], images[1, 1, 1, 3], images[2, 2, 2, 0] = 0, -7, 0
    tensors, _ = fit(images, numpy.ones((4, 4, 4), bool))
    assert numpy.isfinite(tensors).all()
    eigenvalues = numpy.linalg.eigvalsh(as_matrices(tensors.reshape(6, -1)))
    assert eigenvalues.min() > -1e-6 and eigenvalues.max() < LARGEST + 1e-5


def test_a_signal_below_a_thousandth_of_the_brain_s_at_b_0_is_raised_to_that():
    """So a signal of nothing tells of the largest diffusivity that one of a thousandth does."""
    where = numpy.ones((3, 3, 3), bool)
    images = signals(tensor_field((3, 3, 3)), where)  # 1000 at b = 0
    fitted = []
    for faint in (0, 1, 1.5):
        images[1, 1, 1, 1] = faint
        fitted.append(fit(images, where)[0][:, 1, 1, 1])
    numpy.testing.assert_array_equal(fitted[0], fitted[1])
    assert numpy.abs(fitted[2] - fitted[1]).max() > 0.001


def test_the_brain_is_the_largest_bright_part_with_its_holes():
    inside = ball((30, 28, 26), 9)
    image = numpy.where(inside, 100.0, 3)
    image[14:17, 13:16, 12:15] = 3
    image[1:4, 1:4, 1:4] = 100
    mask = brain_mask(image + numpy.random.default_rng(0).uniform(0, 2, image.shape))
    assert mask[15, 14, 13] and not mask[2, 2, 2]
    assert mask[ball((30, 28, 26), 7.5)].all() and not mask[~inside].any()  # the median rounds it off


def test_the_images_are_degraded_with_the_noise_of_the_config_s_seed_and_the_case(monkeypatch):
    series = SimpleNamespace(images=make_volume(size=(8, 8, 8), channels=7), bvals=numpy.r_[0.0, [1000.0] * 6],
                             vectors=None)
    monkeypatch.setattr(tensor_pairs, 'read_series', lambda path: series)
    monkeypatch.setattr(tensor_pairs, 'brain_mask', lambda image: numpy.ones((8, 8, 8), bool))
    fitted = []
    monkeypatch.setattr(tensor_pairs, 'fit_tensors', lambda images, *others: fitted.append(images) or (images[:6], ''))
    for seed, case in ((3, 'a'), (4, 'a'), (3, 'b')):
        config = load_config(PROJECT / 'configs/dti_x2.yml', ['degradation.noise_sigma=2', f'seed={seed}'])
        tensor_pairs.make_tensor_pair(Path('a.nii'), case, config)
        expected = degrade(series.images.array, (2, 2, 2), 'block_mean', 2, noise_rng(seed, case))
        numpy.testing.assert_array_equal(fitted[-2], expected)
        numpy.testing.assert_array_equal(fitted[-1], series.images.array)


def test_a_brain_that_fills_no_lr_voxel_by_half_is_refused(tmp_path, monkeypatch):
    series = SimpleNamespace(images=make_volume(size=(8, 8, 8), channels=7), bvals=numpy.r_[0.0, [1000.0] * 6])
    brain = numpy.zeros((8, 8, 8), bool)
    brain[3:5, 3:5, 3:5] = True  # an eighth of each of eight blocks
    monkeypatch.setattr(tensor_pairs, 'read_series', lambda path: series)
    monkeypatch.setattr(tensor_pairs, 'brain_mask', lambda image: brain)
    with pytest.raises(UserError, match=r'a.nii: its brain fills no LR voxel by half, at the rate \(4, 4, 4\)'):
        tensor_pairs.make_tensor_pair(Path('a.nii'), 'a', load_config(PROJECT / 'configs/base.yml'))


def test_an_lr_voxel_is_of_the_brain_where_half_of_its_block_is():
    mask = numpy.zeros((2, 4, 9), bool)
    mask[0, :, :3], mask[:, 0, 6:], mask[:, 2:, 3:6] = True, True, True  # halves, quarters, and one block
    mask[0, 0, 0] = False
    blocks, voxels = tensor_pairs._whole_blocks(mask, (2, 2, 3))
    numpy.testing.assert_array_equal(blocks, [[[False, False, True], [True, True, False]]])
    numpy.testing.assert_array_equal(voxels, blocks.repeat(2, 0).repeat(2, 1).repeat(3, 2))


def test_a_volume_without_a_brain_is_refused():
    for image in (numpy.full((9, 9, 9), 7.0), numpy.eye(9)[None] * numpy.ones((9, 1, 1))):
        with pytest.raises(UserError, match='no brain can be found'):
            brain_mask(image)
