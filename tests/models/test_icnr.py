import numpy
import pytest
from chainer import initializers

from models.espcn3d import ESPCN3D
from models.icnr import ICNR
from models.pixel_shuffler_3d import unshuffle
from util.volumes.sampling import Sampling


@pytest.mark.parametrize('rate', [(2, 2, 2), (4, 1, 3)])
def test_the_untrained_network_is_constant_on_each_block(rate):
    numpy.random.seed(0)
    x = numpy.random.normal(size=(1, 2, 5, 4, 6)).astype(numpy.float32)

    def spread(conv3_init):
        y = ESPCN3D(Sampling(rate), 2, conv3_init=conv3_init)(x).array
        phases = unshuffle(y, rate).reshape(1, 2, numpy.prod(rate), *x.shape[2:])
        return numpy.ptp(phases, axis=2).max() / y.std()

    assert spread('icnr') < 1e-5 < 0.1 < spread('he_normal')


def test_sub_filters_are_equal_within_a_channel_and_drawn_anew_for_the_next():
    numpy.random.seed(0)
    array = numpy.empty((16, 100, 3, 3, 3), numpy.float32)
    ICNR(initializers.HeNormal(), 8)(array)
    filters = array.reshape(2, 8, 100, 3, 3, 3)
    assert (filters == filters[:, :1]).all()
    assert (filters[0, 0] != filters[1, 0]).any()
    assert array.std() == pytest.approx(numpy.sqrt(2 / 2700), rel=0.05)  # He et al. 2015


@pytest.mark.gpu
def test_weights_are_drawn_where_they_are(gpu):
    array = gpu.xp.empty((16, 3, 3, 3, 3), 'float32')
    ICNR(initializers.HeNormal(), 8)(array)
    filters = array.get().reshape(2, 8, 3, 3, 3, 3)
    assert (filters == filters[:, :1]).all() and (filters[0, 0] != filters[1, 0]).any()
    assert filters.std() == pytest.approx(numpy.sqrt(2 / 81), rel=0.3)
