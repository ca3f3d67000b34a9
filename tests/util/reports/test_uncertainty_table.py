import numpy
import pytest

from util.reports.score_table import read_csv
from util.reports.uncertainty_table import CALIBRATED, HEADINGS, format_table, save_csv
from util.scores.uncertainty import UNCERTAINTY_METRICS

ROWS = {case: {metric: number + place for place, metric in enumerate(UNCERTAINTY_METRICS)}
        for case, number in (('0014', 0.125), ('sub-01', 1 / 3))}


def test_csv_has_every_bit_of_a_row_per_case_then_their_mean(tmp_path):
    save_csv(tmp_path / 'uncertainty.csv', ROWS)
    assert read_csv(tmp_path / 'uncertainty.csv') == ROWS
    heads, *_, mean = (line.split(',') for line in (tmp_path / 'uncertainty.csv').read_text().splitlines())
    assert heads == ['case', *UNCERTAINTY_METRICS] and mean[0] == 'mean'
    for value, metric in zip(mean[1:], UNCERTAINTY_METRICS):
        assert float(value) == pytest.approx(numpy.mean([row[metric] for row in ROWS.values()]))


def test_text_has_each_number_below_its_heading():
    whole, head, meaning = format_table(ROWS).split('\n\n')
    assert 'docs/uncertainty.md' in meaning
    for block, region, suffix in ((whole, 'whole volume', ''), (head, 'within the head', '_head')):
        title, heads, *lines = block.splitlines()
        assert title.endswith(region) and max(map(len, block.splitlines())) <= 120
        assert [line.split()[0] for line in lines] == ['0014', 'sub-01', 'mean']
        for metric, heading in HEADINGS.items():
            for line, row in zip(lines, ROWS.values()):
                assert float(line[heads.index(heading):].split()[0]) == pytest.approx(row[metric + suffix], abs=5e-4)


def test_a_large_score_moves_no_other_from_below_its_heading():
    """Such as the NLL of a network that is far too sure."""
    rows = {case: {**values, 'nll': nll} for (case, values), nll in zip(ROWS.items(), (1234567.8, 0.5))}
    _, heads, *lines = format_table(rows).split('\n\n')[0].splitlines()
    for line, row in zip(lines, rows.values()):
        for metric, heading in HEADINGS.items():
            assert float(line[heads.index(heading):].split()[0]) == pytest.approx(row[metric], abs=5e-4)


def test_a_calibrated_network_has_a_block_of_its_intervals_in_the_head(tmp_path):
    columns = [f'{metric}{suffix}' for suffix in ('', '_head') for metric in CALIBRATED]
    rows = {case: {**values, **{column: place + 0.25 for place, column in enumerate(columns)}}
            for case, values in ROWS.items()}
    *others, intervals, meaning = format_table(rows).split('\n\n')
    assert [*others, meaning] == format_table(ROWS).split('\n\n')
    title, heads, *lines = intervals.splitlines()
    assert title == 'calibrated intervals, within the head'
    for place, heading in enumerate(CALIBRATED.values(), 3):
        assert [float(line[heads.index(heading):].split()[0]) for line in lines] == [place + 0.25] * 3
    save_csv(tmp_path / 'uncertainty.csv', rows)
    assert read_csv(tmp_path / 'uncertainty.csv') == rows
