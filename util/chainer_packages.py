"""Chainer's packages that only gather what their modules hold, so that a module is imported when it is used.

``import chainer`` imports some three hundred modules, for ``chainer.functions.relu`` and the like; a command uses a
dozen. The ``__init__.py`` of each such package has lines ``from MODULE import NAME`` alone, so they can be read instead
of run. All ways to a name lead to what they always led to: ``F.relu``, ``from chainer.functions import relu``, ``import
chainer.functions.activation.relu``.
"""
import importlib.util
import re

GATHERING = ('functions', 'distributions', 'function_hooks', 'links', 'optimizers', 'training', 'iterators', 'datasets')
_LINE = re.compile(r'^from (\S+) import (\w+)(?: as (\w+))?', re.MULTILINE)


def gathers(name):
    """Whether a module's name is that of such a package, or of one below it."""
    top, *rest = name.split('.')
    return top == 'chainer' and rest[:1] and rest[0] in GATHERING


class NamesWhenUsed:
    """Loader of such a package.

    Args:
        loader: The one that Python has for its ``__init__.py``.
    """

    def __init__(self, loader):
        self._loader = loader

    def __getattr__(self, name):
        return getattr(self._loader, name)

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        package = module.__name__
        found = {alias or name: (where, name) for where, name, alias in
                 _LINE.findall(self._loader.get_source(package))}

        def find(name):
            where, what = found.get(name, (package, name))
            if where != package:
                value = getattr(importlib.import_module(where), what)
            elif not name.startswith('_') and importlib.util.find_spec(f'{package}.{name}'):
                value = importlib.import_module(f'{package}.{name}')
            else:
                raise AttributeError(f'module {package!r} has no attribute {name!r}')
            return vars(module).setdefault(name, value)

        module.__getattr__, module.__dir__ = find, lambda: sorted({*vars(module), *found})
        if found:
            module.__all__ = list(found)  # for `from chainer.functions import *`
