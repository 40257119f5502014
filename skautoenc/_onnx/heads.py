"""Classifiers and regressors on an encoder, as ONNX nodes."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from .._fitted.network import FittedNetwork
from .conversion import Input, Output
from .network import add_network
from .nodes import Nodes
from .reducers import float_type


@dataclass(frozen=True)
class ClassifierConversion:
    """The conversion of a classifier: labels and probabilities.

    Parameters
    ----------
    encoder, head : FittedNetwork
    n_features : int
    classes : ndarray of shape (n_classes,) or None
        Integers or strings. None for several labels of a row, which are 0 or 1.
    """

    encoder: FittedNetwork
    head: FittedNetwork
    n_features: int
    classes: np.ndarray | None

    # Pipelines set "zipmap" for classifiers. Probabilities are an array anyway.
    options: ClassVar[dict] = {"zipmap": [True, False]}
    defaults: ClassVar[dict] = {}

    def n_columns(self, options: dict) -> int:
        return self.n_features

    def outputs(self, options: dict, given: Input) -> list[Output]:
        n_groups = len(self.head.groups)
        width = n_groups if self.classes is None else len(self.classes)
        is_text = self.classes is not None and self.classes.dtype.kind in "OU"
        shape = (n_groups,) if self.classes is None else ()
        return [
            Output("label", np.str_ if is_text else np.int64, shape),
            Output("probabilities", float_type(given.dtype, np.float64), (width,)),
        ]

    def add(self, nodes: Nodes, options: dict, rows: str) -> list[str]:
        codes = add_network(nodes, self.encoder, rows)
        outputs = add_network(nodes, self.head, codes)
        if self.classes is not None:
            return [nodes.labels(outputs, self.classes), outputs]
        positive = np.array([group[1] for group in self.head.groups])
        outputs = nodes.add("Gather", outputs, positive, axis=1)
        return [nodes.add("Greater", outputs, np.float32(0.5)), outputs]


@dataclass(frozen=True)
class RegressorConversion:
    """The conversion of a regressor: its predictions.

    Parameters
    ----------
    encoder, head : FittedNetwork
    n_features : int
    """

    encoder: FittedNetwork
    head: FittedNetwork
    n_features: int

    options: ClassVar[dict] = {}
    defaults: ClassVar[dict] = {}

    def n_columns(self, options: dict) -> int:
        return self.n_features

    def outputs(self, options: dict, given: Input) -> list[Output]:
        dtype: Any = float_type(given.dtype, np.float64)
        return [Output("variable", dtype, (self.head.weights[-1].shape[-1],))]

    def add(self, nodes: Nodes, options: dict, rows: str) -> list[str]:
        codes = add_network(nodes, self.encoder, rows)
        return [add_network(nodes, self.head, codes, np.float64)]
