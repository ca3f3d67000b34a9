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
        'print(ran(), "pkg_resources" in sys.modules, "numpy.distutils" in sys.modules)')
    assert out.split() == ['True', 'False', 'False']


def test_stand_ins_do_not_outlive_the_import():
    """Others must not take a stand-in for the real thing: after the import a missing module is missing again."""
    out = in_a_fresh_interpreter(
        'import importlib.util as u\n'
        'names = "pkg_resources", "numpy.distutils"\n'
        'def there(): return [u.find_spec(name) is not None for name in names]\n'
        'before = there()\n'
        'import util, sys\n'
        'print(before == there(), [name for name, real in zip(names, before) if not real and name in sys.modules])')
    assert out.split(maxsplit=1) == ['True', '[]\n']


def test_what_exists_is_left_alone():
    out = in_a_fresh_interpreter(
        'import numpy; numpy.sctypes = mine = {"int": [numpy.int64], "float": [numpy.float64]}; numpy.float = int\n'
        'import util; print(numpy.sctypes is mine, numpy.float is int)')
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
