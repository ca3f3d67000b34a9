import shlex

import pytest
import yaml

from util.config_files import load_config
from util.dataset.case_lists import read_list
from util.miscs.make_lists import main
from util.script import PROJECT


@pytest.fixture
def processed(tmp_path):
    for kind in ('LR', 'HR'):
        (tmp_path / 'processed' / kind).mkdir(parents=True)
        for n in range(8):
            (tmp_path / 'processed' / kind / f'{n:04d}.mhd').touch()
    return tmp_path / 'processed'


def names(folder):
    lists = {key: read_list(folder / f'{key}_list.txt', PROJECT) for key in ('training', 'val', 'test')}
    return {key: [case.name for case in cases] for key, cases in lists.items()}


def test_counts_are_drawn_at_random_from_the_seed_and_the_rest_is_for_training(processed, script, tmp_path):
    splits = []
    for seed in (0, 0, 1):
        code, _, err = script(main, '--val', 2, '--test', 3, '--seed', seed, '-i', processed)
        assert (code, err) == (0, '')
        splits.append(names(processed / 'lists'))
    assert [len(splits[0][key]) for key in ('training', 'val', 'test')] == [3, 2, 3]
    assert sorted(sum(splits[0].values(), [])) == [f'{n:04d}' for n in range(8)]
    assert splits[0] == splits[1] != splits[2]


def test_cases_are_given_by_name_and_by_number_together(processed, script, tmp_path):
    named = ['--train', '0000', '0001', '--val', '0003', '--test', '0007']
    assert script(main, *named, '-i', processed, '-o', tmp_path)[0] == 0
    assert names(tmp_path) == {'training': ['0000', '0001'], 'val': ['0003'], 'test': ['0007']}
    assert script(main, '--train', 4, '--val', '0003', '--test', 1, '-i', processed, '-o', tmp_path)[0] == 0
    split = names(tmp_path)
    assert split['val'] == ['0003'] and len(split['training']) == 4 and len(split['test']) == 1
    assert len(set(sum(split.values(), []))) == 6


@pytest.mark.parametrize('folder', ['my lists', '2024', 'a: b', 'a #1', '- a', "it's", 'null'])
def test_the_last_line_is_what_a_training_takes_the_lists_by(processed, script, tmp_path, monkeypatch, folder):
    monkeypatch.setattr('util.miscs.make_lists.PROJECT', tmp_path)  # so that the folder's name is all there is
    _, text, _ = script(main, '--val', '0001', '--test', '0002', '-i', processed, '-o', tmp_path / folder)
    option, change = shlex.split(text.splitlines()[-1].partition(':')[2])
    assert option == '--set'
    config = load_config(PROJECT / 'configs/base.yml', [change])
    assert [case.name for case in read_list(tmp_path / config.dataset.val_list, tmp_path)] == ['0001']


def test_paths_below_the_project_are_written_relative_to_it(processed, script, tmp_path, monkeypatch):
    monkeypatch.setattr('util.miscs.make_lists.PROJECT', tmp_path)
    script(main, '--val', '0001', '--test', '0002', '-i', processed, '-o', tmp_path)
    assert (tmp_path / 'val_list.txt').read_text() == 'processed/LR/0001.mhd processed/HR/0001.mhd\n'


@pytest.mark.parametrize('args, message', [
    (['--val', '9', '--test', '1'], '9 for --val and 1 for --test: only 8 of 8 cases'),
    (['--val', '4', '--test', '4'], '--train would be empty'),
    (['--val', '0', '--test', '1'], '--val would be empty'),
    (['--val', '0000', '--test', '0000'], '--test 0000: this case is named twice'),
    (['--val', '0077', '--test', '1'], '--val 0077: no such case'),
    (['--val', '0000', '0099', '--test', '1'], '--val 0099: no such case; there are 0000, 0001')])
def test_impossible_splits_are_refused_and_nothing_is_written(processed, script, args, message):
    code, _, err = script(main, *args, '-i', processed)
    assert code == 2 and message in err and len(err.splitlines()) == 1
    assert not (processed / 'lists').exists()


def of_subjects(processed, subjects, **more):
    info = {'upsampling_rate': [4, 4, 4], 'cases': sorted(subjects), 'complete': True, 'subjects': subjects, **more}
    (processed / 'degradation.yml').write_text(yaml.safe_dump(info))


# eight cases of four subjects: 0000 and 0004 of sub-0, 0001 and 0005 of sub-1, ...
TWO_EACH = {f'{n:04d}': f'sub-{n % 4}' for n in range(8)}


@pytest.mark.parametrize('seed', range(8))
def test_all_cases_of_a_subject_land_in_one_list_and_counts_are_of_subjects(processed, script, tmp_path, seed):
    of_subjects(processed, TWO_EACH)
    code, out, err = script(main, '--val', 1, '--test', 2, '--seed', seed, '-i', processed, '-o', tmp_path)
    assert (code, err) == (0, '') and '(4 cases of 2 subjects)' in out
    split = names(tmp_path)
    assert {key: len(cases) for key, cases in split.items()} == {'training': 2, 'val': 2, 'test': 4}
    people = [{TWO_EACH[case] for case in cases} for cases in split.values()]
    assert sum(map(len, people)) == 4 == len(set.union(*people))


def test_where_each_subject_has_one_case_the_draw_is_that_of_the_cases(processed, script, tmp_path):
    """Whatever the subjects are called: a table must not change the split of a data set."""
    script(main, '--val', 2, '--test', 3, '--seed', 5, '-i', processed, '-o', tmp_path / 'cases')
    of_subjects(processed, {f'{n:04d}': f'sub-{9 - n}' for n in range(8)})
    script(main, '--val', 2, '--test', 3, '--seed', 5, '-i', processed, '-o', tmp_path / 'subjects')
    assert names(tmp_path / 'cases') == names(tmp_path / 'subjects')


@pytest.mark.parametrize('args, message', [
    (['--val', '0001', '--test', '0002', '0006'], '--val 0001: 0005 is of the same subject, sub-1, and would'),
    (['--val', '0001', '--test', '1'], '--val 0001: 0005 is of the same subject, sub-1, and would be left to another'),
    (['--val', '0001', '--test', '0005'], '--test 0005: 0001 in --val is of the same subject, sub-1; name all cases'),
    (['--train', '0000', '0005', '--val', '0001', '--test', '0002'], '--train 0005: 0001 in --val is of the same sub'),
    (['--val', '3', '--test', '2'], '3 for --val and 2 for --test: only 4 of 4 subjects are left to draw from'),
    (['--val', '2', '--test', '2'], '--train would be empty: there are 4 subjects with 8 cases in all')])
def test_a_subject_is_never_cut_in_two(processed, script, args, message):
    of_subjects(processed, TWO_EACH)
    code, _, err = script(main, *args, '-i', processed)
    assert code == 2 and message in err and len(err.splitlines()) == 1
    assert not (processed / 'lists').exists()


def test_cases_of_named_subjects_may_stay_out_of_all_lists(processed, script, tmp_path):
    of_subjects(processed, TWO_EACH)
    assert script(main, '--train', '0000', '--val', '0001', '--test', '0002', '-i', processed, '-o', tmp_path)[0] == 0
    assert names(tmp_path) == {'training': ['0000'], 'val': ['0001'], 'test': ['0002']}


def test_without_a_table_bids_names_tell_the_subject_and_other_names_are_subjects_of_their_own(processed, script,
                                                                                              tmp_path):
    for kind in ('LR', 'HR'):
        for run in range(20):
            (processed / kind / f'sub-07_run-{run}.mhd').touch()
    code, out, _ = script(main, '--train', 2, '--val', 2, '--test', 5, '-i', processed, '-o', tmp_path)
    assert code == 0
    assert 'does not say whose 8 of its cases are (0000 0001 0002 ...); each of them counts as a subject' in out
    assert sorted(map(len, names(tmp_path).values())) in ([2, 2, 24], [2, 5, 21])
    of_subjects(processed, dict.fromkeys(TWO_EACH, 'anna'))
    code, _, err = script(main, '--val', 1, '--test', 2, '-i', processed)
    assert code == 2 and '1 for --val and 2 for --test: only 2 of 2 subjects' in err


def test_pairs_whose_making_was_interrupted_are_not_split(processed, script):
    of_subjects(processed, TWO_EACH, complete=False)
    code, _, err = script(main, '--val', 1, '--test', 1, '-i', processed)
    assert code == 2 and 'the making of these pairs was interrupted; make the pairs anew' in err


def test_without_pairs_the_command_that_makes_them_is_named(tmp_path, script):
    code, _, err = script(main, '--val', 1, '--test', 1, '-i', tmp_path)
    assert code == 2 and 'make them with: python util/miscs/make_lr_img.py' in err


def test_the_committed_lists_hold_the_reference_split():
    split = {key: [line.split() for line in (PROJECT / 'configs' / f'{key}_list.txt').read_text().splitlines()]
             for key in ('training', 'val', 'test')}
    assert {key: len(lines) for key, lines in split.items()} == {'training': 10, 'val': 3, 'test': 3}
    assert [lr for lr, _ in split['test']] == [f'data/processed/LR/{name}.mhd' for name in ('0014', '0001', '0015')]
    assert all(hr == lr.replace('LR', 'HR') for lines in split.values() for lr, hr in lines)
    assert sorted(lr[-8:-4] for lines in split.values() for lr, _ in lines) == [f'{n:04d}' for n in range(16)]
