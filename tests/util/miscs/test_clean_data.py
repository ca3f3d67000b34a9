import csv
import os
import subprocess
import sys

import nibabel
import numpy
import pytest
import SimpleITK as sitk

from util.dataset import cleaning
from util.dataset.cases_table import read_table
from util.miscs.clean_data import main
from util.script import PROJECT
from util.volumes.reading import read_volume
from util.volumes.writing import write_volume


def save(path, volume, array=None, vector=False):
    """Save a volume, or another array (z, y, x) in its place: channels as frames of a 4D file, or as a vector's."""
    images = [sitk.GetImageFromArray(channel) for channel in (volume.array if array is None else array[None])]
    for image in images:
        image.SetSpacing(volume.spacing)
        image.SetOrigin(volume.origin)
        image.SetDirection(volume.direction)
    together = sitk.Compose if vector else sitk.JoinSeries
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(together(images) if len(images) > 1 else images[0], str(path))
    return path


def table(folder):
    with open(folder / 'cases.tsv', newline='') as file:
        return [(row['case'], row['source'], row['size_xyz'], row['spacing_xyz_mm'])
                for row in csv.DictReader(file, delimiter='\t')]


@pytest.fixture
def folders(tmp_path):
    (tmp_path / 'raw').mkdir()
    return tmp_path / 'raw', tmp_path / 'interim'


def test_volumes_of_any_tree_are_numbered_by_their_sorted_paths_and_keep_geometry_and_type(folders, script, make_head):
    raw, interim = folders
    names = ['sub-10/anat/sub-10_T1w.nii.gz', 'sub-02/anat/sub-02_T1w.nii', 'a_T1w.nii.gz',
             'sub-02/anat/sub-02_T2w.nii', '.hidden/x_T1w.nii', 'sub-02/._sub-02_T1w.nii']
    for seed, name in enumerate(names):
        save(raw / name, make_head(seed))
    code, out, err = script(main, '-i', raw, '-o', interim)
    assert (code, err) == (0, '') and '3 volumes of 3 subjects' in out
    order = [names[2], names[1], names[0]]
    assert table(interim) == [(f'{n:04d}', name, '19x18x17', '1x1.25x1.5') for n, name in enumerate(order)]
    for n, name in enumerate(order):
        volume, expected = read_volume(interim / f'{n:04d}.mhd'), make_head(names.index(name))
        assert volume.array.dtype == numpy.int16
        numpy.testing.assert_array_equal(volume.array, expected.array)
        for field in ('spacing', 'origin', 'direction'):
            numpy.testing.assert_allclose(getattr(volume, field), getattr(expected, field), atol=1e-6)


@pytest.mark.parametrize('channels', [0, -1])
def test_channels_that_no_volume_has_are_refused_before_any_is_read(folders, script, make_head, channels):
    raw, interim = folders
    save(raw / 'a_T1w.nii', make_head())
    code, out, err = script(main, '-i', raw, '-o', interim, '--channels', channels)
    assert (code, out) == (2, '') and not interim.exists()
    assert err == f'error: --channels {channels}: the channels that a volume must have, 1 or more\n'


@pytest.mark.parametrize('vector', [False, True])
def test_volumes_of_the_channels_asked_for_are_taken_with_geometry_and_type(folders, script, make_head, vector):
    raw, interim = folders
    heads = [make_head(seed, channels=3) for seed in range(2)]
    for name, head in zip('ab', heads):
        save(raw / f'{name}_T1w.nii.gz', head, vector=vector)
    save(raw / 'c_T1w.nii.gz', make_head(3))
    code, out, err = script(main, '-i', raw, '-o', interim, '--channels', 3)
    assert code == 1 and '2 volumes' in out
    assert err == (f'refused: {raw}/c_T1w.nii.gz: 1 channels (values per voxel, or volumes along a fourth axis); '
                   '3 wanted (--channels)\n')
    assert table(interim) == [(f'000{n}', f'{name}_T1w.nii.gz', '19x18x17', '1x1.25x1.5')
                              for n, name in enumerate('ab')]
    for n, head in enumerate(heads):
        volume = read_volume(interim / f'000{n}.mhd')
        assert volume.array.dtype == numpy.int16
        numpy.testing.assert_array_equal(volume.array, head.array)
        for field in ('spacing', 'origin', 'direction'):
            numpy.testing.assert_allclose(getattr(volume, field), getattr(head, field), atol=1e-6)


def test_the_same_voxels_are_found_whether_they_are_frames_or_a_vector_s(folders, script, make_head):
    raw, interim = folders
    save(raw / 'a_T1w.nii', make_head(channels=2))
    save(raw / 'b_T1w.nii', make_head(channels=2), vector=True)
    code, _, err = script(main, '-i', raw, '-o', interim, '--channels', 2)
    assert code == 1 and f'b_T1w.nii: the same voxels as {raw}/a_T1w.nii' in err


def test_what_is_no_finite_3d_volume_of_one_channel_is_named_and_the_rest_goes_on(folders, script, make_head):
    raw, interim = folders
    head = make_head()
    save(raw / 'b_T1w.nii.gz', head)
    save(raw / 'c_T1w.nii.gz', make_head(channels=2))
    save(raw / 'd_T1w.nii.gz', make_head(channels=3), vector=True)
    (raw / 'e_T1w.nii.gz').touch()
    cut = save(raw / 'f_T1w.nii.gz', make_head(1))
    os.truncate(cut, cut.stat().st_size // 2)
    array = head.array[0].astype(numpy.float32)
    array[3, 4, 5] = numpy.nan
    save(raw / 'g_T1w.nii.gz', head, array)
    save(raw / 'h_T1w.nii.gz', head, numpy.full_like(head.array[0], 7))
    save(raw / 'i_T1w.nii.gz', head)
    (raw / 'j_T1w.nii.gz').write_text('hello' * 100)
    (raw / 'k_T1w.nii.gz').symlink_to(raw / 'not_fetched')
    save(raw / 'l_T1w.nii.gz', make_head(2))
    for n in range(3):
        save(raw / 'm_T1w' / f'IM{n}.dcm', head, head.array[0, n:n + 1])
    sitk.WriteImage(sitk.GetImageFromArray(head.array[0].astype(numpy.complex64)), str(raw / 'n_T1w.nii.gz'))
    code, out, err = script(main, '-i', raw, '-o', interim)
    assert code == 1 and '2 volumes' in out and '11 refused' in out
    assert [row[:2] for row in table(interim)] == [('0000', 'b_T1w.nii.gz'), ('0001', 'l_T1w.nii.gz')]
    reasons = {'c': '2 channels (values per voxel, or volumes along a fourth axis); 1 wanted (--channels)',
               'd': '3 channels (values per voxel', 'e': '0 bytes', 'f': 'truncated', 'n': 'its voxels are complex',
               'g': '1 of 5814 values are not finite', 'h': 'every voxel is 7', 'i': f'the same voxels as {raw}/b_T1w',
               'j': 'not an image', 'k': 'a link to a file that is not there'}
    for letter, reason in reasons.items():
        start = f'refused: {raw}/{letter}_T1w.nii.gz: '
        assert any(line.startswith(start) and reason in line for line in err.splitlines())
    assert f'refused: {raw}/m_T1w: a DICOM series folder (3 DICOM files)' in err
    assert len(err.splitlines()) == 11  # and nothing that ITK printed past Python


def test_other_formats_are_chosen_by_pattern(folders, script, make_head):
    raw, interim = folders
    for seed, name in enumerate(['a.mha', 'b.nrrd', 'c.mhd', 'd_T1w.nii']):
        save(raw / name, make_head(seed))
    assert script(main, '-i', raw, '-o', interim, '--pattern', '*.m[hd]*')[0] == 0
    assert [row[1] for row in table(interim)] == ['a.mha', 'c.mhd']


def test_nothing_to_do_is_one_line_that_says_what_to_do(folders, script, make_head):
    raw, interim = folders
    code, _, err = script(main, '-i', raw, '-o', interim)
    assert code == 2 and len(err.splitlines()) == 1
    assert "no file name matches '*_T1w.nii*'; put the volumes there" in err
    save(raw / 'scan' / 'IM0.dcm', make_head(), make_head().array[0, :1])
    code, _, err = script(main, '-i', raw, '-o', interim)
    assert code == 2 and len(err.splitlines()) == 1 and 'no file name' in err and 'a DICOM series folder' in err
    code, _, err = script(main, '-i', raw / 'absent', '-o', interim)
    assert code == 2 and 'absent: no such folder' in err
    assert not interim.exists()


def test_what_an_earlier_run_left_is_replaced_or_removed_and_nothing_else(folders, script, make_head):
    raw, interim = folders
    for seed in range(3):
        save(raw / f'{seed}_T1w.nii', make_head(seed))
    script(main, '-i', raw, '-o', interim)
    save(interim / 'mine.mhd', make_head(9))
    (raw / '0_T1w.nii').unlink()
    assert script(main, '-i', raw, '-o', interim)[0] == 0
    assert sorted(path.name for path in interim.glob('*.mhd')) == ['0000.mhd', '0001.mhd', 'mine.mhd']
    numpy.testing.assert_array_equal(read_volume(interim / '0000.mhd').array, make_head(1).array)
    assert len(table(interim)) == 2


def test_linked_folders_are_followed_and_circles_are_not(folders, script, make_head, tmp_path):
    raw, interim = folders
    save(tmp_path / 'elsewhere' / 'a_T1w.nii', make_head())
    (raw / 'linked').symlink_to(tmp_path / 'elsewhere')
    (tmp_path / 'elsewhere' / 'circle').symlink_to(raw)
    code, _, _ = script(main, '-i', raw, '-o', interim)
    assert code == 0 and [row[1] for row in table(interim)] == ['linked/a_T1w.nii']


def test_of_a_bids_tree_with_derivatives_the_raw_scans_are_taken_and_the_rest_is_said(folders, script, make_head):
    raw, interim = folders
    names = ['sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz', 'sub-01/ses-2/anat/sub-01_ses-2_run-1_T1w.nii.gz',
             'sub-01/ses-2/anat/sub-01_ses-2_run-2_T1w.nii.gz', 'sub-02/anat/sub-02_T1w.nii.gz',
             'derivatives/fmriprep/sub-01/anat/sub-01_T1w.nii.gz', 'sub-02/anat/sub-02_space-MNI_T1w.nii.gz',
             'derivatives/fmriprep/sub-01/anat/sub-01_desc-brain_mask.nii.gz', 'sub-02/anat/sub-02_T2w.nii.gz']
    for seed, name in enumerate(names):
        save(raw / name, make_head(seed))
    (raw / 'dataset_description.json').write_text('{"Name": "x", "BIDSVersion": "1.8.0", "DatasetType": "raw"}')
    code, out, err = script(main, '-i', raw, '-o', interim)
    assert (code, err) == (0, '')
    assert [row[1] for row in table(interim)] == names[:4]
    assert [row['subject'] for row in read_table(interim).values()] == ['sub-01'] * 3 + ['sub-02']
    assert out.splitlines() == [
        'passed over, by their names copies in another space: 1 (sub-02/anat/sub-02_space-MNI_T1w.nii.gz)',
        'passed over, in derivatives/ (-i takes such a folder): 2 (derivatives/fmriprep/sub-01/anat/'
        'sub-01_T1w.nii.gz, derivatives/fmriprep/sub-01/anat/sub-01_desc-brain_mask.nii.gz)',
        'passed over, not named *_T1w.nii*: 1 (sub-02/anat/sub-02_T2w.nii.gz)',
        f'4 volumes of 2 subjects in {interim} ({interim}/cases.tsv names their sources), 0 refused']
    code, out, _ = script(main, '-i', raw, '-o', interim, '--pattern', '*')
    assert 'taken as --pattern asks, though by their names copies in another space: 1' in out


def test_the_table_names_the_orientation_as_nibabel_does(folders, script, make_head):
    raw, interim = folders
    image = nibabel.load(save(raw / 'a_T1w.nii.gz', make_head()))
    for name, ornt in (('b', [[0, -1], [1, 1], [2, 1]]), ('c', [[2, 1], [0, -1], [1, 1]])):
        other = nibabel.Nifti1Image(make_head(ord(name)).array[0].T, image.affine).as_reoriented(ornt)
        other.to_filename(raw / f'{name}_T1w.nii.gz')
    assert script(main, '-i', raw, '-o', interim)[0] == 0
    expected = [''.join(nibabel.aff2axcodes(nibabel.load(raw / f'{name}_T1w.nii.gz').affine)) for name in 'abc']
    assert [row['orientation'] for row in read_table(interim).values()] == expected and len(set(expected)) == 3


def test_one_head_in_another_orientation_or_type_is_refused_by_name(folders, script, make_head):
    raw, interim = folders
    image = nibabel.load(save(raw / 'a_T1w.nii.gz', make_head()))
    voxels, values = numpy.asanyarray(image.dataobj), image.get_fdata()
    copies = {
        'b': nibabel.as_closest_canonical(image), 'c': image.as_reoriented([[2, -1], [0, 1], [1, -1]]),
        'd': nibabel.Nifti1Image(values.astype(numpy.float32), image.affine),
        'e': nibabel.Nifti1Image(values, image.affine, image.header),  # int16 with a slope: rounded
        'f': nibabel.Nifti1Image(voxels[::-1], image.affine), 'g': nibabel.Nifti1Image(values * 2.5, image.affine)}
    for name, copy in copies.items():
        copy.to_filename(raw / f'{name}_T1w.nii.gz')
    save(raw / 'h_T1w.nii.gz', make_head(1))
    code, _, err = script(main, '-i', raw, '-o', interim)
    assert code == 1 and [row[1] for row in table(interim)] == ['a_T1w.nii.gz', 'h_T1w.nii.gz']
    for name, line in zip(copies, err.splitlines(), strict=True):
        assert line == (f'refused: {raw}/{name}_T1w.nii.gz: the same voxels as {raw}/a_T1w.nii.gz, orientation, type '
                        'and scale aside; one scan must not be in training and test')


def test_a_refused_scan_does_not_stand_in_the_way_of_its_copy(folders, script, make_head):
    raw, interim = folders
    for name in ('sub-01/sub-02_T1w.nii', 'sub-02/sub-02_T1w.nii'):
        save(raw / name, make_head())
    code, _, err = script(main, '-i', raw, '-o', interim)
    assert code == 1 and err == (f'refused: {raw}/sub-01/sub-02_T1w.nii: sub-01/sub-02_T1w.nii names two subjects, '
                                 'sub-01 and sub-02; a volume is of one\n')
    assert [row[1] for row in table(interim)] == ['sub-02/sub-02_T1w.nii']


def test_volumes_of_the_user_s_own_are_never_replaced(folders, script, make_head):
    raw, interim = folders
    for seed in range(2):
        save(raw / f'{seed}_T1w.nii', make_head(seed))
    write_volume(interim / '0001.mhd', make_head(9))
    before = (interim / '0001.raw').read_bytes()
    for name in ('0001.mhd', '0001.raw'):
        code, _, err = script(main, '-i', raw, '-o', interim)
        assert code == 2 and f'{name} is there and was not made by this script' in err
        assert sorted(path.suffix for path in interim.glob('0*')) and (interim / '0001.raw').read_bytes() == before
        assert not (interim / 'cases.tsv').exists()
        (interim / '0001.mhd').unlink(missing_ok=True)


def test_a_subject_that_was_set_by_hand_stays_so(folders, script, make_head):
    raw, interim = folders
    for seed in range(2):
        save(raw / f'{seed}_T1w.nii', make_head(seed))
    assert script(main, '-i', raw, '-o', interim)[0] == 0
    text = (interim / 'cases.tsv').read_text()
    (interim / 'cases.tsv').write_text(text.replace('1_T1w\t', 'Ada\t'))
    assert [row['subject'] for row in read_table(interim).values()] == ['0_T1w', 'Ada']
    code, _, err = script(main, '-i', raw, '-o', interim)
    assert code == 0 and 'its subject stays Ada, as cases.tsv of the earlier run says; its path says 1_T1w' in err
    assert [row['subject'] for row in read_table(interim).values()] == ['0_T1w', 'Ada'] and err.count('note') == 1


def test_a_subject_that_was_set_by_hand_outlives_an_interrupted_run(folders, script, make_head, monkeypatch):
    raw, interim = folders
    for seed in range(2):
        save(raw / f'{seed}_T1w.nii', make_head(seed))
    script(main, '-i', raw, '-o', interim)
    text = (interim / 'cases.tsv').read_text()
    (interim / 'cases.tsv').write_text(text.replace('1_T1w\t', 'Ada\t'))
    with monkeypatch.context() as patched:
        patched.setattr(cleaning, 'write_volume', interrupted)
        assert script(main, '-i', raw, '-o', interim)[0] == 130
    assert not (interim / 'cases.tsv').exists()
    assert script(main, '-i', raw, '-o', interim)[0] == 0
    assert [row['subject'] for row in read_table(interim).values()] == ['0_T1w', 'Ada']


def interrupted(*arguments):
    raise KeyboardInterrupt


def test_where_nothing_can_be_taken_what_is_there_stays(folders, script, make_head):
    raw, interim = folders
    save(raw / 'a_T1w.nii', make_head())
    script(main, '-i', raw, '-o', interim)
    before = {path.name: path.read_bytes() for path in interim.iterdir()}
    os.truncate(raw / 'a_T1w.nii', 400)
    code, out, err = script(main, '-i', raw, '-o', interim)
    assert code == 1 and out == f'0 volumes, 1 refused; {interim} is as it was\n' and len(err.splitlines()) == 1
    assert {path.name: path.read_bytes() for path in interim.iterdir()} == before


def test_volumes_never_replace_those_they_are_made_of(folders, script, make_head):
    raw, _ = folders
    for name in ('0001', '0000'):
        write_volume(raw / f'{name}.mhd', make_head(int(name)))
    code, _, err = script(main, '-i', raw, '-o', raw, '--pattern', '*.mhd')
    assert code == 2 and '0000.mhd: lies in the folder of the result' in err
    numpy.testing.assert_array_equal(read_volume(raw / '0001.mhd').array, make_head(1).array)


@pytest.mark.parametrize('name', ['clean_data', 'make_lr_img', 'make_lists'])
def test_the_scripts_run_as_files_from_any_folder(name, tmp_path):
    done = subprocess.run([sys.executable, PROJECT / 'util' / 'miscs' / f'{name}.py', '--help'], cwd=tmp_path,
                          capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith('usage:') and done.stderr == ''


@pytest.mark.parametrize('content', ['../victim/v\n', '\0', 'x' * 2 ** 25])
def test_a_damaged_list_of_interrupted_volumes_removes_nothing_elsewhere(folders, script, make_head, tmp_path, content):
    raw, interim = folders
    save(raw / 'a_T1w.nii', make_head())
    write_volume(tmp_path / 'victim/v.mhd', make_head(1))
    interim.mkdir()
    (interim / 'cases.incomplete').write_text(content)
    code, _, err = script(main, '-i', raw, '-o', interim)
    assert code == 2 and 'cases.incomplete' in err and 'Traceback' not in err
    assert read_volume(tmp_path / 'victim/v.mhd')
