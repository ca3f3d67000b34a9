import pytest

from util.dataset.bids import subject_in
from util.dataset.ds000001 import files_of
from util.script import UserError


def test_all_sixteen_are_known_and_each_lies_as_bids_has_it():
    files = files_of('1-16')
    assert [file.name for file in files] == [f'sub-{n:02d}/anat/sub-{n:02d}_T1w.nii.gz' for n in range(1, 17)]
    assert len({file.md5 for file in files}) == 16 and all(len(bytes.fromhex(file.md5)) == 16 for file in files)
    assert files[1] == ('sub-02/anat/sub-02_T1w.nii.gz', 5736750, '4ba3ad9eaa54aab87d97fa0d60b576ad')


@pytest.mark.parametrize('text, numbers', [('3', [3]), ('2-4', [2, 3, 4]), ('16, 1-2,2', [1, 2, 16])])
def test_numbers_and_ranges(text, numbers):
    assert [subject_in(file.name) for file in files_of(text)] == [f'sub-{n:02d}' for n in numbers]


@pytest.mark.parametrize('text', ['', '0', '17', '1-17', '4-3', 'sub-01', '1,,2', '-3', '999999999999-1'])
def test_what_names_no_subject_is_refused(text):
    with pytest.raises(UserError, match='names none of the subjects 1 to 16; give numbers and ranges'):
        files_of(text)
