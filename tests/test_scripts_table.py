"""docs/scripts.md names each option of each script, and no other."""
import argparse
import importlib
import re

import pytest

from tests.test_startup import SCRIPTS
from util.script import PROJECT


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


@pytest.mark.parametrize('script', SCRIPTS)
def test_the_table_has_the_options_of_the_script(script, monkeypatch):
    named, seen = documented()[script.rpartition('/')[2]], []
    monkeypatch.setattr(argparse.ArgumentParser, 'parse_args', lambda parser, argv: seen.append(parser))
    importlib.import_module(script.removesuffix('.py').replace('/', '.')).parse_arguments([])
    options = [action.option_strings for action in seen[0]._actions if action.option_strings and action.dest != 'help']
    assert options and [its for its in options if not named & set(its)] == []
    assert named <= {option for its in options for option in its}
