"""What every script shares: where the project lies, and how a user's mistake is told in one line."""
import contextlib
import sys
from pathlib import Path

from tqdm import tqdm

PROJECT = Path(__file__).resolve().parent.parent  # relative paths in a config or a case list start here


class UserError(Exception):
    """Something the user can put right; its text is one line that says what was wrong, where, and what to do."""


@contextlib.contextmanager
def blaming(what):
    """Put ``what`` (a file, a key) before the text of a UserError that the block raises."""
    try:
        yield
    except UserError as error:
        raise UserError(f'{what}: {error}') from None


def run(main):
    """Call ``main()`` and leave with its exit code; a UserError becomes one line on stderr and exit code 2."""
    try:
        sys.exit(main())
    except UserError as error:
        sys.exit(_say(f'error: {error}', 2))
    except KeyboardInterrupt:
        sys.exit(_say('interrupted', 130))


def note(text):
    """Say something on stderr that is no error, without breaking into a progress bar."""
    tqdm.write(f'note: {text}', file=sys.stderr)


def _say(message, code):
    print(message, file=sys.stderr)
    return code
