import os
import shutil

import pytest
from hypothesis import given, settings, strategies

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
    (None, 'list.txt: no such case list; make lists with: python util/miscs/make_lists.py --val 1 --test 1'),
    ('\n \n', 'list.txt: an empty case list'),
    ('LR/b.mhd\nLR/a.mhd HR/a.mhd more\n', 'list.txt, line 2: 3 fields'),
    ('LR/b.mhd\n\nLR/c.mhd\n', 'line 3: no volume .*LR/c.mhd; make it with: python util/miscs/make_lr_img.py'),
    ('LR/a.mhd\nHR/a.mhd\n', 'line 2: case a is in the list already'),
    ('LR/mean.mhd\n', 'line 1: a case cannot be called mean'),
    ('LR/.mhd\n', 'line 1: .*LR/.mhd has no name'),
    ('LR/a.mhd/below\n', 'line 1: no volume .*LR/a.mhd/below'), ('LR\n', 'line 1: no volume .*LR;'),
    ('LR/round.mhd\n', 'line 1: no volume .*round.mhd'), ('x' * 300 + '\n', 'line 1: no volume .*xxx'),
    ('x/' * 10 ** 6 + '\n', 'line 1: no volume .*x/x.* ... '), ('a ' * 10 ** 6 + '\n', 'line 1: 1000000 fields'),
    ('LR/a.mhd\0\n', 'list.txt: not a text file: it holds NUL bytes'), ('\n' * (2 ** 24 + 1), 'list.txt: larger than')])
def test_faults_are_one_line_with_place_and_remedy(root, text, message):
    (root / 'LR/mean.mhd').touch()
    (root / 'LR/.mhd').touch()
    (root / 'LR/round.mhd').symlink_to(root / 'LR/round.mhd')
    if text is not None:
        (root / 'list.txt').write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        read_list(root / 'list.txt', root)
    assert '\n' not in str(caught.value)


def test_a_path_with_white_space_is_not_written(root):
    with pytest.raises(UserError, match="white space.*'my LR/a.mhd'"):
        write_list(root / 'list.txt', [Case('a', root / 'my LR/a.mhd', None)], root)
    assert not (root / 'list.txt').exists()


@pytest.mark.parametrize('name, words', [
    ('HR', 'HR: cannot be read as a case list: Is a directory'), ('x' * 300, 'x: cannot be read as a case list: File'),
    ('round', 'round: cannot be read as a case list: Too many levels'), ('binary', 'binary: not a UTF-8 text file')])
def test_what_is_no_list_is_one_line(root, name, words):
    (root / 'round').symlink_to(root / 'round')
    (root / 'binary').write_bytes(b'\x89PNG\r\n\x1a\n')
    with pytest.raises(UserError, match=words):
        read_list(root / name, root)


def test_a_list_with_a_byte_order_mark_is_read(root):
    (root / 'list.txt').write_bytes(b'\xef\xbb\xbfLR/a.mhd HR/a.mhd\r\n')
    assert read_list(root / 'list.txt', root) == [Case('a', root / 'LR/a.mhd', root / 'HR/a.mhd')]


@pytest.mark.skipif(os.name == 'nt', reason='names are UTF-16 there')
def test_a_name_that_is_not_utf8_is_not_written(root):
    with pytest.raises(UserError, match='not UTF-8'):
        write_list(root / 'list.txt', [Case('a', root / os.fsdecode(b'\xff.mhd'), None)], root)


NAMES = strategies.text(strategies.characters(codec='utf-8', exclude_characters='\0/.'), min_size=1, max_size=20)


@settings(deadline=None, derandomize=True, database=None)
@given(strategies.lists(strategies.tuples(NAMES, strategies.booleans()), min_size=1, max_size=4,
                        unique_by=lambda case: case[0]))
def test_what_is_written_reads_back_or_is_refused(tmp_path_factory, names):
    root = tmp_path_factory.mktemp('root').resolve()
    cases = [Case(name, root / f'LR/{name}.mhd', root / f'HR/{name}.nii.gz' if has_hr else None)
             for name, has_hr in names]
    for path in [path for case in cases for path in case[1:3] if path]:
        path.parent.mkdir(exist_ok=True)
        path.touch()
    try:
        write_list(root / 'list.txt', cases, root)
    except UserError:
        assert any(name.split() != [name] for name, _ in names)
    else:
        assert read_list(root / 'list.txt', root) == cases
    shutil.rmtree(root)
