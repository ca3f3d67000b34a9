"""What a run of the benchmark found, as Markdown: the network, whole commands, the limits, and the details."""
from benchmarks import machine
from benchmarks.commands import FILES, HERE, PLAIN
from benchmarks.found import best_of
from benchmarks.growth import memory_key
from benchmarks.implementations import COPY, GEMM, ONNXRUNTIME, OPENVINO, PROJECT, PYTORCH, STOCK, YARDSTICKS
from benchmarks.limits import work
from benchmarks.tables import mib, ms, percent, ratio, table
from benchmarks.yardsticks import bytes_per_second, multiply_adds_per_second


def _share(least, seconds):
    return None if least is None else least / seconds


def _best_ms(results, names):
    """Time and variant of the fastest: '182 (compiled)'."""
    best = best_of(results, names)
    if best:
        return f'{ms(results[best].median)} ({best.split(", ")[1]})'
    return next((results[name].failure for name in names if name in results), '–')


def _fastest_ratio(results):
    pytorch = [min(results[name].seconds) for name in PYTORCH if results[name].seconds]
    return f'{min(results[PROJECT].seconds) / min(pytorch):.2f}' if results[PROJECT].seconds else '–'


def _summary_row(case, results, gpu):
    project, stock, best = results[PROJECT], results[STOCK], best_of(results, PYTORCH)
    key = memory_key(gpu)
    ran = [results[name].memory for name in PYTORCH if results[name].seconds]
    least = min(ran, key=lambda memory: memory[key], default=None)
    return [
        case.name,
        ms(project.median) if project.seconds else project.failure,
        _best_ms(results, PYTORCH),
        f'**{ratio(project, results[best])}** ({_fastest_ratio(results)})' if best else '–',
        _best_ms(results, ONNXRUNTIME),
        _best_ms(results, OPENVINO),
        ms(stock.median) if stock.seconds else stock.failure,
        ratio(stock, project),
        ' / '.join(mib(memory, key) for memory in (project.memory, least, stock.memory)),
    ]


def _network(found):
    memory = 'added memory' if found.gpu < 0 else 'GPU memory taken'
    loop = found.loop
    return [
        '## The network',
        'Medians of one run in which all implementations take turns, each in a process of its own for each case; '
        f'{found.repeats} rounds, stock Chainer in the first three at most. Same arrays, same weights, float32; that '
        'the results agree is checked. Ratio: median time over that of the fastest PyTorch variant, below 1 is faster; '
        'in brackets that of the fastest turns, which other work on the machine disturbs less. The memory of PyTorch '
        f'in this table is that of its most frugal variant. Processes running before: {found.load:.1f}.',
        table(['work', 'this project, ms', "PyTorch's best, ms", 'ratio (fastest turns)', 'ONNX Runtime, ms',
               'OpenVINO, ms', 'stock Chainer, ms', 'times faster than stock',
               f'peak {memory}, MiB: this / PyTorch / stock'],
              [_summary_row(case, results, found.gpu) for case, results in found.cases]),
        f'Of a training iteration with its patches ({ms(loop["iteration"])} ms: Updater, PatchDataset, batch 5) '
        f'{100 * loop["outside"] / loop["iteration"]:.1f} % ({ms(loop["outside"])} ms) go into choosing and cutting '
        'patches' + ('' if found.gpu < 0 else ', while the GPU works on the iteration before') + '.',
    ]


def _command_row(command, runs, found):
    ours, plain, files = (runs[name] for name in (HERE, PLAIN, FILES))

    def both(key, digits):
        return ' / '.join(f'{run.median(key):.{digits}f}' if run.usages else '–' for run in (ours, plain))

    least = network = None
    limits = [(found.limit(case), count) for case, count in command.network]
    if files.usages and all(each for each, _ in limits):
        network = sum(count * each.seconds for each, count in limits)
        least = files.median('wall') + network
    return [
        command.name,
        f'{ours.median("wall"):.2f}' if ours.usages else ours.failure,
        f'{plain.median("wall"):.2f}' if plain.usages else plain.failure,
        f'**{ours.median("wall") / plain.median("wall"):.2f}**' if ours.usages and plain.usages else '–',
        both('cpu', 2),
        both('peak', 0),
        '–' if least is None else f'{least:.3f} ({files.median("wall"):.3f} + {network:.3f})',
        ' / '.join(percent(_share(least, run.median('wall'))) if run.usages else '–' for run in (ours, plain)),
        str(max(len(ours.usages), len(plain.usages))),
    ]


def _commands(found):
    if not found.commands:
        return []
    return [
        '## Whole commands',
        'Whole processes, from start to end, beside plain scripts with the same weights and files '
        '(`benchmarks/plain`: PyTorch, SimpleITK, SciPy, scikit-image, matplotlib). They take turns; medians. That the '
        "volumes and scores agree is checked; of a training, the PSNR on validation. Memory is the largest process's "
        'peak, all of it. Limit: reading and writing the same bytes in a bare Python, and the limit of the network '
        '(below). `inference.py` with scores also finds the head and scores it apart; the data scripts also check what '
        'they take, and flush what they write to the disk.',
        table(['command', 'this project, s', 'plain script, s', 'ratio', 'CPU s: this / plain',
               'peak MiB: this / plain', 'limit, s (files + network)', 'of the limit: this / plain', 'rounds'],
              [_command_row(command, runs, found) for command, runs in found.commands]),
    ]


def _limit_row(case, results, found):
    needed, least = work(case), found.limit(case, results)
    if least is None:
        return [case.name, *['–'] * 9]
    groups = [[PROJECT], PYTORCH, ONNXRUNTIME, OPENVINO]
    best = [best_of(results, group) for group in groups]
    return [
        case.name,
        *(f'{number / 1e9:.2f}' for number in (needed.direct, needed.products, needed.transforms)),
        f'{needed.bytes / 2 ** 20:.0f}',
        f'{ms(least.products)} / {ms(least.arithmetic)} / {ms(least.memory)}',
        percent(_share(least.products, results[PROJECT].median)) if best[0] else '–',
        *(percent(_share(least.seconds, results[name].median)) if name else '–' for name in best[:2]),
        ' / '.join(percent(_share(least.seconds, results[name].median)) if name else '–' for name in best[2:]),
    ]


def _limits(found):
    speeds = []
    for name, speed in ((GEMM, lambda seconds: 2e-9 * multiply_adds_per_second(seconds, found.gpu)),
                        (COPY, lambda seconds: 1e-9 * bytes_per_second(seconds))):
        rates = [speed(results[name].median) for _, results in found.cases if results[name].seconds]
        speeds.append(f'{min(rates):.0f}–{max(rates):.0f}' if rates else '–')
    return [
        '## The limits',
        f'A large float32 matrix product that took turns with them ran at {speeds[0]} GFLOP/s, a copy of a large array '
        f'at {speeds[1]} GB/s, read and written bytes together (its median in each case). The limit is the longer of '
        'two times: of the multiply-adds that are left by F(4×4×4, 3×3×3) where that saves any (products: 216 for '
        '64 outputs instead of 1728) and of its transforms as dense matrix products, at the speed of the large '
        'product; and of the bytes that have to be read and written at least once, at the speed of the copy. '
        '`benchmarks/limits.py` has the formulas. Not counted: biases, rectifiers, loss, update. "Of the products" is '
        'the share of the limit without the transforms. Processors that slow down while all cores work, and turns that '
        'others disturb, make shares uncertain by some percent.',
        table(['work', 'direct, 10⁹ multiply-adds', 'products, 10⁹', 'transforms, 10⁹', 'MiB moved',
               'ms: products / with transforms / memory', 'this project, of the products', 'of the limit',
               "PyTorch's best, of the limit", 'ONNX Runtime / OpenVINO, of the limit'],
              [_limit_row(case, results, found) for case, results in found.cases]),
    ]


def _detail_rows(case, results, found):
    best, least = best_of(results, PYTORCH), found.limit(case, results)
    for name, result in results.items():
        if name in YARDSTICKS:
            continue
        if not result.seconds:
            yield [name, result.failure] + ['–'] * 6
            continue
        yield [
            f'**{name}**' if name == PROJECT else name,
            ms(result.median),
            f'{ms(min(result.seconds))}–{ms(max(result.seconds))} ({len(result.seconds)})',
            ratio(result, results[best]) if best else '–',
            ratio(results[STOCK], result),
            mib(result.memory, 'growth'),
            mib(result.memory, 'total'),
            percent(_share(least.seconds, result.median)) if least else '–',
        ]


def _details(found):
    parts = [
        '## In detail',
        "Memory: 'added' is the process's peak resident size less its size after imports, 'in all' is the peak itself; "
        "what PyTorch's compiler needs is part of the compiled variant." if found.gpu < 0 else
        "Memory: 'filled' is the most that tensors held (CuPy does not count it), 'taken' what the pool had from the "
        'GPU, after the first step, in which algorithms are chosen.',
        "ONNX Runtime and OpenVINO run graphs of fixed size, the whole volume or this project's tiles; OpenVINO with "
        "PERFORMANCE_HINT LATENCY and INFERENCE_PRECISION_HINT f32. With tiles, Chainer is part of 'in all'.",
    ]
    headings = ('added, MiB', 'in all, MiB') if found.gpu < 0 else ('filled, MiB', 'taken, MiB')
    for case, results in found.cases:
        parts += [f'### {case.name[0].upper()}{case.name[1:]}', table(
            ['implementation', 'median, ms', 'least–most, ms (turns)', "over PyTorch's best", 'stock over this',
             *headings, 'of the limit'], _detail_rows(case, results, found))]
    return parts


def markdown(found):
    """The whole report.

    Args:
        found (Found): All that a run measured.

    Returns:
        str: Markdown.
    """
    parts = ['# Benchmark', '\n'.join(f'- {line}' for line in machine.describe(found.gpu)),
             *_network(found), *_commands(found), *_limits(found), *_details(found)]
    return '\n\n'.join(parts) + '\n'
