"""Whatever a server does, a file is there complete and right or not at all, and no byte is asked for twice in vain."""
import email.utils
import hashlib
import time

import numpy
import pytest

from tests.util.dataset import web
from util.dataset.download import download
from util.script import UserError

CONTENT = numpy.random.default_rng(0).bytes(300_000)
HALF = len(CONTENT) // 2


class Job:
    """One file of a server, and what happens as it is fetched."""

    def __init__(self, server, folder):
        self.server, self.path, self.waits, self.told = server, folder / 'sub-01/T1w.nii.gz', [], []
        self.part = self.path.with_name('T1w.nii.gz.part')
        server.content['T1w.nii.gz'] = CONTENT

    def __call__(self, *faults, content=CONTENT, waits=(1, 2, 4), timeout=5):
        self.server.faults['T1w.nii.gz'] = list(faults)
        return download(f'{self.server.url}T1w.nii.gz', self.path, len(content), hashlib.md5(content).hexdigest(),
                        self.told.append, waits=waits, timeout=timeout, sleep=self.waits.append)

    def leave(self, content):
        """What an earlier call has left."""
        self.path.parent.mkdir()
        self.part.write_bytes(content)

    @property
    def ranges(self):
        return [asked for _, asked in self.server.requests]

    def check(self):
        assert self.path.read_bytes() == CONTENT and not self.part.exists() and self.told[-1] == len(CONTENT)


@pytest.fixture
def job(tmp_path, monkeypatch):
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    with web.Web() as server:
        yield Job(server, tmp_path)
        server.shutdown()


def test_a_file_that_is_there_is_not_asked_for_again(job):
    assert job() is True
    job.check()
    assert job() is False and job.ranges == [None]


@pytest.mark.parametrize('fault', [web.status(500), web.status(503), web.status(429), web.status(408), web.hang_up])
def test_what_may_pass_is_tried_again_after_longer_and_longer_waits_of_random_length(job, fault):
    assert job(fault, fault, fault)
    job.check()
    assert len(job.ranges) == 4
    assert all(full / 2 <= wait <= full for wait, full in zip(job.waits, (1, 2, 4), strict=True))
    assert len({wait / full for wait, full in zip(job.waits, (1, 2, 4))}) == 3


@pytest.mark.parametrize('header, seconds', [('7', 7), ('999999', 300), ('in 100 s', 100), ('soon', 0),
                                             ('Wed, 21 Oct 2015 07:28:00 GMT', 0)])
def test_a_server_is_left_alone_for_as_long_as_it_asks(job, header, seconds):
    if header == 'in 100 s':
        header = email.utils.formatdate(time.time() + 100)
    assert job(web.status(429, Retry_After=header))
    assert job.waits[0] == pytest.approx(seconds, abs=3) if seconds else 0.5 <= job.waits[0] <= 1


@pytest.mark.parametrize('code', [400, 403, 404, 410])
def test_a_refusal_that_will_not_pass_is_told_at_once(job, code):
    with pytest.raises(UserError, match=f'T1w.nii.gz: HTTP {code} '):
        job(web.status(code))
    assert len(job.ranges) == 1 and not job.waits and not job.path.exists()


def test_a_body_that_breaks_off_goes_on_where_it_was_and_tries_are_counted_anew(job):
    """Ten breaks, each after some bytes more, with two tries."""
    assert job(*[web.cut(20_000)] * 10, waits=(1,))
    job.check()
    assert job.ranges == [None, *(f'bytes={20_000 * n}-' for n in range(1, 11))]


def test_a_server_that_goes_silent_is_given_up_and_asked_for_the_rest(job):
    assert job(web.cut(HALF, seconds=1), timeout=0.2)
    job.check()
    assert job.ranges == [None, f'bytes={HALF}-']


def test_a_server_without_ranges_begins_anew_and_breaks_do_not_go_on_forever(job):
    assert job(web.cut(HALF), web.no_ranges)
    job.check()
    assert job.ranges == [None, f'bytes={HALF}-']
    job.path.unlink()
    with pytest.raises(UserError, match=f'broke off at byte {HALF} of 300000; given up after 3 tries in a row. The '
                                        f'same command goes on from byte {HALF}'):
        job(*[web.cut_whole(HALF)] * 9, waits=(1, 1))
    assert job.part.read_bytes() == CONTENT[:HALF] and not job.path.exists()


def test_what_an_earlier_call_has_left_is_gone_on_with(job):
    job.leave(CONTENT[:1000])
    assert job()
    job.check()
    assert job.ranges == ['bytes=1000-']


def test_a_part_that_is_complete_needs_no_server_and_one_that_is_too_long_is_no_part(job):
    job.leave(CONTENT)
    assert job() and not job.ranges
    job.check()
    job.path.rename(job.part)
    job.part.write_bytes(CONTENT + b'more')
    assert job() and job.ranges == [None]
    assert job.path.read_bytes() == CONTENT


def test_a_file_of_another_content_is_thrown_away_and_told(job):
    other = CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])
    with pytest.raises(UserError, match='not the file that it ought to be: its MD5 is [0-9a-f]{32}, where'):
        job(content=other)
    assert not job.path.exists() and not job.part.exists() and len(job.ranges) == 1
    job.part.write_bytes(other[-1:] + other[1:HALF])  # a part of another file, found out at the end
    with pytest.raises(UserError, match='its MD5 is'):
        job()
    assert job()
    job.check()


def test_a_file_of_another_size_is_told_before_it_comes(job):
    with pytest.raises(UserError, match='the server has a file of 300000 bytes, where 299999 are expected'):
        job(content=CONTENT[:-1])
    assert not job.part.exists() and not job.told
    with pytest.raises(UserError, match=r'is not the file that it ought to be: 2\d{5} bytes, where 200000 are'):
        job(web.unsized, content=CONTENT[:200_000])
    with pytest.raises(UserError, match='another part of the file than it was asked for'):
        job(web.cut(HALF), web.wrong_range)


@pytest.mark.parametrize('there', [CONTENT[:-1], CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])])
def test_another_file_in_its_place_is_told_and_stays(job, there):
    job.path.parent.mkdir()
    job.path.write_bytes(there)
    with pytest.raises(UserError, match='T1w.nii.gz is there, and is not the file of http.*; move it away'):
        job()
    assert job.path.read_bytes() == there and not job.ranges


def test_no_server_at_all_is_told_after_all_tries(job):
    job.server.shutdown()
    job.server.server_close()
    with pytest.raises(UserError, match='T1w.nii.gz: Connection refused; given up after 4 tries in a row'):
        job()
    assert len(job.waits) == 3 and not job.path.parent.exists()
