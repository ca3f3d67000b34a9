from dataclasses import replace
from pathlib import Path

import numpy
import pytest
import SimpleITK as sitk

from tests.util.volumes.files import save_components
from util.choices import settings_of
from util.dataset.case_lists import read_list
from util.dataset.cases_table import begin_table
from util.dataset.pairs_info import read_pairs_info
from util.miscs import clean_data, make_lists
from util.miscs.make_lr_img import main
from util.lock import locked
from util.script import PROJECT
from util.volumes.degradation import DEGRADATIONS, degrade, sampling_of
from util.volumes.geometry import check_pair
from util.volumes.reading import read_volume
from util.volumes.writing import write_volume

BASE = (PROJECT / 'configs' / 'base.yml').read_text()


@pytest.fixture
def config(tmp_path):
    def write(rate, name, noise_sigma=0, seed=0):
        text = BASE.replace('upsampling_rate: 4', f'upsampling_rate: {rate}').replace('name: bspline', f'name: {name}')
        text = text.replace(f'  name: {name}', f'  name: {name}\n  noise_sigma: {noise_sigma}')
        text = text.replace('seed: 0', f'seed: {seed}')
        path = tmp_path / 'config.yml'
        path.write_text(text)
        return path
    return write


@pytest.fixture
def folders(tmp_path, make_head):
    for seed in range(2):
        write_volume(tmp_path / 'interim' / f'{seed:04d}.mhd', make_head(seed))
    return tmp_path / 'interim', tmp_path / 'processed'


def pair(processed, case='0000'):
    return [read_volume(processed / kind / f'{case}.mhd') for kind in ('LR', 'HR')]


@pytest.mark.parametrize('name', DEGRADATIONS)
@pytest.mark.parametrize('rate, channels', [(4, 1), ([4, 1, 1], 1), ([2, 4, 1], 1), ([4, 1, 2], 2)])
def test_pairs_fit_each_other_in_size_and_space(folders, config, script, make_head, name, rate, channels):
    interim, processed = folders
    for seed in range(2):
        write_volume(interim / f'{seed:04d}.mhd', make_head(seed, channels=channels))
    code, out, err = script(main, '-c', config(rate, name), '-i', interim, '-o', processed)
    assert (code, err) == (0, '') and '2 pairs' in out
    lr, hr = pair(processed)
    rates = (rate,) * 3 if rate == 4 else tuple(rate)
    assert hr.size == tuple(r * n for r, n in zip(rates, lr.size)) and len(hr.array) == len(lr.array) == channels
    assert (lr.array.dtype, hr.array.dtype) == (numpy.float32, numpy.int16)
    whole = make_head(0, channels=channels)
    numpy.testing.assert_array_equal(hr.array, whole.array[tuple(map(slice, hr.array.shape))])
    assert (hr.spacing, hr.origin, hr.direction) == (whole.spacing, whole.origin, whole.direction)
    numpy.testing.assert_array_equal(lr.array, degrade(hr.array, rates, name))
    check_pair(lr, hr, sampling_of(name, rates), ('LR', 'HR'))


@pytest.mark.parametrize('name', DEGRADATIONS)
def test_the_settings_of_a_degradation_are_those_of_the_config(folders, config, script, name):
    interim, processed = folders
    settings = {key: 1.5 * value for key, value in settings_of(DEGRADATIONS[name].along_axis).items()}
    path = config(2, name)
    path.write_text(path.read_text().replace(f'  name: {name}\n', f'  name: {name}\n' + ''.join(
        f'  {key}: {value}\n' for key, value in settings.items())))
    assert script(main, '-c', path, '-i', interim, '-o', processed)[0] == 0
    lr, hr = pair(processed)
    numpy.testing.assert_array_equal(lr.array, degrade(hr.array, (2, 2, 2), name, **settings))
    assert read_pairs_info(processed)['degradation'] == {'name': name, 'noise_sigma': 0.0, **settings}


def test_channels_go_from_raw_files_to_the_lists_and_the_scripts_can_be_called_with_a_command_line(
        config, make_head, tmp_path):
    raw, interim, processed = (tmp_path / name for name in ('raw', 'interim', 'processed'))
    raw.mkdir()
    for seed in range(3):
        save_components(raw / f'{seed}_T1w.nii.gz', make_head(seed, channels=2))
    assert not clean_data.main(['-i', str(raw), '-o', str(interim), '--channels', '2'])
    assert not main(['-c', str(config(2, 'block_mean')), '-i', str(interim), '-o', str(processed)])
    assert not make_lists.main(['--val', '0001', '--test', '0002', '-i', str(processed), '-o', str(tmp_path)])
    for seed, key in enumerate(('training', 'val', 'test')):
        case, = read_list(tmp_path / f'{key}_list.txt', PROJECT)
        hr = make_head(seed, channels=2).array[:, :16, :18, :18]
        numpy.testing.assert_array_equal(read_volume(case.hr_path).array, hr)
        numpy.testing.assert_allclose(read_volume(case.lr_path).array,
                                      hr.reshape(2, 8, 2, 9, 2, 9, 2).mean(axis=(2, 4, 6)), rtol=1e-6)


@pytest.mark.parametrize('name', DEGRADATIONS)
def test_the_files_overlay_in_simpleitk(folders, config, script, name):
    """HR resampled by SimpleITK where LR's header says its voxels lie correlates best there, not 1 mm beside it."""
    interim, processed = folders
    script(main, '-c', config(2, name), '-i', interim, '-o', processed)
    lr, hr = (sitk.ReadImage(str(processed / kind / '0000.mhd'), sitk.sitkFloat32) for kind in ('LR', 'HR'))

    def correlation(shift):
        moved = sitk.Resample(hr, lr, sitk.TranslationTransform(3, shift), sitk.sitkLinear)
        inner = (slice(2, -2),) * 3
        return numpy.corrcoef(*(sitk.GetArrayFromImage(image)[inner].ravel() for image in (moved, lr)))[0, 1]

    best = correlation((0.0, 0.0, 0.0))
    assert best > (0.95 if name == 'zero_filled' else 0.99)  # which has half of the detail
    for axis in range(3):
        for step in (-1.0, 1.0):
            assert correlation([step if k == axis else 0.0 for k in range(3)]) < best


def test_noise_comes_from_the_seed_and_the_case(folders, config, script, tmp_path):
    interim, processed = folders
    made = {}
    for run, seed in [('first', 0), ('again', 0), ('other', 1)]:
        script(main, '-c', config(4, 'bspline', 2.0, seed), '-i', interim, '-o', processed)
        made[run] = pair(processed)[0].array
    script(main, '-c', config(4, 'bspline'), '-i', interim, '-o', processed)
    numpy.testing.assert_array_equal(made['first'], made['again'])
    assert (made['first'] != made['other']).any()
    assert (made['first'] != pair(processed)[0].array).all()


def test_the_folder_says_what_its_pairs_were_made_with_and_holds_no_others(folders, config, script):
    interim, processed = folders
    script(main, '-c', config(4, 'bspline'), '-i', interim, '-o', processed)
    (interim / '0001.mhd').unlink()
    script(main, '-c', config([4, 1, 1], 'gaussian'), '-i', interim, '-o', processed)
    assert read_pairs_info(processed) == {
        'upsampling_rate': [4, 1, 1], 'degradation': {'name': 'gaussian', 'fwhm': 1.0, 'noise_sigma': 0.0}, 'seed': 0,
        'cases': ['0000'], 'complete': True}
    for kind in ('LR', 'HR'):
        assert [path.name for path in Path(processed, kind).glob('*.mhd')] == ['0000.mhd']


def test_subjects_go_from_the_table_of_the_volumes_to_the_pairs(folders, config, script):
    interim, processed = folders
    (interim / 'cases.tsv').write_text('case\tsource\tsubject\n0000\tsub-07/sub-07_T1w.nii\tsub-07\n'
                                       '0009\tsub-09/sub-09_T1w.nii\tsub-09\n')
    code, out, err = script(main, '-c', config(2, 'bspline'), '-i', interim, '-o', processed)
    assert (code, err) == (0, '') and f'not in {interim}/cases.tsv: 0001; where the names do not say whose' in out
    assert read_pairs_info(processed)['subjects'] == {'0000': 'sub-07'}


def test_voxels_in_the_header_s_own_file_are_as_good(folders, config, script):
    interim, processed = folders
    path = interim / '0000.mhd'
    expected = read_volume(path).array
    text, raw = path.read_text(), path.with_suffix('.raw')
    path.write_bytes(text.replace('ElementDataFile = 0000.raw', 'ElementDataFile = LOCAL').encode() + raw.read_bytes())
    raw.unlink()
    code, _, err = script(main, '-c', config(2, 'bspline'), '-i', interim, '-o', processed)
    assert (code, err) == (0, '')
    hr = read_volume(processed / 'HR/0000.mhd').array
    numpy.testing.assert_array_equal(hr, expected[tuple(slice(n) for n in hr.shape)])


def test_volumes_of_an_interrupted_clean_data_are_refused_and_no_pair_is_touched(folders, config, script):
    interim, processed = folders
    begin_table(interim, ['0000'])
    code, _, err = script(main, '-c', config(2, 'bspline'), '-i', interim, '-o', processed)
    assert code == 2 and 'interim: the making of these volumes was interrupted; make the volumes anew with' in err
    assert not processed.exists()


@pytest.mark.parametrize('kind', ['LR', 'HR'])
def test_pairs_never_replace_the_volumes_they_are_made_of(folders, config, script, kind, tmp_path):
    interim, _ = folders
    interim.rename(tmp_path / kind)
    code, _, err = script(main, '-c', config(2, 'bspline'), '-i', tmp_path / kind, '-o', tmp_path)
    assert code == 2 and 'the pairs would replace this volume' in err


def test_faults_are_one_line(folders, config, script, make_head, tmp_path):
    interim, processed = folders
    code, _, err = script(main, '-c', config(4, 'bspline'), '-i', tmp_path / 'none', '-o', processed)
    assert code == 2 and err.endswith('make them with: python util/miscs/clean_data.py\n')
    write_volume(interim / '0001.mhd', make_head(0, (3, 8, 8)))
    code, _, err = script(main, '-c', config(4, 'bspline'), '-i', interim, '-o', processed)
    assert code == 2 and '0001.mhd: its size (3, 8, 8) (z, y, x) is smaller than the rate (4, 4, 4)' in err
    assert read_pairs_info(processed)['complete'] is False
    write_volume(interim / '0001.mhd', make_head(0, (4, 8, 8)))
    code, _, err = script(main, '-c', config(4, 'bspline'), '-i', interim, '-o', processed)
    assert code == 2 and '0001.mhd: its size (4, 8, 8) (z, y, x) is too small: an LR volume has 2 voxels or more' in err


def test_pairs_stay_whole_where_none_can_be_made_of_the_first_volume(folders, config, script, make_head):
    interim, processed = folders
    assert script(main, '-c', config(2, 'bspline'), '-i', interim, '-o', processed)[0] == 0
    before = {path: path.read_bytes() for path in processed.rglob('*') if path.is_file()}
    write_volume(interim / '0000.mhd', make_head(0, (3, 3, 3)))
    assert script(main, '-c', config(2, 'bspline'), '-i', interim, '-o', processed)[0] == 2
    assert {path: path.read_bytes() for path in before} == before and read_pairs_info(processed)['complete'] is True


def test_of_noise_on_what_is_below_0_it_is_said_that_it_comes_out_above(folders, config, script, make_head):
    interim, processed = folders
    head = make_head()
    write_volume(interim / '0000.mhd', replace(head, array=head.array - head.array.max()))
    code, _, err = script(main, '-c', config(2, 'bspline', 1), '-i', interim, '-o', processed)
    assert code == 0 and 'LR with Rician noise is a magnitude' in err
    assert read_volume(processed / 'LR/0000.mhd').array.min() >= 0


def test_volumes_that_lie_there_and_are_not_its_own_are_not_replaced(folders, config, script, make_head):
    """Whether they are other people's, or the very volumes that are read, by links."""
    interim, processed = folders
    write_volume(processed / 'HR/0000.mhd', make_head(9))
    code, _, err = script(main, '-c', config(2, 'bspline'), '-i', interim, '-o', processed)
    assert code == 2 and 'HR/0000.mhd is there and was not made by this script' in err
    linked = interim.parent / 'linked'
    linked.mkdir()
    for path in (processed / 'HR').iterdir():
        if not path.name.startswith('.'):
            (linked / path.name).symlink_to(path)
    code, _, err = script(main, '-c', config(2, 'bspline'), '-i', linked, '-o', processed)
    assert code == 2 and 'the pairs would replace this volume' in err


def test_a_folder_that_another_run_writes_into_is_refused(folders, config, script):
    interim, processed = folders
    with locked(processed):
        code, _, err = script(main, '-c', config(2, 'bspline'), '-i', interim, '-o', processed)
    assert code == 2 and 'another run is writing into this folder' in err
