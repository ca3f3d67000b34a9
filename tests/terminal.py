"""A terminal for the tests: what a person sees of what was written to it."""
import fcntl
import os
import re
import struct
import termios


def open_terminal(columns=100):
    """Both ends of a new terminal: the descriptor that the test reads, and that which a process writes to."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack('HHHH', 40, columns, 0, 0))
    return ours, theirs


def read_all(ours):
    """What was written until the other end was closed, as text."""
    content = b''
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # Linux: nobody has the other end any more
            part = b''
        if not part:
            os.close(ours)
            return content.decode()
        content += part


def screen(text):
    """The lines that are to be seen in the end, without spaces at their ends.

    A carriage return goes to the line's start, and what is written then replaces what was there; ESC [ K removes the
    rest of the line, ESC [ J all that follows as well.
    """
    lines, column = [''], 0
    for part in re.findall(r'\r|\n|\x1b\[[JK]|[^\r\n\x1b]+', text):
        if part == '\r':
            column = 0
        elif part == '\n':
            lines.append('')
        elif part[0] == '\x1b':
            lines[-1] = lines[-1][:column]
        else:
            lines[-1] = lines[-1].ljust(column)[:column] + part + lines[-1][column + len(part):]
            column += len(part)
    return [line.rstrip() for line in lines]
