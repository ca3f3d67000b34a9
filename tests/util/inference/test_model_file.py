"""Model files bring back the network and its experiment, load elsewhere, and run no code."""
import chainer
import numpy
import pytest

from models.espcn3d import ESPCN3D
from util.config_files import load_config, read_experiment
from util.inference.model_file import load_network, read_experiment_text, read_looks, save_network
from util.inference.network import build_network
from util.script import PROJECT, UserError
from util.volumes.looks import FEATURES
from util.volumes.sampling import Sampling

CONFIG = load_config(PROJECT / 'configs/base.yml')
TEXT = CONFIG.to_yaml()


def assert_same_arrays(one, other):
    for (_, a), (_, b) in zip(sorted(one.namedparams()), sorted(other.namedparams())):
        numpy.testing.assert_array_equal(a.array, b.array)


def test_model_file_brings_back_the_network_and_the_experiment(tmp_path):
    net = build_network(CONFIG)
    save_network(tmp_path / 'gen.npz', net, TEXT)
    assert read_experiment(tmp_path / 'gen.npz') == CONFIG
    other = build_network(read_experiment(tmp_path / 'gen.npz'))
    load_network(tmp_path / 'gen.npz', other)
    assert_same_arrays(net, other)


def test_stock_chainer_reads_the_model_file(tmp_path):
    net, other = build_network(CONFIG), ESPCN3D(Sampling(4))
    save_network(tmp_path / 'gen.npz', net, TEXT)
    chainer.serializers.load_npz(tmp_path / 'gen.npz', other)
    assert_same_arrays(net, other)


def test_a_bare_reference_file_loads_and_has_no_experiment(tmp_path):
    """As numpy alone would write the arrays that the reference's gen_iter_*.npz holds."""
    rng = numpy.random.default_rng(0)
    arrays = {'conv1/W': (50, 1, 3, 3, 3), 'conv1/b': (50,), 'conv2/W': (100, 50, 1, 1, 1), 'conv2/b': (100,),
              'conv3/W': (64, 100, 3, 3, 3), 'conv3/b': (64,)}
    arrays = {name: rng.normal(size=shape).astype(numpy.float32) for name, shape in arrays.items()}
    numpy.savez(tmp_path / 'gen_iter_100000.npz', **arrays)
    net = build_network(CONFIG)
    load_network(tmp_path / 'gen_iter_100000.npz', net)
    assert read_experiment_text(tmp_path / 'gen_iter_100000.npz') is None
    assert read_experiment(tmp_path / 'gen_iter_100000.npz') is None
    for name, array in arrays.items():
        link, param = name.split('/')
        numpy.testing.assert_array_equal(net[link].__dict__[param].array, array)


def test_a_model_file_of_before_settings_belonged_to_names_still_tells_its_experiment(tmp_path):
    """Such files hold gaussian's default fwhm beside every degradation; one that says otherwise is none of them."""
    old = TEXT.replace('name: bspline\n', 'name: bspline\n  fwhm: 1.0\n')
    assert old != TEXT
    save_network(tmp_path / 'old.npz', ESPCN3D(Sampling(4)), old)
    assert read_experiment(tmp_path / 'old.npz') == CONFIG
    save_network(tmp_path / 'other.npz', ESPCN3D(Sampling(4)), old.replace('fwhm: 1.0', 'fwhm: 2.0'))
    with pytest.raises(UserError, match='fwhm: a setting of gaussian, not of bspline'):
        read_experiment(tmp_path / 'other.npz')


def test_a_file_that_needs_pickle_is_refused_and_its_code_not_run(tmp_path):
    class Hostile:
        def __reduce__(self):
            return (tmp_path / 'hit').touch, ()

    numpy.savez(tmp_path / 'gen.npz', **{'conv1/W': numpy.array(Hostile(), dtype=object)})
    with pytest.raises(UserError, match='not a model file, or damaged'):
        load_network(tmp_path / 'gen.npz', ESPCN3D(Sampling(4)))
    assert not (tmp_path / 'hit').exists()


@pytest.mark.parametrize('text', [
    'seed: !!python/object/apply:os.system [touch hit]', 'a: !!python/object/new:os.system [touch hit]',
    'models: {generator: {fn: models/espcn3d.py, name: ESPCN3D, args: {in_channels: !!python/name:os.system }}}'])
def test_the_text_of_an_experiment_runs_nothing(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    save_network(tmp_path / 'gen.npz', ESPCN3D(Sampling(4)), TEXT + text)
    with pytest.raises(UserError, match=r'gen.npz \(its experiment\): not valid YAML: '):
        read_experiment(tmp_path / 'gen.npz')
    assert not (tmp_path / 'hit').exists()


def test_an_experiment_of_pickle_runs_nothing(tmp_path):
    class Hostile:
        def __reduce__(self):
            return (tmp_path / 'hit').touch, ()

    numpy.savez(tmp_path / 'gen.npz', experiment=numpy.array(Hostile(), dtype=object))
    with pytest.raises(UserError, match='experiment: an array of type object, which only pickle can read'):
        read_experiment(tmp_path / 'gen.npz')
    assert not (tmp_path / 'hit').exists()


@pytest.mark.parametrize('experiment', [1.0, [TEXT], b'bytes', 'a' * 1_000_001])
def test_an_experiment_that_is_no_text_is_one_line(tmp_path, experiment):
    numpy.savez(tmp_path / 'gen.npz', experiment=experiment)
    with pytest.raises(UserError, match='gen.npz: not a model file, or damaged: experiment'):
        read_experiment(tmp_path / 'gen.npz')


@pytest.fixture
def refuse(tmp_path):
    """Writes a model file with one array in another one's place, and sees it refused and the network unchanged."""
    def call(name, array, words):
        net = ESPCN3D(Sampling(4))
        arrays = {name.lstrip('/'): param.array for name, param in net.namedparams()}
        numpy.savez(tmp_path / 'gen.npz', **{**arrays, name: array})
        other = ESPCN3D(Sampling(4))
        before = {name: param.array.copy() for name, param in other.namedparams()}
        with pytest.raises(UserError, match=f'gen.npz: {words}'):
            load_network(tmp_path / 'gen.npz', other)
        for name, param in other.namedparams():
            numpy.testing.assert_array_equal(param.array, before[name])
    return call


@pytest.mark.parametrize('number', [numpy.nan, numpy.inf])
def test_weights_that_are_not_finite_are_refused(refuse, number):
    refuse('conv3/b', numpy.full(64, number, numpy.float32), 'conv3/b has weights that are not finite')


@pytest.mark.parametrize('dtype', ['int32', 'complex64', 'bool', 'U1', 'longdouble'])
def test_weights_of_another_kind_are_refused(refuse, dtype):
    refuse('conv3/b', numpy.zeros(64, dtype), 'conv3/b is of type .*; this network needs float32')


def test_the_last_array_is_checked_before_the_first_is_filled_in(refuse):
    refuse('conv3/b', numpy.zeros(63, numpy.float32), r'conv3/b has shape \(63,\); this network needs \(64,\)')


@pytest.mark.parametrize('dtype', ['float16', 'float64', '>f4'])
def test_weights_of_another_floating_point_type_become_the_network_s(tmp_path, dtype):
    net, other = ESPCN3D(Sampling(4)), ESPCN3D(Sampling(4))
    for param in net.params():
        param.array[...] = param.array.astype('float16')
    numpy.savez(tmp_path / 'gen.npz', **{name.lstrip('/'): param.array.astype(dtype)
                                         for name, param in net.namedparams()})
    load_network(tmp_path / 'gen.npz', other)
    assert {param.dtype for param in other.params()} == {numpy.dtype('float32')}
    assert_same_arrays(net, other)


def test_what_a_link_keeps_beside_its_weights_is_loaded_and_checked_too(tmp_path):
    def make():
        return chainer.Sequential(chainer.links.BatchNormalization(3))

    net, other = make(), make()
    net[0].avg_mean[...] = 7
    save_network(tmp_path / 'gen.npz', net, TEXT)
    load_network(tmp_path / 'gen.npz', other)
    assert (other[0].avg_mean == 7).all()
    net[0].avg_mean[...] = numpy.nan
    before = (tmp_path / 'gen.npz').read_bytes()
    with pytest.raises(UserError, match='not written, since 0/avg_mean holds weights that are not finite'):
        save_network(tmp_path / 'gen.npz', net, TEXT)
    assert (tmp_path / 'gen.npz').read_bytes() == before
    chainer.serializers.save_npz(tmp_path / 'gen.npz', net)
    with pytest.raises(UserError, match='0/avg_mean has weights that are not finite'):
        load_network(tmp_path / 'gen.npz', other)
    assert (other[0].avg_mean == 7).all()


@pytest.mark.parametrize('content', [b'', b'not an npz', b'PK\x03\x04broken'])
def test_a_damaged_file_is_one_line(tmp_path, content):
    (tmp_path / 'gen.npz').write_bytes(content)
    with pytest.raises(UserError, match='gen.npz: not a model file'):
        load_network(tmp_path / 'gen.npz', ESPCN3D(Sampling(4)))


def test_a_truncated_file_is_one_line(tmp_path):
    save_network(tmp_path / 'gen.npz', ESPCN3D(Sampling(4)), TEXT)
    content = (tmp_path / 'gen.npz').read_bytes()
    (tmp_path / 'gen.npz').write_bytes(content[:len(content) // 2])
    with pytest.raises(UserError, match='gen.npz: not a model file'):
        load_network(tmp_path / 'gen.npz', ESPCN3D(Sampling(4)))


def test_a_model_of_another_rate_is_refused_with_both_shapes(tmp_path):
    save_network(tmp_path / 'gen.npz', ESPCN3D(Sampling(2)), TEXT)
    with pytest.raises(UserError, match=r'conv3/W has shape \(8, 100, 3, 3, 3\); this network needs \(64, 100'):
        load_network(tmp_path / 'gen.npz', ESPCN3D(Sampling(4)))


def test_a_missing_array_is_named(tmp_path):
    numpy.savez(tmp_path / 'gen.npz', a=numpy.zeros(1))
    with pytest.raises(UserError, match='no array conv1/W, which this network has; found: a'):
        load_network(tmp_path / 'gen.npz', ESPCN3D(Sampling(4)))


LOOKS = {name: [[0.5, 0.25], [-1.0, 2.0]] for name in FEATURES}


def test_what_the_training_looks_like_comes_back(tmp_path):
    save_network(tmp_path / 'gen.npz', ESPCN3D(Sampling(2)), TEXT, looks=LOOKS)
    assert read_looks(tmp_path / 'gen.npz', 2) == {name: [(0.5, 0.25), (-1.0, 2.0)] for name in FEATURES}
    save_network(tmp_path / 'gen.npz', ESPCN3D(Sampling(2)), TEXT)
    assert read_looks(tmp_path / 'gen.npz', 2) is None


@pytest.mark.parametrize('looks', [
    [1], {'air': []}, {**LOOKS, 'air': None}, {**LOOKS, 'air': [[0.5, 0.25]]}, {**LOOKS, 'air': [[0.5, 0.25]] * 3},
    {**LOOKS, 'air': [[0.5], [1, 1]]}, {**LOOKS, 'air': [[0.5, 0.0], [1, 1]]}, {**LOOKS, 'air': [[0.5, -1], [1, 1]]},
    {**LOOKS, 'air': [[float('nan'), 1], [1, 1]]}, {**LOOKS, 'air': [[1, float('inf')], [1, 1]]},
    {**LOOKS, 'air': [[10 ** 400, 1], [1, 1]]}, {**LOOKS, 'air': [['a', 1], [1, 1]]}])
def test_looks_that_cannot_be_are_refused_in_one_line(tmp_path, looks):
    save_network(tmp_path / 'gen.npz', ESPCN3D(Sampling(2)), TEXT, looks=looks)
    with pytest.raises(UserError, match='gen.npz: .* is damaged'):
        read_looks(tmp_path / 'gen.npz', 2)
