"""That training, validation and test have nothing in common."""
import sys

from util.dataset.case_lists import MAKE_LISTS, read_list
from util.dataset.case_names import without_suffix
from util.dataset.pairs_info import folder_of_pairs, read_pairs_info, subject_of_case
from util.dataset.same_scan import SeenScans
from util.script import UserError, note
from util.volumes.reading import read_volume


def check_splits(lists, root):
    """Refuse case lists that share a case or a subject.

    Two cases are the same if a file of theirs is, whatever links lead to it, if they have one name in one folder, or if
    their volumes hold the same voxels. Their subjects are compared as far as the folders of their pairs tell them.

    A test list need not be there yet; what cannot be read of it is told, and not compared.

    Args:
        lists (dict): What a list is called -> its path, such as those of a config's `dataset`.
        root (Path): Folder that relative paths start from.

    Raises:
        UserError: Naming two lists, a case in each, and what they share.
    """
    marks, scans, lists_of_scans, infos = {}, SeenScans(), {}, {}
    for key, path in lists.items():
        if key == 'test_list' and not (root / path).exists():
            note(f'{root / path}: no such test_list yet, so that nothing is known of what it shares with the others')
            continue
        for case in _attempt(key, read_list, root / path, root) or []:
            for mark, what in (_attempt(key, _marks, case, infos) or {}).items():
                other_key, other = marks.setdefault(mark, (key, case))
                if other_key != key:
                    _refuse((other_key, other.lr_path), (key, case.lr_path), what)
            scan = case.hr_path or case.lr_path
            volume = _attempt(key, read_volume, scan)
            if volume is None:
                continue
            same = scans.find_or_add(scan, volume.array)
            if same and lists_of_scans[same] != key:
                _refuse((lists_of_scans[same], same), (key, scan), 'the same voxels')
            lists_of_scans.setdefault(scan, key)


def _attempt(key, read, *arguments):
    """``read(*arguments)``; a training can do without the test list, so there a fault is told, and the result None."""
    try:
        return read(*arguments)
    except UserError as error:
        if key != 'test_list':
            raise
        print(f'test_list is not compared with the other lists in full: {error}', file=sys.stderr)
        return None


def _marks(case, infos):
    """What must not turn up in another list: a dict of keys for it, each with words for people.

    Args:
        case (~util.dataset.case_lists.Case): A case.
        infos (dict): Folder -> what is known of the pairs there; filled as need be.
    """
    marks = {}
    for path in filter(None, (case.lr_path, case.hr_path)):
        found, real = path.stat(), path.resolve()
        marks['file', found.st_dev, found.st_ino] = 'one file'
        marks['name', real.parent, without_suffix(real.name)] = 'of one name in one folder'
        # what is known of a volume that is a link may lie beside either end
        for folder, name in ((folder_of_pairs(path).resolve(), case.name),
                             (real.parent.parent, without_suffix(real.name))):
            if folder not in infos:
                infos[folder] = read_pairs_info(folder)
            subject = subject_of_case(infos[folder], name)
            if subject:
                marks['subject', folder, subject] = f'of one subject, {subject}'
    return marks


def shared(cases, others):
    """Those of some cases that share a file, a name in one folder or a subject with other cases. No volume is read.

    Args:
        cases, others (list of ~util.dataset.case_lists.Case): Cases.

    Returns:
        list of Case: Of ``cases``, in order.

    Raises:
        UserError: If what is known of them cannot be read.
    """
    infos = {}
    marks = {mark for other in others for mark in _marks(other, infos)}
    return [case for case in cases if marks & _marks(case, infos).keys()]


def by_subject(cases):
    """Cases that are of one subject, together.

    Args:
        cases (list of ~util.dataset.case_lists.Case): Cases.

    Returns:
        list of list of Case: Each subject's, in order; a case of whom nothing is known is a subject of its own.

    Raises:
        UserError: If what is known of them cannot be read.
    """
    infos, groups = {}, {}
    for case in cases:
        known = [mark for mark in _marks(case, infos) if mark[0] == 'subject']
        groups.setdefault(known[0] if known else case.name, []).append(case)
    return list(groups.values())


def _refuse(one, other, what):
    (key, path), (other_key, other_path) = one, other
    raise UserError(f'{key} and {other_key} are not independent: {path} and {other_path} are {what}; make lists that '
                    f'share no case and no subject with: {MAKE_LISTS}')
