"""What a run was made with."""
import importlib.metadata
import os
import platform
import subprocess
import sys

import yaml

from util.script import PROJECT

PACKAGES = ('chainer', 'cupy', 'cupy-cuda12x', 'cupy-cuda13x', 'numpy', 'scipy', 'scikit-image', 'nibabel',
            'SimpleITK', 'pydantic')


def versions():
    """YAML text: Python, the packages that are installed, the platform, the project's commit, the command line."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return yaml.safe_dump({
        'command': sys.argv,
        'python': platform.python_version(),
        'platform': platform.platform(),
        'packages': found,
        'commit': commit(),
    }, sort_keys=False)


def commit():
    """str: The project's commit, as git describes it; None where there is no git, or a project without its history."""
    command = ['git', '-C', str(PROJECT), 'describe', '--always', '--dirty']
    # an archive that was unpacked in a repository of the user's own is not of its commit
    environment = {**os.environ, 'GIT_CEILING_DIRECTORIES': str(PROJECT.parent)}
    try:
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
