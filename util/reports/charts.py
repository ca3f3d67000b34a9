"""Small charts as numbers for SVG: places in pixels, which page/charts.svg.j2 puts into tags."""
import math

from matplotlib.ticker import MaxNLocator

LEFT, RIGHT, TOP, BOTTOM = 64, 16, 10, 42  # margins, pixels
ROW = 26  # height of a case


def dot_chart(rows, title, label):
    """A row per case, a dot per method.

    Args:
        rows (dict): case -> {method: value}; of one that is not finite, such as the PSNR of equal volumes, there is no
            dot.
        title (str): Heading.
        label (str): What the values are.

    Returns:
        dict: For the template ``charts.svg.j2``.
    """
    width, height = 460, TOP + ROW * len(rows) + BOTTOM
    finite = {case: {method: value for method, value in methods.items() if math.isfinite(value)}
              for case, methods in rows.items()}
    values = [value for methods in finite.values() for value in methods.values()] or [0.0]
    ticks, place = _axis(values, 110, width - RIGHT)
    lines, dots, names = [], [], []
    for number, (case, methods) in enumerate(finite.items()):
        y = TOP + ROW * (number + 0.5)
        names.append((y, case if len(case) <= 14 else case[:13] + '…'))
        ends = [place(value) for value in methods.values()]
        if ends:
            lines.append({'name': 'span', 'points': f'{min(ends):.1f},{y:.1f} {max(ends):.1f},{y:.1f}'})
        dots += [{'name': method, 'x': place(value), 'y': y, 'title': f'{case}, {method}: {value:.2f}'}
                 for method, value in methods.items()]
    return {'width': width, 'height': height, 'left': 110, 'right': width - RIGHT, 'top': TOP,
            'bottom': height - BOTTOM, 'x': ticks, 'y': names, 'label': label, 'title': title,
            'lines': lines, 'dots': dots, 'names': list(next(iter(rows.values())))}


def line_chart(curves, title, is_log=False):
    """Curves over the training's iterations.

    Args:
        curves (dict): name -> list of (iteration, value), finite, in order; not all empty.
        title (str): What the values are.
        is_log (bool): Whether the values stand on a logarithmic axis; they are positive then.

    Returns:
        dict: For the template ``charts.svg.j2``.
    """
    width, height = 460, 240
    scale = math.log10 if is_log else float
    points = [point for curve in curves.values() for point in curve]
    ticks_x, place_x = _axis([x for x, _ in points], LEFT, width - RIGHT)
    ticks_y, place_y = _axis([scale(y) for _, y in points], height - BOTTOM, TOP, is_log)
    lines = [{'name': name, 'points': ' '.join(f'{place_x(x):.1f},{place_y(scale(y)):.1f}' for x, y in curve)}
             for name, curve in curves.items()]
    return {'width': width, 'height': height, 'left': LEFT, 'right': width - RIGHT, 'top': TOP,
            'bottom': height - BOTTOM, 'x': ticks_x, 'y': ticks_y, 'label': 'iteration', 'title': title,
            'lines': lines, 'dots': [], 'names': list(curves)}


def _axis(values, start, end, is_log=False):
    """Ticks as (place, text) of an axis from one place to another, and the function from a value to its place."""
    low, high = min(values), max(values)
    margin = 0.05 * (high - low) or 0.5
    low, high = low - margin, high + margin

    def place(value):
        return start + (value - low) / (high - low) * (end - start)

    ticks = [tick for tick in MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high) if low <= tick <= high]
    return [(place(tick), f'{10 ** tick if is_log else tick:.4g}') for tick in ticks], place
