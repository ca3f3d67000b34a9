from types import SimpleNamespace

import pytest
import yaml
from pydantic import ValidationError

from tests.experiment import change
from util.config import Degradation
from util.config_drawn import Drawn
from util.dataset.pairs_info import check_pairs_info, holds_tensors, read_pairs_info, subject_of_case, write_pairs_info
from util.script import UserError
from util.volumes.degradation import DEGRADATIONS

NOTHING = Drawn()


def config(rate=(4, 4, 4), seed=3, flip='none', drawn=NOTHING, **degradation):
    return SimpleNamespace(upsampling_rate=rate, degradation=Degradation(**{'name': 'gaussian', **degradation}),
                           seed=seed, flip=flip, drawn=drawn)


@pytest.mark.parametrize('name', DEGRADATIONS)
def test_pairs_of_the_same_settings_pass_and_so_does_a_folder_that_says_nothing(tmp_path, name):
    check_pairs_info(tmp_path, config(name=name))
    write_pairs_info(tmp_path, config(name=name), {'0001', '0000'}, complete=True)
    check_pairs_info(tmp_path, config(name=name))
    assert read_pairs_info(tmp_path)['cases'] == ['0000', '0001']


@pytest.mark.parametrize('other, message', [
    ({'rate': (4, 1, 1)}, r'upsampling_rate \[4, 4, 4\], the config says \[4, 1, 1\]'),
    ({'name': 'kspace'}, "degradation .*'gaussian'.*the config says .*'kspace'"),
    ({'fwhm': 1.5}, "'fwhm': 1.5"),
    ({'noise_sigma': 2.0}, "'noise_sigma': 2.0")])
def test_pairs_of_other_settings_are_refused_with_both(tmp_path, other, message):
    write_pairs_info(tmp_path, config(), ['0000'], complete=True)
    with pytest.raises(UserError, match=message):
        check_pairs_info(tmp_path, config(**other))


@pytest.mark.parametrize('name', DEGRADATIONS)
def test_each_setting_of_a_degradation_matters_to_it_and_no_other_is_kept(tmp_path, name):
    write_pairs_info(tmp_path, config(name=name), ['0000'], complete=True)
    settings = Degradation(name=name).settings
    assert read_pairs_info(tmp_path)['degradation'] == {'name': name, 'noise_sigma': 0.0, **settings}
    for key, value in settings.items():
        with pytest.raises(UserError, match=f"'{key}': {value}.*the config says .*'{key}': {2 * value}"):
            check_pairs_info(tmp_path, config(name=name, **{key: 2 * value}))


def test_fwhm_is_refused_beside_a_degradation_that_has_none():
    with pytest.raises(ValidationError, match='fwhm: a setting of gaussian, not of bspline'):
        config(name='bspline', fwhm=2.0)


def test_numbers_that_say_the_same_are_the_same(tmp_path):
    write_pairs_info(tmp_path, config(fwhm=2, noise_sigma='1e0'), ['0000'], complete=True)
    check_pairs_info(tmp_path, config([4, 4, 4], fwhm=2.0, noise_sigma=1))


def test_another_seed_is_told_and_passes(tmp_path):
    """It decides the noise alone: pairs of another seed are as good."""
    write_pairs_info(tmp_path, config(seed=7), ['0000'], complete=True)
    check_pairs_info(tmp_path, config(seed=3))
    assert read_pairs_info(tmp_path)['seed'] == 7


def test_pairs_made_before_settings_were_kept_by_name_still_pass(tmp_path):
    """Pairs take long to make; the file has had this form from the start."""
    (tmp_path / 'degradation.yml').write_text(yaml.safe_dump({
        'upsampling_rate': [4, 4, 4], 'degradation': {'name': 'gaussian', 'noise_sigma': 0.0, 'fwhm': 1.0}, 'seed': 0,
        'cases': ['0000'], 'complete': True}))
    check_pairs_info(tmp_path, config())


def test_the_subject_is_the_table_s_or_else_the_one_in_the_name(tmp_path):
    write_pairs_info(tmp_path, config(), ['0000', '0001'], complete=True, subjects={'0000': 'anna'})
    info = read_pairs_info(tmp_path)
    assert [subject_of_case(info, case) for case in ('0000', '0001', 'sub-02_run-1')] == ['anna', None, 'sub-02']
    assert [subject_of_case(None, case) for case in ('0000', 'sub-02_run-1')] == [None, 'sub-02']


def test_interrupted_or_damaged_pairs_are_refused(tmp_path):
    write_pairs_info(tmp_path, config(), ['0000'], complete=False)
    with pytest.raises(UserError, match='interrupted; make the pairs anew'):
        check_pairs_info(tmp_path, config())
    for text in ('{[', 'cases: none', '- 0000', '', 'cases: [1]', 'cases: [a]\ncases: [b]', 'cases: !!python/name:a []',
                 'a\0', '#' * 1_000_001, 'cases: [../0000]', 'cases: [[0000]]', 'cases: [a]\nsubjects: [a]',
                 'cases: [a]\nsubjects: {a: [b]}'):
        (tmp_path / 'degradation.yml').write_text(text)
        with pytest.raises(UserError, match='degradation.yml: damaged'):
            check_pairs_info(tmp_path, config())


@pytest.mark.parametrize('old, new', [('complete: true', ''), ('complete: true', 'complete: "false"')])
def test_pairs_are_complete_only_where_it_says_so(tmp_path, old, new):
    write_pairs_info(tmp_path, config(), ['0000'], complete=True)
    change(tmp_path / 'degradation.yml', old, new)
    with pytest.raises(UserError, match='interrupted; make the pairs anew'):
        check_pairs_info(tmp_path, config())


def test_what_cannot_be_read_is_one_line(tmp_path):
    (tmp_path / 'degradation.yml').mkdir()
    with pytest.raises(UserError, match='degradation.yml: cannot be read: Is a directory'):
        check_pairs_info(tmp_path, config())


def test_tensors_are_not_mirrored(tmp_path):
    write_pairs_info(tmp_path, config(), ['0000'], complete=True, tensors=True)
    assert holds_tensors(read_pairs_info(tmp_path))
    for flip in ('none', 'tensors'):
        check_pairs_info(tmp_path, config(flip=flip))
    with pytest.raises(UserError, match='tensors, and flip is per_axis; allowed: none, tensors, since'):
        check_pairs_info(tmp_path, config(flip='per_axis'))
    with pytest.raises(UserError, match='tensors; .* so nothing can be drawn: leave out drawn'):
        check_pairs_info(tmp_path, config(drawn=Drawn(noise=0.1)))
    with pytest.raises(UserError, match='the config says .*fit_tensor.py -c CONFIG'):
        check_pairs_info(tmp_path, config((2, 2, 2)))
    write_pairs_info(tmp_path, config(), ['0000'], complete=True)
    assert not holds_tensors(read_pairs_info(tmp_path))
    check_pairs_info(tmp_path, config(flip='per_axis'))
