import csv

import numpy
import pytest

from models.espcn3d import ESPCN3D
from util.config_files import load_config
from util.dataset.case_lists import Case, write_list
from util.inference.model_file import save_network
from util.miscs.score_tensors import main
from util.script import PROJECT
from util.scores.tensor_scores import deviation_scores, regions_of, tensor_scores
from util.volumes.geometry import lr_volume_geometry
from util.volumes.interpolation import METHODS, upsample
from util.volumes.volume import Volume
from util.volumes.writing import remove_volume, write_volume


@pytest.fixture
def results(tmp_path):
    """Two cases of tensors with a result and its deviation each, and a model file; returns what the first is made of.

    Block means of tensors will do for LR here.
    """
    config = load_config(PROJECT / 'configs/dti_x2.yml')
    save_network(tmp_path / 'gen.npz', ESPCN3D(config.sampling, 6), config.to_yaml())
    rng, cases, made = numpy.random.default_rng(0), [], {}
    for name in ('a', 'b'):
        hr = rng.uniform(0.2, 1.5, (6, 16, 18, 20)).astype(numpy.float32)
        hr[:, :2] = 0
        lr = hr.reshape(6, 8, 2, 9, 2, 10, 2).mean(axis=(2, 4, 6))
        deviation = rng.uniform(0.05, 0.15, hr.shape).astype(numpy.float32)
        sr = hr + deviation * rng.normal(size=hr.shape).astype(numpy.float32)
        truth = Volume(hr, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (1.0, 0, 0, 0, 1, 0, 0, 0, 1))
        geometry = truth.spacing, truth.origin, truth.direction
        write_volume(tmp_path / f'HR/{name}.mhd', truth)
        write_volume(tmp_path / f'LR/{name}.mhd', Volume(lr, *lr_volume_geometry(truth, config.sampling)))
        write_volume(tmp_path / f'out/{name}.mhd', Volume(sr, *geometry))
        write_volume(tmp_path / f'out/{name}_deviation.mhd', Volume(deviation, *geometry))
        cases.append(Case(name, tmp_path / f'LR/{name}.mhd', tmp_path / f'HR/{name}.mhd'))
        made[name] = config.sampling, lr, hr, sr, deviation
    write_list(tmp_path / config.dataset.test_list, cases, PROJECT)
    return made['a']


def arguments(folder):
    return '-m', folder / 'gen.npz', '-i', folder / 'out', '-R', folder


def table(folder):
    with open(folder / 'out/tensor_scores.csv', newline='', encoding='utf-8') as file:
        return {row.pop('case'): {key: float(value) for key, value in row.items()} for row in csv.DictReader(file)}


def test_the_table_holds_the_scores_of_network_interpolations_and_deviation(results, tmp_path, script):
    code, out, err = script(main, *arguments(tmp_path))
    assert (code, err) == (0, '')
    sampling, lr, hr, sr, deviation = results
    regions = regions_of(lr, hr, sampling, 2)
    expected = tensor_scores(hr, {'network': sr, **{method: upsample(lr, sampling, method) for method in METHODS}},
                             regions)
    rows = table(tmp_path)
    assert list(rows) == ['a', 'b', 'mean']
    assert rows['a'] == pytest.approx({
        **{f'{metric}_{method}': value for method, values in expected.items() for metric, value in values.items()},
        **deviation_scores(hr, sr, deviation, regions)})
    assert rows['mean']['fa_brain_bspline'] == pytest.approx(
        (rows['a']['fa_brain_bspline'] + rows['b']['fa_brain_bspline']) / 2)
    for number in (f'{rows["a"]["md_interior_network"]:.3f}', f'{rows["a"]["fa_exterior_linear"]:.4f}',
                   f'deviation, brain: MD: {rows["a"]["md_sharpness_ratio_brain"]:.3f} of the RMSE'):
        assert number in out


def test_without_deviations_there_are_no_scores_of_them_and_with_some_the_others_are_missed(results, tmp_path, script):
    remove_volume(tmp_path / 'out/a_deviation.mhd')
    code, _, err = script(main, *arguments(tmp_path))
    assert code == 2 and 'only b have a NAME_deviation.mhd; run inference.py again' in err
    remove_volume(tmp_path / 'out/b_deviation.mhd')
    code, out, _ = script(main, *arguments(tmp_path))
    assert code == 0 and 'deviation, brain' not in out and len(table(tmp_path)['a']) == 4 * 9


def test_a_missing_result_or_one_of_another_shape_is_one_line(results, tmp_path, script):
    write_volume(tmp_path / 'out/b.mhd', Volume(numpy.ones((1, 4, 4, 4), numpy.float32), (1, 1, 1), (0, 0, 0),
                                                (1, 0, 0, 0, 1, 0, 0, 0, 1)))
    code, _, err = script(main, *arguments(tmp_path))
    assert code == 2 and 'out/b.mhd: its shape is not that of' in err and len(err.splitlines()) == 1
    remove_volume(tmp_path / 'out/a.mhd')
    code, _, err = script(main, *arguments(tmp_path))
    assert code == 2 and 'out/a.mhd: cannot read this result of inference.py, which has to be run first' in err
