from types import SimpleNamespace

import numpy
import pytest

from util.dataset.pairs import Pairs
from util.reports import training_figures
from util.training.pictures import draw_curves, sampler
from util.volumes.geometry import Geometry
from util.volumes.sampling import Sampling


def test_the_first_case_is_drawn_when_that_is_due(tmp_path, monkeypatch):
    """By its name and its own place: HR voxels are as many times smaller as the rate says."""
    calls = []
    monkeypatch.setattr(training_figures, 'save_sample_figure', lambda *arguments: calls.append(arguments))
    hr = numpy.random.default_rng(0).uniform(size=(2, 1, 4, 8, 8)).astype(numpy.float32)
    arrays = [(volume[:, :, ::2, ::4], volume) for volume in hr]
    pairs = Pairs(['a', 'b'], arrays, [Geometry((4.0, 3.0, 2.0), (0.0,) * 3, (1.0, 0, 0, 0, 1, 0, 0, 0, 1))] * 2,
                  [0, 0])
    sampling, trainer = Sampling((1, 2, 4)), SimpleNamespace(out=tmp_path, updater=SimpleNamespace(iteration=50))
    made = hr[0] / 2
    sample = sampler(pairs, sampling, lambda trainer: trainer.updater.iteration == 100)
    sample(trainer, made, 1.0)
    assert calls == []
    trainer.updater.iteration = 100
    sample(trainer, made, 12.345)
    (path, title, lr, sr, truth, spacing, where), = calls
    assert path == tmp_path / 'samples/iteration_000100.png' and title == 'a after 100 iterations: 12.35 dB'
    assert (lr is arrays[0][0], sr is made, truth is arrays[0][1]) == (True,) * 3 and where == sampling
    assert spacing == pytest.approx((1, 1.5, 2))


def test_no_curves_before_the_log_s_first_line(tmp_path):
    """A validation may come earlier."""
    draw_curves(SimpleNamespace(out=tmp_path, get_extension=lambda name: SimpleNamespace(log=[])))
    assert not list(tmp_path.iterdir())
