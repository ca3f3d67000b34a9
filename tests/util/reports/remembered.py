"""The figures that a module of util/reports makes, for the tests that look into them."""
from matplotlib.figure import Figure


def remember_figures(monkeypatch, module):
    """A list to which each figure that a module makes from now on is added."""
    made = []

    class Remembered(Figure):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            made.append(self)

    monkeypatch.setattr(module, 'Figure', Remembered)
    return made
