"""The one way into training."""

from numbers import Real

import numpy as np

from .._backend.keras import isolated, load
from .._backend.keras_internals import flatten_layers
from .callbacks import listens_to_batches, release
from .keras_engine import train_with_model_fit
from .losses import get_loss
from .monitor import Monitor
from .rows import draw_seed
from .tensorflow_engine.engine import train_compiled


def train(
    model,
    rows,
    *,
    loss,
    optimizer="adam",
    learning_rate=None,
    batch_size=32,
    epochs=1,
    validation=None,
    corrupt=None,
    penalties=None,
    shown=None,
    patience=None,
    decays=False,
    callbacks=(),
    verbose=0,
    listener=None,
    rng,
    engine=None,
):
    """Train a Keras model to reproduce rows. The model keeps the trained weights.

    Parameters
    ----------
    model : keras.Model
        Functional; maps rows to reconstructions. A second input takes normal numbers,
        drawn anew for each visit. Outputs after the first are penalties, one number a
        row. Trained in place, and not to be used for anything else: the compiled
        engine may keep it as a template for later fits.

    rows : Rows
        What an epoch visits.

    loss : str, keras.Loss or callable
        A callable gives one loss per row.

    optimizer : str or keras.Optimizer, default="adam"
        An instance is copied, not used.

    learning_rate : float, keras LearningRateSchedule or None, default=None
        None keeps the optimizer's own.

    batch_size, epochs : int

    validation : Rows or None, default=None
        Gives a ``val_loss`` after every epoch. What is drawn for its rows is the same
        in every epoch, so that epochs can be compared.

    corrupt : callable or None, default=None
        ``(X, rng, out)``, writes to `out` what it makes of the rows, and the model sees
        that. Not with rows that have targets of their own.

    penalties : dict of str to float or None, default=None
        Name and factor in the loss of each output after the first. The history then
        has ``reconstruction_loss`` and ``<name>_loss`` as well; for regularizers see
        `losses_by_name`.

    shown : keras.Model or None, default=None
        What callbacks see, with the variables of `model`; None is `model` itself.

    patience : int or None, default=None
        Stop after so many epochs without improvement, and restore the best weights,
        which may be those that training started from.

    decays : bool, default=False
        Let a learning rate that is a number fall to zero over the epochs.

    callbacks : sequence of keras.callbacks.Callback, default=()

    verbose : int, default=0
        Print a line every so many epochs.

    listener : object or None, default=None
        See `Monitor`.

    rng : numpy.random.Generator
        Shuffles the rows, and seeds what is drawn for them.

    engine : {"compiled", "model_fit"} or None, default=None
        None takes the compiled one wherever it can do the work: not inside a
        ``tf.distribute`` strategy, nor with a callback that listens to batches.

    Returns
    -------
    monitor : Monitor
        With the history and the best epoch.

    Raises
    ------
    ValueError
        If Keras does not know the loss or the optimizer, if weights have too low a
        precision to be trained, or if training diverges.
    """
    tf, _ = load()
    with isolated(0):
        loss = get_loss(loss)
        optimizer, learning_rate = get_optimizer(optimizer, learning_rate)
        optimizer = _scaling_losses(optimizer, model)
    listening = [listens_to_batches(callback) for callback in callbacks]
    if engine is None:
        beyond = tf.distribute.has_strategy() or any(listening)
        engine = "model_fit" if beyond else "compiled"
    # No longer than the data ask for, and alike for folds of about the same length.
    batch_size = min(batch_size, 1 << (len(rows) - 1).bit_length())
    decays = decays and learning_rate is not None
    monitor = Monitor(epochs, patience, verbose, listener, decays)
    try:
        _ENGINES[engine](
            model,
            rows,
            loss=loss,
            optimizer=optimizer,
            learning_rate=learning_rate,
            batch_size=batch_size,
            epochs=epochs,
            validation=validation,
            corrupt=corrupt,
            penalties=penalties or {},
            callbacks=callbacks,
            shown=model if shown is None else shown,
            monitor=monitor,
            draws=np.random.default_rng(draw_seed(rng)),
            validation_seed=draw_seed(rng),
            rng=rng,
        )
    finally:
        release(callbacks)
    return monitor


_ENGINES = {"compiled": train_compiled, "model_fit": train_with_model_fit}


def _scaling_losses(optimizer, model):
    """The optimizer that trains `model`: in float16 small gradients would vanish."""
    _, keras = load()
    for weight in model.trainable_variables:
        if weight.dtype not in ("float32", "float64"):
            raise ValueError(
                f"network: the weights {weight.path!r} are {weight.dtype}, too coarse "
                "to be trained. Use the dtype policy 'mixed_float16' or "
                "'mixed_bfloat16', which computes in half precision and keeps weights "
                "in float32."
            )
    kind = keras.optimizers.LossScaleOptimizer
    in_half = any(layer.compute_dtype == "float16" for layer in flatten_layers(model))
    return kind(optimizer) if in_half and not isinstance(optimizer, kind) else optimizer


def get_optimizer(optimizer, learning_rate):
    """Return a new optimizer, and its learning rate where that is a number.

    Raises
    ------
    ValueError
        If Keras knows no such optimizer, or the learning rate is neither a number nor
        a schedule.
    """
    _, keras = load()
    try:
        found = keras.optimizers.get(optimizer)
    except ValueError as error:
        raise ValueError(
            f"optimizer={optimizer!r} is not an optimizer that Keras knows. {error}"
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
