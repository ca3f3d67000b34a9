import os

import pytest

from util.dataset.raw_files import find_files


@pytest.fixture
def tree(tmp_path):
    """Makes empty files below a folder; a name that ends in / is a folder."""
    def make(*names):
        for name in names:
            path = tmp_path / 'raw' / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.mkdir() if name.endswith('/') else path.touch()
        return tmp_path / 'raw'
    return make


def taken(root, pattern=None):
    return [path.relative_to(root).as_posix() for path in find_files(root, pattern).files]


RAW = ['sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz', 'sub-01/ses-2/anat/sub-01_ses-2_run-1_T1w.nii.gz',
       'sub-01/ses-2/anat/sub-01_ses-2_run-2_T1w.nii', 'sub-02/T1w.nii.gz']
OTHERS = ['dataset_description.json', 'participants.tsv', 'sub-01/ses-1/anat/sub-01_ses-1_T1w.json',
          'sub-01/ses-1/anat/sub-01_ses-1_T2w.nii.gz', 'sub-01/ses-1/anat/sub-01_ses-1_mod-T1w_defacemask.nii.gz',
          'sub-01/ses-1/anat/sub-01_space-MNI_T1w.nii.gz', 'sub-01/ses-1/anat/sub-01_desc-preproc_T1w.nii.gz',
          'sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz.part',
          'derivatives/fmriprep/sub-01/anat/sub-01_T1w.nii.gz', 'derivatives/fmriprep/sub-01/anat/sub-01_dseg.nii.gz',
          'derivatives/fmriprep/sub-02/anat/sub-02_T1w.nii.gz', 'derivatives/fmriprep/sub-02/anat/sub-02_dseg.nii.gz',
          'sourcedata/sub-01/sub-01_T1w.nii.gz', 'code/run.py', 'fmriprep/sub-01/sub-01_T1w.nii.gz',
          '.git/annex/objects/a_T1w.nii.gz', 'sub-02/._sub-02_T1w.nii.gz', 'sub-02/.DS_Store']


def test_of_a_bids_tree_the_raw_t1w_scans_alone_are_taken_and_the_rest_is_accounted_for(tree):
    root = tree(*RAW, *OTHERS)
    assert taken(root) == sorted(RAW)
    account = find_files(root).account()
    assert account == sorted([
        'passed over, hidden folders: 1 (.git/)',
        'passed over, hidden files: 1 (sub-02/._sub-02_T1w.nii.gz)',
        'passed over, in derivatives/ (-i takes such a folder): 4 (derivatives/fmriprep/sub-01/anat/sub-01_T1w.nii.gz, '
        'derivatives/fmriprep/sub-01/anat/sub-01_dseg.nii.gz, derivatives/fmriprep/sub-02/anat/sub-02_T1w.nii.gz, ...)',
        'passed over, in sourcedata/ (-i takes such a folder): 1 (sourcedata/sub-01/sub-01_T1w.nii.gz)',
        'passed over, in code/ (-i takes such a folder): 1 (code/)',
        'passed over, beside the sub-* folders of a BIDS data set (-i takes such a folder): 1 '
        '(fmriprep/sub-01/sub-01_T1w.nii.gz)',
        'passed over, by their names masks or segmentations: 1 '
        '(sub-01/ses-1/anat/sub-01_ses-1_mod-T1w_defacemask.nii.gz)',
        'passed over, by their names copies in another space: 1 (sub-01/ses-1/anat/sub-01_space-MNI_T1w.nii.gz)',
        'passed over, by their names processed copies: 1 (sub-01/ses-1/anat/sub-01_desc-preproc_T1w.nii.gz)',
        'passed over, not named *_T1w.nii*: 2 (sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz.part, '
        'sub-01/ses-1/anat/sub-01_ses-1_T2w.nii.gz)'])


def test_a_pattern_of_one_s_own_is_taken_at_its_word_and_odd_names_are_told(tree):
    root = tree(*RAW, *OTHERS)
    assert taken(root, '*_desc-*_T1w.nii.gz') == ['sub-01/ses-1/anat/sub-01_desc-preproc_T1w.nii.gz']
    account = find_files(root, '*_desc-*_T1w.nii.gz').account()
    assert ('taken as --pattern asks, though by their names processed copies: 1 '
            '(sub-01/ses-1/anat/sub-01_desc-preproc_T1w.nii.gz)') in account
    assert any(line.startswith('passed over, not named *_desc-*_T1w.nii.gz: 8 (') for line in account)
    assert any(line.startswith('passed over, in derivatives/ (-i takes such a folder): 4 (') for line in account)


def test_every_volume_is_taken_or_accounted_for(tree):
    root = tree(*RAW, *OTHERS)
    volumes = [path for path in root.rglob('*') if '.nii' in path.name and '.git' not in path.parts]
    for pattern in (None, '*', '*.nii.gz', '*_T1w*'):
        found = find_files(root, pattern)
        passed = [name for reason, names in found.noticed.items() if reason.startswith('passed') for name in names
                  if '.nii' in name]
        odd = [path for path in found.files if '.nii' not in path.name]
        assert len(found.files) - len(odd) + len(passed) == len(volumes)


def test_a_folder_that_is_named_itself_is_read_whatever_it_is(tree):
    root = tree(*RAW, *OTHERS)
    assert taken(root / 'derivatives') == [f'fmriprep/sub-0{n}/anat/sub-0{n}_T1w.nii.gz' for n in (1, 2)]


def test_a_data_set_that_calls_itself_derivative_is_read_where_it_is_the_input_or_stands_alone(tree):
    """The synthetic cohort does."""
    root = tree('demo/sub-01/anat/sub-01_T1w.nii.gz')
    (root / 'demo/dataset_description.json').write_text('{"DatasetType": "derivative"}')
    assert taken(root) == ['demo/sub-01/anat/sub-01_T1w.nii.gz']
    assert taken(root / 'demo') == ['sub-01/anat/sub-01_T1w.nii.gz']


def test_a_link_from_a_derivative_to_the_raw_scans_does_not_hide_them(tree):
    root = tree('sub-01/anat/sub-01_T1w.nii.gz', 'derivatives/fmriprep/a_T1w.nii')
    (root / 'derivatives/fmriprep/raw').symlink_to(root)
    assert taken(root) == ['sub-01/anat/sub-01_T1w.nii.gz']
    assert list(find_files(root).noticed.values()) == [['derivatives/fmriprep/a_T1w.nii']]


def test_of_two_links_to_a_folder_one_is_followed(tree, tmp_path):
    root = tree('empty/')
    (tmp_path / 'elsewhere').mkdir()
    (tmp_path / 'elsewhere/a_T1w.nii').touch()
    for name in ('one', 'other'):
        (root / name).symlink_to(tmp_path / 'elsewhere')
    assert taken(root) == ['one/a_T1w.nii']


@pytest.mark.skipif(os.name == 'nt', reason='Windows has no such names')
def test_names_that_are_no_unicode_can_be_told(tree):
    root = tree('a_T1w.nii')
    (root / os.fsdecode(b'\xff_T2w.nii')).touch()
    assert find_files(root).account() == ['passed over, not named *_T1w.nii*: 1 (\\xff_T2w.nii)']
