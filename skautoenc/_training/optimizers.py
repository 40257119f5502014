"""The Keras optimizer that a model is trained with."""

from collections.abc import Sequence
from numbers import Real
from typing import Any

from .._backend.keras import import_keras, isolated_random_state
from .._backend.keras_internals import flatten_layers, update_one_by_one, variable_index


def make_optimizer(
    model: Any, optimizer: Any, learning_rate: Any
) -> tuple[Any, float | None]:
    """Return a new optimizer for a model, and its learning rate.

    Losses are scaled where the model computes in float16: small gradients would vanish.

    Parameters
    ----------
    model : keras.Model
    optimizer, learning_rate
        See `TrainingConfig`.

    Returns
    -------
    optimizer : keras.optimizers.Optimizer
    learning_rate : float or None
        None where the optimizer follows a schedule.

    Raises
    ------
    ValueError
        If Keras has no such optimizer, if the learning rate is neither a number nor a
        schedule, or if weights have too low a precision to be trained.
    """
    keras = import_keras()
    for weight in model.trainable_variables:
        if weight.dtype not in ("float32", "float64"):
            raise ValueError(
                f"network: the weights {weight.path!r} are {weight.dtype}, which is "
                "too imprecise for training. Use the dtype policy 'mixed_float16' or "
                "'mixed_bfloat16', which computes in half precision and keeps weights "
                "in float32."
            )
    with isolated_random_state(0):
        made, learning_rate = get_optimizer(optimizer, learning_rate)
        scaling = keras.optimizers.LossScaleOptimizer
        if any(layer.compute_dtype == "float16" for layer in flatten_layers(model)):
            made = made if isinstance(made, scaling) else scaling(made)
    return made, learning_rate


def scale_steps(optimizer: Any, scales: Sequence[Any]) -> None:
    """Multiply the learning rate of each variable of an optimizer.

    Parameters
    ----------
    optimizer : keras.optimizers.Optimizer
        Built, and proportional to its learning rate. Modified.

    scales : sequence of float or tensor
        Of each variable, in the order in which it was built.
    """
    # One that scales losses leaves the steps to another.
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    update_step = optimizer.update_step

    def scaled(gradient, variable, learning_rate):
        scale = scales[variable_index(optimizer, variable)]
        update_step(gradient, variable, learning_rate * scale)

    optimizer.update_step = scaled
    update_one_by_one(optimizer)


def get_optimizer(optimizer: Any, learning_rate: Any) -> tuple[Any, float | None]:
    """Return a new optimizer, and its learning rate where that is a number.

    Raises
    ------
    ValueError
        If Keras has no such optimizer, or the learning rate is neither a number nor a
        schedule.
    """
    keras = import_keras()
    try:
        found = keras.optimizers.get(optimizer)
    except ValueError as error:
        raise ValueError(
            f"optimizer={optimizer!r} is not a Keras optimizer. Give one, or the "
            f"name of a class of keras.optimizers, such as 'adam'. {error}"
        ) from None
    config = found.get_config()
    if isinstance(found, keras.optimizers.LossScaleOptimizer):
        inner, learning_rate = get_optimizer(found.inner_optimizer, learning_rate)
        del config["inner_optimizer"]
        return type(found)(inner, **config), learning_rate
    if learning_rate is None:
        learning_rate = config["learning_rate"]
    if isinstance(learning_rate, Real):
        config["learning_rate"] = learning_rate = float(learning_rate)
        return type(found).from_config(config), learning_rate
    if isinstance(learning_rate, keras.optimizers.schedules.LearningRateSchedule):
        learning_rate = keras.saving.serialize_keras_object(learning_rate)
    elif not isinstance(learning_rate, dict):
        raise ValueError(
            "learning_rate must be a number or a keras.optimizers.schedules object; "
            f"got {learning_rate!r}."
        )
    config["learning_rate"] = learning_rate
    return type(found).from_config(config), None
