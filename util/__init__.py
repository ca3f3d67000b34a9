from util import chainer_compat  # noqa: F401  (makes `import chainer` work; must come before any other import of it)
