"""Fitted state as plain data: a Keras config and NumPy weights."""

import json
import threading

import numpy as np

from ._forward import plan_forward
from ._fresh_process import forked_after_tensorflow, in_fresh_process
from ._fusion import upsampling_fused
from ._keras import isolated, load, own_layers

# Rows evaluated at once: few enough for activations to stay in the processor's cache,
# enough for the matrix products to run at full speed.
_BLOCK_BYTES = 2**23


def row_blocks(n_samples, width):
    """Cut rows into slices of about 8 MiB of float32, at least 64 rows each."""
    rows = max(64, _BLOCK_BYTES // (4 * max(width, 1)))
    return [slice(i, i + rows) for i in range(0, n_samples, rows)]


def config_of(model):
    """A Keras model's structure as JSON, without how it was compiled."""

    compiled = [m for m in model._flatten_layers() if getattr(m, "compiled", False)]
    for part in compiled:
        part.compiled = False
    try:
        return model.to_json()
    finally:
        for part in compiled:
            part.compiled = True


class FittedNetwork:
    """A trained network that needs no framework to be kept, copied or called.

    Parameters
    ----------
    config : str
        What ``keras.Model.to_json`` gave.

    weights : list of ndarray
        What ``keras.Model.get_weights`` gave.
    """

    def __init__(self, config, weights):
        self.config = config
        self.weights = weights
        self._prepare()

    @classmethod
    def from_keras(cls, model):
        """Read config and weights out of a Keras model; how it was compiled is left."""
        return cls(config_of(model), model.get_weights())

    def _prepare(self):
        spec = json.loads(self.config)
        self._forward = plan_forward(spec, len(self.weights))
        self._compiled = None
        self._compiling = threading.Lock()
        self._width = max((w.shape[-1] for w in self.weights if w.ndim), default=1)

    def __repr__(self):
        name = json.loads(self.config)["config"]["name"]
        return f"<FittedNetwork {name!r}, {sum(w.size for w in self.weights)} weights>"

    def __getstate__(self):
        return {"config": self.config, "weights": self.weights}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self._prepare()

    def __call__(self, X):
        """Evaluate the network.

        Parameters
        ----------
        X : {ndarray, sparse matrix} of shape (n_samples, n_in), float32

        Returns
        -------
        ndarray of shape (n_samples, n_out), float32
        """
        if self._forward is None:
            return self._call_keras(X)
        n_samples, n_in = X.shape
        blocks = row_blocks(n_samples, max(self._width, n_in))
        if len(blocks) == 1:
            out = self._forward(X, self.weights)
            return out.copy() if out is X else out
        first = self._forward(X[blocks[0]], self.weights)
        out = np.empty((n_samples, *first.shape[1:]), first.dtype)
        out[blocks[0]] = first
        for rows in blocks[1:]:
            out[rows] = self._forward(X[rows], self.weights)
        return out

    def _call_keras(self, X):
        """Evaluate in TensorFlow, by one program for any number of rows."""
        if forked_after_tensorflow():
            return in_fresh_process(self, X)
        tf, _ = load()
        with self._compiling:
            if self._compiled is None:
                model = self.to_keras()
                function = tf.function(
                    lambda x: model(x, training=False), autograph=False
                )
                spec = tf.TensorSpec((None, *model.input_shape[1:]), tf.float32)
                with isolated(0), upsampling_fused(model):
                    self._compiled = function.get_concrete_function(spec)
        out = []
        for rows in row_blocks(X.shape[0], X.shape[1]):
            block = X[rows] if isinstance(X, np.ndarray) else X[rows].toarray()
            out.append(self._compiled(tf.convert_to_tensor(block)).numpy())
        return out[0] if len(out) == 1 else np.concatenate(out)

    def to_keras(self):
        """Build a new Keras model with this config and these weights."""
        with isolated(0):
            return self.build()

    def build(self):
        """The same, with random layers seeded from Keras's state as it is."""
        _, keras = load()
        own_layers()
        try:
            model = keras.models.model_from_json(self.config)
        except (TypeError, ValueError) as error:
            error.add_note(
                "Import the module that registers the network's own layers and "
                "functions (keras.saving.register_keras_serializable) first."
            )
            raise
        model.set_weights(self.weights)
        return model
