"""What ran, kept beside what comes of it."""
import shutil

from util.files import replacing, write_text
from util.inference.network import network_path
from util.versions import versions


def archive_run(out, config, root):
    """Write the resolved config, the versions, the case lists and the network's file into the folder of a run.

    Args:
        out (Path): Folder of the run; made if need be.
        config (~util.config.Config): The experiment.
        root (Path): Where relative paths in the config start.
    """
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / 'config.yml', config.to_yaml())
    write_text(out / 'versions.yml', versions())
    copies = {f'{key}.txt': root / path for key, path in config.dataset.model_dump().items()}
    network = network_path(config, root)
    copies[network.name] = network
    for name, source in copies.items():
        if source.is_file():  # there may be no test list yet
            with replacing(out / name) as temporary:
                shutil.copyfile(source, temporary)
