import json

import pytest

from util.dataset.bids_scans import find_scans, said_of
from util.script import UserError


@pytest.fixture
def tree(tmp_path):
    """Makes files below a folder, empty or with JSON in them."""
    def make(*names, **said):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(said) if said else '')
        return tmp_path
    return make


def test_scans_of_sessions_and_runs_are_found_and_nothing_of_other_folders(tree, capsys):
    scans = ['sub-01/anat/sub-01_T1w.nii', 'sub-02/ses-a/anat/sub-02_ses-a_run-1_T1w.nii.gz',
             'sub-02/ses-a/anat/sub-02_ses-a_run-2_T1w.nii.gz', 'sub-02/ses-b/anat/sub-02_ses-b_acq-x_T1w.nii.gz']
    root = tree(*scans, 'sub-01/anat/sub-01_T2w.nii', 'sub-01/anat/sub-01_T1w.json', 'sub-01/anat/._sub-01_T1w.nii',
                'sub-01/anat/sub-01_rec-SR_T1w.nii.gz', 'sub-01/anat/sub-01_xT1w.nii', 'sub-01/func/sub-01_T1w.nii',
                'derivatives/a/sub-01/anat/sub-01_T1w.nii', 'sourcedata/sub-01/anat/sub-01_T1w.nii')
    found, refusals = find_scans(root, 'T1w')
    assert [path.relative_to(root).as_posix() for path in found] == scans and not refusals
    assert capsys.readouterr().err == (f'note: {root}: passed over, by their names processed copies: 1 '
                                       '(sub-01/anat/sub-01_rec-SR_T1w.nii.gz)\n')


@pytest.mark.parametrize('name, words', [
    ('sub-01/anat/sub-02_T1w.nii', 'its name does not say that it lies in sub-01/$'),
    ('sub-01/ses-a/anat/sub-01_T1w.nii', 'its name does not say that it lies in sub-01/ses-a/$'),
    ('sub-01/anat/sub-01_ses-a_T1w.nii', 'its name does not say that it lies in sub-01/$'),
    ('sub-01/anat/T1w.nii', 'not a name of BIDS'), ('sub-01/anat/sub-01_run1_T1w.nii', 'not a name of BIDS'),
    ('sub-01/anat/sub-01_acq-a_b_T1w.nii', 'not a name of BIDS'),
    ('sub-03/anat/sub-03_T1w.nii.gz', 'sub-03_T1w.nii lies beside it, and both would give one result')])
def test_what_is_misnamed_is_refused_by_name(tree, name, words):
    root = tree('sub-03/anat/sub-03_T1w.nii', name)
    found, refusals = find_scans(root, 'T1w')
    assert found == [root / 'sub-03/anat/sub-03_T1w.nii'] and len(refusals) == 1
    with pytest.raises(UserError, match=f'^{root / name}: .*{words}'):
        raise UserError(refusals[0])


def test_a_data_set_without_scans_is_refused(tree):
    with pytest.raises(UserError, match='no raw scans sub-.*_T2w.nii.*; is it the top of a BIDS data set'):
        find_scans(tree('sub-01/anat/sub-01_T1w.nii'), 'T2w')


def test_metadata_are_inherited_and_the_nearer_and_the_more_special_goes_before(tree):
    """The example of the specification, with one more file at the top."""
    tree('T1w.json', a=1, b=1, c=1, d=1)
    tree('run-1_T1w.json', b=2, c=2)
    tree('acq-x_T1w.json', 'T2w.json', 'derivatives/T1w.json', a=9)
    tree('sub-01/sub-01_T1w.json', c=3)
    root = tree('sub-01/ses-a/anat/sub-01_ses-a_run-1_T1w.json', d=4)
    assert said_of(root / 'sub-01/ses-a/anat/sub-01_ses-a_run-1_T1w.nii.gz', root) == {'a': 1, 'b': 2, 'c': 3, 'd': 4}
    assert said_of(root / 'sub-02/anat/sub-02_T1w.nii', root) == {'a': 1, 'b': 1, 'c': 1, 'd': 1}


@pytest.mark.parametrize('text, words', [('{', 'no JSON: '), ('[1]', 'no JSON object'), ('[' * 10 ** 5, 'no JSON: ')])
def test_damaged_metadata_are_refused_with_their_file(tree, text, words):
    root = tree('sub-01/anat/sub-01_T1w.nii')
    (root / 'T1w.json').write_text(text)
    with pytest.raises(UserError, match=f'T1w.json: {words}'):
        said_of(root / 'sub-01/anat/sub-01_T1w.nii', root)
