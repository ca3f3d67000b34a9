"""The tests marked gpu pass on the stand-in, so that a device mix-up is found where there is no GPU."""
import re
import subprocess
import sys

import pytest

from tests.strict_cupy import kernels
from util.script import PROJECT


@pytest.mark.parametrize('marked, options, at_least', [
    ('gpu and not slow', [], 80),
    pytest.param('gpu and slow', [], 4, marks=pytest.mark.slow),
    pytest.param('gpu', ['--kernels'], 150, marks=pytest.mark.slow),
])
def test_they_pass_on_the_stand_in(marked, options, at_least, tmp_path):
    """In a process of its own: Chainer looks for CuPy only once, when it is imported."""
    if options and kernels.why_not():
        pytest.skip(kernels.why_not())
    files = [path for path in (PROJECT / 'tests').rglob('test_*.py') if 'mark.gpu' in path.read_text(encoding='utf-8')]
    done = subprocess.run([sys.executable, '-m', 'pytest', '-rs', '-m', marked, '-p', 'tests.strict_cupy.plugin',
                           *options, '--basetemp', tmp_path / 'inner', '-p', 'no:cacheprovider', *files],
                          cwd=PROJECT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    summary = done.stdout.splitlines()[-1]
    assert int(re.search(r'(\d+) passed', summary).group(1)) >= at_least
    reasons = ': the stand-in for CuPy records no graphs', f': {kernels.why_not()}'
    assert all(line.endswith(reasons) for line in done.stdout.splitlines() if line.startswith('SKIPPED'))
