"""Fitted attributes that an estimator has after some fits only."""

from typing import Any

from sklearn.utils.validation import check_is_fitted

from .._fit.codes import MAX_COMPONENTS
from .._fit.values import FitResult

OF_CODES = (
    "fit computes it from all training data, which from_keras and partial_fit do not "
    f"have, and for codes of at most {MAX_COMPONENTS} components unless the decoder is "
    "linear"
)
OF_PCA = (
    "it is defined only if the fit ended as PCA, which it does if training starts from "
    "PCA (see init) and finds nothing better (best_epoch_=0)"
)


class OptionalAttribute:
    """A fitted attribute whose error, where there is none, says why.

    Parameters
    ----------
    reason : str
        Why an estimator may not have it, as the end of a sentence.
    """

    def __init__(self, reason: str):
        self._reason = reason

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, estimator: Any, owner: type | None = None) -> Any:
        if estimator is None:
            return self
        if self._name in vars(estimator):
            return vars(estimator)[self._name]
        check_is_fitted(estimator)
        raise AttributeError(
            f"This {type(estimator).__name__} has no {self._name}: {self._reason}."
        )

    def __set__(self, estimator: Any, value: Any) -> None:
        vars(estimator)[self._name] = value


def code_attributes(result: FitResult) -> dict[str, Any]:
    """Return the attributes that the estimators have in common with PCA."""
    if result.codes is None:
        return {}
    statistics = result.codes._asdict()
    statistics["components"] = result.codes.components.astype(result.dtype)
    return {f"{name}_": x for name, x in statistics.items() if x is not None}
