"""The table beside cleaned volumes that says what each was made of: FOLDER/cases.tsv.

Where it is, it describes the volumes that are there. While volumes are being replaced there is none, but
cases.incomplete, which names them: a kill leaves that, and the volumes are taken for neither the old nor the new ones.
The table of before lies aside meanwhile, as cases.earlier.tsv, for the subjects that were set by hand in it.
"""
import contextlib
import csv
import os
from pathlib import Path

from util.dataset.bids import subject_in
from util.dataset.case_names import without_suffix
from util.files import read_text, replacing, write_text
from util.script import UserError

TABLE = 'cases.tsv'
COLUMNS = 'case', 'source', 'size_xyz', 'spacing_xyz_mm', 'subject', 'orientation'
_INCOMPLETE = 'cases.incomplete'
_EARLIER = 'cases.earlier.tsv'
MOST_BYTES = 2 ** 24
_AGAIN = 'make the volumes anew with: python util/miscs/clean_data.py'


def begin_table(folder, cases):
    """Say, before volumes change, that they are about to; the table goes aside.

    Args:
        folder (Path): The folder of the volumes.
        cases (iterable of str): Names of all that may then be there.
    """
    write_text(folder / _INCOMPLETE, ''.join(f'{case}\n' for case in sorted(cases)))
    with contextlib.suppress(FileNotFoundError):  # nor is there one from the second volume on
        os.replace(folder / TABLE, folder / _EARLIER)


def write_table(folder, rows):
    """Write the table, when all volumes are there; that of before goes.

    Args:
        folder (Path): The folder of the volumes.
        rows (dict): Case -> dict of the other :data:`COLUMNS`.
    """
    with replacing(folder / TABLE) as temporary, open(temporary, 'w', encoding='utf-8', newline='',
                                                      errors='backslashreplace') as file:
        table = csv.DictWriter(file, COLUMNS, delimiter='\t', lineterminator='\n')
        table.writeheader()
        table.writerows({'case': case, **row} for case, row in rows.items())
    for name in (_EARLIER, _INCOMPLETE):
        (folder / name).unlink(missing_ok=True)


def read_table(folder):
    """The table of a folder of volumes.

    A person may have changed it: where the paths do not say whose the volumes are, the column `subject` can be set
    right by hand.

    Args:
        folder (Path): The folder.

    Returns:
        dict: Case -> dict of the columns. None where there has never been a table.

    Raises:
        UserError: If the table is damaged, or the making of the volumes was interrupted.
    """
    try:
        return _read(Path(folder) / TABLE)
    except FileNotFoundError:
        if (Path(folder) / _INCOMPLETE).exists():
            raise UserError(f'{folder}: the making of these volumes was interrupted; {_AGAIN}') from None
        return None


def _read(path):
    """What a table says, as of :func:`read_table`; a FileNotFoundError where it is not there."""
    try:
        # -sig: spreadsheet programs put a mark before the first column's name
        with open(path, encoding='utf-8-sig', newline='') as file:
            table = csv.DictReader(file, delimiter='\t', strict=True)
            rows, columns = list(table), table.fieldnames or ()
    except FileNotFoundError:
        raise
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f'{path}: damaged: {error}; move {path.parent} away and {_AGAIN}') from None
    for row in rows:
        row['case'] = _as_written(row.get('case'), path.parent)
    if not ({'case', 'source'} <= set(columns) and all(is_case_name(row['case']) and row['source'] for row in rows)
            and len({row['case'] for row in rows}) == len(rows)):
        raise UserError(f'{path}: damaged: a line has no case or no source, or a case has two; move '
                        f'{path.parent} away and {_AGAIN}')
    for row in rows:  # tables of before there was this column
        row['subject'] = row.get('subject') or subject_in(row['source']) or without_suffix(row['source'])
    return {row['case']: row for row in rows}


def _as_written(case, folder):
    """The name of a case that a spreadsheet program may have taken for a number: it leaves 0 of 0000."""
    if not case or not case.isdecimal() or (folder / f'{case}.mhd').exists():
        return case
    return case.zfill(4)


def check_own(folder, cases, earlier):
    """Refuse to replace volumes CASE.mhd in a folder, or their voxels, that no earlier run has made.

    Raises:
        UserError: Naming the file.
    """
    for target in (folder / f'{case}{suffix}' for case in cases if case not in earlier for suffix in ('.mhd', '.raw')):
        if target.exists():
            raise UserError(f'{target} is there and was not made by this script; name another folder with -o')


def subjects_of_sources(folder):
    """Whose each volume is, by its source, as far as a table of a folder says it: {source: subject}.

    Where a run was interrupted, that is the table of before it.
    """
    tables = [path for path in (Path(folder) / TABLE, Path(folder) / _EARLIER) if path.exists()]
    return {row['source']: row['subject'] for path in tables[:1] for row in _read(path).values()}


def is_case_name(name):
    """Whether files may be named, and removed, after a case: no part of a path, and no other thing."""
    return isinstance(name, str) and name not in ('', '.', '..') and not set(name) & set('/\\\0')


def known_cases(folder):
    """Names of the cases that earlier runs, complete or interrupted, may have left in a folder of volumes.

    Raises:
        UserError: If the table is damaged.
    """
    path = Path(folder) / _INCOMPLETE
    try:
        interrupted = read_text(path, MOST_BYTES).splitlines()
    except FileNotFoundError:
        return set(read_table(folder) or ())
    if not all(map(is_case_name, interrupted)):
        raise UserError(f'{path}: damaged; remove it, and {_AGAIN}')
    return set(interrupted) | set(read_table(folder) or () if (Path(folder) / TABLE).exists() else ())
