"""The analysis of errors on files, as a comparison makes it."""
import csv
import os

import numpy
import pytest

from tests.experiment import HR_GEOMETRY, make_experiment
from util.comparison.error_analysis import MEASURES, analyse_errors
from util.config_files import load_config
from util.dataset.case_lists import read_list
from util.reports.score_table import columns_of
from util.scores.error_regions import ERROR_REGIONS
from util.volumes.head_mask import head_mask
from util.volumes.interpolation import METHODS
from util.volumes.reading import read_volume
from util.volumes.volume import Volume
from util.volumes.writing import write_volume


def prepare(folder, channels=1):
    """An experiment's test cases and its config."""
    make_experiment(folder, channels)
    return read_list(folder / 'test_list.txt', folder), load_config(folder / 'experiment.yml')


@pytest.mark.parametrize('channels', [1, 2])
def test_a_planted_checkerboard_is_measured_drawn_and_read_back(tmp_path, channels):
    cases, config = prepare(tmp_path, channels)
    hr = read_volume(tmp_path / 'HR/0001.mhd').array
    block = numpy.array([-3.0, 3.0] * 4, numpy.float32).reshape(2, 2, 2)
    noise = numpy.random.default_rng(0).normal(0, 3, hr.shape).astype(numpy.float32)
    write_volume(tmp_path / 'out/0001.mhd', Volume(hr + noise + numpy.tile(block, (12, 12, 12)), *HR_GEOMETRY))

    measured = analyse_errors(tmp_path / 'out', cases, config)
    row = measured['0001']
    assert list(row) == columns_of(MEASURES, ('network', *METHODS))
    assert row['pattern_network'] == pytest.approx(0.5, abs=0.03)  # as much pattern as noise
    assert row['grid_peak_network'] > 10 > row['grid_peak_linear']
    mse = numpy.mean((noise + numpy.tile(block, (12, 12, 12))).astype(float) ** 2)
    assert sum(row[f'mse_{region}_network'] for region in ERROR_REGIONS) == pytest.approx(mse, rel=1e-4)
    assert row['pattern_linear'] < 0.1 and row['worst_phase_linear'] > 1.2 > row['worst_phase_network']
    assert (tmp_path / 'out/0001_spectrum.png').stat().st_size > 10000

    picture = tmp_path / 'out/0001_spectrum.png'
    stamp = picture.stat().st_mtime_ns
    assert analyse_errors(tmp_path / 'out', cases, config) == measured
    assert picture.stat().st_mtime_ns == stamp  # done already: nothing is computed again


def test_a_checkerboard_in_the_air_is_none(tmp_path):
    cases, config = prepare(tmp_path)
    hr = read_volume(tmp_path / 'HR/0001.mhd').array
    block = numpy.array([-30.0, 30.0] * 4, numpy.float32).reshape(2, 2, 2)
    noise = numpy.random.default_rng(0).normal(0, 3, hr.shape).astype(numpy.float32)
    in_air = numpy.where(head_mask(hr), 0, numpy.tile(block, (12, 12, 12)))
    write_volume(tmp_path / 'out/0001.mhd', Volume(hr + noise + in_air, *HR_GEOMETRY))
    row = analyse_errors(tmp_path / 'out', cases, config)['0001']
    assert row['pattern_network'] < 0.01 and row['worst_phase_network'] < 1.2


def test_errors_of_a_newer_result_or_without_a_measure_are_measured_again(tmp_path):
    cases, config = prepare(tmp_path)
    out, hr = tmp_path / 'out', read_volume(tmp_path / 'HR/0001.mhd').array
    write_volume(out / '0001.mhd', Volume(hr + 1, *HR_GEOMETRY))
    before = analyse_errors(out, cases, config)

    with open(out / 'errors.csv', newline='', encoding='utf-8') as file:
        rows = [row[:-1] for row in csv.reader(file)]
    with open(out / 'errors.csv', 'w', newline='', encoding='utf-8') as file:
        csv.writer(file).writerows(rows)  # as a version that knew one measure less
    assert analyse_errors(out, cases, config) == before

    write_volume(out / '0001.mhd', Volume(hr + 2, *HR_GEOMETRY))
    newer = (out / 'errors.csv').stat().st_mtime_ns + 10**9
    os.utime(out / '0001.mhd', ns=(newer, newer))
    after = analyse_errors(out, cases, config)
    mse = [sum(row['0001'][f'mse_{region}_network'] for region in ERROR_REGIONS) for row in (before, after)]
    assert mse == pytest.approx([1, 4], rel=1e-4)


def test_errors_are_measured_again_when_the_pair_is_a_newer_one(tmp_path):
    cases, config = prepare(tmp_path)
    hr = read_volume(tmp_path / 'HR/0001.mhd').array
    write_volume(tmp_path / 'out/0001.mhd', Volume(hr + 1, *HR_GEOMETRY))
    analyse_errors(tmp_path / 'out', cases, config)
    write_volume(tmp_path / 'HR/0001.mhd', Volume(hr - 1, *HR_GEOMETRY))
    newer = (tmp_path / 'out/errors.csv').stat().st_mtime_ns + 10**9
    os.utime(tmp_path / 'HR/0001.mhd', ns=(newer, newer))
    row = analyse_errors(tmp_path / 'out', cases, config)['0001']
    assert sum(row[f'mse_{region}_network'] for region in ERROR_REGIONS) == pytest.approx(4, rel=1e-4)
