"""Training with Keras's policy of mixed precision, compared with float32."""

import contextlib

from skautoenc import AutoencoderTransformer

from ._cases import Result, case, mnist, seconds
from .recipes import MNIST_CONV, MNIST_DEEP


@contextlib.contextmanager
def _policy(name):
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _layers_of_keras(input_shape, n_components):
    """Build mnist-deep of Keras's layers, which follow the policy."""
    import keras

    layer = keras.layers.Dense
    encoder = [layer(128, "relu"), layer(64, "relu"), layer(n_components, "relu")]
    decoder = [layer(64, "relu"), layer(128, "relu"), layer(*input_shape, "sigmoid")]
    return (
        keras.Sequential([keras.Input(input_shape), *encoder]),
        keras.Sequential([keras.Input((n_components,)), *decoder]),
    )


def _mixed_against_float32(estimator, X, repeats, few, many):
    """Return the seconds per epoch of both, and the last training losses."""
    sides = {"mixed_bfloat16": [], "float32": []}
    losses = {}
    for name in sides:
        with _policy(name):
            estimator.set_params(random_state=0, epochs=many).fit(X)
            estimator.set_params(random_state=0, epochs=few).fit(X)
    for seed in range(repeats):
        for name, times in sides.items():
            estimator.set_params(random_state=seed)
            with _policy(name):
                long = seconds(lambda: estimator.set_params(epochs=many).fit(X))
                losses[name] = estimator.history_["loss"][-1]
                short = seconds(lambda: estimator.set_params(epochs=few).fit(X))
            times.append((long - short) / (many - few))
    return Result(*sides.values(), losses=tuple(losses.values()))


@case("mnist-conv, 15000 rows: per epoch in mixed_bfloat16, against float32", "", True)
def mixed_conv_epoch(data, repeats):
    X = mnist(data)[:15_000]
    return _mixed_against_float32(MNIST_CONV.estimator(), X, repeats, 1, 3)


@case("mnist-deep of Keras's layers: the same", "", True)
def mixed_deep_epoch(data, repeats):
    estimator = AutoencoderTransformer(
        32,
        network=_layers_of_keras,
        loss=MNIST_DEEP.loss,
        optimizer=MNIST_DEEP.optimizer,
        batch_size=MNIST_DEEP.batch_size,
    )
    return _mixed_against_float32(estimator, mnist(data), repeats, 1, 4)
