import chainer
import numpy
import pytest
from chainer.distributions import Normal

from models.bayesian_espcn3d import DROPOUTS, VARIANCES, BayesianESPCN3D
from models.espcn3d import ESPCN3D
from models.network import ArgumentError, BayesianNetwork, check_prediction
from models.noisy_convolution_3d import STEP
from models.variance import LEAST_VARIANCE
from util.config_files import load_config
from util.inference.network import build_network
from util.script import PROJECT, UserError
from util.volumes.sampling import Sampling

KINDS = pytest.mark.parametrize('dropout', DROPOUTS)


def lr_batch(n=2, channels=1):
    return numpy.random.default_rng(0).random((n, channels, 5, 6, 7)).astype(numpy.float32)


def in_use(function, *arguments):
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        return function(*arguments)


def generators(count):
    return [numpy.random.default_rng(seed) for seed in range(count)]


@KINDS
@pytest.mark.parametrize('variance', VARIANCES)
@pytest.mark.parametrize('channels, rate', [(1, (2, 2, 2)), (3, (1, 3, 2))])
def test_it_returns_a_gaussian_whose_mean_in_use_is_the_plain_network_of_the_same_weights(
        dropout, variance, channels, rate):
    sampling, x = Sampling(rate), lr_batch(channels=channels)
    net = BayesianESPCN3D(sampling, channels, residual='linear', dropout=dropout, variance=variance)
    prediction = in_use(net, x)
    assert isinstance(prediction, Normal)
    check_prediction(prediction, sampling.hr_shape(x.shape))
    plain = ESPCN3D(sampling, channels, residual='linear')
    for name in ('conv1', 'conv2', 'conv3'):
        for key in ('W', 'b'):
            getattr(plain[name], key).array[...] = getattr(net.mean[name], key).array
    numpy.testing.assert_array_equal(prediction.mean.array, in_use(plain, x).array)
    numpy.testing.assert_allclose(prediction.variance.array, in_use(net.variance, x).array, rtol=1e-5)
    assert (net.sampling, net.in_channels, net.halo) == (sampling, channels, plain.halo)


@KINDS
def test_in_training_it_has_noise_and_every_weight_learns(dropout):
    net, x = BayesianESPCN3D(Sampling(2), residual='linear', dropout=dropout), lr_batch()
    net.variance.conv3.W.array[...] = 0.01
    net.seed_noise(0, 1)
    prediction = net(x)
    assert numpy.abs(prediction.mean.array - in_use(net, x).mean.array).max() > 1e-2
    net.cleargrads()
    loss = chainer.functions.sum(prediction.log_prob(numpy.ones(prediction.mean.shape, numpy.float32)))
    (loss + net.divergence()).backward()
    assert all(numpy.isfinite(param.grad).all() and param.grad.any() for param in net.params())
    net.seed_noise(0, 1)
    numpy.testing.assert_array_equal(net(x).mean.array, prediction.mean.array)


@pytest.mark.parametrize('dropout', ['per_weight', 'per_kernel'])
def test_alpha_learns_from_gradients_as_small_as_those_of_a_mean_over_voxels(dropout):
    """The size of a gradient does not matter to Adam, but for what it adds to it."""
    net = BayesianESPCN3D(Sampling(2), dropout=dropout)
    optimizer = chainer.optimizers.Adam(0.01).setup(net)
    net.tune(optimizer)
    net.cleargrads()
    before = {name: param.array.copy() for name, param in net.mean.namedparams()}
    for param in net.params():
        param.grad = numpy.full(param.shape, 1e-12, numpy.float32)
    optimizer.update()
    for name, param in net.mean.namedparams():
        moved = before[name] - param.array
        assert name.endswith('spread') and moved.min() > 0.009 or moved.max() < 1e-5


@pytest.mark.parametrize('variance', VARIANCES)
def test_what_it_computes_at_once_is_what_its_samples_give_one_by_one(variance):
    net = BayesianESPCN3D(Sampling((2, 1, 3)), 2, residual='linear', dropout='binary', variance=variance)
    x = lr_batch(1, 2)
    at_once = in_use(net.predictive, x, generators(7))
    samples = in_use(lambda: [(p.mean.array, p.variance.array) for p in net.sample(x, generators(7))])
    means, variances = map(numpy.array, zip(*samples))
    numpy.testing.assert_allclose(at_once.mean, means.mean(axis=0), rtol=1e-4, atol=1e-5)
    numpy.testing.assert_allclose(at_once.intrinsic, variances.mean(axis=0), rtol=1e-4)
    numpy.testing.assert_allclose(at_once.parameter, means.var(axis=0, ddof=1), rtol=1e-3, atol=1e-8)
    assert (at_once.parameter > 0).mean() > 0.9
    general = in_use(BayesianNetwork.predictive, net, x, generators(7))
    for one, other in zip(at_once, general):
        numpy.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize('dropout', ['per_weight', 'per_kernel'])
def test_without_draws_of_the_last_layer_it_has_the_moments_of_networks_that_are_drawn_whole(dropout):
    """And it knows them better, where most of the variance is of the last layer, as of trained networks."""
    net, x = BayesianESPCN3D(Sampling(2), residual='linear', dropout=dropout, variance='homoscedastic'), lr_batch(1)
    for name, alpha in (('conv1', 0.02), ('conv2', 0.02), ('conv3', 1)):
        net.mean[name].spread.array[...] = numpy.log(alpha) / STEP
    truth = in_use(BayesianNetwork.predictive, net, x, generators(250))
    drawn = in_use(BayesianNetwork.predictive, net, x, generators(32))
    found = in_use(net.predictive, x, generators(32))

    def error(maps):
        """Of the mean, in deviations, and of the variance, relatively: (mean, root mean square)."""
        return [(v.mean(), (v ** 2).mean() ** 0.5) for v in (
            (maps.mean - truth.mean) / truth.parameter ** 0.5, maps.parameter / truth.parameter - 1)]

    assert all(abs(mean) < 0.1 for mean, _ in error(found))
    assert all(ours[1] < others[1] for ours, others in zip(error(found), error(drawn)))
    numpy.testing.assert_array_equal(found.intrinsic, drawn.intrinsic)


@KINDS
def test_a_generator_draws_the_same_network_for_every_patch(dropout):
    """So each patch of a batch gets what it gets alone; and other generators draw other networks."""
    net, x = BayesianESPCN3D(Sampling(2), dropout=dropout), lr_batch()
    both, = in_use(lambda: [p.mean.array for p in net.sample(x, generators(1))])
    for patch, expected in zip(x, both):
        alone, = in_use(lambda patch=patch: [p.mean.array for p in net.sample(patch[None], generators(1))])
        numpy.testing.assert_allclose(alone[0], expected, rtol=1e-4, atol=1e-5)
    first, second = in_use(lambda: [p.mean.array for p in net.sample(x, generators(2))])
    assert numpy.abs(first - second).max() > 1e-2


def test_without_uncertainty_of_the_weights_the_parameter_part_is_0():
    net, x = BayesianESPCN3D(Sampling(2), variance='homoscedastic'), lr_batch(1)
    for name in net.mean.noisy:
        net.mean[name].spread.array[...] = -8
    found = in_use(net.predictive, x, generators(3))
    numpy.testing.assert_allclose(found.mean, in_use(net, x).mean.array, rtol=1e-4, atol=1e-5)
    assert found.parameter.max() < 1e-9 and (found.intrinsic > LEAST_VARIANCE).all()


def test_of_a_network_without_a_variance_the_intrinsic_part_is_none():
    class Point(BayesianNetwork):
        def sample(self, x, generators):
            return (chainer.Variable(x + numpy.float32(generator.normal())) for generator in generators)

    found = Point().predictive(lr_batch(), generators(5))
    assert found.intrinsic is None
    expected = numpy.var([generator.normal() for generator in generators(5)], ddof=1)
    numpy.testing.assert_allclose(found.parameter, expected, rtol=1e-4)


@pytest.mark.gpu
@KINDS
def test_gpu_equals_cpu(dropout, gpu):
    net, x = BayesianESPCN3D(Sampling(2), residual='linear', dropout=dropout), lr_batch()
    expected = in_use(net.predictive, x, generators(4))
    net.to_device(gpu)
    for on_gpu, on_cpu in zip(in_use(net.predictive, gpu.send(x), generators(4)), expected):
        numpy.testing.assert_allclose(on_gpu.get(), on_cpu, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize('change, words', [('dropout=ternary', "dropout 'ternary' is unknown; allowed: binary, per_w"),
                                           ('variance=0', 'variance 0 is unknown; allowed: heteroscedastic, homosc'),
                                           ('dropout=[1]', r'dropout \[1\] is unknown'),
                                           ('ksizes=[1, 3]', 'ksizes must be three odd numbers')])
def test_a_config_s_wrong_arguments_are_told_in_one_line(change, words):
    config = load_config(PROJECT / 'configs/x4_bayesian.yml', [f'models.generator.args.{change}'])
    with pytest.raises(UserError, match=f'models.generator.args: .*{words}'):
        build_network(config)


def test_arguments_that_cannot_be_are_refused_as_those_of_one_network():
    with pytest.raises(ArgumentError, match='ksizes must be three odd numbers'):
        BayesianESPCN3D(Sampling(2), ksizes=(2, 1, 3))
