"""Independent random streams, one for each purpose, from one `random_state`."""

import zlib
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.random import Generator, RandomState, SeedSequence

from .stored import stored_as


@stored_as("random_streams")
class RandomStreams(NamedTuple):
    """Random streams identified by name.

    A stream depends on the entropy, its name and its numbers only. So the order in
    which streams are used does not matter, and a fit can be resumed at any epoch.

    Attributes
    ----------
    entropy : int
    """

    entropy: int

    @classmethod
    def from_random_state(
        cls, random_state: int | RandomState | Generator | None
    ) -> Self:
        """Derive streams from scikit-learn's `random_state`.

        NumPy's global state is neither read nor changed.

        Parameters
        ----------
        random_state : int, RandomState instance, Generator or None
            None takes fresh entropy from the operating system. A RandomState or
            Generator is advanced.
        """
        if random_state is None or isinstance(random_state, int | np.integer):
            seed = None if random_state is None else int(random_state)
            entropy: Any = SeedSequence(seed).entropy  # an int, also for None
            return cls(entropy)
        if isinstance(random_state, Generator):
            words = random_state.integers(2**32, size=4, dtype=np.uint64)
        else:
            words = random_state.randint(2**32, size=4, dtype=np.uint64)
        return cls(int.from_bytes(words.astype("<u4").tobytes(), "little"))

    def generator(self, purpose: str, *numbers: int) -> Generator:
        """Return a new generator at the start of a stream.

        Parameters
        ----------
        purpose : str
            Name of the stream.

        *numbers : int
            Distinguish streams of one purpose, such as those of each epoch.
        """
        return np.random.default_rng(self._sequence(purpose, numbers))

    def seed(self, purpose: str, *numbers: int) -> int:
        """Return a seed in [0, 2**32) for Keras or scikit-learn."""
        return int(self._sequence(purpose, numbers).generate_state(1)[0])

    def _sequence(self, purpose, numbers):
        key = zlib.crc32(purpose.encode()), *numbers
        return SeedSequence(self.entropy, spawn_key=key)
