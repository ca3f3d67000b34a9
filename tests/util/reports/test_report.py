"""report.html says what tables and volumes say, runs nothing but its own script, and fetches nothing."""
import base64
import csv
import hashlib
import re
from types import SimpleNamespace

import numpy
import pytest

from tests.util.reports.page import decode_view
from tests.util.reports.results import RATE, make_results
from util import script
from util.inference import case_results
from util.reports import report, score_table, uncertainty_table, views
from util.reports.report import try_report
from util.volumes.head_mask import head_mask
from util.volumes.reading import read_volume

def test_tables_have_the_figures_of_the_csv_files(tmp_path):
    results = make_results(tmp_path, ('0001', '0002'))
    score_table.save_csv(tmp_path / 'scores.csv', results.rows)
    uncertainty_table.save_csv(tmp_path / 'uncertainty.csv', results.unsure)
    whole, head, *unsure = results.write().tables
    for name, tables, heads in (('scores.csv', ((whole, ''), (head, '_head')), None),
                                ('uncertainty.csv', zip(unsure, ('', '_head')), uncertainty_table.HEADINGS)):
        with open(tmp_path / name, newline='') as file:
            rows = list(csv.DictReader(file))
        for table, suffix in tables:
            columns = [f'{metric}{suffix}' for metric in heads] if heads else [
                f'{metric}{suffix}_{method}' for metric in score_table.UNITS for method in results.rows['0001']]
            assert [line[0] for line in table[-3:]] == [row['case'] for row in rows] == ['0001', '0002', 'mean']
            for line, row in zip(table[-3:], rows):
                assert len(line) == 1 + len(columns)
                for cell, column in zip(line[1:], columns):
                    assert float(cell) == pytest.approx(float(row[column]), abs=0.5001 * 10.0**-len(cell.split('.')[1]))


def test_embedded_volumes_are_those_of_the_files_as_exactly_as_is_said(tmp_path):
    results = make_results(tmp_path, channels=2)
    shown = results.write().views
    assert [view['name'] for view in shown] == ['0001, channel 1 of 2', '0001, channel 2 of 2']
    head = head_mask(read_volume(tmp_path / 'LR/0001.mhd').array)
    for axis, rate in enumerate(RATE):
        head = head.repeat(rate, axis)
    for channel, view in enumerate(shown):
        volumes, inside, box = decode_view(view)
        assert set(volumes) == {'LR', 'truth', 'network', 'intrinsic', 'parameter'}  # deviation: of the two parts
        kept = numpy.zeros_like(head)
        kept[box] = inside
        assert (kept | ~head).all() and not kept.all()  # the whole head, and not all of the air
        for name, path in (('truth', 'HR/0001'), ('network', 'out/0001'), ('intrinsic', 'out/0001_intrinsic'),
                           ('parameter', 'out/0001_parameter')):
            array = read_volume(tmp_path / f'{path}.mhd').array[channel][box]
            step = (view['maps'].get(name) or view[name])['step']
            assert numpy.abs(volumes[name] - array)[inside].max() <= step / 2 * (1 + 1e-4), name
        assert view['truth']['step'] <= 2 and volumes['truth'].max() == 700
        numpy.testing.assert_allclose(volumes['LR'], read_volume(tmp_path / 'LR/0001.mhd').array[channel],
                                      atol=view['LR']['step'] / 2)
    assert view['axes'] == 'SRP'  # z, y, x; tests.experiment.DIRECTION: x leads to the back, y to the right


def test_the_maps_are_those_that_an_inference_writes():
    assert views.MAPS == case_results.MAPS


def test_a_single_deviation_is_embedded_and_none_where_there_is_none(tmp_path):
    for maps in ((), ('deviation',)):
        results = make_results(tmp_path, maps=maps)
        page = results.write()
        assert tuple(page.views[0]['maps']) == maps and len(page.tables) == (4 if maps else 2)


HOSTILE = '<script>alert(1)</script>', '"><img src=x onerror=alert(1)>', "</script><b>'{{ 7 * 7 }}"


def test_names_and_texts_of_others_are_text_and_run_nothing(tmp_path):
    results = make_results(tmp_path, ('0001', '0002', '0003'), maps=())
    cases = [case._replace(name=name) for case, name in zip(results.cases, HOSTILE)]
    rows = dict(zip(HOSTILE, results.rows.values()))
    evil = ''.join(HOSTILE)
    (tmp_path / 'log').write_text('{"' + evil)
    config = SimpleNamespace(to_yaml=lambda: evil)
    script.said[:] = [evil]

    def views_of(case, *arguments):
        files = next(own for own in results.cases if own.lr_path == case.lr_path)
        return [{**view, 'name': case.name} for view in real(files, *arguments)]

    real, report.views_of = report.views_of, views_of  # no file system takes these names
    try:
        page = results.write(cases=cases, rows=rows, config=config, unlike=dict.fromkeys(HOSTILE, evil))
    finally:
        report.views_of = real
        script.said.clear()
    scripts = [attributes for tag, attributes in page.tags if tag == 'script']
    assert [attributes.get('type') for attributes in scripts] == ['application/json'] * 3 + [None]
    tags = [tag for tag, _ in page.tags]
    assert 'img' not in tags and not any(name.startswith('on') for _, attributes in page.tags for name in attributes)
    assert [view['name'] for view in page.views] == list(HOSTILE)
    assert page.text.count(evil) >= 5 and '{{ 7 * 7 }}' in page.text  # notes, differences, config; no template runs
    assert [line[0] for line in page.tables[0][2:]] == [*HOSTILE, 'mean']


def test_the_page_needs_and_fetches_nothing(tmp_path):
    results = make_results(tmp_path)
    page = results.write()
    assert 'http:' not in results.text and 'https:' not in results.text
    assert not [attributes for _, attributes in page.tags if {'src', 'srcset', 'data'} & attributes.keys()]
    assert all(attributes['href'].startswith('#') for _, attributes in page.tags if 'href' in attributes)
    assert not {'link', 'iframe', 'img', 'base', 'form'} & {tag for tag, _ in page.tags}
    assert not re.search(r'\bfetch\(|XMLHttpRequest|import\(|url\(|@import', results.text)
    policy = next(attributes['content'] for tag, attributes in page.tags if 'http-equiv' in attributes)
    own = re.search(r'<script>(.*)</script>', results.text, re.DOTALL)[1]
    style = re.search(r'<style>(.*)</style>', results.text, re.DOTALL)[1]
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (own, style)]
    assert policy == f"default-src 'none'; script-src 'sha256-{hashes[0]}'; style-src 'sha256-{hashes[1]}'"


def test_three_cases_find_room_by_coarser_values_and_others_are_named(tmp_path, monkeypatch):
    results = make_results(tmp_path, ('0001', '0002', '0003', '0004'))
    fine = results.write().views
    size = len(results.text)
    rest = size - sum(len(str(view)) for view in fine)
    monkeypatch.setattr(report, '_REST', rest + 4000)
    monkeypatch.setattr(report, 'MOST_BYTES', rest + 4000 + (size - rest) // 2)
    page = results.write()
    assert [view['name'] for view in page.views] == ['0001', '0002', '0003'] and len(results.text) <= report.MOST_BYTES
    assert page.views[0]['truth']['step'] > fine[0]['truth']['step']
    assert 'since the page would be too large: 0004.' in page.text
    volumes, inside, box = decode_view(page.views[0])
    truth = read_volume(tmp_path / 'HR/0001.mhd').array[0][box]
    assert numpy.abs(volumes['truth'] - truth)[inside].max() <= page.views[0]['truth']['step'] / 2


def test_notes_training_and_what_ran_are_there(tmp_path, monkeypatch):
    results = make_results(tmp_path)
    monkeypatch.setattr(script, 'said', [])
    script.note('its weights are uncertain')
    page = results.write(unlike={'0001': 'darker (score 1.30)'})
    for words in ('its weights are uncertain', '0001 is unlike the scans of the training', 'darker (score 1.30)',
                  'upsampling_rate: 2', 'platform:', f'there is no {tmp_path / "log"}'):
        assert words in page.text
    (tmp_path / 'log').write_text('[{"iteration": 1, "val/psnr": 30}, {"iteration": 2, "val/psnr": 31}]')
    page = results.write()
    assert 'there is no' not in page.text and [tag for tag, _ in page.tags].count('svg') == 3


def test_a_report_that_cannot_be_written_is_told_and_leaves_the_old_one(tmp_path):
    results = make_results(tmp_path)
    results.write()
    (tmp_path / 'HR/0001.mhd').unlink()
    failure, = try_report(results.out, results.model, results.config, results.cases,
                          dict.fromkeys(results.rows, results.config.sampling), results.rows, {}, {})
    assert failure.startswith(f'{results.out / "report.html"}: no report: UserError: ')
    assert (results.out / 'report.html').read_text(encoding='utf-8') == results.text
