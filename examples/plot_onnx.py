"""
=========================================
How do I serve a pipeline without Python?
=========================================

`skl2onnx.to_onnx` converts a fitted pipeline to an ONNX graph, one file that programs
in many languages can run. This example converts a scaler and a denoising autoencoder,
and a scaler, an autoencoder and a classifier, and runs both graphs with onnxruntime.
For single rows the graph is tens of times faster than the pipeline.
"""

# %%
# Remove noise in another program
# -------------------------------
# The autoencoder is trained on digits to which noise is added. As a step that returns
# rows, it is converted together with the scaler before it.

import numpy as np
import onnxruntime
import skl2onnx
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skautoenc import AutoencoderTransformer, DenoisingAutoencoder

X, y = load_digits(return_X_y=True)
X = X.astype(np.float32)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
noisy = X_test + np.random.default_rng(0).normal(0, 4, X_test.shape).astype(np.float32)

denoiser = make_pipeline(
    MinMaxScaler(),
    DenoisingAutoencoder(
        32,
        noise_level=0.25,
        clip=False,
        output="reconstruction",
        epochs=100,
        random_state=0,
    ),
).fit(X_train)
graph = skl2onnx.to_onnx(denoiser, X_train[:1]).SerializeToString()
session = onnxruntime.InferenceSession(graph)
(cleaned,) = session.run(None, {"X": noisy})
difference = np.abs(cleaned - denoiser.transform(noisy)).max()
print(f"graph of {len(graph) / 1000:.0f} KB, largest difference {difference:.0e}")

# %%
# The first row shows the noisy digits, the second one what the graph returns.

import matplotlib.pyplot as plt

figure, axes = plt.subplots(2, 8, figsize=(8, 2.2), layout="constrained")
for images, row in zip((noisy, cleaned), axes, strict=True):
    for image, axis in zip(images, row, strict=False):
        axis.imshow(image.reshape(8, 8), cmap="gray_r")
        axis.set_axis_off()
figure.suptitle("Digits with noise, and cleaned by onnxruntime")
plt.show()

# %%
# Classify
# --------
# One row at a time, as a server gets them, the graph is faster than the pipeline,
# which validates each row in each step.

from time import perf_counter

from sklearn.linear_model import LogisticRegression

classifier = make_pipeline(
    MinMaxScaler(),
    AutoencoderTransformer(16, random_state=0),
    LogisticRegression(max_iter=1000),
).fit(X_train, y_train)
graph = skl2onnx.to_onnx(classifier, X_train[:1], options={"zipmap": False})
session = onnxruntime.InferenceSession(graph.SerializeToString())
label, probabilities = session.run(None, {"X": X_test})
print(f"accuracy {np.mean(label == y_test):.3f}")
print(f"labels are equal: {np.array_equal(label, classifier.predict(X_test))}")


def microseconds(call):
    start = perf_counter()
    for i in range(300):
        call(X_test[i : i + 1])
    return (perf_counter() - start) / 300 * 1e6


print(f"pipeline:    {microseconds(classifier.predict_proba):5.0f} us per row")
print(f"onnxruntime: {microseconds(lambda row: session.run(None, {'X': row})):5.0f} us")
