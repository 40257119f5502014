"""Training on several devices, and by several processes, in a strategy's scope."""

import json
import os
import socket
import subprocess
import sys

import numpy as np
from helpers import make_autoencoder, run_python
from sklearn.datasets import load_digits

MIRRORED = """
import os
import pickle
import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_digits
from skautoenc import AutoencoderTransformer, ConvNetwork, VariationalAutoencoder

device = tf.config.list_physical_devices("CPU")[0]
two = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(device, two)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
# Replicas get parts of 38 and 37 rows, and a single row for both at the end.
X, params = load_digits().data[:301] / 16, {"batch_size": 75, "epochs": 3}


def assert_same_losses(estimator, rtol=1e-5):
    alone = estimator.fit(X, X_val=X[:71]).history_
    with strategy.scope():
        together = estimator.fit(X, X_val=X[:71]).history_
    assert together.keys() == alone.keys()
    for name in alone:
        np.testing.assert_allclose(together[name], alone[name], rtol=rtol)


dense = AutoencoderTransformer(
    3,
    hidden_layer_sizes=(8,),
    kernel_regularizer="l2",
    activity_regularizer="l2",
    random_state=0,
    **params,
)
assert_same_losses(dense)

variational = VariationalAutoencoder(2, hidden_layer_sizes=(8,), random_state=0)
assert_same_losses(variational.set_params(**params))
first = pickle.dumps(variational)
with strategy.scope():
    assert pickle.dumps(variational.fit(X, X_val=X[:71])) == first

network = ConvNetwork((8, 8, 1), (2,))
conv = AutoencoderTransformer(3, network=network, random_state=0, **params)
keras.config.set_dtype_policy("mixed_float16")
assert_same_losses(conv, rtol=1e-3)
keras.config.set_dtype_policy("float32")
with strategy.scope():
    within = conv.transform(X)
np.testing.assert_array_equal(conv.transform(X), within)

with strategy.scope():
    with pytest.raises(ValueError, match="partial_fit .* MirroredStrategy.* outside"):
        AutoencoderTransformer(3).partial_fit(X)
    child = os.fork()
    if child == 0:
        try:
            AutoencoderTransformer(3).fit(X)
        except RuntimeError as error:
            os._exit("forked after TensorFlow" not in str(error))
        os._exit(2)
assert os.waitpid(child, 0)[1] == 0
central = tf.distribute.experimental.CentralStorageStrategy(["CPU:0", "CPU:1"])
with central.scope():
    with pytest.raises(ValueError, match="CentralStorageStrategy.* not supported"):
        AutoencoderTransformer(3).fit(X)
"""


def test_fit_in_a_mirrored_strategy_has_the_losses_of_one_device():
    run_python(MIRRORED)


WORKER = """
import hashlib, json, os, pickle
import pytest
import tensorflow as tf

strategy = tf.distribute.MultiWorkerMirroredStrategy()
from helpers import make_autoencoder
from sklearn.datasets import load_digits

process = json.loads(os.environ["TF_CONFIG"])["task"]["index"]
X = load_digits().data[:301] / 16
autoencoder = make_autoencoder(epochs=4, early_stopping=True)
with strategy.scope():
    with pytest.raises(ValueError, match="requires an int as random_state.* None"):
        make_autoencoder(random_state=None).fit(X)
    with pytest.raises(ValueError, match="processes of a .* differ in .*the rows"):
        autoencoder.fit(X[process::2][:150])
    autoencoder.fit(X)
digest = hashlib.sha256(pickle.dumps(autoencoder)).hexdigest()
print(json.dumps([digest, autoencoder.history_]))
"""


def free_addresses(n):
    """Addresses of this machine at which nothing listens."""
    with_ports = [socket.socket() for _ in range(n)]
    for each in with_ports:
        each.bind(("127.0.0.1", 0))
    addresses = ["{}:{}".format(*each.getsockname()) for each in with_ports]
    for each in with_ports:
        each.close()
    return addresses


def run_workers(code, n=2):
    """The last line that each of `n` processes of a multi-worker strategy prints."""
    cluster, processes = {"worker": free_addresses(n)}, []
    try:
        for index in range(n):
            task = {"type": "worker", "index": index}
            config = json.dumps({"cluster": cluster, "task": task})
            path = os.pathsep.join(filter(None, sys.path))
            process = subprocess.Popen(
                [sys.executable, "-c", code],
                env={**os.environ, "TF_CONFIG": config, "PYTHONPATH": path},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            processes.append(process)
        outputs = [process.communicate(timeout=240) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    for process, (_, errors) in zip(processes, outputs, strict=True):
        assert process.returncode == 0, errors
    return [lines.splitlines()[-1] for lines, _ in outputs]


def test_fit_in_a_multi_worker_strategy_gives_each_process_the_same_estimator():
    first, second = run_workers(WORKER)
    assert first == second
    _, history = json.loads(first)
    X = load_digits().data[:301] / 16
    alone = make_autoencoder(epochs=4, early_stopping=True).fit(X).history_
    assert history.keys() == alone.keys() == {"loss", "val_loss"}
    for name in alone:
        np.testing.assert_allclose(history[name], alone[name], rtol=1e-5)
