"""What happens between two epochs: history, the best weights, stopping, reporting."""

import math
import time


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

    Attributes
    ----------
    history : dict of str to list of float
    best_state : object
        What `read_state` gave after the best epoch; None unless `patience` is set.
    """

    def __init__(self, epochs, patience=None, verbose=0, listener=None):
        self.history = {}
        self.best_state = None
        self._epochs, self._patience = epochs, patience
        self._verbose, self._listener = verbose, listener
        self._best, self._waited, self._epoch = math.inf, 0, 0
        self._started = time.perf_counter()

    def epoch_begins(self):
        if self._listener is not None:
            self._listener.epoch_begins()

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
            self.best_state = read_state()
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
