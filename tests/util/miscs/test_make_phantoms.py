"""The script's files: a BIDS tree, reproducible, never half written, and never mixed with other data."""
import gzip
import json
import subprocess
import sys
import time

import numpy
import pytest
import SimpleITK as sitk

from util.miscs import make_phantoms
from util.script import PROJECT, UserError
from util.volumes.phantom import make_head

SIZE = ['--size', '26', '28', '30']


def make(out, *more):
    make_phantoms.main(['-o', str(out), *SIZE, *more])


def refused(out, *more):
    """The one line that a user sees; the exit code is 2."""
    with pytest.raises(UserError) as error:
        make(out, *more)
    assert '\n' not in str(error.value)
    return str(error.value)


def files(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob('*')
            if p.is_file() and p.name != '.lock'}


def test_writes_a_bids_tree(tmp_path):
    make(tmp_path / 'demo', '--subjects', '2')
    written = files(tmp_path / 'demo')
    assert sorted(written) == ['README', 'dataset_description.json', 'participants.tsv',
                               'sub-01/anat/sub-01_T1w.nii.gz', 'sub-02/anat/sub-02_T1w.nii.gz']
    description = json.loads(written['dataset_description.json'])
    assert description['Name'] and description['BIDSVersion']
    assert b'SYNTHETIC' in written['README']
    assert [line.split('\t')[0] for line in written['participants.tsv'].decode().splitlines()] == [
        'participant_id', 'sub-01', 'sub-02']


def test_the_file_holds_the_head_and_its_geometry(tmp_path):
    make(tmp_path, '--subjects', '1', '--seed', '5')
    image = sitk.ReadImage(str(tmp_path / 'sub-01/anat/sub-01_T1w.nii.gz'))
    head = make_head((26, 28, 30), 5, 0)
    numpy.testing.assert_array_equal(sitk.GetArrayFromImage(image), head.volume)
    assert image.GetPixelID() == sitk.sitkInt16 and image.GetSize() == (26, 28, 30)
    numpy.testing.assert_allclose(image.GetSpacing(), (160 / 26, 216 / 28, 216 / 30), rtol=1e-6)
    numpy.testing.assert_allclose(image.GetOrigin(), (-80 + 80 / 26, 103 - 108 / 28, -128 + 108 / 30), rtol=1e-5)
    numpy.testing.assert_allclose(image.GetDirection(), (1, 0, 0, 0, -1, 0, 0, 0, 1), atol=1e-6)


def test_a_subject_depends_on_the_seed_and_not_on_how_many_are_made(tmp_path):
    for name, subjects, seed in (('a', 2, 0), ('b', 3, 0), ('c', 2, 1)):
        make(tmp_path / name, '--subjects', str(subjects), '--seed', str(seed))
    a, b, c = (files(tmp_path / name) for name in 'abc')
    for n in '12':
        path = f'sub-0{n}/anat/sub-0{n}_T1w.nii.gz'
        assert a[path] == b[path] != c[path]


def test_a_second_run_gives_the_same_files(tmp_path):
    make(tmp_path, '--subjects', '2')
    before = files(tmp_path)
    make(tmp_path, '--subjects', '2')
    assert files(tmp_path) == before


def test_the_bytes_do_not_depend_on_the_time(tmp_path, monkeypatch):
    make(tmp_path / 'a', '--subjects', '1')
    monkeypatch.setattr(time, 'time', lambda: 1e9)
    make(tmp_path / 'b', '--subjects', '1')
    assert files(tmp_path / 'a') == files(tmp_path / 'b')


@pytest.mark.parametrize('content, said', [(b'half', 'not an image'), (gzip.compress(bytes(352)), 'not an image')])
def test_a_file_that_is_not_whole_does_not_take_the_old_one_s_place(tmp_path, monkeypatch, content, said):
    make(tmp_path, '--subjects', '1')
    before = files(tmp_path)
    monkeypatch.setattr(make_phantoms.gzip, 'compress', lambda *args, **kwargs: content)
    assert said in refused(tmp_path, '--subjects', '1')
    assert files(tmp_path) == before


def test_a_full_disk_is_one_line_and_leaves_the_old_file(tmp_path):
    """A limit on the file size stands for the disk."""
    pytest.importorskip('resource', reason='limits on files are POSIX')
    make(tmp_path, '--subjects', '1', '--seed', '7')
    before = files(tmp_path)
    code = ('import resource, sys; from util.miscs.make_phantoms import main; from util.script import run\n'
            'resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000)); run(lambda: main(sys.argv[1:]))')
    done = subprocess.run([sys.executable, '-c', code, '-o', tmp_path, *SIZE, '--subjects', '1', '--seed', '7'],
                          cwd=PROJECT, capture_output=True, text=True)
    path = tmp_path / 'sub-01/anat/sub-01_T1w.nii.gz'
    assert (done.returncode, done.stderr) == (2, f'error: {path}: cannot be written: File too large\n')
    assert files(tmp_path) == before


@pytest.mark.parametrize('arguments, line', [
    (['--size', '0', '96', '96'], '--size 0 96 96 cannot hold a head: each must be from 24 to'),
    (['--size', '80', '96', '99999'], '--size 80 96 99999 cannot hold a head'),
    (['--subjects', '0'], '--subjects 0'),
    (['--seed', '-1'], '--seed -1')])
def test_impossible_arguments_are_refused_before_anything_is_written(tmp_path, arguments, line):
    assert line in refused(tmp_path / 'demo', *arguments)
    assert not (tmp_path / 'demo').exists()


def test_the_shell_sees_one_line_and_exit_code_2(tmp_path):
    done = subprocess.run([sys.executable, PROJECT / 'util/miscs/make_phantoms.py', '-o', tmp_path / 'demo',
                           '--size', '5', '5', '5'], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.count('\n') == 1 and '5 5 5' in done.stderr


def test_refuses_a_file_as_the_folder(tmp_path):
    (tmp_path / 'demo').write_text('')
    assert 'is a file' in refused(tmp_path / 'demo')


def test_refuses_a_folder_with_other_peoples_volumes(tmp_path):
    volume = tmp_path / 'sub-01/anat/sub-01_T1w.nii.gz'
    volume.parent.mkdir(parents=True)
    volume.write_text('a scan')
    assert 'did not make' in refused(tmp_path, '--subjects', '1')
    assert volume.read_text() == 'a scan'


def test_refuses_to_mix_with_an_older_larger_cohort(tmp_path):
    make(tmp_path, '--subjects', '3')
    assert 'sub-03' in refused(tmp_path, '--subjects', '2')
