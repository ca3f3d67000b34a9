"""A file from the web: gone on with where it broke off, tried again where that may help, and checked.

The standard library's client does. What takes care here is a body that breaks off and a file of which a part is there;
others, such as requests with urllib3's Retry, begin anew or leave that to their user as well.
"""
import contextlib
import email.utils
import hashlib
import http.client
import random
import re
import ssl
import time
import urllib.error
import urllib.request

from util.files import take_place
from util.script import UserError

PART = '.part'             # behind the name of a file that is not complete
WAITS = 1, 2, 4, 8, 16, 32  # seconds before each further try, while no byte comes that was not there before
LONGEST_WAIT = 300         # seconds that a server may ask for
TIMEOUT = 30               # seconds in which nothing comes
_CHUNK = 2 ** 16
_PASSING = 408, 429        # and 5xx: answers that may be others in a while


class _Passing(Exception):
    """A failure that may pass; `wait` is how many seconds the server wants to be left alone."""

    def __init__(self, text, wait=0.0):
        super().__init__(text)
        self.wait = wait


def download(url, path, size, md5, tell, waits=WAITS, timeout=TIMEOUT, sleep=time.sleep):
    """Have a file on the disk.

    What has come lies in ``path`` with ``.part`` behind it, however this ends, and the next call goes on from there.
    ``path`` is there only if it is complete and right.

    Args:
        url (str): Where it is.
        path (Path): Where it goes; folders on the way are made.
        size (int): Its bytes.
        md5 (str): Of its content, hexadecimal.
        tell: Function that is called with the number of bytes that are there, again and again.
        waits (sequence of float): Seconds before each further try, of which a random part up to a half is taken off,
            so that many who were refused together do not come back together.
        timeout (float): Seconds after which a connection on which nothing comes is given up.
        sleep: Function that waits for so many seconds.

    Returns:
        bool: Whether it was fetched; False if it was there.

    Raises:
        UserError: If ``path`` is another file, which stays as it is; if the server refuses, or has another file; or if
            no try was left.
        OSError: If the disk cannot be read or written.
    """
    if path.exists():
        wrong = _what_is_wrong(path, size, md5)
        if wrong:
            raise UserError(f'{path} is there, and is not the file of {url}: {wrong}; move it away, or name another '
                            'folder with -o')
        tell(size)
        return False
    part = path.with_name(path.name + PART)
    left, most = list(waits), _bytes_in(part)
    while True:
        try:
            _receive(url, part, size, tell, timeout)
            break
        except _Passing as error:
            have = _bytes_in(part)
            if have > most:  # it goes on, if slowly
                left, most = list(waits), have
            if not left:
                raise UserError(f'{url}: {error}; given up after {len(waits) + 1} tries in a row. The same command '
                                f'goes on from byte {have} of {size}') from None
            sleep(max(left.pop(0) * random.uniform(0.5, 1), error.wait))
    wrong = _what_is_wrong(part, size, md5)
    if wrong:
        part.unlink()
        raise UserError(f'{url}: what came is not the file that it ought to be: {wrong}; it is thrown away, and the '
                        'same command tries anew')
    take_place(part, path)
    return True


def _receive(url, part, size, tell, timeout):
    """Add to ``part`` what it lacks, over one connection."""
    have = _bytes_in(part)
    if have == size:  # a kill came before it was given its name
        tell(have)
        return
    if have > size:
        have = 0
    headers = {'User-Agent': '3D-ESPCN download_data.py', 'Accept-Encoding': 'identity'}
    if have:
        headers['Range'] = f'bytes={have}-'
    with _opened(urllib.request.Request(url, headers=headers), timeout) as response:
        if response.status != 206:
            have = 0  # the whole file comes, whatever was asked for
        elif not re.match(rf'bytes {have}-', response.headers.get('Content-Range', '')):
            raise UserError(f'{url}: the server sends another part of the file than it was asked for')
        if response.length is not None and have + response.length != size:
            raise UserError(f'{url}: the server has a file of {have + response.length} bytes, where {size} are '
                            'expected: another version of it?')
        part.parent.mkdir(parents=True, exist_ok=True)
        tell(have)
        with open(part, 'ab' if have else 'wb') as file:
            while have <= size:
                try:
                    chunk = response.read1(_CHUNK)
                except (OSError, http.client.HTTPException) as error:
                    raise _Passing(f'broke off at byte {have} of {size}: {_reason(error)}') from None
                if not chunk:
                    break
                file.write(chunk)
                file.flush()  # a kill must not take it
                have += len(chunk)
                tell(have)
    if have < size:
        raise _Passing(f'broke off at byte {have} of {size}')


@contextlib.contextmanager
def _opened(request, timeout):
    try:
        response = urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        with error:
            text = f'HTTP {error.code} {error.reason}'
            if error.code >= 500 or error.code in _PASSING:
                raise _Passing(text, _retry_after(error.headers.get('Retry-After'))) from None
            raise UserError(f'{request.full_url}: {text}') from None
    except (OSError, http.client.HTTPException) as error:
        if isinstance(getattr(error, 'reason', None), ssl.SSLCertVerificationError):
            raise UserError(f'{request.full_url}: {error.reason}') from None
        raise _Passing(_reason(error)) from None
    with response:
        yield response


def _retry_after(text):
    """Seconds, from a header that has a number of them or a date; 0 where it has neither."""
    try:
        wait = float(text) if text and text.strip().isdigit() else (
            email.utils.parsedate_to_datetime(text or '').timestamp() - time.time())
    except ValueError:
        return 0.0
    return min(max(wait, 0.0), LONGEST_WAIT)


def _reason(error):
    reason = getattr(error, 'reason', error)
    return getattr(reason, 'strerror', None) or str(reason) or type(reason).__name__


def _bytes_in(path):
    return path.stat().st_size if path.exists() else 0


def _what_is_wrong(path, size, md5):
    """In words, or None."""
    if _bytes_in(path) != size:
        return f'{_bytes_in(path)} bytes, where {size} are expected'
    found = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    return None if found == md5 else f'its MD5 is {found}, where {md5} is expected'
