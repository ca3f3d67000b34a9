"""docs/scripts.md names each option of each script, and no other."""
import argparse
import importlib
import re
from pathlib import Path

import pytest

from tests.test_startup import SCRIPTS
from util.script import PROJECT, a_path


def documented():
    """script -> the options that its rows of the table name."""
    rows, script = {}, None
    for line in (PROJECT / 'docs/scripts.md').read_text(encoding='utf-8').splitlines():
        if not line.startswith('| ') or line.startswith('| script '):
            continue
        name, options, _ = line[1:].split('|', 2)
        script = name.strip().strip('`') or script
        rows.setdefault(script, set()).update(re.findall(r'(?<=`)--?[a-zA-Z][\w-]*', options))
    return rows


def actions_of(script, monkeypatch):
    """The actions of a script's parser."""
    seen = []
    monkeypatch.setattr(argparse.ArgumentParser, 'parse_args', lambda parser, argv: seen.append(parser))
    importlib.import_module(script.removesuffix('.py').replace('/', '.')).parse_arguments([])
    return seen[0]._actions


@pytest.mark.parametrize('script', SCRIPTS)
def test_no_option_takes_an_empty_path_for_the_working_directory(script, monkeypatch):
    """As of "$SCANS" where the shell has no such variable: all volumes that lie there would be taken."""
    types = [action.type for action in actions_of(script, monkeypatch)]
    assert a_path in types and Path not in types
    with pytest.raises(argparse.ArgumentTypeError, match='an empty path; is a variable of the shell not set?'):
        a_path('')


@pytest.mark.parametrize('script', SCRIPTS)
def test_the_table_has_the_options_of_the_script(script, monkeypatch):
    named = documented()[script.rpartition('/')[2]]
    options = [action.option_strings for action in actions_of(script, monkeypatch)
               if action.option_strings and action.dest != 'help']
    assert options and [its for its in options if not named & set(its)] == []
    assert named <= {option for its in options for option in its}
