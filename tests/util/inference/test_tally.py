from pathlib import Path

from util.dataset.case_lists import Case
from util.inference.case_work import Outcome
from util.inference.tally import Tally
from util.reports.score_table import read_csv
from util.scores.metrics import METRICS

SCORES = {'network': dict.fromkeys(METRICS, 1.0)}


def test_outcomes_are_told_in_the_order_of_the_cases_and_tables_are_there_at_once(tmp_path):
    cases = [Case(name, Path(f'{name}.mhd'), None) for name in 'abcd']
    tally = Tally(tmp_path, cases)
    tally.add(2, Outcome(True, ['c: no picture'], 'unlike', SCORES))
    assert list(read_csv(tmp_path / 'scores.csv')) == ['c']
    tally.add(3, Outcome(False, ['d: damaged']))
    tally.add(0, Outcome(True, [], None, SCORES))
    assert list(read_csv(tmp_path / 'scores.csv')) == list(tally.rows) == ['a', 'c']
    assert tally.done == [cases[0], cases[2]] and tally.failures == ['c: no picture', 'd: damaged']
    assert tally.unlike == {Path('c.mhd'): 'unlike'} and not (tmp_path / 'uncertainty.csv').exists()
