"""calibrate.py puts into the model what inference.py --interval takes out of it."""
import shutil

import numpy
import pytest
import SimpleITK as sitk
import yaml

import inference
from tests.experiment import assert_refused, assert_same_weights, make_experiment
from tests.test_inference import make_block_means, make_unsure, prepare, results, save_model
from util.config_files import load_config
from util.dataset.pairs_info import write_pairs_info
from util.inference.calibration import read_calibration
from util.inference.model_file import save_network
from util.inference.network import build_network
from util.lock import locked
from util.miscs import calibrate
from util.script import PROJECT
from util.reports.score_table import read_csv
from util.scores.uncertainty import UNCERTAINTY_METRICS
from util.volumes.head_mask import head_mask
from util.volumes.reading import read_volume

MODEL = '-m', 'gen.npz', '-R', '.'


@pytest.fixture
def unsure(tmp_path):
    """The tiny experiment with a network that predicts a deviation; 0000 is for training, 0002 for validation."""
    prepare(tmp_path)
    make_unsure(tmp_path)
    return tmp_path


@pytest.fixture
def calibrated(here):
    def call(*arguments):
        done = here(calibrate.main, *MODEL, *arguments)
        assert (done.returncode, done.stderr) == (0, '')
        return done.stdout
    return call


def ratios(folder, here, case):
    """Error over predicted deviation in the case's head, by what inference.py writes."""
    (folder / 'one_list.txt').write_text(f'LR/{case}.mhd\n')
    assert here(inference.main, *MODEL, '-o', 'plain', '-i', f'LR/{case}.mhd').returncode == 0
    sr, deviation = (read_volume(folder / f'plain/{case}_x2{suffix}.mhd').array for suffix in ('', '_deviation'))
    hr = read_volume(folder / f'HR/{case}.mhd').array
    return (numpy.abs(sr - hr) / deviation)[:, head_mask(hr)].ravel()


def test_the_validation_s_quantiles_become_intervals_of_a_new_scan_and_scores_of_the_test(unsure, here, infer,
                                                                                         calibrated):
    shutil.copyfile(unsure / 'gen.npz', unsure / 'before.npz')
    learned = ratios(unsure, here, '0002')
    report = calibrated()
    factors = read_calibration(unsure / 'gen.npz').factors
    numpy.testing.assert_allclose(list(factors.values()), numpy.quantile(learned, numpy.arange(1, 20) / 20), rtol=2e-3,
                               atol=2e-5)  # more than a twentieth of these voxels have no error at all
    assert f'95 %   {factors[95]:.3f}' in report and 'needs 19 subjects or more' in report
    assert_same_weights(unsure / 'gen.npz', unsure / 'before.npz')

    done = infer('--interval', 90)
    assert (done.returncode, done.stderr) == (0, '')
    deviation, interval = (sitk.ReadImage(str(unsure / f'out/0001_{name}.mhd')) for name in ('deviation', 'interval'))
    numpy.testing.assert_allclose(sitk.GetArrayFromImage(interval),
                                  sitk.GetArrayFromImage(deviation) * factors[90], rtol=1e-6)
    for name in ('GetSpacing', 'GetOrigin', 'GetDirection', 'GetSize', 'GetPixelID'):
        assert getattr(interval, name)() == getattr(deviation, name)()
    row, tested = read_csv(unsure / 'out/uncertainty.csv')['0001'], ratios(unsure, here, '0001')
    for level in (50, 90, 95):
        assert row[f'calibrated{level}_head'] == pytest.approx(numpy.mean(tested <= factors[level]))
    assert f'{row["calibrated95_head"]:.3f}' in done.stdout and 'calibrated intervals' in done.stdout

    assert infer().returncode == 0  # the interval of the volume that was replaced must not stay
    assert '0001_deviation.mhd' in results(unsure) and '0001_interval.mhd' not in results(unsure)
    shutil.copyfile(unsure / 'before.npz', unsure / 'gen.npz')
    assert infer().returncode == 0
    assert tuple(read_csv(unsure / 'out/uncertainty.csv')['0001']) == UNCERTAINTY_METRICS
    assert_refused(infer('--interval', 90), 'gen.npz: not calibrated')
    assert '0001_deviation.mhd' in results(unsure)


def test_pairs_of_another_degradation_that_was_drawn_are_learned_from_as_inference_scores_them(unsure, here, infer):
    """Their LR voxels lie elsewhere than the network's: both move its answer to the HR volume."""
    make_block_means(unsure, '0001')
    save_model(unsure)
    (unsure / 'mine.txt').write_text('LR/0001.mhd HR/0001.mhd\n')
    done = here(calibrate.main, *MODEL, '--list', 'mine.txt')
    assert done.returncode == 0 and 'LR/0001.mhd: its voxels are centred elsewhere' in done.stderr, done.stderr
    assert infer().returncode == 0
    row = read_csv(unsure / 'out/uncertainty.csv')['0001']
    assert [row[f'calibrated{level}_head'] for level in (50, 90, 95)] == pytest.approx([0.5, 0.9, 0.95], abs=2e-3)


def test_a_list_is_taken_by_subject_and_a_calibration_replaces_the_one_before(unsure, here, calibrated):
    (unsure / 'mine.txt').write_text('LR/0001.mhd HR/0001.mhd\nLR/0002.mhd HR/0002.mhd\n')
    values = [ratios(unsure, here, case) for case in ('0001', '0002')]
    assert 'subjects: 2, cases: 2' in calibrated('--list', 'mine.txt')
    by_case = read_calibration(unsure / 'gen.npz')
    q = by_case.factors[90]
    assert numpy.mean([numpy.mean(its <= q) for its in values]) == pytest.approx(0.9, abs=2e-3)
    info = {'cases': [], 'complete': True, 'subjects': {'0001': 'sub-1', '0002': 'sub-1'}, 'upsampling_rate': [2, 2, 2],
            'degradation': {'name': 'bspline', 'noise_sigma': 0.0}}
    (unsure / 'degradation.yml').write_text(yaml.safe_dump(info))
    assert 'subjects: 1, cases: 2' in calibrated('--list', 'mine.txt')
    of_one = read_calibration(unsure / 'gen.npz')
    assert (by_case.subjects, of_one.subjects) == (2, 1) and by_case.guaranteed[60] and not of_one.guaranteed[60]
    assert numpy.mean(numpy.concatenate(values) <= of_one.factors[90]) == pytest.approx(0.9, abs=2e-3)


def test_what_an_ensemble_predicts_is_calibrated_by_itself(unsure, infer, calibrated):
    calibrated()
    plain = read_calibration(unsure / 'gen.npz').factors
    assert_refused(infer('--ensemble', '--interval', 95), 'calibrated without options, and run with --ensemble')
    done = infer('--ensemble')
    assert done.returncode == 0 and done.stderr.startswith('note: gen.npz: calibrated without options')
    assert tuple(read_csv(unsure / 'out/uncertainty.csv')['0001']) == UNCERTAINTY_METRICS
    calibrated('--ensemble')
    ensemble = read_calibration(unsure / 'gen.npz')
    assert ensemble.ensemble and ensemble.factors != plain
    done = infer('--ensemble', '--interval', 95)
    assert (done.returncode, done.stderr) == (0, '') and '0001_interval.mhd' in results(unsure)


def test_networks_that_cannot_be_drawn_are_told_with_the_model(unsure, here, infer):
    """No scan is to blame."""
    for done in (here(calibrate.main, *MODEL, '--samples', 3), infer('--samples', 3)):
        assert_refused(done, 'error: gen.npz: this network has no uncertain weights')


def test_what_drawn_networks_predict_is_calibrated_by_itself(tmp_path, here, infer, calibrated):
    """By their whole deviation: that of a network and that of the draws."""
    make_experiment(tmp_path)
    config = load_config(tmp_path / 'experiment.yml', (
        'models.generator.fn=models/bayesian_espcn3d.py', 'models.generator.name=BayesianESPCN3D',
        'models.generator.args={residual: linear, dropout: binary}', 'intensity_scaling=percentile'))
    save_network(tmp_path / 'gen.npz', build_network(config), config.to_yaml())
    assert_refused(here(calibrate.main, *MODEL, '--samples', 1), 'needs 2 or more')
    calibrated()
    plain = read_calibration(tmp_path / 'gen.npz')
    assert_refused(infer('--samples', 3, '--interval', 95), 'calibrated without options, and run with --samples 3')
    calibrated('--samples', 3)
    drawn = read_calibration(tmp_path / 'gen.npz')
    assert (drawn.samples, plain.samples) == (3, None) and drawn.factors[95] < plain.factors[95]
    done = infer('--samples', 3, '--interval', 95)
    assert (done.returncode, done.stderr) == (0, '')
    deviation, interval = (read_volume(tmp_path / f'out/0001_{name}.mhd').array for name in ('deviation', 'interval'))
    numpy.testing.assert_allclose(interval, deviation * drawn.factors[95], rtol=1e-6)
    done = infer('--samples', 4)
    assert 'calibrated with --samples 3, and run with --samples 4' in done.stderr
    assert '0001_interval.mhd' not in results(tmp_path)


def test_cases_of_the_training_are_refused_and_a_training_that_is_not_known_is_told(unsure, here):
    before = (unsure / 'gen.npz').read_bytes()
    (unsure / 'mine.txt').write_text('LR/0000.mhd HR/0000.mhd\n')
    assert_refused(here(calibrate.main, *MODEL, '--list', 'mine.txt'), 'training_list and --list are not independent')
    (unsure / 'mine.txt').write_text('LR/0001.mhd\n')
    assert_refused(here(calibrate.main, *MODEL, '--list', 'mine.txt'), 'mine.txt: case 0001 has no HR volume')
    (unsure / 'val_list.txt').unlink()
    assert_refused(here(calibrate.main, *MODEL), 'val_list: val_list.txt: no such case list; make lists with: python '
                                                 'util/miscs/make_lists.py --val 1 --test 1; or name a list with '
                                                 '--list\n')
    assert (unsure / 'gen.npz').read_bytes() == before
    (unsure / 'mine.txt').write_text('LR/0001.mhd HR/0001.mhd\n')
    (unsure / 'training_list.txt').unlink()
    done = here(calibrate.main, *MODEL, '--list', 'mine.txt')
    assert done.returncode == 0 and 'not known whether the training has seen these cases' in done.stderr


def test_cases_of_the_training_are_known_by_its_own_list_when_lists_were_made_anew(unsure, here):
    """A training keeps its list beside the model; the config's path holds another split by now."""
    (unsure / 'run').mkdir()
    shutil.copyfile(unsure / 'gen.npz', unsure / 'run/gen.npz')
    shutil.copyfile(unsure / 'training_list.txt', unsure / 'run/training_list.txt')
    for name, case in (('training', '0002'), ('val', '0000')):
        (unsure / f'{name}_list.txt').write_text(f'LR/{case}.mhd HR/{case}.mhd\n')
    before = (unsure / 'run/gen.npz').read_bytes()
    arguments = '-m', 'run/gen.npz', '-R', '.'
    assert_refused(here(calibrate.main, *arguments), 'training_list and val_list are not independent')
    assert (unsure / 'run/gen.npz').read_bytes() == before
    (unsure / 'val_list.txt').write_text('LR/0002.mhd HR/0002.mhd\n')  # which that training has not seen
    assert here(calibrate.main, *arguments).stderr == ''
    (unsure / 'run/training_list.txt').write_text('LR/gone.mhd HR/gone.mhd\n')  # of another machine
    done = here(calibrate.main, *arguments)
    assert done.returncode == 0 and 'not known whether the training has seen these cases' in done.stderr


@pytest.mark.parametrize('model', ['x4_t1w_uncertain', PROJECT / 'models/pretrained/x4_t1w_uncertain.npz', 'mine.npz'])
def test_a_model_that_comes_with_the_project_stays_as_it_was_published(model, here, tmp_path):
    (tmp_path / 'mine.npz').symlink_to(PROJECT / 'models/pretrained/x4_t1w_uncertain.npz')
    before = (PROJECT / 'models/pretrained/x4_t1w_uncertain.npz').read_bytes()
    assert_refused(here(calibrate.main, '-m', model), 'it comes with the project, and stays as it was published')
    assert (PROJECT / 'models/pretrained/x4_t1w_uncertain.npz').read_bytes() == before


def test_a_network_without_a_deviation_is_refused(tmp_path, here, infer):
    prepare(tmp_path)
    before = (tmp_path / 'gen.npz').read_bytes()
    assert_refused(here(calibrate.main, *MODEL), 'gen.npz: this network predicts no deviation')
    assert (tmp_path / 'gen.npz').read_bytes() == before
    assert_refused(infer('--interval', 50),
                   'if it predicts a deviation, calibrate it first with: python util/miscs/calibrate.py -m gen.npz')


def test_a_calibrated_file_whose_network_turns_out_to_predict_none_gives_no_interval(unsure, infer, calibrated):
    calibrated()
    with numpy.load(unsure / 'gen.npz') as archive:
        arrays = {name: archive[name] for name in archive.files if name != 'experiment'}
    numpy.savez(unsure / 'gen.npz', **arrays)
    for old, new in (('fn: unsure.py', 'fn: models/espcn3d.py'), ('name: Unsure', 'name: ESPCN3D')):
        text = (unsure / 'experiment.yml').read_text()
        (unsure / 'experiment.yml').write_text(text.replace(old, new))
    assert_refused(infer('-c', 'experiment.yml', '--interval', 95), 'LR/0001.mhd: there are no intervals')
    assert not (unsure / 'out').exists()


def test_a_model_that_a_run_is_writing_is_not_changed(unsure, here):
    with locked(unsure):
        assert_refused(here(calibrate.main, *MODEL), 'wait for its end, or calibrate a copy in another folder')
    assert read_calibration(unsure / 'gen.npz') is None


def test_of_a_link_the_model_that_it_leads_to_is_calibrated(unsure, here):
    (unsure / 'elsewhere').mkdir()
    (unsure / 'gen.npz').rename(unsure / 'elsewhere/gen.npz')
    (unsure / 'gen.npz').symlink_to('elsewhere/gen.npz')
    with locked(unsure / 'elsewhere'):
        assert_refused(here(calibrate.main, *MODEL), 'wait for its end')
    assert here(calibrate.main, *MODEL).returncode == 0
    assert (unsure / 'gen.npz').is_symlink() and read_calibration(unsure / 'elsewhere/gen.npz') is not None


@pytest.mark.parametrize('percent', ['96', '0', '95.5', '7'])
def test_a_level_that_is_not_fitted_is_refused(unsure, percent, capfd):
    with pytest.raises(SystemExit) as caught:
        inference.main([*MODEL, '--interval', percent])
    assert caught.value.code == 2 and '--interval' in capfd.readouterr().err


def test_tensors_are_not_mirrored_here_either(unsure, here):
    write_pairs_info(unsure, load_config(unsure / 'experiment.yml'), ['0000', '0001', '0002'], True, tensors=True)
    assert_refused(here(calibrate.main, *MODEL, '--ensemble'), 'LR/0002.mhd: a volume of diffusion tensors')
    assert read_calibration(unsure / 'gen.npz') is None
