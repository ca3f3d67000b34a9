"""A kill or a full disk at any moment leaves the old volume or the new one, whole."""
import builtins
import itertools
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy
import pytest

from tests.util.volumes.files import assert_same, make_volume, names
from util import files
from util.script import PROJECT, UserError
from util.volumes import single_files, writing
from util.volumes.reading import read_volume
from util.volumes.writing import data_file, remove_strays, remove_volume, write_volume

CHANGES = [(os, 'replace'), (os, 'fsync'), (os, 'mkdir'), (os, 'unlink'), (os, 'rmdir'), (shutil, 'copyfile')]


class Killed(BaseException):
    pass


class Death:
    """Dies at one step of those that change the disk, before it is done; all later ones are not done either."""

    def __init__(self, monkeypatch, step):
        self.left = step
        for module, name in CHANGES:
            monkeypatch.setattr(module, name, self.mortal(getattr(module, name)))
        opened = builtins.open
        for module in (writing, single_files):
            monkeypatch.setattr(module, 'open', lambda file, mode='r': (
                self.mortal(opened) if 'w' in mode else opened)(file, mode), raising=False)

    def mortal(self, function):
        def call(*args, **kwargs):
            self.left -= 1
            if self.left < 0:
                raise Killed
            return function(*args, **kwargs)
        return call


def steps_of(monkeypatch, act):
    """Run `act` again and again, killed one step later each time; yields after each kill."""
    for step in range(100):
        with monkeypatch.context() as patch:
            Death(patch, step)
            try:
                act()
            except Killed:
                pass
            else:
                return
        yield step
    raise AssertionError('it never ends')


@pytest.mark.parametrize('writes_before', [1, 2])
def test_a_kill_at_any_step_of_rewriting_leaves_the_old_or_the_new_volume(tmp_path, monkeypatch, writes_before):
    path, (old, new) = tmp_path / '0000.mhd', (make_volume(1), make_volume(2, numpy.float32, (8, 4, 4), 2))
    other = make_volume(3)
    write_volume(tmp_path / '0000.1.mhd', other)
    for _ in range(writes_before):
        write_volume(path, old)
    found = []
    for _ in steps_of(monkeypatch, lambda: write_volume(path, new)):
        found.append(read_volume(path).array.shape == new.array.shape)
        assert_same(read_volume(path), new if found[-1] else old)
        assert_same(read_volume(tmp_path / '0000.1.mhd'), other)
        write_volume(path, old)  # sweeps up what the kill has left
        assert_same(read_volume(path), old)
        assert names(tmp_path) == sorted(['0000.1.mhd', '0000.1.raw', path.name, data_file(path).name])
    assert found == sorted(found) and found.count(False) > 5 and found.count(True) > 1


@pytest.mark.parametrize('suffix', ['.nii.gz', '.mgh', '.nrrd'])
def test_a_kill_at_any_step_of_rewriting_a_single_file_leaves_the_old_or_the_new_volume(tmp_path, monkeypatch, suffix):
    path, old, new = tmp_path / f'a{suffix}', make_volume(1), make_volume(2, size=(8, 4, 4), channels=2)
    write_volume(path, old)
    before, found = path.read_bytes(), []
    for _ in steps_of(monkeypatch, lambda: write_volume(path, new)):
        found.append(path.read_bytes() != before)
        numpy.testing.assert_array_equal(read_volume(path).array, (new if found[-1] else old).array)
        files.remove_strays(tmp_path)  # what the kill has left
        assert names(tmp_path) == [path.name]
        write_volume(path, old)
    assert found == sorted(found) and {False, True} == set(found)


def test_a_kill_at_any_step_of_the_first_write_leaves_nothing_or_the_volume(tmp_path, monkeypatch):
    path = tmp_path / '0000.mhd'
    for _ in steps_of(monkeypatch, lambda: write_volume(path, make_volume())):
        if path.exists():
            assert_same(read_volume(path), make_volume())
        remove_volume(path)
        assert not names(tmp_path)


def test_what_kills_have_left_of_several_volumes_is_removed_at_once(tmp_path, monkeypatch):
    (tmp_path / 'notes.raw').touch()
    numbers = itertools.count()
    for _ in steps_of(monkeypatch, lambda: write_volume(tmp_path / f'{next(numbers)}.mhd', make_volume())):
        pass
    assert sum(name.endswith('.writing') for name in names(tmp_path)) > 5
    remove_strays(tmp_path)
    volumes = list(tmp_path.glob('*.mhd'))
    for path in volumes:
        assert_same(read_volume(path), make_volume())
    assert len(volumes) > 1 and names(tmp_path) == sorted(
        ['notes.raw', *(path.name for path in volumes), *(data_file(path).name for path in volumes)])


def test_a_kill_at_any_step_of_removing_leaves_the_volume_or_what_is_removed_next_time(tmp_path, monkeypatch):
    path = tmp_path / '0000.mhd'
    write_volume(path, make_volume())
    for _ in steps_of(monkeypatch, lambda: remove_volume(path)):
        if path.exists():
            assert_same(read_volume(path), make_volume())
        remove_volume(path)
        assert not names(tmp_path)
        write_volume(path, make_volume())


@pytest.mark.parametrize('error', [OSError(28, 'No space left on device'), OSError(5, 'Input/output error')])
def test_an_error_at_any_step_is_one_line_and_leaves_the_old_or_the_new_volume(tmp_path, monkeypatch, error):
    path, old, new = tmp_path / '0000.mhd', make_volume(1), make_volume(2)
    write_volume(path, old)
    for module, name in CHANGES:
        failed, function = 0, getattr(module, name)
        for number in range(8):
            def fail(*args, calls=[], number=number, function=function, **kwargs):  # noqa: B006  (it counts them)
                calls.append(args)
                if len(calls) == number + 1:
                    raise error
                return function(*args, **kwargs)

            with monkeypatch.context() as patch:
                patch.setattr(module, name, fail)
                try:
                    write_volume(path, new)
                except UserError as said:
                    assert str(said) == f'{path}: cannot be written: {error.strerror}'
                    failed += 1
            volume = read_volume(path)
            assert any(numpy.array_equal(volume.array, v.array) for v in (old, new))
            write_volume(path, old)
            assert names(tmp_path) == sorted([path.name, data_file(path).name])
        assert failed or name in ('mkdir', 'unlink')  # pathlib of Python 3.10 has its own


@pytest.mark.skipif(sys.platform == 'win32', reason='resource limits are POSIX')
def test_a_file_that_grows_too_large_is_one_line_and_leaves_the_old_volume(tmp_path):
    path, old = tmp_path / '0000.mhd', make_volume()
    write_volume(path, old)
    code = ('import resource, sys\n'
            'from tests.util.volumes.files import make_volume; from util.volumes.writing import write_volume\n'
            'resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))\n'
            'write_volume(sys.argv[1], make_volume(size=(40, 40, 40)))')
    done = subprocess.run([sys.executable, '-c', code, path], cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 1
    assert f'UserError: {path}: cannot be written: File too large' in done.stderr.splitlines()[-1]
    assert_same(read_volume(path), old)
    assert len(names(tmp_path)) == 2


@pytest.fixture
def small_disk(tmp_path):
    """A file system with room for 256 KiB."""
    folder = tmp_path / 'disk'
    folder.mkdir()
    try:
        done = subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', folder], capture_output=True,
                              text=True)
    except OSError as error:
        pytest.skip(f'no small disk can be mounted here: {error}')
    if done.returncode:
        pytest.skip(f'no small disk can be mounted here: {done.stderr.strip()}')
    yield folder
    subprocess.run(['umount', folder], check=True)


def room(folder):
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


def test_a_disk_that_is_full_at_any_point_is_one_line_and_leaves_the_old_volume(small_disk):
    """From no room at all to room for all but the header: every page of it."""
    path, old, new = small_disk / '0000.mhd', make_volume(1, size=(10, 20, 30)), make_volume(2, size=(20, 20, 40))
    write_volume(path, old)
    before, written = names(small_disk), 0
    for pages in range(12):
        filler = small_disk / 'filler'
        filler.write_bytes(bytes(room(small_disk) - 4096 * pages))
        try:
            write_volume(path, new)
        except UserError as error:
            assert re.fullmatch(f'{path}: cannot be written: No space left on device', str(error))
            assert_same(read_volume(path), old)
            assert names(small_disk) == [*before, 'filler']
        else:
            written += 1
            assert_same(read_volume(path), new)
            filler.unlink()
            write_volume(path, old)
        filler.unlink(missing_ok=True)
        before = names(small_disk)
    assert 1 <= written <= 3


def test_a_full_disk_leaves_the_old_single_file(small_disk):
    path, old, new = small_disk / 'a.nii', make_volume(1, size=(10, 20, 30)), make_volume(2, size=(20, 20, 40))
    write_volume(path, old)
    before, written = path.read_bytes(), 0
    for pages in range(0, 12, 2):
        (small_disk / 'filler').write_bytes(bytes(room(small_disk) - 4096 * pages))
        try:
            write_volume(path, new)
        except UserError as error:
            assert str(error) == f'{path}: cannot be written: No space left on device'
            assert path.read_bytes() == before
        else:
            written += 1
            numpy.testing.assert_array_equal(read_volume(path).array, new.array)
        assert names(small_disk) == ['a.nii', 'filler']
        (small_disk / 'filler').unlink()
        write_volume(path, old)
    assert 1 <= written <= 3


@pytest.mark.parametrize('suffix', ['.mhd', '.nii.gz'])
def test_a_real_kill_at_any_time_leaves_a_volume_that_reads(tmp_path, suffix):
    """A process that rewrites one volume without end is killed at several moments."""
    path = tmp_path / f'0000{suffix}'
    write_volume(path, make_volume(0))
    code = ('import sys; from tests.util.volumes.files import make_volume\n'
            'from util.volumes.writing import write_volume\n'
            'print("ready", flush=True)\n'
            'while True:\n'
            '    for seed in range(3): write_volume(sys.argv[1], make_volume(seed, size=(5 + seed, 6, 7)))')
    for wait in (0.005, 0.0123, 0.0217):
        with subprocess.Popen([sys.executable, '-c', code, path], cwd=PROJECT, stdout=subprocess.PIPE) as writer:
            writer.stdout.readline()
            time.sleep(wait)
            writer.kill()
        volume = read_volume(path)
        expected = make_volume(volume.size[0] - 5, size=volume.size)
        numpy.testing.assert_array_equal(volume.array, expected.array)
    write_volume(path, make_volume(0))
    files.remove_strays(tmp_path)
    assert names(tmp_path) == sorted([path.name, *([Path(data_file(path)).name] if suffix == '.mhd' else [])])
