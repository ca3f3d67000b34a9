"""From the volumes of a dataset to those that can be learned from, and the table that names them."""
from util.dataset.bids import subject_of
from util.dataset.cases_table import TABLE, begin_table, check_own, known_cases, subjects_of_sources, write_table
from util.dataset.same_scan import SeenScans
from util.script import UserError, note, progress
from util.volumes.orientation import axis_codes
from util.volumes.reading import read_volume
from util.volumes.writing import remove_volume, write_volume


def clean(files, source, out, channels=1):
    """Write what can be learned from as 0000.mhd, 0001.mhd, ..., with its table.

    If that is nothing, what an earlier run left stays. A subject that an earlier run's table says otherwise than the
    path was set right by hand, and stays so.

    Args:
        files (list of Path): The volumes, in their order.
        source (Path): The folder that they lie below; the table names them from there.
        out (Path): Folder of the result, which no other run writes into.
        channels (int): Channels that a volume must have.

    Returns:
        (dict, list): The table's rows, case -> {column: text}; and for each volume that is refused a sentence that
        says why.

    Raises:
        UserError: If a volume is there that no earlier run has made, an earlier run's table is damaged, or a volume
            cannot be written.
    """
    rows, refusals, seen, earlier = {}, [], SeenScans(), known_cases(out)
    set_by_hand = subjects_of_sources(out)
    check_own(out, [f'{number:04d}' for number in range(len(files))], earlier)
    for path in progress(files, 'clean_data', 'volume'):
        try:
            names = _names(path, source, set_by_hand)
            volume = _read_distinct_scan(path, channels, seen)
        except UserError as error:
            refusals.append(str(error))
            continue
        case = f'{len(rows):04d}'
        begin_table(out, earlier | {*rows, case})
        write_volume(out / f'{case}.mhd', volume)
        rows[case] = {**names, **_describe(volume)}
    if rows:
        for case in earlier - set(rows):
            remove_volume(out / f'{case}.mhd')
        write_table(out, rows)
    return rows, refusals


def _names(path, source, set_by_hand):
    name, subject = path.relative_to(source).as_posix(), subject_of(path, source)
    chosen = set_by_hand.get(name, subject)
    if chosen != subject:
        note(f'{path}: its subject stays {chosen}, as {TABLE} of the earlier run says; its path says {subject}')
    return {'source': name, 'subject': chosen}


def _read_distinct_scan(path, channels, seen):
    """Read a volume that can be learned from; `seen` holds the scans so far."""
    volume = read_volume(path)
    if len(volume.array) != channels:
        raise UserError(f'{path}: {len(volume.array)} channels (values per voxel, or volumes along a fourth axis); '
                        f'{channels} wanted (--channels)')
    lowest, highest = volume.array.min(), volume.array.max()
    if lowest == highest:
        raise UserError(f'{path}: every voxel is {lowest}')
    other = seen.find_or_add(path, volume.array)
    if other:
        raise UserError(f'{path}: the same voxels as {other}, orientation, type and scale aside; one scan must not be '
                        'in training and test')
    return volume


def _describe(volume):
    """What the table says of a volume itself."""
    size, spacing = reversed(volume.size), (f'{value:.6g}' for value in volume.spacing)
    return {'size_xyz': 'x'.join(map(str, size)), 'spacing_xyz_mm': 'x'.join(spacing),
            'orientation': axis_codes(volume)}
