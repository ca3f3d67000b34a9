"""What inference.py leaves in a folder when something is there already, goes wrong, or comes in between."""

import numpy
import pytest
import SimpleITK as sitk

import inference
from tests.experiment import assert_refused
from tests.test_inference import make_unsure, prepare, results, save_model, scores
from util.config_files import load_config
from util.dataset.pairs_info import write_pairs_info
from util.files import UNFINISHED
from util.inference import case_results, case_work
from util.lock import locked
from util.volumes import interpolation
from util.volumes.reading import read_volume
from util.volumes.writing import remove_volume, write_volume
from util.reports.score_table import read_csv


@pytest.fixture
def experiment(tmp_path):
    return prepare(tmp_path)


def test_two_inputs_of_one_name_get_names_that_tell_them_apart(experiment, infer):
    done = infer('-i', 'LR/0000.mhd', 'HR/0000.mhd')
    assert done.returncode == 0, done.stderr
    assert {name for name in results(experiment) if name.endswith('.mhd')} == {'LR_0000_x2.mhd', 'HR_0000_x2.mhd'}
    assert_refused(infer('-i', 'LR/0000.mhd', 'LR/../LR/0000.mhd'), '-i names a volume twice')


def test_a_dot_in_a_name_belongs_to_the_name(experiment, infer):
    volume = sitk.ReadImage(str(experiment / 'LR/0000.mhd'))
    for name in ('HCP_0.7mm_s01', 'HCP_0.7mm_s02'):
        sitk.WriteImage(volume, str(experiment / f'{name}.nii.gz'))
    assert infer('-i', 'HCP_0.7mm_s01.nii.gz', 'HCP_0.7mm_s02.nii.gz').returncode == 0
    assert results(experiment) == {'HCP_0.7mm_s01_x2.nii.gz', 'HCP_0.7mm_s02_x2.nii.gz'}


@pytest.mark.parametrize('out', ['LR', './HR/../LR'])
def test_an_output_never_replaces_an_input(experiment, here, out):
    before = {path: path.read_bytes() for path in (experiment / 'LR').iterdir()}
    for arguments in (('-o', out), ('-i', 'LR/0000.mhd', '-o', f'{out}/0000.mhd')):
        done = here(inference.main, '-m', 'gen.npz', '-R', '.', *arguments)
        assert_refused(done, 'is a volume to be read, and the result would replace it; name another folder with -o')
    assert {path: path.read_bytes() for path in (experiment / 'LR').iterdir() if path.name != '.lock'} == before


@pytest.mark.parametrize('out', ['LR', 'HR', './HR/../LR'])
def test_results_do_not_lie_among_the_volumes_of_pairs(experiment, here, out):
    """Of another format they replace none, and the next run finds two volumes of one name."""
    for name in ('0000', '0001', '0002'):
        for kind in ('LR', 'HR'):
            write_volume(experiment / f'{kind}/{name}.nii.gz', read_volume(experiment / f'{kind}/{name}.mhd'))
            remove_volume(experiment / f'{kind}/{name}.mhd')
    done = here(inference.main, '-m', 'gen.npz', '-R', '.', '--pairs', 'LR', 'HR', '-o', out)
    assert_refused(done, f'--pairs {out[-2:]}: the results would lie among these volumes, under the same names; name '
                         'another folder with -o')
    assert {path.name for path in (experiment / out).iterdir()} <= {*(f'000{n}.nii.gz' for n in range(3)), '.lock'}


def test_one_bad_volume_does_not_cost_the_others(experiment, infer):
    (experiment / 'bad.nii.gz').write_text('not an image')
    done = infer('-i', 'LR/0000.mhd', 'bad.nii.gz', 'none.nii.gz', 'LR/0001.mhd')
    assert done.returncode == 1
    errors = [line for line in done.stderr.splitlines() if line.startswith('error: ')]
    assert len(errors) == 2 and 'bad.nii.gz' in errors[0] and 'none.nii.gz: no such file' in errors[1]
    assert '2 of 4 volumes are done' in done.stderr
    assert {name for name in results(experiment) if name.endswith('.mhd')} == {'0000_x2.mhd', '0001_x2.mhd'}


def test_what_the_system_refuses_of_a_case_is_told_with_the_file(experiment, infer, monkeypatch):
    name = 'x' * 249  # and _x2 makes it too long
    write_volume(experiment / f'{name}.nii', read_volume(experiment / 'LR/0000.mhd'))
    done = infer('-i', 'LR/0000.mhd', f'{name}.nii')
    words = 'cannot be read or written: File name too long'
    assert done.returncode == 1 and f'error: {name}.nii: out/{name}_x2.nii: {words}' in done.stderr
    monkeypatch.setattr(case_work, 'read_volume', lambda *_: numpy.empty(2 ** 59))
    assert 'error: LR/0000.mhd: not enough memory: Unable to allocate' in infer('-i', 'LR/0000.mhd').stderr


@pytest.mark.parametrize('broken, missing, named', [
    ('util.reports.figures.save_case_figure', {'0001.png'}, '0001: no picture: ValueError: cannot be drawn'),
    ('util.reports.report.views_of', {'report.html'}, 'out/report.html: no report: ValueError: cannot be drawn'),
    ('util.scores.metrics.channel_scores', {'scores.csv', 'report.html'},
     '0001: no scores: ValueError: cannot be drawn')])
def test_a_picture_or_score_that_cannot_be_had_does_not_cost_the_rest(experiment, infer, monkeypatch, broken, missing,
                                                                     named):
    def fail(*arguments):
        raise ValueError('cannot be drawn')

    monkeypatch.setattr(broken, fail)
    done = infer()
    assert done.returncode == 1 and f'error: {named}' in done.stderr
    assert results(experiment) == {'0001.mhd', '0001.raw', '0001.png', 'scores.csv', 'report.html'} - missing
    for name, words in (('scores.csv', 'scores: '), ('0001.png', 'pictures: '), ('report.html', 'to look at: ')):
        assert (words in done.stdout) == ('scores.csv' not in missing and name not in missing)


def test_an_interpolation_that_fails_costs_scores_and_picture_of_its_case_alone(experiment, infer, monkeypatch):
    (experiment / 'test_list.txt').write_text('LR/0001.mhd HR/0001.mhd\nLR/0000.mhd HR/0000.mhd\n')
    original, made = interpolation.interpolation_matrix, []

    def fail_in_the_first_case(*arguments):
        if not (experiment / 'out/0000.mhd').exists():
            made.append(arguments)
            raise MemoryError('9 GiB')
        return original(*arguments)

    monkeypatch.setattr(interpolation, 'interpolation_matrix', fail_in_the_first_case)
    done = infer()
    assert done.returncode == 1 and made
    assert [line for line in done.stderr.splitlines() if line.startswith('error: ')] == [
        'error: 0001: no picture: MemoryError: 9 GiB', 'error: 0001: no scores: MemoryError: 9 GiB']
    assert list(scores(experiment)) == ['0000', 'mean'] and (experiment / 'out/0000.png').exists()
    assert (experiment / 'out/0001.mhd').exists()


def test_results_that_are_not_finite_are_errors_and_not_written(experiment, infer):
    with numpy.load(experiment / 'gen.npz') as archive:
        arrays = dict(archive)
    arrays['conv3/b'] = numpy.full(8, 3e38, numpy.float32)  # finite, but not after the scaling is undone
    numpy.savez(experiment / 'gen.npz', **arrays)
    assert_refused(infer('-i', 'LR/0000.mhd'), 'LR/0000.mhd: the network gives values that are not finite')
    assert not (experiment / 'out').exists()


def test_scores_and_pictures_of_older_volumes_do_not_stay(experiment, infer):
    assert infer().returncode == 0
    for other in ('0001.nii', '0000.mhd'):  # the scores still tell of what is there
        assert infer('-i', 'LR/0001.mhd', '-o', f'out/{other}').returncode == 0
        assert {'scores.csv', '0001.png', '0001.mhd', other, 'report.html'} <= results(experiment)
    assert infer('-i', 'LR/0001.mhd', '-o', 'out/0001.mhd').returncode == 0
    assert not {'scores.csv', '0001.png', 'report.html'} & results(experiment)


@pytest.mark.parametrize('name', ['a,b', 'a"b', "a' b", 'case'])
def test_nor_do_those_of_a_case_whose_name_a_table_writes_otherwise(experiment, infer, name):
    for kind in ('LR', 'HR'):
        write_volume(experiment / f'{kind}s/{name}.mhd', read_volume(experiment / f'{kind}/0001.mhd'))
    assert infer('--pairs', 'LRs', 'HRs').returncode == 0 and 'scores.csv' in results(experiment)
    write_volume(experiment / f'HRs/{name}.mhd', read_volume(experiment / 'LR/0001.mhd'))  # no truth of this LR
    assert infer('--pairs', 'LRs', 'HRs').returncode == 2
    assert infer('-i', f'LRs/{name}.mhd', '-o', f'out/{name}.mhd').returncode == 0
    assert not {'scores.csv', 'report.html', f'{name}.png'} & results(experiment)


def test_scores_of_others_stay_whatever_a_new_case_is_called_and_whatever_the_table_is(experiment, infer):
    assert infer().returncode == 0
    assert infer('-i', 'LR/0000.mhd', '-o', 'out/case.mhd').returncode == 0
    assert {'scores.csv', 'report.html', '0001.png'} <= results(experiment)
    (experiment / 'out/scores.csv').write_text('case,"' + 'x' * 200_000)
    assert infer('-i', 'LR/0001.mhd', '-o', 'out/0001.mhd').returncode == 0
    assert 'scores.csv' in results(experiment)


def test_what_tells_of_an_older_deviation_does_not_stay_where_none_is_predicted(experiment, infer):
    plain = make_unsure(experiment)
    uncertain = {'0001_deviation.mhd', '0001_uncertainty.png', 'uncertainty.csv'}
    assert infer().returncode == 0 and uncertain <= results(experiment)
    one = '-i', 'LR/0000.mhd', '-o', 'out/0000.mgz'
    assert infer(*one).returncode == 0 and uncertain | {'0000_deviation.mgz'} <= results(experiment)
    (experiment / 'experiment.yml').write_text(plain)
    save_model(experiment)
    assert infer(*one).returncode == 0 and uncertain <= results(experiment)
    assert not [name for name in results(experiment) if name.startswith('0000_')]
    assert infer().returncode == 0
    assert not [name for name in results(experiment) if 'uncertainty' in name or 'deviation' in name]
    assert {'0001.png', 'scores.csv'} <= results(experiment)


@pytest.mark.parametrize('suffix, unsure', [('.nii.gz', False), ('.nrrd', True), ('.mgz', True), ('.mhd', False)])
def test_a_file_of_the_user_s_own_is_never_taken_for_a_map(experiment, infer, suffix, unsure):
    if unsure:
        make_unsure(experiment)
    one, own = ('-i', 'LR/0000.mhd', '-o', f'out/a{suffix}'), experiment / f'out/a_deviation{suffix}'
    volume = read_volume(experiment / 'LR/0000.mhd')
    for _ in range(2):  # without a result beside it, and with one of this program
        write_volume(own, volume)
        before = {path.name: path.read_bytes() for path in own.parent.iterdir() if path.name != '.lock'}
        assert_refused(infer(*one), f'out/a_deviation{suffix}: there already, and not known to be a map')
        assert {name: (own.parent / name).read_bytes() for name in before} == before
        remove_volume(own)
        for _ in range(2):  # its own map it replaces
            assert infer(*one).returncode == 0 and own.exists() == unsure


@pytest.mark.parametrize('suffix', ['.nii.gz', '.nii', '.nrrd'])
def test_a_file_of_the_user_s_own_is_never_taken_for_a_result(experiment, infer, suffix):
    own = experiment / f'out/a{suffix}'
    write_volume(own, read_volume(experiment / 'LR/0000.mhd'))
    before = own.read_bytes()
    for _ in range(2):
        assert_refused(infer('-i', 'LR/0000.mhd', '-o', f'out/a{suffix}'),
                       f'out/a{suffix}: there already, and not known to be a result')
        assert own.read_bytes() == before
    own.unlink()
    for scan in ('LR/0000.mhd', 'LR/0001.mhd'):  # its own result it replaces
        assert infer('-i', scan, '-o', f'out/a{suffix}').returncode == 0


def test_pictures_and_tables_of_the_user_s_own_stay(experiment, infer):
    (experiment / 'out').mkdir()
    for name, content in (('a.png', b'\x89PNG mine'), ('a_channels.csv', b'region,mean\n')):
        (experiment / 'out' / name).write_bytes(content)
        assert infer('-i', 'LR/0000.mhd', '-o', 'out/a.mhd').returncode == 0
        assert (experiment / 'out' / name).read_bytes() == content


def test_cleaned_volumes_are_never_replaced_by_results(experiment, infer):
    (experiment / 'interim').mkdir()
    (experiment / 'interim/cases.tsv').write_text('case\tsource\n0000\ta.nii\n')
    assert_refused(infer('-o', 'interim'), 'interim holds the volumes of clean_data.py; name another folder with -o')


@pytest.mark.parametrize('suffix', ['.nii', '.mhd'])
def test_an_interruption_leaves_no_older_map_beside_a_new_result(experiment, infer, monkeypatch, suffix):
    make_unsure(experiment)
    one = '-i', 'LR/0000.mhd', '-o', f'out/a{suffix}'
    assert infer(*one).returncode == 0 and f'a_deviation{suffix}' in results(experiment)
    original = case_results.write_volume

    def interrupted(path, *arguments):
        if 'deviation' in path.name:
            raise KeyboardInterrupt
        original(path, *arguments)

    monkeypatch.setattr(case_results, 'write_volume', interrupted)
    assert infer(*one).returncode == 130
    assert f'a{suffix}' in results(experiment) and not [name for name in results(experiment) if 'deviation' in name]


@pytest.mark.parametrize('broken, missing, named', [
    ('util.reports.uncertainty_figures.save_uncertainty_figure', {'0001_uncertainty.png'},
     'no picture of the uncertainty'),
    ('util.scores.uncertainty.channel_uncertainty', {'0001_uncertainty.png', 'uncertainty.csv'},
     'no scores of the uncertainty')])
def test_an_uncertainty_that_cannot_be_drawn_or_scored_does_not_cost_the_rest(experiment, infer, monkeypatch, broken,
                                                                              missing, named):
    def fail(*arguments):
        raise ValueError('cannot be had')

    make_unsure(experiment)
    monkeypatch.setattr(broken, fail)
    done = infer()
    assert done.returncode == 1 and f'error: 0001: {named}: ValueError: cannot be had' in done.stderr
    assert results(experiment) == {'0001.mhd', '0001.raw', '0001.png', 'scores.csv', 'report.html',
                                   '0001_deviation.mhd', '0001_deviation.raw', '0001_uncertainty.png',
                                   'uncertainty.csv'} - missing


def test_a_name_that_would_be_that_of_another_case_s_result_is_refused(experiment, infer):
    for name in ('a_deviation', 'b_uncertainty', 'c_interval'):
        done = infer('-i', f'{name[0]}.nii.gz', f'{name}.nii.gz', '--hr', 'one', 'two')
        assert_refused(done, f'{name} would be the name of two results')
    assert_refused(infer('-i', 'a_interval.nii', '-o', 'a.nii'), 'a_interval.nii is a volume to be read')


def test_an_interruption_loses_no_scores(experiment, infer, monkeypatch):
    make_unsure(experiment)
    (experiment / 'test_list.txt').write_text('LR/0001.mhd HR/0001.mhd\nLR/0000.mhd HR/0000.mhd\n')
    original = case_work.super_resolve_case

    def interrupted(out, case, *arguments):
        if case.name == '0000':
            raise KeyboardInterrupt
        return original(out, case, *arguments)

    monkeypatch.setattr(case_work, 'super_resolve_case', interrupted)
    assert infer().returncode == 130
    assert list(scores(experiment)) == ['0001', 'mean'] and (experiment / 'out/0001.mhd').exists()
    assert list(read_csv(experiment / 'out/uncertainty.csv')) == ['0001']


def test_the_volumes_of_pairs_are_never_replaced(experiment, here, monkeypatch):
    write_pairs_info(experiment, load_config(experiment / 'experiment.yml'), ['0000', '0001', '0002'], complete=True)
    assert_refused(here(inference.main, '-m', 'gen.npz', '-R', '.', '-o', 'HR', '-i', 'LR/0000.mhd'),
                   'HR holds the volumes of LR-HR pairs')
    monkeypatch.chdir(experiment / 'HR')
    assert_refused(here(inference.main, '-m', '../gen.npz', '-o', '.', '-i', '../LR/0000.mhd'),
                   '. holds the volumes of LR-HR pairs')


def test_what_a_kill_left_half_written_is_removed(experiment, infer):
    (experiment / 'out/.0001.writing').mkdir(parents=True)
    (experiment / 'out/.0001.writing/0001.raw').write_bytes(b'half')
    (experiment / 'out' / f'{UNFINISHED}0123.png').touch()
    assert infer().returncode == 0
    assert results(experiment) == {'0001.mhd', '0001.raw', '0001.png', 'scores.csv', 'report.html'}


def test_a_folder_that_another_run_writes_into_is_refused(experiment, infer):
    with locked(experiment / 'out'):
        assert_refused(infer(), 'out: another run is writing into this folder')
    assert infer().returncode == 0
