import csv

import pytest

from util.comparison.results import Result, best_interpolation, gains, lr_name, rows_of, save_results
from util.config_files import load_config
from util.script import PROJECT

METHODS = {'network': 32.0, 'nearest': 28.0, 'linear': 31.0, 'bspline': 30.5}


def result(recipe='best', seed=0, shift=0.0, ensemble=False):
    """Two cases; in the head B-spline is the best interpolation, in the whole volume linear."""
    scores = {}
    for case, more in (('0009', 0.0), ('0010', 1.0)):
        columns = {}
        for method, psnr in METHODS.items():
            psnr += shift * (method == 'network') + more * (method == 'network')
            columns |= {f'psnr_{method}': psnr, f'ssim_{method}': psnr / 50, f'rmse_{method}': 40 - psnr,
                        f'psnr_head_{method}': psnr - 5 + (method == 'bspline'), f'ssim_head_{method}': psnr / 60,
                        f'rmse_head_{method}': 45 - psnr, f'pattern_{method}': 0.01, f'grid_peak_{method}': 1.1,
                        f'worst_phase_{method}': 1.5, f'mse_head_{method}': 8 if method == 'linear' else 4,
                        f'mse_rim_{method}': 1.5, f'mse_air_{method}': 0.5 if method == 'linear' else 5}
        scores[case] = columns
    return Result(recipe, 'x4 bspline', seed, ensemble, scores)


def test_gains_are_paired_with_the_interpolation_that_is_best_in_the_region():
    scores = result().scores
    assert best_interpolation(scores, '') == 'linear' and best_interpolation(scores, '_head') == 'bspline'
    assert gains(scores, 'psnr', '') == pytest.approx([1.0, 2.0])
    assert gains(scores, 'psnr', '_head') == pytest.approx([0.5, 1.5])
    assert gains(scores, 'ssim', '') == pytest.approx([0.02, 0.04])


def test_the_best_interpolation_is_that_of_the_highest_mean():
    """Not that which is best where all are worst, nor where they are best."""
    one, other = {'nearest': 20.0, 'linear': 29.0, 'bspline': 28.0}, {'nearest': 39.0, 'linear': 31.0, 'bspline': 33.0}
    scores = {case: {f'psnr_{method}': value for method, value in its.items()} for case, its in
              (('0009', one), ('0010', other))}
    assert best_interpolation(scores, '') == 'bspline'


def test_seeds_are_averaged_before_cases():
    row, = rows_of([result(seed=0), result(seed=1, shift=0.5)])
    assert len(row.seeds) == 2
    assert gains(row.scores, 'psnr', '') == pytest.approx([1.25, 2.25])


def test_csv_holds_every_run_and_case(tmp_path):
    results = [result(), result(seed=1, ensemble=True)]
    save_results(tmp_path / 'comparison.csv', results)
    with open(tmp_path / 'comparison.csv', newline='', encoding='utf-8') as file:
        rows = list(csv.DictReader(file))
    assert [(row['seed'], row['ensemble'], row['case']) for row in rows] == [
        ('0', '0', '0009'), ('0', '0', '0010'), ('1', '1', '0009'), ('1', '1', '0010')]
    assert float(rows[1]['psnr_network']) == results[0].scores['0010']['psnr_network']


def test_lr_name_tells_rate_and_degradation():
    config = load_config(PROJECT / 'configs/base.yml')
    assert lr_name(config) == 'x4 bspline'
    assert lr_name(config.model_copy(update={'upsampling_rate': (4, 1, 1)})) == 'x[4, 1, 1] bspline'
