"""Names that are whole, and tell volumes apart."""
from pathlib import Path

import pytest

from util.dataset.case_names import SUFFIXES, distinct_names, without_suffix


@pytest.mark.parametrize('suffix', SUFFIXES)
def test_the_suffix_of_a_volume_is_cut_and_no_other_dot(suffix):
    assert without_suffix(f'a/HCP_0.7mm_s01{suffix}') == 'a/HCP_0.7mm_s01'
    assert without_suffix(f'scan.1{suffix.upper()}') == 'scan.1'
    assert without_suffix(f'a{suffix}.d/b') == f'a{suffix}.d/b'


@pytest.mark.parametrize('name', ['scan', 'scan.1', '.nii', 'a/.nii', 'scan.raw'])
def test_what_is_no_suffix_of_a_volume_stays(name):
    assert without_suffix(name) == name


@pytest.mark.parametrize('paths, names', [
    (['a.nii', 'b.nii'], ['a', 'b']),
    (['sub-01/T1.nii.gz', 'sub-02/T1.nii.gz'], ['sub-01_T1', 'sub-02_T1']),
    (['sub-01/anat/T1.mgz', 'sub-02/anat/T1.mgz', 'x/T2.mgz'], ['sub-01_anat_T1', 'sub-02_anat_T1', 'T2']),
    (['a/scan.nii', 'a/scan.mhd'], ['scan_nii', 'scan_mhd']),
])
def test_as_much_of_the_folders_goes_before_as_tells_them_apart(paths, names):
    assert distinct_names([Path(path) for path in paths]) == names


def test_names_are_always_distinct():
    """A file that is called as another one's folder and name together included."""
    for called in (('x/a/T1.nii', 'x/b/T1.nii', 'x/a_T1.nii', 'y/a/T1.nii', 'x/a/T1.mhd'),
                   ('q/scan.nii', 'q/scan.mha', 'q/scan_nii.mha'),
                   ('q/x/scan.nii', 'q/x/scan.mha', 'q/y/scan.nii', 'q/y/scan.mha'),
                   ('a_b/T1.nii', 'a/b_T1.nii', 'a/b/T1.nii', 'a/b/T1_nii.nii', 'a/b/T1.mgz')):
        names = distinct_names([Path(path) for path in called])
        assert len(set(names)) == len(called)


def test_no_path_gives_no_name():
    assert distinct_names([]) == []
