"""What a run of the benchmark found: a Markdown table and a plot."""
import importlib.metadata
import os
import platform
import re

from benchmarks.cases import multiply_adds
from benchmarks.implementations import EAGER, GEMM, GEMM_SIDE, PROJECT, PYTORCH, STOCK
from util.files import replacing, write_text


def best_pytorch(results):
    """Find the fastest PyTorch variant.

    Args:
        results (dict): A Result per implementation.

    Returns:
        str or None: Its name; None where none ran.
    """
    ran = [name for name in PYTORCH if results[name].seconds]
    return min(ran, key=lambda name: results[name].median, default=None)


def gemm_share(case, result, gemm, gpu):
    """Multiply-adds per second of a case, counted as direct convolution, over those of the large matrix product.

    Args:
        case (Case): The work.
        result (Result): An implementation's result on it.
        gemm (Result): The matrix product's result in the same run.
        gpu (int): GPU number, or negative for the CPU.

    Returns:
        float: 1 is the speed of the matrix product.
    """
    side = GEMM_SIDE['cpu' if gpu < 0 else 'gpu']
    return multiply_adds(case) / result.median / (side ** 3 / gemm.median)


def _table(header, rows):
    lines = [header, ['---'] * len(header), *rows]
    return '\n'.join('| ' + ' | '.join(line) + ' |' for line in lines)


def _ms(seconds):
    return f'{1e3 * seconds:.3g}' if seconds < 1 else f'{1e3 * seconds:.0f}'


def _ratio(a, b):
    return f'{a.median / b.median:.2f}' if a.seconds and b.seconds else '–'


def _fastest_ratio(project, results):
    pytorch = [min(results[name].seconds) for name in PYTORCH if results[name].seconds]
    return f'{min(project.seconds) / min(pytorch):.2f}' if project.seconds else '–'


def _mib(memory, key):
    return f'{memory[key]:.0f}' if memory and memory[key] is not None else '–'


def _case_rows(case, results, gpu):
    best = best_pytorch(results)
    for name, result in results.items():
        if name == GEMM:
            continue
        if not result.seconds:
            yield [name, result.failure] + ['–'] * 6
            continue
        gemm = results[GEMM]
        yield [
            f'**{name}**' if name == PROJECT else name,
            _ms(result.median),
            f'{_ms(min(result.seconds))}–{_ms(max(result.seconds))} ({len(result.seconds)})',
            _ratio(result, results[best]) if best else '–',
            _ratio(results[STOCK], result),
            _mib(result.memory, 'growth'),
            _mib(result.memory, 'total'),
            f'{100 * gemm_share(case, result, gemm, gpu):.0f} %' if gemm.seconds else '–',
        ]


def _summary_row(case, results, gpu):
    project, stock, best = results[PROJECT], results[STOCK], best_pytorch(results)
    key = _memory_key(gpu)
    ran = [results[name].memory for name in PYTORCH if results[name].seconds]
    least = min(ran, key=lambda memory: memory[key], default=None)
    return [
        case.name,
        _ms(project.median) if project.seconds else project.failure,
        f'{_ms(results[best].median)} ({best.removeprefix("PyTorch, ")})' if best else 'not installed',
        f'**{_ratio(project, results[best])}** ({_fastest_ratio(project, results)})' if best else '–',
        _ms(stock.median) if stock.seconds else stock.failure,
        _ratio(stock, project),
        ' / '.join(_mib(memory, key) for memory in (project.memory, least, stock.memory)),
    ]


def _memory_key(gpu):
    """The figure that all libraries can give: what the work added to the process, or on a GPU what the pools took."""
    return 'growth' if gpu < 0 else 'total'


def _machine(gpu):
    with open('/proc/cpuinfo') as file:
        model = re.search(r'model name\s*:\s*(.*)', file.read())
    with open('/proc/meminfo') as file:
        memory = int(re.search(r'MemTotal:\s*(\d+)', file.read()).group(1)) / 2 ** 20
    lines = [f'CPU: {model.group(1) if model else platform.machine()}, {len(os.sched_getaffinity(0))} cores, '
             f'{memory:.0f} GiB, {platform.system()}']
    if gpu >= 0:
        import cupy
        from chainer.backends import cuda
        runtime = cupy.cuda.runtime
        cudnn = 'with' if cuda.cudnn_enabled else 'without'
        lines.append(f'GPU: {runtime.getDeviceProperties(gpu)["name"].decode()}, CUDA driver '
                     f'{runtime.driverGetVersion()}; CuPy {cudnn} cuDNN, PyTorch with its own; TF32 off')
    found = [f'Python {platform.python_version()}']
    for package in ('numpy', 'chainer', 'torch', 'cupy', 'cupy-cuda12x', 'cupy-cuda13x'):
        try:
            found.append(f'{package} {importlib.metadata.version(package)}')
        except importlib.metadata.PackageNotFoundError:
            continue
    return [*lines, ', '.join(found)]


def _gflops(measured, gpu):
    side = GEMM_SIDE['cpu' if gpu < 0 else 'gpu']
    return [2e-9 * side ** 3 / results[GEMM].median for _, results in measured if results[GEMM].seconds]


def markdown(measured, loop, gpu, repeats, load):
    """The whole report.

    Args:
        measured (list of (Case, dict)): For each case a Result per implementation.
        loop (dict): Seconds of an ``iteration`` with its patches, and of its part ``outside`` the network.
        gpu (int): GPU number, or negative for the CPU.
        repeats (int): Rounds per case.
        load (float): Number of processes that the machine was busy with before the run.

    Returns:
        str: Markdown.
    """
    memory = 'added memory' if gpu < 0 else 'GPU memory taken'
    parts = [
        '# Benchmark',
        '\n'.join(f'- {line}' for line in _machine(gpu)),
        'Medians of one run in which all implementations take turns, each in a process of its own for each case; '
        f'{repeats} rounds, stock Chainer in the first three at most. Same arrays, same weights, float32; that the '
        'results agree is checked. Ratio: median time over that of the fastest PyTorch variant, below 1 is faster; in '
        'brackets that of the fastest turns, which other work on the machine disturbs less. The memory of PyTorch in '
        f'this table is that of its most frugal variant. Processes running before: {load:.1f}.',
        _table(['work', 'this project, ms', "PyTorch's best, ms", 'ratio (fastest turns)', 'stock Chainer, ms',
                'times faster than stock', f'peak {memory}, MiB: this / PyTorch / stock'],
               [_summary_row(case, results, gpu) for case, results in measured]),
        f'Of a training iteration with its patches ({_ms(loop["iteration"])} ms: StandardUpdater, PatchDataset, batch '
        f'5) {100 * loop["outside"] / loop["iteration"]:.1f} % ({_ms(loop["outside"])} ms) pass outside forward, '
        'backward and update.',
        '## In detail',
    ]
    rates = _gflops(measured, gpu)
    if rates:
        parts.append(
            f'The large float32 matrix product that took turns with them ran at {min(rates):.0f}–{max(rates):.0f} '
            "GFLOP/s (its median in each case). 'Of GEMM': multiply-adds of the network, counted as direct convolution "
            "(179 150 per LR voxel at rate 4, forward), over those of that product in the same time; Winograd's "
            'algorithm needs fewer, so that it may pass 100 %.')
    parts.append(
        "Memory: 'added' is the process's peak resident size less its size after imports, 'in all' is the peak itself; "
        "what PyTorch's compiler needs is part of the compiled variant." if gpu < 0 else
        "Memory: 'filled' is the most that tensors held (CuPy does not count it), 'taken' what the pool had from the "
        'GPU, after the first step, in which algorithms are chosen.')
    headings = ('added, MiB', 'in all, MiB') if gpu < 0 else ('filled, MiB', 'taken, MiB')
    for case, results in measured:
        parts += [f'### {case.name[0].upper()}{case.name[1:]}', _table(
            ['implementation', 'median, ms', 'least–most, ms (turns)', "over PyTorch's best", 'stock over this',
             *headings, 'of GEMM'], _case_rows(case, results, gpu))]
    return '\n\n'.join(parts) + '\n'


def save(folder, text, growth, gpu):
    """Write benchmark.md and growth.png.

    Args:
        folder (pathlib.Path): Where to.
        text (str): The report.
        growth ((list, list)): (Case, dict of Results) of growing volumes, and of growing batches.
        gpu (int): GPU number, or negative for the CPU.
    """
    write_text(folder / 'benchmark.md', text)
    from matplotlib.figure import Figure
    volumes, batches = growth
    figure = Figure(figsize=(15, 4.5), layout='constrained')
    time, memory, batch = figure.subplots(1, 3)
    for name in (PROJECT, *EAGER):
        done = [(case, results[name]) for case, results in volumes if results[name].seconds]
        voxels = [case.voxels for case, _ in done]
        time.plot(voxels, [result.median for _, result in done], 'o-', label=name)
        memory.plot(voxels, [result.memory[_memory_key(gpu)] for _, result in done], 'o-', label=name)
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
    with replacing(folder / 'growth.png') as temporary:
        figure.savefig(temporary, dpi=100)
