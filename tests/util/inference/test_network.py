"""From a config's names to a network: the very class, told apart mistakes, and code from nowhere else."""
import pickle
import re

import numpy
import pytest

from models.espcn3d import ESPCN3D
from models.network import ArgumentError
from util.config import Degradation
from util.config_files import load_config
from util.inference.network import build_network, check_channels, check_code_of_model, network_path
from util.script import PROJECT, UserError
from util.volumes.sampling import Sampling

CONFIG = load_config(PROJECT / 'configs/base.yml')
MINE = '''import chainer
class Mine(chainer.Chain):
    halo, in_channels = 1, 1
    def __init__(self, sampling, width=7):
        super().__init__()
        self.sampling, self.width = sampling, {width}
'''


def with_generator(**changes):
    generator = CONFIG.models.generator.model_copy(update=changes)
    return CONFIG.model_copy(update={'models': CONFIG.models.model_copy(update={'generator': generator})})


@pytest.fixture
def mine(tmp_path):
    """Writes a network of one's own and returns the config that names it below -R."""
    def write(width='width', name='Mine', **args):
        (tmp_path / 'mine.py').write_text(MINE.format(width=width))
        return with_generator(fn='mine.py', name=name, args=args)
    return write


def test_a_network_of_the_project_is_of_the_class_that_an_import_gives_and_can_be_pickled():
    net = build_network(CONFIG)
    assert type(net) is ESPCN3D
    numpy.testing.assert_array_equal(pickle.loads(pickle.dumps(net)).conv3.W.array, net.conv3.W.array)


def test_a_network_of_one_s_own_lies_below_the_root_and_can_be_pickled(tmp_path, mine):
    net = build_network(mine(), tmp_path)
    assert net.sampling == Sampling(4) and net.width == 7
    assert type(build_network(mine(), tmp_path)) is type(net)  # one module, however often it is asked for
    assert pickle.loads(pickle.dumps(net)).width == 7


def test_a_network_may_lie_in_a_folder_of_the_project_that_is_no_package(monkeypatch, tmp_path, mine):
    mine()
    monkeypatch.setattr('util.inference.network.PROJECT', tmp_path.parent.resolve())
    config = with_generator(fn=f'{tmp_path.name}-x4.best/mine.py', name='Mine', args={})
    tmp_path.rename(f'{tmp_path}-x4.best')
    assert build_network(config, tmp_path.parent).width == 7


def test_a_root_of_links_that_go_round_is_one_line(tmp_path):
    (tmp_path / 'round').symlink_to(tmp_path / 'round')
    with pytest.raises(UserError, match='no such Python file: mine.py'):
        build_network(with_generator(fn='mine.py'), tmp_path / 'round')


def test_the_root_comes_before_the_project(tmp_path):
    (tmp_path / 'models').mkdir()
    (tmp_path / 'models/espcn3d.py').write_text(MINE.format(width='width').replace('Mine', 'ESPCN3D'))
    assert network_path(CONFIG, tmp_path) == tmp_path / 'models/espcn3d.py'
    assert build_network(with_generator(args={}), tmp_path).width == 7
    assert network_path(CONFIG, tmp_path / 'models') == PROJECT / 'models/espcn3d.py'


@pytest.mark.parametrize('changes, words', [
    ({'fn': 'models/none.py'}, 'models.generator.fn: no such Python file: models/none.py, looked for below'),
    ({'fn': 'README.md'}, 'models.generator.fn: no such Python file'),
    ({'name': 'Nothing'}, 'models.generator.name: .* has no class Nothing'),
    ({'name': 'pixel_shuffler_3d'}, 'has no class pixel_shuffler_3d that is a chainer.Chain'),  # a function there
    ({'name': 'ICNR'}, 'has no class ICNR that is a chainer.Chain'),
    ({'args': {'sampling': 4}}, 'ESPCN3D does not take .*: sampling is upsampling_rate and degradation'),
    ({'args': {'depth': 3}}, "models.generator.args: ESPCN3D does not take .*'depth'"),
    ({'args': {'ksizes': [3, 2, 3]}}, 'models.generator.args: .* three odd numbers'),
    ({'args': {'in_channels': 0}}, 'models.generator.args: .* in_channels must be a positive whole number; got 0'),
    ({'args': {'in_channels': 10 ** 8}}, 'models.generator.args: .* 66457366 MiB of weights; allowed: at most'),
    ({'args': {'ksizes': [3, 10 ** 6 + 1, 3]}}, 'models.generator.args: .* MiB of weights'),
    ({'fn': 'x' * 300 + '.py'}, 'models.generator.fn: no such Python file'),
    ({'fn': 'models'}, 'models.generator.fn: no such Python file'),
])
def test_a_network_that_cannot_be_made_is_one_line(changes, words):
    with pytest.raises(UserError, match=words):
        build_network(with_generator(**changes))


@pytest.mark.parametrize('mistake, error', [('None + 1', TypeError), ('int("x")', ValueError), ('{}[0]', KeyError)])
def test_a_mistake_inside_a_network_is_not_taken_for_a_wrong_argument(tmp_path, mine, mistake, error):
    with pytest.raises(error) as caught:
        build_network(mine(width=mistake), tmp_path)
    assert caught.traceback[-1].path == tmp_path / 'mine.py'


def test_a_network_may_say_that_an_argument_cannot_be(tmp_path):
    assert issubclass(ArgumentError, ValueError)
    text = MINE.format(width='width').replace('        super', '        from models.network import ArgumentError\n'
                                              '        if width > 9: raise ArgumentError("width: at most 9")\n'
                                              '        super')
    (tmp_path / 'mine.py').write_text(text)
    with pytest.raises(UserError, match="Mine does not take {'width': 10}: width: at most 9"):
        build_network(with_generator(fn='mine.py', name='Mine', args={'width': 10}), tmp_path)


def test_an_argument_that_a_network_gives_to_another_one_inside_is_its_own_mistake(tmp_path):
    text = MINE.format(width='width').replace('        super', '        from models.espcn3d import ESPCN3D\n'
                                              '        ESPCN3D(sampling, residual="cubic")\n        super')
    (tmp_path / 'mine.py').write_text(text)
    with pytest.raises(ArgumentError, match="residual 'cubic' is unknown"):
        build_network(with_generator(fn='mine.py', name='Mine', args={}), tmp_path)


@pytest.mark.parametrize('fn', ['models/../models/espcn3d.py', str(PROJECT / 'models/espcn3d.py'), 'models/espcn3d.py'])
def test_a_file_of_the_project_is_one_module_however_it_is_named(fn):
    assert type(build_network(with_generator(fn=fn))) is ESPCN3D


@pytest.mark.parametrize('folder', ['run-1.2', '.hidden', 'code', 'models'])
def test_a_file_below_the_root_may_lie_in_a_folder_of_any_name(tmp_path, folder):
    """One that is no identifier, and ones that are called as modules of Python or of the project."""
    (tmp_path / folder).mkdir()
    (tmp_path / folder / 'net.py').write_text(MINE.format(width='width'))
    assert build_network(with_generator(fn=f'{folder}/net.py', name='Mine', args={}), tmp_path).width == 7


@pytest.mark.parametrize('attributes, name', [('halo = 1', 'in_channels'), ("halo, in_channels = '2', 1", 'halo')])
def test_what_lacks_an_attribute_of_the_contract_is_named(tmp_path, attributes, name):
    (tmp_path / 'mine.py').write_text(MINE.format(width='width').replace('halo, in_channels = 1, 1', attributes))
    with pytest.raises(UserError, match=rf'Mine in .*mine.py has no attribute {name} \(int\)'):
        build_network(with_generator(fn='mine.py', name='Mine', args={}), tmp_path)


def test_the_network_knows_where_the_degradation_puts_lr_voxels():
    for name, offset in (('bspline', (0, 0, 0)), ('block_mean', (1.5, 0, 0.5))):
        config = CONFIG.model_copy(update={'degradation': Degradation(name=name), 'upsampling_rate': (4, 1, 2)})
        assert build_network(config).sampling == config.sampling == Sampling((4, 1, 2), offset)


def test_a_volume_of_other_channels_is_refused_with_both_numbers():
    net = ESPCN3D(Sampling(2), in_channels=2)
    check_channels(net, numpy.zeros((2, 4, 4, 4)))
    with pytest.raises(UserError, match='3 channels; this network takes 2'):
        check_channels(net, numpy.zeros((3, 4, 4, 4)))


class TestAModelFileNeverChoosesWhichCodeRuns:
    def refuse(self, fn, root=PROJECT):
        with pytest.raises(UserError, match='a model file may name code below the project .* or -R only.*with -c'):
            check_code_of_model(with_generator(fn=fn), 'gen.npz', root)

    def test_the_project_s_and_the_root_s_code_may_be_named(self, tmp_path, mine):
        check_code_of_model(CONFIG, 'gen.npz')
        check_code_of_model(mine(), 'gen.npz', tmp_path)

    def test_an_absolute_path_is_refused_wherever_it_leads(self, tmp_path, mine):
        mine()
        self.refuse(str(tmp_path / 'mine.py'), tmp_path)
        self.refuse(str(PROJECT / 'models/espcn3d.py'))

    @pytest.mark.parametrize('fn', ['../mine.py', 'models/../models/espcn3d.py', 'models/../../mine.py'])
    def test_a_path_upwards_is_refused_wherever_it_leads(self, tmp_path, mine, fn):
        mine()
        (tmp_path / 'below').mkdir()
        self.refuse(fn, tmp_path / 'below')

    def test_a_link_to_elsewhere_is_refused(self, tmp_path, mine):
        mine()
        (tmp_path / 'below').mkdir()
        (tmp_path / 'below/linked.py').symlink_to(tmp_path / 'mine.py')
        self.refuse('linked.py', tmp_path / 'below')

    @pytest.mark.parametrize('folder', ['data', 'results'])
    def test_the_project_s_folders_of_data_and_results_are_elsewhere(self, tmp_path, monkeypatch, folder):
        """What is downloaded or given lies there; the user may name them with -R."""
        monkeypatch.setattr('util.inference.network.PROJECT', tmp_path)
        (tmp_path / folder / 'shared').mkdir(parents=True)
        (tmp_path / folder / 'shared/net.py').write_text(MINE.format(width='width'))
        self.refuse(f'{folder}/shared/net.py', tmp_path)
        check_code_of_model(with_generator(fn='shared/net.py'), 'gen.npz', tmp_path / folder)

    def test_the_scripts_that_the_refusal_names_take_an_experiment(self, tmp_path):
        """Others refuse in the same words, and have no -c."""
        with pytest.raises(UserError) as caught:
            check_code_of_model(with_generator(fn='/mine'), 'gen.npz', tmp_path)
        named = re.findall(r'\w+\.py', str(caught.value).partition('with -c of')[2])
        assert len(named) == 3
        for name in named:
            script, = (path for folder in ('.', 'util/miscs') for path in (PROJECT / folder).glob(name))
            assert "'-c', '--config_path'" in script.read_text(encoding='utf-8')

    def test_code_elsewhere_is_not_run_by_building_either(self, tmp_path, mine):
        """What inference does not refuse is not found: the root is not on the way."""
        mine()
        with pytest.raises(UserError, match='no such Python file'):
            build_network(with_generator(fn='mine.py', name='Mine', args={}))
