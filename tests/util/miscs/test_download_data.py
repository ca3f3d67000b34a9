"""download_data.py: one file that cannot be had costs no other, and a break costs none of what has come."""
import hashlib
import signal
import subprocess
import sys
import time

import numpy
import pytest

from tests.experiment import assert_refused
from tests.util.dataset import web
from util.dataset import downloads, ds000001
from util.lock import locked
from util.miscs import download_data
from util.script import PROJECT

# The script, on another server and with another table.
SCRIPT = """
import sys
from pathlib import Path
from util.dataset import ds000001
from util.miscs.download_data import main
from util.script import run
ds000001.BASE, ds000001.TABLE = sys.argv[1], Path(sys.argv[2])
run(lambda: main(sys.argv[3:]))
"""


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Serves six subjects, each of content of its own."""
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    with web.Web() as server:
        rows = ['file\tbytes\tmd5']
        for number in range(1, 7):
            name = f'sub-{number:02d}/anat/sub-{number:02d}_T1w.nii.gz'
            server.content[name] = content = numpy.random.default_rng(number).bytes(100_000)
            rows.append(f'{name}\t{len(content)}\t{hashlib.md5(content).hexdigest()}')
        (tmp_path / 'table.tsv').write_text('\n'.join(rows) + '\n')
        monkeypatch.setattr(ds000001, 'BASE', server.url)
        monkeypatch.setattr(ds000001, 'TABLE', tmp_path / 'table.tsv')
        yield server
        server.shutdown()


def found(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob('sub-*') if path.is_file()}


def test_volumes_lie_as_in_the_data_set_and_are_fetched_once(server, tmp_path, here):
    done = here(download_data.main, '--subjects', '1-6', '-o', 'raw')
    assert (done.returncode, done.stderr) == (0, '') and 'fetched: 6, there before: 0, failed: 0' in done.stdout
    assert found(tmp_path / 'raw') == server.content
    (tmp_path / 'raw/sub-02/anat/sub-02_T1w.nii.gz').unlink()
    done = here(download_data.main, '--subjects', '1-3', '-o', 'raw')
    assert done.returncode == 0 and 'fetched: 1, there before: 2, failed: 0' in done.stdout
    assert len(server.requests) == 7 and found(tmp_path / 'raw') == server.content


def test_what_cannot_be_had_is_told_in_a_line_each_and_the_rest_comes(server, tmp_path, here):
    first, second, *_ = names = list(server.content)
    expected = {name: server.content[name] for name in names[1:]}
    del server.content[first]
    (tmp_path / 'raw' / second).mkdir(parents=True)
    del expected[second]
    done = here(download_data.main, '--subjects', '1-6', '-o', 'raw')
    assert done.returncode == 1 and 'fetched: 4, there before: 0, failed: 2' in done.stdout
    lines = done.stderr.splitlines()
    assert len(lines) == 2 and all(line.startswith('error: ') for line in lines)
    assert f'{first}: HTTP 404 Not Found' in done.stderr and second in done.stderr
    assert found(tmp_path / 'raw') == expected
    done = here(download_data.main, '--subjects', '1', '-o', 'raw')
    assert done.returncode == 2 and 'HTTP 404' in done.stderr


def test_a_server_has_at_most_four_to_serve_at_a_time(server, tmp_path, here):
    now, most = [], []

    def count(handler, content):
        now.append(handler)
        most.append(len(now))
        time.sleep(0.05)
        now.remove(handler)
        web.whole(handler, content)

    for name in server.content:
        server.faults[name] = [count]
    assert here(download_data.main, '--subjects', '1-6', '-o', 'raw').returncode == 0
    assert max(most) == downloads.AT_ONCE == 4


@pytest.mark.skipif(sys.platform == 'win32', reason='Windows has no such signals')
@pytest.mark.parametrize('number, code', [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_a_break_leaves_parts_that_the_next_call_goes_on_with(server, tmp_path, here, number, code):
    for name in server.content:
        server.faults[name] = [web.cut(1_000, seconds=20)]
    running = subprocess.Popen([sys.executable, '-c', SCRIPT, server.url, str(tmp_path / 'table.tsv'),
                                '--subjects', '1-4', '-o', str(tmp_path / 'raw')], cwd=PROJECT,
                               stderr=subprocess.PIPE, text=True)
    parts = {tmp_path / f'raw/{name}.part' for name in list(server.content)[:4]}
    until = time.monotonic() + 20
    while not all(part.exists() and part.stat().st_size == 1_000 for part in parts):
        assert time.monotonic() < until and running.poll() is None
        time.sleep(0.02)
    running.send_signal(number)
    stderr = running.communicate(timeout=5)[1]  # long before the silent server's time is up
    assert running.returncode == code and stderr == ('interrupted\n' if code == 130 else '')
    assert set((tmp_path / 'raw').rglob('*_T1w*')) == parts
    server.requests.clear()
    assert here(download_data.main, '--subjects', '1-4', '-o', 'raw').returncode == 0
    assert sorted(server.requests) == [(name, 'bytes=1000-') for name in list(server.content)[:4]]
    assert found(tmp_path / 'raw') == {name: server.content[name] for name in list(server.content)[:4]}


def test_subjects_that_are_not_and_a_folder_in_use_are_refused(server, tmp_path, here):
    assert_refused(here(download_data.main, '--subjects', '5-7', '-o', 'raw'), "--subjects 5-7: '5-7' names none of")
    with locked(tmp_path / 'raw'):
        assert_refused(here(download_data.main, '--subjects', '1', '-o', 'raw'), 'another run is writing')
    assert not server.requests


def test_a_mistake_in_the_program_is_shown_and_not_waited_for(server, tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, 'download', lambda *arguments, **settings: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        download_data.main(['--subjects', '1', '-o', str(tmp_path / 'raw')])
