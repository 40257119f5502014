"""What happens between two epochs: history, the best weights, stopping, reporting."""

import math
import time

import numpy as np


def scale_rate(optimizer, factor):
    """Multiply the learning rate of a Keras optimizer, which is a number."""
    if factor != 1:
        # Within a strategy it is a variable on several devices, which is no float.
        optimizer.learning_rate = float(np.asarray(optimizer.learning_rate)) * factor


class Monitor:
    """Keeps the history of a training run and says when to stop.

    Parameters
    ----------
    epochs : int
        Epochs asked for.

    patience : int or None, default=None
        Stop after this many epochs without a lower ``val_loss`` (``loss`` where
        there is no validation) and keep the best weights. None never stops.

    verbose : int, default=0
        Print a line every this many epochs.

    listener : object or None, default=None
        Told of every epoch: ``epoch_begins()`` and ``epoch_ended(update_model)``,
        which stops the training by returning True.

    decays : bool, default=False
        Let the learning rate fall to zero over the epochs, along half a cosine.
        I. Loshchilov, F. Hutter, "SGDR: Stochastic Gradient Descent with Warm
        Restarts", ICLR (2017).

    Attributes
    ----------
    history : dict of str to list of float
    best_state : object
        What `read_state` gave after the best epoch; None unless `patience` is set.

    best_epoch : int or None
        Its number, 0 for the start.
    """

    def __init__(self, epochs, patience=None, verbose=0, listener=None, decays=False):
        self.history = {}
        self.best_state = self.best_epoch = None
        self.compares_start = patience is not None
        self._decays = decays
        self._epochs, self._patience = epochs, patience
        self._verbose, self._listener = verbose, listener
        self._best, self._waited, self._epoch = math.inf, 0, 0
        self._started = time.perf_counter()

    def started(self, val_loss, read_state, epoch=0):
        """Take in the validation loss before the first epoch, which has this number."""
        if math.isfinite(val_loss):
            self._best, self.best_state, self.best_epoch = val_loss, read_state(), epoch

    def epoch_begins(self, epoch):
        """Return what the learning rate is to be multiplied with."""
        self._epoch = epoch
        if self._listener is not None:
            self._listener.epoch_begins()
        if not self._decays or self._epoch == 0:
            return 1.0
        return self._share_of_rate(self._epoch) / self._share_of_rate(self._epoch - 1)

    def _share_of_rate(self, epoch):
        return 0.5 * (1 + math.cos(math.pi * epoch / self._epochs))

    def epoch_ended(self, logs, read_state, update_model):
        """Take in the losses of an epoch.

        Parameters
        ----------
        logs : dict of str to float
        read_state : callable
            Returns a copy of the weights, in whatever form the engine has them.

        update_model : callable
            Writes the weights into the model that is trained.

        Returns
        -------
        stop : bool

        Raises
        ------
        ValueError
            If a loss is not finite.
        """
        self._epoch += 1
        for name, value in logs.items():
            if not math.isfinite(value):
                raise ValueError(
                    f"Training diverged: {name} is {value} in epoch {self._epoch}. "
                    "Scale the features (MinMaxScaler or StandardScaler), or use a "
                    "smaller learning_rate; a loss that takes outputs of one sign "
                    "needs an output_activation to match."
                )
            self.history.setdefault(name, []).append(value)
        stop = self._out_of_patience(logs, read_state)
        if self._listener is not None:
            stop |= bool(self._listener.epoch_ended(update_model))
        last = stop or self._epoch == self._epochs
        if self._verbose and (last or self._epoch % self._verbose == 0):
            self._print(logs)
        return stop

    def _out_of_patience(self, logs, read_state):
        if self._patience is None:
            return False
        watched = logs.get("val_loss", logs["loss"])
        if watched < self._best:
            self._best, self._waited = watched, 0
            self.best_state, self.best_epoch = read_state(), self._epoch
        else:
            self._waited += 1
        return self._waited >= self._patience

    def _print(self, logs):
        width = len(str(self._epochs))
        losses = "  ".join(f"{name} {value:.5f}" for name, value in logs.items())
        seconds = time.perf_counter() - self._started
        print(
            f"Epoch {self._epoch:{width}d}/{self._epochs}  {losses}  "
            f"{seconds:.1f} s in all",
            flush=True,
        )
