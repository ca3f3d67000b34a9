"""A folder of results without a network, for the tests of the report."""
from types import SimpleNamespace

import numpy
from scipy.ndimage import gaussian_filter

from tests.experiment import HR_GEOMETRY, LR_GEOMETRY
from tests.util.reports.page import Reader
from util.dataset.case_lists import Case
from util.reports.report import try_report
from util.scores.metrics import METRICS
from util.scores.uncertainty import UNCERTAINTY_METRICS
from util.volumes.sampling import Sampling
from util.volumes.volume import Volume
from util.volumes.writing import write_volume

RATE = 4, 1, 2
MAPS = 'deviation', 'intrinsic', 'parameter'


class Results(SimpleNamespace):
    """A folder of results as `try_report` takes them."""

    def write(self, **changes):
        """The report, with other arguments where some are given, as a Reader; its text is kept."""
        given = {**vars(self), 'unlike': {}, **changes}
        given['samplings'] = dict.fromkeys(given['rows'], self.config.sampling)
        wanted = 'out', 'model', 'config', 'cases', 'samplings', 'rows', 'unsure', 'unlike'
        failures = try_report(*(given[name] for name in wanted))
        assert failures == []
        self.text = (self.out / 'report.html').read_text(encoding='utf-8')
        return Reader(self.text)


def make_results(folder, names=('0001',), channels=1, maps=MAPS):
    """Cases of 28 x 32 x 36 voxels with made-up scores: blobs with noise in air, and a vessel."""
    rng, cases, rows, unsure = numpy.random.default_rng(0), [], {}, {}
    for name in names:
        blobs = gaussian_filter(rng.normal(size=(channels, 28, 32, 36)), (0, 5, 5, 5)) > -0.01
        head = gaussian_filter(blobs * 1.0, (0, 1, 1, 1))
        head[:, :6] = head[:, :, :8] = head[..., -8:] = 0
        hr = numpy.rint(90 * head + rng.normal(0, 3, head.shape)).astype(numpy.float32)
        hr[:, 15, 16, 17] = 700  # a vessel, far brighter than the window
        volumes = {f'LR/{name}': (hr[:, ::RATE[0], ::RATE[1], ::RATE[2]], LR_GEOMETRY), f'HR/{name}': (hr, HR_GEOMETRY),
                   f'out/{name}': (hr + rng.normal(0, 5, hr.shape).astype(numpy.float32), HR_GEOMETRY)}
        for part in maps:
            volumes[f'out/{name}_{part}'] = numpy.abs(rng.normal(4, 1, hr.shape)).astype(numpy.float32), HR_GEOMETRY
        for path, (array, geometry) in volumes.items():
            write_volume(folder / f'{path}.mhd', Volume(array, *geometry))
        cases.append(Case(name, folder / f'LR/{name}.mhd', folder / f'HR/{name}.mhd'))
        rows[name] = {method: dict(zip(METRICS, rng.uniform(0, 40, len(METRICS)).tolist()))
                      for method in ('network', 'nearest', 'linear', 'bspline')}
        if maps:
            unsure[name] = dict(zip(UNCERTAINTY_METRICS, rng.random(len(UNCERTAINTY_METRICS)).tolist()))
    config = SimpleNamespace(sampling=Sampling(RATE), to_yaml=lambda: 'upsampling_rate: 2\n')
    return Results(out=folder / 'out', cases=cases, rows=rows, unsure=unsure, config=config, model=folder / 'gen.npz')
