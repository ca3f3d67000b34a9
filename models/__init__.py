"""The network, and what it is made of: convolution, pixel shuffler and initial weights."""
import util  # noqa: F401  (its compatibility module makes `import chainer` work)
