"""Colours and markers of the displays, and the keywords that restyle their artists."""

from __future__ import annotations

from typing import Any

# The lightness (CIELAB) of the colours runs from 0 to 78 in steps of 4 or more, so that
# they differ in grey too, and neighbours in this order differ most. Blue, orange, green
# and black are those of M. Okabe, K. Ito, "Color Universal Design" (2008).
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

# One marker fewer than colours, so that pairs of both repeat only after 132.
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "d", "*")

# Keywords of a user that replace other keywords: if one on the left is given, the
# defaults on the right are dropped.
_REPLACED = {
    "image_kwargs": ({"norm"}, {"vmin", "vmax"}),
    "code_kwargs": ({"norm"}, {"vmin", "vmax"}),
    "scatter_kwargs": ({"c", "color", "facecolor"}, {"c", "color", "cmap"}),
}


def color_and_marker(i: int) -> dict[str, str]:
    """Keywords that set the colour and marker of class or line number `i`."""
    return {"color": COLORS[i % len(COLORS)], "marker": MARKERS[i % len(MARKERS)]}


def merge_kwargs(
    name: str, defaults: dict[str, Any], given: dict[str, Any] | None
) -> dict[str, Any]:
    """Keywords of a matplotlib call: `defaults`, updated with those of a user.

    Aliases count as one keyword: ``lw`` of a user replaces ``linewidth``.

    Parameters
    ----------
    name : str
        Parameter of a display that holds the keywords, such as ``"line_kwargs"``.

    defaults : dict
    given : dict or None

    Returns
    -------
    dict

    Raises
    ------
    TypeError
        If `given` is not a dict, or has two aliases of one keyword.
    """
    from matplotlib.cbook import normalize_kwargs

    if not isinstance(given, dict | None):
        raise TypeError(f"{name} must be a dict of keywords or None; got {given!r}.")
    artist = _artist_class(name)
    given = normalize_kwargs(given or {}, artist)
    defaults = normalize_kwargs(defaults, artist)
    replacing, replaced = _REPLACED.get(name, ((), ()))
    if given.keys() & replacing:
        defaults = {k: v for k, v in defaults.items() if k not in replaced}
    return {**defaults, **given}


def _artist_class(name):
    """Matplotlib class of the artists that the keywords are for."""
    from matplotlib.collections import PathCollection
    from matplotlib.image import AxesImage
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    return {
        "bar_kwargs": Patch,
        "best_epoch_kwargs": Line2D,
        "code_kwargs": AxesImage,
        "errorbar_kwargs": Line2D,
        "hist_kwargs": Patch,
        "image_kwargs": AxesImage,
        "line_kwargs": Line2D,
        "scatter_kwargs": PathCollection,
    }[name]
