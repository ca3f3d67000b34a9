"""A prediction is taken apart into maps and put together again, whatever the network returns."""
import chainer
import numpy
import pytest
from chainer.distributions import Laplace, Normal

from models.network import check_prediction, mean_of, put_together, take_apart


def arrays(count):
    return list(numpy.random.default_rng(0).uniform(1, 2, (count, 1, 2, 3, 4, 5)).astype(numpy.float32))


@pytest.mark.parametrize('wrap', [chainer.Variable, numpy.asarray])
def test_an_array_is_one_map(wrap):
    array, = arrays(1)
    prediction = wrap(array)
    assert mean_of(prediction) is prediction
    maps = take_apart(prediction)
    assert len(maps) == 1
    numpy.testing.assert_array_equal(put_together(type(prediction), maps), array)


@pytest.mark.parametrize('kind', [Normal, Laplace])
def test_a_distribution_is_its_parameters(kind):
    loc, scale = arrays(2)
    prediction = kind(chainer.Variable(loc), chainer.Variable(scale))
    numpy.testing.assert_array_equal(mean_of(prediction).array, loc)
    again = put_together(kind, take_apart(prediction))
    assert type(again) is kind
    numpy.testing.assert_array_equal(again.mean.array, prediction.mean.array)
    numpy.testing.assert_array_equal(again.variance.array, prediction.variance.array)


def test_a_normal_distribution_made_of_its_log_scale_keeps_its_variance():
    loc, scale = arrays(2)
    again = put_together(Normal, take_apart(Normal(loc, log_scale=numpy.log(scale))))
    numpy.testing.assert_allclose(again.variance.array, scale ** 2, rtol=1e-5)


@pytest.mark.parametrize('returned', [tuple(arrays(2)), arrays(1), arrays(1)[0], None])
def test_anything_else_is_refused_by_its_type(returned):
    """A plain array too: nothing could be learned through it."""
    with pytest.raises(TypeError, match=f'the network returned a {type(returned).__name__}; it must return a Variable'):
        check_prediction(returned, (1, 2, 3, 4, 5))


def test_another_shape_than_that_of_hr_is_refused_and_never_broadcast():
    array, = arrays(1)
    assert check_prediction(chainer.Variable(array), array.shape)
    for prediction in (chainer.Variable(array[:, :1]), Normal(array, array[..., :1])):
        with pytest.raises(ValueError, match=r'as its (point|scale), where \(1, 2, 3, 4, 5\) is wanted'):
            check_prediction(prediction, array.shape)
