"""Helpers to inspect drawn displays."""

from itertools import pairwise

from matplotlib.colors import to_hex

QUICK = {"hidden_layer_sizes": (8,), "batch_size": 64, "epochs": 3, "random_state": 0}


def texts(artists):
    return [artist.get_text() for artist in artists]


def legend_of(ax):
    return texts(ax.get_legend().get_texts())


def drawn(display):
    """Draw the figure: a layout that does not fit warns, and warnings are errors."""
    display.figure_.canvas.draw()
    return display


def overlap(ticklabels):
    """Whether neighbouring tick labels overlap."""
    boxes = [label.get_window_extent() for label in ticklabels if label.get_text()]
    return any(a.overlaps(b) for a, b in pairwise(boxes))


def in_grey(color):
    red, green, blue = (int(to_hex(color)[i : i + 2], 16) for i in (1, 3, 5))
    return 0.299 * red + 0.587 * green + 0.114 * blue
