"""The same training with PyTorch, JAX and SciKeras, as their users would write it."""

import numpy as np

from ._cases import seconds

# ---- PyTorch


def torch_model(recipe, n_features):
    from torch import nn

    activations = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "linear": nn.Identity}
    layers = []
    for n_in, n_out, activation in dense_layers(recipe, n_features):
        linear = nn.Linear(n_in, n_out)
        nn.init.xavier_uniform_(linear.weight)
        nn.init.zeros_(linear.bias)
        layers += [linear, activations[activation]()]
    return nn.Sequential(*layers)


def torch_loop(recipe, X, epochs, tuned=False):
    """Train, and return the loss of the last epoch.

    Without `tuned`, batches come from a shuffling DataLoader. With it, rows are indexed
    by a permutation, the loss takes logits, and the update of Adam is fused.
    """
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    X = torch.from_numpy(X)
    model = torch_model(recipe, X.shape[1])
    loss = nn.MSELoss()
    if recipe.loss == "binary_crossentropy":
        loss = nn.BCEWithLogitsLoss() if tuned else nn.BCELoss()
        model = model[:-1] if tuned else model
    fused = {"fused": True} if tuned else {}
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001, eps=1e-7, **fused)

    def batches():
        if not tuned:
            data = DataLoader(TensorDataset(X), recipe.batch_size, shuffle=True)
            return (batch for (batch,) in data)
        return (X[i] for i in torch.randperm(len(X)).split(recipe.batch_size))

    for _ in range(epochs):
        total = 0.0
        for batch in batches():
            optimizer.zero_grad()
            value = loss(model(batch), batch)
            value.backward()
            optimizer.step()
            total += value.item() * len(batch)
    return total / len(X)


def dense_layers(recipe, n_features):
    """Return ``(n_inputs, n_outputs, activation)`` of each layer."""
    params = recipe.params
    sizes = list(params["hidden_layer_sizes"])
    widths = [n_features, *sizes, params["n_components"], *sizes[::-1], n_features]
    activations = [params["activation"]] * len(widths)
    activations[len(sizes)] = params["code_activation"]
    activations[len(widths) - 2] = params["output_activation"]
    return list(zip(widths, widths[1:], activations, strict=False))


# ---- JAX


def jax_step_seconds(recipe, X, epochs):
    """Return the time of one step of ``lax.scan`` over prepared batches, in seconds."""
    import jax
    import jax.numpy as jnp

    size = recipe.batch_size
    batches = X[: len(X) // size * size].reshape(-1, size, X.shape[1])
    layers = dense_layers(recipe, X.shape[1])
    rng = np.random.default_rng(0)
    params = []
    for n_in, n_out, _ in layers:
        limit = np.sqrt(6 / (n_in + n_out))
        kernel = rng.uniform(-limit, limit, (n_in, n_out)).astype(np.float32)
        params.append((kernel, np.zeros(n_out, np.float32)))

    def loss(params, x):
        h = x
        for (kernel, bias), (_, _, activation) in zip(params, layers, strict=True):
            z = h @ kernel + bias
            h = {"relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid}[activation](z)
        if recipe.loss == "binary_crossentropy":
            return jnp.mean(jnp.logaddexp(z, 0) - z * x)
        return jnp.mean(jnp.square(h - x))

    def step(state, x):
        params, first, second, t = state
        gradient = jax.grad(loss)(params, x)
        t += 1
        first = jax.tree.map(lambda m, g: m + 0.1 * (g - m), first, gradient)
        second = jax.tree.map(lambda v, g: v + 0.001 * (g * g - v), second, gradient)
        rate = 0.001 * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        params = jax.tree.map(
            lambda p, m, v: p - rate * m / (jnp.sqrt(v) + 1e-7), params, first, second
        )
        return (params, first, second, t), None

    epoch = jax.jit(lambda state: jax.lax.scan(step, state, batches)[0])
    zeros = jax.tree.map(np.zeros_like, params)
    state = jax.block_until_ready(epoch((params, zeros, zeros, jnp.float32(0))))

    def run():
        nonlocal state
        for _ in range(epochs):
            state = epoch(state)
        jax.block_until_ready(state)

    return seconds(run) / (epochs * len(batches))


# ---- SciKeras


def scikeras_autoencoder(**params):
    """Return the autoencoder of the SciKeras documentation, based on BaseWrapper."""
    import keras
    from scikeras.wrappers import BaseWrapper
    from sklearn.base import TransformerMixin
    from sklearn.metrics import r2_score

    class AutoEncoder(BaseWrapper, TransformerMixin):
        def __init__(self, n_components=2, **kwargs):
            super().__init__(**kwargs)
            self.n_components = n_components

        def _keras_build_fn(self, meta):
            n_features = meta["n_features_in_"]
            inputs = keras.Input((n_features,))
            codes = keras.layers.Dense(self.n_components, "relu")(inputs)
            outputs = keras.layers.Dense(n_features, "sigmoid")(codes)
            self.encoder_model_ = keras.Model(inputs, codes)
            return keras.Model(inputs, outputs)

        def fit(self, X, y=None, **kwargs):
            return super().fit(X, X, **kwargs)

        def transform(self, X):
            return self.encoder_model_.predict(X, verbose=0)

        def score(self, X, y=None):
            return r2_score(X, self.predict(X), multioutput="variance_weighted")

    return AutoEncoder(**params)
