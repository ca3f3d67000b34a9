"""How a script ends: its own exit code, or one line and 2 for what the user can put right."""
import errno
import os
import shlex
import subprocess
import sys

import pytest
from tqdm import tqdm

from tests.experiment import command
from util.script import PROJECT, UserError, blaming, note, run, typed


def leave(main, capsys):
    with pytest.raises(SystemExit) as caught:
        run(main)
    return caught.value.code, capsys.readouterr().err


def fail(error):
    def main():
        raise error
    return main


@pytest.mark.parametrize('returned, code', [(None, None), (0, 0), (1, 1), (130, 130)])
def test_the_exit_code_is_what_main_returns(returned, code, capsys):
    assert leave(lambda: returned, capsys) == (code, '')


def test_a_user_s_mistake_is_one_line_and_exit_code_2(capsys):
    assert leave(fail(UserError('a.yml: wrong')), capsys) == (2, 'error: a.yml: wrong\n')


def test_ctrl_c_is_one_line_and_exit_code_130(capsys):
    assert leave(fail(KeyboardInterrupt()), capsys) == (130, 'interrupted\n')


@pytest.mark.parametrize('number', [errno.ENOSPC, errno.EROFS, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EACCES])
def test_what_the_system_refuses_is_one_line_with_the_file_and_exit_code_2(number, capsys):
    error = OSError(number, os.strerror(number), 'out/gen.npz')
    line = f'error: out/gen.npz: cannot be read or written: {os.strerror(number)}\n'
    assert leave(fail(error), capsys) == (2, line)


@pytest.mark.parametrize('error, words', [
    (OSError(errno.EISDIR, 'Is a directory', '.part', None, 'gen.npz'), 'gen.npz: cannot be read or written: Is a dir'),
    (FileExistsError(errno.EEXIST, 'File exists', 'out'), 'out: cannot be read or written: a file is where a'),
    (OSError(errno.ENOSPC, 'No space left'), 'error: cannot be read or written: No space left'),
    (OSError('broken\nin two'), 'error: cannot be read or written: broken\\nin two'),
    (MemoryError(), 'error: not enough memory: '),
    (MemoryError('Unable to allocate 7 GiB'), 'error: not enough memory: Unable to allocate 7 GiB')])
def test_so_is_a_lack_of_memory_and_an_error_without_a_file(error, words, capsys):
    code, text = leave(fail(error), capsys)
    assert code == 2 and words in text and text.count('\n') == 1


def test_a_link_that_leads_nowhere_is_told_from_a_file_where_a_folder_is_wanted(tmp_path, capsys):
    (tmp_path / 'file').touch()
    (tmp_path / 'results').symlink_to(tmp_path / 'a disk that is not mounted')
    for name, what in (('file', 'a file'), ('results', 'a link to what is not there')):
        path = tmp_path / name
        code, text = leave(lambda path=path: path.mkdir(exist_ok=True), capsys)
        assert (code, text) == (2, f'error: {path}: cannot be read or written: {what} is where a folder is wanted\n')


@pytest.mark.parametrize('arguments', [
    ['training.py'], ['inference.py', '-m', 'x4_t1w'], ['util/miscs/make_phantoms.py', '-o', 'raw'],
    ['util/miscs/make_lists.py', '--val', '1', '--test', '1'], ['util/miscs/make_lr_img.py'],
    ['util/miscs/average_models.py', '-m', 'x4_t1w', 'x2_t1w', '-o', 'a.npz'],
    ['util/miscs/compare.py', PROJECT / 'configs/base.yml', '--val', '1', '--test', '1']])
def test_a_python_without_the_packages_is_told_how_to_get_them_in_one_line(arguments, tmp_path):
    """As that of the system is, for who forgets to activate the environment. -S: site-packages is left out."""
    script, *rest = arguments
    done = subprocess.run([sys.executable, '-S', PROJECT / script, *rest], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.count('\n') == 1
    assert f'is not installed for {sys.executable}; use the Python of the virtual environment' in done.stderr


def test_a_module_of_the_project_itself_that_is_missing_is_a_fault_and_no_package():
    for name in ('util.no_such_module', 'models.none', 'inference', 'scipy.misc_gone'):
        with pytest.raises(ModuleNotFoundError):  # nor is a part of a package that is there
            run(fail(ModuleNotFoundError(f'No module named {name!r}', name=name)))


def test_the_text_is_one_printable_line_of_bounded_length():
    text = str(UserError('a\nb\x1b[31m\x85\u2028.yml: r³ \udcff'))
    assert text == 'a\\nb\\x1b[31m\\x85\\u2028.yml: r³ \\udcff'
    long = str(UserError('start' + 'x' * 10 ** 6 + 'end'))
    assert len(long) < 2000 and long.startswith('start') and long.endswith('end')


PRINTING = """
import sys
from util.script import run
def main():
    for line in range(3):
        print('x' * 9000, flush=True)
        print('y', file=sys.stderr)
    open('done', 'w').close()
    return 3
run(main)
"""


def shell(line, folder, script=None):
    """A line of bash with $PYTHON for this interpreter, in a folder; returns what subprocess.run does."""
    environment = {**os.environ, 'PYTHON': sys.executable, 'PYTHONPATH': str(PROJECT)}
    if script is not None:
        (folder / 'script.py').write_text(script)
    return subprocess.run(['bash', '-c', line], cwd=folder, env=environment, capture_output=True, text=True, timeout=60)


@pytest.mark.skipif(os.name == 'nt', reason='needs a POSIX shell')
class TestAReaderThatGoesAway:
    @pytest.mark.parametrize('redirected', ['', '2>&1'])
    def test_is_no_error_and_the_work_is_done_to_its_end(self, tmp_path, redirected):
        done = shell(f'$PYTHON script.py {redirected} | true; echo ${{PIPESTATUS[0]}}', tmp_path, PRINTING)
        assert done.stdout == '3\n' and done.stderr == ('' if redirected else 'y\n' * 3)
        assert (tmp_path / 'done').exists()

    def test_may_go_before_help_is_printed(self, tmp_path):
        words = ' '.join(command('training.py', '--help'))
        done = shell(f'{words} | head -0; echo ${{PIPESTATUS[0]}}', tmp_path)
        assert (done.stdout, done.stderr) == ('0\n', '')

    @pytest.mark.skipif(not os.path.exists('/dev/full'), reason='no /dev/full here')
    def test_a_full_disk_behind_the_output_is_an_error_of_one_line(self, tmp_path):
        done = shell('$PYTHON script.py > /dev/full', tmp_path, PRINTING)
        assert done.returncode == 2
        assert done.stderr == 'error: <stdout>: cannot be read or written: No space left on device\n'
        done = shell(f'{" ".join(command("training.py", "--help"))} > /dev/full', tmp_path)
        assert done.returncode == 2 and done.stderr.startswith('error: <stdout>')

    def test_no_output_at_all_is_fine(self, tmp_path):
        done = shell('$PYTHON script.py >&- 2>&-', tmp_path, PRINTING)
        assert done.returncode == 3 and (tmp_path / 'done').exists()


@pytest.mark.parametrize('encoding', ['utf-8:strict', 'ascii:strict'])
def test_a_name_that_the_output_cannot_hold_is_printed_all_the_same(tmp_path, encoding):
    (tmp_path / 'script.py').write_text('from util.script import run\nrun(lambda: print("done: out/\\udcff.nii"))\n')
    environment = {**os.environ, 'PYTHONPATH': str(PROJECT), 'PYTHONIOENCODING': encoding}
    done = subprocess.run([sys.executable, 'script.py'], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, 'done: out/\\udcff.nii\n', '')


def test_any_other_error_keeps_its_traceback():
    """A ValueError of the code is never taken for the user's: UserError is none."""
    assert not issubclass(UserError, ValueError)
    with pytest.raises(ValueError, match='a mistake in the code'):
        run(fail(ValueError('a mistake in the code')))


def test_blaming_names_what_was_at_fault_and_nothing_else():
    with pytest.raises(UserError, match='^a.yml: batchsize: wrong$'), blaming('a.yml'), blaming('batchsize'):
        raise UserError('wrong')
    with pytest.raises(ValueError, match='^wrong$'), blaming('a.yml'):
        raise ValueError('wrong')


def test_a_note_is_one_line_on_stderr_past_a_progress_bar(capsys):
    with tqdm(total=2, desc='volumes', file=sys.stderr) as bar:
        bar.update()
        note('what was\x1b[31m\nseen')
        bar.update()
    stdout, stderr = capsys.readouterr()
    lines = stderr.replace('\r', '\n').split('\n')  # a bar goes back to the start of its line
    assert stdout == '' and 'note: what was\\x1b[31m\\nseen' in lines and lines[-2].startswith('volumes: 100%')


@pytest.mark.skipif(sys.platform == 'win32', reason='Windows quotes otherwise')
def test_a_command_to_be_typed_is_quoted_and_finds_the_script_from_here(tmp_path, monkeypatch):
    """By this interpreter, as it was called."""
    for folder, script in ((PROJECT, 'inference.py'), (PROJECT.parent, f'{PROJECT.name}/inference.py'),
                           (tmp_path, f'{PROJECT}/inference.py')):
        monkeypatch.chdir(folder)
        words = shlex.split(typed('inference.py', '-m', tmp_path / "a 'new' $run.npz", '-g', 0))
        assert words == [sys.orig_argv[0], script, '-m', f"{tmp_path}/a 'new' $run.npz", '-g', '0']
