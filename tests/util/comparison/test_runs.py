"""What a comparison runs, what it shares and what it does not do twice."""
import os
import time
from pathlib import Path

import numpy
import pytest
import yaml

from tests.experiment import HR_GEOMETRY
from util.comparison import runs
from util.comparison.runs import check_same_data, infer, keep_data, make_pairs, plan_runs, states_of, train
from util.config_files import load_config
from util.dataset.case_lists import Case
from util.dataset.pairs_info import write_pairs_info
from util.reports.score_table import save_csv
from util.scores.metrics import METRICS
from util.script import PROJECT, UserError
from util.volumes.interpolation import METHODS
from util.volumes.volume import Volume
from util.volumes.writing import write_volume

BASE = PROJECT / 'configs/base.yml'


@pytest.fixture
def called(monkeypatch):
    """The scripts that would have been run."""
    calls = []
    monkeypatch.setattr(runs, 'script', lambda name, *arguments: calls.append((name, *map(str, arguments))))
    return calls


def test_a_recipe_as_it_is_but_for_its_lists(tmp_path):
    run, = plan_runs([BASE], tmp_path)
    assert (run.recipe, run.folder, run.pairs) == ('base', tmp_path / 'base', tmp_path / 'pairs/4x4x4-bspline')
    assert run.config.dataset.test_list == str(tmp_path / 'pairs/4x4x4-bspline/lists/test_list.txt')
    assert run.config.model_copy(update={'dataset': load_config(BASE).dataset}) == load_config(BASE)


def test_lists_below_the_project_are_named_from_there():
    run, = plan_runs([BASE], PROJECT / 'results/comparison')
    assert run.config.dataset.val_list == 'results/comparison/pairs/4x4x4-bspline/lists/val_list.txt'


def test_each_degradation_and_seed_is_a_run_and_seeds_share_pairs(tmp_path):
    plan = plan_runs([BASE], tmp_path, ['bspline', 'block_mean'], [0, 1])
    assert [run.folder.name for run in plan] == ['base-bspline-seed0', 'base-bspline-seed1', 'base-block_mean-seed0',
                                                 'base-block_mean-seed1']
    assert [(run.config.degradation.name, run.config.seed) for run in plan] == [
        ('bspline', 0), ('bspline', 1), ('block_mean', 0), ('block_mean', 1)]
    assert len({run.pairs for run in plan}) == 2


def test_pairs_of_other_settings_or_noise_are_other_pairs(tmp_path):
    folders = set()
    for name, degradation in (('a', {}), ('b', {'noise_sigma': 5}), ('c', {'name': 'gaussian'}),
                              ('d', {'name': 'gaussian', 'fwhm': 2})):
        values = yaml.safe_load(BASE.read_text()) | {'degradation': degradation}
        (tmp_path / f'{name}.yml').write_text(yaml.safe_dump(values))
        folders.add(plan_runs([tmp_path / f'{name}.yml'], tmp_path)[0].pairs)
    assert len(folders) == 4


def test_the_settings_that_pairs_were_made_with_lie_beside_each_of_them(tmp_path, called):
    (tmp_path / '0000.mhd').touch()
    for fwhm in (0.6, 0.8):  # what follows the point is no suffix
        run, = plan_runs([BASE], tmp_path, changes=[f'degradation={{name: gaussian, fwhm: {fwhm}}}'])
        make_pairs(run, tmp_path, ['--val', '1'])
    for fwhm in (0.6, 0.8):
        config = load_config(tmp_path / f'pairs/4x4x4-gaussian-fwhm{fwhm}.yml')
        assert config.degradation.settings == {'fwhm': fwhm}


def test_another_degradation_keeps_the_noise_and_leaves_the_settings_of_the_first_behind(tmp_path):
    values = yaml.safe_load(BASE.read_text()) | {'degradation': {'name': 'gaussian', 'fwhm': 2, 'noise_sigma': 5}}
    (tmp_path / 'a.yml').write_text(yaml.safe_dump(values))
    same, other = plan_runs([tmp_path / 'a.yml'], tmp_path, ['gaussian', 'kspace'])
    assert (same.config.degradation.settings, same.config.degradation.noise_sigma) == ({'fwhm': 2}, 5)
    assert (other.config.degradation.settings, other.config.degradation.noise_sigma) == ({}, 5)


def test_changes_of_the_command_line_reach_every_run(tmp_path):
    recipes = [BASE, PROJECT / 'configs/x4_best.yml']
    assert [run.config.adam.alpha for run in plan_runs(recipes, tmp_path, changes=['adam.alpha=0.5'])] == [0.5, 0.5]


def test_fewer_iterations_keep_the_shape_of_the_schedule(tmp_path):
    run, = plan_runs([BASE], tmp_path, iterations=2500)
    assert (run.config.iteration, run.config.iteration_decay_start, run.config.flip_until) == (2500, 500, None)
    run, = plan_runs([PROJECT / 'configs/x4_best.yml'], tmp_path, iterations=2400)
    assert (run.config.iteration_decay_start, run.config.flip_until) == (50, 2000)


def test_two_recipes_of_one_name_are_refused(tmp_path):
    with pytest.raises(UserError, match='two recipes of one name.*: base, base'):
        plan_runs([BASE, tmp_path / 'base.yml'], tmp_path)


@pytest.mark.parametrize('degradations, seeds, words', [
    (None, [1, 2, 1], '--seeds 1 2 1: one of these is there twice'),
    (['bspline', 'bspline'], [1, 2], '--degradation bspline bspline: one of these is there twice')])
def test_one_run_does_not_count_as_two(tmp_path, degradations, seeds, words):
    with pytest.raises(UserError, match=words):
        plan_runs([BASE], tmp_path, degradations, seeds)


def test_a_folder_that_no_case_list_can_name_is_refused_before_anything_is_made(tmp_path):
    with pytest.raises(UserError, match="-o .*/my results: a path with white space.*; use a folder without, or one"):
        plan_runs([BASE], tmp_path / 'my results')
    with pytest.raises(UserError, match="white space.*'results/my comparison/pairs"):
        plan_runs([BASE], PROJECT / 'results/my comparison')


def test_a_recipe_that_begins_with_a_model_is_refused_before_anything_is_made(tmp_path):
    with pytest.raises(UserError, match='x4_deep_uncertain.yml: .*fixed_mean: such a training begins with a model'):
        plan_runs([PROJECT / 'configs/x4_deep_uncertain.yml'], tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_other_data_in_the_same_folder_are_refused(tmp_path):
    check_same_data(tmp_path, {'input': 'a', 'test': ['1']}, {})
    keep_data(tmp_path, {'input': 'a', 'test': ['1']}, {})
    check_same_data(tmp_path, {'input': 'a', 'test': ['1']}, {})
    with pytest.raises(UserError, match=r"test \['1'\], this one has \['2'\]; name another folder with -o"):
        check_same_data(tmp_path, {'input': 'a', 'test': ['2']}, {})
    for text, words in (('- a', 'comparison.yml: damaged'), ('input: a\ninput: a', 'input: this key is given twice'),
                        ('input: a\nvolumes: 1', 'comparison.yml: damaged')):
        (tmp_path / 'comparison.yml').write_text(text)
        with pytest.raises(UserError, match=words):
            check_same_data(tmp_path, {'input': 'a'}, {})


def test_other_volumes_under_the_same_path_are_refused(tmp_path):
    interim, out = tmp_path / 'interim', tmp_path / 'out'
    for name in ('0000', '0001'):
        write_volume(interim / f'{name}.mhd', Volume(numpy.ones((1, 4, 4, 4), numpy.int16), *HR_GEOMETRY))
    data, states = {'input': str(interim)}, states_of(interim)
    keep_data(out, data, states)
    check_same_data(out, data, states_of(interim))
    older(interim / '0001.mhd')  # another folder, moved here
    with pytest.raises(UserError, match='volumes that are others now, or were written since: 0001; name'):
        check_same_data(out, data, states_of(interim))
    keep_data(out, data, states_of(interim))
    (interim / '0000.raw').write_bytes(bytes(128))
    newer(interim / '0000.raw')
    with pytest.raises(UserError, match='since: 0000; name'):
        check_same_data(out, data, states_of(interim))
    (out / 'comparison.yml').write_text(yaml.safe_dump(data))  # of before the volumes' states were kept
    check_same_data(out, data, states_of(interim))


def test_pairs_that_are_there_are_not_made_again(tmp_path, called):
    run, = plan_runs([BASE], tmp_path, seeds=[7])
    for name in ('0000', '0001'):
        (tmp_path / f'{name}.mhd').touch()
    make_pairs(run, tmp_path, ['--val', '1'])
    assert [Path(call[0]).name for call in called] == ['make_lr_img.py', 'make_lists.py']
    assert called[1][-2:] == ('--val', '1')
    made = load_config(called[0][2])
    assert made.seed == 0 and made.degradation == run.config.degradation  # the recipe's seed, not the training's
    runs_info = {'cases': ['0000', '0001'], 'complete': True}
    (run.pairs).mkdir(parents=True)
    (run.pairs / 'degradation.yml').write_text(yaml.safe_dump(runs_info))
    called.clear()
    make_pairs(run, tmp_path, ['--val', '1'])
    assert [Path(call[0]).name for call in called] == ['make_lists.py']
    newer(tmp_path / '0001.mhd')  # another volume under the same name
    called.clear()
    make_pairs(run, tmp_path, ['--val', '1'])
    assert len(called) == 2
    (tmp_path / '0001.mhd').write_text('ElementDataFile = 0001.raw\n')
    for name in ('0001.mhd', '0001.raw'):
        (tmp_path / name).touch()
    newer(tmp_path / '0001.raw')  # other voxels under the same header
    called.clear()
    make_pairs(run, tmp_path, ['--val', '1'])
    assert len(called) == 2
    newer(run.pairs / 'degradation.yml')
    (tmp_path / '0002.mhd').touch()  # one volume more: all pairs again
    called.clear()
    make_pairs(run, tmp_path, ['--val', '1'])
    assert len(called) == 2


def test_pairs_are_known_again_whatever_their_cases_are_called(tmp_path, called):
    """The order of names is not that of files: a comes before a-b, and a-b.mhd before a.mhd."""
    run, = plan_runs([BASE], tmp_path)
    for name in ('a', 'a-b'):
        (tmp_path / f'{name}.mhd').touch()
    write_pairs_info(run.pairs, run.config, states_of(tmp_path), complete=True)
    make_pairs(run, tmp_path, ['--val', '1'])
    assert [Path(call[0]).name for call in called] == ['make_lists.py']


def test_training_starts_goes_on_or_is_done(tmp_path, called):
    run, = plan_runs([BASE], tmp_path, iterations=200)
    model = train(run, -1)
    out = run.folder / 'training'
    assert model == out / 'gen_iter_200.npz'
    assert load_config(run.folder / 'experiment.yml') == run.config
    assert '--resume' not in called[0]
    out.mkdir()  # a run that was killed, whether before or after its first snapshot
    train(run, 0)
    assert called[1][-1] == '--resume' and called[1][1:3] == ('-g', '0')
    model.touch()
    train(run, -1)
    assert len(called) == 2


def test_a_recipe_that_changed_is_refused(tmp_path, called):
    run, other = (plan_runs([BASE], tmp_path, iterations=iterations)[0] for iterations in (200, 300))
    train(run, -1)
    (run.folder / 'training').mkdir()
    with pytest.raises(UserError, match='holds a run of other settings'):
        train(other, -1)


def test_a_recipe_whose_training_was_refused_can_be_put_right(tmp_path, called):
    """Such as one of another number of channels than the volumes have: it leaves no folder of its own."""
    run, other = (plan_runs([BASE], tmp_path, iterations=iterations)[0] for iterations in (200, 300))
    train(run, -1)
    train(other, -1)
    assert load_config(other.folder / 'experiment.yml') == other.config


def test_a_finished_run_of_other_cases_is_not_taken_for_this_one(tmp_path, called):
    run, = plan_runs([BASE], tmp_path)
    out, lists = run.folder / 'training', run.pairs / 'lists'
    for folder in (out, lists):
        folder.mkdir(parents=True)
    (out / f'gen_iter_{run.config.iteration}.npz').touch()
    for key in ('training', 'val', 'test'):
        (lists / f'{key}_list.txt').write_text('LR/0001.mhd HR/0001.mhd\n')
        (out / f'{key}_list.txt').write_text('LR/0001.mhd HR/0001.mhd\n')
    train(run, -1)
    (lists / 'training_list.txt').write_text('LR/0002.mhd HR/0002.mhd\n')
    with pytest.raises(UserError, match='holds a run of other cases .*training_list.txt is not'):
        train(run, -1)


def newer(path):
    os.utime(path, ns=(time.time_ns() + 10**10,) * 2)


def older(path):
    os.utime(path, ns=(time.time_ns() - 10**10,) * 2)


def test_a_finished_run_of_older_pairs_is_not_taken_for_this_one(tmp_path, called):
    run, = plan_runs([BASE], tmp_path)
    (run.folder / 'training').mkdir(parents=True)
    run.pairs.mkdir(parents=True)
    for path in (run.folder / 'training/config.yml', run.pairs / 'degradation.yml'):
        path.touch()
    train(run, -1)
    newer(run.pairs / 'degradation.yml')
    with pytest.raises(UserError, match='holds a run of older pairs'):
        train(run, -1)


@pytest.fixture
def inferred(tmp_path, called):
    """A run, and a function that infers and counts how often that is done."""
    run, = plan_runs([BASE], tmp_path)
    cases = [Case(name, tmp_path / f'{name}_lr', tmp_path / f'{name}_hr') for name in ('0003', '0004')]
    for path in (tmp_path / 'gen.npz', *(path for case in cases for path in case[1:3])):
        path.touch()
    out = infer(run, tmp_path / 'gen.npz', cases, -1, False)

    def times_done(ensemble=False):
        called.clear()
        infer(run, tmp_path / 'gen.npz', cases, -1, ensemble)
        return len(called)

    def scored(names=('0003', '0004'), metrics=METRICS):
        scores = {method: dict.fromkeys(metrics, 1.0) for method in ('network', *METHODS)}
        save_csv(out / 'scores.csv', dict.fromkeys(names, scores))
        for name in names:
            (out / f'{name}.mhd').touch()

    scored()
    return out, times_done, scored


def test_inference_is_done_once_for_each_kind(inferred, called):
    _, times_done, _ = inferred
    assert times_done() == 0
    assert times_done(ensemble=True) == 1 and '--ensemble' in called[0]
    assert '-c' in called[0]  # the experiment that was trained, which may name a network outside of the project


def test_results_that_are_stale_are_made_again(inferred, tmp_path):
    """A table without a new metric or a case, a volume that is gone, a model or a pair that is newer."""
    out, times_done, scored = inferred
    scored(metrics=METRICS[:-1])
    assert times_done() == 1
    (out / '0004.mhd').unlink()
    scored(names=['0003'])
    assert times_done() == 1
    scored()
    (out / '0004.mhd').unlink()
    assert times_done() == 1
    for name in ('gen.npz', '0004_lr', '0003_hr'):
        scored()
        assert times_done() == 0
        newer(tmp_path / name)
        assert times_done() == 1
        (tmp_path / name).touch()


def test_a_script_that_fails_stops_the_comparison(tmp_path, capsys):
    with pytest.raises(UserError, match='inference.py ended with exit code 2'):
        runs.script('inference.py', '-m', tmp_path / 'no model.npz')
    assert capsys.readouterr().out == f"$ python inference.py -m '{tmp_path}/no model.npz'\n"  # as it can be typed
