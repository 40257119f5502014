"""The NumPy engine: chains of dense layers, trained without a framework.

Below some seconds of work, importing TensorFlow and compiling a program take longer
than the training, and on small networks a step costs less here. The formulas are
Keras's; the tests hold the engines together.
"""

import sys

import numpy as np

from ..._utils.losses import loss_name
from ..._utils.threads import one_blas_thread
from ..callbacks import Callbacks
from ..losses import losses_by_name
from ..monitor import Monitor
from ..rows import draw_seed, part_size
from .layers import DenseTrainer, dense_layers
from .losses import NUMPY_LOSSES
from .optimizers import get_numpy_optimizer

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
    DenseTrainer or None
    """
    layers = dense_layers([network.dense_spec for network in networks])
    optimizer = get_numpy_optimizer(optimizer, learning_rate)
    name = loss_name(loss) if isinstance(loss, str) else None
    if layers is None or optimizer is None or name not in NUMPY_LOSSES:
        return None
    if NUMPY_LOSSES[name].activation not in (None, layers[-1].activation):
        return None
    if _in_strategy():
        return None
    batch_size = min(batch_size, n_rows)
    step = 3 * batch_size * sum(layer.n_in * layer.n_out for layer in layers)
    if epochs * n_rows / batch_size * (step - _SMALL_STEP) > _MOST_SAVED:
        return None
    return DenseTrainer(layers, name, optimizer)


def _in_strategy():
    """Whether a ``tf.distribute`` strategy is on; not while TensorFlow is imported."""
    distribute = getattr(sys.modules.get("tensorflow"), "distribute", None)
    has_strategy = getattr(distribute, "has_strategy", None)
    return has_strategy is not None and has_strategy()


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
            plan.learning_rate *= monitor.epoch_begins(epoch)
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
