"""What the values of an experiment's file may be: numbers, values per axis, names of a table."""
import math
from typing import Annotated, ClassVar

from pydantic import (AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictInt, field_validator,
                      model_serializer, model_validator)

from util.choices import settings_of

MOST = 10 ** 9  # of whatever is counted; more iterations than a life has time for
LARGEST = 1e12  # of a setting, and its inverse the smallest: their squares are numbers of float32
MOST_RATE = 16  # along an axis; 4096 HR voxels per LR voxel are more than any network here could guess

Count = Annotated[StrictInt, Field(gt=0, le=MOST)]


def _as_triple(value):
    if isinstance(value, (list, tuple)):
        if len(value) != 3:
            raise ValueError('one whole number is wanted, or three: [z, y, x]')
        return tuple(value)
    return (value, value, value)


def _some_axis_above_one(rate):
    if max(rate) == 1:
        raise ValueError('at least one axis must have a rate above 1')
    if max(rate) > MOST_RATE:
        raise ValueError(f'at most {MOST_RATE} along an axis')
    return rate


def _arguments(args):
    if 'sampling' in args:
        raise ValueError('sampling: made of upsampling_rate and degradation; leave it out')
    values = [*args.items()]
    while values:
        key, value = values.pop()
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f'{key}: a finite number is wanted; found {value}')
        if isinstance(value, (dict, list)):
            values += value.items() if isinstance(value, dict) else [(key, item) for item in value]
    return args


PerAxis = Annotated[tuple[Count, Count, Count], BeforeValidator(_as_triple)]  # (z, y, x)
Rate = Annotated[PerAxis, AfterValidator(_some_axis_above_one)]
Arguments = Annotated[dict, AfterValidator(_arguments)]  # of a network's class


def _number(value):
    # YAML 1.1 reads 1e-4 (no dot) as a string; it is so common a way to write alpha that it is taken for what it says.
    if isinstance(value, bool):
        raise ValueError('a number is wanted, not true or false')
    return value


Number = Annotated[float, BeforeValidator(_number), Field(allow_inf_nan=False)]
Beta = Annotated[Number, Field(ge=0, lt=1)]


def range_of(number):
    """The type of a key that takes a range of numbers, [low, high]; one number stands for both."""
    return Annotated[tuple[number, number], BeforeValidator(_as_range), AfterValidator(_low_first)]


def _as_range(value):
    if not isinstance(value, (list, tuple)):
        return (value, value)
    if len(value) != 2:
        raise ValueError('one number is wanted, or two: [low, high]')
    return tuple(value)


def _low_first(value):
    if value[0] > value[1]:
        raise ValueError('the lower number comes first')
    return value


def name_of(table):
    """The type of a key that takes a name of a table."""
    def check(name):
        if name not in table:
            raise ValueError(f'allowed: {", ".join(table)}')
        return name

    return Annotated[str, AfterValidator(check)]


class Section(BaseModel):
    """A mapping of the experiment's file: frozen, and with the keys that it names alone."""
    model_config = ConfigDict(extra='forbid', frozen=True)


class Choice(BaseModel):
    """A name of a table and the settings that belong to it alone: ``charbonnier`` or ``{name: charbonnier, ...}``.

    The settings of a name are the keyword-only arguments of its function, as :meth:`checked` lets them pass. Their
    defaults are put in where the file does not say them. A setting of another name is refused.
    """
    model_config = ConfigDict(extra='allow', frozen=True)
    table: ClassVar[dict]

    name: str

    @classmethod
    def function(cls, name):
        """The table's function of a name."""
        return cls.table[name]

    @classmethod
    def checked(cls, key, value):
        """The value of a setting: a positive number, unless a class says otherwise.

        Raises:
            ValueError: If it cannot be, naming the key.
        """
        return positive(key, value)

    @property
    def settings(self):
        """The settings of the name, as keyword arguments of its function."""
        return dict(self.model_extra)

    @model_validator(mode='before')
    @classmethod
    def _short_form(cls, value):
        if not isinstance(value, (str, dict, cls)):
            raise ValueError(f'a name is wanted ({", ".join(cls.table)}), or a mapping of a name and its settings')
        return {'name': value} if isinstance(value, str) else value

    @field_validator('name')
    @classmethod
    def _known(cls, name):
        if name not in cls.table:
            raise ValueError(f'allowed: {", ".join(cls.table)}')
        return name

    @model_validator(mode='after')
    def _settings_belong_to_the_name(self):
        known = settings_of(self.function(self.name))
        for key, value in self.model_extra.items():
            if key not in known:
                owners = [name for name in self.table if key in settings_of(self.function(name))]
                raise ValueError(f'{key}: a setting of {" and ".join(owners)}, not of {self.name}' if owners else
                                 f'{key}: unknown key; allowed: {", ".join([*type(self).model_fields, *known])}')
            self.model_extra[key] = self.checked(key, value)
        for key, default in known.items():
            self.model_extra.setdefault(key, default)
        return self

    @model_serializer(mode='wrap')
    def _short_where_it_can_be(self, handler):
        values = handler(self)
        return values['name'] if list(values) == ['name'] else values


def positive(key, value):
    """A positive number as a float.

    Raises:
        ValueError: If it is none, or not from 1 / :data:`LARGEST` to :data:`LARGEST`; naming the key.
    """
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not 0 < number < math.inf:
        raise ValueError(f'{key}: a positive number is wanted; found {value!r}')
    if not 1 / LARGEST <= number <= LARGEST:
        raise ValueError(f'{key}: a number from {1 / LARGEST:g} to {LARGEST:g} is wanted; found {value!r}')
    return number
