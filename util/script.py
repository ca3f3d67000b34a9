"""What every script shares: where the project lies, and how a user's mistake is told in one line."""
import argparse
import contextlib
import functools
import gc
import os
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent  # relative paths in a config or a case list start here
said = []  # what `note` has said since `run` began, for a report


class UserError(Exception):
    """Something the user can put right; its text is one line that says what was wrong, where, and what to do.

    A file's name or a value that the text quotes may hold line breaks, codes that a terminal obeys, or a million
    characters. What is not printable is escaped, and the middle of a long text is left out.

    Example:
        >>> str(UserError('a\\nb.yml: wrong'))
        'a\\\\nb.yml: wrong'
    """

    def __init__(self, text):
        text = text if len(text) <= 2000 else f'{text[:1500]} ... {text[-400:]}'
        super().__init__(_printable(text))


def _printable(text):
    return ''.join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


@contextlib.contextmanager
def blaming(what):
    """Put ``what`` (a file, a key) before the text of a UserError that the block raises."""
    try:
        yield
    except UserError as error:
        raise UserError(f'{what}: {error}') from None


@contextlib.contextmanager
def importing():
    """While libraries are imported: nothing that they make is looked through for cycles, then or later.

    It stays to the end, and to look through it again and again is a tenth of a short command.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def a_path(text):
    """A path of the command line, to be an argument's ``type``.

    Raises:
        ~argparse.ArgumentTypeError: If it is empty, as ``"$SCANS"`` is where the shell has no such variable: it would
            be the folder where the user stands, and all that is there.
    """
    if not text:
        raise argparse.ArgumentTypeError('an empty path; is a variable of the shell not set? A dot is this folder')
    return Path(text)


def check_there(path, what):
    """Refuse a file of the command line that is not there, before libraries are imported that would read it.

    Args:
        path (Path or None): The file; None: none is named.
        what (str): What the file ought to be, such as ``'config'``.

    Raises:
        UserError: If it is not there.
    """
    if path is None:
        return
    try:
        os.stat(path)
    except (OSError, ValueError) as error:  # a ValueError: a path that no file can have
        raise UserError(f'{path}: cannot read this {what}: {getattr(error, "strerror", error)}') from None


def check_jobs(jobs, gpu, launcher=''):
    """Refuse a number of processes (``--jobs``) that is none, or of which there would be more than is meant.

    Args:
        jobs (int): The number.
        gpu (int): As ``-g``; negative: CPU.
        launcher (str): As `util.ranks.OneProcess` has it.

    Raises:
        UserError: If it is below 1, or above with a GPU, or above in each process of mpiexec.
    """
    if jobs < 1:
        raise UserError(f'--jobs {jobs}: the number of processes, 1 or more')
    if jobs > 1 and gpu >= 0:
        raise UserError(f'--jobs {jobs}: processes share the cores of the CPU; leave it out with -g {gpu}')
    if jobs > 1 and launcher:
        raise UserError(f'--jobs {jobs}: the processes of mpiexec share the volumes out already; leave one of them out')


def check_draws(samples):
    """Refuse a number of drawn networks that has no spread (``--samples``; None: not given).

    Raises:
        UserError: If it is below 2.
    """
    if samples is not None and samples < 2:
        raise UserError(f'--samples {samples}: the spread of the drawn networks needs 2 or more')


def note(text):
    """Say one line on stderr, printable as that of a :class:`UserError`, and remember it."""
    text = _printable(text)
    said.append(text)
    tell(f'note: {text}')


def tell(line):
    """Put a line on stderr. Progress bars that are being drawn there stay whole."""
    if 'tqdm' in sys.modules:
        sys.modules['tqdm'].tqdm.write(line, file=sys.stderr)
    else:
        print(line, file=sys.stderr)


def progress(items, what, unit, total=None):
    """Go through items, with a progress bar on stderr if that is a terminal.

    Args:
        items (iterable): Anything.
        what (str): What is going on, such as the script's name.
        unit (str): What an item is.
        total (int): How many items there are, where they have no length.

    Returns:
        iterable: The items.
    """
    if sys.stderr is None or not sys.stderr.isatty():
        return items
    from tqdm import tqdm  # here, since it takes a while

    return tqdm(items, desc=what, unit=unit, total=total)


def typed(script, *arguments):
    """A command of the project as it can be typed where this process was started.

    Args:
        script (str): The script's path in the project.
        arguments: Its command line.

    Returns:
        str: One line, quoted for a shell; on Windows for its own.
    """
    path = PROJECT / script
    if path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    words = [sys.orig_argv[0], *map(str, (path, *arguments))]  # the interpreter by the name that it was called by
    if os.name == 'nt':
        from subprocess import list2cmdline as join
    else:
        from shlex import join  # either takes a while, and few scripts come here
    return join(words)


def run(main):
    """Call ``main()`` and leave with its exit code.

    One line on stderr and exit code 2 tell a UserError, a lack of memory, a package that is not installed, and whatever
    the system refuses: a full disk, a folder that is read-only, a name that is too long. A reader of the output that
    goes away, as ``| head`` does, is no error: the work is done to its end.
    """
    said.clear()
    if sys.stdout is not None and sys.stdout.errors == 'strict':
        sys.stdout.reconfigure(errors='backslashreplace')  # as stderr is: a file's name may be no text of this terminal
    _outlive(sys.stdout, BrokenPipeError)
    _outlive(sys.stderr, OSError)
    try:
        try:
            code = main()
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()  # at Python's own end it would be too late to tell a full disk
        gc.freeze()  # or Python's own end would look through all objects for cycles, for a tenth of a second
        sys.exit(code)
    except UserError as error:
        sys.exit(_say(f'error: {error}', 2))
    except ModuleNotFoundError as error:
        package = error.name
        if not package or '.' in package or any((PROJECT / name).exists() for name in (package, f'{package}.py')):
            raise
        missing = UserError(f'the package {package} is not installed for {sys.executable}; use the Python of the '
                            'virtual environment (README.md: Install), or pip install it there')
        sys.exit(_say(f'error: {missing}', 2))
    except MemoryError as error:
        sys.exit(_say(f'error: {what_failed(error)}', 2))
    except OSError as error:
        _outlive(sys.stdout, OSError)  # Python's own end would try once more, and tell it in its own way
        sys.exit(_say(f'error: {what_failed(error)}', 2))
    except KeyboardInterrupt:
        sys.exit(_say('interrupted', 130))


def what_failed(error):
    """What a person is told of an OSError, or of a MemoryError: a UserError."""
    if isinstance(error, MemoryError):
        return UserError(f'not enough memory: {error}')
    path = error.filename if error.filename2 is None else error.filename2
    reason = error.strerror or error
    if isinstance(error, FileExistsError):
        lost = path and os.path.islink(path) and not os.path.exists(path)  # such as to a disk that is not mounted
        reason = f'{"a link to what is not there" if lost else "a file"} is where a folder is wanted'
    return UserError(f'{"" if path is None else f"{path}: "}cannot be read or written: {reason}')


def _outlive(stream, forgiven):
    """Let a standard stream lead nowhere once it cannot be written for a reason that is forgiven; name it for others.

    The stream's own methods are replaced: some who write have known it since import.
    """
    lost = []  # an error that argparse has caught is raised again by the flush at the end

    def outliving(call):
        def called(*args):
            if not lost:
                try:
                    return call(*args)
                except OSError as error:
                    if isinstance(error, forgiven):
                        return os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
                    lost.append(OSError(error.errno, error.strerror, stream.name))
            raise lost[0]
        return called

    if stream is not None:  # closed from the start
        own = type(stream)
        stream.write, stream.flush = (outliving(functools.partial(call, stream)) for call in (own.write, own.flush))


def _say(message, code):
    print(message, file=sys.stderr)
    return code
