"""The functions that skl2onnx calls to convert an estimator.

They are the same for all estimators, which describe themselves by a `Conversion`.
"""

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from .nodes import Nodes, import_skl2onnx


class Input(NamedTuple):
    """The rows that an estimator is given.

    Attributes
    ----------
    dtype : type
        np.float32, np.float64, or a type of integers.

    row_shape : tuple of (int or None)
        Shape of a row; None for a length that is not known. Empty if none is known.
    """

    dtype: Any
    row_shape: tuple[int | None, ...]


class Output(NamedTuple):
    """An output of an estimator.

    Attributes
    ----------
    name : str
    dtype : type
        np.float32, np.float64, np.int64 or np.str_.

    row_shape : tuple of int
        Shape of a row; empty for an output of shape (n_samples,).
    """

    name: str
    dtype: Any
    row_shape: tuple[int, ...]


class Conversion(Protocol):
    """What a fitted estimator is converted to.

    Attributes
    ----------
    options : dict of str to list or None
        Names of the options of skl2onnx, with their values; None for any.

    defaults : dict of str to object
        Default of each option.
    """

    options: ClassVar[dict]
    defaults: ClassVar[dict]

    def n_columns(self, options: dict) -> int:
        """Return the number of columns that rows must have."""

    def outputs(self, options: dict, given: Input) -> list[Output]:
        """Return the outputs, in their order.

        Raises
        ------
        ValueError
            If an option is invalid.
        """

    def add(self, nodes: Nodes, options: dict, rows: str) -> list[str]:
        """Add nodes, and return the names of the outputs, of any number type.

        Parameters
        ----------
        nodes : Nodes
        options : dict
        rows : str
            Name of a tensor of shape (n_samples, n_columns), float32 or float64.
        """


def parser_of(estimator: Any) -> Callable[..., list]:
    """Return the function that declares the outputs of an estimator for skl2onnx.

    skl2onnx refuses options for classes that are not registered, so the class of the
    estimator is.

    Raises
    ------
    NotFittedError
    ImportError
        If skl2onnx is not installed.
    """
    check_is_fitted(estimator)
    skl2onnx, _ = import_skl2onnx()
    kind = type(estimator)
    skl2onnx.update_registered_converter(
        kind,
        f"Skautoenc{kind.__name__}",
        calculate_shapes,
        convert,
        parser=_parse,
        options=_conversion(estimator).options,
    )

    def declare_outputs(scope=None, inputs=None):
        options = _options(scope, estimator)
        outputs = _conversion(estimator).outputs(options, _input(inputs))
        return [
            scope.declare_local_variable(output.name, _tensor_type(output))
            for output in outputs
        ]

    return declare_outputs


def _parse(scope, model, inputs, custom_parsers=None):
    """Declare an operator for skl2onnx, once its class is registered."""
    operator = scope.declare_local_operator(f"Skautoenc{type(model).__name__}", model)
    operator.inputs = inputs
    for variable in parser_of(model)(scope=scope, inputs=inputs):
        operator.outputs.append(variable)
    return operator.outputs


def calculate_shapes(operator: Any) -> None:
    """Set types and shapes of the outputs of an estimator, for skl2onnx.

    Raises
    ------
    ValueError
        If the rows have a wrong number of columns.
    """
    estimator, given = _estimator_of(operator), _input(operator.inputs)
    options = _options(operator.scope_inst, estimator)
    conversion = _conversion(estimator)
    expected = conversion.n_columns(options)
    if None not in given.row_shape and np.prod(given.row_shape) != expected:
        raise ValueError(
            f"{type(estimator).__name__} is given rows of shape {given.row_shape} in "
            f"the conversion to ONNX, but takes {expected} columns here."
        )
    outputs = conversion.outputs(options, given)
    n_rows = operator.inputs[0].get_first_dimension()
    for variable, output in zip(operator.outputs, outputs, strict=True):
        variable.type = _tensor_type(output, n_rows)


def convert(scope: Any, operator: Any, container: Any) -> None:
    """Add the nodes of an estimator, for skl2onnx.

    Raises
    ------
    NotImplementedError
        If a layer, or a reducer, has no converter. The message names it.
    """
    estimator, nodes = _estimator_of(operator), Nodes(scope, container)
    conversion, options = _conversion(estimator), _options(scope, estimator)
    outputs = conversion.outputs(options, _input(operator.inputs))
    names = conversion.add(nodes, options, _table(nodes, operator.inputs))
    for variable, output, name in zip(operator.outputs, outputs, names, strict=True):
        if len(output.row_shape) > 1:
            name = nodes.reshape(name, output.row_shape)
        if output.dtype is np.str_:
            nodes.add("Identity", name, output=variable.full_name)
        else:
            nodes.cast(name, output.dtype, output=variable.full_name)


def _estimator_of(operator):
    """Return the estimator of an operator; `FrozenEstimator` passes on its methods."""
    found = operator.raw_operator
    return found.estimator if isinstance(found, FrozenEstimator) else found


def _conversion(estimator) -> Conversion:
    return estimator._onnx_conversion()


def _options(scope, estimator):
    """Return the options that the user has given, and defaults of others."""
    defaults = dict(_conversion(estimator).defaults)
    return scope.get_options(estimator, defaults)


def _input(variables):
    """Describe the rows that are given as one or more variables of skl2onnx."""
    dtype = np.result_type(*(_dtype(variable) for variable in variables))
    shapes = [tuple(variable.type.shape or ()) for variable in variables]
    if len(shapes) == 1:
        return Input(dtype.type, shapes[0][1:])
    return Input(dtype.type, (sum(int(np.prod(shape[1:])) for shape in shapes),))


def _dtype(variable):
    name = type(variable.type).__name__
    if name not in _DTYPES:
        raise ValueError(
            f"The input {variable.raw_name!r} is a {name}; networks take numbers, as "
            f"one of {sorted(_DTYPES)}."
        )
    return _DTYPES[name]


_DTYPES = {
    "FloatTensorType": np.float32,
    "DoubleTensorType": np.float64,
    "BooleanTensorType": np.bool_,
    "Int8TensorType": np.int8,
    "UInt8TensorType": np.uint8,
    "Int32TensorType": np.int32,
    "Int64TensorType": np.int64,
}


def _table(nodes, variables):
    """Return the rows as one table, float64 unless all are float32."""
    dtype = _input(variables).dtype
    dtype = np.float32 if dtype == np.float32 else np.float64
    parts = [nodes.cast(variable.full_name, dtype) for variable in variables]
    if len(parts) > 1:
        return nodes.add("Concat", *parts, axis=1)
    is_table = len(variables[0].type.shape) == 2
    return parts[0] if is_table else nodes.reshape(parts[0], (-1,))


def _tensor_type(output, n_rows=None):
    skl2onnx, _ = import_skl2onnx()
    kind = getattr(skl2onnx.common.data_types, _TYPES[output.dtype])
    return kind([n_rows, *output.row_shape])


_TYPES = {
    np.float32: "FloatTensorType",
    np.float64: "DoubleTensorType",
    np.int64: "Int64TensorType",
    np.str_: "StringTensorType",
}
