import os

from util import chainer_compat

# TF32 keeps 10 of float32's 23 bits. NVIDIA's libraries read this when they are loaded: off, so that a GPU's results
# equal the CPU's; NVIDIA_TF32_OVERRIDE=1 and CUPY_TF32=1 in the environment turn it on.
os.environ.setdefault('NVIDIA_TF32_OVERRIDE', '0')

chainer_compat.install()  # makes `import chainer` work, whoever says it first
