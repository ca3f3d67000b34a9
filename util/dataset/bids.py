"""What the names of files and folders say in a BIDS data set: whose a volume is, and what is no raw scan."""
import json
import re
from pathlib import PurePosixPath

from util.dataset.case_names import without_suffix
from util.script import UserError, blaming

DESCRIPTION = 'dataset_description.json'  # stands at the top of every BIDS data set
NOT_RAW = 'derivatives', 'sourcedata', 'code', 'stimuli', 'phenotype'  # folders beside the raw scans

_VOLUME = re.compile(r'\.(nii|mg[hz]|mh[ad]|nrrd|nhdr|hdr|img)(\.|$)', re.IGNORECASE)  # x.nii.gz.part as well
_SUBJECT = re.compile(r'(?:^|_)(sub-[^_.]+)')
# BIDS gives these to what was computed from scans, and to no scan.
_BY_NAME = {
    'masks or segmentations': re.compile(r'(^|_)(\w*mask|dseg|probseg|aseg|seg)(_|\.|$)|(^|_)label-', re.IGNORECASE),
    'phases or other parts of a complex scan': re.compile(r'(^|_)part-(phase|real|imag)(_|$)'),
    'copies in another space': re.compile(r'(^|_)space-'),
    'processed copies': re.compile(r'(^|_)((desc|res|den|atlas|seg|hemi|from|to)-|rec-[0-9A-Za-z]*SR_)'),  # SR: our own
}


def is_volume_name(name):
    """Whether a file has the suffix of a volume."""
    return _VOLUME.search(name) is not None


def not_raw_by_name(name):
    """What a file is, by its name, if it is no raw scan; None if its name says nothing of the kind."""
    return next((what for what, pattern in _BY_NAME.items() if pattern.search(name)), None)


def not_raw_by_folder(folder, name):
    """In which kind of folder a scan lies that is no raw scan.

    Args:
        folder (Path): A folder.
        name (str): A folder in it.

    Returns:
        str: Words for people, or None where raw scans may lie in the folder `name`.
    """
    if name.lower() in NOT_RAW:
        return f'in {name.lower()}/'
    if not (folder / DESCRIPTION).is_file() or name.startswith('sub-'):
        return None
    # In a data set raw scans lie in sub-*; another raw data set may lie in it, and is read as one.
    inner = _description(folder / name)
    return None if inner and inner.get('DatasetType') != 'derivative' else 'beside the sub-* folders of a BIDS data set'


def _description(folder):
    try:
        description = json.loads((folder / DESCRIPTION).read_text(encoding='utf-8'))
    except OSError:
        return None
    except (ValueError, RecursionError):  # neither text nor JSON; a data set it is nevertheless
        description = None
    return description if isinstance(description, dict) else {'DatasetType': 'raw'}


def subject_in(path):
    """The BIDS subject that a path names in its folders or its file's name, such as ``sub-01``; None if it names none.

    Raises:
        UserError: If it names two.
    """
    subjects = {subject for part in PurePosixPath(path).parts for subject in _SUBJECT.findall(part)}
    if len(subjects) > 1:
        raise UserError(f'{path} names two subjects, {" and ".join(sorted(subjects))}; a volume is of one')
    return next(iter(subjects), None)


def subject_of(path, root):
    """Whose a raw volume is.

    Args:
        path (Path): The volume.
        root (Path): The folder of all volumes, above it.

    Returns:
        str: The BIDS subject. Before it stands the data set's folder if that is a folder below `root`: sub-01 of two
        data sets are two people. Without a BIDS name, the path from `root` without its suffix: the volume is a
        subject of its own.

    Raises:
        UserError: If the path names two subjects.
    """
    source = path.relative_to(root)
    with blaming(path):
        subject = subject_in(source.as_posix())
    if subject is None:
        return without_suffix(source.as_posix())
    data_sets = [folder for folder in source.parents if (root / folder / DESCRIPTION).is_file()]
    return (data_sets[0] / subject).as_posix() if data_sets else subject
