"""What a fit refuses before it starts."""

from numbers import Integral

import numpy as np

from ._keras import load


def check_sizes(sizes):
    """Raise a ValueError unless `sizes` are those of hidden layers."""
    if (
        isinstance(sizes, str)
        or not np.iterable(sizes)
        or not all(isinstance(size, Integral) and size > 0 for size in sizes)
    ):
        raise ValueError(
            "hidden_layer_sizes must hold positive whole numbers, one per hidden "
            f"layer of the encoder; got {sizes!r}."
        )


def check_dense_parameters(estimator):
    """Check the parameters that shape the dense network, as far as Keras is not needed.

    Raises
    ------
    ValueError
        Naming the parameter.
    """
    check_sizes(estimator.hidden_layer_sizes)
    check_sizes(getattr(estimator.network, "hidden_layer_sizes", ()))
    if estimator.network == "dense":
        return
    for name in ("kernel_regularizer", "activity_regularizer", "tied_weights"):
        if getattr(estimator, name):
            raise ValueError(
                f"{name}={getattr(estimator, name)!r} shapes the dense network "
                "alone, but network is another. Give it to the network itself, or "
                "use network='dense'."
            )


def check_names(estimator):
    """Ask Keras about names that the dense network takes, and about callbacks.

    Raises
    ------
    ValueError
        Naming the parameter, with Keras's own words.
    """
    _, keras = load()
    known = {}
    if estimator.network == "dense":
        known = {"activation": keras.activations, "regularizer": keras.regularizers}
    for name, value in estimator.get_params(deep=False).items():
        kind = name.rpartition("_")[-1]
        if kind not in known:
            continue
        try:
            known[kind].get(value)
        except (AttributeError, TypeError, ValueError) as error:
            raise ValueError(
                f"{name}={value!r} is not one that Keras knows. {error}"
            ) from None
    for callback in estimator.callbacks or ():
        if not isinstance(callback, keras.callbacks.Callback):
            raise TypeError(
                f"callbacks takes instances of Keras callbacks; got {callback!r}. "
                "scikit-learn's go to set_callbacks."
            )


def fit_together(row_shape, other_shape):
    """Whether rows have one shape but for axes of length 1, or one of them is flat."""
    axes = [[n for n in shape or () if n > 1] for shape in (row_shape, other_shape)]
    return min(map(len, axes)) < 2 or axes[0] == axes[1]
