"""The raw scans of one suffix in a BIDS data set, by their place and name, and what the data set says of each.

Source: the BIDS specification 1.11: sub-<label>/[ses-<label>/]anat/, the entities in a name, the inheritance principle.
"""
import json
import re
from collections import defaultdict

from util.dataset.bids import not_raw_by_name
from util.dataset.case_names import without_suffix
from util.files import read_text
from util.script import UserError, note

MOST_BYTES = 2 ** 24  # of a JSON file
_NAME = re.compile(r'(?P<subject>sub-[0-9A-Za-z+]+)(_(?P<session>ses-[0-9A-Za-z+]+))?(_[a-z]+-[0-9A-Za-z+]+)*'
                   r'_[0-9A-Za-z]+')


def find_scans(dataset, suffix):
    """The raw scans of a data set; what looks like one and is none is passed over, and that is said.

    Only sub-*/anat and sub-*/ses-*/anat are looked at: nothing of derivatives/ or sourcedata/ is taken for a scan.

    Args:
        dataset (Path): The data set's folder.
        suffix (str): BIDS's, such as ``'T1w'``.

    Returns:
        (list of Path, list of str): The scans, sorted; and a line for each that is misnamed.

    Raises:
        UserError: If there are none of either kind.
    """
    scans, refusals, passed = {}, [], defaultdict(list)
    for path in sorted([*dataset.glob('sub-*/anat/*'), *dataset.glob('sub-*/ses-*/anat/*')]):
        name, ending = without_suffix(path.name), path.name.removeprefix(without_suffix(path.name))
        if path.name.startswith('.') or ending not in ('.nii', '.nii.gz') or not re.search(f'(^|_){suffix}$', name):
            continue
        what = not_raw_by_name(path.name)
        wrong = _misnamed(path, name, dataset)
        if what:
            passed[what].append(path)
        elif wrong:
            refusals.append(f'{path}: {wrong}')
        elif path.with_name(name) in scans:
            refusals.append(f'{path}: {scans[path.with_name(name)].name} lies beside it, and both would give one '
                            'result; remove one of them')
        else:
            scans[path.with_name(name)] = path
    for what, paths in sorted(passed.items()):
        note(f'{dataset}: passed over, by their names {what}: {len(paths)} ({paths[0].relative_to(dataset)}'
             f'{", ..." * (len(paths) > 1)})')
    if not scans and not refusals:
        raise UserError(f'{dataset}: no raw scans sub-*/[ses-*/]anat/*_{suffix}.nii[.gz] in this folder; is it the top '
                        'of a BIDS data set?')
    return list(scans.values()), refusals


def _misnamed(path, name, dataset):
    match, folders = _NAME.fullmatch(name), path.relative_to(dataset).parts[:-2]
    if not match:
        return 'not a name of BIDS, sub-<label>[_ses-<label>][_<key>-<label>...]_<suffix>'
    if folders != tuple(filter(None, match.group('subject', 'session'))):
        return f'its name does not say that it lies in {"/".join(folders)}/'
    return None


def said_of(path, dataset):
    """The metadata of a file, by the inheritance principle.

    Args:
        path (Path): A file in a data set.
        dataset (Path): The data set's folder.

    Returns:
        dict: Of the JSON files from the data set's top down to the file's folder that have its suffix and no entity
        that it does not have; what lies nearer to it goes before what lies farther away.

    Raises:
        UserError: If one of these cannot be read as a JSON object.
    """
    *entities, suffix = without_suffix(path.name).split('_')
    folders = [folder for folder in path.parents if folder.is_relative_to(dataset)]
    said = {}
    for folder in reversed(folders):
        applicable = []
        for file in folder.glob('*.json'):
            *its, last = file.stem.split('_')
            if last == suffix and set(its) <= set(entities):
                applicable.append((len(its), file))
        for _, file in sorted(applicable):
            said |= read_object(file)
    return said


def read_object(path):
    """The JSON object in a file.

    Raises:
        UserError: If it cannot be read, or is none.
    """
    try:
        found = json.loads(read_text(path, MOST_BYTES))
    except OSError as error:
        raise UserError(f'{path}: cannot be read: {error.strerror or error}') from None
    except (ValueError, RecursionError) as error:
        raise UserError(f'{path}: no JSON: {error}') from None
    if not isinstance(found, dict):
        raise UserError(f'{path}: no JSON object')
    return found
