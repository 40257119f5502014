"""What a fit refuses before it starts."""

import contextlib

from ._keras import load
from ._layer_parameters import hidden_sizes


def check_dense_parameters(estimator):
    """Check the parameters that shape the dense network, as far as Keras is not needed.

    Raises
    ------
    TypeError
        If the network is a class.
    ValueError
        Naming the parameter.
    """
    hidden_sizes(estimator.hidden_layer_sizes)
    if isinstance(estimator.network, type):
        name = estimator.network.__name__
        raise TypeError(
            f"network={name} is a class; give an object of it, such as {name}(...)."
        )
    if estimator.network == "dense":
        return
    for name in ("kernel_regularizer", "activity_regularizer", "tied_weights"):
        if getattr(estimator, name):
            raise ValueError(
                f"{name}={getattr(estimator, name)!r} shapes the dense network "
                "alone, but network is another. Give it to the network itself, or "
                "use network='dense'."
            )


def check_callbacks(callbacks):
    """Raise a TypeError unless they are Keras callbacks."""
    _, keras = load()
    for callback in callbacks or ():
        if not isinstance(callback, keras.callbacks.Callback):
            raise TypeError(
                f"callbacks takes instances of Keras callbacks; got {callback!r}. "
                "scikit-learn's go to set_callbacks."
            )


def fit_together(row_shape, other_shape):
    """Whether rows have one shape but for axes of length 1, or one of them is flat."""
    axes = [[n for n in shape or () if n > 1] for shape in (row_shape, other_shape)]
    return min(map(len, axes)) < 2 or axes[0] == axes[1]


@contextlib.contextmanager
def features_kept_on_failure(estimator):
    """Put back what validation writes to the estimator before training succeeded."""
    names = ("n_features_in_", "feature_names_in_", "_row_shape")
    before = {name: vars(estimator)[name] for name in names if name in vars(estimator)}
    try:
        yield
    except BaseException:
        for name in names:
            vars(estimator).pop(name, None)
        vars(estimator).update(before)
        raise
