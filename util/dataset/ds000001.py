"""The T1w volumes of OpenNeuro ds000001, which the reference experiment uses: where they are, and what they must be."""
import re
from pathlib import Path
from typing import NamedTuple

from util.script import UserError

# OpenNeuro's bucket of Amazon S3, open to everyone over https; names below are as in the BIDS data set.
BASE = 'https://s3.amazonaws.com/openneuro.org/ds000001/'
TABLE = Path(__file__).with_name('ds000001-md5.tsv')


class RawFile(NamedTuple):
    """One volume of the data set."""
    name: str  # its path in the data set, such as sub-01/anat/sub-01_T1w.nii.gz
    size: int  # bytes
    md5: str   # hexadecimal


def files_of(subjects):
    """The volumes of subjects.

    Args:
        subjects (str): Numbers and ranges of them, such as ``'1-3,7'``.

    Returns:
        list of RawFile: In the order of the table, one for each subject.

    Raises:
        UserError: If this is no such text, or the data set has no such subject.
    """
    rows = [line.split('\t') for line in TABLE.read_text(encoding='utf-8').splitlines()[1:]]
    known = {int(name[4:6]): RawFile(name, int(size), md5) for name, size, md5 in rows}
    wanted = set()
    for part in subjects.split(','):
        match = re.fullmatch(r'\s*(\d{1,3})(?:-(\d{1,3}))?\s*', part)
        numbers = range(int(match[1]), int(match[2] or match[1]) + 1) if match else ()
        if not numbers or not known.keys() >= set(numbers):
            raise UserError(f'--subjects {subjects}: {part.strip()!r} names none of the subjects {min(known)} to '
                            f'{max(known)}; give numbers and ranges, such as 1-3,7')
        wanted.update(numbers)
    return [file for number, file in known.items() if number in wanted]
