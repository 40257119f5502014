"""Portions of rows, which are gathered and augmented at once, alike in every engine.

Each portion has a separate random stream, so that all engines corrupt the same rows in
the same way, in any order of the portions and with any number of threads.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .._utils.blocks import ceil_div
from .._utils.random import RandomStreams
from .augment import Augmentation
from .rows import Rows, StreamedRows

# Bytes of a portion: it stays in the processor's cache while it is trained on.
_PORTION_BYTES = 2**21


def next_power_of_two(n: int) -> int:
    """Return the smallest power of two that is at least n."""
    return 1 << (n - 1).bit_length()


def previous_power_of_two(n: int) -> int:
    """Return the largest power of two that is at most n, and 1 for n below 1."""
    return 1 << max(n.bit_length() - 1, 0)


def limit_batch_size(batch_size: int, n_rows: int) -> int:
    """Return the batch size for so many rows.

    A batch is no longer than the data, up to a power of two, so that folds of about the
    same length share a compiled program.
    """
    return min(batch_size, next_power_of_two(n_rows))


def n_batches(n_rows: int, batch_size: int) -> int:
    """Return the number of batches in an epoch; the last one may be short."""
    return ceil_div(n_rows, batch_size)


def portion_batches(n_rows: int, batch_size: int, row_size: int) -> int:
    """Return the number of batches in a portion, a power of two.

    Parameters
    ----------
    n_rows : int
        Number of training rows.

    batch_size : int
    row_size : int
        Number of features.
    """
    fitting = _PORTION_BYTES // (4 * row_size * batch_size)
    return min(
        next_power_of_two(n_batches(n_rows, batch_size)),
        previous_power_of_two(fitting),
    )


@dataclass(frozen=True, slots=True)
class Portion:
    """Rows to gather, and how to augment them.

    Parameters
    ----------
    rows : Rows
    augmentation : Augmentation or None
    streams : RandomStreams
    stream : tuple of (str, *int)
        The portion's random stream, as `RandomStreams.generator` takes it.
    """

    rows: Rows
    augmentation: Augmentation | None
    streams: RandomStreams
    stream: tuple

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def weight(self) -> np.ndarray:
        """Weight of each row's loss."""
        return self.rows.weight

    def read_into(
        self, inputs: np.ndarray, targets: np.ndarray, noise: np.ndarray | None = None
    ) -> None:
        """Write the augmented rows and their targets into buffers.

        Parameters
        ----------
        inputs, targets : ndarray of shape (len(self), n), float32
            As `Rows.gather_into` takes them. The same array unless
            `has_separate_targets`.

        noise : ndarray of shape (len(self), ...), float32, or None, default=None
            Filled with standard normal numbers, for models that take some.
        """
        self.rows.gather_into(inputs, targets)
        augmentation = self.augmentation
        if augmentation is not None and not augmentation.is_random:
            augmentation = None
        if augmentation is None and noise is None:
            return
        rng = self.streams.generator(*self.stream)
        if augmentation is not None:
            augmentation.apply(inputs, targets, rng)
        if noise is not None:
            rng.standard_normal(dtype=np.float32, out=noise)


def has_separate_targets(
    rows: Rows | StreamedRows, augmentation: Augmentation | None
) -> bool:
    """Whether the network is given other rows than it is trained to give."""
    return rows.targets is not None or (
        augmentation is not None and augmentation.needs_separate_targets
    )


def training_portions(
    rows: Rows | StreamedRows,
    size: int,
    augmentation: Augmentation | None,
    streams: RandomStreams,
    epoch: int,
) -> Iterator[Portion]:
    """Yield the portions of an epoch, `size` rows each, in a new random order."""
    shuffle = streams.generator("shuffle", epoch)
    if augmentation is not None:
        augmentation = augmentation.at_epoch(epoch)
    for i, part in enumerate(rows.parts(size, shuffle)):
        yield Portion(part, augmentation, streams, ("augmentation", epoch, i))


def validation_portions(
    rows: Rows | StreamedRows,
    size: int,
    augmentation: Augmentation | None,
    streams: RandomStreams,
) -> Iterator[Portion]:
    """Yield the portions of validation rows, augmented alike at each evaluation."""
    if augmentation is not None:
        augmentation = augmentation.for_validation()
    for i, part in enumerate(rows.parts(size)):
        yield Portion(part, augmentation, streams, ("validation", i))
