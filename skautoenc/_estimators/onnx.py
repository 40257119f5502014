"""Methods with which skl2onnx converts an estimator to ONNX."""

from collections.abc import Callable
from typing import Any

from .._onnx.conversion import Conversion, calculate_shapes, convert, parser_of


class OnnxMixin:
    """The converters that skl2onnx finds by name, so that none must be registered.

    A subclass defines `_onnx_conversion`.
    """

    def onnx_parser(self) -> Callable[..., Any]:
        """Return the function that declares the outputs; called by skl2onnx.

        Returns
        -------
        parser : callable
            ``(scope, inputs) -> list of skl2onnx.common._topology.Variable``.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ImportError
            If skl2onnx is not installed.
        """
        return parser_of(self)

    def onnx_shape_calculator(self) -> Callable[..., Any]:
        """Return the function that sets the shapes; called by skl2onnx.

        Returns
        -------
        shape_calculator : callable
            ``(operator) -> None``.
        """
        return calculate_shapes

    def onnx_converter(self) -> Callable[..., Any]:
        """Return the function that adds the nodes; called by skl2onnx.

        Returns
        -------
        converter : callable
            ``(scope, operator, container) -> None``.
        """
        return convert

    def _onnx_conversion(self) -> Conversion:
        """Return what the fitted estimator is converted to."""
        raise NotImplementedError
