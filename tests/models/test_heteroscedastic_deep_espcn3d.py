import numpy
import pytest

from models.deep_espcn3d import DeepESPCN3D
from models.heteroscedastic_deep_espcn3d import HeteroscedasticDeepESPCN3D
from models.network import check_prediction, take_apart
from models.variance import VarianceESPCN3D
from tests.models.test_deep_espcn3d import filled
from util.config_files import load_config
from util.inference.network import build_network
from util.inference.tiling import predict
from util.script import PROJECT, UserError
from util.volumes.sampling import Sampling


def test_the_mean_is_that_of_the_deeper_network_and_the_variance_that_of_the_papers():
    sampling, x = Sampling((1, 3, 2)), numpy.random.default_rng(0).random((2, 2, 5, 6, 7)).astype(numpy.float32)
    net = filled(HeteroscedasticDeepESPCN3D(sampling, 2, width=5, blocks=2))
    prediction = net(x)
    check_prediction(prediction, sampling.hr_shape(x.shape))
    for part, alone, found in ((net.mean, DeepESPCN3D(sampling, 2, width=5, blocks=2), prediction.mean),
                               (net.variance, VarianceESPCN3D(sampling, 2), prediction.variance)):
        alone.copyparams(part)
        numpy.testing.assert_allclose(found.array, alone(x).array, rtol=1e-5)


def test_tiles_give_what_the_whole_volume_gives_and_not_with_a_halo_less():
    lr = numpy.random.default_rng(0).random((1, 9, 26, 10)).astype(numpy.float32)
    net = filled(HeteroscedasticDeepESPCN3D(Sampling(2), width=4, blocks=1))
    whole = take_apart(predict(net, lr, lr.shape[1:]))
    for name, array in take_apart(predict(net, lr, (9, 7, 10))).items():
        numpy.testing.assert_allclose(array, whole[name], rtol=1e-3, atol=1e-5 * numpy.abs(whole[name]).max())
    net.halo -= 1
    assert numpy.abs(take_apart(predict(net, lr, (9, 7, 10)))['loc'] - whole['loc']).max() > 1e-4


@pytest.mark.parametrize('argument, value', [('width', 0), ('blocks', True), ('residual', 'cubic'),
                                             ('fixed_mean', 'maybe')])
def test_a_config_s_wrong_arguments_are_told_in_one_line(argument, value):
    config = load_config(PROJECT / 'configs/x4_deep_uncertain.yml', [f'models.generator.args.{argument}={value}'])
    with pytest.raises(UserError, match=f'models.generator.args: HeteroscedasticDeepESPCN3D does not .*: {argument}'):
        build_network(config)
