import os
import subprocess
import sys

import numpy
import pytest

from benchmarks import cases, chainer_nets, devices, implementations, measure, run
from util.script import PROJECT, UserError

needs_linux = pytest.mark.skipif(not sys.platform.startswith('linux'), reason='the benchmark reads /proc')


def test_turns_go_forth_and_back_and_stock_chainer_stops_after_three_rounds():
    stock = implementations.STOCK
    assert list(measure.turns(['a', stock, 'b'], 4)) == [
        (0, 'a'), (0, stock), (0, 'b'), (1, 'b'), (1, stock), (1, 'a'), (2, 'a'), (2, stock), (2, 'b'),
        (3, 'b'), (3, 'a')]


def test_results_that_differ_are_not_compared():
    """Not even those that hold the same values elsewhere, as a wrong pixel shuffle would."""
    measure._agree(cases.CASES[0], {'a': [1.0, -2.0], 'b': [1.0, -2.00001], 'c': [1.0, -2.0]})
    for wrong in ([-2.0, 1.0], [1.0, -2.01]):
        with pytest.raises(UserError, match='b computes something else'):
            measure._agree(cases.CASES[0], {'a': [1.0, -2.0], 'b': wrong, 'c': [1.0, -2.0]})
    with pytest.raises(UserError, match='computes something else'):
        measure._agree(cases.CASES[0], {'a': [1.0, -2.0], 'b': [1.0, float('nan')], 'c': [1.0, -2.0]})


@needs_linux
def test_memory_counts_the_peak_even_when_it_was_let_go():
    """64 MiB are filled and freed at once."""
    code = ('import numpy; from benchmarks.devices import Host; host = Host(); before = host.memory()\n'
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
    floats_per_voxel = sum(channels for _, channels, _ in cases.layers(cases.Case('volume', 1, (4, 4, 4)))) + 2 * 4 ** 3
    arrays = 4 * case.voxels * floats_per_voxel / 2 ** 20
    assert 40 < arrays < memory['growth'] < 20 * arrays
    assert memory['total'] - memory['growth'] > 25  # Python and the libraries


@pytest.mark.slow
@needs_linux
def test_a_quick_run_without_the_others_writes_all_rows_and_the_plot(tmp_path, monkeypatch, capsys):
    """Every case has a row for every implementation, and every command one. What cannot be imported says so, and the
    others have times; the scripts that take pairs and volumes do without PyTorch."""
    for name in ('torch', 'onnx', 'onnxruntime', 'openvino'):
        (tmp_path / f'{name}.py').write_text(f'raise ModuleNotFoundError("No module named {name!r}", name="{name}")\n')
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
        rows = {row[0]: row[1:] for row in _rows(section)}
        for name in (implementations.PROJECT, implementations.STOCK):
            assert float(rows[name][0]) > 0  # median, ms
            added, in_all = map(float, rows[name][4:6])  # memory, MiB
            assert in_all - added > 25  # Python and the libraries
        for name in implementations.PYTORCH:
            assert 'not installed (torch)' in rows[name][0]
        for library, names in (('onnxruntime', implementations.ONNXRUNTIME), ('openvino', implementations.OPENVINO)):
            assert [f'not installed ({library})' in rows[name][0] for name in names if name in rows] == (
                [True, True] if case.kind == 'volume' else [])

    commands_section = text.split('## Whole commands')[1].split('\n## ')[0]
    rows = _rows(commands_section)[2:]
    assert len(rows) == 6
    for name, seconds, plain, *_ in rows:
        assert float(seconds) > 0
        if 'inference' in name or 'training' in name:
            assert plain == 'not installed (torch)'
        else:
            assert float(plain) > 0


def _rows(section):
    return [[cell.strip(' *') for cell in line.split('|')[1:-1]] for line in section.splitlines()
            if line.startswith('|')]


@needs_linux
def test_a_gpu_that_is_not_there_is_an_error_at_once(tmp_path):
    with pytest.raises(UserError, match='-g 99'):
        run.main(['-g', '99', '--out', str(tmp_path)])


@pytest.mark.gpu
@pytest.mark.parametrize('kind, batch', [('training', 2), ('forward', 2), ('volume', 1)])
def test_a_step_on_a_gpu_gives_the_cpu_s_result(kind, batch):
    case = cases.Case(kind, batch, (4, 5, 6), rate=2)
    on_cpu, on_gpu = (implementations.to_numpy(chainer_nets.prepare_project(case, gpu)()) for gpu in (-1, 0))
    numpy.testing.assert_allclose(on_gpu, on_cpu, rtol=1e-4, atol=1e-5)


@pytest.mark.gpu
def test_a_gpu_is_waited_for_and_its_memory_counted(gpu):
    device = devices.CupyDevice(0)
    device.forget()
    array = gpu.xp.zeros(1 << 20, 'float32')
    device.wait()
    memory = device.memory()
    assert memory['growth'] is None and memory['total'] >= 0 and array.size == 1 << 20
