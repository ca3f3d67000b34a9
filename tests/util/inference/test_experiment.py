import numpy
import pytest

from util.config import check_values
from util.config_files import load_config
from util.inference.experiment import load_start
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
