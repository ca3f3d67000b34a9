import pytest

from benchmarks import report
from benchmarks.cases import Case
from benchmarks.commands import FILES, HERE, PLAIN, Command
from benchmarks.found import Found, best_of
from benchmarks.implementations import COPY, GEMM, IMPLEMENTATIONS, OPENVINO, PROJECT, names_of
from benchmarks.limits import work
from benchmarks.measure import Result
from benchmarks.processes import Runs, Usage
from benchmarks.yardsticks import COPIED, GEMM_SIDE

CASE = Case('volume', 1, (8, 8, 8))
MEMORY = {'growth': 10.0, 'total': 90.0}
PRODUCTS_A_SECOND = 1e9


def _found(runs=None, **others):
    results = {name: Result([0.02, 0.04, 0.03], MEMORY) for name in names_of(CASE, -1)}
    results[GEMM] = Result([GEMM_SIDE['cpu'] ** 3 / PRODUCTS_A_SECOND], MEMORY)
    results[COPY] = Result([2 * COPIED / 1e12], MEMORY)
    results.update(others)
    command = Command('a command', {}, network=((CASE, 2),))
    commands = [(command, runs)] if runs else []
    return Found([(CASE, results)], commands, {'iteration': 0.1, 'outside': 0.002}, -1, 3, 0.0)


def _section(text, heading):
    return text.split(f'## {heading}\n')[1].split('\n## ')[0]


def _cells(section, name):
    rows = [[cell.strip(' *`') for cell in line.split('|')[1:-1]] for line in section.splitlines() if '|' in line]
    return next(row for row in rows if row[0] == name)


def test_only_whole_volumes_on_the_cpu_have_the_runtimes_of_onnx():
    assert names_of(CASE, -1) == list(IMPLEMENTATIONS)
    rest = [name for name in IMPLEMENTATIONS if 'ONNX' not in name and 'OpenVINO' not in name]
    assert names_of(CASE, 0) == names_of(Case('training', 1, (8, 8, 8)), -1) == rest


def test_shares_are_of_the_limit_by_the_yardsticks():
    found = _found()
    needed = work(CASE)
    arithmetic, products = (n / PRODUCTS_A_SECOND for n in (needed.products + needed.transforms, needed.products))
    assert found.limit(CASE).seconds == pytest.approx(arithmetic)
    text = report.markdown(found)
    cells = _cells(_section(text, 'The limits'), CASE.name)
    assert cells[6:8] == [f'{100 * products / 0.03:.0f} %', f'{100 * arithmetic / 0.03:.0f} %']
    detail = _cells(_section(text, 'In detail'), PROJECT)
    assert detail[1] == '30' and detail[-1] == f'{100 * arithmetic / 0.03:.0f} %'


def test_a_commands_limit_is_its_files_and_its_networks():
    runs = {HERE: Runs([Usage(2.0, 3.0, 100.0), Usage(9.0, 9.0, 900.0), Usage(2.0, 3.0, 100.0)]),
            PLAIN: Runs([Usage(4.0, 5.0, 300.0)]), FILES: Runs([Usage(0.5, 0.1, 9.0)])}
    found = _found(runs)
    network = 2 * found.limit(CASE).seconds
    cells = _cells(_section(report.markdown(found), 'Whole commands'), 'a command')
    assert cells[1:6] == ['2.00', '4.00', '0.50', '3.00 / 5.00', '100 / 300']
    assert cells[6] == f'{0.5 + network:.3f} (0.500 + {network:.3f})'
    assert cells[7] == f'{100 * (0.5 + network) / 2:.0f} % / {100 * (0.5 + network) / 4:.0f} %'


def test_what_is_not_installed_is_said_and_the_rest_compared():
    runs = {HERE: Runs([Usage(2.0, 3.0, 100.0)]), PLAIN: Runs(failure='not installed (torch)'),
            FILES: Runs([Usage(0.5, 0.1, 9.0)])}
    absent = Result(failure='not installed (openvino)')
    text = report.markdown(_found(runs, **dict.fromkeys(OPENVINO, absent)))
    command = _cells(_section(text, 'Whole commands'), 'a command')
    assert command[1:4] == ['2.00', 'not installed (torch)', '–']
    assert 'not installed (openvino)' in _cells(_section(text, 'The network'), CASE.name)
    for name in OPENVINO:
        assert _cells(_section(text, 'In detail'), name)[1] == 'not installed (openvino)'


def test_without_a_yardstick_there_are_no_shares():
    found = _found(**{GEMM: Result(failure='ended')})
    assert found.limit(CASE) is None
    assert _cells(_section(report.markdown(found), 'The limits'), CASE.name)[1:] == ['–'] * 9


def test_the_fastest_is_that_of_the_least_median():
    results = {'a': Result([1.0, 5.0, 5.0]), 'b': Result([4.0, 4.0, 4.0]), 'c': Result(failure='no')}
    assert best_of(results, ['a', 'b', 'c', 'd']) == 'b'
    assert best_of(results, ['c', 'd']) is None
