"""From cleaned volumes, or diffusion series, to the LR-HR pairs of an experiment."""
from util.dataset.bids import subject_of
from util.dataset.case_names import distinct_names
from util.dataset.cases_table import TABLE, check_own, read_table
from util.dataset.pairs_info import read_pairs_info, write_pairs_info
from util.script import UserError, blaming, note, progress
from util.volumes.degradation import degrade, noise_rng
from util.volumes.geometry import crop_to_multiple, lr_volume_geometry
from util.volumes.reading import read_volume
from util.volumes.volume import Volume
from util.volumes.writing import data_file, remove_strays, remove_volume, write_volume


def make_pair(path, config):
    """The LR and the HR volume made of one volume.

    Args:
        path (Path): The volume.
        config (~util.config.Config): The experiment.

    Returns:
        (~util.volumes.volume.Volume, ~util.volumes.volume.Volume): LR, float32, and HR: the volume, cropped at the far
        ends to multiples of the rate, of its own type.

    Raises:
        UserError: If the volume cannot be read, or is too small for the rate.
    """
    degradation = config.degradation
    volume = read_volume(path)
    with blaming(path):
        hr = crop_to_multiple(volume, config.upsampling_rate)
        if min(n // r for n, r in zip(hr.size, config.upsampling_rate)) < 2:
            raise UserError(f'its size {volume.size} (z, y, x) is too small: an LR volume has 2 voxels or more along '
                            f'each axis, and the rate is {config.upsampling_rate}')
        if degradation.noise_sigma > 0 and hr.array.min() < 0:
            note(f'{path}: its intensities go down to {hr.array.min():g}, and LR with Rician noise is a magnitude: '
                 'what is below 0 comes out above it')
    lr = degrade(hr.array, config.upsampling_rate, degradation.name, degradation.noise_sigma,
                 noise_rng(config.seed, path.stem), **degradation.settings)
    return Volume(lr, *lr_volume_geometry(hr, config.sampling)), hr


def make_pairs(paths, config, out):
    """Make the pairs of volumes in a folder that no other run writes into; those of an earlier run go.

    Args:
        paths (list of Path): The volumes, in one folder; their names name the cases.
        config (~util.config.Config): The experiment.
        out (Path): The folder in which LR and HR are made.

    Raises:
        UserError: If a volume cannot be read or written, or would replace another one.
    """
    for path in paths:
        for kind in ('LR', 'HR'):
            target = out / kind / path.name
            own = [file.resolve() for file in (path, data_file(path)) if file]  # voxels may lie in the header's file
            if target.resolve() in own or target.with_suffix('.raw').resolve() in own:
                raise UserError(f'{path}: the pairs would replace this volume; name another folder with -o')
    _make_all({path.stem: path for path in paths}, lambda case, path: make_pair(path, config), config, out,
              _subjects_of(paths))


def make_tensor_pairs(paths, root, config, out):
    """Make the pairs of diffusion series in a folder that no other run writes into; those of an earlier run go.

    Args:
        paths (list of Path): The series; their names, or as much of their folders as tells them apart, name the cases.
        root (Path): The folder of all series, above them: BIDS subjects are looked for from there.
        config (~util.config.Config): The experiment.
        out (Path): The folder in which LR and HR are made.

    Raises:
        UserError: If a series cannot be read, or a pair not written, or it would replace a volume of others.
    """
    from util.dataset.gradients import read_gradients
    from util.dataset.tensor_pairs import make_tensor_pair

    sources = dict(zip(distinct_names(paths), paths))
    for path in paths:
        read_gradients(path)  # what is wrong with a table is told before the first fit
    _make_all(sources, lambda case, path: make_tensor_pair(path, case, config), config, out,
              {case: subject_of(path, root) for case, path in sources.items()}, tensors=True)


def _make_all(sources, make, config, out, subjects, **info):
    """Write the pairs that `make` gives of cases and their sources, {case: path}; those of an earlier run go."""
    earlier = set((read_pairs_info(out) or {'cases': []})['cases'])
    for kind in ('LR', 'HR'):
        remove_strays(out / kind)
        check_own(out / kind, sources, earlier)

    for number, (case, path) in enumerate(progress(list(sources.items()), 'pairs', 'volume')):
        pair = make(case, path)
        if not number:  # not sooner: a first volume that no pair can be made of leaves those of an earlier run whole
            write_pairs_info(out, config, earlier | set(sources), complete=False, **info)
        for kind, volume in zip(('LR', 'HR'), pair):
            write_volume(out / kind / f'{case}.mhd', volume)
    for case in earlier - set(sources):
        for kind in ('LR', 'HR'):
            remove_volume(out / kind / f'{case}.mhd')
    write_pairs_info(out, config, sources, complete=True, subjects=subjects, **info)


def _subjects_of(paths):
    """Whose volumes of one folder are, as far as their table says: case -> subject."""
    folder = paths[0].parent
    table = read_table(folder)
    if table is None:
        return {}
    unknown = [path.stem for path in paths if path.stem not in table]
    if unknown:
        print(f'not in {folder / TABLE}: {", ".join(unknown)}; where the names do not say whose they are, each counts '
              'as a subject of its own')
    return {path.stem: table[path.stem]['subject'] for path in paths if path.stem in table}
