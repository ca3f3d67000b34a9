"""Read files and write as many bytes as others have: what a command's files cost alone. A yardstick, run as a file.

    python -I -S benchmarks/move_files.py FOLDER READ ... -- WRITTEN ...

Writes into FOLDER a file of the size of each WRITTEN. It is a bare Python: `time` of it holds the start of one.
"""
import os
import sys


def main(folder, *paths):
    """Move the bytes.

    Args:
        folder (str): An empty folder to write into.
        *paths (str): Files to read, ``--``, files whose sizes are written.
    """
    parting = paths.index('--')
    for path in paths[:parting]:
        with open(path, 'rb') as file:
            file.read()
    for number, path in enumerate(paths[parting + 1:]):
        with open(os.path.join(folder, str(number)), 'wb') as file:
            file.write(bytes(os.path.getsize(path)))


if __name__ == '__main__':
    main(*sys.argv[1:])
