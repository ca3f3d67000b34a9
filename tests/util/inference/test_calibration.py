"""A calibration goes into a model file and comes back; nothing else there changes, and nothing hostile is believed."""
import json

import chainer
import numpy
import pytest

from models.espcn3d import ESPCN3D
from util.inference.calibration import Calibration, choose_calibration, read_calibration, save_calibration
from util.inference.model_file import CALIBRATION, load_network, read_experiment_text, read_lie, save_network
from util.scores.intervals import PERCENTS
from util.script import UserError
from util.volumes.orientation import Lie
from util.volumes.sampling import Sampling

ONE = Calibration(dict(zip(PERCENTS, numpy.linspace(0.1, 2.1, 19).tolist())),
                  {**dict.fromkeys(PERCENTS), 5: 0.7, 50: 34.375}, 1, False)
OTHER = ONE._replace(subjects=3, ensemble=True, samples=20)
LIE = Lie('RAS', (1.0, 1.5, 4.0))


@pytest.fixture
def model(tmp_path):
    save_network(tmp_path / 'gen.npz', ESPCN3D(Sampling(2)), 'seed: 3', LIE)
    return tmp_path / 'gen.npz'


def entries(path):
    with numpy.load(path) as archive:
        return {name: archive[name] for name in archive.files}


def test_it_comes_back_the_last_one_counts_and_all_else_stays_bit_for_bit(model):
    before = entries(model)
    assert read_calibration(model) is None
    for calibration in (ONE, OTHER):
        save_calibration(model, calibration)
        assert read_calibration(model) == calibration
    after = entries(model)
    assert after.keys() == {*before, CALIBRATION} and len(before) == 8
    for name, array in before.items():
        assert after[name].dtype == array.dtype and after[name].tobytes() == array.tobytes()
    assert (read_experiment_text(model), read_lie(model)) == ('seed: 3', LIE)


def test_who_loads_the_network_does_not_mind_it(model):
    before, ours, stock = entries(model), ESPCN3D(Sampling(2)), ESPCN3D(Sampling(2))
    save_calibration(model, ONE)
    load_network(model, ours)
    chainer.serializers.load_npz(model, stock)
    for net in (ours, stock):
        for name, param in net.namedparams():
            numpy.testing.assert_array_equal(param.array, before[name.lstrip('/')])
    save_network(model, ours, 'seed: 3')  # as a training that goes on from it
    assert read_calibration(model) is None


def test_a_file_that_cannot_be_written_anew_stays_as_it_was(model, monkeypatch):
    save_calibration(model, ONE)
    before = model.read_bytes()

    def full(file, **arrays):
        file.write_bytes(b'half')
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(numpy, 'savez_compressed', full)
    with pytest.raises(OSError, match='No space left'):
        save_calibration(model, OTHER)
    assert model.read_bytes() == before and list(model.parent.iterdir()) == [model]


GOOD = {**ONE._asdict(), 'factors': list(ONE.factors.values()), 'guaranteed': list(ONE.guaranteed.values())}
RISING = GOOD['factors']


@pytest.mark.parametrize('text', [
    '', '[', '[' * 100_000, '3', 'null', '[]', '{}', '{"factors": 1}', '9' * 5000, '"\\ud800"',
    *(json.dumps({**GOOD, **change}) for change in (
        {'factors': RISING[:-1]}, {'factors': RISING[::-1]}, {'factors': dict.fromkeys('abcdefghijklmnopqrs', 1.0)},
        {'factors': [0.0, *RISING[1:]]}, {'factors': [-1.0, *RISING[1:]]}, {'factors': [*RISING[:-1], 1e300]},
        {'factors': [*RISING[:-1], float('nan')]}, {'factors': [*RISING[:-1], float('inf')]},
        {'factors': [*RISING[:-1], None]}, {'factors': [*RISING[:-1], '3']}, {'factors': [*RISING[:-1], 10 ** 400]},
        {'factors': [True] * 19}, {'factors': 'x' * 19}, {'guaranteed': [None]}, {'guaranteed': ['a'] * 19},
        {'guaranteed': [-1.0] * 19}, {'guaranteed': None}, {'subjects': 0}, {'subjects': 1.5}, {'subjects': True},
        {'ensemble': 0}, {'ensemble': 'no'}, {'samples': -3}, {'samples': False}, {'samples': '20'},
        {'extra\x1b[31m\n': 1}))])
def test_what_is_no_calibration_is_one_line(model, text):
    numpy.savez(model, **{**entries(model), CALIBRATION: numpy.array(text)})
    with pytest.raises(UserError, match='gen.npz: its .*calibration.* damaged') as caught:
        read_calibration(model)
    assert str(caught.value).isprintable() and len(str(caught.value)) < 3000
    save_calibration(model, ONE)  # calibrating anew is the way out
    assert read_calibration(model) == ONE


@pytest.mark.parametrize('array', [numpy.array(1.0), numpy.array([json.dumps(GOOD)]), numpy.array('x' * 1_000_001)])
def test_an_entry_that_is_no_text_is_one_line(model, array):
    numpy.savez(model, **{**entries(model), CALIBRATION: array})
    with pytest.raises(UserError, match='gen.npz: not a model file, or damaged: calibration is no text'):
        read_calibration(model)


def test_an_entry_of_pickle_runs_nothing(model):
    class Hostile:
        def __reduce__(self):
            return (model.parent / 'hit').touch, ()

    numpy.savez(model, **{**entries(model), CALIBRATION: numpy.array(Hostile(), dtype=object)})
    with pytest.raises(UserError, match='calibration: an array of type object, which only pickle can read'):
        read_calibration(model)
    load_network(model, ESPCN3D(Sampling(2)))
    assert not (model.parent / 'hit').exists()


@pytest.mark.parametrize('text', ['{"axes": "RAS", "spacing": [1, 1, 1' + '0' * 400 + ']}', '[]', '{'])
def test_so_is_what_is_no_lie(model, text):
    numpy.savez(model, **{**entries(model), 'trained_on': numpy.array(text)})
    with pytest.raises(UserError, match='gen.npz: .* is damaged: '):
        read_lie(model)


@pytest.mark.parametrize('ensemble, samples, words', [
    (True, None, 'calibrated without options, and run with --ensemble'),
    (False, 20, 'calibrated without options, and run with --samples 20'),
    (True, 20, 'calibrated without options, and run with --ensemble --samples 20')])
def test_it_is_not_used_for_a_network_that_is_run_otherwise(model, capsys, ensemble, samples, words):
    save_calibration(model, ONE)
    assert choose_calibration(model, False, ensemble, samples) is None
    line = capsys.readouterr().err
    assert words in line and line.startswith('note: ') and len(line.splitlines()) == 1
    with pytest.raises(UserError) as caught:
        choose_calibration(model, True, ensemble, samples)
    assert line == f'note: {caught.value}\n' and f'calibrate.py -m {model} --' in line


def test_it_is_used_for_one_that_is_run_so_and_one_that_is_wanted_must_be_there(model, capsys):
    assert choose_calibration(model, False, False) is None
    with pytest.raises(UserError, match=r'gen.npz: not calibrated, .*: python util/miscs/calibrate.py -m .*gen.npz$'):
        choose_calibration(model, True, False)
    for calibration in (ONE, OTHER):
        save_calibration(model, calibration)
        assert choose_calibration(model, True, calibration.ensemble, calibration.samples) == calibration
    assert capsys.readouterr() == ('', '')
