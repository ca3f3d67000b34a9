import csv
import os

import numpy
import pytest

from util.reports.score_table import columns_of, format_table, is_current, read_csv, save_csv
from util.scores.metrics import METRICS

ROWS = {case: {method: {'psnr': psnr + shift, 'ssim': 0.5 + shift / 10, 'rmse': 4.0 - shift, 'psnr_robust': psnr - 3,
                        'psnr_head': psnr - 9 + shift, 'ssim_head': 0.4 + shift / 10, 'rmse_head': 14.0 - shift}
               for method, psnr in (('network', 32.0), ('nearest', 28.0), ('linear', 31.0), ('bspline', 30.0))}
        for case, shift in (('0014', 0.0), ('0001', 1.0))}


def test_csv_has_a_row_per_case_and_their_mean(tmp_path):
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


def test_csv_keeps_every_bit_of_a_number_and_every_letter_of_a_name(tmp_path):
    """Tables are read back and compared: rounding would make a difference of two runs of their own."""
    rng = numpy.random.default_rng(0)
    rows = {name: {method: {'psnr': value, 'rmse': value * rng.random()} for method in ('network', 'linear')}
            for name, value in (('sub-01, "left"', 1 / 3), ('sch\u00e4del', numpy.inf), ('0003', 5e-324), ('4', -0.1))}
    save_csv(tmp_path / 'new folder' / 'scores.csv', rows)
    expected = {case: {f'{metric}_{method}': value for method, values in methods.items()
                       for metric, value in values.items()} for case, methods in rows.items()}
    assert read_csv(tmp_path / 'new folder' / 'scores.csv') == expected
    save_csv(tmp_path / 'new folder' / 'scores.csv', ROWS)
    assert list(read_csv(tmp_path / 'new folder' / 'scores.csv')) == ['0014', '0001']  # nothing is left of the old one
    assert len(os.listdir(tmp_path / 'new folder')) == 1


METHODS = 'network', 'linear'
COLUMNS = columns_of(METRICS, METHODS)
CASES = ['0014', '0001']


def make_table(folder, cases=CASES, methods=METHODS, metrics=METRICS):
    """A table, and the files that it is made of: a minute older, as a result is."""
    rng = numpy.random.default_rng(0)
    path, sources = folder / 'scores.csv', [folder / f'{case}.mhd' for case in cases]
    save_csv(path, {case: {method: {metric: rng.random() for metric in metrics} for method in methods}
                    for case in cases})
    for source in sources:
        source.touch()
        os.utime(source, (path.stat().st_mtime - 60,) * 2)
    return path, sources


def test_columns_are_those_that_a_table_of_these_metrics_and_methods_has(tmp_path):
    path, _ = make_table(tmp_path)
    assert COLUMNS == list(read_csv(path)['0014']) == path.read_text().splitlines()[0].split(',')[1:]


def test_a_fresh_table_is_current_and_one_as_old_as_its_source_as_well(tmp_path):
    path, sources = make_table(tmp_path)
    assert is_current(path, COLUMNS, CASES, sources)
    stamp = path.stat().st_mtime_ns
    os.utime(sources[1], ns=(stamp, stamp))
    assert is_current(path, COLUMNS, CASES, sources)


@pytest.mark.parametrize('index', [0, 1])
def test_a_table_older_than_any_of_its_sources_is_not_current(tmp_path, index):
    path, sources = make_table(tmp_path)
    stamp = path.stat().st_mtime_ns + 1000
    os.utime(sources[index], ns=(stamp, stamp))
    assert not is_current(path, COLUMNS, CASES, sources)


def test_a_table_of_other_columns_is_not_current(tmp_path):
    """An old table without a new metric once ended in a KeyError where the metric was asked for."""
    for metrics, methods in ((METRICS[:-1], METHODS), (METRICS + ('new',), METHODS), (METRICS[::-1], METHODS),
                             (METRICS, METHODS[:1]), (METRICS, ('network', 'cubic'))):
        path, sources = make_table(tmp_path, methods=methods, metrics=metrics)
        assert is_current(path, columns_of(metrics, methods), CASES, sources)
        assert not is_current(path, COLUMNS, CASES, sources)


@pytest.mark.parametrize('cases', [['0014'], ['0014', '0001', '0002'], ['0014', '0002'], ['0001', '0014']])
def test_a_table_of_other_cases_is_not_current(tmp_path, cases):
    path, sources = make_table(tmp_path, cases)
    assert is_current(path, COLUMNS, cases, sources)
    assert not is_current(path, COLUMNS, CASES, sources)


def test_a_table_that_is_cut_anywhere_is_not_current_unless_all_its_cases_are_whole(tmp_path):
    path, sources = make_table(tmp_path)
    text, rows = path.read_text(), read_csv(path)
    for length in range(0, len(text), 7):
        path.write_text(text[:length])
        assert not is_current(path, COLUMNS, CASES, sources) or read_csv(path) == rows
    path.write_text(text[:text.index('mean')])
    assert not is_current(path, COLUMNS, CASES, sources)


@pytest.mark.parametrize('content', [b'', b'\n', b'not a table', b'case\nmean\n', b'\xff\xfe\x00' * 50, b'a,b\n1,2\n',
                                     b'case,psnr\n"', b'case,x\n0014,\nmean,\n', b'case,x\n0014,1,2\nmean,1\n'])
def test_a_damaged_table_is_not_current(tmp_path, content):
    path, sources = make_table(tmp_path)
    path.write_bytes(content)
    assert not is_current(path, COLUMNS, CASES, sources)


def test_a_cell_that_is_no_number_makes_a_table_not_current(tmp_path):
    path, sources = make_table(tmp_path)
    text = path.read_text()
    path.write_text(text.replace(text.splitlines()[1].split(',')[3], 'x', 1))
    assert not is_current(path, COLUMNS, CASES, sources)


def test_without_a_table_or_without_a_source_nothing_is_current(tmp_path):
    path, sources = make_table(tmp_path)
    sources[0].unlink()
    assert not is_current(path, COLUMNS, CASES, sources)
    path, sources = make_table(tmp_path)
    path.unlink()
    assert not is_current(path, COLUMNS, CASES, sources)


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


@pytest.mark.parametrize('unit', [1e-4, 1e-6, 1e5])
def test_an_rmse_shows_four_digits_below_its_name_whatever_the_unit(unit):
    """Such as of a map of diffusivities in mm^2/s."""
    rows = {case: {method: {**scores, 'rmse': unit * scores['rmse'] / 3} for method, scores in methods.items()}
            for case, methods in ROWS.items()}
    _, heads, names, line, *_ = format_table(rows).splitlines()
    for method in rows['0014']:
        column = names.index(method, heads.index('RMSE'))
        assert float(line[column:].split()[0]) == pytest.approx(rows['0014'][method]['rmse'], rel=1e-3)
        assert line[column - 1] == ' ' != line[column]
