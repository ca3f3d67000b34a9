import pytest

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
