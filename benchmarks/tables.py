"""Markdown tables, and numbers as they are written in them."""


def table(header, rows):
    """A Markdown table.

    Args:
        header (list of str): The columns.
        rows (iterable of list of str): The lines.

    Returns:
        str: Markdown, without a line break at its end.
    """
    lines = [header, ['---'] * len(header), *rows]
    return '\n'.join('| ' + ' | '.join(line) + ' |' for line in lines)


def ms(seconds):
    """Seconds as milliseconds: '85.5'."""
    return f'{1e3 * seconds:.3g}' if seconds < 1 else f'{1e3 * seconds:.0f}'


def percent(share):
    """A share as percent: '41 %'; '–' where there is none."""
    return '–' if share is None else f'{100 * share:.0f} %' if share >= 0.1 else f'{100 * share:.1f} %'


def ratio(a, b):
    """Median of one Result over that of another: '0.47'; '–' where one has no times."""
    return f'{a.median / b.median:.2f}' if a.seconds and b.seconds else '–'


def mib(memory, key):
    """A figure of `benchmarks.devices`' memory: '215'; '–' where there is none."""
    return f'{memory[key]:.0f}' if memory and memory[key] is not None else '–'
