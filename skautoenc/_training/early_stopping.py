"""Early stopping."""

import math
from typing import Any

from .loop import Hook, Run


class EarlyStopping(Hook):
    """Stops training when the loss stops improving, and restores the best weights.

    The weights that training starts from count as those of epoch 0, if there is a
    validation set. To resume a run, use the same object again.

    Parameters
    ----------
    patience : int
        Number of epochs without a lower ``val_loss`` (``loss`` without a validation
        set) after which training stops.

    Attributes
    ----------
    best_epoch : int or None
        The epoch whose weights are restored, 0 for the start. None if no loss has been
        compared.

    best_loss : float
        Its loss.
    """

    def __init__(self, patience: int):
        self.patience = patience
        self.best_epoch: int | None = None
        self.best_loss = math.inf
        self._n_worse = 0
        self._best_weights: Any = None

    # Not on_train_begin: Keras's BackupAndRestore restores weights there.
    def on_epoch_begin(self, run: Run) -> None:
        if self.best_epoch is not None or run.validation is None:
            return
        loss = run.evaluate()["val_loss"]
        if math.isfinite(loss):
            self._keep(run, loss)

    def on_epoch_end(self, run: Run, logs: dict[str, float]) -> None:
        loss = logs.get("val_loss", logs["loss"])
        if loss < self.best_loss:
            self._keep(run, loss)
            self._n_worse = 0
        else:
            self._n_worse += 1
        if self._n_worse >= self.patience:
            run.stop("early stopping")

    def _keep(self, run, loss):
        self.best_loss, self.best_epoch = loss, run.state.epoch
        self._best_weights = run.engine.snapshot()

    def on_train_end(self, run: Run) -> None:
        if self.best_epoch is not None:
            run.engine.restore(self._best_weights)

    def get_state(self) -> dict[str, Any]:
        return {
            "best_epoch": self.best_epoch,
            "best_loss": self.best_loss,
            "n_worse": self._n_worse,
            "best_weights": self._best_weights,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        self.best_epoch, self.best_loss = state["best_epoch"], state["best_loss"]
        self._n_worse, self._best_weights = state["n_worse"], state["best_weights"]
