"""A strict stand-in for CuPy on NumPy: code for a GPU runs on it where there is none, and a device mix-up fails there.

    python -m pytest -m gpu -p tests.strict_cupy.plugin

runs the tests marked gpu on it. Its arrays are on a device of their own, as CuPy's are. What takes arrays of the device
refuses a numpy.ndarray, and what takes a numpy.ndarray refuses them; `get`, `set`, `asarray` and `asnumpy` go between.
It is told from CuPy's source what is refused, and test_strict_cupy.py asks the same of the real CuPy where there is a
GPU.

The project's own kernels run on the CPU, compiled by g++ (`kernels`). They are slow there, so only the tests that ask
for them (fixture gpu_with_kernels) have them; with ``--kernels`` all have.

It is stricter than CuPy in three things: it has only the names that are used (`functions.TABLE`), all its functions
refuse arrays of the host, and its two devices do not reach each other's memory. What is never written to is NaN. It
shows nothing of the rounding of the GPU's libraries, memory, speed, streams or graphs.
"""
