"""What a case is called: results are named after it."""
from collections import Counter

SUFFIXES = ('.nii.gz', '.nii', '.hdr.gz', '.img.gz', '.hdr', '.img', '.mgz', '.mgh', '.mhd', '.mha', '.nrrd', '.nhdr')


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
    names = [without_suffix(path.name) for path in paths]
    folders = [path.resolve().parent.parts[1:] for path in paths]
    for depth in range(1, max(map(len, folders), default=0) + 1):
        counts = Counter(names)
        if max(counts.values()) == 1:
            return names
        names = ['_'.join((*folder[-depth:], without_suffix(path.name))) if counts[name] > 1 else name
                 for path, folder, name in zip(paths, folders, names)]
    # only the suffix is left to tell them apart: scan.nii and scan.mhd of one folder
    counts = Counter(names)
    return [path.name.replace('.', '_') if counts[name] > 1 else name for path, name in zip(paths, names)]
