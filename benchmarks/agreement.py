"""That two commands did the same: their times could not be compared otherwise."""
import csv
import json

import numpy

from util.volumes.reading import read_volume

VOXELS = 2e-5   # of the largest absolute value: float32, over three layers
SCORES = 1e-3   # dB of PSNR; and SSIM
TRAINING = 0.5  # dB: the patches are random, and not the same ones


class Disagreement(Exception):
    """What differs between two folders of results."""


def same_volumes(ours, others):
    """All volumes of one folder are in the other, voxel by voxel and where they lie.

    Args:
        ours (pathlib.Path): Folder of results.
        others (pathlib.Path): Folder with the same names.

    Raises:
        Disagreement: If there is none, one is missing, or one differs by more than :data:`VOXELS`.
    """
    paths = sorted(path.relative_to(ours) for path in ours.rglob('*.mhd'))
    if not paths:
        raise Disagreement('no volumes')
    for path in paths:
        if not (others / path).is_file():
            raise Disagreement(f'{path} is missing')
        one, other = read_volume(ours / path), read_volume(others / path)
        if one.array.shape != other.array.shape:
            raise Disagreement(f'{path}: shapes {one.array.shape} and {other.array.shape}')
        if not all(numpy.allclose(getattr(one, key), getattr(other, key), rtol=0, atol=1e-4)
                   for key in ('spacing', 'origin', 'direction')):
            raise Disagreement(f'{path}: lies elsewhere')
        difference = float(numpy.abs(numpy.subtract(one.array, other.array, dtype=numpy.float64)).max())
        largest = float(numpy.abs(one.array).max())
        if not difference <= VOXELS * largest:
            raise Disagreement(f'{path}: voxels differ by up to {difference:.3g} of {largest:.3g}')


def same_volumes_and_scores(ours, others):
    """As :func:`same_volumes`, and PSNR and SSIM of every method and case are the same to :data:`SCORES`.

    Args:
        ours (pathlib.Path): Folder of results with scores.csv.
        others (pathlib.Path): Another; its scores.csv may have fewer columns and no row of means.

    Raises:
        Disagreement: If a volume or a score differs.
    """
    same_volumes(ours, others)
    tables = []
    for folder in (ours, others):
        with open(folder / 'scores.csv', newline='', encoding='utf-8') as file:
            tables.append({row.pop('case'): row for row in csv.DictReader(file)})
    for case, row in tables[1].items():
        for name, value in row.items():
            expected = tables[0][case][name]
            if not abs(float(value) - float(expected)) <= SCORES:
                raise Disagreement(f'{case}: {name} is {float(expected):.5g} and {float(value):.5g}')


def trained_alike(ours, others):
    """The PSNR on validation after the last iteration is the same to :data:`TRAINING`.

    Args:
        ours (pathlib.Path): Folder with ``log``, a JSON list whose last entry has ``val/psnr`` in dB.
        others (pathlib.Path): Another.

    Raises:
        Disagreement: If they differ.
    """
    one, other = (json.loads((folder / 'log').read_text())[-1]['val/psnr'] for folder in (ours, others))
    if not abs(one - other) <= TRAINING:
        raise Disagreement(f'PSNR on validation is {one:.2f} and {other:.2f} dB')
