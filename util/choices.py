"""Looking up a name in a table, and the settings that belong to it.

A name that a config may say (a loss, a degradation, a schedule) stands in one table, beside the functions that it
chooses. The config, the scripts and the tests ask that table and keep no list of their own.
"""
import inspect


def look_up(table, name, what):
    """The entry of a name.

    Args:
        table (dict): Name -> entry.
        name (str): The name to find.
        what (str): What the table holds, for the message, such as ``'loss'``.

    Returns:
        The entry.

    Raises:
        ValueError: If the table has no such name.

    Example:
        >>> look_up({'mse': 1, 'l1': 2}, 'l1', 'loss')
        2
    """
    if name not in table:
        raise ValueError(f'{what} {name!r} is unknown; known are {", ".join(table)}')
    return table[name]


def settings_of(function):
    """The settings that belong to one choice: the function's keyword-only arguments.

    Args:
        function: Function of the table.

    Returns:
        dict: Name of the setting -> its default.

    Example:
        >>> def blur(image, *, fwhm=1.0): ...
        >>> settings_of(blur)
        {'fwhm': 1.0}
    """
    parameters = inspect.signature(function).parameters.values()
    return {parameter.name: parameter.default for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY}
