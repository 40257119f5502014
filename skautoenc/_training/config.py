"""Configuration and state of a training run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._utils.random import RandomStreams
from .augment import Augmentation


@dataclass(frozen=True)
class TrainingConfig:
    """How a network is trained, whichever engine trains it.

    Parameters
    ----------
    loss : str, keras.losses.Loss, callable, MixedLoss or WeightedSquaredError
        A callable takes (targets, outputs) and gives one loss per row.

    optimizer : str or keras.optimizers.Optimizer
        An instance is copied, not used.

    learning_rate : float, keras LearningRateSchedule or None
        None keeps the optimizer's.

    batch_size : int
        An upper bound; see `limit_batch_size`.

    epochs : int

    loss_weights : mapping of str to float, default={}
        Name and weight in the loss of each auxiliary output: the outputs of the model
        after the reconstruction, one number a row.

    augmentation : Augmentation or None, default=None
        What is done to the rows before they are given to the network.

    step_scales : sequence of float or None, default=None
        Factor on the learning rate of each trainable weight, in Keras's order. Only for
        Adam. None for 1.
    """

    loss: Any
    optimizer: Any
    learning_rate: Any
    batch_size: int
    epochs: int
    loss_weights: Mapping[str, float] = field(default_factory=dict)
    augmentation: Augmentation | None = None
    step_scales: Sequence[float] | None = None


@dataclass
class TrainingState:
    """State of a training run: everything that is needed to resume it.

    A run that is resumed from its state, with the same configuration and the same rows,
    is bitwise identical to one that was not interrupted. Random streams depend on the
    numbers of the epoch and the portion alone, so that no generator is stored. Hooks
    have their state themselves: to resume with early stopping, pass the same object, or
    one with the same state.

    Parameters
    ----------
    streams : RandomStreams
    epoch : int, default=0
        Number of epochs trained.

    history : dict of str to list of float, default={}
        The losses of each epoch, by name.

    stop : bool, default=False
        Whether to stop after this epoch. Set by hooks.

    stopped_by : str, default=""
        What stopped training, for messages.

    interrupted : bool, default=False
        Whether Ctrl-C stopped training. The weights may then be those of a part of
        another epoch.

    n_earlier : int, default=0
        Number of epochs of earlier runs that this one continues. Their random streams
        are not used again.

    engine : object, default=None
        What ``Engine.get_state()`` gave: the weights and the optimizer. None starts
        from the weights that the engine has.
    """

    streams: RandomStreams
    epoch: int = 0
    history: dict[str, list[float]] = field(default_factory=dict)
    stop: bool = False
    stopped_by: str = ""
    interrupted: bool = False
    n_earlier: int = 0
    engine: Any = None
