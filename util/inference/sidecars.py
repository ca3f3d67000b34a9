"""The JSON file beside each volume of a BIDS derivative: what made it, of what. It is written last, so that a result
counts once its file does.

Source: the BIDS specification 1.11, common file level metadata of derivatives (Description, Sources, SkullStripped),
and preprocessed data. What BIDS has no key for has a name of the same style.
"""
import json
from pathlib import Path
from typing import NamedTuple

from util.dataset.bids_scans import read_object, said_of
from util.files import sha256, write_text
from util.script import UserError
from util.volumes.streams import check_file

_WHAT = {  # kind of volume -> Description
    '': 'Super-resolved scan: the voxels of a finer grid as a network estimates them from the scan.',
    'deviation': 'Standard deviation that the network gives each voxel of the super-resolved scan, in its units.',
    'intrinsic': 'The part of the standard deviation that the scan leaves open.',
    'parameter': 'The part of the standard deviation that the training leaves open.',
    'interval': 'Half the width of the interval about the super-resolved scan that holds the truth in IntervalPercent '
                'percent of the head.'}
# Where one of these is another, or there is no such key, the result is another. The model's name is not among them, and
# neither is the version of this software: an update would have all results made anew.
_DECISIVE = ('SourceSHA256', 'SkullStripped', 'ModelSHA256', 'Network', 'UpsamplingRate', 'Degradation',
             'IntensityScaling', 'Ensemble', 'Samples', 'Consistent', 'IntervalPercent', 'LikeInput')


class Provenance(NamedTuple):
    """Where the results of a run come from."""
    dataset: Path  # the folder of the scans' data set
    facts: dict    # key -> value, what :func:`facts` says of all results alike

    def of(self, case):
        """What the sidecars of a case say; before it is read, so that a scan that is replaced meanwhile is not taken
        for its source.

        Args:
            case (~util.dataset.case_lists.Case): The case.

        Returns:
            dict: Key -> value, of what JSON can hold.

        Raises:
            UserError: If the scan or what is said of it cannot be read.
        """
        check_file(case.lr_path)
        # BIDS requires SkullStripped of each derived image. A stripped image is a derivative to BIDS, so that a raw one
        # has its skull, unless the data set says otherwise.
        stripped = said_of(case.lr_path, self.dataset).get('SkullStripped', False)
        if not isinstance(stripped, bool):
            raise UserError(f'{case.lr_path}: by its JSON file, SkullStripped is {stripped!r}; true or false is wanted')
        return {'Sources': [f'bids:raw:{case.lr_path.relative_to(self.dataset).as_posix()}'],
                'SourceSHA256': sha256(case.lr_path), 'SkullStripped': stripped, **self.facts}


def facts(model, config, manner, version):
    """What the sidecars say of all results of a run.

    Args:
        model (Path): The model file.
        config (~util.config.Config): The experiment.
        manner (~util.inference.case_results.Manner): How the model is used.
        version (str): Of this software; None: unknown.

    Returns:
        dict: Key -> value, of what JSON can hold.
    """
    told = {'SoftwareVersion': version, 'Model': model.name, 'ModelSHA256': sha256(model),
            'Network': config.models.generator.model_dump(mode='json'), 'UpsamplingRate': list(config.upsampling_rate),
            'Degradation': config.degradation.name, 'IntensityScaling': manner.scaling, 'Ensemble': manner.ensemble,
            'Samples': manner.samples, 'IntervalPercent': manner.interval, 'LikeInput': manner.as_input}
    if manner.consistent:
        told['Consistent'] = {'name': manner.consistent.name, **manner.consistent.settings}
    return {key: value for key, value in told.items() if value is not None}


def is_done(out, case, provenance):
    """Whether the results of a case are there, of the same scan, model and options.

    Args:
        out (Path): The derivative's folder.
        case (~util.dataset.case_lists.Case): The case.
        provenance (Provenance): What its sidecars would say.
    """
    try:
        found = read_object(_beside(out / case.file()))
        told = json.loads(json.dumps(provenance.of(case)))  # as it reads back
    except (UserError, OSError):  # whatever is wrong with the scan is told when it is read
        return False
    kinds = found.get('Maps')
    return (all(found.get(key) == told.get(key) for key in _DECISIVE)
            and isinstance(kinds, list) and all(kind in _WHAT for kind in kinds)
            and all((out / case.file(kind)).is_file() for kind in ('', *kinds))
            # results of older versions do not say it
            and found.get('Bytes') in (None, _sizes(out, case, kinds)))


def forget(out, case):
    """Remove the sidecars of a case, before its volumes change; missing ones are no error."""
    for kind in _WHAT:
        _beside(out / case.file(kind)).unlink(missing_ok=True)


def write(out, case, told, maps):
    """Write the sidecars of a case, when its volumes are there; that of the result itself last.

    Args:
        out (Path): The derivative's folder.
        case (~util.dataset.case_lists.Case): The case.
        told (dict): What :meth:`Provenance.of` gave.
        maps (list of str): The kinds of its other volumes.
    """
    for kind in (*maps, ''):
        said = {'Description': _WHAT[kind], **told,
                **({} if kind else {'Maps': maps, 'Bytes': _sizes(out, case, maps)})}
        write_text(_beside(out / case.file(kind)), json.dumps(said, indent=4) + '\n')


def _sizes(out, case, maps):
    """Of the result's file and of its maps', so that one that is cut short later is made anew."""
    return [(out / case.file(kind)).stat().st_size for kind in ('', *maps)]


def _beside(path):
    return path.with_name(path.name.removesuffix('.nii.gz') + '.json')
