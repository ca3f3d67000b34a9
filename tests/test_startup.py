"""No command waits for libraries that it does not use."""
import json
import subprocess
import sys

import pytest

from tests.experiment import INFERENCE_ARGUMENTS, TRAINING_ARGUMENTS
from tests.test_inference import prepare
from util.script import PROJECT

SCRIPTS = ['training.py', 'inference.py', *(f'util/miscs/{name}.py' for name in (
    'calibrate', 'clean_data', 'compare', 'download_data', 'export_onnx', 'fit_tensor', 'make_lists', 'make_lr_img',
    'make_phantoms', 'probe_uncertainty', 'score_scans', 'score_tensors'))]
HEAVY = {'numpy', 'chainer', 'scipy', 'skimage', 'SimpleITK', 'nibabel', 'pydantic', 'matplotlib', 'tqdm', 'filelock',
         'dipy', 'onnx', 'jinja2'}


def loaded(folder, script, *arguments):
    """The exit code of a script, and the modules that were imported when it ended."""
    code = ('import atexit, json, runpy, sys\n'
            'atexit.register(lambda: print("\\n" + json.dumps(list(sys.modules)), file=sys.__stdout__))\n'
            'sys.argv = sys.argv[1:]\n'
            'runpy.run_path(sys.argv[0], run_name="__main__")')
    done = subprocess.run([sys.executable, '-c', code, str(PROJECT / script), *map(str, arguments)], cwd=folder,
                          capture_output=True, text=True, env={'PYTHONPATH': str(PROJECT)})
    return done.returncode, set(json.loads(done.stdout.splitlines()[-1])), done.stderr


def test_the_scripts_are_all_there_are():
    assert set(SCRIPTS) == {str(path.relative_to(PROJECT)) for folder in ('.', 'util/miscs')
                            for path in PROJECT.glob(f'{folder}/*.py') if path.name != '__init__.py'}


@pytest.mark.parametrize('script', SCRIPTS)
def test_help_and_a_wrong_argument_load_no_library(script, tmp_path):
    code, modules, stderr = loaded(tmp_path, script, '--help')
    assert code == 0 and not HEAVY & modules
    code, modules, stderr = loaded(tmp_path, script, '--no-such-option')
    assert code == 2 and 'error: ' in stderr and not HEAVY & modules


@pytest.mark.parametrize('script, arguments, words', [
    ('inference.py', ('-m', 'none.npz'), 'none.npz: cannot read this model file: No such file or directory'),
    ('inference.py', ('-m', 'x4_t1w', '--bids', 'none', 'out'), '--bids none: no such folder'),
    ('training.py', ('-c', 'none.yml'), 'none.yml: cannot read this config: No such file or directory'),
    ('training.py', ('-m', 'none.npz'), 'none.npz: cannot read this model file: No such file or directory'),
    ('training.py', ('--resume', 'none.npz'), 'none.npz: cannot read this snapshot: No such file or directory'),
    ('util/miscs/make_lr_img.py', ('-c', 'none.yml'), 'none.yml: cannot read this config: No such file or directory'),
    ('util/miscs/compare.py', ('none.yml', '--val', '1', '--test', '1'),
     'none.yml: cannot read this config: No such file or directory')])
def test_a_file_that_is_not_there_is_told_before_a_library_is_loaded(script, arguments, words, tmp_path):
    code, modules, stderr = loaded(tmp_path, script, *arguments)
    assert code == 2 and stderr == f'error: {words}\n' and not HEAVY & modules


def test_a_scan_loads_neither_pictures_nor_scores_nor_what_chainer_never_needs(tmp_path):
    """SciPy's top module comes with nibabel; its parts, a hundred modules each, must not come."""
    prepare(tmp_path)
    code, modules, stderr = loaded(tmp_path, 'inference.py', *INFERENCE_ARGUMENTS, '-i', 'LR/0000.mhd')
    assert code == 0, stderr
    unwanted = {'matplotlib', 'jinja2', 'skimage', 'PIL', 'pytest', 'pkg_resources', 'setuptools', 'scipy.special',
                'scipy.io', 'scipy.sparse', 'scipy.linalg', 'scipy.ndimage', 'scipy.fft', 'scipy.stats'}
    assert not unwanted & modules and {'chainer', 'SimpleITK'} <= modules


def test_a_training_draws_without_pyplot(tmp_path):
    prepare(tmp_path)
    code, modules, stderr = loaded(tmp_path, 'training.py', *TRAINING_ARGUMENTS, '-o', 'run')
    assert code == 0, stderr
    assert not {'pytest', 'pkg_resources', 'setuptools', 'scipy.io', 'scipy.stats', 'matplotlib.pyplot'} & modules
    assert 'matplotlib.figure' in modules
