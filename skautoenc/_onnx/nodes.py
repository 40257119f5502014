"""The nodes of the ONNX graph that skl2onnx builds."""

from types import ModuleType
from typing import Any

import numpy as np

# Operators with their axes as an input have it since this opset, others since 18.
_AXES_AS_INPUT = {"ReduceSum": 13}

# Softmax and LogSoftmax are of one axis since this opset.
MIN_OPSET = 13


def import_skl2onnx() -> tuple[ModuleType, ModuleType]:
    """Import skl2onnx and onnx, which are optional dependencies.

    Raises
    ------
    ImportError
    """
    try:
        import onnx
        import skl2onnx
    except ImportError as error:
        raise ImportError(
            "Conversion to ONNX requires the packages skl2onnx and onnx: "
            "pip install 'skautoenc[onnx]'."
        ) from error
    return skl2onnx, onnx


class Nodes:
    """Adds nodes to a graph, and names their outputs.

    Inputs of nodes are names of tensors, or arrays, which become constants.

    Parameters
    ----------
    scope : skl2onnx.common._topology.Scope
    container : skl2onnx.common._container.ModelComponentContainer

    Raises
    ------
    ValueError
        If the target opset is too old.
    """

    def __init__(self, scope: Any, container: Any):
        self._scope, self._container = scope, container
        _, self._onnx = import_skl2onnx()
        self.opset = container.target_opset_onnx
        if self.opset < MIN_OPSET:
            raise ValueError(
                f"target_opset={self.opset} is too old for the networks of skautoenc. "
                f"Give at least {MIN_OPSET}."
            )

    def constant(self, array: np.ndarray | np.generic) -> str:
        """Add a constant, of numbers or strings, and return its name."""
        name = self._scope.get_unique_variable_name("constant")
        if array.dtype.kind in "OU":
            of_strings = self._onnx.TensorProto.STRING
            strings = [str(value).encode() for value in array.ravel()]
            self._container.add_initializer(name, of_strings, array.shape, strings)
            return name
        tensor = self._onnx.numpy_helper.from_array(np.ascontiguousarray(array))
        del tensor.dims[:]
        tensor.dims.extend(np.shape(array))
        self._container.add_initializer(name, tensor.data_type, array.shape, tensor)
        return name

    def add(
        self, operator: str, *inputs: Any, output: str | None = None, **attributes: Any
    ) -> str:
        """Add a node with one output, and return the name of the output.

        Parameters
        ----------
        operator : str
            ONNX's name of the operator.

        *inputs : str or ndarray
        output : str or None, default=None
            Name of the output. If None, a new one.

        **attributes : dict
        """
        return self.add_all(operator, *inputs, outputs=[output], **attributes)[0]

    def add_all(
        self, operator: str, *inputs: Any, outputs: list[str | None], **attributes: Any
    ) -> list[str]:
        """Add a node with several outputs, and return their names."""
        new = self._scope.get_unique_variable_name
        names = [name or new(operator.lower()) for name in outputs]
        self._container.add_node(
            operator,
            [x if isinstance(x, str) else self.constant(x) for x in inputs],
            names,
            name=self._scope.get_unique_operator_name(operator),
            **attributes,
        )
        return names

    def cast(self, x: str, dtype: Any, output: str | None = None) -> str:
        """Convert a tensor to a NumPy data type."""
        to = self._onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return self.add("Cast", x, output=output, to=to)

    def reduce(self, operator: str, x: str, axes: list[int], keepdims: int = 1) -> str:
        """Reduce axes, with an operator such as ``"ReduceSum"``."""
        if self.opset >= _AXES_AS_INPUT.get(operator, 18):
            return self.add(operator, x, np.array(axes, np.int64), keepdims=keepdims)
        return self.add(operator, x, axes=axes, keepdims=keepdims)

    def reshape(self, x: str, shape: tuple[int, ...]) -> str:
        """Reshape the rows of a tensor; the first axis stays as it is."""
        return self.add("Reshape", x, np.array([0, *shape], np.int64))

    def labels(self, scores: str, classes: np.ndarray) -> str:
        """Return the class with the largest score of each row.

        Parameters
        ----------
        scores : str
            Name of a tensor of shape (n_samples, n_classes).

        classes : ndarray of shape (n_classes,), of integers or strings
        """
        largest = self.add("ArgMax", scores, axis=1, keepdims=0)
        return self.add("Gather", classes, largest, axis=0)

    def split_in_two(self, x: str) -> list[str]:
        """Split the last axis into halves."""
        number = {"num_outputs": 2} if self.opset >= 18 else {}
        return self.add_all("Split", x, outputs=[None, None], axis=-1, **number)
