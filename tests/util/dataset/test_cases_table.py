import pytest

from util.dataset.cases_table import begin_table, known_cases, read_table, subjects_of_sources, write_table
from util.script import UserError

ROW = {'source': 'sub-01/anat/sub-01_T1w.nii', 'size_xyz': '2x3x4', 'spacing_xyz_mm': '1x1x1', 'subject': 'sub-01',
       'orientation': 'RAS'}


def test_what_is_written_is_read(tmp_path):
    assert read_table(tmp_path) is None and known_cases(tmp_path) == set()
    rows = {'0000': ROW, '0001': {**ROW, 'source': 'a name with "quotes"\tand a tab.mha'}}
    write_table(tmp_path, rows)
    assert read_table(tmp_path) == {case: {'case': case, **row} for case, row in rows.items()}
    assert known_cases(tmp_path) == {'0000', '0001'}


def test_from_the_first_change_of_a_volume_to_the_end_there_is_no_table(tmp_path):
    write_table(tmp_path, {'0000': ROW, '0007': ROW})
    begin_table(tmp_path, known_cases(tmp_path) | {'0001'})
    assert not (tmp_path / 'cases.tsv').exists() and known_cases(tmp_path) == {'0000', '0001', '0007'}
    with pytest.raises(UserError, match=r'interrupted; make the volumes anew with: python util/miscs/clean_data.py'):
        read_table(tmp_path)
    write_table(tmp_path, {'0000': ROW})
    assert known_cases(tmp_path) == {'0000'} == set(read_table(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ['cases.tsv']


def test_subjects_outlive_runs_that_are_interrupted(tmp_path):
    """However often; the table aside is taken for no table, and goes when the next one is written."""
    write_table(tmp_path, {'0000': {**ROW, 'subject': 'Ada'}})
    for case in ('0000', '0001', '0000'):
        begin_table(tmp_path, {case})
        assert subjects_of_sources(tmp_path) == {ROW['source']: 'Ada'} and known_cases(tmp_path) == {case}
    write_table(tmp_path, {'0000': ROW})
    assert subjects_of_sources(tmp_path) == {ROW['source']: 'sub-01'}
    assert [path.name for path in tmp_path.iterdir()] == ['cases.tsv']


def test_a_table_of_before_there_were_subjects_has_them_by_its_sources(tmp_path):
    (tmp_path / 'cases.tsv').write_text('case\tsource\tsize_xyz\tspacing_xyz_mm\n0000\tsub-02/x_T1w.nii\t2x2x2\t1x1x1\n'
                                        '0001\tb/y.mha\t2x2x2\t1x1x1\n')
    assert [row['subject'] for row in read_table(tmp_path).values()] == ['sub-02', 'b/y']


def test_a_table_that_a_spreadsheet_program_saved_is_read(tmp_path):
    (tmp_path / 'cases.tsv').write_bytes('\ufeffcase\tsource\tsubject\r\n0000\ta.nii\tanna\r\n'.encode())
    assert read_table(tmp_path)['0000']['subject'] == 'anna'


def test_cases_of_which_a_spreadsheet_program_made_numbers_are_the_volumes_that_are_there(tmp_path):
    for name in ('0000', '0011', '7'):
        (tmp_path / f'{name}.mhd').touch()
    (tmp_path / 'cases.tsv').write_text('case\tsource\tsubject\n0\ta.nii\tanna\n11\tb.nii\tbob\n7\tc.nii\tcarl\n')
    assert {case: row['subject'] for case, row in read_table(tmp_path).items()} == {
        '0000': 'anna', '0011': 'bob', '7': 'carl'}
    assert known_cases(tmp_path) == {'0000', '0011', '7'}


@pytest.mark.parametrize('content', [
    b'\xff\xfe\x00', b'', b'something', b'something\nelse\n', b'case\tsource\n0000\t\n', b'case\tsource\n0000\n',
    b'case\tsource\n0000\ta.nii\n0000\tb.nii\n', b'case\tsource\n0000\t"a\n',
    b'case\tsource\n../0000\ta.nii\n'])
def test_a_damaged_table_is_one_line_that_says_what_to_do(tmp_path, content):
    (tmp_path / 'cases.tsv').write_bytes(content)
    for read in (read_table, known_cases):
        with pytest.raises(UserError, match=r'cases.tsv: damaged: .*clean_data.py') as caught:
            read(tmp_path)
        assert '\n' not in str(caught.value)
