"""SIGKILL before every single change that a script makes on disk: no table ever describes other volumes than are there.

The same command then ends as if there had been no kill.
"""
import shutil
import subprocess
import sys

import numpy
import pytest
import SimpleITK as sitk

from util.dataset.cases_table import read_table
from util.dataset.pairs_info import read_pairs_info
from util.miscs import clean_data, make_lists, make_lr_img
from util.script import PROJECT, UserError
from util.volumes.reading import read_volume

# Moment n is before the n-th opening for writing, move or removal below the folder; a copy of the folder for each is
# left as the kill left it. One process forks them all, since to import takes longer than to run.
KILLER = """
import importlib, os, shutil, signal, sys
template, out, script, *arguments = sys.argv[1:]
main = importlib.import_module('util.miscs.' + script).main
CHANGES = {'os.rename', 'os.remove', 'os.mkdir', 'os.rmdir', 'os.chmod', 'os.truncate'}

def kill_at(moment, folder):
    left = moment
    def hook(event, args):
        nonlocal left
        writes = event in CHANGES or event == 'open' and args[2] & (os.O_WRONLY | os.O_RDWR)
        if writes and not isinstance(args[0], int) and os.path.abspath(os.fsdecode(args[0])).startswith(folder):
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)

moment, killed = 0, True
while killed:
    moment += 1
    folder = os.path.join(out, str(moment))
    shutil.copytree(template, folder)
    child = os.fork()
    if not child:
        os.chdir(folder)
        kill_at(moment, folder)
        os._exit(main(arguments) or 0)
    killed = os.WIFSIGNALED(os.waitpid(child, 0)[1])
print(moment)
"""

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == 'win32', reason='Windows has neither fork nor kill')]


def kill_everywhere(template, out, script, *arguments):
    """Folders as a kill left them at each moment, and last the one that no kill cut short."""
    done = subprocess.run([sys.executable, '-c', KILLER, template, out, script, *arguments], cwd=PROJECT,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    moments = int(done.stdout.splitlines()[-1])
    assert moments > 20
    return [out / str(moment) for moment in range(1, moments + 1)]


def contents(folder):
    """Volumes and text files; what a kill left hidden is no result."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob('*')
             if path.is_file() and not any(part.startswith('.') for part in path.relative_to(folder).parts)}
    return {name: read_volume(path).array.tobytes() if path.suffix == '.mhd' else path.read_bytes()
            for name, path in files.items() if not path.suffix.startswith('.raw')}


@pytest.fixture
def cleaned(tmp_path, make_head, monkeypatch):
    """Three cleaned volumes, of which two others are to take the place."""
    folder = tmp_path / 'template'
    for number in range(3):
        save(folder / f'old/sub-{number}_T1w.nii', make_head(number))
    for number in range(2):
        save(folder / f'new/sub-{10 + number}_T1w.nii', make_head(10 + number))
    monkeypatch.chdir(folder)
    assert not clean_data.main(['-i', 'old', '-o', 'interim'])
    return folder


def save(path, volume):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(volume.array[0])
    image.SetSpacing(volume.spacing)
    image.SetOrigin(volume.origin)
    image.SetDirection(volume.direction)
    sitk.WriteImage(image, str(path))


def test_a_table_describes_the_volumes_that_are_there_whenever_clean_data_is_killed(cleaned, tmp_path, monkeypatch):
    *killed, whole = kill_everywhere(cleaned, tmp_path / 'killed', 'clean_data', '-i', 'new', '-o', 'interim')
    expected, states = contents(whole / 'interim'), set()
    assert sorted(expected) == ['0000.mhd', '0001.mhd', 'cases.tsv']
    for folder in killed:
        monkeypatch.chdir(folder)
        if (folder / 'interim/cases.tsv').exists():
            table = read_table(folder / 'interim')
            assert {path.stem for path in (folder / 'interim').glob('*.mhd')} == set(table)
            source = 'new' if len(table) == 2 else 'old'
            for case, row in table.items():
                numpy.testing.assert_array_equal(read_volume(folder / f'interim/{case}.mhd').array,
                                                 read_volume(folder / source / row['source']).array)
            states.add(source)
        else:
            with pytest.raises(UserError, match='interim: the making of these volumes was interrupted; make the'):
                make_lr_img.main(['-i', 'interim', '-o', 'processed'])
            assert not (folder / 'processed').exists()
            states.add('between')
        assert not clean_data.main(['-i', 'new', '-o', 'interim'])
        assert contents(folder / 'interim') == expected
    assert states == {'old', 'between', 'new'}


def test_pairs_say_whose_they_are_or_that_they_are_incomplete_whenever_make_lr_img_is_killed(cleaned, tmp_path,
                                                                                              monkeypatch):
    """Subjects of the old pairs beside new ones would put one person in two lists."""
    assert not make_lr_img.main(['-i', 'interim', '-o', 'processed'])
    shutil.move('interim', 'first')
    assert not clean_data.main(['-i', 'new', '-o', 'interim'])
    *killed, whole = kill_everywhere(cleaned, tmp_path / 'killed', 'make_lr_img', '-i', 'interim', '-o', 'processed')
    expected, states = contents(whole / 'processed'), set()
    for folder in killed:
        monkeypatch.chdir(folder)
        info = read_pairs_info(folder / 'processed')
        if info['complete']:
            source = 'interim' if len(info['cases']) == 2 else 'first'
            assert info['subjects'] == {case: row['subject'] for case, row in read_table(folder / source).items()}
            states.add(source)
        else:
            with pytest.raises(UserError, match='processed: the making of these pairs was interrupted'):
                make_lists.main(['--val', '1', '--test', '1', '-i', 'processed'])
            states.add('between')
        assert not make_lr_img.main(['-i', 'interim', '-o', 'processed'])
        assert contents(folder / 'processed') == expected
    assert states >= {'first', 'between'}
