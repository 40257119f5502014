"""The scores of the outlier detector, as ONNX nodes."""

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from .._outliers.ellipse import Ellipse
from .._outliers.neighbors import Neighbors
from .._outliers.scores import FLOORS, Scorer
from .conversion import Input, Output
from .nodes import Nodes
from .reducers import AutoencoderConversion, Computed, float_type

_D = np.float64


class Reducer(Protocol):
    """A reducer of the detector, as ONNX nodes."""

    def encode_and_decode(self, nodes: Nodes, rows: str) -> tuple[str, str]:
        """Return the names of the codes and the reconstructions, float64."""


@dataclass(frozen=True)
class NetworkReducer:
    """An autoencoder."""

    autoencoder: AutoencoderConversion

    def encode_and_decode(self, nodes: Nodes, rows: str) -> tuple[str, str]:
        computed = Computed(nodes, self.autoencoder, rows)
        codes, reconstructions = computed.codes, computed.reconstructions
        return nodes.cast(codes, _D), nodes.cast(reconstructions, _D)


@dataclass(frozen=True)
class LinearReducer:
    """PCA: codes are ``(rows - mean) @ encoder``, rows ``codes @ decoder + mean``."""

    mean: np.ndarray
    encoder: np.ndarray
    decoder: np.ndarray

    def encode_and_decode(self, nodes: Nodes, rows: str) -> tuple[str, str]:
        centered = nodes.add("Sub", rows, self.mean.astype(_D))
        codes = nodes.add("MatMul", centered, self.encoder.astype(_D))
        decoded = nodes.add("MatMul", codes, self.decoder.astype(_D))
        return codes, nodes.add("Add", decoded, self.mean.astype(_D))


@dataclass(frozen=True)
class OutlierConversion:
    """The conversion of an outlier detector: labels and scores of new rows.

    Rows that are equal to a training row are scored like others, with the mean of the
    scores of both reducers.

    Parameters
    ----------
    reducers : tuple of Reducer
    scorers : tuple of Scorer
    offset : float
    n_features : int
    """

    reducers: tuple[Reducer, ...]
    scorers: tuple[Scorer, ...]
    offset: float
    n_features: int

    options: ClassVar[dict] = {"score_samples": [True, False]}
    defaults: ClassVar[dict] = {"score_samples": False}

    def n_columns(self, options: dict) -> int:
        return self.n_features

    def outputs(self, options: dict, given: Input) -> list[Output]:
        dtype = float_type(given.dtype, np.float64)
        found = [Output("label", np.int64, (1,)), Output("scores", dtype, (1,))]
        if options["score_samples"]:
            found.append(Output("score_samples", dtype, (1,)))
        return found

    def add(self, nodes: Nodes, options: dict, rows: str) -> list[str]:
        rows = nodes.cast(rows, _D)
        neighbors = self.scorers[0].row_neighbors
        distances = _to_neighbor(nodes, neighbors, rows)
        total = None
        for reducer, scorer in zip(self.reducers, self.scorers, strict=True):
            score = _score(nodes, scorer, reducer, rows, distances)
            total = score if total is None else nodes.add("Add", total, score)
        scores = nodes.add("Div", total, _D(len(self.scorers)))
        decision = nodes.add("Sub", scores, _D(self.offset))
        is_outlier = nodes.add("Less", decision, _D(0))
        label = nodes.add("Where", is_outlier, np.int64(-1), np.int64(1))
        return [label, decision, *([scores] if options["score_samples"] else [])]


def _score(nodes, scorer: Scorer, reducer: Reducer, rows, distances):
    """As `Scorer.score`, of shape (n_samples, 1)."""
    codes, reconstructions = reducer.encode_and_decode(nodes, rows)
    residuals = nodes.add("Sub", rows, reconstructions)
    residuals = nodes.add("Div", residuals, scorer.row_neighbors.scale.astype(_D))
    square = nodes.add("Mul", residuals, residuals)
    parts = [
        nodes.reduce("ReduceMean", square, [1]),
        _mahalanobis(nodes, scorer.ellipse, residuals),
        _to_neighbor(nodes, scorer.code_neighbors, codes),
        distances,
    ]
    parts = nodes.add("Concat", *parts, axis=1)
    logarithms = nodes.add("Log", nodes.add("Add", parts, FLOORS))
    scaled = nodes.add("Sub", logarithms, scorer.medians)
    scaled = nodes.add("Div", scaled, scorer.spreads)
    return nodes.add("Neg", nodes.reduce("ReduceLogSumExp", scaled, [1]))


def _mahalanobis(nodes, ellipse: Ellipse, points):
    """As `Ellipse.distances`."""
    deviations = nodes.add("Sub", points, ellipse.center)
    operator = "Mul" if ellipse.precision.ndim == 1 else "MatMul"
    scaled = nodes.add(operator, deviations, ellipse.precision)
    return nodes.reduce("ReduceSum", nodes.add("Mul", deviations, scaled), [1])


def _to_neighbor(nodes, neighbors: Neighbors, points):
    """As `Neighbors.distances` of points that are not among the reference points.

    Squared distances are those of points from which the mean is subtracted, because
    the products of large numbers would be rounded.
    """
    reference = neighbors.reference.astype(_D)
    mean = reference.mean(axis=0)
    reference = reference - mean
    points = nodes.add("Div", points, neighbors.scale.astype(_D))
    points = nodes.add("Sub", points, mean)
    squares = nodes.reduce("ReduceSum", nodes.add("Mul", points, points), [1])
    products = nodes.add("MatMul", points, -2 * reference.T)
    distances = nodes.add("Add", products, np.square(reference).sum(axis=1))
    distances = nodes.add("Add", distances, squares)
    k = np.array([neighbors.search.n_neighbors])
    nearest, _ = nodes.add_all(
        "TopK", distances, k, outputs=[None, None], axis=1, largest=0
    )
    last = nodes.add("Gather", nearest, k - 1, axis=1)
    return nodes.add("Sqrt", nodes.add("Max", last, _D(0)))
