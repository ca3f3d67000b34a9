"""Plugin of pytest (``-p tests.strict_cupy.plugin``): CuPy is the stand-in."""
import pytest

from tests.strict_cupy.modules import install


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests():
    """Before tests/conftest.py imports Chainer, which asks for CuPy as it is imported."""
    install()
