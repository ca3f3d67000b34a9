import pytest

from util.dataset.case_lists import Case, read_list, write_list
from util.script import UserError


@pytest.fixture
def root(tmp_path):
    for name in ('LR/a.mhd', 'LR/b.mhd', 'HR/a.mhd'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_a_list_reads_back_relative_to_the_root(root):
    cases = [Case('b', root / 'LR/b.mhd', None), Case('a', root / 'LR/a.mhd', root / 'HR/a.mhd')]
    write_list(root / 'list.txt', cases, root)
    assert (root / 'list.txt').read_text() == 'LR/b.mhd\nLR/a.mhd HR/a.mhd\n'
    assert read_list(root / 'list.txt', root) == cases


def test_paths_outside_the_root_stay_absolute(root):
    cases = [Case('a', root / 'LR/a.mhd', root / 'HR/a.mhd')]
    write_list(root / 'list.txt', cases, root / 'HR')
    assert (root / 'list.txt').read_text() == f'{root}/LR/a.mhd a.mhd\n'
    assert read_list(root / 'list.txt', root / 'HR') == cases


def test_blank_lines_and_any_white_space_are_fine(root):
    (root / 'list.txt').write_text('\n  LR/a.mhd \t HR/a.mhd  \r\n\n')
    assert read_list(root / 'list.txt', root) == [Case('a', root / 'LR/a.mhd', root / 'HR/a.mhd')]


@pytest.mark.parametrize('text, message', [
    (None, 'list.txt: no such case list; make lists with: python util/miscs/make_lists.py'),
    ('\n \n', 'list.txt: an empty case list'),
    ('LR/b.mhd\nLR/a.mhd HR/a.mhd more\n', 'list.txt, line 2: 3 fields'),
    ('LR/b.mhd\n\nLR/c.mhd\n', 'line 3: no volume .*LR/c.mhd; make it with: python util/miscs/make_lr_img.py'),
    ('LR/a.mhd\nHR/a.mhd\n', 'line 2: case a is in the list already'),
    ('LR/mean.mhd\n', 'line 1: a case cannot be called mean')])
def test_faults_are_one_line_with_place_and_remedy(root, text, message):
    (root / 'LR/mean.mhd').touch()
    if text is not None:
        (root / 'list.txt').write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        read_list(root / 'list.txt', root)
    assert '\n' not in str(caught.value)


def test_a_path_with_white_space_is_not_written(root):
    with pytest.raises(UserError, match="white space.*'my LR/a.mhd'"):
        write_list(root / 'list.txt', [Case('a', root / 'my LR/a.mhd', None)], root)
    assert not (root / 'list.txt').exists()
