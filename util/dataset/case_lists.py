"""Case lists: text files with one line per case: the LR volume's path, white space, the HR volume's path."""
import os
from pathlib import Path
from typing import NamedTuple

from util.dataset.case_names import without_suffix
from util.files import read_text, write_text
from util.script import UserError

MOST_BYTES = 2 ** 24  # a hundred thousand cases
MAKE_LISTS = 'python util/miscs/make_lists.py --val 1 --test 1'


class Case(NamedTuple):
    """An LR volume and, where it is known, the HR volume that belongs to it."""
    name: str  # the LR file's, without its suffix
    lr_path: Path
    hr_path: Path | None
    suffix: str = '.mhd'  # of the files of its results

    def file(self, kind=''):
        """The file of a volume of its results, from their folder: a map of some kind (``'deviation'``), or the result.

        Returns:
            str: Its name.
        """
        return f'{self.name}{f"_{kind}" * bool(kind)}{self.suffix}'


def read_list(path, root):
    """Read a case list and see that its volumes are there.

    Args:
        path (Path): The list.
        root (Path): Folder from which relative paths in the list start.

    Returns:
        list of Case: In the list's order; `hr_path` is None where a line has one path only.

    Raises:
        UserError: One line, if the list is missing, no text, empty or has a line of more than two paths, names a case
            twice, names a volume that is not there, or calls a case ``mean`` or nothing.
    """
    path, root = Path(path), Path(root)
    try:
        lines = read_text(path, MOST_BYTES).splitlines()
    except FileNotFoundError:
        raise UserError(f'{path}: no such case list; make lists with: {MAKE_LISTS}') from None
    except OSError as error:
        raise UserError(f'{path}: cannot be read as a case list: {error.strerror}') from None
    cases = {}
    for number, line in enumerate(lines, 1):
        fields = line.split()
        if not fields:
            continue
        where = f'{path}, line {number}'
        if len(fields) > 2:
            raise UserError(f'{where}: {len(fields)} fields; a line is a LR path, white space and a HR path, and the '
                            'paths have no white space in them')
        paths = [root / field for field in fields]
        for volume in paths:
            if not os.path.isfile(volume):  # Path.is_file raises where a name is too long or a folder is closed
                raise UserError(f'{where}: no volume {volume}; make it with: python util/miscs/make_lr_img.py '
                                '(after util/miscs/clean_data.py)')
        case = Case(without_suffix(paths[0].name), paths[0], paths[1] if len(paths) == 2 else None)
        if case.name.startswith('.'):
            raise UserError(f'{where}: {paths[0]} has no name before its suffix to call the case by')
        if case.name == 'mean':
            raise UserError(f"{where}: a case cannot be called mean: that is the score tables' last row")
        if case.name in cases:
            raise UserError(f'{where}: case {case.name} is in the list already; results are named after their cases')
        cases[case.name] = case
    if not cases:
        raise UserError(f'{path}: an empty case list; make lists with: {MAKE_LISTS}')
    return list(cases.values())


def write_list(path, cases, root):
    """Write cases so that :func:`read_list` returns them; paths below `root` are written relative to it.

    Args:
        path (Path): The list to write.
        cases (list of Case): What it shall hold.
        root (Path): Folder from which relative paths start.

    Raises:
        UserError: If a path holds white space, which separates the paths of a line, or is not UTF-8.
    """
    lines = []
    for case in cases:
        fields = [in_list(volume, root, path) for volume in (case.lr_path, case.hr_path) if volume is not None]
        lines.append(' '.join(fields) + '\n')
    write_text(path, ''.join(lines))


def in_list(path, root, where):
    """A path as it stands in a case list: relative to ``root`` if it lies below it, absolute if not.

    Args:
        path (Path): A volume, or the folder of some.
        root (Path): Folder from which relative paths start.
        where (Path or str): The list, or what else is to blame.

    Returns:
        str: The path.

    Raises:
        UserError: If it holds white space, which separates the paths of a line, or is not UTF-8.
    """
    field = relative_below(path, root)
    # As read_list would see it: names that are no UTF-8, and a byte order mark, would not come back either.
    if field.encode(errors='ignore').decode('utf-8-sig').split() != [field]:
        raise UserError(f'{where}: a path with white space, or one that is not UTF-8, cannot stand in a case list: '
                        f'{field!r}; use a folder without, or one below the project')
    return field


def relative_below(path, root):
    """The path as text, relative to ``root`` if it lies below it, absolute if not."""
    path, root = Path(os.path.realpath(path)), Path(os.path.realpath(root))  # resolve() raises where links go round
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()
