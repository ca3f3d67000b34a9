import pytest

from models.parts import cut


@pytest.mark.parametrize('length', [1, 2, 7, 64])
@pytest.mark.parametrize('parts', [0, 1, 3, 7, 100])
def test_the_parts_make_up_the_length_and_differ_by_one_at_most(length, parts):
    slices = cut(length, parts)
    assert [i for part in slices for i in range(length)[part]] == list(range(length))
    sizes = [part.stop - part.start for part in slices]
    assert len(sizes) == max(1, min(length, parts)) and min(sizes) > 0 and max(sizes) - min(sizes) <= 1
