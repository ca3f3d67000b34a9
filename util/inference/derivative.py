"""A BIDS derivative of super-resolved scans: its folder, its description, and how its files are called.

Source: the BIDS specification 1.11, derived data set and pipeline description, storage of derived data sets.
"""
import json
import os
from pathlib import Path
from urllib.parse import quote

from util.dataset.bids import DESCRIPTION
from util.dataset.bids_scans import find_scans, read_object
from util.dataset.case_lists import Case
from util.dataset.case_names import without_suffix
from util.files import NAME, write_text
from util.script import UserError

BIDS_VERSION = '1.11.1'
BEFORE_REC = 'sub', 'ses', 'sample', 'task', 'tracksys', 'acq', 'nuc', 'voi', 'ce', 'trc', 'stain'  # the order of BIDS


class DerivedCase(Case):
    """A scan of a BIDS data set; its result's name has rec-SR, its maps' also desc-deviation and so on."""
    __slots__ = ()

    def file(self, kind=''):
        entities, _, suffix = self.name.rpartition('_')
        return f'{entities}{f"_desc-{kind}" * bool(kind)}_{suffix}{self.suffix}'


def reconstructed(name):
    """The name of a scan's result: with rec-SR at its place, or SR after what the scan's rec- says already.

    Args:
        name (str): The scan's entities and suffix, such as ``'sub-01_run-1_T1w'``.

    Example:
        >>> from util.inference.derivative import reconstructed
        >>> reconstructed('sub-01_ses-a_run-1_T1w'), reconstructed('sub-01_acq-mprage_rec-norm_T1w')
        ('sub-01_ses-a_rec-SR_run-1_T1w', 'sub-01_acq-mprage_rec-normSR_T1w')
    """
    *entities, suffix = name.split('_')
    keys = [entity.partition('-')[0] for entity in entities]
    if 'rec' in keys:
        entities[keys.index('rec')] += 'SR'
    else:
        place = max((i for i, key in enumerate(keys) if key in BEFORE_REC), default=-1) + 1
        entities.insert(place, 'rec-SR')
    return '_'.join([*entities, suffix])


def cases_of(dataset, suffix):
    """The cases of the raw scans of a data set, called after their places in it.

    Args:
        dataset (Path): The data set's folder.
        suffix (str): Of the scans, such as ``'T1w'``.

    Returns:
        (list of DerivedCase, list of str): The cases; and a line for each scan that is misnamed.

    Raises:
        UserError: If there are no scans.
    """
    scans, refusals = find_scans(dataset, suffix)
    places = (path.relative_to(dataset).with_name(reconstructed(without_suffix(path.name))) for path in scans)
    return [DerivedCase(place.as_posix(), path, None, '.nii.gz') for place, path in zip(places, scans)], refusals


def check_out(dataset, out):
    """Refuse a folder that cannot become, or is not, the derivative of a data set.

    Args:
        dataset (Path): The data set's folder.
        out (Path): The folder; it need not be there.

    Raises:
        UserError: If there is no data set, the folder lies in it but not below derivatives/, the data set lies in the
            folder, or the folder holds something else.
    """
    if not dataset.is_dir():
        raise UserError(f'--bids {dataset}: no such folder')
    ours, its = out.resolve(), dataset.resolve()
    if its.is_relative_to(ours):
        raise UserError(f'--bids: {out} holds the data set itself; name another folder for the results, such as '
                        f'{dataset / "derivatives/sr"}')
    if ours.is_relative_to(its) and (ours.relative_to(its).parts[0] != 'derivatives' or ours.parent == its):
        raise UserError(f'--bids: {out} lies among the raw scans; results may lie in a folder below derivatives/, such '
                        f'as {dataset / "derivatives/sr"}, or elsewhere')
    if not out.is_dir():
        return
    if any(not path.name.startswith('.') for path in out.iterdir()):
        described = _description(out)
        if not any(made.get('Name') == NAME for made in described['GeneratedBy']):
            raise UserError(f'--bids: {out} holds something else than results of this script; name another folder')
        source, link = described['DatasetLinks'].get('raw'), _link(dataset, out)
        if source != link:
            raise UserError(f'--bids: {out} holds the results of the data set {source}, and {dataset} is {link} from '
                            f'there; name another folder, or set DatasetLinks right in its {DESCRIPTION} if that data '
                            'set has moved')


def begin(out, cases, provenance):
    """Describe a derivative, and see what it has.

    Args:
        out (Path): The derivative's folder, that :func:`check_out` has seen and that no other run writes into.
        cases (list of DerivedCase): What it is to hold.
        provenance (~util.inference.sidecars.Provenance): Where that comes from.

    Returns:
        list of DerivedCase: Those whose results are not there yet, of the same scan, model and options.
    """
    from util.inference.sidecars import is_done  # here, since NumPy takes a while, and `check_out` does without

    _describe(out, provenance.dataset, provenance.facts.get('SoftwareVersion'))
    return [case for case in cases if not is_done(out, case, provenance)]


def _describe(out, dataset, version):
    """Write dataset_description.json; of one that is there, what a person has added stays."""
    made = {'Name': NAME, **({'Version': version} if version else {})}
    path = out / DESCRIPTION
    if path.exists():
        described = read_object(path)
        if made in described['GeneratedBy']:
            return
        described['GeneratedBy'].append(made)  # results of the earlier version may stay
    else:
        source, link = _description(dataset), _link(dataset, out)
        doi = source.get('DatasetDOI')
        described = {'Name': f'{source.get("Name") or dataset.resolve().name}, super-resolved',
                     'BIDSVersion': BIDS_VERSION, 'DatasetType': 'derivative', 'GeneratedBy': [made],
                     'SourceDatasets': [{'URL': link, **({'DOI': doi} if isinstance(doi, str) else {})}],
                     'DatasetLinks': {'raw': link}}
    write_text(path, json.dumps(described, indent=4) + '\n')


def _description(folder):
    """That of a data set, its GeneratedBy and DatasetLinks of the right types; of one that has none, an empty one."""
    try:
        found = read_object(folder / DESCRIPTION)
    except UserError:
        found = {}
    made, links = found.get('GeneratedBy'), found.get('DatasetLinks')
    return {**found, 'GeneratedBy': [each for each in made if isinstance(each, dict)] if isinstance(made, list) else [],
            'DatasetLinks': links if isinstance(links, dict) else {}}


def _link(dataset, out):
    """Where the data set lies, from the derivative: it holds if both are moved together."""
    try:
        return quote(Path(os.path.relpath(dataset.resolve(), out.resolve())).as_posix())
    except ValueError:  # two drives of Windows
        return dataset.resolve().as_uri()
