"""A length cut into parts."""


def cut(length, parts):
    """So many slices of about the same length, none of them empty, that make up a length.

    Args:
        length (int): 1 or more.
        parts (int): How many; of a number below 1 one is made, and no more than ``length``.

    Returns:
        list of slice: In order.

    Example:
        >>> from models.parts import cut
        >>> cut(7, 3)
        [slice(0, 2, None), slice(2, 4, None), slice(4, 7, None)]
    """
    parts = max(1, min(length, parts))
    return [slice(length * i // parts, length * (i + 1) // parts) for i in range(parts)]
