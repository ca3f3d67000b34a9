import os
import stat

import pytest

from util.files import replacing, write_text


def test_new_content_takes_the_place_of_the_old(tmp_path):
    path = tmp_path / 'folder' / 'a.txt'
    for text in ('one', 'two'):
        with replacing(path) as temporary:
            assert temporary.suffix == '.txt' and temporary.parent == path.parent
            temporary.write_text(text)
        assert path.read_text() == text
    assert os.listdir(path.parent) == ['a.txt']


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / 'a.txt'
    path.write_text('old')
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text('half')
        raise RuntimeError
    assert path.read_text() == 'old' and os.listdir(tmp_path) == ['a.txt']


@pytest.mark.skipif(os.name == 'nt', reason='Windows has no such permissions')
def test_the_file_has_ordinary_permissions(tmp_path):
    (tmp_path / 'ordinary').touch()
    with replacing(tmp_path / 'a.txt'):
        pass
    assert stat.S_IMODE((tmp_path / 'a.txt').stat().st_mode) == stat.S_IMODE((tmp_path / 'ordinary').stat().st_mode)


def test_text_is_utf8_with_line_feeds(tmp_path):
    write_text(tmp_path / 'folder/a.txt', 'r³\nz\n')
    assert (tmp_path / 'folder/a.txt').read_bytes() == b'r\xc2\xb3\nz\n'
