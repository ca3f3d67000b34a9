"""What is learned, and the functions it is made of: arrays and Chainer, never files, configs or SimpleITK."""
import util  # noqa: F401  (makes `import chainer` work, whoever imports a model first)
