"""Pairs on files, as training, validation and comparison read them."""
import dataclasses
from pathlib import Path

import numpy
import pytest

from tests.experiment import HR_GEOMETRY, LR_GEOMETRY, make_experiment
from util.config_files import load_config
from util.dataset.case_lists import Case, read_list
from util.dataset.pairs import load_pairs, read_pair, read_pair_to_score
from util.dataset.pairs_info import write_pairs_info
from util.script import UserError
from util.volumes.degradation import degrade, sampling_of
from util.volumes.geometry import lr_volume_geometry
from util.volumes.intensity import SCALINGS, intensity_scale
from util.volumes.reading import read_volume
from util.volumes.volume import Volume
from util.volumes.writing import write_volume


@pytest.fixture(params=[1, 2])
def folder(tmp_path, request):
    return make_experiment(tmp_path, request.param)


def load(folder, *changes):
    return load_config(folder / 'experiment.yml', changes)


def case_of(folder):
    return read_list(folder / 'test_list.txt', folder)[0]


def test_a_pair_is_its_two_files_as_float32_in_their_places(folder):
    hr = read_volume(folder / 'HR/0001.mhd')
    write_volume(folder / 'HR/0001.mhd', Volume(hr.array.astype(numpy.int16), *HR_GEOMETRY))
    lr, hr = read_pair(case_of(folder), load(folder))
    for volume, path, geometry in ((lr, 'LR/0001.mhd', LR_GEOMETRY), (hr, 'HR/0001.mhd', HR_GEOMETRY)):
        numpy.testing.assert_array_equal(volume.array, read_volume(folder / path).array)
        assert volume.array.dtype == numpy.float32
        assert (volume.spacing, volume.origin, volume.direction) == geometry


@pytest.mark.parametrize('change, message', [
    ('upsampling_rate=[2, 2, 1]', r'LR.0001.mhd and .*HR.0001.mhd: sizes .* do not fit'),
    ('degradation.name=block_mean', r'LR.0001.mhd lies .* mm away')])
def test_a_pair_of_another_rate_or_degradation_is_refused_by_its_headers(folder, change, message):
    with pytest.raises(UserError, match=message):
        read_pair(case_of(folder), load(folder, change))
    with pytest.raises(UserError, match=message):
        load_pairs(folder / 'test_list.txt', load(folder, change), folder)


def test_a_pair_of_another_degradation_in_the_same_place_is_refused_by_what_its_folder_says(folder):
    """kspace and bspline put LR voxels in the same places: the headers cannot tell."""
    write_pairs_info(folder, load(folder, 'degradation.name=kspace'), ['0000', '0001'], complete=True)
    read_pair(case_of(folder), load(folder, 'degradation.name=kspace'))
    with pytest.raises(UserError, match="made with degradation .*'kspace'.*the config says .*'bspline'"):
        read_pair(case_of(folder), load(folder))


@pytest.mark.parametrize('place, lr, hr', [('LR', '0001.mhd', '../HR/0001.mhd'), ('LR/below', '../0001.mhd',
                                                                                    '../../HR/0001.mhd'),
                                           ('.', 'LR/below/../0001.mhd', 'HR/0001.mhd')])
def test_what_its_folder_says_is_found_from_any_working_directory(folder, monkeypatch, place, lr, hr):
    """0000.mhd has no folder in its path, and its folder has none above it there."""
    write_pairs_info(folder, load(folder, 'degradation.name=kspace'), ['0000', '0001'], complete=True)
    (folder / 'LR/below').mkdir()
    config = load(folder)
    monkeypatch.chdir(folder / place)
    for read in (read_pair, read_pair_to_score):
        with pytest.raises(UserError, match="made with degradation .*'kspace'.*the config says .*'bspline'"):
            read(Case('0001', Path(lr), Path(hr)), config)


def test_a_pair_of_unequal_channels_is_refused(folder):
    lr = read_volume(folder / 'LR/0001.mhd')
    write_volume(folder / 'LR/0001.mhd', Volume(lr.array.repeat(3, axis=0), *LR_GEOMETRY))
    with pytest.raises(UserError, match=r'sizes \(\d, 12, 12, 12\) and \(\d, 24, 24, 24\) \(channels, z, y, x\)'):
        read_pair(case_of(folder), load(folder))


@pytest.mark.parametrize('kind', ['LR', 'HR'])
def test_a_volume_that_cannot_be_read_is_named(folder, kind):
    path = folder / f'{kind}/0001.mhd'
    path.with_suffix('.raw').unlink()
    with pytest.raises(UserError, match=f'{kind}.0001.mhd: cannot be read'):
        read_pair(case_of(folder), load(folder))


@pytest.mark.parametrize('scaling', SCALINGS)
def test_both_volumes_of_a_pair_are_divided_by_the_scale_of_its_lr(folder, scaling):
    """In the list's order; the bright HR, which is unknown where the network is used, has no say."""
    hr = read_volume(folder / 'HR/0001.mhd')
    write_volume(folder / 'HR/0001.mhd', Volume(1000 * hr.array, *HR_GEOMETRY))
    (folder / 'both.txt').write_text('LR/0001.mhd HR/0001.mhd\nLR/0000.mhd HR/0000.mhd\n')
    pairs = load_pairs(folder / 'both.txt', load(folder, f'intensity_scaling={scaling}'), folder)
    assert pairs.names == ['0001', '0000'] and [g.spacing for g in pairs.geometries] == [LR_GEOMETRY[0]] * 2
    for name, pair in zip(pairs.names, pairs.arrays):
        lr, hr = (read_volume(folder / kind / f'{name}.mhd').array for kind in ('LR', 'HR'))
        scale = intensity_scale(lr, scaling)
        for scaled, array in zip(pair, (lr, hr)):
            assert scaled.dtype == numpy.float32 and scaled.shape == array.shape
            numpy.testing.assert_allclose(scaled * scale, array, rtol=1e-6)


def test_a_case_without_an_hr_volume_is_named_with_its_list(folder):
    (folder / 'test_list.txt').write_text('LR/0001.mhd\n')
    with pytest.raises(UserError, match='test_list.txt: case 0001 has no HR volume'):
        load_pairs(folder / 'test_list.txt', load(folder), folder)


def test_a_case_that_gives_no_intensity_scale_is_named(folder):
    lr = read_volume(folder / 'LR/0001.mhd')
    write_volume(folder / 'LR/0001.mhd', Volume(0 * lr.array, *LR_GEOMETRY))
    with pytest.raises(UserError, match=r'0001.mhd: the 99th percentile of this LR volume is 0'):
        load_pairs(folder / 'test_list.txt', load(folder, 'intensity_scaling=percentile'), folder)


DRAWN = 'drawn.degradation=[bspline, block_mean, {name: gaussian, fwhm: [0.5, 1.5]}]'


@pytest.mark.parametrize('told', [True, False])
@pytest.mark.parametrize('name', ['block_mean', 'gaussian', 'bspline'])
def test_to_be_scored_a_pair_may_be_of_any_degradation_that_was_drawn(folder, name, told):
    """Whether its folder says so or its headers alone; for the training it is none."""
    sampling = sampling_of(name, (2, 2, 2))
    hr = read_volume(folder / 'HR/0001.mhd')
    lr = Volume(degrade(hr.array, (2, 2, 2), name).astype(numpy.float32), *lr_volume_geometry(hr, sampling))
    write_volume(folder / 'LR/0001.mhd', lr)
    if told:
        write_pairs_info(folder, load(folder, f'degradation.name={name}'), ['0001'], complete=True)
    found = read_pair_to_score(case_of(folder), load(folder, DRAWN))
    numpy.testing.assert_array_equal(found[0].array, lr.array)
    assert found[2] == sampling
    if name != 'bspline':
        for refused, changes in ((read_pair, [DRAWN]), (read_pair_to_score, [])):
            with pytest.raises(UserError, match='made with degradation' if told else 'mm away'):
                refused(case_of(folder), load(folder, *changes))


def test_to_be_scored_a_pair_of_another_rate_or_an_undrawn_degradation_is_refused(folder):
    for change in ('degradation.name=kspace', 'upsampling_rate=[2, 2, 1]'):
        write_pairs_info(folder, load(folder, change), ['0001'], complete=True)
        with pytest.raises(UserError, match='made with'):
            read_pair_to_score(case_of(folder), load(folder, DRAWN))


def test_a_pair_that_cannot_belong_together_is_told_when_it_is_read_to_train_and_to_score(folder, capsys):
    config, case = load(folder), case_of(folder)
    read_pair_to_score(case, config)
    assert not capsys.readouterr().err
    lr = read_volume(case.lr_path)
    write_volume(case.lr_path, dataclasses.replace(lr, array=1000 * lr.array))
    read_pair_to_score(case, config)
    load_pairs(folder / 'test_list.txt', config, folder)
    assert capsys.readouterr().err.count(f'{case.lr_path}: its intensities are about 1e+03 times those of its HR') == 2
