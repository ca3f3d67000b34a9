"""Why something has no result, in words for the table."""
import re


class Failure(Exception):
    """Why an implementation or a command has no result, in words for the table."""


def without_paths(text):
    """One short line without the folders of this machine."""
    line = re.sub(r'(/[\w.+-]+)+/', '', text.splitlines()[0] if text else '')
    return line[:120]


def describe(error):
    """What an exception means for the table.

    Args:
        error (Exception): Any.

    Returns:
        str: One line, without the folders of this machine.

    Example:
        >>> from benchmarks.failure import describe
        >>> describe(ImportError('No module', name='torch'))
        'not installed (torch)'
    """
    if isinstance(error, ImportError):
        return f'not installed ({error.name or error})'
    if 'InvalidCxxCompiler' in str(error):
        return 'does not work here: no C++ compiler'
    return f'does not work here: {without_paths(f"{type(error).__name__}: {error}")}'
