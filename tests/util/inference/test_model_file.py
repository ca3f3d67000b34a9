"""Model files bring back the network and its experiment, load elsewhere, and run no code."""
import chainer
import numpy
import pytest

from models.espcn3d import ESPCN3D
from util.config_files import load_config, read_experiment
from util.inference.model_file import load_network, read_experiment_text, save_network
from util.inference.network import build_network
from util.script import PROJECT, UserError
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
