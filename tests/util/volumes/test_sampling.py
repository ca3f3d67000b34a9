import dataclasses

import numpy
import pytest

from util.volumes.sampling import Sampling


def test_one_number_stands_for_all_three_axes_and_equal_samplings_are_one_value():
    assert Sampling(4) == Sampling((4, 4, 4)) == Sampling([4, 4, 4], [0, 0, 0])
    assert len({Sampling(4), Sampling((4, 4, 4)), Sampling(numpy.int64(4), numpy.zeros(3))}) == 1
    assert Sampling(4) != Sampling((4, 4, 1)) and Sampling(4) != Sampling(4, (1.5, 1.5, 1.5))


def test_rate_and_offset_are_plain_numbers_whatever_they_were_made_of():
    """So that they go into YAML and npz files, and key a cache, as themselves."""
    sampling = Sampling(numpy.array([4, 1, 1]), numpy.array([1.5, 0, 0], numpy.float32))
    assert (sampling.rate, sampling.offset) == ((4, 1, 1), (1.5, 0.0, 0.0))
    assert {type(value) for value in sampling.rate} == {int} and {type(o) for o in sampling.offset} == {float}


def test_it_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Sampling(4).rate = (2, 2, 2)


@pytest.mark.parametrize('shape', [(10, 48, 50), (1, 10, 48, 50), (5, 2, 10, 48, 50)])
def test_the_hr_shape_is_that_of_an_array_repeated_along_each_axis(shape):
    repeated = numpy.zeros(shape, bool).repeat(4, axis=-3).repeat(2, axis=-1)
    assert Sampling((4, 1, 2), (1.5, 0, 0.5)).hr_shape(shape) == repeated.shape


def test_over_blocks_each_hr_voxel_has_the_value_of_the_lr_voxel_whose_block_it_is_in():
    lr, sampling = numpy.random.default_rng(0).random((2, 3, 4, 5)), Sampling((4, 1, 2))
    hr = sampling.over_blocks(lr)
    assert hr.shape == sampling.hr_shape(lr.shape)
    assert all(hr[:, z, y, x].tolist() == lr[:, z // 4, y, x // 2].tolist() for z, y, x in numpy.ndindex(hr.shape[1:]))


@pytest.mark.parametrize('rate', [0, -1, (4, 0, 1), (4, 4), (4, 4, 4, 4), (), (4, 1.0, 1), (4, '1', 1), 4.0, None, True,
                                  '444'])
def test_a_rate_that_is_not_one_or_three_positive_whole_numbers_is_refused(rate):
    with pytest.raises(ValueError, match='the rate must be a positive whole number or three of them'):
        Sampling(rate)


@pytest.mark.parametrize('offset', [(), (0, 0), (0, 0, 0, 0), 1.5, None, ('0', 0, 0)])
def test_an_offset_of_another_length_is_refused(offset):
    with pytest.raises(ValueError, match='the offset must be three numbers'):
        Sampling(4, offset)
