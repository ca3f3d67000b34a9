"""What ran, kept beside what comes of it."""
import shutil

import yaml

from util.files import read_text, replacing, write_text
from util.inference.network import network_path
from util.script import UserError
from util.versions import versions
from util.yaml_text import MOST_BYTES, load_yaml

START = 'start'  # the key in versions.yml of the SHA-256 of the model (-m) that the run began with; null: none


def read_start(out):
    """What a run began with, as its folder says.

    Args:
        out (Path): Folder of the run.

    Returns:
        dict: :data:`START` -> SHA-256 (str), or None: random weights. Empty where the folder does not say.

    Raises:
        UserError: If what says so is damaged.
    """
    path = out / 'versions.yml'
    values = load_yaml(read_text(path, MOST_BYTES), path) if path.is_file() else {}
    return {START: values[START]} if isinstance(values, dict) and START in values else {}


def archive_run(out, config, root, replace, start):
    """Write the resolved config, the versions, the case lists and the network's file into the folder of a run.

    Args:
        out (Path): Folder of the run; made if need be.
        config (~util.config.Config): The experiment.
        root (Path): Where relative paths in the config start.
        replace (bool): Whether files of these names may be there: those of the run that goes on.
        start (dict): What it began with, as of :func:`read_start`.

    Raises:
        UserError: If a file would be replaced that is not the run's own, such as the config that is being read.
    """
    network = network_path(config, root)
    copies = {f'{key}.txt': root / path for key, path in config.dataset.model_dump().items()}
    copies[network.name] = network
    for name in ('config.yml', 'versions.yml', *copies):
        if (out / name).exists() and not replace:
            raise UserError(f'{out / name} is there, and the run would replace it; name another folder with -o')
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / 'config.yml', config.to_yaml())
    write_text(out / 'versions.yml', versions() + (yaml.safe_dump(start) if start else ''))
    for name, source in copies.items():
        if source.is_file() and source.resolve() != (out / name).resolve():  # there may be no test list yet
            with replacing(out / name) as temporary:
                shutil.copyfile(source, temporary)
