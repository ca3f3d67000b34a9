import util  # noqa: F401  (its compatibility module makes `import chainer` work in every test)
