"""Conversion to ONNX, and evaluation by onnxruntime."""

import numpy as np
import onnx
import onnxruntime
import skl2onnx


def convert(estimator, X, **settings):
    """Convert an estimator, for rows as in X, and check the graph."""
    graph = skl2onnx.to_onnx(estimator, X[:1], **settings)
    onnx.checker.check_model(graph, full_check=True)
    return graph


def evaluate(graph, X):
    """The outputs of a graph by name."""
    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    inputs = {session.get_inputs()[0].name: X}
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, inputs), strict=True))


def outputs_of(estimator, X, **settings):
    """The outputs by name of an estimator that is converted for rows as in X."""
    return evaluate(convert(estimator, X, **settings), X)


def assert_equal_within_1e5(found, wanted):
    """Assert that the largest difference is 1e-5 of the largest value."""
    found, wanted = np.asarray(found), np.asarray(wanted)
    np.testing.assert_allclose(
        found.reshape(wanted.shape), wanted, rtol=0, atol=1e-5 * np.abs(wanted).max()
    )
