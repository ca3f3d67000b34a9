"""The training's curves out of the log that Chainer's LogReport has written beside a model."""
import json
import math

from util.files import read_text
from util.reports.charts import line_chart
from util.script import UserError

MOST_BYTES = 2 ** 25
CURVES = {  # heading -> the log's keys -> what the curves are called
    'PSNR of the validation cases [dB]': {'val/psnr': 'network', 'val/psnr_linear': 'linear'},
    'loss': {'main/loss': 'training', 'val/loss': 'validation'}}


def training_charts(path):
    """Charts of a training.

    Args:
        path (Path): The log; that of another program, or none, may be there.

    Returns:
        (list of dict, str): What :func:`util.reports.charts.line_chart` gives; or none, and why.
    """
    try:
        entries = json.loads(read_text(path, MOST_BYTES))
        charts = []
        for label, names in CURVES.items():
            curves = {name: _curve(entries, key) for key, name in names.items()}
            curves = {name: curve for name, curve in curves.items() if curve}
            if curves:
                is_log = label == 'loss' and all(y > 0 for curve in curves.values() for _, y in curve)
                charts.append(line_chart(curves, label, is_log))
        return charts, '' if charts else f'{path} holds no curve'
    except FileNotFoundError:
        return [], f'there is no {path}, the log of a training, beside the model'
    except (OSError, UserError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        return [], f'{path} is no log of a training, or cannot be read: {error}'


def _curve(entries, key):
    points = [(float(entry['iteration']), float(entry[key])) for entry in entries if key in entry]
    return [point for point in points if all(map(math.isfinite, point))]
