"""From nothing to a score table, as `make demo` goes, in a folder of its own and from another current directory."""
import csv

import numpy
import SimpleITK as sitk

from tests.experiment import call
from util.script import PROJECT

SMALL = f"""extends: {PROJECT / 'configs/demo.yml'}
dataset: {{training_list: lists/training_list.txt, val_list: lists/val_list.txt, test_list: lists/test_list.txt}}
patchside: 16
iteration: 2
iteration_decay_start: 1
"""


def succeed(folder, script, *arguments):
    done = call(folder, script, *arguments)
    assert done.returncode == 0, f'{script}: {done.stderr}'
    return done.stdout


def test_phantoms_to_scores(tmp_path):
    config = tmp_path / 'small.yml'
    config.write_text(SMALL, encoding='utf-8')

    succeed(tmp_path, 'util/miscs/make_phantoms.py', '-o', 'raw', '--subjects', 3, '--size', 40, 48, 48)
    succeed(tmp_path, 'util/miscs/clean_data.py', '-i', 'raw', '-o', 'interim')
    succeed(tmp_path, 'util/miscs/make_lr_img.py', '-c', config, '-i', 'interim', '-o', 'processed')
    succeed(tmp_path, 'util/miscs/make_lists.py', '-i', 'processed', '-o', 'lists', '--val', '0001', '--test', '0002')
    succeed(tmp_path, 'training.py', '-c', config, '-R', tmp_path, '-o', 'training')
    table = succeed(tmp_path, 'inference.py', '-m', 'training/gen_iter_2.npz', '-R', tmp_path, '-o', 'inference')

    # the volume that came out lies where the volume that went in lay
    source, result = (sitk.ReadImage(str(tmp_path / name)) for name in
                      ('raw/sub-03/anat/sub-03_T1w.nii.gz', 'inference/0002.mhd'))
    assert result.GetSize() == source.GetSize()
    for one, other in ((result.GetSpacing(), source.GetSpacing()), (result.GetOrigin(), source.GetOrigin()),
                       (result.GetDirection(), source.GetDirection())):
        numpy.testing.assert_allclose(one, other, atol=1e-5)
    with open(tmp_path / 'inference/scores.csv', newline='', encoding='utf-8') as file:
        row, mean = csv.DictReader(file)
    assert row['case'] == '0002' and mean['case'] == 'mean'
    truth, network = (sitk.GetArrayFromImage(image).astype(float) for image in (source, result))
    numpy.testing.assert_allclose(float(row['rmse_network']), numpy.sqrt(numpy.mean((truth - network) ** 2)), rtol=1e-4)
    assert f'{float(row["psnr_linear"]):.2f}' in table
