"""The analysis of errors on files, as a comparison makes it."""
import numpy
import pytest

from tests.experiment import HR_GEOMETRY, make_experiment
from util.case_lists import read_list
from util.config import load_config
from util.error_analysis import analyse_errors
from util.error_regions import ERROR_REGIONS
from util.volume import Volume, read_volume, write_volume


def test_a_planted_checkerboard_is_measured_drawn_and_read_back(tmp_path):
    make_experiment(tmp_path)
    cases, config = read_list(tmp_path / 'test_list.txt', tmp_path), load_config(tmp_path / 'experiment.yml')
    hr = read_volume(tmp_path / 'HR/0001.mhd').array
    block = numpy.array([-3.0, 3.0] * 4, numpy.float32).reshape(2, 2, 2)
    noise = numpy.random.default_rng(0).normal(0, 3, hr.shape).astype(numpy.float32)
    write_volume(tmp_path / 'out/0001.mhd', Volume(hr + noise + numpy.tile(block, (12, 12, 12)), *HR_GEOMETRY))

    measured = analyse_errors(tmp_path / 'out', cases, config)
    row = measured['0001']
    assert row['pattern_network'] == pytest.approx(0.5, abs=0.03)  # as much pattern as noise
    assert row['grid_peak_network'] > 10 > row['grid_peak_linear']
    mse = numpy.mean((noise + numpy.tile(block, (12, 12, 12))).astype(float) ** 2)
    assert sum(row[f'mse_{region}_network'] for region in ERROR_REGIONS) == pytest.approx(mse, rel=1e-4)
    assert row['pattern_linear'] < 0.1 and row['worst_phase_linear'] > 1.2 > row['worst_phase_network']
    assert (tmp_path / 'out/0001_spectrum.png').stat().st_size > 10000

    (tmp_path / 'out/0001.mhd').unlink()  # done already: nothing is computed again
    assert analyse_errors(tmp_path / 'out', cases, config) == measured
