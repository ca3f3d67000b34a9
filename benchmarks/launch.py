"""Run a command and print what it took: a small process of its own, without NumPy and even without Python's `site`.

    python -I -S benchmarks/launch.py LOG COMMAND ARGUMENT ...

The command's output goes to the file LOG. Prints a JSON object: ``wall`` and ``cpu`` in seconds (user and system, of
the command and all that it waited for), ``peak``, the resident memory of its largest process in MiB, and ``code``.

The kernel tells the memory when the process is waited for. A process begins with the peak of the one that started it,
be it by fork or vfork, since the peak outlives exec. That is why the command is started from here: this process has 10
MiB, less than any that is measured.
"""
import json
import os
import sys
import time


def main(log, *command):
    """Run the command.

    Args:
        log (str): File of its output.
        *command (str): The program's path and its arguments.
    """
    actions = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
               (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
               (os.POSIX_SPAWN_DUP2, 1, 2)]
    start = time.perf_counter()
    process = os.posix_spawn(command[0], command, os.environ, file_actions=actions)
    _, status, usage = os.wait4(process, 0)
    wall = time.perf_counter() - start
    print(json.dumps({'wall': wall, 'cpu': usage.ru_utime + usage.ru_stime, 'peak': usage.ru_maxrss / 1024,
                      'code': os.waitstatus_to_exitcode(status)}))


if __name__ == '__main__':
    main(*sys.argv[1:])
