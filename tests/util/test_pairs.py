from types import SimpleNamespace

import pytest

from util.pairs import check_pairs_info, read_pairs_info, write_pairs_info
from util.script import UserError


def config(rate=(4, 4, 4), name='gaussian', fwhm=1.0, noise_sigma=0.0):
    degradation = SimpleNamespace(name=name, fwhm=fwhm, noise_sigma=noise_sigma)
    return SimpleNamespace(upsampling_rate=rate, degradation=degradation, seed=3)


def test_pairs_of_the_same_settings_pass_and_so_does_a_folder_that_says_nothing(tmp_path):
    check_pairs_info(tmp_path, config())
    write_pairs_info(tmp_path, config(), {'0001', '0000'}, complete=True)
    check_pairs_info(tmp_path, config())
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


def test_fwhm_matters_to_gaussian_alone(tmp_path):
    write_pairs_info(tmp_path, config(name='bspline'), ['0000'], complete=True)
    check_pairs_info(tmp_path, config(name='bspline', fwhm=2.0))


def test_interrupted_or_damaged_pairs_are_refused(tmp_path):
    write_pairs_info(tmp_path, config(), ['0000'], complete=False)
    with pytest.raises(UserError, match='interrupted; make the pairs anew'):
        check_pairs_info(tmp_path, config())
    (tmp_path / 'degradation.yml').write_text('{[')
    with pytest.raises(UserError, match='degradation.yml: damaged'):
        check_pairs_info(tmp_path, config())
