"""No volume's files can be another's, whatever the names, and nothing is removed that a volume did not name."""
import os
import shutil

import pytest

from tests.util.volumes.files import assert_same, make_volume, names
from util.script import UserError
from util.volumes import writing
from util.volumes.reading import read_volume
from util.volumes.writing import data_file, remove_volume, write_volume

NAMES = 'scan', 'scan.1', 'scan.1.1', 'scan.raw', 'scan.raw1', 'scan.2', 'sca'


@pytest.mark.parametrize('order', [NAMES, NAMES[::-1]])
def test_no_volume_s_files_are_another_s(tmp_path, order):
    """A spare data file of `scan` must not be the data file of a volume whose name is like it."""
    for turn in range(3):
        for number, name in enumerate(order):
            write_volume(tmp_path / f'{name}.mhd', make_volume(10 * turn + number))
        for number, name in enumerate(order):
            assert_same(read_volume(tmp_path / f'{name}.mhd'), make_volume(10 * turn + number))
        assert len(names(tmp_path)) == 2 * len(NAMES)
    for number, name in enumerate(order):
        remove_volume(tmp_path / f'{name}.mhd')
        for later in order[number + 1:]:
            assert_same(read_volume(tmp_path / f'{later}.mhd'), make_volume(20 + order.index(later)))
    assert not names(tmp_path)


def test_names_that_metaimage_cannot_hold_are_told_apart_without_a_look_at_each_other(tmp_path):
    """Two processes may write them at the same time."""
    write_volume(tmp_path / 'one/a%b.mhd', make_volume(1))
    write_volume(tmp_path / 'other/a\tb.mhd', make_volume(2))
    assert data_file(tmp_path / 'one/a%b.mhd').name != data_file(tmp_path / 'other/a\tb.mhd').name


def test_headers_that_have_not_changed_are_read_once(tmp_path, monkeypatch):
    """Else 300 volumes in a folder take 45 000 readings, and twice as many where they replace others."""
    read = []
    monkeypatch.setattr(writing, 'data_file', lambda path: read.append(str(path)) or data_file(path))
    for _ in range(3):
        for number in range(10):
            write_volume(tmp_path / f'{number}.mhd', make_volume(number))
    assert len([path for path in read if '.writing' not in path]) <= 3 * 10


def test_what_is_there_without_a_header_is_kept(tmp_path):
    (tmp_path / 'scan.raw').write_bytes(b'a scanner wrote this')
    (tmp_path / 'scan.nii').write_bytes(b'and this')
    for _ in range(3):
        write_volume(tmp_path / 'scan.mhd', make_volume())
    remove_volume(tmp_path / 'scan.mhd')
    assert names(tmp_path) == ['scan.nii', 'scan.raw']
    assert (tmp_path / 'scan.raw').read_bytes() == b'a scanner wrote this'


@pytest.mark.parametrize('suffix', ['.mhd', '.nhdr'])
def test_a_file_that_another_header_names_is_neither_overwritten_nor_removed(tmp_path, suffix):
    """The header of a copy names the same voxels."""
    write_volume(tmp_path / 'scan.mhd', make_volume(1))
    if suffix == '.mhd':
        shutil.copy(tmp_path / 'scan.mhd', tmp_path / 'copy.mhd')
    else:
        (tmp_path / 'copy.nhdr').write_text('NRRD0004\ntype: short\ndimension: 3\nsizes: 7 6 5\nendian: little\n'
                                            'spacings: 1 1 1\nencoding: raw\ndata file: scan.raw\n')
    copy = read_volume(tmp_path / f'copy{suffix}')
    for seed in (2, 3):
        write_volume(tmp_path / 'scan.mhd', make_volume(seed))
        assert_same(read_volume(tmp_path / 'scan.mhd'), make_volume(seed))
        assert_same(read_volume(tmp_path / f'copy{suffix}'), copy)
    remove_volume(tmp_path / 'scan.mhd')
    assert names(tmp_path) == sorted([f'copy{suffix}', 'scan.raw'])
    assert_same(read_volume(tmp_path / f'copy{suffix}'), copy)


def test_a_header_that_names_a_missing_file_does_not_get_another_volume_s_voxels(tmp_path):
    write_volume(tmp_path / 'scan.mhd', make_volume(1))
    os.rename(tmp_path / 'scan.mhd', tmp_path / 'renamed.mhd')
    (tmp_path / 'scan.raw').unlink()
    write_volume(tmp_path / 'scan.mhd', make_volume(2))
    with pytest.raises(UserError, match='scan.raw: no such file'):
        read_volume(tmp_path / 'renamed.mhd')


def test_files_elsewhere_and_of_other_kinds_are_never_removed(tmp_path):
    """A header made by hand may borrow the voxels of any file."""
    (tmp_path / 'out').mkdir()
    for name, file in (('../a.raw', tmp_path / 'a.raw'), ('a.nii', tmp_path / 'out/a.nii'),
                       (str(tmp_path / 'b.raw'), tmp_path / 'b.raw')):
        file.write_bytes(make_volume().array.tobytes())
        for remove in (remove_volume, lambda path: write_volume(path, make_volume())):
            (tmp_path / 'out/scan.mhd').write_text(f'NDims = 3\nDimSize = 7 6 5\nElementType = MET_SHORT\n'
                                                   f'ElementDataFile = {name}\n')
            assert data_file(tmp_path / 'out/scan.mhd').samefile(file)
            remove(tmp_path / 'out/scan.mhd')
            assert file.exists()


def test_a_folder_written_by_an_earlier_version_is_taken_over(tmp_path):
    """It had NAME.1.raw as the spare."""
    write_volume(tmp_path / 'scan.mhd', make_volume(1))
    os.rename(tmp_path / 'scan.raw', tmp_path / 'scan.1.raw')
    text = (tmp_path / 'scan.mhd').read_text().replace('scan.raw', 'scan.1.raw')
    (tmp_path / 'scan.mhd').write_text(text)
    write_volume(tmp_path / 'scan.mhd', make_volume(2))
    assert_same(read_volume(tmp_path / 'scan.mhd'), make_volume(2))
    assert names(tmp_path) == ['scan.mhd', 'scan.raw']


@pytest.mark.parametrize('name', ['with blanks', ' ', ' a', 'a ', 'LIST', 'listing', 'SKIPLIST', '50%', '%03d', 'ü',
                                  'LOCAL', 'a=b', 'a:b', 'a\tb', '.hidden', 'a.mha', 'x' * 200, '=1+1', ':a', '~',
                                  '~a'])
def test_any_name_can_be_written_rewritten_and_removed(tmp_path, name):
    """Those that mean something else in a MetaImage's header as well; and in a folder with such a name."""
    folder = tmp_path / name
    for seed in range(3):
        write_volume(folder / f'{name}.mhd', make_volume(seed))
        assert_same(read_volume(folder / f'{name}.mhd'), make_volume(seed))
        assert len(names(folder)) == 2
    remove_volume(folder / f'{name}.mhd')
    assert not names(folder)


@pytest.mark.skipif(os.name == 'nt', reason='there it is a separator')
def test_a_name_under_which_metaimage_would_not_find_its_voxels_is_not_written(tmp_path):
    with pytest.raises(UserError, match=r'a\\b.mhd: MetaImage takes the \\ in this name for a folder'):
        write_volume(tmp_path / 'a\\b.mhd', make_volume())
    assert not names(tmp_path)
    write_volume(tmp_path / 'a\\b/scan.mhd', make_volume())
    assert_same(read_volume(tmp_path / 'a\\b/scan.mhd'), make_volume())


@pytest.mark.parametrize('path', ['out/../scan.mhd', './scan.mhd', 'scan.mhd'])
def test_a_path_may_be_relative(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'out').mkdir()
    for seed in range(3):
        write_volume(path, make_volume(seed))
        write_volume('scan.1.mhd', make_volume(seed + 5))
    assert_same(read_volume(path), make_volume(2))
    remove_volume(path)
    assert len(names(tmp_path)) == 3


def test_a_header_that_was_cut_short_names_no_file_to_remove(tmp_path):
    """scan.raw1 cut short is scan.raw."""
    (tmp_path / 'scan.raw').write_bytes(b'a scanner wrote this')
    (tmp_path / '.scan.writing').mkdir()
    (tmp_path / '.scan.writing/new.mhd').write_text('NDims = 3\nElementDataFile = scan.raw')
    write_volume(tmp_path / 'scan.mhd', make_volume())
    assert names(tmp_path) == ['scan.mhd', 'scan.raw', 'scan.raw1']
