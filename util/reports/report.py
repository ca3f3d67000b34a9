"""report.html: scores, a viewer of the cases, the training and what ran, in one file that needs nothing else.

The viewer is the project's own (page/), since those that exist do not fit into one small file: NiiVue alone is 2.3 MB
of JavaScript, and takes whole volumes; nilearn's `view_img` has one volume per page, of 9.5 MB. The file fetches
nothing, and a Content-Security-Policy sees to that: what runs is the script whose hash it names, whatever a case is
called.
"""
import base64
import hashlib
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from util import script
from util.files import replacing
from util.reports.charts import dot_chart
from util.reports.score_table import RANGES, UNITS, with_mean
from util.reports.training_log import training_charts
from util.reports.uncertainty_table import MEANING, blocks_of
from util.reports.views import views_of
from util.scores.metrics import REGIONS
from util.versions import versions

MOST_BYTES = 15_000_000  # of the page
_REST = 300_000  # bytes that are left for all but the volumes
_PAGE = Path(__file__).with_name('page')
_SCRIPTS = 'decode.js', 'viewer.js', 'controls.js'


def try_report(out, model, config, cases, samplings, rows, unsure, unlike):
    """Write ``report.html`` of the scored cases; that it cannot be had never costs the other results.

    Args:
        out (Path): Folder of the results, where the volumes are; a truth and an LR are read where they were.
        model (Path): The model file; the log of its training may lie beside it.
        config (~util.config.Config): The experiment.
        cases (list of ~util.dataset.case_lists.Case): The cases, scored or not.
        samplings (dict): Of the scored ones: case -> where LR voxels lie among HR voxels
            (~util.volumes.sampling.Sampling), which may be elsewhere than the network's do.
        rows (dict): Of the scored ones: case -> {method: {metric: value}}.
        unsure (dict): case -> {metric: value} of the predicted deviation; none where there is none.
        unlike (dict): case -> how it differs from the scans of the training.

    Returns:
        list of str: What could not be done.
    """
    try:
        with replacing(out / 'report.html') as temporary, open(
                temporary, 'w', encoding='utf-8', errors='backslashreplace', newline='\n') as file:
            file.writelines(_pieces(out, model, config, cases, samplings, rows, unsure, unlike))
    except Exception as error:
        return [f'{out / "report.html"}: no report: {type(error).__name__}: {error}']
    return []


def _pieces(out, model, config, cases, samplings, rows, unsure, unlike):
    """The page, piece by piece, so that one case's volumes at a time lie in memory."""
    environment = Environment(loader=FileSystemLoader(_PAGE), autoescape=True, undefined=StrictUndefined,
                              trim_blocks=True, lstrip_blocks=True)
    code = '\n'.join((_PAGE / name).read_text(encoding='utf-8') for name in _SCRIPTS)
    style = (_PAGE / 'style.css').read_text(encoding='utf-8')
    charts, why_no_charts = training_charts(model.parent / 'log')
    left_out = []
    yield from environment.get_template('page.html.j2').generate(
        code=code, code_hash=_hash(code), style=style, style_hash=_hash(style), model=model, cases=list(rows),
        scores=_score_blocks(rows), ranges=RANGES, unsure=_uncertainty_blocks(unsure), meaning=MEANING,
        charts=charts, why_no_charts=why_no_charts, config=config.to_yaml(), versions=versions(),
        notes=list(script.said), unlike=unlike, left_out=left_out,
        views=_fitting_views(out, samplings, [case for case in cases if case.name in rows], left_out))


def _fitting_views(out, samplings, cases, left_out):
    """The views that there is room for, as they are asked for; the names of the other cases go into a list.

    Three cases always find room as far as coarser values help: they are right to half a step, which the page says.
    """
    room = MOST_BYTES - _REST
    for number, case in enumerate(cases):
        share = room // max(min(len(cases), 3) - number, 1)
        for coarser in (1, 2, 4):
            views = views_of(case, out, samplings[case.name], coarser)
            size = sum(map(_size, views))
            if size <= share:
                break
        if size > room:
            left_out.append(case.name)
            continue
        room -= size
        yield from views


def _size(value):
    """The characters of all texts in a view."""
    return (len(value) if isinstance(value, str) else
            sum(map(_size, value.values())) if isinstance(value, dict) else 0)


def _hash(text):
    return 'sha256-' + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _score_blocks(rows):
    """Per region its heading, its metrics' headings, the methods, its rows of {text, best}, and the chart of PSNR."""
    methods, blocks = list(next(iter(rows.values()))), []
    table = with_mean({case: {(metric + suffix, method): values[method][metric + suffix] for suffix in REGIONS
                              for metric in UNITS for method in methods} for case, values in rows.items()})
    for suffix, region in REGIONS.items():
        lines = {}
        for case, values in table.items():
            lines[case] = []
            for metric, (_, form) in UNITS.items():
                scored = {method: values[metric + suffix, method] for method in methods}
                best = (min if metric == 'rmse' else max)(scored.values())
                lines[case] += [{'text': f'{value:{form}}', 'best': value == best} for value in scored.values()]
        psnr = {case: {method: values['psnr' + suffix, method] for method in methods}
                for case, values in table.items()}
        blocks.append({'region': region, 'metrics': [heading for heading, _ in UNITS.values()], 'methods': methods,
                       'rows': lines, 'chart': dot_chart(psnr, region, 'PSNR [dB]')})
    return blocks


def _uncertainty_blocks(unsure):
    if not unsure:
        return []
    table = with_mean(unsure)
    return [{'title': title, 'headings': list(headings.values()),
             'rows': {case: [f'{values[metric + suffix]:.3f}' for metric in headings]
                      for case, values in table.items()}} for title, suffix, headings in blocks_of(table)]
