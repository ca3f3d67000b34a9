"""Plugin of pytest (``-p tests.strict_cupy.plugin``): CuPy is the stand-in."""
import pytest

from tests.strict_cupy.modules import install


def pytest_addoption(parser):
    parser.addoption('--kernels', action='store_true', help='the stand-in for CuPy runs kernels in every test')


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config):
    """Before tests/conftest.py imports Chainer, which asks for CuPy as it is imported."""
    install(compiles=early_config.known_args_namespace.kernels)
