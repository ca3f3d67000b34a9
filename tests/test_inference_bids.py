"""inference.py --bids: a BIDS data set becomes a BIDS derivative, which is taken up again and holds nothing stale."""
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy
import pytest

import inference
from tests.experiment import assert_refused
from tests.test_inference import make_unsure, prepare, save_model
from tests.test_inference_jobs import contents
from util.files import UNFINISHED
from util.inference import case_work
from util.volumes.reading import read_volume
from util.volumes.writing import write_volume

OUT = 'study/derivatives/sr'
ONE, RUN = 'sub-01/anat/sub-01', 'sub-02/ses-a/anat/sub-02_ses-a_acq-x_rec-y_run-2'
SCANS = f'{ONE}_T1w.nii', f'{RUN}_T1w.nii.gz'
ONE_SR, RUN_SR = f'{ONE}_rec-SR', RUN.replace('rec-y', 'rec-ySR')  # what comes of them


@pytest.fixture
def study(tmp_path):
    """A data set of two people, and what is not to be taken beside their scans; a model beside it."""
    prepare(tmp_path)
    study = tmp_path / 'study'
    lr = read_volume(tmp_path / 'LR/0000.mhd')
    for name in (*SCANS, f'{ONE}_T2w.nii', f'{ONE}_part-phase_T1w.nii', f'{ONE}_desc-brain_T1w.nii',
                 'derivatives/other/sub-01/anat/sub-01_T1w.nii', 'sourcedata/sub-01/anat/sub-01_T1w.nii'):
        write_volume(study / name, lr)
    (study / 'dataset_description.json').write_text(
        '{"Name": "A study", "BIDSVersion": "1.0.0", "DatasetDOI": "doi:10.1/x"}')
    (study / 'T1w.json').write_text('{"SkullStripped": true}')
    (study / f'{RUN}_T1w.json').write_text('{"SkullStripped": false}')
    return study


@pytest.fixture
def derive(here):
    """Runs inference.py on the data set."""
    return lambda *arguments, out=OUT: here(inference.main, '-m', 'gen.npz', '-R', '.', '--bids', 'study', out,
                                            *arguments)


@pytest.fixture
def made(monkeypatch):
    """The places of the scans that have been super-resolved since it was last emptied."""
    names, original = [], case_work.super_resolve_case

    def recording(out, case, *arguments):
        names.append(case.lr_path.as_posix().removeprefix('study/'))
        return original(out, case, *arguments)

    monkeypatch.setattr(case_work, 'super_resolve_case', recording)
    return names


def read(path):
    return json.loads(Path(path).read_text())


def files(folder):
    return {path.as_posix() for path in contents(Path(folder))}


def test_a_data_set_becomes_a_derivative_that_says_what_it_is_made_of_and_how(study, derive):
    done = derive()
    assert done.returncode == 0, done.stderr
    assert files(OUT) == {'dataset_description.json', *(f'{name}_T1w.{suffix}' for name in (ONE_SR, RUN_SR)
                                                         for suffix in ('nii.gz', 'json'))}
    described = read(f'{OUT}/dataset_description.json')
    assert described['DatasetType'] == 'derivative' and described['Name'] == 'A study, super-resolved'
    assert described['GeneratedBy'][0]['Name'] == '3D-ESPCN' and described['BIDSVersion']
    assert described['SourceDatasets'] == [{'URL': '../..', 'DOI': 'doi:10.1/x'}]
    for name, scan, stripped in ((ONE_SR, SCANS[0], True), (RUN_SR, SCANS[1], False)):
        sr, lr = read_volume(Path(OUT, f'{name}_T1w.nii.gz')), read_volume(study / scan)
        assert sr.spacing == pytest.approx(numpy.divide(lr.spacing, 2)) and sr.origin == pytest.approx(lr.origin)
        said = read(f'{OUT}/{name}_T1w.json')
        prefix, data_set, place = said['Sources'][0].split(':')
        assert prefix == 'bids' and Path(OUT, described['DatasetLinks'][data_set], place).samefile(study / scan)
        assert said['SkullStripped'] is stripped and said['Description']
        assert said['SourceSHA256'] == hashlib.sha256((study / scan).read_bytes()).hexdigest()
        assert said['ModelSHA256'] == hashlib.sha256(Path('gen.npz').read_bytes()).hexdigest()
        assert {key: said[key] for key in ('Model', 'UpsamplingRate', 'Degradation', 'IntensityScaling', 'Ensemble')
                } == {'Model': 'gen.npz', 'UpsamplingRate': [2, 2, 2], 'Degradation': 'bspline',
                      'IntensityScaling': 'percentile', 'Ensemble': False}
    assert 'sub-01_part-phase_T1w.nii' in done.stderr and 'sub-01_desc-brain_T1w.nii' in done.stderr


def test_results_are_kept_while_scan_model_and_options_are_the_same(study, derive, made):
    assert derive().returncode == 0 and made == list(SCANS)
    before = contents(Path(OUT))
    made.clear()
    done = derive()
    assert done.returncode == 0 and not made and contents(Path(OUT)) == before
    assert '2 results were in study/derivatives/sr already' in done.stdout

    scan = read_volume(study / SCANS[1])
    write_volume(study / SCANS[1], scan.__class__(scan.array[:, ::-1], scan.spacing, scan.origin, scan.direction))
    assert derive().returncode == 0 and made == [SCANS[1]]
    made.clear()
    Path(OUT, f'{ONE_SR}_T1w.nii.gz').unlink()
    assert derive().returncode == 0 and made == [SCANS[0]]
    made.clear()
    assert derive('--ensemble').returncode == 0 and made == list(SCANS)
    assert read(f'{OUT}/{ONE_SR}_T1w.json')['Ensemble'] is True
    made.clear()
    assert derive('--ensemble', '--consistent', 'block_mean').returncode == 0 and made == list(SCANS)
    assert read(f'{OUT}/{ONE_SR}_T1w.json')['Consistent'] == {'name': 'block_mean'}
    made.clear()
    assert derive('--ensemble').returncode == 0 and made == list(SCANS)
    made.clear()
    with numpy.load('gen.npz') as archive:
        numpy.savez('gen.npz', **{**archive, 'conv3/b': archive['conv3/b'] + 0.1})
    assert derive('--ensemble').returncode == 0 and made == list(SCANS)


def test_what_was_interrupted_is_made_anew(study, derive, made, monkeypatch):
    """A volume counts once its sidecar is there; and an old sidecar is never beside a new volume."""
    assert derive().returncode == 0
    made.clear()
    sidecar = Path(OUT, f'{ONE_SR}_T1w.json')

    def interrupted(*_):
        assert not sidecar.exists()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr('util.inference.sidecars.write', interrupted)
        assert derive('--like-input').returncode == 130
    (sidecar.parent / f'{UNFINISHED}0123.nii.gz').touch()
    made.clear()
    assert derive().returncode == 0 and made == [SCANS[0]]
    assert not [name for name in files(OUT) if UNFINISHED in name]


def test_maps_of_a_network_that_is_not_sure_have_names_and_sidecars_of_their_own_and_go_with_it(study, derive):
    plain = make_unsure(study.parent)
    assert derive().returncode == 0
    deviation = f'{RUN_SR}_desc-deviation_T1w'
    assert files(OUT) >= {f'{deviation}.nii.gz', f'{deviation}.json'}
    said = read(f'{OUT}/{deviation}.json')
    assert 'Standard deviation' in said['Description'] and said['Sources'] == [f'bids:raw:{SCANS[1]}']
    Path(OUT, f'{deviation}.nii.gz').unlink()
    assert derive().returncode == 0 and Path(OUT, f'{deviation}.nii.gz').exists()
    Path('experiment.yml').write_text(plain)
    save_model(study.parent)
    assert derive().returncode == 0
    assert not [name for name in files(OUT) if 'deviation' in name]


def test_a_scan_that_cannot_be_read_or_is_misnamed_costs_no_other(study, derive):
    (study / SCANS[0]).write_text('not an image')
    shutil.copy(study / SCANS[1], study / 'sub-01/anat/sub-03_T1w.nii.gz')
    one = derive()
    assert one.returncode == 1
    errors = [line for line in one.stderr.splitlines() if not line.startswith('note: ')]
    assert [error.split(': ')[1] for error in errors[:-1]] == ['study/sub-01/anat/sub-03_T1w.nii.gz',
                                                               f'study/{SCANS[0]}']
    assert errors[-1] == '1 of 3 volumes are done'
    again = derive()
    assert (again.returncode, again.stderr) == (1, one.stderr)
    for path in study.glob('sub-02/ses-a/anat/*'):
        path.unlink()
    assert derive().returncode == 2


def test_other_suffixes_are_taken_where_they_are_asked_for(study, derive, here):
    assert derive('--suffix', 'T2w').returncode == 0
    assert {name for name in files(OUT) if name.endswith('.gz')} == {f'{ONE_SR}_T2w.nii.gz'}
    assert_refused(derive('--suffix', 'bold'), 'study: no raw scans sub-*/[ses-*/]anat/*_bold.nii[.gz] in this folder')
    assert_refused(derive('--suffix', '*'), '--suffix *: letters and digits are wanted, such as T2w')
    assert_refused(here(inference.main, '-m', 'gen.npz', '--suffix', 'T2w'),
                   '--suffix T2w: the suffix of the scans that --bids takes, and there is no --bids')


def test_a_folder_that_is_none_of_its_own_is_refused_and_stays_as_it_is(study, derive):
    before = contents(study)
    for out, words in (('study', 'study holds the data set itself'), ('.', '. holds the data set itself'),
                       ('study/sr', 'study/sr lies among the raw scans'), ('study/sub-01', 'lies among the raw scans'),
                       ('study/derivatives', 'study/derivatives lies among the raw scans'),
                       ('study/derivatives/other', 'other holds something else than results of this script')):
        assert_refused(derive(out=out), words)
    assert_refused(derive('-o', 'x'), '-o x: --bids names the folder of the results itself')
    assert contents(study) == before
    assert derive(out='sr').returncode == 0
    shutil.copytree('sr', 'deeper/sr')
    assert_refused(derive(out='deeper/sr'), 'deeper/sr holds the results of the data set ../study, and study is '
                                            '../../study from there')


def test_what_a_person_added_to_the_description_stays(study, derive, monkeypatch):
    assert derive().returncode == 0
    path = Path(OUT, 'dataset_description.json')
    path.write_text(json.dumps({**read(path), 'License': 'CC0'}))
    monkeypatch.setattr('util.versions.commit', lambda: 'later')
    assert derive().returncode == 0
    assert read(path)['License'] == 'CC0' and read(path)['GeneratedBy'][-1] == {'Name': '3D-ESPCN', 'Version': 'later'}
    assert len(read(path)['GeneratedBy']) == 2


@pytest.mark.slow
def test_the_validator_of_bids_finds_no_error_and_two_processes_give_the_same_files(study, derive):
    validator = shutil.which('bids-validator-deno', path=os.pathsep.join([os.path.dirname(sys.executable),
                                                                          os.environ['PATH']]))
    if not validator:
        pytest.skip('no BIDS validator is here; pip install bids-validator-deno')
    make_unsure(study.parent)
    assert derive().returncode == 0 and derive('--jobs', 2, out='sr').returncode == 0
    one, two = contents(Path(OUT)), contents(Path('sr'))
    for each in (one, two):
        del each[Path('dataset_description.json')]  # it says where the data set lies
    assert one == two and len(one) == 8
    Path(OUT, 'sub-01/anat/sub-01_rec_T1w.nii.gz').touch()  # it does see what is wrong
    for folder, right in ((OUT, False), ('sr', True)):
        done = subprocess.run([validator, '--format', 'json', folder], capture_output=True, text=True)
        errors = [each for each in json.loads(done.stdout)['issues']['issues'] if each['severity'] == 'error']
        assert (not errors) is right, errors
