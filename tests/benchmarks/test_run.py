import os
import subprocess
import sys

import numpy
import pytest

from benchmarks import cases, child, implementations, measure, run
from models.espcn3d import ESPCN3D
from util.script import PROJECT, UserError
from util.volumes.sampling import Sampling

needs_linux = pytest.mark.skipif(not sys.platform.startswith('linux'), reason='the benchmark reads /proc')


@pytest.mark.parametrize('rate', [2, 4])
def test_multiply_adds_are_those_of_the_networks_weights(rate):
    """Each weight is used once for every LR voxel; training needs it for two gradients more, conv1 for one."""
    per_voxel = sum(conv.W.size for conv in ESPCN3D(Sampling(rate)).children())
    forward = cases.Case('forward', 3, (4, 5, 6), rate)
    assert cases.multiply_adds(forward) == 3 * 4 * 5 * 6 * per_voxel
    training = cases.Case('training', 3, (4, 5, 6), rate)
    no_gradient_of_the_input = 3 * 4 * 5 * 6 * 50 * 27
    assert cases.multiply_adds(training) == 3 * cases.multiply_adds(forward) - no_gradient_of_the_input


def test_the_reference_network_costs_179150_multiply_adds_a_voxel():
    assert cases.multiply_adds(cases.Case('volume', 1, (1, 1, 1), 4)) == 179150


def test_turns_go_forth_and_back_and_stock_chainer_stops_after_three_rounds():
    stock = implementations.STOCK
    assert list(measure.turns(['a', stock, 'b'], 4)) == [
        (0, 'a'), (0, stock), (0, 'b'), (1, 'b'), (1, stock), (1, 'a'), (2, 'a'), (2, stock), (2, 'b'),
        (3, 'b'), (3, 'a')]


def test_results_that_differ_are_not_compared():
    with pytest.raises(UserError, match='b computes something else'):
        measure._agree(cases.CASES[0], {'a': 1.0, 'b': 1.1, 'c': 1.0})


@needs_linux
def test_memory_counts_the_peak_even_when_it_was_let_go():
    """64 MiB are filled and freed at once."""
    code = ('import numpy; from benchmarks.child import Host; host = Host(); before = host.memory()\n'
            'numpy.ones(1 << 23); after = host.memory(); print(before["growth"], after["growth"], after["total"])')
    done = subprocess.run([sys.executable, '-c', code], cwd=PROJECT, check=True, stdout=subprocess.PIPE, text=True)
    before, after, total = map(float, done.stdout.split())
    assert after - before == pytest.approx(64, abs=8)
    assert total - after > 20  # Python and NumPy


@needs_linux
def test_memory_that_a_case_adds_is_more_than_its_arrays():
    """The last convolution's backward pass needs the features of all layers, the HR batch and the truth at once."""
    case = cases.Case('training', 8, (16, 16, 16))
    child = measure.Child(implementations.PROJECT, -1)
    try:
        child.answer()
        child.ask(prepare=vars(case))
        memory = child.ask(memory=True)
    finally:
        child.close()
    floats_per_voxel = sum(channels for _, channels, _ in cases.layers(4)) + 2 * 4 ** 3
    arrays = 4 * case.voxels * floats_per_voxel / 2 ** 20
    assert 40 < arrays < memory['growth'] < 20 * arrays
    assert memory['total'] - memory['growth'] > 40  # Python and the libraries


@pytest.mark.slow
@needs_linux
def test_a_quick_run_without_pytorch_writes_all_rows_and_the_plot(tmp_path, monkeypatch, capsys):
    """Every case has a row for every implementation; those that cannot be imported say so and the others have times."""
    (tmp_path / 'torch.py').write_text("raise ImportError('kept out by the test', name='torch')\n")
    monkeypatch.setenv('PYTHONPATH', str(tmp_path))
    run.main(['--quick', '--repeats', '1', '--out', str(tmp_path / 'out')])
    text = (tmp_path / 'out' / 'benchmark.md').read_text(encoding='utf-8')
    assert text in capsys.readouterr().out
    assert (tmp_path / 'out' / 'growth.png').read_bytes().startswith(b'\x89PNG')
    assert os.sep + 'tmp' not in text and str(tmp_path) not in text
    sections = text.split('### ')[1:]
    assert len(sections) == len(cases.QUICK_CASES)
    for section, case in zip(sections, cases.QUICK_CASES):
        assert section.lower().startswith(case.name.lower())
        rows = {line.split('|')[1].strip(' *'): line.split('|')[2:-1] for line in section.splitlines() if '|' in line}
        for name in (implementations.PROJECT, implementations.STOCK):
            assert float(rows[name][0]) > 0  # median, ms
            added, in_all = map(float, rows[name][4:6])  # memory, MiB
            assert in_all - added > 40  # Python and the libraries
        for name in implementations.PYTORCH:
            assert 'not installed (torch)' in rows[name][0]


@needs_linux
def test_a_gpu_that_is_not_there_is_an_error_at_once(tmp_path):
    with pytest.raises(UserError, match='-g 99'):
        run.main(['-g', '99', '--out', str(tmp_path)])


@pytest.mark.gpu
@pytest.mark.parametrize('kind, batch', [('training', 2), ('forward', 2), ('volume', 1)])
def test_a_step_on_a_gpu_gives_the_cpu_s_result(kind, batch):
    case = cases.Case(kind, batch, (4, 5, 6), rate=2)
    on_cpu, on_gpu = (implementations.to_numpy(implementations.prepare_project(case, gpu)()) for gpu in (-1, 0))
    numpy.testing.assert_allclose(on_gpu, on_cpu, rtol=1e-4, atol=1e-5)


@pytest.mark.gpu
def test_a_gpu_is_waited_for_and_its_memory_counted(gpu):
    device = child.CupyDevice(0)
    device.forget()
    array = gpu.xp.zeros(1 << 20, 'float32')
    device.wait()
    memory = device.memory()
    assert memory['growth'] is None and memory['total'] >= 0 and array.size == 1 << 20
