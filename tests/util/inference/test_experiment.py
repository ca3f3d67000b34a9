import numpy
import pytest

from util.config import check_values
from util.config_files import load_config
from util.inference.experiment import choose_config, load_start, open_model
from util.inference.model_file import arrays_of, save_network
from util.inference.network import build_network
from util.script import PROJECT, UserError

BASE = load_config(PROJECT / 'configs/base.yml').model_dump(mode='json')
UNCERTAIN = {'fn': 'models/heteroscedastic_espcn3d.py', 'name': 'HeteroscedasticESPCN3D', 'args': {}}
BAYESIAN = {'fn': 'models/bayesian_espcn3d.py', 'name': 'BayesianESPCN3D', 'args': {}}


def made(generator=None, **changes):
    changes |= {'models': {'generator': generator}} if generator else {}
    config = check_values({**BASE, 'patchside': 8, **changes}, 'a.yml')
    return config, build_network(config)


def start(folder, trained, wanted):
    save_network(folder / 'a.npz', trained[1], trained[0].to_yaml())
    load_start(folder / 'a.npz', wanted[1], wanted[0])


@pytest.mark.parametrize('key, value', [
    ('upsampling_rate', 2), ('degradation', 'block_mean'), ('degradation', {'name': 'bspline', 'noise_sigma': 1.0}),
    ('intensity_scaling', 'percentile'), ('models', {'generator': UNCERTAIN})])
def test_a_model_is_used_by_no_config_of_another_purpose(tmp_path, key, value):
    trained, net = made()
    save_network(tmp_path / 'a.npz', net, trained.to_yaml())
    for name, changes in (('b.yml', {'seed': 7, 'loss': 'l1'}), ('c.yml', {key: value})):
        (tmp_path / name).write_text(made(**changes)[0].to_yaml())
    assert choose_config(tmp_path / 'a.npz', tmp_path / 'b.yml').seed == 7
    with pytest.raises(UserError, match=rf'c.yml: {key} is not what .*a.npz was trained for'):
        choose_config(tmp_path / 'a.npz', tmp_path / 'c.yml')


def test_a_network_that_cannot_be_made_is_told_with_the_file_that_wants_it(tmp_path):
    config, net = made()
    text = config.to_yaml().replace('residual: none', 'residual: cubic')
    save_network(tmp_path / 'a.npz', net, text)
    (tmp_path / 'b.yml').write_text(text)
    for config_path, name in ((None, 'a.npz'), (tmp_path / 'b.yml', 'b.yml')):
        with pytest.raises(UserError, match=rf'{tmp_path / name}: models.generator.args: ESPCN3D does not take'):
            open_model(tmp_path / 'a.npz', config_path)


@pytest.mark.parametrize('one, other', [('ESPCN3D', 'BayesianESPCN3D'), ('BayesianESPCN3D', 'ESPCN3D'),
                                        ('HeteroscedasticESPCN3D', 'BayesianESPCN3D')])
def test_weights_of_another_network_that_do_not_fit_are_refused_with_both_named(tmp_path, one, other):
    kinds = {'ESPCN3D': made(), 'BayesianESPCN3D': made(BAYESIAN), 'HeteroscedasticESPCN3D': made(UNCERTAIN)}
    before = {name: array.copy() for name, array in arrays_of(kinds[other][1]).items()}
    with pytest.raises(UserError, match=rf'a.npz: its weights do not fit; they are of {one}\(.*\) at rate \(4, 4, 4\)'
                       rf'.*, and the config says {other}\(.*Start from a model of that, or leave -m out'):
        start(tmp_path, kinds[one], kinds[other])
    for name, array in arrays_of(kinds[other][1]).items():
        numpy.testing.assert_array_equal(array, before[name])


def test_weights_of_another_rate_are_refused_with_both_named(tmp_path):
    with pytest.raises(UserError, match=r'of ESPCN3D\(.*at rate \(2, 2, 2\).*says ESPCN3D\(.*at rate \(4, 4, 4\)'):
        start(tmp_path, made(upsampling_rate=2), made())
    with pytest.raises(UserError, match=r'leave -m out \(mean/conv3'):  # and not what is wrong with it as a mean alone
        start(tmp_path, made(UNCERTAIN, upsampling_rate=2), made(UNCERTAIN))


def linear(fn, name, residual='linear', **args):
    return {'fn': f'models/{fn}.py', 'name': name, 'args': {'residual': residual, **args}}


@pytest.mark.parametrize('generator, trained, wanted', [
    (linear('espcn3d', 'ESPCN3D'), {}, {}),
    (linear('espcn3d', 'ESPCN3D'), {'seed': 3, 'loss': 'l1', 'batchsize': 1}, {}),
    (linear('heteroscedastic_espcn3d', 'HeteroscedasticESPCN3D'), {'loss': 'gaussian_nll'}, {})])
def test_a_mean_that_stays_is_that_of_the_model(tmp_path, generator, trained, wanted):
    fixed = linear('heteroscedastic_espcn3d', 'HeteroscedasticESPCN3D', fixed_mean=True)
    start(tmp_path, filled(made(generator, **trained)), made(fixed, **wanted))


@pytest.mark.parametrize('generator, trained, wanted', [
    (linear('espcn3d', 'ESPCN3D', 'none'), {}, {}),
    (linear('espcn3d', 'ESPCN3D', 'nearest'), {}, {}),
    (linear('espcn3d', 'ESPCN3D'), {'degradation': 'block_mean'}, {}),
    (linear('espcn3d', 'ESPCN3D'), {}, {'intensity_scaling': 'percentile'})])
def test_a_mean_that_would_not_stay_is_refused_with_both_named(tmp_path, generator, trained, wanted):
    """The weights fit, and what is made of them is something else."""
    fixed = linear('heteroscedastic_espcn3d', 'HeteroscedasticESPCN3D', fixed_mean=True)
    with pytest.raises(UserError, match=r'with fixed_mean its answers would not stay as they are: it is of ESPCN3D\('
                       r'.*degradation .*, and the config says HeteroscedasticESPCN3D\('):
        start(tmp_path, filled(made(generator, **trained)), made(fixed, **wanted))


def test_a_deeper_mean_that_loses_its_share_is_refused(tmp_path):
    deep = {'width': 4, 'blocks': 1}
    fixed = linear('heteroscedastic_deep_espcn3d', 'HeteroscedasticDeepESPCN3D', fixed_mean=True, **deep)
    trained = filled(made(linear('deep_espcn3d', 'DeepESPCN3D', 'blended', **deep)))
    with pytest.raises(UserError, match='would not stay as they are'):
        start(tmp_path, trained, made(fixed))


def test_another_degradation_is_told(tmp_path, capsys):
    start(tmp_path, made(degradation='block_mean'), made())
    assert 'degradation block_mean, intensity_scaling none, and are trained further as' in capsys.readouterr().err


def filled(pair):
    """The experiment and its network, all weights of which count."""
    rng = numpy.random.default_rng(0)
    for param in pair[1].params():
        param.array[...] = rng.normal(0, 0.1, param.shape)
    return pair


def test_weights_of_another_network_that_fit_are_taken_which_is_told(tmp_path, capsys):
    trained, wanted = made(BAYESIAN), made(UNCERTAIN)
    start(tmp_path, trained, wanted)
    numpy.testing.assert_array_equal(wanted[1].mean.conv1.W.array, trained[1].mean.conv1.W.array)
    assert 'of BayesianESPCN3D' in (said := capsys.readouterr().err) and 'as HeteroscedasticESPCN3D' in said
    trained, wanted = made(), made(UNCERTAIN)
    variance = wanted[1].variance.conv1.W.array.copy()
    start(tmp_path, trained, wanted)
    numpy.testing.assert_array_equal(wanted[1].mean.conv1.W.array, trained[1].conv1.W.array)
    numpy.testing.assert_array_equal(wanted[1].variance.conv1.W.array, variance)
    assert 'of ESPCN3D' in (said := capsys.readouterr().err) and 'as HeteroscedasticESPCN3D' in said
    start(tmp_path, made(intensity_scaling='percentile'), made())
    assert 'intensity_scaling percentile, and are trained further as' in capsys.readouterr().err
    start(tmp_path, made(), made(seed=3, loss='l1'))
    assert capsys.readouterr().err == ''
