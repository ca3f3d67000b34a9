"""The plot of time and memory by volume, and of time by batch."""
from benchmarks.implementations import EAGER, PROJECT
from util.files import replacing


def memory_key(gpu):
    """The figure that all libraries can give: what the work added to the process, or on a GPU what the pools took."""
    return 'growth' if gpu < 0 else 'total'


def save(path, volumes, batches, gpu):
    """Write the plot.

    Args:
        path (pathlib.Path): PNG file to write.
        volumes (list of (Case, dict)): Growing volumes, each with a Result per implementation.
        batches (list of (Case, dict)): Growing batches.
        gpu (int): GPU number, or negative for the CPU.
    """
    from matplotlib.figure import Figure
    figure = Figure(figsize=(15, 4.5), layout='constrained')
    time, memory, batch = figure.subplots(1, 3)
    for name in (PROJECT, *EAGER):
        done = [(case, results[name]) for case, results in volumes if results[name].seconds]
        voxels = [case.voxels for case, _ in done]
        time.plot(voxels, [result.median for _, result in done], 'o-', label=name)
        memory.plot(voxels, [result.memory[memory_key(gpu)] for _, result in done], 'o-', label=name)
        done = [(case, results[name]) for case, results in batches if results[name].seconds]
        batch.plot([case.batch for case, _ in done], [1e3 * result.median for _, result in done], 'o-', label=name)
    cases = [case for case, _ in volumes]
    memory.plot([case.voxels for case in cases], [4 * case.voxels * case.rate ** 3 / 2 ** 20 for case in cases], 'k--',
                label='the HR volume itself')
    for axes, xlabel, ylabel in ((time, 'LR voxels of a whole volume', 'seconds'),
                                 (memory, 'LR voxels of a whole volume',
                                  'added peak memory, MiB' if gpu < 0 else 'GPU memory taken, MiB'),
                                 (batch, 'batch size', 'training iteration, ms')):
        axes.set(xlabel=xlabel, ylabel=ylabel, xlim=(0, None), ylim=(0, None))
        axes.grid(alpha=0.3)
        axes.legend()
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=100)

