import numpy
import pytest
from scipy import ndimage

from util.volumes.axis_matrices import NEGLIGIBLE, blur_matrix, columns_of, degradation_matrix, on_grid
from util.volumes.degradation import DEGRADATIONS, degrade, sampling_of
from util.volumes.geometry import hr_volume_geometry
from util.volumes.sampling import Sampling
from util.volumes.volume import Volume


@pytest.fixture
def line():
    return numpy.random.default_rng(0).random((1, 1, 48), numpy.float32)


@pytest.mark.parametrize('r', [1, 2, 3, 4])
@pytest.mark.parametrize('name', DEGRADATIONS)
def test_a_matrix_does_what_the_degradation_does(line, name, r):
    rate = (1, 1, r)
    matrix = degradation_matrix(48, r, sampling_of(name, rate).offset[2], name)
    assert matrix.shape == (48 // r, 48) and matrix.dtype == numpy.float32
    numpy.testing.assert_allclose(line @ matrix.T, degrade(line, rate, name), atol=5e-6)


@pytest.mark.parametrize('offset', [0.0, 1.5, 1.0])
@pytest.mark.parametrize('name', DEGRADATIONS)
def test_a_wave_is_sampled_where_the_offset_says(name, offset):
    """By the phase of a slow wave; an error of 0.01 voxels would show. ``kspace`` rings as much
    where a wave that was moved does not go round, and ``zero_filled`` more."""
    phase = 2 * numpy.pi * 2 / 96  # from voxel to voxel
    wave = numpy.exp(1j * phase * numpy.arange(96))
    lr = degradation_matrix(96, 4, offset, name).astype(float) @ wave
    centres = 4 * numpy.arange(24) + offset
    there = slice(8, 16)  # away from the borders
    numpy.testing.assert_allclose(numpy.angle(lr * numpy.exp(-1j * phase * centres))[there], 0,
                               atol=(0.03 if name == 'zero_filled' else 0.01) * phase)


def test_settings_reach_the_degradation(line):
    matrix = degradation_matrix(48, 4, 1.5, 'gaussian', fwhm=0.5)
    numpy.testing.assert_allclose(line @ matrix.T, degrade(line, (1, 1, 4), 'gaussian', fwhm=0.5), atol=5e-6)


@pytest.mark.parametrize('name, voxels', [('bspline', 22), ('block_mean', 26)])
def test_what_a_moved_voxel_needs_ends_some_ten_voxels_away(name, voxels):
    matrix = degradation_matrix(400, 4, 1.5 - sampling_of(name, (4, 4, 4)).offset[0], name)
    first, stop = columns_of(matrix)
    assert (stop - first).max() <= voxels
    assert numpy.abs(matrix[matrix != 0]).min() >= NEGLIGIBLE
    numpy.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize('fwhm', [0.1, 1.0, 1.9, 4.0])
def test_blur_is_scipy_s_gaussian_without_what_lies_outside(line, fwhm):
    expected, inside = (ndimage.gaussian_filter1d(x, fwhm / numpy.sqrt(8 * numpy.log(2)), mode='constant', radius=20)
                        for x in (line.astype(float), numpy.ones(line.shape)))
    numpy.testing.assert_allclose(line @ blur_matrix(48, fwhm).T, expected / inside, atol=5e-6)


def test_columns_are_all_but_the_zeros_at_a_row_s_ends():
    first, stop = columns_of(numpy.array([[0, 3, 0, 1, 0], [2, 0, 0, 0, 0], [0, 0, 0, 0, 5]]))
    assert (first.tolist(), stop.tolist()) == ([1, 0, 4], [4, 1, 5])


def test_a_volume_on_another_grid_shows_the_same_place():
    """A smooth field, sampled where the new grid's voxels lie in millimetres."""
    lr = Volume(numpy.zeros((1, 8, 9, 10), numpy.float32), (3.0, 2.0, 4.0), (5.0, -6.0, 7.0),
                (0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0))
    here, there = Sampling((4, 4, 1)), Sampling((4, 4, 1), (1.5, 1.5, 0))

    def field(geometry):
        index = numpy.stack(numpy.meshgrid(*map(numpy.arange, (10, 36, 32)), indexing='ij'))  # x, y, z
        x, y, z = (numpy.reshape(geometry.direction, (3, 3)) @ (index.reshape(3, -1) * numpy.reshape(
            geometry.spacing, (3, 1))) + numpy.reshape(geometry.origin, (3, 1))).reshape(index.shape)
        return (numpy.sin(x / 5) + numpy.cos(y / 6) * numpy.sin(z / 7)).T[None]

    before, after = hr_volume_geometry(lr, here), hr_volume_geometry(lr, there)
    moved = on_grid(Volume(field(before).astype(numpy.float32), *before), lr, here, there)
    assert (moved.spacing, moved.origin, moved.direction) == after and moved.array.dtype == numpy.float32
    inside = numpy.s_[:, 8:-8, 8:-8]
    numpy.testing.assert_allclose(moved.array[inside], field(after)[inside], atol=1e-3)
    assert numpy.abs(field(before) - field(after))[inside].max() > 0.1
