"""probe_uncertainty.py on a head of two tissues, and a network whose prediction is known in closed form."""
from dataclasses import replace

import numpy
import pytest

from models.espcn3d import ESPCN3D
from models.variance import LEAST_VARIANCE
from tests.util.volumes.test_probes import all_probes, head
from util.config_files import load_config
from util.inference.model_file import save_network
from util.inference.network import build_network
from util.miscs.probe_uncertainty import main
from util.script import PROJECT
from util.volumes.geometry import lr_volume_geometry
from util.volumes.head_mask import head_mask
from util.volumes.interpolation import upsample
from util.volumes.probes import level
from util.volumes.reading import read_volume
from util.volumes.volume import Volume
from util.volumes.writing import remove_volume, write_volume

CHANGES = 'upsampling_rate=2', 'intensity_scaling=none', 'models.generator.args.variance=homoscedastic'


def textured():
    """A head in whose tissues interpolation errs as well."""
    volume = head(size=(30, 36, 46))
    texture = numpy.random.default_rng(0).uniform(0.95, 1.05, volume.array.shape)
    return replace(volume, array=(volume.array * texture).astype(numpy.float32))


@pytest.fixture
def pairs(tmp_path):
    """Two pairs: the second is the first, a hundred times as bright."""
    sampling = load_config(PROJECT / 'configs/x4_bayesian.yml', CHANGES).sampling
    for name, factor in (('a', 1), ('b', 100)):
        hr = replace(textured(), array=factor * textured().array)
        write_volume(tmp_path / f'HR/{name}.mhd', hr)
        write_volume(tmp_path / f'LR/{name}.mhd', Volume(hr.array[:, ::2, ::2, ::2], *lr_volume_geometry(hr, sampling)))
    return '--pairs', tmp_path / 'LR', tmp_path / 'HR'


@pytest.fixture
def model(tmp_path):
    """Its file, experiment and network: its mean is linear interpolation, since conv3's weights are 0."""
    config = load_config(PROJECT / 'configs/x4_bayesian.yml', CHANGES)
    net = build_network(config)
    save_network(tmp_path / 'gen.npz', net, config.to_yaml())
    return tmp_path / 'gen.npz', config, net


def test_the_table_has_the_error_of_interpolation_and_the_constant_deviation(model, pairs, script):
    path, config, net = model
    code, printed, stderr = script(main, '-m', path, *pairs)
    assert (code, stderr) == (0, '')
    heading, *lines = printed.splitlines()
    assert heading.split() == ['case', 'probe', 'deviation', 'error']
    rows = {(line[:12].strip(), line[12:22].strip()): line[22:].split() for line in lines}
    hr, sampling = textured(), config.sampling
    sigma = numpy.sqrt(numpy.logaddexp(0, net.variance.b.array[0]) + LEAST_VARIANCE)

    def rms(array, region):
        error = upsample(array[:, ::2, ::2, ::2], sampling, 'linear') - array
        return numpy.sqrt((error[0, region] ** 2).mean()) / level(array)

    as_it_is = rms(hr.array, head_mask(hr.array))
    for case, factor in (('a', 1), ('b', 100)):
        assert [float(cell) for cell in rows[case, 'as it is']] == pytest.approx(
            [100 * sigma / level(hr.array) / factor, 100 * as_it_is], abs=0.006)
        for name, (array, region) in all_probes(hr).items():
            deviation, error = map(float, rows[case, name])
            assert deviation == pytest.approx(level(hr.array) / level(array), abs=0.006)
            if name != 'noise':  # whose numbers are each case's own
                assert error == pytest.approx(rms(array, region) / rms(hr.array, region), abs=0.006)
    assert rows['all', 'dark'] == ['1.00-1.00', '-'.join(rows['a', 'dark'][1:] * 2)]


def test_of_drawn_networks_it_has_both_parts_and_what_there_is_none_of_has_no_ratio(model, pairs, script):
    """Weights that are 0 are not uncertain."""
    for folder in pairs[1:]:
        remove_volume(folder / 'b.mhd')
    code, printed, stderr = script(main, '-m', model[0], *pairs, '--samples', 2)
    assert (code, stderr) == (0, '')
    heading, first, second, *_ = printed.splitlines()
    assert heading.split()[2:] == ['parameter', 'intrinsic', 'deviation', 'error']
    assert first[22:].split()[0] == '0.00' and second[22:].split()[0] == 'nan'
    assert first[22:].split()[1] == first[22:].split()[2]


def test_numbers_stand_below_their_headings_however_long_a_case_s_name_is(tmp_path, model, pairs, script):
    for kind in ('LR', 'HR'):
        write_volume(tmp_path / f'{kind}/sub-01_ses-one_T1w.mhd', read_volume(tmp_path / f'{kind}/b.mhd'))
        remove_volume(tmp_path / f'{kind}/b.mhd')
    heading, *lines = script(main, '-m', model[0], *pairs)[1].splitlines()
    assert {line.split()[0] for line in lines} == {'a', 'sub-01_ses-one_T1w', 'all'}
    ends = [heading.index(words) + len(words) for words in ('deviation', 'error')]
    for line in lines:
        assert len(line) == ends[1] and line[ends[0] - 1] != ' ' == line[ends[0]]


def test_a_network_that_predicts_no_deviation_is_refused(tmp_path, pairs, script):
    config = load_config(PROJECT / 'configs/x4_best.yml', CHANGES[:2])
    save_network(tmp_path / 'gen.npz', ESPCN3D(config.sampling, residual='linear'), config.to_yaml())
    code, _, stderr = script(main, '-m', tmp_path / 'gen.npz', *pairs)
    assert code == 2 and 'a.mhd' not in stderr
    assert 'gen.npz: this network predicts no deviation, so there is nothing to probe' in stderr
