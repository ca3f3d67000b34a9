import numpy
from dipy.reconst import dti

from util.volumes.tensors import (ELEMENTS, as_matrices, brain_of, fractional_anisotropy, from_matrices,
                                  mean_diffusivity)


def random_tensors(count=200):
    """(6, count), positive definite, and as matrices (count, 3, 3)."""
    roots = numpy.random.default_rng(0).normal(size=(count, 3, 3))
    matrices = roots @ roots.transpose(0, 2, 1)
    return from_matrices(matrices), matrices


def test_the_order_is_dipys_and_matrices_come_back():
    tensors, matrices = random_tensors()
    numpy.testing.assert_array_equal(tensors.T, dti.lower_triangular(matrices))
    numpy.testing.assert_array_equal(as_matrices(tensors), matrices)
    numpy.testing.assert_array_equal(as_matrices(tensors), dti.from_lower_triangular(tensors.T))
    for element, values in zip(ELEMENTS, tensors):
        row, column = ('xyz'.index(letter) for letter in element[1:])
        numpy.testing.assert_array_equal(values, matrices[:, row, column])


def test_md_and_fa_are_dipys():
    tensors, matrices = random_tensors()
    eigenvalues = numpy.linalg.eigvalsh(matrices)
    numpy.testing.assert_allclose(mean_diffusivity(tensors), dti.mean_diffusivity(eigenvalues), rtol=1e-12)
    numpy.testing.assert_allclose(fractional_anisotropy(tensors), dti.fractional_anisotropy(eigenvalues), rtol=1e-9)


def test_fa_of_a_stick_is_1_of_a_ball_and_of_nothing_0():
    columns = numpy.array([[1, 0, 0, 0, 0, 0], [2, 0, 2, 0, 0, 2], [0] * 6], float).T
    numpy.testing.assert_allclose(fractional_anisotropy(columns), [1, 0, 0])


def test_the_brain_is_where_any_element_is_not_0():
    volume = numpy.zeros((6, 1, 1, 3))
    volume[1, 0, 0, 0], volume[5, 0, 0, 2] = -0.1, 1
    assert brain_of(volume).tolist() == [[[True, False, True]]]
