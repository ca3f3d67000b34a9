"""What a run was made with can be read back, and is what runs."""
import platform
import subprocess
import sys

import chainer
import numpy
import yaml

from util import versions as module
from util.versions import versions


def test_it_names_the_interpreter_the_packages_and_the_command(monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['training.py', '-g', '0'])
    found = yaml.safe_load(versions())
    assert found['python'] == platform.python_version() and found['command'] == ['training.py', '-g', '0']
    assert found['packages']['chainer'] == chainer.__version__
    assert found['packages']['numpy'] == numpy.__version__


def test_the_commit_is_git_s_and_without_git_there_is_none(tmp_path, monkeypatch):
    run = dict(cwd=tmp_path, check=True, capture_output=True, text=True)
    monkeypatch.setattr(module, 'PROJECT', tmp_path)
    assert yaml.safe_load(versions())['commit'] is None
    git = ['git', '-c', 'user.name=a', '-c', 'user.email=a@b.c']
    subprocess.run(['git', 'init', '-q'], **run)
    subprocess.run([*git, 'commit', '-q', '--allow-empty', '-m', 'first'], **run)
    commit = subprocess.run(['git', 'rev-parse', 'HEAD'], **run).stdout
    assert commit.startswith(yaml.safe_load(versions())['commit'])
    (tmp_path / 'archive').mkdir()
    monkeypatch.setattr(module, 'PROJECT', tmp_path / 'archive')  # unpacked in that repository
    assert yaml.safe_load(versions())['commit'] is None
    monkeypatch.setattr(module, 'PROJECT', tmp_path)
    monkeypatch.setenv('PATH', str(tmp_path))  # a machine without git
    assert yaml.safe_load(versions())['commit'] is None
