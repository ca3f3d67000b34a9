"""No command waits for libraries that it does not use."""
import json
import subprocess
import sys

import pytest

from tests.experiment import INFERENCE_ARGUMENTS, TRAINING_ARGUMENTS
from tests.test_inference import prepare
from util.script import PROJECT
from util.volumes.reading import read_volume
from util.volumes.writing import write_volume

SCRIPTS = ['training.py', 'inference.py', *(f'util/miscs/{name}.py' for name in (
    'average_models', 'calibrate', 'clean_data', 'compare', 'download_data', 'export_onnx', 'fit_tensor', 'make_lists',
    'make_lr_img', 'make_phantoms', 'probe_uncertainty', 'score_scans', 'score_tensors'))]
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


# Of chainer alone: what `chainer.functions` and the like gather, where a command uses a dozen of three hundred.
OF_CHAINER = {'chainer.functions.loss.hinge', 'chainer.functions.rnn.lstm', 'chainer.distributions.beta',
              'chainer.links.connection.linear', 'chainer.datasets.mnist'}


def test_a_scan_loads_neither_pictures_nor_scores_nor_what_chainer_never_needs(tmp_path):
    """An .mhd is SimpleITK's, a NIfTI file nibabel's; neither takes the other along, a tenth of a command each."""
    prepare(tmp_path)
    write_volume(tmp_path / 'scan.nii', read_volume(tmp_path / 'LR/0000.mhd'))
    unwanted = {'matplotlib', 'jinja2', 'skimage', 'PIL', 'pytest', 'pkg_resources', 'setuptools', 'scipy.special',
                'scipy.io', 'scipy.sparse', 'scipy.linalg', 'scipy.ndimage', 'scipy.fft', 'scipy.stats', *OF_CHAINER,
                'chainer.training.trainer', 'chainer.iterators.multiprocess_iterator'}
    for scan, reader, others in (('LR/0000.mhd', 'SimpleITK', {'nibabel', 'scipy'}),
                                 ('scan.nii', 'nibabel', {'SimpleITK'})):
        code, modules, stderr = loaded(tmp_path, 'inference.py', *INFERENCE_ARGUMENTS, '-i', scan)
        assert code == 0, stderr
        assert not (unwanted | others) & modules and {'chainer', reader} <= modules


def test_the_data_scripts_load_no_more_than_they_read_and_write_with(tmp_path):
    prepare(tmp_path)
    write_volume(tmp_path / 'raw/sub-01/anat/sub-01_T1w.nii', read_volume(tmp_path / 'HR/0000.mhd'))
    for script, arguments, unwanted in (
            ('clean_data', ('-i', 'raw', '-o', 'interim'), {'chainer', 'pydantic', 'scipy.ndimage', 'matplotlib'}),
            ('make_lr_img', ('-c', 'experiment.yml', '-i', 'interim', '-o', 'processed'), {
                'nibabel', 'scipy', 'matplotlib', 'chainer.training.trainer', *OF_CHAINER})):
        code, modules, stderr = loaded(tmp_path, f'util/miscs/{script}.py', *arguments)
        assert code == 0, stderr
        assert not unwanted & modules and 'SimpleITK' in modules


def test_a_training_draws_without_pyplot(tmp_path):
    prepare(tmp_path)
    code, modules, stderr = loaded(tmp_path, 'training.py', *TRAINING_ARGUMENTS, '-o', 'run')
    assert code == 0, stderr
    assert not {'pytest', 'pkg_resources', 'setuptools', 'scipy.io', 'scipy.stats', 'matplotlib.pyplot'} & modules
    assert 'matplotlib.figure' in modules and not OF_CHAINER & modules
