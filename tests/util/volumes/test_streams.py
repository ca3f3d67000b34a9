"""No more is read than a header asks for, and a stream that is damaged, short or long is refused."""
import gzip
import os
import re
import resource
import subprocess
import sys
import time
from pathlib import Path

import nibabel
import numpy
import pytest

from tests.util.volumes.files import patch, refusal, save
from tests.util.volumes.nifti_files import save as save_nifti
from util.script import PROJECT, UserError
from util.volumes import streams
from util.volumes.itk import simple_itk
from util.volumes.reading import read_volume

NOISE = numpy.random.default_rng(0).integers(0, 200, (16, 17, 18)).astype(numpy.int16)
NEEDED = 352 + NOISE.nbytes


@pytest.mark.parametrize('kept', [0.01, 0.3, 0.9, 0.9999])
def test_a_truncated_gzip_stream_is_refused(tmp_path, kept):
    path = save(tmp_path / 'a.nii.gz', NOISE)
    os.truncate(path, int(path.stat().st_size * kept))
    assert 'truncated' in refusal(path)


@pytest.mark.parametrize('more', [-NOISE.nbytes, -10, -1])
def test_a_truncated_file_is_refused_plain_or_packed_afterwards(tmp_path, more):
    path = save(tmp_path / 'a.nii', NOISE)
    os.truncate(path, NEEDED + more)
    for file in (path, tmp_path / 'b.nii.gz'):
        (tmp_path / 'b.nii.gz').write_bytes(gzip.compress(path.read_bytes()))
        assert f'truncated: {NEEDED} bytes are needed, {NEEDED + more} are there' in refusal(file)


@pytest.mark.parametrize('more', [1, 100, 3_000_000])
def test_a_file_that_is_too_long_is_refused_plain_or_packed(tmp_path, more):
    path = save(tmp_path / 'a.nii', NOISE)
    os.truncate(path, NEEDED + more)
    assert f'too long: its header asks for {NEEDED} bytes, {NEEDED + more} are there' in refusal(path)
    (tmp_path / 'b.nii.gz').write_bytes(gzip.compress(path.read_bytes()))
    assert f'too long: its header asks for {NEEDED} bytes, and more are there' in refusal(tmp_path / 'b.nii.gz')


def test_what_follows_a_gzip_stream_is_refused(tmp_path):
    path = save(tmp_path / 'a.nii.gz', NOISE)
    with open(path, 'ab') as file:
        file.write(b'more')
    assert 'truncated or damaged' in refusal(path)


def test_every_bit_of_a_packed_file_is_under_its_checksum(tmp_path):
    """Except those that say nothing of the content: gzip's time and system, the padding of the last byte."""
    path = save(tmp_path / 'a.nii.gz', NOISE[:4, :4, :4])
    whole, expected = path.read_bytes(), read_volume(path)
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        try:
            volume = read_volume(path)
        except UserError:
            continue
        numpy.testing.assert_array_equal(volume.array, expected.array)


def test_a_bomb_is_refused_in_little_memory_and_time(tmp_path):
    """A header that asks for little before 4 GB of zeros, and one that asks for them."""
    small = save_nifti(tmp_path / 'a.nii').read_bytes()
    zeros = gzip.compress(bytes(1 << 24), 9)
    (tmp_path / 'bomb.nii.gz').write_bytes(gzip.compress(small) + zeros * 256)
    image = nibabel.Nifti1Image(numpy.zeros((2, 2, 2), numpy.int16), numpy.eye(4))
    image.header['dim'][1:4] = 20000, 20000, 20000
    image.header['vox_offset'] = 352
    (tmp_path / 'asks.nii.gz').write_bytes(gzip.compress(image.header.binaryblock + bytes(4)) + zeros)
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    assert 'too long: its header asks for 772 bytes, and more are there' in refusal(tmp_path / 'bomb.nii.gz')
    assert re.search('cannot hold so many|more than memory can hold', refusal(tmp_path / 'asks.nii.gz'))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB
    assert time.monotonic() - start < 2


@pytest.mark.parametrize('suffix', ['.nii', '.mhd', '.nhdr'])
def test_voxels_for_which_memory_does_not_suffice_are_one_line(tmp_path, monkeypatch, suffix):
    path = save(tmp_path / f'a{suffix}', NOISE)
    read_volume(path)
    monkeypatch.setattr(os, 'sysconf', lambda name: 1)
    assert 'GiB, more than memory can hold' in refusal(path)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != 'linux', reason='limits on memory are those of Linux')
@pytest.mark.parametrize('suffix', ['.nii', '.nii.gz', '.mha', '.nrrd'])
def test_memory_that_runs_out_is_one_line(tmp_path, suffix):
    path = save(tmp_path / f'a{suffix}', numpy.zeros((400, 400, 400), numpy.int16), compressed=True)
    code = ('import resource, sys\n'
            'from util.script import run\n'
            'from util.volumes.itk import simple_itk\n'
            'from util.volumes.reading import read_volume\n'
            'simple_itk()\n'
            'used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()\n'
            'resource.setrlimit(resource.RLIMIT_AS, (used + 100_000_000,) * 2)\n'
            'run(lambda: read_volume(sys.argv[1]))')
    done = subprocess.run([sys.executable, '-c', code, path], cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith(f'error: {path}: ') and done.stderr.count('\n') == 1


def test_a_file_that_may_not_be_read_is_one_line(tmp_path, monkeypatch):
    path = save(tmp_path / 'a.nii', NOISE)

    def refuse(*args, **kwargs):
        raise PermissionError(13, 'Permission denied')

    monkeypatch.setattr(streams, 'open', refuse, raising=False)
    assert refusal(path) == f'{path}: cannot be read: Permission denied'


@pytest.mark.skipif(not os.path.isdir('/dev/fd'), reason='no pipe has a name here')
def test_a_pipe_of_the_shell_is_no_link_to_a_file_that_is_not_there():
    """Such as -i <(cat a.nii)."""
    reading, writing = os.pipe()
    try:
        assert refusal(Path(f'/dev/fd/{reading}')) == f'/dev/fd/{reading}: not a regular file'
    finally:
        os.close(reading)
        os.close(writing)


def test_a_name_that_is_too_long_is_one_line(tmp_path):
    assert 'cannot be read: File name too long' in refusal(tmp_path / ('a' * 300 + '.nii'))


def test_reading_takes_no_longer_than_nibabel_itself(tmp_path):
    scan = (numpy.random.default_rng(0).normal(size=(192, 192, 160)) * 20 + 50).astype(numpy.int16)
    path = save(tmp_path / 'a.nii.gz', scan)

    def seconds(read):
        start = time.perf_counter()
        read(path)
        return time.perf_counter() - start

    # in turn, so that what else the machine does falls on both
    times = [(seconds(read_volume), seconds(lambda path: numpy.asanyarray(nibabel.load(path).dataobj)))
             for _ in range(5)]
    ours, theirs = numpy.min(times, axis=0)
    assert ours < 1.5 * theirs


def test_the_end_of_a_header_s_own_stream_is_checked_as_well(tmp_path):
    save_nifti(tmp_path / 'a.hdr', klass=nibabel.Nifti1Pair)
    packed = gzip.compress((tmp_path / 'a.hdr').read_bytes())
    (tmp_path / 'a.img.gz').write_bytes((tmp_path / 'a.img').read_bytes())
    (tmp_path / 'a.hdr.gz').write_bytes(packed)
    read_volume(tmp_path / 'a.hdr.gz')
    patch(tmp_path / 'a.hdr.gz', len(packed) - 8, b'abcd')  # the checksum
    assert 'truncated or damaged: CRC check failed' in refusal(tmp_path / 'a.hdr.gz')


def test_a_library_that_cannot_be_loaded_is_one_line(tmp_path, monkeypatch):
    """As where memory does not suffice for it."""
    path = save(tmp_path / 'a.mha', numpy.zeros((4, 4, 4), numpy.int16))
    simple_itk.cache_clear()
    monkeypatch.setitem(sys.modules, 'SimpleITK', None)
    try:
        with pytest.raises(UserError, match='SimpleITK cannot be loaded: .*; is it installed'):
            read_volume(path)
    finally:
        simple_itk.cache_clear()
