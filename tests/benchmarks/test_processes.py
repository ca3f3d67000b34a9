import subprocess
import sys

import pytest

from benchmarks import processes
from benchmarks.agreement import Disagreement
from benchmarks.commands import FILES, HERE, PLAIN, Command
from benchmarks.failure import Failure
from util.script import PROJECT, UserError

needs_linux = pytest.mark.skipif(not sys.platform.startswith('linux'), reason='the benchmark runs on Linux')
pytestmark = needs_linux

WRITE = 'import os, sys; os.makedirs(sys.argv[1]); open(sys.argv[1] + "/result", "wb").write(bytes(1000))'


def _command(ours=WRITE, plain=WRITE, **others):
    return Command('a command', {HERE: ['-c', ours, '{out}'], PLAIN: ['-c', plain, '{out}']}, **others)


def test_peak_memory_is_the_commands_own_however_large_the_caller_is(tmp_path):
    """The caller has filled 200 MiB; the command fills 64 and lets them go."""
    code = ('import pathlib, sys\n'
            'from benchmarks.processes import run_process\n'
            'large = bytearray(b"1") * (200 << 20)\n'
            'for size in (0, 64):\n'
            '    print(run_process(["-c", f"bytearray(b\'1\') * ({size} << 20)"], pathlib.Path(sys.argv[1])).peak)\n')
    done = subprocess.run([sys.executable, '-c', code, str(tmp_path / 'log')], cwd=PROJECT, check=True,
                          stdout=subprocess.PIPE, text=True)
    bare, filled = map(float, done.stdout.split())
    assert 3 < bare < 60
    assert filled - bare == pytest.approx(64, abs=8)


def test_peak_memory_is_that_of_the_largest_process_and_time_that_of_all(tmp_path):
    work = 'sum(range(4_000_000)); bytearray(b"1") * (64 << 20)'
    alone = processes.run_process(['-c', work], tmp_path / 'log')
    starts_it = f'import subprocess, sys; subprocess.run([sys.executable, "-c", {work!r}])'
    by_child = processes.run_process(['-c', starts_it], tmp_path / 'log')
    assert by_child.peak == pytest.approx(alone.peak, abs=8)
    assert by_child.cpu > 0.5 * alone.cpu
    assert by_child.wall > 0.5 * alone.cpu


@pytest.mark.parametrize('code, words', [
    ('import no_such_module', r'not installed \(no_such_module\)'),
    ('raise ValueError("/a/b/c is wrong")', r'does not work here \(exit code 1\): ValueError: c is wrong'),
    ('import os; os.abort()', r'exit code -6'),
])
def test_a_command_that_fails_says_why_without_folders(tmp_path, code, words):
    with pytest.raises(Failure, match=words):
        processes.run_process(['-c', code], tmp_path / 'log')


def test_each_takes_as_many_turns_and_the_first_round_does_not_count(tmp_path):
    (tmp_path / 'runs').mkdir()
    note = f'{WRITE}; open({str(tmp_path / "turns")!r}, "a").write(NAME)'
    runs = processes.measure_command(_command(note.replace('NAME', '"h"'), note.replace('NAME', '"p"')),
                                     tmp_path / 'runs', 2)
    assert (tmp_path / 'turns').read_text() == 'hp' 'ph' 'hp'
    assert {name: len(run.usages) for name, run in runs.items()} == {HERE: 2, PLAIN: 2, FILES: 2}
    assert not (tmp_path / 'runs').exists()


def test_a_command_that_fails_costs_the_other_nothing(tmp_path):
    runs = processes.measure_command(_command(plain='import no_such_module'), tmp_path, 1)
    assert runs[PLAIN].failure == 'not installed (no_such_module)' and not runs[PLAIN].usages
    assert runs[HERE].median('wall') > 0 and runs[FILES].median('wall') > 0


def test_commands_that_disagree_are_not_compared(tmp_path):
    def differ(ours, others):
        assert (ours / 'result').is_file() and (others / 'result').is_file() and ours != others
        raise Disagreement('3 and 4')

    with pytest.raises(UserError, match='a command: the plain script does something else: 3 and 4'):
        processes.measure_command(_command(agree=differ), tmp_path, 1)


def test_the_yardstick_reads_and_writes_the_same_bytes(tmp_path):
    for name, size in (('read', 10), ('one', 3000), ('two', 0)):
        (tmp_path / name).write_bytes(bytes(size))
    (tmp_path / 'out').mkdir()
    script = str(PROJECT / 'benchmarks/move_files.py')
    arguments = [tmp_path / 'out', tmp_path / 'read', '--', tmp_path / 'one', tmp_path / 'two']
    subprocess.run([sys.executable, '-I', '-S', script, *map(str, arguments)], check=True)
    assert sorted(path.stat().st_size for path in (tmp_path / 'out').iterdir()) == [0, 3000]
    missing = [sys.executable, '-I', '-S', script, str(tmp_path / 'out'), str(tmp_path / 'absent'), '--']
    assert subprocess.run(missing, stderr=subprocess.DEVNULL).returncode
