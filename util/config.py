"""The experiment: every key of its YAML file, its type and its allowed values.

The names that a key allows stand in the tables beside the functions they choose, and nowhere else. Files are read by
`util.config_files`.
"""
import math
import os
from pathlib import Path
from typing import Annotated

# Plugins of other packages have no say in what a config means; looking for them takes as long as reading ten configs.
os.environ.setdefault('PYDANTIC_DISABLE_PLUGINS', '__all__')

from pydantic import BaseModel, BeforeValidator, Field, StrictInt, ValidationError, model_validator
import yaml

from util.config_drawn import Drawn, degradation_setting
from util.config_types import Arguments, Beta, Choice, Count, Number, PerAxis, Rate, Section, name_of, positive
from util.dataset.patches import FLIPPED
from util.script import UserError
from util.training.losses import LOSSES
from util.training.schedules import DECAYS
from util.volumes.degradation import DEGRADATIONS, sampling_of
from util.volumes.intensity import SCALINGS

MOST_PATCHES = 2 ** 16       # in a batch
MOST_BATCH_BYTES = 2 ** 34   # of a batch's HR voxels, float32, for each channel


class Degradation(Choice):
    """How an LR volume is made from an HR volume; the formulas are in ``util/volumes/degradation.py``."""
    table = DEGRADATIONS

    name: str = 'bspline'
    noise_sigma: Annotated[Number, Field(ge=0)] = 0.0  # Rician noise, in the volume's intensity units

    @classmethod
    def function(cls, name):
        return cls.table[name].along_axis

    @classmethod
    def checked(cls, key, value):
        return degradation_setting(key, value)


class Loss(Choice):
    """What the training makes small; the formulas are in ``util/training/losses.py``."""
    table = LOSSES

    @classmethod
    def checked(cls, key, value):
        if key != 'beta':
            return positive(key, value)
        beta = 0.0 if value == 0 and value is not False else positive(key, value)  # 0: the likelihood itself
        if beta > 1:
            raise ValueError(f'{key}: a number from 0 to 1 is wanted; found {value!r}')
        return beta


class Schedule(Choice):
    """How the learning rate falls; the formulas are in ``util/training/schedules.py``."""
    table = DECAYS


class Network(Section):
    """The network: class ``name`` in file ``fn``, made as ``name(sampling=..., **args)``."""
    fn: str
    name: str
    args: Arguments = {}


class Models(Section):
    generator: Network


class Adam(Section):
    alpha: Annotated[Number, Field(gt=0)] = 1e-4
    beta1: Beta = 0.9
    beta2: Beta = 0.999


LISTS = 'training_list', 'val_list', 'test_list'  # the keys; with .txt, the files that make_lists.py writes


def lists_in(folder):
    """The short form of a :class:`Dataset`, a folder (str) that make_lists.py has written into, as a mapping."""
    return {key: (Path(folder) / f'{key}.txt').as_posix() for key in LISTS}


class Dataset(Section):
    """The case lists: one line per case, the LR path, white space, the HR path. Or the folder of the three."""
    training_list: str
    val_list: str
    test_list: str

    @model_validator(mode='before')
    @classmethod
    def _short_form(cls, value):
        if not value or not isinstance(value, (str, dict, cls)):
            raise ValueError('a folder with the three lists is wanted, or a mapping of each to a file')
        return lists_in(value) if isinstance(value, str) else value


class Config(Section):
    """A whole experiment; docs/configuration.md describes each key."""
    upsampling_rate: Rate
    degradation: Degradation = Degradation()
    dataset: Dataset
    models: Models
    intensity_scaling: name_of(SCALINGS) = 'none'
    batchsize: Annotated[Count, Field(le=MOST_PATCHES)]
    patchside: PerAxis  # HR voxels
    margin: Count | None = None  # LR voxels at each side of a patch
    flip: name_of(FLIPPED) = 'none'
    flip_until: Annotated[StrictInt, Field(ge=0)] | None = None  # iteration
    background_share: Annotated[Number, Field(ge=0, le=1)] | None = None
    drawn: Annotated[Drawn, BeforeValidator(lambda value: {} if value is None else value)] = Drawn()
    loss: Loss = Loss(name='mse')
    iteration: Count
    schedule: Schedule = Schedule(name='linear')
    iteration_decay_start: Annotated[StrictInt, Field(ge=0)]
    adam: Adam = Adam()
    seed: Annotated[StrictInt, Field(ge=0, lt=2**32)] = 0  # what numpy.random.seed takes
    display_interval: Count
    evaluation_interval: Count
    snapshot_interval: Count
    snapshots_kept: Count | None = 3

    @property
    def sampling(self):
        """Where LR voxels lie among HR voxels (~util.volumes.sampling.Sampling)."""
        return sampling_of(self.degradation.name, self.upsampling_rate)

    def to_yaml(self):
        """The YAML text of which :func:`util.config_files.parse_config` makes an equal Config."""
        return yaml.safe_dump(self.model_dump(mode='json'), sort_keys=False)

    @model_validator(mode='after')
    def _values_fit_together(self):
        for key in ('iteration_decay_start', 'flip_until'):
            value = getattr(self, key)
            if value is not None and value > self.iteration:
                raise ValueError(f'{key}: {value} lies after the last iteration; allowed: 0 to iteration = '
                                 f'{self.iteration}{", or null" if key == "flip_until" else ""}')
        for axis, side, rate in zip('zyx', self.patchside, self.upsampling_rate):
            if side % rate:
                raise ValueError(f'patchside: {side} along {axis} is not divisible by the upsampling rate {rate}; '
                                 f'allowed: multiples of {rate}, such as {side - side % rate or rate}')
        most = min((side // rate - 1) // 2 for side, rate in zip(self.patchside, self.upsampling_rate))
        if self.margin is not None and self.margin > most:
            raise ValueError(f'margin: {self.margin} LR voxels at each side leave nothing of patches of '
                             f'{list(self.patchside)} HR voxels (z, y, x); allowed: '
                             f'{f"at most {most}, or " * (most > 0)}null')
        if self.drawn.blurred is not None and self.drawn.blur is None:
            raise ValueError('drawn.blurred: a share of the patches, and drawn.blur does not say how wide; set that '
                             'too')
        if self.drawn.uneven is not None and not self.drawn.has_widths:
            raise ValueError('drawn.uneven: a share of the patches whose axes differ in blur or in a degradation\'s '
                             'setting; set drawn.blur, or give a degradation a range')
        if self.drawn.slices and sum(rate > 1 for rate in self.upsampling_rate) != 1:
            raise ValueError(f'drawn.slices: thick slices have one axis with a rate above 1; upsampling_rate is '
                             f'{list(self.upsampling_rate)} (z, y, x)')
        size = 4 * self.batchsize * math.prod(self.patchside)
        if size > MOST_BATCH_BYTES:
            raise ValueError(f'patchside: a batch of {self.batchsize} patches of {self.patchside} voxels takes '
                             f'{size / 2 ** 30:.1f} GiB; allowed: at most {MOST_BATCH_BYTES >> 30} GiB')
        return self


def _one_line(error):
    """The first fault of a pydantic ValidationError as `key: what is wrong`, and how many more there are."""
    faults = error.errors()
    unknown = [fault for fault in faults if fault['type'] == 'extra_forbidden']  # a typo; a missing key follows from it
    first = (unknown or faults)[0]
    key = '.'.join(str(part) for part in first['loc'] if unknown or isinstance(part, int) or part.isidentifier())
    if unknown:
        section = Config
        for part in first['loc'][:-1]:
            section = section.model_fields[part].annotation
        message = f'unknown key; allowed: {", ".join(section.model_fields)}'
    elif first['type'] == 'missing':
        message = 'this key is missing'
    else:
        message = ('a mapping of keys to values is wanted' if first['type'] in ('model_type', 'dict_type')
                   else first['msg'].removeprefix('Value error, '))  # pydantic's would name classes
        if not isinstance(first['input'], (dict, BaseModel)):
            message = f'{message}; found {first["input"]!r}'
    more = f' (and {len(faults) - 1} more)' if len(faults) > 1 else ''
    separator = '.' if first['type'] == 'value_error' and isinstance(first['input'], dict) else ': '
    return (f'{key}{separator}' if key else '') + message + more


def check_values(values, source):
    """Check the values of a YAML experiment.

    Args:
        values (dict): Key -> value, as YAML has them.
        source (str): What they are called in error messages, usually the file's path.

    Returns:
        Config: The experiment, frozen.

    Raises:
        UserError: One line that names ``source``, the key and what is allowed.
    """
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise UserError(f'{source}: {_one_line(error)}') from None
