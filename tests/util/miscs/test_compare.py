"""The whole comparison on a tiny dataset: made once, continued, refused where it would mix two."""
import csv
import os

import numpy
import pytest
from scipy.ndimage import gaussian_filter

import inference
import training
from tests.experiment import HR_GEOMETRY, assert_refused, change, make_experiment
from util.comparison import runs
from util.miscs import compare, make_lists, make_lr_img
from util.volumes.volume import Volume
from util.volumes.writing import write_volume

SPLIT = ('--val', '0001', '--test', '0002', '0003')


@pytest.fixture
def dataset(tmp_path):
    """Four cleaned volumes and two recipes of 6 iterations at rate 2."""
    make_experiment(tmp_path)
    rng = numpy.random.default_rng(0)
    for name in ('0000', '0001', '0002', '0003'):
        hr = gaussian_filter(rng.normal(size=(24, 24, 24)), 2) * 400 + 50
        write_volume(tmp_path / f'interim/{name}.mhd', Volume(hr.clip(0).astype(numpy.float32)[None], *HR_GEOMETRY))
    (tmp_path / 'a.yml').write_text((tmp_path / 'experiment.yml').read_text())
    (tmp_path / 'b.yml').write_text((tmp_path / 'experiment.yml').read_text())
    change(tmp_path / 'b.yml', 'intensity_scaling: none', 'intensity_scaling: percentile')
    return tmp_path


SCRIPTS = {'training.py': training, 'inference.py': inference, 'util/miscs/make_lr_img.py': make_lr_img,
           'util/miscs/make_lists.py': make_lists}


@pytest.fixture
def compared(dataset, here, monkeypatch):
    """Runs compare.py, and the scripts that it runs, in this process; what it would run is printed as it does."""
    def script(name, *arguments):
        print('$ python', name)
        assert not SCRIPTS[name].main(list(map(str, arguments)))

    monkeypatch.setattr(runs, 'script', script)
    return lambda *arguments: here(compare.main, *arguments, '-i', 'interim', '-o', 'out')


def test_a_comparison_is_made_and_continued(dataset, compared):
    misspelt = compared('a.yml', '--val', '0002', '--test', '0099', '--iterations', '2')
    assert_refused(misspelt, '0099')  # and holds nobody up who puts it right
    done = compared('a.yml', *SPLIT, '--iterations', '2')
    assert done.returncode == 0, done.stderr
    model = dataset / 'out/a/training/gen_iter_2.npz'
    first = model.stat().st_mtime_ns

    done = compared('a.yml', 'b.yml', *SPLIT, '--iterations', '2', '--ensemble')
    assert done.returncode == 0, done.stderr
    assert model.stat().st_mtime_ns == first  # what is done is not done again
    assert done.stdout.count('$ python training.py') == 1 and 'make_lr_img.py' not in done.stdout
    markdown = (dataset / 'out/comparison.md').read_text(encoding='utf-8')
    assert markdown in done.stdout
    for row in ('| a | x2 bspline |', '| a + ensemble | x2 bspline |', '| b | x2 bspline |'):
        assert row in markdown
    with open(dataset / 'out/comparison.csv', newline='', encoding='utf-8') as file:
        rows = list(csv.DictReader(file))
    assert [row['case'] for row in rows] == ['0002', '0003'] * 4
    with open(dataset / 'out/b/inference/scores.csv', newline='', encoding='utf-8') as file:
        scores = {row['case']: row for row in csv.DictReader(file)}
    row, = (row for row in rows if (row['recipe'], row['ensemble'], row['case']) == ('b', '0', '0003'))
    assert {column: row[column] for column in scores['0003'] if column != 'case'} == {
        column: value for column, value in scores['0003'].items() if column != 'case'}
    assert (dataset / 'out/comparison.png').stat().st_size > 5000

    assert_refused(compared('a.yml', '--val', '0002', '--test', '0003'), 'holds a comparison with val')
    os.utime(dataset / 'interim/0003.raw', ns=(0, 0))  # other voxels, and older than all that is made of them
    assert_refused(compared('a.yml', *SPLIT), 'holds a comparison of volumes that are others now, or were written')


@pytest.mark.parametrize('arguments, words', [
    (('none.yml', *SPLIT), 'none.yml: cannot read this config'),
    (('a.yml', 'a.yml', *SPLIT), 'two recipes of one name'),
    (('a.yml', *SPLIT, '--jobs', 2, '-g', 0), '--jobs 2: processes share the cores of the CPU'),
])
def test_a_wrong_argument_is_one_line(compared, arguments, words):
    assert_refused(compared(*arguments), words)


def test_a_folder_without_volumes_is_one_line(dataset, here):
    done = here(compare.main, 'a.yml', *SPLIT, '-i', 'LR/none', '-o', 'out')
    assert_refused(done, 'no .mhd volumes there')
