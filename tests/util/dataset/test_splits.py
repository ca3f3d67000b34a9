import shutil

import numpy
import pytest
import yaml

import training
from tests.experiment import assert_refused, make_experiment
from util.dataset.case_lists import read_list
from util.dataset.splits import by_subject, check_splits
from util.script import UserError
from util.volumes.reading import read_volume
from util.volumes.volume import Volume
from util.volumes.writing import write_volume

LISTS = {'training_list': 'training_list.txt', 'val_list': 'val_list.txt', 'test_list': 'test_list.txt'}


@pytest.fixture
def folder(tmp_path):
    """Cases 0000 for training, 0002 for validation, 0001 for the test."""
    return make_experiment(tmp_path)


def check(folder):
    check_splits(LISTS, folder)


def refusal(folder):
    with pytest.raises(UserError) as caught:
        check(folder)
    assert '\n' not in str(caught.value) and 'make_lists.py' in str(caught.value)
    return str(caught.value)


def test_lists_that_share_nothing_pass_in_silence(folder, capsys):
    check(folder)
    assert capsys.readouterr() == ('', '')


@pytest.mark.parametrize('key, other', [('training', 'val'), ('training', 'test'), ('val', 'test')])
def test_a_case_in_two_lists_is_named_with_both(folder, key, other):
    line = (folder / f'{other}_list.txt').read_text()
    (folder / f'{key}_list.txt').write_text('LR/0000.mhd HR/0000.mhd\n' * (key == 'training') + line)
    case = folder / line.split()[0]
    assert f'{key}_list and {other}_list are not independent: {case} and {case} are one file' in refusal(folder)


@pytest.mark.parametrize('link', ['symlink_to', 'hardlink_to'])
def test_one_file_by_two_names_is_one_case(folder, link):
    (folder / 'LR/other.mhd').unlink(missing_ok=True)
    getattr(folder / 'LR/other.mhd', link)(folder / 'LR/0000.mhd')
    (folder / 'test_list.txt').write_text('LR/other.mhd\n')
    assert f'training_list and test_list are not independent: {folder}/LR/0000.mhd and {folder}/LR/other.mhd are one ' \
        'file' in refusal(folder)


def test_a_linked_folder_does_not_hide_a_case(folder):
    (folder / 'again').symlink_to(folder)
    (folder / 'test_list.txt').write_text('again/LR/0000.mhd again/HR/0000.mhd\n')
    assert 'one file' in refusal(folder)


def test_the_same_voxels_in_another_file_of_another_orientation_and_type_are_the_same_case(folder):
    for kind in ('LR', 'HR'):
        volume = read_volume(folder / f'{kind}/0000.mhd')
        turned = numpy.rint(volume.array[:, ::-1].swapaxes(1, 3) * 4).astype(numpy.int16)
        write_volume(folder / f'elsewhere/{kind}/x.mhd', Volume(turned, volume.spacing, volume.origin,
                                                                volume.direction))
    (folder / 'test_list.txt').write_text('elsewhere/LR/x.mhd elsewhere/HR/x.mhd\n')
    assert f'training_list and test_list are not independent: {folder}/HR/0000.mhd and {folder}/elsewhere/HR/x.mhd ' \
        'are the same voxels' in refusal(folder)


def test_two_cases_of_a_subject_are_named_with_the_subject(folder):
    info = {'cases': [], 'complete': True, 'subjects': {'0000': 'sub-07', '0001': 'sub-03', '0002': 'sub-07'}}
    (folder / 'degradation.yml').write_text(yaml.safe_dump(info))
    assert f'training_list and val_list are not independent: {folder}/LR/0000.mhd and {folder}/LR/0002.mhd are of ' \
        'one subject, sub-07' in refusal(folder)
    info['subjects']['0002'] = 'sub-08'
    (folder / 'degradation.yml').write_text(yaml.safe_dump(info))
    check(folder)


def test_names_of_a_subject_are_worth_what_a_table_is(folder):
    for kind in ('LR', 'HR'):
        for case, name in (('0000', 'sub-1_run-1'), ('0001', 'sub-1_run-2')):
            write_volume(folder / f'{kind}/{name}.mhd', read_volume(folder / f'{kind}/{case}.mhd'))
    for key, run in (('training', 1), ('test', 2)):
        (folder / f'{key}_list.txt').write_text(f'LR/sub-1_run-{run}.mhd HR/sub-1_run-{run}.mhd\n')
    assert 'of one subject, sub-1;' in refusal(folder)


def test_one_name_in_two_data_sets_is_two_subjects(folder):
    for case in ('0000', '0001'):
        data_set = folder / f'set{case}'
        for kind in ('LR', 'HR'):
            write_volume(data_set / kind / '0000.mhd', read_volume(folder / f'{kind}/{case}.mhd'))
        info = {'cases': ['0000'], 'complete': True, 'subjects': {'0000': 'sub-01'}}
        (data_set / 'degradation.yml').write_text(yaml.safe_dump(info))
    for key, case in (('training', '0000'), ('test', '0001')):
        (folder / f'{key}_list.txt').write_text(f'set{case}/LR/0000.mhd set{case}/HR/0000.mhd\n')
    check(folder)


def test_cases_of_a_subject_go_together_and_a_name_in_two_data_sets_is_two_subjects(folder):
    info = {'cases': [], 'complete': True, 'subjects': {'0000': 'sub-07', '0001': 'sub-03', '0002': 'sub-07'}}
    (folder / 'degradation.yml').write_text(yaml.safe_dump(info))
    for kind in ('LR', 'HR'):
        for name in ('sub-07', 'a', 'b', 'sub-9_run-1', 'sub-9_run-2'):
            write_volume(folder / f'other/{kind}/{name}.mhd', read_volume(folder / f'{kind}/0000.mhd'))
    paths = [*(f'LR/000{n}.mhd' for n in range(3)),
             *(f'other/LR/{name}.mhd' for name in ('sub-07', 'a', 'b', 'sub-9_run-2', 'sub-9_run-1'))]
    (folder / 'list.txt').write_text('\n'.join(f'{path} {path.replace("LR/", "HR/")}' for path in paths))
    groups = by_subject(read_list(folder / 'list.txt', folder))
    assert [[case.name for case in its] for its in groups] == [
        ['0000', '0002'], ['0001'], ['sub-07'], ['a'], ['b'], ['sub-9_run-2', 'sub-9_run-1']]


def test_there_need_be_no_test_list_and_one_that_cannot_be_read_is_told(folder, capsys):
    (folder / 'LR/0001.mhd').unlink()
    check(folder)
    assert 'test_list is not compared with the other lists in full: ' in capsys.readouterr().err
    (folder / 'test_list.txt').write_text('HR/0001.mhd\n')
    shutil.copyfile(folder / 'test_list.txt', folder / 'HR/0001.mhd')
    check(folder)
    assert 'test_list is not compared with the other lists in full: ' in capsys.readouterr().err
    (folder / 'test_list.txt').unlink()
    check(folder)
    assert capsys.readouterr().err.endswith('test_list.txt: no such test_list yet, so that nothing is known of what it '
                                            'shares with the others\n')
    (folder / 'val_list.txt').unlink()
    with pytest.raises(UserError, match='no such case list'):
        check(folder)


def test_training_refuses_such_lists_before_anything_is_written(folder, here):
    (folder / 'val_list.txt').write_text('LR/0000.mhd HR/0000.mhd\n')
    done = here(training.main, '-c', 'experiment.yml', '-R', '.', '-o', 'run')
    assert_refused(done, 'experiment.yml: training_list and val_list are not independent: LR/0000.mhd and LR/0000.mhd')
    assert not (folder / 'run').exists()
