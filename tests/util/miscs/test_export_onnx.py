"""export_onnx.py writes a file that the lines of docs/export.md run without Chainer, to what inference.py gives."""
import re
import subprocess
import sys

import nibabel
import numpy
import pytest

import inference
from models.bayesian_espcn3d import BayesianESPCN3D
from tests.experiment import assert_refused, change, make_experiment
from tests.test_inference import prepare
from util.config_files import load_config
from util.inference.model_file import save_network
from util.inference.network import build_network
from util.miscs import export_onnx
from util.script import PROJECT
from util.volumes.orientation import Lie
from util.volumes.reading import read_volume

MODEL = '-m', 'gen.npz', '-R', '.'


@pytest.fixture
def needs_onnx():
    pytest.importorskip('onnx', reason='requirements-dev.txt has it')
    pytest.importorskip('onnxruntime', reason='requirements-dev.txt has it')


def test_the_documented_lines_give_inference_s_volume_where_it_lies(tmp_path, here, needs_onnx):
    """A scan that lies otherwise than the training's, through a network whose LR voxels lie amid their block."""
    make_experiment(tmp_path)
    config = load_config(tmp_path / 'experiment.yml', (
        'upsampling_rate=[2, 3, 1]', 'degradation.name=block_mean', 'patchside=12', 'intensity_scaling=percentile',
        'models.generator.args={residual: linear}'))
    save_network(tmp_path / 'gen_best.npz', build_network(config), config.to_yaml(), Lie('LAS', (1.0, 1.0, 1.0)))
    affine = numpy.array([[0, 0.1, 1.2, -3], [-1.1, 0, 0, 40], [0, -1, 0.1, 7], [0, 0, 0, 1]])
    affine[:3, :3] = numpy.linalg.qr(affine[:3, :3])[0] * (1.0, 1.1, 1.2)
    image = numpy.random.default_rng(0).gamma(2, 80, (7, 8, 9)).astype(numpy.float32)
    nibabel.save(nibabel.Nifti1Image(image, affine), tmp_path / 'scan.nii.gz')

    done = here(export_onnx.main, '-m', 'gen_best.npz')
    assert (done.returncode, done.stderr) == (0, '') and 'outputs: sr\n' in done.stdout
    lines, = re.findall(r'```python\n(.*?)```', (PROJECT / 'docs/export.md').read_text(encoding='utf-8'), re.DOTALL)
    lines += 'import sys\nassert not {"chainer", "util", "models"} & set(sys.modules)\n'
    done = subprocess.run([sys.executable, '-c', lines], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

    assert here(inference.main, '-m', 'gen_best.npz', '-i', 'scan.nii.gz', '-o', 'out').returncode == 0
    expected, found = read_volume(tmp_path / 'out/scan_x2x3x1.nii.gz'), nibabel.load(tmp_path / 'scan_hr.nii.gz')
    found = found.as_reoriented(nibabel.orientations.ornt_transform(nibabel.io_orientation(found.affine),
                                                                    nibabel.io_orientation(affine)))
    numpy.testing.assert_allclose(found.get_fdata().T, expected.array[0], rtol=0, atol=1e-5 * expected.array.max())
    lies = numpy.reshape(expected.direction, (3, 3)) * expected.spacing
    lps = numpy.diag([-1, -1, 1])
    numpy.testing.assert_allclose(lps @ found.affine[:3, :3], lies, atol=1e-5)
    numpy.testing.assert_allclose(lps @ found.affine[:3, 3], expected.origin, atol=1e-4)


def test_of_uncertain_weights_it_is_said_what_the_file_leaves_out(tmp_path, here, needs_onnx):
    make_experiment(tmp_path)
    config = load_config(tmp_path / 'experiment.yml', (
        'models.generator.fn=models/bayesian_espcn3d.py', 'models.generator.name=BayesianESPCN3D'))
    save_network(tmp_path / 'gen.npz', BayesianESPCN3D(config.sampling), config.to_yaml())
    done = here(export_onnx.main, *MODEL, '-o', 'folder/net.onnx')
    assert done.returncode == 0 and 'outputs: sr, deviation\n' in done.stdout
    assert 'folder/net.onnx: has the mean of the uncertain weights' in done.stderr
    assert (tmp_path / 'folder/net.onnx').exists()


def test_a_network_that_is_not_known_is_refused_and_an_older_file_stays(tmp_path, here, needs_onnx):
    prepare(tmp_path)
    (tmp_path / 'mine.py').write_text('from models.espcn3d import ESPCN3D\nclass Mine(ESPCN3D):\n    pass\n')
    change(tmp_path / 'experiment.yml', 'fn: models/espcn3d.py', 'fn: mine.py')
    change(tmp_path / 'experiment.yml', 'name: ESPCN3D', 'name: Mine')
    config = load_config(tmp_path / 'experiment.yml')
    save_network(tmp_path / 'gen.npz', build_network(config, tmp_path), config.to_yaml())
    (tmp_path / 'gen.onnx').write_bytes(b'older')
    assert_refused(here(export_onnx.main, *MODEL), 'gen.npz: Mine cannot be exported')
    assert (tmp_path / 'gen.onnx').read_bytes() == b'older'


def test_where_onnx_is_missing_it_is_named(tmp_path, here, monkeypatch):
    prepare(tmp_path)
    monkeypatch.setitem(sys.modules, 'onnx', None)
    assert_refused(here(export_onnx.main, *MODEL), 'install it with: pip install onnx')


def test_the_model_itself_is_never_written_over(tmp_path, here):
    prepare(tmp_path)
    before = (tmp_path / 'gen.npz').read_bytes()
    assert_refused(here(export_onnx.main, *MODEL, '-o', 'gen.npz'), '-o gen.npz: name a file that ends in .onnx')
    assert (tmp_path / 'gen.npz').read_bytes() == before


def test_a_network_that_comes_with_the_project_is_written_where_one_stands(tmp_path, here, needs_onnx):
    done = here(export_onnx.main, '-m', 'x2_t1w_paper')
    assert done.returncode == 0 and 'written: x2_t1w_paper.onnx' in done.stdout, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ['x2_t1w_paper.onnx']
