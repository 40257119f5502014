"""Methods with which skl2onnx converts an estimator to ONNX."""

import inspect
from collections.abc import Callable
from typing import Any, ClassVar

from .._onnx.conversion import Conversion, calculate_shapes, convert, parser_of


class OnnxMixin:
    """The converters that skl2onnx finds by name, so that none must be registered.

    A subclass defines `_onnx_conversion`, and in `_keras_models` the names of its
    attributes that are built at each access.
    """

    _keras_models: ClassVar[set[str]] = set()

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

    def __dir__(self):
        """List the attributes that exist, without building Keras models to find out.

        skl2onnx searches for estimators in all attributes whose names end in an
        underscore, and in their elements. None is listed for it, as none is converted.
        """
        caller = inspect.currentframe().f_back.f_globals.get("__name__", "")
        if caller.startswith("skl2onnx."):
            return [name for name in object.__dir__(self) if not name.endswith("_")]
        others = set(object.__dir__(self)) - self._keras_models
        names = [name for name in others if hasattr(self, name)]
        return [*names, *self._keras_models] if hasattr(self, "_encoder") else names

    def _onnx_conversion(self) -> Conversion:
        """Return what the fitted estimator is converted to."""
        raise NotImplementedError
