"""The compatibility module works in a fresh interpreter, supplies only what is missing, and leaves nothing behind."""
import subprocess
import sys

import chainer
import chainer.functions as F
import numpy
import pytest
from chainer import gradient_check

from util.script import PROJECT


def in_a_fresh_interpreter(code):
    return subprocess.run([sys.executable, '-c', code], cwd=PROJECT, check=True, capture_output=True, text=True).stdout


def test_chainer_is_the_last_release():
    assert chainer.__version__ == '7.8.1'


def test_gradient_check_imports_and_works_after_the_package_util():
    """chainer.testing imports pkg_resources, which new setuptools do not have."""
    in_a_fresh_interpreter(
        'import util, numpy, chainer.functions as F; from chainer import gradient_check;'
        'x = numpy.ones((2, 3)); gradient_check.check_backward(F.sin, x, x, dtype="d")')


def test_chainer_imports_where_setuptools_and_numpy_distutils_are_missing():
    """As on Python 3.12 and later; here the two are hidden from the import system."""
    out = in_a_fresh_interpreter(
        'from importlib.machinery import PathFinder\n'
        'find = PathFinder.find_spec\n'
        'def hide(name, *args):\n'
        '    return None if name.startswith(("pkg_resources", "numpy.distutils")) else find(name, *args)\n'
        'PathFinder.find_spec = hide\n'
        'import util, sys, chainer.testing\n'
        '@chainer.testing.with_requires("numpy>=1")\n'
        'def ran(): return True\n'
        'print(ran(), "pkg_resources" in sys.modules)')
    assert out.split() == ['True', 'False']


def test_stand_ins_do_not_outlive_the_import():
    """Others must not take a stand-in for the real thing: after the import a missing module is missing again."""
    out = in_a_fresh_interpreter(
        'import importlib.util as u\n'
        'import util, sys, chainer, chainer.testing\n'
        'print("pkg_resources" in sys.modules)\n'
        'import scipy.special, PIL.Image\n'
        'print(scipy.special.expit(0.0), PIL.Image.new("L", (2, 1)).size, scipy.__spec__.loader.__class__.__name__)')
    assert out.splitlines() == ['False', '0.5 (2, 1) SourceFileLoader']


@pytest.mark.parametrize('before', ['', 'import scipy', 'import scipy.special, scipy.sparse, PIL.Image'])
def test_what_chainer_takes_from_scipy_works_whoever_imported_it_first(before):
    """Functions, a distribution and a sparse product that ask SciPy for parts which chainer's import put off."""
    in_a_fresh_interpreter(
        f'{before}\n'
        'import util, numpy, sys, chainer\n'
        + ('assert not {name for name in sys.modules if name.startswith(("scipy", "PIL"))}\n' if not before else '') +
        'import chainer.functions as F\n'
        'x = numpy.array([0.25, 0.5])\n'
        'for function in F.erfinv, F.erfcinv, F.erfcx, F.ndtri, F.lgamma:\n'
        '    assert numpy.isfinite(function(x).array).all(), function\n'
        'import math\n'
        'assert abs(math.erf(F.erfinv(x).array[1]) - 0.5) < 1e-12\n'
        'normal = chainer.distributions.MultivariateNormal(numpy.zeros(2, "f"), scale_tril=numpy.eye(2, dtype="f"))\n'
        'assert abs(float(normal.log_prob(numpy.zeros(2, "f")).array) + math.log(2 * math.pi)) < 1e-6\n'
        'coo = chainer.utils.to_coo(numpy.eye(2, dtype="f"))\n'
        'assert (F.sparse_matmul(coo, numpy.eye(2, dtype="f")).array == numpy.eye(2)).all()\n'
        'chainer.datasets.ImageDataset([], root=".")\n')


@pytest.mark.parametrize('way', ['import chainer.links as L\nimport chainer.datasets as D',
                                 'from chainer import links as L, datasets as D',
                                 'import chainer\nL, D = chainer.links, chainer.datasets',
                                 'from chainer.links import Linear\nimport chainer\n'
                                 'L, D = chainer.links, chainer.datasets'
                                 ])
def test_links_and_datasets_are_there_whichever_way_they_are_asked_for(way):
    """Chainer's import puts them off: a hundred modules."""
    out = in_a_fresh_interpreter(
        f'import util, numpy, pickle, sys\n{way}\n'
        'put_off = "chainer.links.connection.convolution_nd" not in sys.modules\n'
        'net = pickle.loads(pickle.dumps(L.Linear(2, 3)))\n'
        'import chainer.links.connection.linear\n'
        'print(type(net) is chainer.links.connection.linear.Linear is chainer.links.Linear,'
        ' isinstance(net, chainer.Link), D.TupleDataset([1], [2])[0], put_off)')
    assert out == 'True True (1, 2) True\n'


def test_chainer_is_imported_when_it_is_asked_for_and_no_sooner():
    out = in_a_fresh_interpreter(
        'import util, sys\n'
        'print("chainer" in sys.modules, "numpy" in sys.modules)\n'
        'import chainer\n'
        'print(chainer.__spec__.loader is chainer.__loader__, type(chainer.__loader__).__name__)')
    assert out.split() == ['False', 'False', 'True', 'SourceFileLoader']


def test_what_exists_is_left_alone():
    out = in_a_fresh_interpreter(
        'import numpy; numpy.sctypes = mine = {"int": [numpy.int64], "float": [numpy.float64]}; numpy.float = int\n'
        'import util, chainer; print(numpy.sctypes is mine, numpy.float is int)')
    assert out.split() == ['True', 'True']


@pytest.mark.parametrize('requirement, error', [
    ('numpy>=1', None), ('numpy<1', 'VersionConflict'), ('no-such-package-at-all', 'DistributionNotFound')])
def test_pkg_resources_stand_in_answers_as_the_real_one(requirement, error):
    from util.chainer_compat import _make_pkg_resources
    module = _make_pkg_resources()
    if error is None:
        module.require(requirement)
        module.WorkingSet().require(requirement)
    else:
        with pytest.raises(getattr(module, error)):
            module.require(requirement)
        assert issubclass(getattr(module, error), module.ResolutionError)


def test_functions_that_need_the_numpy_names_run():
    """F.as_strided reads numpy.sctypes, F.resize_images numpy.float, when called."""
    x = numpy.arange(12, dtype=numpy.float64).reshape(1, 1, 3, 4)
    assert F.resize_images(x.astype(numpy.float32), (6, 8)).shape == (1, 1, 6, 8)
    gradient_check.check_backward(lambda x: F.as_strided(x, (2, 2), (4, 1), 0), x.ravel(), numpy.ones((2, 2)),
                                  dtype=numpy.float64)
