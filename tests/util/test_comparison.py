import csv

import numpy
import pytest

from util.comparison import Result, best_interpolation, format_markdown, gains, lr_name, rows_of, save_results
from util.config import load_config
from util.score_table import REGIONS
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


def table_lines(markdown, heading):
    lines = markdown.split(f'## {heading}\n\n')[1].split('\n\n## ')[0].splitlines()
    rows = [[cell.strip() for cell in line.strip('|').split('|')] for line in lines if line.startswith('|')]
    return [dict(zip(rows[0], row)) for row in rows[2:]]


def test_gains_are_paired_with_the_interpolation_that_is_best_in_the_region():
    scores = result().scores
    assert best_interpolation(scores, '') == 'linear' and best_interpolation(scores, '_head') == 'bspline'
    assert gains(scores, 'psnr', '') == pytest.approx([1.0, 2.0])
    assert gains(scores, 'psnr', '_head') == pytest.approx([0.5, 1.5])
    assert gains(scores, 'ssim', '') == pytest.approx([0.02, 0.04])


def test_seeds_are_averaged_before_cases():
    row, = rows_of([result(seed=0), result(seed=1, shift=0.5)])
    assert len(row.seeds) == 2
    assert gains(row.scores, 'psnr', '') == pytest.approx([1.25, 2.25])


def test_markdown_has_means_deviations_and_gains():
    markdown = format_markdown([result('base', shift=-1), result(seed=0), result(seed=1, shift=0.5),
                                result(ensemble=True)])
    base, best, ensemble = table_lines(markdown, 'Whole volume')
    assert (base['recipe'], best['recipe'], ensemble['recipe']) == ('base', 'best', 'best + ensemble')
    deviation = numpy.std([31.0, 32.0], ddof=1)
    assert base['PSNR [dB]'] == f'31.50 ± {deviation:.2f}' and base['gain PSNR [dB]'] == f'+0.50 ± {deviation:.2f}'
    assert best['gain PSNR [dB]'].startswith('+1.75') and best['gain PSNR of each seed'] == '+1.50, +2.00'
    assert base['best interpolation'] == 'linear' and base['its PSNR'] == '31.00'
    assert table_lines(markdown, REGIONS['_head'].capitalize())[0]['best interpolation'] == 'bspline'
    assert table_lines(markdown, 'Each case')[0]['0010'] == '+1.00 / +0.50'
    assert table_lines(markdown, 'Where the error is')[0] == {
        'recipe': 'base', 'LR': 'x4 bspline', 'head: share': '80.0 %', 'head: gain [dB]': '+3.01',
        'rim: share': '15.0 %', 'rim: gain [dB]': '+0.00', 'air: share': '5.0 %', 'air: gain [dB]': '-10.00'}
    assert table_lines(markdown, 'Checkerboard')[0]['pattern, network'] == '1.00 %'


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
