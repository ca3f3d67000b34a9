import json

import pytest

from util.dataset.bids import not_raw_by_folder, not_raw_by_name, subject_in, subject_of
from util.script import UserError


def describe(folder, **description):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'dataset_description.json').write_text(json.dumps({'Name': 'x', 'BIDSVersion': '1.8.0', **description}))


@pytest.mark.parametrize('path, subject', [
    ('sub-01/ses-2/anat/sub-01_ses-2_run-1_T1w.nii.gz', 'sub-01'), ('sub-01/anat/T1w.nii.gz', 'sub-01'),
    ('flat/sub-02_T1w.nii', 'sub-02'), ('study_sub-CC-003_T1w.nii.gz', 'sub-CC-003'), ('sub-04.nii.gz', 'sub-04'),
    ('patient01/T1w.nii.gz', None), ('nosub-01/x_T1w.nii', None)])
def test_the_subject_is_read_from_folders_and_file_name(path, subject):
    assert subject_in(path) == subject


def test_a_path_of_two_subjects_is_refused_with_both():
    with pytest.raises(UserError, match='sub-02_T1w.nii names two subjects, sub-01 and sub-02; a volume is of one'):
        subject_in('sub-01/anat/sub-02_T1w.nii')


def test_the_same_number_in_two_data_sets_is_two_people(tmp_path):
    describe(tmp_path / 'a')
    describe(tmp_path / 'b')
    subjects = [subject_of(tmp_path / name / 'sub-01/anat/sub-01_T1w.nii', tmp_path) for name in ('a', 'b', 'plain')]
    assert subjects == ['a/sub-01', 'b/sub-01', 'sub-01']
    assert subject_of(tmp_path / 'a/sub-01/anat/sub-01_T1w.nii', tmp_path / 'a') == 'sub-01'


def test_files_of_one_name_without_bids_are_subjects_of_their_own(tmp_path):
    assert [subject_of(tmp_path / name, tmp_path) for name in ('patient01/T1w.nii.gz', 'patient02/T1w.nii.gz', 'a.mha')
            ] == ['patient01/T1w', 'patient02/T1w', 'a']


@pytest.mark.parametrize('name', [
    'sub-01_T1w.nii.gz', 'sub-01_ses-1_acq-mprage_rec-norm_run-2_T1w.nii', 'T1w.nii', 'sub-mask_acq-seg_T1w.nii',
    'sub-01_part-mag_T1w.nii.gz', 'a_T1w.nii.gz'])
def test_what_bids_calls_a_raw_scan_is_one(name):
    assert not_raw_by_name(name) is None


@pytest.mark.parametrize('name, what', [
    ('sub-01_desc-brain_mask.nii.gz', 'masks or segmentations'), ('sub-01_dseg.nii', 'masks or segmentations'),
    ('sub-01_label-GM_probseg.nii.gz', 'masks or segmentations'), ('sub-01_label-GM_T1w.nii', 'masks or segmentations'),
    ('sub-01_mod-T1w_defacemask.nii.gz', 'masks or segmentations'), ('x_T1w_brain_mask.nii', 'masks or segmentations'),
    ('sub-01_space-MNI152NLin2009cAsym_T1w.nii.gz', 'copies in another space'),
    ('sub-01_part-phase_T1w.nii.gz', 'phases or other parts of a complex scan'),
    ('sub-01_desc-preproc_T1w.nii.gz', 'processed copies'), ('sub-01_res-2_T1w.nii.gz', 'processed copies')])
def test_masks_copies_and_what_was_processed_are_told_by_name(name, what):
    assert not_raw_by_name(name) == what


def test_folders_without_raw_scans_are_told_by_name_or_by_the_data_set_around_them(tmp_path):
    assert not_raw_by_folder(tmp_path, 'derivatives') == 'in derivatives/'
    assert not_raw_by_folder(tmp_path, 'fmriprep') is None
    describe(tmp_path)
    assert [not_raw_by_folder(tmp_path, name) is None for name in ('sub-01', 'fmriprep')] == [True, False]
    describe(tmp_path / 'more', DatasetType='raw')
    describe(tmp_path / 'made', DatasetType='derivative')
    assert [not_raw_by_folder(tmp_path, name) is None for name in ('more', 'made')] == [True, False]
    (tmp_path / 'more/dataset_description.json').write_text('{[')
    assert not_raw_by_folder(tmp_path, 'more') is None
