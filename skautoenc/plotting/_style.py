"""What the displays share: colours, markers, axes, ticks and scales."""

import math

# M. Okabe, K. Ito, "Color Universal Design" (2008), with grey in the place of yellow,
# which is too faint for small points on white.
COLORS = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#000000",
    "#999999",
)

# Not as many as colours: as both go round, pairs repeat only after 88.
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "d", "*")

# Inches that a letter and a line of tick labels take, with room to breathe.
_LETTER, _LINE = 0.1, 0.2


def style(i):
    """Colour and marker of the class, or line, number `i`."""
    return {"color": COLORS[i % len(COLORS)], "marker": MARKERS[i % len(MARKERS)]}


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


def name_ticks(axis, names):
    """Label 0, 1, ... on a matplotlib Axis with as many `names` as can be read."""
    is_x = axis.axis_name == "x"
    length = inches(axis.axes)[0 if is_x else 1]
    room = length / len(names)
    upright = is_x and _LETTER * (max(map(len, names)) + 1) > room
    ticks = range(0, len(names), max(1, math.ceil(_LINE / room)))
    axis.set_ticks(ticks, [names[i] for i in ticks], rotation=90 * upright)


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
