import sys

import numpy
import pytest
from scipy import ndimage

from util.script import run
from util.volumes.volume import Volume


@pytest.fixture
def script(monkeypatch, capfd):
    """Runs a script's main as the command line would: returns exit code, stdout and stderr (C++'s prints as well)."""
    def call(main, *args):
        monkeypatch.setattr(sys, 'argv', ['script.py', *map(str, args)])
        with pytest.raises(SystemExit) as caught:
            run(main)
        return (caught.value.code or 0, *capfd.readouterr())
    return call


@pytest.fixture
def make_head():
    """Volumes like small scans: int16, oblique, with sizes that are no multiples of 4."""
    def make(seed=0, size=(17, 18, 19), channels=1):
        rng, shape = numpy.random.default_rng(seed), (channels, *size)
        blobs = numpy.clip(ndimage.gaussian_filter(rng.normal(size=shape), (0, 2, 2, 2)) * 900, 0, None)
        return Volume((blobs + rng.random(shape) * 3).astype(numpy.int16), (1.0, 1.25, 1.5), (-80.0, 12.0, 7.0),
                      (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0))
    return make
