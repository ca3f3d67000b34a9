import hashlib

import numpy
import pytest

from tests.experiment import weights
from util.inference import pretrained
from util.inference.experiment import open_model
from util.inference.pretrained import Pretrained, list_models, model_path
from util.inference.super_resolution import super_resolve
from util.scores.metrics import psnr
from util.script import UserError
from util.volumes.degradation import degrade, noise_rng
from util.volumes.interpolation import upsample
from util.volumes.phantom import make_head
from util.volumes.volume import Volume


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two published models, one of them changed since."""
    monkeypatch.setattr(pretrained, 'FOLDER', tmp_path)
    (tmp_path / 'x4.npz').write_bytes(b'weights')
    (tmp_path / 'x2_long.npz').write_bytes(b'other weights')
    right = hashlib.sha256(b'weights').hexdigest()
    table = {name: Pretrained(right, what) for name, what in (('x4', '4'), ('x2_long', '2'), ('gone', '0'))}
    monkeypatch.setattr(pretrained, 'TABLE', table)
    return tmp_path


def test_a_name_is_its_file_and_what_is_no_name_a_path(folder, monkeypatch):
    assert model_path('x4') == folder / 'x4.npz'
    monkeypatch.chdir(folder)
    (folder / 'mine').touch()
    for path in ('mine', 'x8.npz', 'run/gen_best.npz'):
        assert str(model_path(path)) == path


def test_a_name_that_is_none_is_refused_with_those_that_there_are(folder, monkeypatch):
    monkeypatch.chdir(folder)
    with pytest.raises(UserError, match='x8: no such model file, and none of the .*: x4, x2_long, gone$'):
        model_path('x8')


def test_a_file_of_that_name_goes_first_which_is_told_and_a_folder_does_not(folder, monkeypatch, capsys):
    (folder / 'here/x4').mkdir(parents=True)
    monkeypatch.chdir(folder / 'here')
    assert model_path('x4') == folder / 'x4.npz' and capsys.readouterr().err == ''
    (folder / 'here/x4').rmdir()
    (folder / 'here/x4').touch()
    assert str(model_path('x4')) == 'x4'
    assert capsys.readouterr().err.startswith('note: -m x4: the file of that name in this folder')


@pytest.mark.parametrize('name, words', [('x2_long', 'not the file that was published'), ('gone', 'cannot read')])
def test_a_changed_or_missing_file_is_refused(folder, name, words):
    with pytest.raises(UserError, match=f'{name}.npz: {words}'):
        model_path(name)


def test_the_list_has_a_line_for_each(folder):
    assert list_models().splitlines() == ['x4       4', 'x2_long  2', 'gone     0']


@pytest.mark.parametrize('name', pretrained.TABLE)
def test_each_published_model_is_whole_and_has_a_card(name):
    assert model_path(name).is_file()
    card = (pretrained.FOLDER / f'{name}.md').read_text(encoding='utf-8')
    for word in ('Licence', 'Trained on', 'Scores', 'Never seen', 'seed', 'commit'):
        assert word in card


def test_the_uncertain_one_has_the_mean_of_the_other_to_the_bit():
    mean, uncertain = (weights(model_path(name)) for name in ('x4_t1w', 'x4_t1w_uncertain'))
    for name, array in mean.items():
        numpy.testing.assert_array_equal(uncertain[f'mean/{name}'], array)


# name -> PSNR in dB that its card has for a synthetic head, and that of linear interpolation
CARDS = {'x4_t1w': (29.81, 28.15), 'x4_t1w_uncertain': (29.81, 28.15), 'x2_t1w': (36.46, 33.23),
         'thick_t1w': (33.21, 31.53), 'thick_clinic': (32.86, 31.53), 'x4_t1w_paper': (29.11, 28.15),
         'x2_t1w_paper': (35.05, 33.23), 'thick_t1w_paper': (32.49, 31.53)}


@pytest.mark.parametrize('name', [pytest.param(name, marks=[] if name == 'x4_t1w' else pytest.mark.slow)
                                  for name in pretrained.TABLE])
def test_each_has_the_score_of_its_card_on_a_synthetic_head(name):
    path, (score, linear) = model_path(name), CARDS[name]
    config, net = open_model(path)
    hr = make_head((96, 96, 96), 0, 0).volume[None].astype(numpy.float32)
    lr = degrade(hr, config.upsampling_rate, 'bspline', 0, noise_rng(0, 'head')).astype(numpy.float32)
    spacing = tuple(map(float, config.upsampling_rate[::-1]))
    sr = super_resolve(net, Volume(lr, spacing, (0.0,) * 3, (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0)), 'percentile').mean
    card = (pretrained.FOLDER / f'{name}.md').read_text(encoding='utf-8')
    assert f'{score:.2f} dB, linear interpolation {linear:.2f}' in card.replace('\n', ' ')
    assert psnr(hr, sr.array) == pytest.approx(score, abs=0.02)
    assert psnr(hr, upsample(lr, config.sampling, 'linear')) == pytest.approx(linear, abs=0.02)
