import csv

import numpy
import pytest

from util.score_table import format_table, save_csv

ROWS = {case: {method: {'psnr': psnr + shift, 'ssim': 0.5 + shift / 10, 'rmse': 4.0 - shift}
               for method, psnr in (('network', 32.0), ('nearest', 28.0), ('linear', 31.0), ('bspline', 30.0))}
        for case, shift in (('0014', 0.0), ('0001', 1.0))}


def test_csv_has_a_row_a_case_and_their_mean(tmp_path):
    save_csv(tmp_path / 'scores.csv', ROWS)
    with open(tmp_path / 'scores.csv', newline='', encoding='utf-8') as file:
        rows = {row['case']: row for row in csv.DictReader(file)}
    assert list(rows) == ['0014', '0001', 'mean']
    for method, metric in (('network', 'psnr'), ('linear', 'ssim'), ('bspline', 'rmse')):
        values = [ROWS[case][method][metric] for case in ROWS]
        assert [float(rows[case][f'{metric}_{method}']) for case in ROWS] == pytest.approx(values)
        assert float(rows['mean'][f'{metric}_{method}']) == pytest.approx(numpy.mean(values))


def test_text_puts_each_number_below_its_name():
    heads, names, *lines = format_table(ROWS).splitlines()
    assert [line.split()[0] for line in lines] == ['0014', '0001', 'mean']
    # the first column of each group is the network's
    for metric, at in (('PSNR', 'psnr'), ('SSIM', 'ssim'), ('RMSE', 'rmse')):
        column = heads.index(metric)
        assert names[column:].startswith('network')
        assert float(lines[0][column:].split()[0]) == pytest.approx(ROWS['0014']['network'][at])
