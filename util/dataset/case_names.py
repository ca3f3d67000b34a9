"""What a case is called: results are named after it."""
import os
from collections import Counter
from pathlib import Path

SUFFIXES = ('.nii.gz', '.nii', '.hdr.gz', '.img.gz', '.hdr', '.img', '.mgz.gz', '.mgh.gz', '.mgz', '.mgh', '.mhd',
            '.mha', '.nrrd', '.nhdr')


def without_suffix(name):
    """A volume's file name, or path, without its suffix; only suffixes of volumes are cut.

    Args:
        name (str): Such as ``'HCP_0.7mm_s01.nii.gz'``.

    Returns:
        str: Without the suffix; the same if it has none, or nothing else.

    Example:
        >>> without_suffix('HCP_0.7mm_s01.nii.gz')
        'HCP_0.7mm_s01'
    """
    for suffix in SUFFIXES:
        if name.lower().endswith(suffix) and len(name.rpartition('/')[2]) > len(suffix):
            return name[:-len(suffix)]
    return name


def distinct_names(paths):
    """A name for each volume; where two would be one, as much of their folders as tells them apart goes before it.

    Args:
        paths (list of Path): The files, all different.

    Returns:
        list of str: Their names.

    Example:
        >>> from pathlib import Path
        >>> distinct_names([Path('sub-01/T1.nii.gz'), Path('sub-02/T1.nii.gz'), Path('b.mgz')])
        ['sub-01_T1', 'sub-02_T1', 'b']
    """
    parents = [Path(os.path.realpath(path)).parent for path in paths]  # resolve() raises where links go round
    beside = Counter((parent, without_suffix(path.name)) for path, parent in zip(paths, parents))
    # only the suffix tells scan.nii and scan.mhd of one folder apart
    own = [path.name.replace('.', '_') if beside[parent, without_suffix(path.name)] > 1 else without_suffix(path.name)
           for path, parent in zip(paths, parents)]
    names, folders = own, [parent.parts[1:] for parent in parents]
    for depth in range(1, max(map(len, folders), default=0) + 1):
        counts = Counter(names)
        if max(counts.values()) == 1:
            return names
        names = ['_'.join((*folder[-depth:], name)) if counts[called] > 1 else called
                 for name, folder, called in zip(own, folders, names)]
    result = []
    for name in names:
        result.append(_unlike(name, result))
    return result


def _unlike(name, others):
    """The name, or the name with the first number that makes it another one than those."""
    numbered = (f'{name}_{number}' for number in range(2, len(others) + 3))
    return next(other for other in (name, *numbered) if other not in others)
