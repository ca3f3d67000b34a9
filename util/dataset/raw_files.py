"""The raw scans below a folder, and an account of what is passed over."""
import fnmatch
import os
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from util.dataset.bids import is_volume_name, not_raw_by_folder, not_raw_by_name

T1W = '*_T1w.nii', '*_T1w.nii.gz', 'T1w.nii', 'T1w.nii.gz'  # BIDS: the suffix _T1w, before the extension
_NAMED = 3  # examples of each kind of what is passed over


class RawFiles(NamedTuple):
    """What :func:`find_files` found."""
    files: list     # of Path: what to read
    refusals: list  # of str, a line each: what cannot be read as is known by sight
    noticed: dict   # reason -> list of str: what is passed over, or taken though its name is odd; paths from the root

    def account(self):
        """A line for each reason: how many, and the first of them by name."""
        return [f'{reason}: {len(names)} ({", ".join(map(_printable, sorted(names)[:_NAMED]))}'
                f'{", ..." * (len(names) > _NAMED)})' for reason, names in sorted(self.noticed.items())]


def find_files(root, pattern=None):
    """Look for raw scans in a tree.

    Hidden files, hidden folders and what BIDS puts beside the raw scans (derivatives/, sourcedata/, ...) are left out.

    Args:
        root (Path): Folder of the tree; links to folders are followed, once each.
        pattern (str): Glob for the files' names. None: those of :data:`T1W`, and the name must not say that the file is
            a mask, a segmentation, a processed copy or one in another space.

    Returns:
        RawFiles: Its files are sorted by their paths from the root.
    """
    from util.volumes.streams import is_dicom  # here, since NumPy takes a while

    files, refusals, noticed, not_raw, seen = [], [], defaultdict(list), [], {root.resolve()}

    def refuse_folder(error):
        refusals.append(f'{error.filename}: cannot be listed: {error.strerror}')

    for folder, below, names in os.walk(root, onerror=refuse_folder, followlinks=True):
        folder, walked = Path(folder), []
        for name in sorted(below):
            path, reason = folder / name, not_raw_by_folder(folder, name)
            if name.startswith('.'):
                noticed['passed over, hidden folders'].append(f'{path.relative_to(root).as_posix()}/')
            elif reason:
                not_raw.append((f'passed over, {reason} (-i takes such a folder)', path))
            elif path.resolve() not in seen:
                # links may go round in a circle; sorted, so that of two ways to a folder it is always the same one
                seen.add(path.resolve())
                walked.append(name)
        below[:] = walked
        paths = [folder / name for name in sorted(names)]
        dicom = {path for path in paths if not path.name.startswith('.') and is_dicom(path)}
        if dicom:
            refusals.append(f'{folder}: a DICOM series folder ({len(dicom)} DICOM files); convert it to NIfTI first, '
                            'with dcm2niix for one')
        for path in paths:
            is_taken, remark = (False, None) if path in dicom else _judge(path.name, pattern)
            if is_taken:
                files.append(path)
            if remark:
                noticed[remark].append(path.relative_to(root).as_posix())
    for reason, top in not_raw:  # links in there are not followed: they may lead to the raw scans
        found = [Path(folder, name).relative_to(root).as_posix() for folder, _, names in os.walk(top)
                 for name in names if is_volume_name(name)]
        noticed[reason] += found or [f'{top.relative_to(root).as_posix()}/']
    return RawFiles(sorted(files, key=lambda path: path.relative_to(root).as_posix()), refusals, dict(noticed))


def _judge(name, pattern):
    """Whether a file is taken, by its name, and what there is to say about that; None: nothing."""
    matches = any(fnmatch.fnmatchcase(name.lstrip('.'), glob) for glob in ([pattern] if pattern else T1W))
    what = not_raw_by_name(name)
    if not matches and not is_volume_name(name):
        return False, None
    if name.startswith('.'):
        return False, 'passed over, hidden files'
    if what and not pattern:
        return False, f'passed over, by their names {what}'
    if not matches:
        return False, f'passed over, not named {pattern or "*_T1w.nii*"}'
    # a pattern of the user's own is taken at its word
    return True, f'taken as --pattern asks, though by their names {what}' if what else None


def _printable(name):
    return os.fsencode(name).decode('utf-8', 'backslashreplace')
