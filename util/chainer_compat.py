"""Make ``import chainer`` work on today's Python and NumPy; 7.8.1 of 2022 is its last release.

Chainer needs a few names that NumPy 2, Python 3.12 and new setuptools no longer have. This module supplies those that
are missing, and no others; then it imports chainer. ``util/__init__.py`` imports this module. So it runs before any
other module of the project can say ``import chainer``.

===========================  ======================================================  ===========================
name                         who needs it                                            supplied
===========================  ======================================================  ===========================
``numpy.sctypes``            ``chainer.functions.array.as_strided``, when called too  for good
``numpy.float``              ``chainer.functions.resize_images``, when called         for good
``numpy.distutils``          ``chainer._environment_check`` (acts on macOS alone)     while chainer is imported
``pkg_resources``            ``chainer._environment_check``, ``chainer.testing``      while chainer is imported
===========================  ======================================================  ===========================
"""
import contextlib
import importlib.abc
import importlib.machinery
import importlib.metadata
import os
import sys
import types
import warnings

import numpy
from packaging.requirements import Requirement


def _add_numpy_names():
    """Give NumPy back the two names that chainer reads when a function is called."""
    if not hasattr(numpy, 'sctypes'):
        numpy.sctypes = {
            'int': [numpy.int8, numpy.int16, numpy.int32, numpy.int64],
            'uint': [numpy.uint8, numpy.uint16, numpy.uint32, numpy.uint64],
            'float': [numpy.float16, numpy.float32, numpy.float64, numpy.longdouble],
            'complex': [numpy.complex64, numpy.complex128, numpy.clongdouble],
            'others': [bool, object, bytes, str, numpy.void],
        }
    with warnings.catch_warnings():
        # NumPy 1.20 to 1.23 still has numpy.float and warns; later ones raise AttributeError.
        warnings.simplefilter('ignore')
        if not hasattr(numpy, 'float'):
            numpy.float = float


def _make_pkg_resources():
    """A module with the few names of setuptools' pkg_resources that chainer uses; importlib.metadata does the work."""
    module = types.ModuleType('pkg_resources')

    class ResolutionError(Exception):
        pass

    class DistributionNotFound(ResolutionError):
        pass

    class VersionConflict(ResolutionError):
        pass

    def get_distribution(name):
        try:
            return importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            raise DistributionNotFound(name) from None

    def require(*requirements):
        for requirement in map(Requirement, requirements):
            version = get_distribution(requirement.name).version
            if not requirement.specifier.contains(version, prereleases=True):
                raise VersionConflict(f'{requirement.name} {version} does not satisfy {requirement}')

    class WorkingSet:
        def require(self, *requirements):
            return require(*requirements)

    module.ResolutionError = ResolutionError
    module.DistributionNotFound = DistributionNotFound
    module.VersionConflict = VersionConflict
    module.WorkingSet = WorkingSet
    module.get_distribution = get_distribution
    module.require = require
    return module


def _make_numpy_distutils(name):
    module = types.ModuleType(name)
    module.__path__ = []
    # "No Accelerate here": chainer warns of the old one, which NumPy dropped in 1.20.
    module.get_info = lambda *args, **kwargs: {}
    return module


class _MissingModules(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finder of the stand-ins. It stands last in sys.meta_path, so it is asked only for what is really missing."""

    _makers = {
        'pkg_resources': lambda name: _make_pkg_resources(),
        'numpy.distutils': _make_numpy_distutils,
        'numpy.distutils.system_info': _make_numpy_distutils,
    }

    def __init__(self):
        self.supplied = []

    def find_spec(self, name, path=None, target=None):
        if name in self._makers:
            return importlib.machinery.ModuleSpec(name, self, is_package=name == 'numpy.distutils')
        return None

    def create_module(self, spec):
        self.supplied.append(spec.name)
        return self._makers[spec.name](spec.name)

    def exec_module(self, module):
        pass


@contextlib.contextmanager
def _missing_modules():
    finder = _MissingModules()
    sys.meta_path.append(finder)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # where pkg_resources exists it warns of its own end at every import
            yield
    finally:
        sys.meta_path.remove(finder)
        for name in finder.supplied:  # other packages must not take a stand-in for the real thing
            sys.modules.pop(name, None)
        if 'numpy.distutils' in finder.supplied:
            vars(numpy).pop('distutils', None)


def _import_chainer():
    # Chainer 7.8.1 warns that every CuPy after 12 "may not be compatible". This project's tests say which ones are.
    os.environ.setdefault('CHAINER_WARN_VERSION_MISMATCH', '0')
    _add_numpy_names()
    with _missing_modules():
        import chainer
        import chainer.testing  # imports pkg_resources itself; gradient_check needs it
        import chainer.gradient_check  # noqa: F401


_import_chainer()
