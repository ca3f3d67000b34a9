"""A network in ONNX Runtime gives what it gives in Chainer, at any size, from one file."""
import json

import chainer
import numpy
import pytest

from models.bayesian_espcn3d import BayesianESPCN3D
from models.convolution_3d import Convolution3D
from models.deep_espcn3d import DeepESPCN3D
from models.espcn3d import ESPCN3D
from models.gaussian import GaussianNetwork
from models.heteroscedastic_deep_espcn3d import HeteroscedasticDeepESPCN3D
from models.heteroscedastic_espcn3d import HeteroscedasticESPCN3D
from models.network import mean_of
from util.config_files import load_config
from util.export.networks import BUILDERS, onnx_model
from util.script import PROJECT, UserError
from util.volumes.degradation import sampling_of
from util.volumes.orientation import Lie

onnx = pytest.importorskip('onnx', reason='requirements-dev.txt has it')
onnxruntime = pytest.importorskip('onnxruntime', reason='requirements-dev.txt has it')

CONFIG = load_config(PROJECT / 'configs/x4_uncertain.yml')
LIE = Lie('LAS', (4.0, 5.5, 5.5))


def make(cls, name='bspline', rate=(2, 2, 2), channels=1, **settings):
    """A network none of whose parameters is what it starts with."""
    net, rng = cls(sampling_of(name, rate), channels, **settings), numpy.random.default_rng(0)
    for param in net.params():
        param.array += rng.normal(size=param.shape).astype(numpy.float32) / 20
    return net


@pytest.mark.parametrize('cls, settings', [
    (ESPCN3D, {}),
    (ESPCN3D, dict(name='block_mean', rate=(1, 2, 3), channels=2, ksizes=(5, 3, 1), residual='linear')),
    (ESPCN3D, dict(rate=(4, 1, 1), channels=2, residual='linear')),
    (ESPCN3D, dict(name='gaussian', channels=3, residual='nearest')),
    (DeepESPCN3D, dict(channels=2, width=5, blocks=2, residual='none')),
    (DeepESPCN3D, dict(name='block_mean', rate=(4, 1, 1), width=5, blocks=1)),
    (DeepESPCN3D, dict(name='block_mean', rate=(3, 1, 2), channels=2, width=5, blocks=1, residual='blended')),
    (HeteroscedasticESPCN3D, dict(name='block_mean', rate=(4, 1, 1), residual='linear')),
    (HeteroscedasticESPCN3D, dict(rate=(1, 2, 3), channels=2)),
    (HeteroscedasticDeepESPCN3D, dict(name='block_mean', rate=(4, 1, 1), channels=2, width=5, blocks=2)),
    (HeteroscedasticDeepESPCN3D, dict(rate=(1, 2, 2), width=5, blocks=1, residual='blended')),
    (BayesianESPCN3D, dict(channels=2, residual='linear')),
    (BayesianESPCN3D, dict(rate=(1, 2, 3), channels=2, dropout='binary', variance='homoscedastic')),
    (BayesianESPCN3D, dict(name='kspace', dropout='per_kernel', residual='nearest'))])
def test_a_file_gives_what_chainer_gives_at_any_size_and_holds_the_same_bits(cls, settings):
    net = make(cls, **settings)
    model = onnx_model(net, CONFIG, LIE, None)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=['CPUExecutionProvider'])
    for batch, *size in ((1, 5, 4, 6), (2, 1, 7, 3), (1, 300, 1, 2)):
        lr = numpy.random.default_rng(1).random((batch, net.in_channels, *size), dtype=numpy.float32)
        with chainer.using_config('train', False), chainer.no_backprop_mode():
            prediction = net(lr)
        expected = {'sr': chainer.as_variable(mean_of(prediction)).array}
        if issubclass(cls, GaussianNetwork):
            expected['deviation'] = prediction.scale.array
        found = dict(zip([output.name for output in session.get_outputs()], session.run(None, {'lr': lr})))
        assert found.keys() == expected.keys()
        for name, array in expected.items():
            assert found[name].dtype == numpy.float32
            numpy.testing.assert_allclose(found[name], array, rtol=0, atol=1e-5 * numpy.abs(array).max())
    arrays = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for path, link in net.namedlinks():
        for name in ('W', 'b') if isinstance(link, Convolution3D) else ():
            found, weights = arrays[f'{path[1:]}/{name}'], getattr(link, name).array
            assert found.tobytes() == weights.tobytes() and found.shape == weights.shape


def test_every_network_of_models_is_known():
    found = {path.stem for path in (PROJECT / 'models').glob('*espcn3d.py')}
    assert found == {cls.__module__.removeprefix('models.') for cls in BUILDERS}


def test_the_metadata_say_what_one_must_know_to_run_it():
    net = make(HeteroscedasticESPCN3D, 'block_mean', (4, 1, 2), 2, ksizes=(5, 3, 3))
    props = {prop.key: json.loads(prop.value) for prop in onnx_model(net, CONFIG, LIE, 'v1-3-gabc').metadata_props}
    assert props == {
        'rate': [4, 1, 2], 'offset': [1.5, 0.0, 0.5], 'halo': 4, 'in_channels': 2, 'intensity_scaling': 'percentile',
        'degradation': {'name': 'bspline', 'noise_sigma': 0.0}, 'network': 'HeteroscedasticESPCN3D',
        'trained_on': {'axes': 'LAS', 'spacing': [4.0, 5.5, 5.5]}, 'commit': 'v1-3-gabc'}
    unknown = {prop.key: prop.value for prop in onnx_model(net, CONFIG, None, None).metadata_props}
    assert unknown['trained_on'] == unknown['commit'] == 'null'


def test_a_class_derived_from_a_known_one_is_refused_since_it_may_compute_something_else():
    class Doubled(ESPCN3D):
        def forward(self, x):
            return 2 * super().forward(x)

    with pytest.raises(UserError, match='Doubled cannot be exported: there is no graph of it; there is one of ESPCN3D'):
        onnx_model(make(Doubled), CONFIG, None, None)
