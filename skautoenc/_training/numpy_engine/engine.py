"""The NumPy engine: chains of dense layers, trained without a framework.

Below some seconds of work, importing TensorFlow and compiling a program take longer
than the training, and on small networks a step costs less here. The formulas are
Keras's; the tests hold the engines together.
"""

import functools
import json
import sys
from numbers import Real

import numpy as np

from ..._utils.threads import one_blas_thread
from ..callbacks import Callbacks
from ..losses import losses_by_name
from ..monitor import Monitor
from ..rows import draw_seed, part_size
from .formulas import ALIASES, LOSSES, NEUTRAL, OPTIMIZERS, SLOPES
from .layers import DenseLayer, DensePlan

# On 2 cores a compiled step saves 11 ps for each multiplication beyond the first so
# many, and costs more below; from so many saved in all, 0.2 s, the compiled engine is
# taken, although it takes seconds to start in a new process.
_SMALL_STEP = 2e7
_MOST_SAVED = 1.5e10


def plan_dense(networks, *, loss, optimizer, learning_rate, batch_size, epochs, n_rows):
    """How NumPy would train a chain of networks; None where it should not or cannot.

    Parameters
    ----------
    networks : sequence of FittedNetwork
    loss : str or object
    optimizer : str or keras.Optimizer
    learning_rate : float, object or None
    batch_size, epochs, n_rows : int

    Returns
    -------
    DensePlan or None
    """
    layers = _layers_of(networks)
    settings = _optimizer_settings(optimizer, learning_rate)
    name = ALIASES.get(loss, loss) if isinstance(loss, str) else None
    if layers is None or settings is None or name not in LOSSES:
        return None
    if LOSSES[name].activation not in (None, layers[-1].activation):
        return None
    if _in_strategy():
        return None
    batch_size = min(batch_size, n_rows)
    step = 3 * batch_size * sum(layer.n_in * layer.n_out for layer in layers)
    if epochs * n_rows / batch_size * (step - _SMALL_STEP) > _MOST_SAVED:
        return None
    return DensePlan(layers, name, settings)


def _in_strategy():
    """Whether a ``tf.distribute`` strategy is on; not while TensorFlow is imported."""
    distribute = getattr(sys.modules.get("tensorflow"), "distribute", None)
    has_strategy = getattr(distribute, "has_strategy", None)
    return has_strategy is not None and has_strategy()


def _layers_of(networks):
    """The dense layers of networks in a row; None if NumPy has not all activations."""
    layers = []
    for network in networks:
        for spec in json.loads(network.config)["config"]["layers"]:
            config = spec["config"]
            if spec["class_name"] == "InputLayer":
                n_in = n_given = config["batch_shape"][-1]
            elif spec["class_name"] == "Add":
                layers[-1].end(config)
            elif not config["use_bias"]:
                layers[-1].n_line = n_given
            elif config["activation"] in SLOPES:
                layers.append(DenseLayer(config, n_in))
                n_in = config["units"]
            else:
                return None
    return layers


def _optimizer_settings(optimizer, learning_rate):
    """An optimizer of ours and its settings, or None where it takes Keras's."""
    if isinstance(optimizer, str):
        name, given = optimizer, {}
    elif type(optimizer).__module__.startswith("keras."):
        name, given = type(optimizer).__name__, optimizer.get_config()
    else:
        return None
    kind = OPTIMIZERS.get(name.lower())
    if kind is None or any(
        given.get(key, value) != value
        for key, value in NEUTRAL.items()
        if key not in kind.defaults
    ):
        return None
    settings = {key: given.get(key, value) for key, value in kind.defaults.items()}
    if learning_rate is not None:
        settings["learning_rate"] = learning_rate
    if not isinstance(settings["learning_rate"], Real):
        return None
    settings["learning_rate"] = float(settings["learning_rate"])
    if max(settings.get("beta_1", 0), settings.get("beta_2", 0)) >= 1:
        return None
    return functools.partial(kind, **settings)


def train_dense(
    plan,
    rows,
    *,
    batch_size=32,
    epochs=1,
    validation=None,
    corrupt=None,
    patience=None,
    decays=False,
    verbose=0,
    listener=None,
    callbacks=None,
    rng,
):
    """Train the layers of `plan`; the rest of the contract is that of `train`.

    Parameters
    ----------
    callbacks : Callbacks or None, default=None
        With the Keras model of these layers.
    """
    callbacks = callbacks or Callbacks(())
    monitor = Monitor(epochs, patience, verbose, listener, decays)
    draws, validation_seed = np.random.default_rng(draw_seed(rng)), draw_seed(rng)
    n_features = rows.X.shape[1]
    batch_size = min(batch_size, len(rows))
    n = part_size(batch_size, n_features)
    inputs = targets = np.empty((n, n_features), np.float32)
    if corrupt is not None or rows.targets is not None:
        targets = np.empty_like(inputs)

    def means(run, rows, batch_size, shuffle, draws):
        """Losses by name, the mean over all rows, a batch at a time."""
        errors = on_kernels = on_activities = 0.0
        for part in rows.parts(n, shuffle):
            part.copy_to(inputs[: len(part)], targets[: len(part)], corrupt, draws)
            weights = None if (part.weight == 1).all() else part.weight
            for start in range(0, len(part), batch_size):
                batch = slice(start, min(start + batch_size, len(part)))
                own = None if weights is None else weights[batch]
                sums = run(inputs[batch], targets[batch], own)
                errors += sums[0]
                on_kernels += sums[1]
                on_activities += sums[2]
        parts = [errors, on_kernels, on_activities]
        values = [part / len(rows) for part in (sum(parts), *parts)]
        return losses_by_name(values, plan.regularizes)

    def validated():
        again = np.random.default_rng(validation_seed)
        size = max(batch_size, 256)
        losses = means(plan.validate, validation, size, None, again)
        return {f"val_{name}": value for name, value in losses.items()}

    first_epoch = callbacks.train_begins(plan, epochs, -(-len(rows) // batch_size))
    # A bit of the result may depend on how BLAS splits a product among threads.
    with one_blas_thread, np.errstate(all="ignore"):
        if validation is not None and monitor.compares_start:
            monitor.started(validated()["val_loss"], plan.weights.copy, first_epoch)
        for epoch in range(first_epoch, epochs):
            plan.rate *= monitor.epoch_begins(epoch)
            callbacks.epoch_begins(epoch)
            logs = means(plan.train, rows, batch_size, rng, draws)
            if validation is not None:
                logs |= validated()
            stop = monitor.epoch_ended(logs, plan.weights.copy, lambda: None)
            if callbacks.epoch_ended(epoch, logs) or stop:
                break
    if monitor.best_state is not None:
        plan.weights[:] = monitor.best_state
    callbacks.train_ended(logs)
    return monitor
