"""What ran, kept beside what comes of it."""
import re
import shutil

from util.files import replacing, write_text
from util.inference.network import network_path
from util.script import UserError
from util.versions import versions

VERSIONS = 'versions.yml'
RANDOM = 'random'  # what a run began with that was given no model


def read_start(out):
    """What a run began with, as its folder says.

    Args:
        out (Path): Folder of the run.

    Returns:
        str or None: The SHA-256 of the model (-m), or :data:`RANDOM`; None where the folder does not say.
    """
    path = out / VERSIONS
    text = path.read_text(encoding='utf-8', errors='replace') if path.is_file() else ''
    start = re.search(r'^start: (\w+)$', text, re.MULTILINE)
    return start and start[1]


def archive_run(out, config, root, replace, start):
    """Write the resolved config, the versions, the case lists and the network's file into the folder of a run.

    Args:
        out (Path): Folder of the run; made if need be.
        config (~util.config.Config): The experiment.
        root (Path): Where relative paths in the config start.
        replace (bool): Whether files of these names may be there: those of the run that goes on.
        start (str or None): What it began with, as :func:`read_start` has it.

    Raises:
        UserError: If a file would be replaced that is not the run's own, such as the config that is being read.
    """
    network = network_path(config, root)
    copies = {f'{key}.txt': root / path for key, path in config.dataset.model_dump().items()}
    copies[network.name] = network
    for name in ('config.yml', VERSIONS, *copies):
        if (out / name).exists() and not replace:
            raise UserError(f'{out / name} is there, and the run would replace it; name another folder with -o')
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / 'config.yml', config.to_yaml())
    write_text(out / VERSIONS, versions() + (f'start: {start}\n' if start else ''))
    for name, source in copies.items():
        if source.is_file() and source.resolve() != (out / name).resolve():  # there may be no test list yet
            with replacing(out / name) as temporary:
                shutil.copyfile(source, temporary)
