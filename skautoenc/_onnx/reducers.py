"""What a fitted autoencoder computes, as ONNX nodes."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from .._fitted.network import FittedNetwork
from .conversion import Input, Output
from .network import add_layers, add_output_shift
from .nodes import Nodes

# The methods that can be outputs.
METHODS = (
    "transform",
    "inverse_transform",
    "reconstruct",
    "reconstruction_error",
    "score_samples",
)


@dataclass(frozen=True)
class AutoencoderConversion:
    """The conversion of an autoencoder: each output is what one of its methods returns.

    Parameters
    ----------
    encoder, decoder : FittedNetwork
    dtype : {np.float32, np.float64}
        Data type of reconstructions.

    row_shape : tuple of int
        Shape of the rows in `fit`.

    n_components : int
    returns_codes : bool, default=True
        Whether `transform` returns codes. If not, it returns reconstructions, and there
        is no `inverse_transform`.
    """

    encoder: FittedNetwork
    decoder: FittedNetwork
    dtype: Any
    row_shape: tuple[int, ...]
    n_components: int
    returns_codes: bool = True

    options: ClassVar[dict] = {"outputs": None}
    defaults: ClassVar[dict] = {"outputs": ["transform"]}

    def n_columns(self, options: dict) -> int:
        if "inverse_transform" in self._methods(options):
            return self.n_components
        return int(np.prod(self.row_shape))

    def outputs(self, options: dict, given: Input) -> list[Output]:
        dtype = float_type(given.dtype, self.dtype)
        rows: tuple[Any, ...] = given.row_shape
        if len(rows) < 2 or None in rows:
            rows = (int(np.prod(self.row_shape)),)
        shapes = {
            "transform": (self.n_components,) if self.returns_codes else rows,
            "inverse_transform": self.row_shape,
            "reconstruct": rows,
            "reconstruction_error": (1,),
            "score_samples": (1,),
        }
        return [Output(name, dtype, shapes[name]) for name in self._methods(options)]

    def add(self, nodes: Nodes, options: dict, rows: str) -> list[str]:
        methods = self._methods(options)
        if methods == ["inverse_transform"]:
            values = add_layers(nodes, self.decoder, rows)
            return [add_output_shift(nodes, self.decoder, values, self.dtype)]
        computed = Computed(nodes, self, rows)
        found = {
            "transform": "codes" if self.returns_codes else "reconstructions",
            "reconstruct": "reconstructions",
            "reconstruction_error": "errors",
            "score_samples": "scores",
        }
        return [getattr(computed, found[name]) for name in methods]

    def _methods(self, options):
        """Return the selected methods, after a check."""
        names = options["outputs"]
        names = [names] if isinstance(names, str) else list(names)
        known = [m for m in METHODS if self.returns_codes or m != "inverse_transform"]
        if not names or not set(names) <= set(known) or len(set(names)) < len(names):
            raise ValueError(
                f"The option 'outputs' must be a list of methods, out of {known}; got "
                f"{options['outputs']!r}."
            )
        if "inverse_transform" in names and len(names) > 1:
            raise ValueError(
                "The output 'inverse_transform' is computed from codes, others from "
                f"rows: convert it alone, into another graph; got {names}."
            )
        return names


class Computed:
    """What an autoencoder computes of rows; nodes are added when they are needed.

    Parameters
    ----------
    nodes : Nodes
    conversion : AutoencoderConversion
    rows : str
        Name of a tensor of shape (n_samples, n_features).
    """

    def __init__(self, nodes: Nodes, conversion: AutoencoderConversion, rows: str):
        self._nodes, self._conversion, self._rows = nodes, conversion, rows

    @cached_property
    def codes(self) -> str:
        """Codes, float32."""
        encoder = self._conversion.encoder
        codes = add_layers(self._nodes, encoder, self._rows)
        return add_output_shift(self._nodes, encoder, codes, np.float32)

    @cached_property
    def _decoded(self):
        return add_layers(self._nodes, self._conversion.decoder, self.codes)

    def _shifted(self, dtype):
        decoder = self._conversion.decoder
        return add_output_shift(self._nodes, decoder, self._decoded, dtype)

    @cached_property
    def reconstructions(self) -> str:
        """Reconstructions, in the data type of the autoencoder."""
        return self._shifted(self._conversion.dtype)

    @cached_property
    def errors(self) -> str:
        """Mean squared errors of the rows, float64, of shape (n_samples, 1)."""
        nodes = self._nodes
        rows = nodes.cast(self._rows, np.float64)
        difference = nodes.add("Sub", self._shifted(np.float64), rows)
        square = nodes.add("Mul", difference, difference)
        return nodes.reduce("ReduceMean", square, [1])

    @cached_property
    def scores(self) -> str:
        """Negative errors."""
        return self._nodes.add("Neg", self.errors)


def float_type(given: Any, of_integers: Any) -> Any:
    """Return the float type of outputs for rows of a type.

    Parameters
    ----------
    given : type
        Of the rows.

    of_integers : type
        Of outputs for integers.
    """
    return given if np.issubdtype(given, np.floating) else of_integers
