"""From the paths of a command line to cases: files, folders of volumes, DICOM series, the pairs of two folders."""
import os
from pathlib import Path

from util.dataset.case_lists import Case
from util.dataset.case_names import distinct_names, without_suffix
from util.script import UserError, note
from util.volumes.single_files import format_of
from util.volumes.streams import is_dicom
from util.volumes.writing import WRITTEN, data_file

# how a result is written where that is not as the input: one file for a pair, and a pair for MetaImage
_INSTEAD = {'.mhd': '.mhd', '.mha': '.mhd', '.nhdr': '.nrrd', '.hdr': '.nii', '.img': '.nii'}
_NAMED = 3  # examples of what is passed over


def scans(paths, rate, out):
    """The cases of volumes without a truth, each with a name of its own, NAME_x4, and its volume's format.

    Args:
        paths (list of Path): LR volumes, folders of them, folders of one DICOM series each.
        rate ((int, int, int)): The network's, z, y, x: as the config's upsampling_rate has it.
        out (Path): Where the results go, which must not be a folder that is looked through for scans.

    Returns:
        list of ~util.dataset.case_lists.Case: In the paths' order, those of a folder by name.

    Raises:
        UserError: If a volume is there twice, a folder has none or DICOM files as well, or the results would lie among
            the scans of a folder.
    """
    volumes = []
    for path in paths:
        found = [path] if not path.is_dir() or _is_series(path) else volumes_of(path)
        if found != [path] and path.resolve() == out.resolve():
            raise UserError(f'-i {path}: the results would lie among the scans, and be taken for scans the next time; '
                            'name another folder with -o')
        volumes += _each_once(path, found)
    _check_once(volumes)
    end = f'_x{"x".join(map(str, rate if len(set(rate)) > 1 else rate[:1]))}'
    return [Case(name + end, path, None, _suffix_of_result(path)) for name, path in zip(_names(volumes), volumes)]


def pairs(lr_paths, hr_paths):
    """The cases of LR volumes and the HR volume of each, in the same order.

    Raises:
        UserError: If there are more of one kind, a path is a folder of volumes, an LR volume is there twice, or a case
            would be called ``mean``.
    """
    if len(lr_paths) != len(hr_paths):
        raise UserError(f'-i names {len(lr_paths)} volumes, and --hr {len(hr_paths)}; each needs the other, in the '
                        'same order')
    for path in (*lr_paths, *hr_paths):
        if path.is_dir() and not _is_series(path):
            raise UserError(f'{path}: a folder; its volumes are scored with --pairs LR_FOLDER HR_FOLDER')
    _check_once(lr_paths)
    return _checked([Case(*case) for case in zip(_names(lr_paths), lr_paths, hr_paths)])


def pairs_of_folders(lr_folder, hr_folder, out=None):
    """The cases of the volumes that have the same name, but for the suffix, in two folders.

    Args:
        lr_folder, hr_folder (Path): The folders.
        out (Path): Where the results go, which are called as the volumes: neither of the two. None: there are none.

    Raises:
        UserError: If one has no partner, a name is there twice, a folder is none or has no volumes, a case would be
            called ``mean``, or the results would lie among the volumes.
    """
    for folder in (lr_folder, hr_folder):
        if out and os.path.realpath(folder) == os.path.realpath(out):
            raise UserError(f'--pairs {folder}: the results would lie among these volumes, under the same names; name '
                            'another folder with -o')
    lr, hr = map(_by_name, (lr_folder, hr_folder))
    for one, other, folder in ((lr, hr, hr_folder), (hr, lr, lr_folder)):
        alone = [path.name for name, path in one.items() if name not in other]
        if alone:
            raise UserError(f'{folder}: no volume of the same name, but for the suffix, as {_some(alone)}')
    return _checked([Case(name, path, hr[name]) for name, path in lr.items()])


def volumes_of(folder):
    """The volumes in a folder, by name; what else is there is passed over, and that is said.

    Args:
        folder (Path): Its own files are taken, not those of folders in it.

    Raises:
        UserError: If there are none, or DICOM files as well.
    """
    entries = sorted(path for path in _entries(folder) if not path.name.startswith('.'))
    files = [path for path in entries if path.is_file() or _is_lost(path)]
    images = [path for path in files if without_suffix(path.name) != path.name]
    volumes = [path for path in images if _header_beside(path) not in images]  # that stands for an Analyze pair
    parts = {data_file(path) for path in volumes if path.suffix.lower() in ('.mhd', '.nhdr') and not _is_lost(path)}
    others = [path.name for path in files if path not in images and path not in parts]
    if not volumes:
        others += [f'{path.name}/' for path in entries if path.is_dir()]  # which are not looked through
        raise UserError(f'{folder}: no volumes in this folder' + (f', but {_some(others)}' if others else ''))
    if any(is_dicom(folder / name) for name in others):
        raise UserError(f'{folder}: both volumes and DICOM files in this folder; name the volumes that are meant, or '
                        'put the DICOM series into a folder of its own')
    if others:
        note(f'{folder}: {len(volumes)} volumes; no images and passed over: {_some(others)}')
    return volumes


def _header_beside(path):
    """The header's file of the Analyze pair that a file of voxels belongs to; None of others."""
    if not path.name.lower().endswith(('.img', '.img.gz')):
        return None
    from util.volumes import nifti  # here, since nibabel takes a while

    return nifti.partner(path, '.hdr')


def file_of_results(out, cases):
    """The folder of the results and the cases, of which the one may be called and written as the user says.

    Args:
        out (Path): A folder, or how the file of the one result is to be called.
        cases (list of ~util.dataset.case_lists.Case): The cases.

    Returns:
        (Path, list of ~util.dataset.case_lists.Case): The folder; the cases.

    Raises:
        UserError: If a file is named for another number of results, for one that is scored, or in another format.
    """
    name = without_suffix(out.name)
    suffix = out.name[len(name):]
    if not suffix or out.is_dir():
        return out, cases
    if suffix not in WRITTEN:
        raise UserError(f'-o {out}: results are written as {", ".join(WRITTEN)}')
    if len(cases) != 1:
        raise UserError(f'-o {out}: one file for {len(cases)} volumes; name a folder')
    if cases[0].hr_path:
        raise UserError(f'-o {out}: what is scored is called as its LR volume, and written as .mhd; name a folder')
    return out.parent, [cases[0]._replace(name=name, suffix=suffix)]


def _entries(folder):
    try:
        return [*folder.iterdir()]
    except OSError as error:
        raise UserError(f'{folder}: cannot be listed: {error.strerror}') from None


def _is_lost(path):
    """Whether a scan is a link to a file that is not there: it cannot be read, and is not passed over for that."""
    return path.is_symlink() and not path.exists() and without_suffix(path.name) != path.name


def _is_series(folder):
    """Whether a folder has DICOM files and no volumes of other formats."""
    names = [path for path in _entries(folder) if not path.name.startswith('.')]
    return any(map(is_dicom, names)) and all(without_suffix(path.name) == path.name for path in names)


def _by_name(folder):
    if not folder.is_dir():
        raise UserError(f'--pairs {folder}: no such folder')
    volumes = {}
    for path in volumes_of(folder):
        name = without_suffix(path.name)
        if name in volumes:
            raise UserError(f'{folder}: {volumes[name].name} and {path.name}: one name for two volumes')
        volumes[name] = path
    return volumes


def _names(paths):
    # folders such as . and .. have their names elsewhere
    return distinct_names([path.resolve() if path.is_dir() else path for path in paths])


def _each_once(folder, paths):
    """The volumes of a folder, of several links to one file one; the others are told."""
    files = [path for path in paths if not path.is_symlink()]
    # the file itself, where it is there; Path.resolve raises where a link leads to itself
    once = {os.path.realpath(path): path for path in (*paths, *files)}
    taken = [path for path in paths if once[os.path.realpath(path)] == path]
    if len(taken) < len(paths):
        note(f'{folder}: links to volumes that are taken already, passed over: '
             f'{_some([path.name for path in paths if path not in taken])}')
    return taken


def _check_once(paths):
    seen = {}
    for path in paths:
        other = seen.get(os.path.realpath(path))
        if other:
            raise UserError(f'-i names a volume twice: {other}'
                            + (f' and {path} are one file' if other != path else ''))
        seen[os.path.realpath(path)] = path


def _checked(cases):
    for case in cases:
        if case.name == 'mean':
            raise UserError(f"{case.lr_path}: a case cannot be called mean: that is the score tables' last row")
    return cases


def _suffix_of_result(path):
    if path.is_dir():
        return '.nii.gz'
    packed = '.gz' * path.name.lower().endswith('.gz')
    suffix = Path(path.name.lower().removesuffix('.gz')).suffix
    return format_of(path) or (_INSTEAD[suffix] + packed if suffix in _INSTEAD else '.nii.gz')


def _some(names):
    return f'{", ".join(names[:_NAMED])}{f" and {len(names) - _NAMED} more" * (len(names) > _NAMED)}'
