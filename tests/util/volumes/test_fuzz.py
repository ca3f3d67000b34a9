"""Damaged files of every format, in a process of their own: a crash of ITK is a failure, not the end of the tests."""
import json
import subprocess
import sys

import pytest

from util.script import PROJECT

pytest.importorskip('resource', reason='memory is measured as POSIX does')


@pytest.mark.slow
def test_a_damaged_file_is_refused_in_one_line_or_read_as_what_it_says(tmp_path):
    from tests.util.volumes.fuzz import KINDS
    done = subprocess.run([sys.executable, '-m', 'tests.util.volumes.fuzz', tmp_path, '150', '0'], cwd=PROJECT,
                          capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert [result['kind'] for result in results] == list(KINDS) and len(KINDS) * 150 >= 2000
    for result in results:
        assert not result['wrong'], result['wrong'][0]
        assert result['refused'] + result['read'] == 150 and min(result['refused'], result['read']) > 10
        assert result['slowest'] < 5 and result['memory'] < 1000
