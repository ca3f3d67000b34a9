import csv

import numpy
import pytest

from util.score_table import format_table, read_csv, save_csv

ROWS = {case: {method: {'psnr': psnr + shift, 'ssim': 0.5 + shift / 10, 'rmse': 4.0 - shift, 'psnr_robust': psnr - 3,
                        'psnr_head': psnr - 9 + shift, 'ssim_head': 0.4 + shift / 10, 'rmse_head': 14.0 - shift}
               for method, psnr in (('network', 32.0), ('nearest', 28.0), ('linear', 31.0), ('bspline', 30.0))}
        for case, shift in (('0014', 0.0), ('0001', 1.0))}


def test_csv_has_a_row_a_case_and_their_mean(tmp_path):
    save_csv(tmp_path / 'scores.csv', ROWS)
    with open(tmp_path / 'scores.csv', newline='', encoding='utf-8') as file:
        rows = {row['case']: row for row in csv.DictReader(file)}
    assert list(rows) == ['0014', '0001', 'mean']
    for method, metric in (('network', 'psnr'), ('linear', 'ssim'), ('bspline', 'rmse'), ('network', 'psnr_robust'),
                           ('nearest', 'ssim_head')):
        values = [ROWS[case][method][metric] for case in ROWS]
        assert [float(rows[case][f'{metric}_{method}']) for case in ROWS] == pytest.approx(values)
        assert float(rows['mean'][f'{metric}_{method}']) == pytest.approx(numpy.mean(values))


def test_csv_is_read_back_as_it_was_written(tmp_path):
    save_csv(tmp_path / 'scores.csv', ROWS)
    rows = read_csv(tmp_path / 'scores.csv')
    assert list(rows) == ['0014', '0001']
    assert rows['0001'] == {f'{metric}_{method}': value for method, values in ROWS['0001'].items()
                            for metric, value in values.items()}


def test_text_puts_each_number_below_its_name():
    whole, head, ranges = format_table(ROWS).split('\n\n')
    assert 'max - min' in ranges
    for block, region, suffix in ((whole, 'whole volume', ''), (head, 'within the head', '_head')):
        title, heads, names, *lines = block.splitlines()
        assert title == region and max(map(len, block.splitlines())) <= 120
        assert [line.split()[0] for line in lines] == ['0014', '0001', 'mean']
        # the first column of each group is the network's
        for metric, at in (('PSNR', 'psnr'), ('SSIM', 'ssim'), ('RMSE', 'rmse')):
            column = heads.index(metric)
            assert names[column:].startswith('network')
            assert float(lines[0][column:].split()[0]) == pytest.approx(ROWS['0014']['network'][at + suffix])
