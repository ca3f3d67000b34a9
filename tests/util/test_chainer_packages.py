"""What chainer's packages gather is there, name by name, as their own source says."""
import subprocess
import sys

from util.script import PROJECT

# Each package's own source, run as Python would have run it: an independent reading of what it holds.
EVERY_NAME = """
import ast, importlib, pkgutil
import util, chainer
from util.chainer_packages import GATHERING, NamesWhenUsed

packages = [f'chainer.{name}' for name in GATHERING]
count = 0
for name in packages:
    package = importlib.import_module(name)
    assert isinstance(package.__spec__.loader, NamesWhenUsed), name
    with open(package.__file__, encoding='utf-8') as file:
        source = file.read()
    statements = ast.parse(source).body[ast.get_docstring(ast.parse(source)) is not None:]
    assert all(isinstance(statement, ast.ImportFrom) for statement in statements), name
    expected = {'__name__': name, '__package__': name}
    exec(source, expected)
    for each in [each for each in expected if not each.startswith('__')]:
        assert each in dir(package) and getattr(package, each) is expected[each], (name, each)
        count += 1
    packages += [f'{name}.{below.name}' for below in pkgutil.iter_modules(package.__path__)
                 if below.ispkg and below.name != 'caffe']  # which is of an older protobuf
gathered = {}
exec('from chainer.functions import *', gathered)
assert gathered['relu'] is chainer.functions.activation.relu.relu and len(gathered) > 200
print(count)
"""


def run(code):
    return subprocess.run([sys.executable, '-c', code], cwd=PROJECT, check=True, capture_output=True, text=True).stdout


def test_every_name_is_what_the_package_s_own_source_makes_it():
    assert int(run(EVERY_NAME)) > 350


def test_a_function_imports_its_own_module_alone():
    out = run('import util, sys, chainer.functions as F\n'
              'before = set(sys.modules)\n'
              'F.softplus(__import__("numpy").ones(1, "f"))\n'
              'print(*sorted(name for name in set(sys.modules) - before if name.startswith("chainer.")))')
    assert out.split() == ['chainer.functions.activation', 'chainer.functions.activation.softplus']


def test_a_module_is_found_below_its_package_without_an_import_of_its_own():
    """Chainer's own functions reach for each other so."""
    out = run('import util, chainer\nprint(chainer.functions.activation.sigmoid.SigmoidGrad.__name__)')
    assert out == 'SigmoidGrad\n'


def test_what_is_not_there_is_told_as_of_any_module():
    out = run('import util, chainer.functions as F\n'
              'print(hasattr(F, "no_such_function"))\n'
              'try:\n'
              '    from chainer.functions import no_such_function\n'
              'except ImportError as error:\n'
              '    print(error)')
    assert out.startswith("False\ncannot import name 'no_such_function' from 'chainer.functions'")
