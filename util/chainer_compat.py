"""Make ``import chainer`` work on today's Python and NumPy, and quick; 7.8.1 of 2022 is its last release.

Chainer needs a few names that NumPy 2, Python 3.12 and new setuptools no longer have. They are supplied where they are
missing, and no others. It also imports much that few ever use; of that, what takes long is imported when it is used.
``util/__init__.py`` calls `install`. So whoever says ``import chainer`` in the project gets it so, and who does not
waits for nothing.

===========================  ======================================================  ===========================
name                         who needs it                                            supplied
===========================  ======================================================  ===========================
``numpy.sctypes``            ``chainer.functions.array.as_strided``, when called too  for good
``numpy.float``              ``chainer.functions.resize_images``, when called         for good
``pkg_resources``            ``chainer.testing``                                      while that is imported
``_environment_check``       chainer: macOS's old BLAS, CuPy's version; passed over   while chainer is imported
``scipy``, ``PIL``, ``h5py``  some functions, data sets and links, when called        to chainer, at their first use
``functions``, ``links``...  nothing while chainer is imported, or little             name by name, when used
===========================  ======================================================  ===========================
"""
import contextlib
import importlib
import importlib.machinery
import sys
import types
import warnings

from util.chainer_packages import NamesWhenUsed, gathers


def _add_numpy_names():
    """Give NumPy back the two names that chainer reads when a function is called."""
    import numpy
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
    import importlib.metadata
    from packaging.requirements import Requirement

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


def _make_environment_check():
    """The check of the environment, without one.

    Chainer 7.8.1 looks for a BLAS that NumPy dropped in 1.20, by modules that are gone, and warns that every CuPy after
    12 "may not be compatible". This project's tests say which ones are.
    """
    module = types.ModuleType('chainer._environment_check')
    module.check = lambda: None
    return module


class _Later(types.ModuleType):
    """Stands for a module that is imported when something of it is asked for.

    It is among the modules while chainer is imported, half a tenth of a second: another thread that imports the real
    one in that time gets this instead.
    """

    def __init__(self, name):
        super().__init__(name)
        self.__path__ = []

    def __getattr__(self, name):
        if sys.modules.get(self.__name__) is self:  # "from scipy import special", while chainer is imported
            if name.startswith('__'):  # what the import system asks of every module
                raise AttributeError(name)
            return importlib.import_module(f'{self.__name__}.{name}')
        return getattr(importlib.import_module(self.__name__), name)


class _StandIns:
    """Finder of the stand-ins, for one import of chainer."""

    _makers = {'pkg_resources': _make_pkg_resources, 'chainer._environment_check': _make_environment_check}
    _later = 'scipy', 'PIL', 'h5py'

    def __init__(self):
        self.supplied = []

    def find_spec(self, name, path=None, target=None):
        later = any(f'{name}.'.startswith(f'{package}.') for package in self._later)
        if name in self._makers or (later and self._is_there(name.partition('.')[0]) and _importer() == 'chainer'):
            return importlib.machinery.ModuleSpec(name, self, is_package=later)
        return None

    @staticmethod
    def _is_there(package):
        return package in sys.modules or importlib.machinery.PathFinder.find_spec(package) is not None

    def create_module(self, spec):
        self.supplied.append(spec.name)
        return self._makers[spec.name]() if spec.name in self._makers else _Later(spec.name)

    def exec_module(self, module):
        pass


def _importer():
    """The top package of the module that runs the import statement which is being carried out."""
    frame = sys._getframe(2)
    while frame and frame.f_globals.get('__name__', '').partition('.')[0] in ('importlib', __name__.partition('.')[0]):
        frame = frame.f_back
    return frame.f_globals.get('__name__', '').partition('.')[0] if frame else ''


@contextlib.contextmanager
def _stand_ins():
    """Let imports find the stand-ins; afterwards other packages find the real thing, or nothing."""
    finder = _StandIns()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in finder.supplied:
            parent, _, child = name.rpartition('.')
            stand_in = sys.modules.pop(name, None)
            # where its own package is, chainer keeps the stand-in, and others keep nothing
            if (stand_in and parent and not name.startswith('chainer.')
                    and vars(sys.modules.get(parent, stand_in)).get(child) is stand_in):
                delattr(sys.modules[parent], child)


class _Chainer:
    """Finds chainer where Python finds it, and supplies what is missing while it is imported."""

    _names = 'chainer', 'chainer.testing'  # the second is not imported by the first, and needs pkg_resources as well

    def find_spec(self, name, path=None, target=None):
        if name not in self._names and not gathers(name):
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is not None and name in self._names:
            spec.loader_state, spec.loader = spec.loader, self
        elif spec is not None and spec.submodule_search_locations is not None:
            spec.loader = NamesWhenUsed(spec.loader)
        return spec

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        spec = module.__spec__
        module.__loader__ = spec.loader = spec.loader_state
        _add_numpy_names()
        if module.__name__ == 'chainer':
            _import_cupy()
        with _stand_ins(), warnings.catch_warnings():
            warnings.simplefilter('ignore')
            spec.loader.exec_module(module)
            if module.__name__ == 'chainer':
                # A link asks for the first without importing it. The second is the project's distribution, whose
                # functions ask for SciPy as soon as they are imported.
                for name in 'chainer.memory_layouts', 'chainer.distributions.normal':
                    importlib.import_module(name)
                if module.backends.cuda.available:  # it warns, once, that CuPy has no cuDNN: the project does without
                    module.backends.cuda.check_cuda_available()


def _import_cupy():
    """Import what chainer imports of CuPy, where that is: CuPy shall find SciPy itself, and no stand-in."""
    with contextlib.suppress(Exception):  # chainer tries again, and keeps the reason
        for name in ('cupy', 'cupy.cuda.cublas', 'cupyx.scipy.linalg', 'cupyx.scipy.special'):
            importlib.import_module(name)


def install():
    """Have every later ``import chainer`` find what it needs; a second call does nothing."""
    if not any(isinstance(finder, _Chainer) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Chainer())
