"""Private names of Keras, which only this file uses.

Nothing here imports Keras before a function is called.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

# The module that Keras writes into the config of a functional model.
FUNCTIONAL_MODULE = "keras.src.models.functional"


def flatten_layers(model: keras.Model) -> Iterator[keras.Layer]:
    """Iterate over a model and all its layers, including those of nested models."""
    return model._flatten_layers()


def graph_of(operation: keras.Operation) -> Any:
    """Return the graph of a functional or built Sequential model, else None."""
    graph = getattr(operation, "_functional", None) or operation
    return graph if hasattr(graph, "_nodes_by_depth") else None


def nodes(operation: keras.Operation) -> list:
    """Return the nodes of a model's graph, one per call of an operation.

    A node has the attributes `operation`, `parent_nodes`, `input_tensors` and
    `outputs`. The list is empty for an operation without a graph.
    """
    graph = graph_of(operation)
    if graph is None:
        return []
    return [node for level in graph._nodes_by_depth.values() for node in level]


def all_nodes(model: keras.Model) -> list:
    """Return the nodes of a model's graph and of the graphs of all nested models."""
    return [node for layer in flatten_layers(model) for node in nodes(layer)]


def node_of(model: keras.Model, layer: keras.Layer) -> Any:
    """Return the first node that calls `layer` in the graph of `model`."""
    return next(node for node in nodes(model) if node.operation is layer)


def apply_graph(model: keras.Model, tensor: keras.KerasTensor) -> Any:
    """Call the layers of a functional or Sequential model on a symbolic tensor.

    Unlike ``model(tensor)``, the layers become part of the new graph one by one.
    """
    return graph_of(model)._run_through_graph(tensor, operation_fn=lambda layer: layer)


def operation_name(tensor: keras.KerasTensor) -> str:
    """Return the name of the operation that returned a symbolic tensor."""
    return tensor._keras_history.operation.name


def variable_index(optimizer: keras.optimizers.Optimizer, variable: Any) -> int:
    """Return the position of a variable among those that an optimizer was built for."""
    return optimizer._get_variable_index(variable)


def update_one_by_one(optimizer: keras.optimizers.Optimizer) -> None:
    """Let an optimizer call `update_step` for each variable.

    On PyTorch, optimizers of Keras update all variables at once.
    """
    from keras.src import backend

    if backend.backend() == "torch":
        from keras.src.backend.torch.optimizers.torch_parallel_optimizer import (
            TorchParallelOptimizer,
        )

        if isinstance(optimizer, TorchParallelOptimizer):
            update = super(TorchParallelOptimizer, optimizer)._backend_update_step
            optimizer._backend_update_step = update


def add_metric(model: keras.Model, metric: keras.metrics.Metric) -> None:
    """Let a model that is built keep the variables of a metric."""
    model._metrics.append(metric)


def set_loss_built(model: keras.Model) -> None:
    """Let `Model.fit` not build the loss of a compiled model, which takes a batch."""
    model._compile_loss.built = True


def initial_epoch(model: keras.Model) -> int:
    """Return the epoch at which a callback such as BackupAndRestore resumes."""
    return getattr(model, "_initial_epoch", None) or 0


def set_initial_epoch(model: keras.Model, epoch: int) -> None:
    """Set the epoch at which `Model.fit` resumes."""
    model._initial_epoch = epoch


def distributed_batches(batches: Callable[[], Iterator]) -> Any:
    """Return what `Model.fit` takes, of batches that are distributed to replicas.

    A distributed data set of TensorFlow would make new iterators in each epoch, which
    takes longer than training a small network.

    Parameters
    ----------
    batches : callable
        Returns an iterator over the batches of an epoch.
    """
    import tensorflow as tf
    from keras.src.trainers.data_adapters.data_adapter import DataAdapter

    class Batches(tf.distribute.DistributedDataset):
        def __iter__(self):
            return batches()

    class Adapter(DataAdapter):
        num_batches = batch_size = has_partial_batch = partial_batch_size = None

        def get_tf_dataset(self):
            return Batches()

    return Adapter()


def skip_symbolic_build(model: keras.Model) -> None:
    """Let `Model.fit` not read a batch only to build a model, which is built.

    Within a strategy it would take the mean of the parts of a batch, which may have
    different lengths.
    """
    model._maybe_symbolic_build = lambda iterator=None, data_batch=None: None


def profiles_batches(callback: keras.callbacks.TensorBoard) -> bool:
    """Whether a TensorBoard callback profiles batches."""
    return callback._should_trace


def forget_writers(callback: keras.callbacks.TensorBoard) -> None:
    """Let a TensorBoard callback forget its closed writers, which cannot be copied."""
    callback._summary_module = None
    callback._writers = {}


def safe_mode() -> AbstractContextManager:
    """Return a context in which Keras refuses to deserialize lambdas."""
    from keras.src.saving.serialization_lib import SafeModeScope

    return SafeModeScope(True)


def global_state() -> dict[str, Any]:
    """Return Keras's global state of this thread: a live dict of its attributes."""
    from keras.src.backend.common import global_state

    return vars(global_state.GLOBAL_STATE_TRACKER)


def keep_tensorflow_unimported() -> None:
    """Let Keras write configs without an import of TensorFlow, to look for its types.

    An object can only be of such a type if TensorFlow is imported already.
    """
    from keras.src.saving import serialization_lib
    from keras.src.utils.module_utils import LazyModule

    class ImportedModule(LazyModule):
        @property
        def available(self):
            return self.name in sys.modules

    serialization_lib.tf = ImportedModule("tensorflow")


def set_seed_source(source: Any) -> None:
    """Set the object that Keras uses in place of the module `random` to draw seeds."""
    from keras.src.random import seed_generator

    seed_generator.python_random = source
