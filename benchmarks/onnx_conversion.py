"""ONNX graphs: time of the conversion, and differences from the estimators."""

import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skautoenc import (
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    ConvNetwork,
    DenoisingAutoencoder,
    VariationalAutoencoder,
)
from skautoenc._fitted.activations import ACTIVATIONS

from ._cases import Result, case

# Prints the time of a conversion, with options, beyond the imports.
_CONVERT = """
import pickle, sys, time
import onnx, skl2onnx
with open({!r}, "rb") as file:
    pipeline, row = pickle.load(file)
start = time.perf_counter()
skl2onnx.to_onnx(pipeline, row, options={{"zipmap": False}})
print(time.perf_counter() - start)
assert not {{"keras", "tensorflow"}} & sys.modules.keys()
"""


@case(
    "scaler, reducer of digits to 32 components and classifier to ONNX, new process, "
    "beyond imports, against PCA as reducer",
    "<= 1 s",
    requires="skl2onnx",
)
def onnx_conversion(data, repeats):
    X, y = load_digits(return_X_y=True)
    with tempfile.TemporaryDirectory() as folder:
        codes = []
        for reducer in (AutoencoderTransformer(32, epochs=5, random_state=0), PCA(32)):
            classifier = LogisticRegression(max_iter=1000)
            pipeline = make_pipeline(MinMaxScaler(), reducer, classifier).fit(X, y)
            path = Path(folder, type(reducer).__name__)
            path.write_bytes(pickle.dumps((pipeline, X[:1])))
            codes.append(_CONVERT.format(str(path)))
        times = [tuple(map(_printed, codes)) for _ in range(max(repeats, 7))]
    return Result(*map(list, zip(*times, strict=True)))


def _printed(code):
    """Run code in a new process, and return the number that it prints."""
    command = [sys.executable, "-c", code]
    return float(subprocess.run(command, check=True, capture_output=True).stdout)


@case(
    "largest difference of onnxruntime, relative to the largest value, all networks "
    "and activations, against PCA",
    "<= 1e-5",
    requires="onnxruntime",
)
def onnx_difference(data, repeats):
    X = load_digits().data / 16
    differences = []
    for estimator in _estimators():
        estimator.fit(X[:600])
        outputs, options = _METHODS, {"outputs": list(_METHODS)}
        if isinstance(estimator, AutoencoderOutlierDetector):
            outputs, options = _METHODS_OF_DETECTOR, {"score_samples": True}
        for dtype in (np.float32, np.float64):
            rows = X[600:].astype(dtype)
            differences.append(_difference(estimator, rows, outputs, options))
    pca = PCA(4).fit(X[:600].astype(np.float32))
    rows = X[600:].astype(np.float32)
    baseline = _difference(pca, rows, {"variable": "transform"})
    return Result([max(differences)], [baseline], unit="")


_TINY = np.finfo(np.float32).tiny

_METHODS = {
    name: name
    for name in ("transform", "reconstruct", "reconstruction_error", "score_samples")
}
_METHODS_OF_DETECTOR = {"scores": "decision_function", "score_samples": "score_samples"}


def _difference(estimator, X, methods, options=None):
    """Return the largest difference of outputs from the methods of an estimator."""
    import onnxruntime
    import skl2onnx

    graph = skl2onnx.to_onnx(estimator, X[:1], options=options)
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    found = session.run(list(methods), {"X": X})
    differences = []
    for values, method in zip(found, methods.values(), strict=True):
        wanted = getattr(estimator, method)(X)
        difference = np.abs(values.reshape(wanted.shape) - wanted).max()
        differences.append(difference / max(np.abs(wanted).max(), _TINY))
    return float(max(differences))


def _estimators():
    """Yield autoencoders with every activation and network, and a detector."""
    settings = {"epochs": 2, "random_state": 0}
    # "glu" halves the number of units, which a dense layer cannot have as activation.
    for name in sorted(ACTIVATIONS.keys() - {"glu"}):
        yield AutoencoderTransformer(4, activation=name, **settings)
        yield AutoencoderTransformer(4, init="random", code_activation=name, **settings)
    for kind in (AutoencoderTransformer, DenoisingAutoencoder, VariationalAutoencoder):
        for downsampling in ("stride", "max_pool", "average_pool"):
            for upsampling in ("nearest", "transpose"):
                ways = {"downsampling": downsampling, "upsampling": upsampling}
                yield kind(4, network=ConvNetwork((8, 8, 1), **ways), **settings)
    yield AutoencoderTransformer(4, tied_weights=True, **settings)
    yield AutoencoderTransformer(None, network=ConvNetwork((8, 8, 1), 4), **settings)
    yield AutoencoderTransformer(4, network=ConvNetwork((64,)), **settings)
    yield AutoencoderOutlierDetector(random_state=0)
