import pytest

from util.choices import look_up, settings_of


def test_an_entry_is_found_by_its_name():
    table = {'mse': object(), 'l1': object()}
    assert all(look_up(table, name, 'loss') is table[name] for name in table)


@pytest.mark.parametrize('name', ['ms', 'MSE', '', None])
def test_an_unknown_name_is_told_with_what_it_is_and_all_names_that_are_known(name):
    with pytest.raises(ValueError, match=f"^loss {name!r} is unknown; known are mse, l1$"):
        look_up({'mse': 1, 'l1': 2}, name, 'loss')


def test_settings_are_the_keyword_only_arguments_with_their_defaults():
    def function(image, axis, rate=4, *, fwhm=1.0, order=3):
        pass

    def without(image, rate=4):
        pass

    assert settings_of(function) == {'fwhm': 1.0, 'order': 3}
    assert settings_of(without) == settings_of(lambda t: 1 - t) == {}
