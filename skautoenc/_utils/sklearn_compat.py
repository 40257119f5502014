"""Private names of scikit-learn, which only this file uses."""

from collections.abc import Callable
from typing import Any

from sklearn.base import BaseEstimator, _fit_context
from sklearn.metrics._scorer import _PassthroughScorer
from sklearn.utils import _safe_indexing
from sklearn.utils._available_if import _AvailableIfDescriptor
from sklearn.utils._param_validation import HasMethods, Hidden, Interval, StrOptions
from sklearn.utils._set_output import _get_output_config
from sklearn.utils.validation import _check_feature_names_in, _check_sample_weight

__all__ = [
    "DocumentationLink",
    "HasMethods",
    "Hidden",
    "Interval",
    "StrOptions",
    "_check_feature_names_in",
    "_check_sample_weight",
    "_fit_context",
    "_get_output_config",
    "_safe_indexing",
    "available_if",
    "fitted_attributes_html",
    "has_callbacks",
    "init_callback_context",
    "remove_callback_context",
    "validate_parameters",
]


class DocumentationLink:
    """Links of HTML representations to the page of a class in the documentation.

    A base class that precedes `BaseEstimator`. Classes of other packages that derive
    from it have no link.
    """

    _doc_link_module = "skautoenc"
    _doc_link_template = (
        "https://skautoenc.readthedocs.io/en/stable/generated/"
        "{estimator_module}.{estimator_name}.html"
    )


class _AvailableIf(_AvailableIfDescriptor):
    """Keeps the error of the check, whose message scikit-learn replaces."""

    def _check(self, obj, owner):
        self.check(obj)


def available_if(check: Callable[[Any], None]) -> Callable[[Callable], Any]:
    """Return a decorator of methods that only some instances have.

    Parameters
    ----------
    check : callable
        Is given the instance. Raises an AttributeError that says why the method is not
        available, if it is not.
    """
    return lambda method: _AvailableIf(method, check, method.__name__)


def validate_parameters(estimator: BaseEstimator) -> None:
    """Raise if a parameter breaks the estimator's `_parameter_constraints`."""
    estimator._validate_params()


def fitted_attributes_html(estimator: BaseEstimator, doc_link: str = "") -> Any:
    """Return the fitted attributes for the HTML display, without properties.

    Only attributes stored in the instance are shown, so that no property is computed.
    """
    shown = BaseEstimator()
    vars(shown).update(vars(estimator))
    attributes = shown._get_fitted_attr_html(doc_link)
    attributes.estimator_class = type(estimator)
    return attributes


def has_callbacks(estimator: BaseEstimator) -> bool:
    """Whether `set_callbacks` has given the estimator scikit-learn callbacks."""
    return bool(getattr(estimator, "_skl_callbacks", None))


def init_callback_context(estimator: BaseEstimator, max_subtasks: int) -> Any:
    """Return the callback context of a fit, whose subtasks are the epochs.

    The estimator derives from :class:`~sklearn.callback.CallbackSupportMixin`.
    """
    context = estimator._init_callback_context(max_subtasks=max_subtasks)
    # ScoringMonitor(scoring=None) of scikit-learn 1.9.1 takes a dict, but its scorer
    # returns the number that the method `score` returns.
    for callback in getattr(estimator, "_skl_callbacks", ()):
        scorers = getattr(callback, "_estimator_scorers", {})
        if isinstance(scorers.get(estimator), _PassthroughScorer):
            scorers[estimator] = _named_score
    return context


def _named_score(estimator, X, y):
    return {"score": estimator.score(X, y)}


def remove_callback_context(estimator: BaseEstimator) -> None:
    """Remove the reference to the callback context of a meta-estimator."""
    vars(estimator).pop("_parent_callback_ctx", None)
