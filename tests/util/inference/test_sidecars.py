import json
from pathlib import Path

import pytest

from util.inference import sidecars
from util.inference.derivative import DerivedCase
from util.script import UserError


@pytest.fixture
def case(tmp_path):
    scan = tmp_path / 'sub-01/anat/sub-01_T1w.nii'
    scan.parent.mkdir(parents=True)
    scan.write_text('a scan')
    return DerivedCase('sub-01/anat/sub-01_rec-SR_T1w', scan, None, '.nii.gz')


@pytest.fixture
def done(tmp_path, case):
    """Writes sidecars for facts, beside volumes that are there, and says whether they count for other facts."""
    def done(facts, others, maps=(), change=None):
        out = tmp_path / 'out'
        for kind in ('', *maps):
            (out / case.file(kind)).parent.mkdir(parents=True, exist_ok=True)
            (out / case.file(kind)).touch()
        sidecars.write(out, case, sidecars.Provenance(tmp_path, facts).of(case), list(maps))
        if change:
            change(out / 'sub-01/anat')
        return sidecars.is_done(out, case, sidecars.Provenance(tmp_path, others))
    return done


FACTS = {'ModelSHA256': 'a', 'UpsamplingRate': [4, 4, 4], 'Ensemble': False, 'Samples': 8, 'SoftwareVersion': '1'}


@pytest.mark.parametrize('others, same', [
    ({}, True), ({'SoftwareVersion': '2', 'Model': 'renamed.npz'}, True), ({'ModelSHA256': 'b'}, False),
    ({'Ensemble': True}, False), ({'Samples': 9}, False), ({'IntervalPercent': 90}, False),
    ({'UpsamplingRate': [4, 1, 1]}, False)])
def test_a_result_counts_while_what_decides_it_is_the_same(done, others, same):
    assert done(FACTS, {**FACTS, **others}) is same


def test_a_result_of_before_sidecars_said_how_many_bytes_it_has_counts(done):
    def change(folder):
        told = json.loads((folder / 'sub-01_rec-SR_T1w.json').read_text())
        del told['Bytes']
        (folder / 'sub-01_rec-SR_T1w.json').write_text(json.dumps(told))

    assert done(FACTS, FACTS, ['deviation'], change)


def test_an_option_that_is_left_out_the_next_time_counts_as_another(done):
    assert not done(FACTS, {key: value for key, value in FACTS.items() if key != 'Samples'})


@pytest.mark.parametrize('change', [
    lambda folder: (folder / 'sub-01_rec-SR_T1w.nii.gz').unlink(),
    lambda folder: (folder / 'sub-01_rec-SR_desc-deviation_T1w.nii.gz').unlink(),
    lambda folder: (folder / 'sub-01_rec-SR_T1w.nii.gz').write_text('longer than it was'),
    lambda folder: (folder / 'sub-01_rec-SR_desc-deviation_T1w.nii.gz').write_text('longer than it was'),
    lambda folder: (folder / 'sub-01_rec-SR_T1w.json').unlink(),
    lambda folder: (folder / 'sub-01_rec-SR_T1w.json').write_text('{"Maps": '),
    lambda folder: (folder / 'sub-01_rec-SR_T1w.json').write_text('[]'),
    lambda folder: (folder / 'sub-01_rec-SR_T1w.json').write_text(json.dumps(
        {**json.loads((folder / 'sub-01_rec-SR_T1w.json').read_text()), 'Maps': ['../../x']}))])
def test_a_result_of_which_something_is_missing_or_damaged_does_not_count(done, change):
    assert done(FACTS, FACTS, ['deviation'])
    assert not done(FACTS, FACTS, ['deviation'], change)


def test_a_skull_that_is_neither_there_nor_not_is_refused(tmp_path, case):
    Path(tmp_path, 'T1w.json').write_text('{"SkullStripped": "no"}')
    with pytest.raises(UserError, match="sub-01_T1w.nii: by its JSON file, SkullStripped is 'no'; true or false"):
        sidecars.Provenance(tmp_path, {}).of(case)
