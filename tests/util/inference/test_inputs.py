"""Which volumes the paths of a command line mean, what their results are called, and what is refused."""
from pathlib import Path

import pytest

from tests.util.volumes.dicom_files import save_series
from tests.util.volumes.files import make_volume
from util.dataset.case_lists import Case
from util.inference.inputs import file_of_results, pairs, pairs_of_folders, scans, volumes_of
from util.script import UserError
from util.volumes import itk, nifti
from util.volumes.writing import write_volume


@pytest.fixture
def folder(tmp_path):
    """A folder of volumes with what else lies in such folders."""
    for name in ('b.nii.gz', 'a.mhd', 'c.nrrd'):
        write_volume(tmp_path / 'in' / name, make_volume())
    for name in ('pair.hdr', 'pair.img', 'a.json', 'notes.txt', '.hidden.nii'):
        (tmp_path / 'in' / name).touch()
    (tmp_path / 'in/below').mkdir()
    return tmp_path / 'in'


def refusal(function, *arguments):
    with pytest.raises(UserError) as caught:
        function(*arguments)
    return str(caught.value)


def test_a_folder_is_its_volumes_by_name_and_the_rest_is_said(folder, capsys):
    assert [path.name for path in volumes_of(folder)] == ['a.mhd', 'b.nii.gz', 'c.nrrd', 'pair.hdr']
    assert capsys.readouterr().err == f'note: {folder}: 4 volumes; no images and passed over: a.json, notes.txt\n'


def test_each_suffix_that_is_read_is_found_in_a_folder_as_well(tmp_path):
    suffixes = sorted({*itk.FORMATS, *(suffix + packed for suffix in nifti.FORMATS for packed in ('', '.gz'))})
    for number, suffix in enumerate(suffixes):
        (tmp_path / f'{number:02}{suffix}').touch()
    assert [path.name[2:] for path in volumes_of(tmp_path)] == suffixes


@pytest.mark.parametrize('header, voxels', [('a.hdr', 'a.img'), ('A.HDR', 'A.IMG'), ('a.hdr.gz', 'a.img.gz')])
def test_a_pair_is_one_volume_as_the_reader_pairs_its_files(tmp_path, header, voxels):
    for name in (header, voxels, 'alone.img'):
        (tmp_path / name).touch()
    assert [path.name for path in volumes_of(tmp_path)] == [header, 'alone.img']


@pytest.mark.parametrize('name, result', [
    ('a.nii.gz', 'a_x4.nii.gz'), ('a.NII.GZ', 'a_x4.nii.gz'), ('a.nii', 'a_x4.nii'), ('a.mgz', 'a_x4.mgz'),
    ('a.mgh', 'a_x4.mgh'), ('a.nrrd', 'a_x4.nrrd'), ('a.nhdr', 'a_x4.nrrd'), ('a.mhd', 'a_x4.mhd'),
    ('a.mha', 'a_x4.mhd'), ('a.hdr', 'a_x4.nii'), ('a.img.gz', 'a_x4.nii.gz'),
    ('a.mgh.gz', 'a_x4.nii.gz'), ('a_0.7mm.nii', 'a_0.7mm_x4.nii')])
def test_a_result_is_called_and_written_as_its_scan(name, result):
    case, = scans([Path(name)], (4, 4, 4), Path('out'))
    assert case.name + case.suffix == result and case.lr_path == Path(name) and case.hr_path is None


def test_a_rate_per_axis_is_named_in_the_order_of_the_config():
    assert scans([Path('a.nii')], (4, 1, 2), Path('out'))[0].name == 'a_x4x1x2'


def test_folders_and_series_stand_beside_files(folder, tmp_path, monkeypatch):
    save_series(tmp_path / 'T1.series', make_volume())
    (tmp_path / 'T1.series/notes.txt').touch()
    found = scans([folder, tmp_path / 'T1.series', tmp_path / 'none.mgz'], (2, 2, 2), tmp_path / 'out')
    assert [case.name + case.suffix for case in found] == [
        'a_x2.mhd', 'b_x2.nii.gz', 'c_x2.nrrd', 'pair_x2.nii', 'T1.series_x2.nii.gz', 'none_x2.mgz']
    monkeypatch.chdir(tmp_path / 'T1.series')
    assert scans([Path('.')], (2, 2, 2), tmp_path / 'out')[0].name == 'T1.series_x2'


def test_folders_that_do_not_say_what_is_meant_are_refused(folder, tmp_path):
    assert 'the results would lie among the scans' in refusal(scans, [folder], (2, 2, 2), folder)
    assert f'-i names a volume twice: {folder}/a.mhd' == refusal(scans, [folder, folder / 'a.mhd'], (2, 2, 2), tmp_path)
    (folder / 'z.nrrd').symlink_to(folder / 'c.nrrd')
    assert refusal(scans, [folder / 'c.nrrd', folder / 'z.nrrd'], (2, 2, 2), tmp_path) == (
        f'-i names a volume twice: {folder}/c.nrrd and {folder}/z.nrrd are one file')
    (folder / 'z.nrrd').unlink()
    save_series(folder, make_volume())
    assert 'both volumes and DICOM files' in refusal(scans, [folder], (2, 2, 2), tmp_path)
    (tmp_path / 'empty').mkdir()
    assert refusal(volumes_of, tmp_path / 'empty') == f'{tmp_path}/empty: no volumes in this folder'
    (tmp_path / 'empty/x.txt').touch()
    assert refusal(volumes_of, tmp_path / 'empty').endswith('in this folder, but x.txt')
    save_series(tmp_path / 'empty/series', make_volume())
    assert refusal(volumes_of, tmp_path / 'empty').endswith('in this folder, but x.txt, series/')


def test_a_folder_s_links_to_its_own_volumes_are_passed_over_which_is_said(folder, tmp_path, capsys):
    """Whichever comes first by name; of two links to a volume elsewhere one is taken."""
    for link, file in (('0.nrrd', 'c.nrrd'), ('z.nrrd', 'c.nrrd'), ('x.nii', '../out.nii'), ('y.nii', '../out.nii')):
        (folder / link).symlink_to(folder / file)
    found = scans([folder], (2, 2, 2), tmp_path / 'out')
    assert [case.lr_path.name for case in found] == ['a.mhd', 'b.nii.gz', 'c.nrrd', 'pair.hdr', 'y.nii']
    assert 'links to volumes that are taken already, passed over: 0.nrrd, x.nii, z.nrrd' in capsys.readouterr().err


@pytest.mark.parametrize('name', ['d.nii.gz', 'd.mhd', 'd.nhdr', 'd.hdr'])
def test_a_link_to_a_scan_that_is_not_there_is_a_scan_that_cannot_be_read(folder, name):
    """As those of a data set whose files have not been fetched; a link to what is no scan is passed over."""
    for link in (name, 'e.txt'):
        (folder / link).symlink_to(folder / 'not fetched')
    (folder / 'loop.nii').symlink_to(folder / 'loop.nii')
    found = [case.lr_path.name for case in scans([folder], (2, 2, 2), folder.parent)]
    assert found[-3:] == [name, 'loop.nii', 'pair.hdr']
    (folder / 'loop.nii').unlink()
    assert [path.name for path in volumes_of(folder)][-2:] == [name, 'pair.hdr']


def test_volumes_of_the_same_name_are_pairs_whatever_their_formats(folder, tmp_path):
    for name in ('a.nii', 'b.mgz', 'c.nii', 'pair.nii'):
        (tmp_path / 'hr').mkdir(exist_ok=True)
        (tmp_path / 'hr' / name).touch()
    assert pairs_of_folders(folder, tmp_path / 'hr') == [
        Case('a', folder / 'a.mhd', tmp_path / 'hr/a.nii'), Case('b', folder / 'b.nii.gz', tmp_path / 'hr/b.mgz'),
        Case('c', folder / 'c.nrrd', tmp_path / 'hr/c.nii'),
        Case('pair', folder / 'pair.hdr', tmp_path / 'hr/pair.nii')]
    (tmp_path / 'hr/b.mgz').unlink()
    (tmp_path / 'hr/c.nii').unlink()
    assert refusal(pairs_of_folders, folder, tmp_path / 'hr').endswith(
        'hr: no volume of the same name, but for the suffix, as b.nii.gz, c.nrrd')
    assert refusal(pairs_of_folders, tmp_path / 'hr', folder).endswith('as b.nii.gz, c.nrrd')
    (tmp_path / 'hr/a.mgz').touch()
    assert 'a.mgz and a.nii: one name for two volumes' in refusal(pairs_of_folders, folder, tmp_path / 'hr')
    assert 'none: no such folder' in refusal(pairs_of_folders, folder, tmp_path / 'none')


def test_pairs_by_position(folder):
    lr, hr = [Path('x/a.nii'), Path('y/a.nii')], [Path('one.mgz'), Path('two.mgz')]
    assert [case.name for case in pairs(lr, hr)] == ['x_a', 'y_a']
    assert [(case.lr_path, case.hr_path, case.suffix) for case in pairs(lr, hr)] == [
        (lr[0], hr[0], '.mhd'), (lr[1], hr[1], '.mhd')]
    assert '-i names 2 volumes, and --hr 1' in refusal(pairs, lr, hr[:1])
    assert '-i names a volume twice' in refusal(pairs, [lr[0], lr[0]], hr)
    assert 'a folder; its volumes are scored with --pairs' in refusal(pairs, [folder], hr[:1])
    assert 'a case cannot be called mean' in refusal(pairs, [Path('mean.nii')], hr[:1])


def test_the_file_of_the_one_result_may_be_named(tmp_path):
    one, scored = Case('a_x4', Path('a.nii'), None, '.nii'), Case('a', Path('a.nii'), Path('b.nii'))
    assert file_of_results(tmp_path / 'b.c.mgz', [one]) == (
        tmp_path, [Case('b.c', Path('a.nii'), None, '.mgz')])
    assert file_of_results(tmp_path / 'folder.1', [one, one]) == (tmp_path / 'folder.1', [one, one])
    (tmp_path / 'folder.nii').mkdir()
    assert file_of_results(tmp_path / 'folder.nii', [one]) == (tmp_path / 'folder.nii', [one])
    assert 'one file for 2 volumes' in refusal(file_of_results, Path('b.nii'), [one, one])
    assert 'results are written as .mhd, .nii.gz' in refusal(file_of_results, Path('b.mha'), [one])
    assert 'name a folder' in refusal(file_of_results, Path('b.nii'), [scored])
