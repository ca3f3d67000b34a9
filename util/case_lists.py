from collections import namedtuple
from pathlib import Path
Case = namedtuple('Case', 'name lr_path hr_path')
def read_list(path, root):
    out = []
    for line in Path(path).read_text().splitlines():
        p = line.split()
        out.append(Case(Path(p[0]).stem, Path(root)/p[0], Path(root)/p[1] if len(p) > 1 else None))
    return out
