import errno
import os
import stat

import pytest

from util.files import UNFINISHED, read_text, remove_strays, replacing, write_text
from util.script import UserError


def test_new_content_takes_the_place_of_the_old(tmp_path):
    path = tmp_path / 'folder' / 'a.txt'
    for text in ('one', 'two'):
        with replacing(path) as temporary:
            assert temporary.suffix == '.txt' and temporary.parent == path.parent
            assert temporary.name.startswith(UNFINISHED)
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


def test_what_is_written_is_on_the_disk_before_it_takes_the_place_of_anything(tmp_path, monkeypatch):
    done = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, 'fsync', lambda handle: (done.append(os.fstat(handle).st_size), fsync(handle)))
    monkeypatch.setattr(os, 'replace', lambda *paths: (done.append('replaced'), replace(*paths)))
    write_text(tmp_path / 'a.txt', 'twelve bytes')
    assert done[:2] == [12, 'replaced']
    assert len(done) == 3 or os.name == 'nt'  # the folder's name for it


@pytest.mark.parametrize('number', [errno.ENOSPC, errno.EROFS])
def test_a_full_disk_names_the_file_and_leaves_the_old_one(tmp_path, monkeypatch, number):
    write_text(tmp_path / 'a.txt', 'old')

    def fail(handle):
        raise OSError(number, os.strerror(number))  # as write() does, without a name

    monkeypatch.setattr(os, 'fsync', fail)
    with pytest.raises(OSError) as caught:
        write_text(tmp_path / 'a.txt', 'new')
    assert str(caught.value) == f'[Errno {number}] {os.strerror(number)}: {str(tmp_path / "a.txt")!r}'
    assert (tmp_path / 'a.txt').read_text() == 'old' and os.listdir(tmp_path) == ['a.txt']


def test_a_folder_in_the_way_is_named_not_the_temporary_file(tmp_path):
    (tmp_path / 'a.txt').mkdir()
    with pytest.raises(OSError) as caught:
        write_text(tmp_path / 'a.txt', '')
    assert caught.value.filename == str(tmp_path / 'a.txt') and os.listdir(tmp_path) == ['a.txt']


def test_what_a_kill_left_goes_and_nothing_else(tmp_path):
    with replacing(tmp_path / 'gen.npz') as temporary:
        left = temporary.name
    for name in (left, 'gen.npz', '.hidden', 'unfinished'):
        (tmp_path / name).write_text('')
    (tmp_path / f'{UNFINISHED}folder').mkdir()
    remove_strays(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ['.hidden', f'{UNFINISHED}folder', 'gen.npz', 'unfinished']
    remove_strays(tmp_path / 'none')


@pytest.mark.parametrize('content, words', [
    (b'123456', 'a.txt: larger than the 5 bytes'), (b'\xff\xfe', 'a.txt: not a UTF-8 text file: invalid start byte'),
    (b'a\0b', 'a.txt: not a text file: it holds NUL bytes')])
def test_what_is_no_text_of_that_size_is_refused(tmp_path, content, words):
    (tmp_path / 'a.txt').write_bytes(content)
    with pytest.raises(UserError, match=words):
        read_text(tmp_path / 'a.txt', 5)


def test_a_text_is_read_with_or_without_a_byte_order_mark(tmp_path):
    for mark in (b'', b'\xef\xbb\xbf'):
        (tmp_path / 'a.txt').write_bytes(mark + b'r\xc2\xb3')
        assert read_text(tmp_path / 'a.txt', 9) == 'r³'
