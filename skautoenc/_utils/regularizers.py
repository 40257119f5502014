"""The regularizers L1, L2 and both: one table of names, strengths and spellings."""

from typing import Any

# The parameters of each, by Keras's name of its class.
STRENGTHS: dict[str, tuple[str, ...]] = {
    "L1": ("l1",),
    "L2": ("l2",),
    "L1L2": ("l1", "l2"),
}

# The names that Keras accepts, in lower case.
SPELLINGS: dict[str, str] = {"l1": "L1", "l2": "L2", "l1l2": "L1L2", "l1_l2": "L1L2"}

DEFAULT_STRENGTH = 0.01  # the default of Keras for L1 and L2


def serialised(kind: str, strengths: dict[str, float]) -> dict[str, Any]:
    """Return a regularizer as Keras serialises it."""
    return {
        "module": "keras.regularizers",
        "class_name": kind,
        "config": {name: float(strengths.get(name, 0)) for name in STRENGTHS[kind]},
        "registered_name": None,
    }


def l1_l2(regularizer: dict[str, Any] | None) -> tuple[float, float] | None:
    """Return the strengths of a serialised regularizer, or None for none."""
    if not regularizer:
        return None
    config = regularizer["config"]
    return config.get("l1", 0.0), config.get("l2", 0.0)
