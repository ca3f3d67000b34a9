"""Download the reference experiment's volumes: the T1w scans of OpenNeuro ds000001.

    python util/miscs/download_data.py
"""
import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run as a file, Python looks beside that file only

from util.script import PROJECT, a_path, run


def parse_arguments(argv):
    parser = argparse.ArgumentParser(
        description='Download the T1w volumes of OpenNeuro ds000001, 85 MB, and check their sizes and MD5s. The same '
                    'command goes on after a break, and passes over what is there.',
        epilog='Exit code: 0; 1 if a file could not be had; 2 if none could, or the arguments cannot be carried out.')
    parser.add_argument('--subjects', default='1-16', metavar='NUMBERS',
                        help='whose, such as 1-3,7 (default: %(default)s)')
    parser.add_argument('-o', '--out', type=a_path, default=PROJECT / 'data/raw',
                        help='folder of the result (default: data/raw in the project)')
    return parser.parse_args(argv)


def main(argv=None):
    """Run the script with a command line (default: the process's); returns the exit code."""
    args = parse_arguments(argv)
    # Imported here: neither --help nor a wrong argument waits for them.
    from tqdm import tqdm
    from util.dataset.downloads import download_all
    from util.dataset.ds000001 import BASE, files_of
    from util.lock import locked

    files, have, fetched, failures = files_of(args.subjects), {}, [], []
    with locked(args.out), tqdm(total=sum(file.size for file in files), desc='download', unit='B', unit_scale=True,
                                disable=sys.stderr is None or not sys.stderr.isatty()) as bar:
        for event in download_all(BASE, files, args.out):
            bar.update(event.have - have.get(event.file, 0))
            have[event.file] = event.have
            if event.failure:
                failures.append(event.failure)
            elif event.fetched is not None:
                fetched.append(event.fetched)
    print(f'fetched: {sum(fetched)}, there before: {len(fetched) - sum(fetched)}, failed: {len(failures)}\n'
          f'volumes: {args.out}')
    for failure in failures:
        print(f'error: {failure}', file=sys.stderr)
    return 0 if not failures else 1 if fetched else 2


if __name__ == '__main__':
    run(main)
