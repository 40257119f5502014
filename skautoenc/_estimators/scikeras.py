"""Fitted estimators as those of SciKeras, which is imported here alone.

scikit-learn 1.9 reads the kind of an estimator from its tags. The classes of SciKeras
0.13 inherit from scikit-learn's mixins behind their base class, so that their tags say
that they are neither classifiers nor regressors; the subclasses here set them. Rows and
targets may be of any type that converts to float64.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scikeras import wrappers
from sklearn.utils import ClassifierTags, RegressorTags, TargetTags


class KerasClassifier(wrappers.KerasClassifier):
    """`scikeras.wrappers.KerasClassifier` with the tags of a classifier."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.estimator_type = "classifier"
        tags.classifier_tags = ClassifierTags()
        tags.target_tags = TargetTags(required=True)
        return tags


class KerasRegressor(wrappers.KerasRegressor):
    """`scikeras.wrappers.KerasRegressor` with the tags of a regressor."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.estimator_type = "regressor"
        tags.regressor_tags = RegressorTags()
        tags.target_tags = TargetTags(required=True)
        return tags


def to_keras_classifier(model: Any, classes: NDArray, params: dict[str, Any]) -> Any:
    """Return a fitted `KerasClassifier`.

    Parameters
    ----------
    model : keras.Model
        Gives the probabilities of the classes.

    classes : ndarray of shape (n_classes,)
    params : dict
        Parameters of `KerasClassifier` besides the model.
    """
    defaults = {"loss": "sparse_categorical_crossentropy", "optimizer": "adam"}
    estimator = KerasClassifier(model, **(defaults | params))
    rows = np.zeros((len(classes), *model.input_shape[1:]))
    return estimator.initialize(rows, classes)


def to_keras_regressor(model: Any, is_1d: bool, params: dict[str, Any]) -> Any:
    """Return a fitted `KerasRegressor`.

    Parameters
    ----------
    model : keras.Model
        Gives the targets.

    is_1d : bool
        Whether targets are of shape (n_samples,).

    params : dict
        Parameters of `KerasRegressor` besides the model.
    """
    defaults = {"loss": "mean_squared_error", "optimizer": "adam"}
    estimator = KerasRegressor(model, **(defaults | params))
    rows = np.zeros((2, *model.input_shape[1:]))
    targets = np.zeros((2, model.output_shape[1]))
    return estimator.initialize(rows, targets[:, 0] if is_1d else targets)
