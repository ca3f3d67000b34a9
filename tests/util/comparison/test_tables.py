"""The tables say what the results are."""
import numpy

from tests.util.comparison.test_results import result
from util.comparison.tables import format_markdown
from util.scores.metrics import REGIONS


def table_lines(markdown, heading):
    lines = markdown.split(f'## {heading}\n\n')[1].split('\n\n## ')[0].splitlines()
    rows = [[cell.strip() for cell in line.strip('|').split('|')] for line in lines if line.startswith('|')]
    return [dict(zip(rows[0], row)) for row in rows[2:]]


def test_markdown_has_means_deviations_and_gains():
    markdown = format_markdown([result('base', shift=-1), result(seed=0), result(seed=1, shift=0.5),
                                result(ensemble=True)])
    base, best, ensemble = table_lines(markdown, 'Whole volume')
    assert (base['recipe'], best['recipe'], ensemble['recipe']) == ('base', 'best', 'best + ensemble')
    deviation = numpy.std([31.0, 32.0], ddof=1)
    assert base['PSNR [dB]'] == f'31.50 ± {deviation:.2f}' and base['gain PSNR [dB]'] == f'+0.50 ± {deviation:.2f}'
    assert best['gain PSNR [dB]'].startswith('+1.75') and best['gain PSNR of each seed'] == '+1.50, +2.00'
    assert base['RMSE'] == f'8.500 ± {deviation:.4g}'
    assert base['best interpolation'] == 'linear' and base['its PSNR'] == '31.00'
    assert table_lines(markdown, REGIONS['_head'].capitalize())[0]['best interpolation'] == 'bspline'
    assert table_lines(markdown, 'Each case')[0]['0010'] == '+1.00 / +0.50'
    assert table_lines(markdown, 'Where the error is')[0] == {
        'recipe': 'base', 'LR': 'x4 bspline', 'head: share': '80.0 %', 'head: gain [dB]': '+3.01',
        'rim: share': '15.0 %', 'rim: gain [dB]': '+0.00', 'air: share': '5.0 %', 'air: gain [dB]': '-10.00'}
    assert table_lines(markdown, 'Checkerboard')[0]['pattern, network'] == '1.00 %'


def test_an_rmse_in_small_units_is_not_nothing():
    scores = {case: {column: value * (1e-6 if column.startswith('rmse') else 1) for column, value in columns.items()}
              for case, columns in result().scores.items()}
    line, = table_lines(format_markdown([result()._replace(scores=scores)]), 'Whole volume')
    assert line['RMSE'] == '7.500e-06 ± 7.071e-07'
