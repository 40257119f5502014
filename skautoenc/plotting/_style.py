"""What the displays share: colours, markers, axes, ticks and scales."""

import math

# Lightness (CIELAB) runs from 0 to 78 in steps of 4 or more, so that the colours stay
# apart in grey too, and neighbours in this order differ most. Blue, orange, green and
# black are those of M. Okabe, K. Ito, "Color Universal Design" (2008).
COLORS = (
    "#0072B2",
    "#E69F00",
    "#000000",
    "#79003D",
    "#009E73",
    "#F3AAE7",
    "#C29255",
    "#550061",
    "#D05000",
    "#005C68",
    "#6650B8",
    "#793118",
)

# Not as many as colours: as both go round, pairs repeat only after 132.
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "d", "*")

# Inches that a letter and a line of tick labels take, with room to breathe.
_LETTER, _LINE = 0.1, 0.2

# Inches of width below which axes have small letters in their legends.
_SMALL_AXES = 3.3

# Share of the height or width of axes that the names of their ticks may take.
_MAX_SHARE_OF_NAMES = 0.6


def style(i):
    """Colour and marker of the class, or line, number `i`."""
    return {"color": COLORS[i % len(COLORS)], "marker": MARKERS[i % len(MARKERS)]}


def styled(name, defaults, given, artist):
    """Keywords of a matplotlib call: `defaults`, and what a user gives over them.

    Aliases are one keyword: a user's ``lw`` takes the place of ``linewidth``.

    Parameters
    ----------
    name : str
        Of the parameter that the user gives.

    defaults : dict
    given : dict or None
    artist : subclass of matplotlib.artist.Artist

    Raises
    ------
    TypeError
        If `given` is no dict, or has two aliases of one keyword.
    """
    from matplotlib.cbook import normalize_kwargs

    if not isinstance(given, dict | None):
        raise TypeError(f"{name} must be a dict of keywords or None; got {given!r}.")
    return {**normalize_kwargs(defaults, artist), **normalize_kwargs(given, artist)}


def to_frame(columns, index=None):
    """A pandas DataFrame of equally long columns."""
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError(
            "frame() gives a pandas DataFrame, but pandas is not installed. Install "
            "it with `pip install pandas`."
        ) from error
    return pd.DataFrame(columns, index)


def index_of(X):
    """The index of a pandas DataFrame, else None."""
    return X.index if hasattr(X, "iloc") else None


def texts_of(names):
    """Names of rows as they are written: dates without a time where none has one."""
    texts = [
        ", ".join(map(str, name)) if isinstance(name, tuple) else str(name)
        for name in names
    ]
    if all(text.endswith(" 00:00:00") for text in texts):
        texts = [text.removesuffix(" 00:00:00") for text in texts]
    return texts


def axes_to_draw_in(ax, figsize):
    """Return `ax`, or the only axes of a new figure of `figsize` inches."""
    from matplotlib.axes import Axes

    if ax is None:
        import matplotlib.pyplot as plt

        return plt.subplots(figsize=figsize, layout="constrained")[1]
    if not isinstance(ax, Axes):
        raise TypeError(f"ax must be one matplotlib Axes or None; got {type(ax)}.")
    return ax


def grid_within(ax, n_rows, n_cols, **ratios):
    """Switch `ax` off, and return a grid for panels in its place."""
    from matplotlib.gridspec import GridSpecFromSubplotSpec

    place = ax.get_subplotspec()
    if place is None:
        raise ValueError(
            "ax is not in a grid, so no panels can be laid out in it. Make it with "
            "plt.subplots or figure.add_subplot."
        )
    if not ax.axison:
        raise ValueError(
            "ax is switched off: a display of several panels was drawn in it already. "
            "Give each display axes of its own."
        )
    ax.set_axis_off()
    return GridSpecFromSubplotSpec(n_rows, n_cols, subplot_spec=place, **ratios)


def inches(ax):
    """Width and height of `ax`."""
    extent = ax.get_window_extent()
    return extent.width / ax.figure.dpi, extent.height / ax.figure.dpi


def is_small(ax):
    """Whether `ax` is so narrow that its legend needs small letters."""
    return inches(ax)[0] < _SMALL_AXES


def name_ticks(axis, names, length=None, room=None):
    """Label 0, 1, ... on a matplotlib Axis with as many `names` as can be read.

    Parameters
    ----------
    axis : matplotlib.axis.Axis

    names : list of str
        They are shortened where they would leave too little of the axes.

    length : float, default=None
        Inches of the axis. None takes what it has now.

    room : float, default=None
        Inches for the names in the direction away from the axis. None takes a share of
        the axes.
    """
    is_x = axis.axis_name == "x"
    width, height = inches(axis.axes)
    if not is_x:
        width, height = height, width
    space = (width if length is None else length) / len(names)
    upright = is_x and _LETTER * (max(map(len, names)) + 1) > space
    if upright or not is_x:
        room = _MAX_SHARE_OF_NAMES * height if room is None else room
        names = shortened(names, room / _LETTER)
    ticks = range(0, len(names), max(1, math.ceil(_LINE / space)))
    axis.set_ticks(ticks, [names[i] for i in ticks], rotation=90 * upright)


def shortened(names, n_letters):
    """Names of so many letters at most, the middle of longer ones left out."""
    n = max(3, int(n_letters))
    n_last = (n - 1) // 2
    return [
        name if len(name) <= n else f"{name[: n - 1 - n_last]}…{name[-n_last:]}"
        for name in names
    ]


def choose_scale(scale, values):
    """Return "linear" or "log" for `values`; "auto" is "log" where that helps.

    That is where they are positive and span a factor of 10 to a million. Beyond, one
    of them is as good as zero, and would squeeze the others on a logarithmic axis.
    """
    if scale not in ("auto", "linear", "log"):
        raise ValueError(f"scale must be 'auto', 'linear' or 'log'; got {scale!r}.")
    low, high = min(values), max(values)
    if scale == "log" and low <= 0:
        raise ValueError(
            f"scale='log' needs values above 0, but the lowest is {low:.3g}. Use "
            "scale='linear'."
        )
    if scale == "auto":
        return "log" if 0 < 10 * low < high < 1e6 * low else "linear"
    return scale


def set_scale(axis, scale):
    """Give a matplotlib Axis a scale, with plain numbers on a logarithmic one."""
    from matplotlib.ticker import LogLocator, NullFormatter

    axis.axes.set(**{f"{axis.axis_name}scale": scale})
    if scale == "log":
        low, high = axis.get_view_interval()
        subs = (1, 2, 5) if high < 200 * low else (1,)
        axis.set_major_locator(LogLocator(subs=subs))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(NullFormatter())


def last_step(estimator):
    """The estimator itself, or the last one of a pipeline."""
    while hasattr(estimator, "steps"):
        estimator = estimator.steps[-1][1]
    return estimator
