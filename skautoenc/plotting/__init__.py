"""Displays of fitted reducers, like scikit-learn's displays of predictors."""

from ._codes import CodeDisplay
from ._comparison import ComparisonDisplay
from ._explained_variance import ExplainedVarianceDisplay
from ._image_grid import ImageGridDisplay
from ._imputer_comparison import ImputerComparisonDisplay
from ._loadings import LoadingsDisplay
from ._loss_curve import LossCurveDisplay
from ._outliers import OutlierDisplay
from ._reconstruction import ReconstructionDisplay

__all__ = [
    "CodeDisplay",
    "ComparisonDisplay",
    "ExplainedVarianceDisplay",
    "ImageGridDisplay",
    "ImputerComparisonDisplay",
    "LoadingsDisplay",
    "LossCurveDisplay",
    "OutlierDisplay",
    "ReconstructionDisplay",
]
