"""Checks of parameters before a fit."""

from ..networks._layer_parameters import hidden_sizes


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
