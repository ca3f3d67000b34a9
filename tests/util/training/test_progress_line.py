import os
import sys
from types import SimpleNamespace

import pytest

from util.training.progress_line import ProgressLine, Table, is_watched

if sys.platform == 'win32':
    pytest.skip('Windows has no pseudo-terminals', allow_module_level=True)
from tests.terminal import open_terminal, read_all, screen


def test_lines_go_past_the_one_that_moves_and_it_leaves_none(monkeypatch):
    """It begins at the iteration that the trainer is at. Half a line waits until it is whole."""
    ours, theirs = open_terminal()
    trainer = SimpleNamespace(updater=SimpleNamespace(iteration=30))
    with os.fdopen(theirs, 'w', buffering=1) as terminal, monkeypatch.context() as patched:
        patched.setattr(sys, 'stderr', terminal)
        patched.setattr(sys, 'stdout', terminal)
        assert is_watched()
        line, table = ProgressLine(100), Table(True)
        line.initialize(trainer)
        for trainer.updater.iteration in (31, 32):
            line(trainer)
            table.write(f'{trainer.updater.iteration}  ')
            table.write('\033[J0.5\n')
            table.flush()
        print('seen:')
        line.bar.refresh()
        os.write(theirs, b'\n')
        line.finalize()
    text = read_all(ours)
    assert ' 30/100 [' in text.split('\r')[1]
    lines = screen(text)
    assert lines[:2] == ['31  0.5', '32  0.5'] and lines[-1] == ''
    assert [line for line in lines if 'training:  32%|' in line and ' 32/100 [' in line and 'it/s]' in line]


def test_a_table_in_a_file_is_text_alone(capsys):
    table = Table(False)
    for line in ('iteration  main/loss\n', '\033[J', '200  0.5\n'):
        table.write(line)
    table.flush()
    assert capsys.readouterr().out == 'iteration  main/loss\n200  0.5\n'


def test_is_not_watched_without_a_terminal(monkeypatch, tmp_path):
    with open(tmp_path / 'errors.txt', 'w') as file:
        monkeypatch.setattr(sys, 'stderr', file)
        assert not is_watched()
    monkeypatch.setattr(sys, 'stderr', None)
    assert not is_watched()


def test_an_end_before_its_start_is_fine():
    """The initialization of another extension may fail first."""
    ProgressLine(100).finalize()
