"""The compiled engine: one call into TensorFlow trains on a whole chunk of batches."""

import contextlib
import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ..._backend.fusion import upsampling_fused
from ..._backend.keras import isolated, load
from ..._backend.keras_internals import flatten_layers
from ..._utils.threads import granted_threads
from ..callbacks import Callbacks
from ..losses import losses_by_name, regularization_losses, row_losses
from ..monitor import scale_rate
from ..rows import Chunk
from .cache import ProgramCache, fingerprint, model_fingerprint
from .hyperparameters import numbers_given, numbers_of
from .program_choice import call_steps, chunk_steps, is_row_wise, pays_for_xla

_programs = ProgramCache(max_size=16)

# Optimizers whose update of a number depends on that number's history alone. For them
# small variables share one vector, and so one update kernel: half the time to compile,
# and less to dispatch. Larger ones would cost more to copy than that saves.
SMALL = 2**14
_ELEMENTWISE = {
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "Lion",
    "Nadam",
    "RMSprop",
    "SGD",
}


class Layout:
    """Where each weight lies: in a vector that some share, or by itself.

    Parameters
    ----------
    shapes : list of tuple of int
    shared : list of bool
    """

    def __init__(self, shapes, shared):
        self._shapes, self._shared = shapes, shared
        pairs = zip(shapes, shared, strict=True)
        self.sizes = [int(np.prod(shape)) for shape, is_in in pairs if is_in]

    def pack(self, weights):
        """The vector, where there is one, and after it the weights by themselves."""
        pairs = list(zip(weights, self._shared, strict=True))
        vector = [weight.ravel() for weight, is_in in pairs if is_in]
        alone = [weight for weight, is_in in pairs if not is_in]
        return [np.concatenate(vector), *alone] if vector else alone

    def unpack(self, packed):
        """All weights, from what `pack` gives."""
        if not self.sizes:
            return packed
        parts = np.split(packed[0], np.cumsum(self.sizes)[:-1])
        return self._place(parts, packed[1:], np.reshape)

    def unpack_tensors(self, packed):
        """The same in TensorFlow, where a split has a cheap gradient."""
        tf, _ = load()
        if not self.sizes:
            return packed
        return self._place(tf.split(packed[0], self.sizes), packed[1:], tf.reshape)

    def _place(self, parts, alone, reshape):
        parts, alone = iter(parts), iter(alone)
        return [
            reshape(next(parts), shape) if is_in else next(alone)
            for shape, is_in in zip(self._shapes, self._shared, strict=True)
        ]


class Program:
    """The training and validation loops of one model, loss and optimizer, compiled.

    Its weights live in variables of its own: every fit loads its initial weights and
    reads the trained ones back.

    Parameters
    ----------
    model : keras.Model
        Maps rows to reconstructions. Its structure is used, not its weights. See
        `train` for a second input and for outputs after the first.

    loss : callable
        ``(targets, outputs) -> losses of shape (batch_size,)``.

    optimizer : keras.Optimizer
        Not built yet.

    steps, batch_size : int
        Shape of the chunks it takes.

    xla : bool
        Compile with XLA, or run as a TensorFlow graph.

    padded : bool
        Let a short batch keep its padding, which weighs nothing: shapes are fixed, as
        XLA needs them and small steps are faster. Else it is cut to its length.
    """

    def __init__(self, model, loss, optimizer, *, steps, batch_size, xla, padded):
        tf, keras = load()
        self._model, self._loss = model, loss
        self.optimizer = optimizer

        def spec(row_shape):
            return tf.TensorSpec((steps, batch_size, *row_shape), tf.float32)

        self._specs = [
            tuple(spec(tensor.shape[1:]) for tensor in model.inputs),
            spec(model.outputs[0].shape[1:]),
            spec(()),
            tf.TensorSpec((), tf.int32),
            tf.TensorSpec((), tf.int32),
            tf.TensorSpec((len(model.outputs) - 1,), tf.float32),
            tf.TensorSpec(numbers_of(model).shape, tf.float32),
        ]
        self._xla, self._padded, self._batch_size = xla, padded, batch_size
        self._call_steps = call_steps(model, batch_size)
        weights = model.trainable_variables
        shared = _share_a_vector(optimizer, weights)
        self._layout = Layout([tuple(v.shape) for v in weights], shared)
        self._trained = [
            v for v, is_in in zip(weights, shared, strict=True) if not is_in
        ]
        if any(shared):
            vector = np.zeros(sum(self._layout.sizes), np.float32)
            self._trained.insert(0, keras.Variable(vector))
        optimizer.build(self._trained)
        self._new_optimizer_state = [v.numpy() for v in optimizer.variables]
        self._train = self._compile(self._train_step)
        self._validate = None

    def load(self, model, learning_rate):
        """Start from the weights of `model`, which has this program's structure."""
        self.take(model)
        _assign(self.optimizer.variables, self._new_optimizer_state)
        if learning_rate is not None:
            self.rate = learning_rate

    def take(self, model):
        """Go on from the weights of `model`."""
        values = [v.numpy() for v in model.trainable_variables]
        _assign(self._trained, self._layout.pack(values))
        _assign(
            self._model.non_trainable_variables,
            [v.numpy() for v in model.non_trainable_variables],
        )

    def unload(self, model):
        """Write the weights as they now are into `model`."""
        values = [v.numpy() for v in self._trained]
        _assign(model.trainable_variables, self._layout.unpack(values))
        _assign(
            model.non_trainable_variables,
            [v.numpy() for v in self._model.non_trainable_variables],
        )

    def state(self):
        """A copy of the weights as they now are, for `finish`."""
        return [v.numpy() for v in self._weights()]

    def finish(self, best_state=None):
        """End with the best weights, or the last, averaged if the optimizer does so."""
        self.optimizer.finalize_variable_values(self._trained)
        if best_state is not None:
            _assign(self._weights(), best_state)

    def _weights(self):
        return [*self._trained, *self._model.non_trainable_variables]

    @property
    def rate(self):
        """The learning rate."""
        return np.asarray(self.optimizer.learning_rate).item()

    @rate.setter
    def rate(self, rate):
        self.optimizer.learning_rate = rate

    @property
    def iterations(self):
        """Steps taken, as the optimizer counts them."""
        return self.optimizer.iterations.numpy().item()

    @iterations.setter
    def iterations(self, iterations):
        self.optimizer.iterations.assign(iterations)

    def train(self, chunk, n_rows, factors, numbers):
        """Take a step on each batch.

        Parameters
        ----------
        chunk : Chunk
        n_rows : int
            Rows in the chunk, padding not counted.

        factors : sequence of float
            Each penalty's factor in the loss.

        numbers : ndarray
            What `numbers_of` gave for the model that is trained.

        Returns
        -------
        ndarray of shape (4 + n_penalties,)
            The batch loss, that of the reconstruction alone, the penalties on weights
            and on activities, and each of the others, summed over rows.
        """
        return self._run(self._train, chunk, n_rows, factors, numbers)

    def validate(self, chunk, n_rows, factors, numbers):
        """The same sums without training."""
        if self._validate is None:
            self._validate = self._compile(self._validate_step)
        return self._run(self._validate, chunk, n_rows, factors, numbers)

    def _run(self, function, chunk, n_rows, factors, numbers):
        tf, _ = load()
        sums, n_in_call = 0.0, self._call_steps * self._batch_size
        for start in range(0, n_rows, n_in_call):
            sums += function(
                *chunk.tensors,
                tf.constant(start // self._batch_size),
                tf.constant(min(start + n_in_call, n_rows)),
                tf.constant(factors, tf.float32),
                tf.constant(numbers),
            ).numpy()
        return sums

    def _compile(self, step):
        tf, _ = load()
        n_sums = 4 + len(self._model.outputs) - 1
        batch_size = self._batch_size

        def run(inputs, targets, weights, first_step, n_rows, factors, numbers):
            n_steps = (n_rows + batch_size - 1) // batch_size

            def body(i, sums):
                n = tf.minimum(n_rows - i * batch_size, batch_size)
                rows = slice(None) if self._padded else slice(n)
                batch = [x[i, rows] for x in inputs], targets[i, rows], weights[i, rows]
                with self._padding_masked(n):
                    means = step(*batch, factors)
                sums += tf.cast(tf.stack(means) * tf.cast(n, tf.float32), tf.float64)
                return i + 1, sums

            start = first_step, tf.zeros(n_sums, tf.float64)
            with numbers_given(self._model, numbers):
                return tf.while_loop(
                    lambda i, sums: i < n_steps, body, start, parallel_iterations=1
                )[1]

        function = tf.function(
            run, self._specs, autograph=False, jit_compile=self._xla or None
        )
        # Traced at once, while Keras's global state is watched over.
        with isolated(0), upsampling_fused(self._model):
            return function.get_concrete_function()

    def _train_step(self, inputs, targets, weights, factors):
        tf, _ = load()
        trained = [v.value for v in self._trained]
        with tf.GradientTape() as tape:
            means, updates = self._objective(
                trained, inputs, targets, weights, factors, training=True
            )
            scaled_loss = self.optimizer.scale_loss(means[0])
        self.optimizer.apply(tape.gradient(scaled_loss, trained), self._trained)
        for variable, value in zip(
            self._model.non_trainable_variables, updates, strict=True
        ):
            variable.value.assign(value)
        return means

    def _validate_step(self, inputs, targets, weights, factors):
        trained = [v.value for v in self._trained]
        means, _ = self._objective(
            trained, inputs, targets, weights, factors, training=False
        )
        return means

    def _objective(self, trained, inputs, targets, weights, factors, training):
        """Weighted mean loss of a batch, all penalties added, and its parts."""
        tf, _ = load()
        outputs, updates, losses = self._model.stateless_call(
            self._layout.unpack_tensors(trained),
            [v.value for v in self._model.non_trainable_variables],
            inputs if len(inputs) > 1 else inputs[0],
            training=training,
            return_losses=True,
        )
        reconstruction, *penalties = tf.nest.flatten(outputs)
        by_row = [self._loss(targets, reconstruction)]
        by_row += [tf.reshape(penalty, [-1]) for penalty in penalties]
        error, *parts = [tf.reduce_sum(values * weights) for values in by_row]
        regularization, self.regularizes = regularization_losses(self._model, losses)
        loss = [error, *regularization]
        loss += [factors[i] * part for i, part in enumerate(parts)]
        return [tf.add_n(loss), error, *regularization, *parts], updates

    @contextlib.contextmanager
    def _padding_masked(self, n_rows):
        """While tracing, hide padding from L1 and L2 activity penalties.

        Keras sums a penalty over the batch and divides by its length, here the
        length with padding. There are no other penalties: see `is_row_wise`.
        """
        tf, _ = load()
        layers = []
        if self._padded:
            layers = [
                layer
                for layer in flatten_layers(self._model)
                if layer.activity_regularizer is not None
            ]
        penalties = [layer.activity_regularizer for layer in layers]

        def masked(penalty):
            def penalty_of_rows(activity):
                # A layer may have repeated the rows, each one in place.
                length = tf.shape(activity)[0]
                kept = n_rows * (length // self._batch_size)
                mask = tf.cast(tf.range(length) < kept, activity.dtype)
                shape = [-1] + [1] * (len(activity.shape) - 1)
                scale = tf.cast(length / kept, tf.float32)
                return penalty(activity * tf.reshape(mask, shape)) * scale

            return penalty_of_rows

        for layer, penalty in zip(layers, penalties, strict=True):
            layer.activity_regularizer = masked(penalty)
        try:
            yield
        finally:
            for layer, penalty in zip(layers, penalties, strict=True):
                layer.activity_regularizer = penalty


def _assign(variables, values):
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _share_a_vector(optimizer, weights):
    """Which of the weights are updated as part of one vector, a bool for each."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # scales losses
    elementwise = (
        type(optimizer).__name__ in _ELEMENTWISE
        and type(optimizer).__module__.startswith("keras.")
        and optimizer.clipnorm is None
    )
    return [
        elementwise
        and v.constraint is None
        and v.dtype == "float32"
        and int(np.prod(v.shape)) < SMALL
        for v in weights
    ]


def train_compiled(
    model,
    rows,
    *,
    loss,
    optimizer,
    learning_rate,
    batch_size,
    epochs,
    validation,
    corrupt,
    penalties,
    callbacks,
    shown,
    monitor,
    draws,
    validation_seed,
    rng,
):
    """Train `model` with one compiled call per chunk; see `train` for the contract."""
    row_shape, *noise_shape = (tensor.shape[1:] for tensor in model.inputs)
    n_steps = epochs * -(-len(rows) // batch_size)
    steps = chunk_steps(len(rows), batch_size, row_shape)
    lengths = [len(rows), 0 if validation is None else len(validation)]
    row_wise = is_row_wise(model, loss)
    xla = pays_for_xla(model, n_steps, batch_size) and (
        row_wise or not any(n % batch_size for n in lengths)
    )
    shown_optimizer = type(optimizer).from_config(optimizer.get_config())
    config = {**optimizer.get_config(), "learning_rate": None}
    if learning_rate is None:
        config = optimizer.get_config()
    key = (
        model_fingerprint(model),
        fingerprint(loss),
        (type(optimizer), repr(config)),
        (steps, batch_size, xla),
    )

    def build():
        with isolated(0):
            return Program(
                model,
                row_losses(loss),
                optimizer,
                steps=steps,
                batch_size=batch_size,
                xla=xla,
                padded=xla or row_wise,
            )

    with _programs.borrow(key, build) as program:
        program.load(model, learning_rate)
        several = n_steps > epochs * steps
        chunks = [
            Chunk(
                steps,
                batch_size,
                row_shape,
                own_targets=corrupt is not None or rows.targets is not None,
                noise_shape=noise_shape[0] if noise_shape else None,
            )
            for _ in range(2 if several and granted_threads() > 1 else 1)
        ]
        n_rows = chunks[0].n_rows
        factors, numbers = list(penalties.values()), numbers_of(model)
        callbacks = Callbacks(callbacks, shown, shown_optimizer, loss, len(penalties))
        first_epoch = callbacks.train_begins(
            program, epochs, -(-len(rows) // batch_size), learning_rate is None
        )

        def means(run, rows, shuffle, rng):
            """Losses by name, the mean over all rows, a chunk at a time."""

            def filled(part, chunk):
                chunk.fill(part, corrupt, rng)
                return chunk, len(part)

            parts = rows.parts(n_rows, shuffle)
            sums = sum(
                run(chunk, length, factors, numbers)
                for chunk, length in _one_ahead(filled, parts, chunks)
            )
            return losses_by_name(sums / len(rows), program.regularizes, penalties)

        def validated():
            again = np.random.default_rng(validation_seed)
            losses = means(program.validate, validation, None, again)
            return {f"val_{name}": value for name, value in losses.items()}

        if validation is not None and monitor.compares_start:
            monitor.started(validated()["val_loss"], program.state, first_epoch)
        for epoch in range(first_epoch, epochs):
            scale_rate(program.optimizer, monitor.epoch_begins(epoch))
            callbacks.epoch_begins(epoch)
            logs = means(program.train, rows, rng, draws)
            if validation is not None:
                logs |= validated()
            stop = monitor.epoch_ended(
                logs, program.state, lambda: program.unload(model)
            )
            if callbacks.epoch_ended(epoch, logs) or stop:
                break
        program.finish(monitor.best_state)
        callbacks.train_ended(logs)
        program.unload(model)


def _one_ahead(fill, parts, chunks):
    """Fill the chunks by turns, one in a thread while the one before is in use."""
    if len(chunks) == 1:
        yield from (fill(part, chunks[0]) for part in parts)
        return
    with ThreadPoolExecutor(1) as pool:
        following = None
        for part, chunk in zip(parts, itertools.cycle(chunks), strict=False):
            ready, following = following, pool.submit(fill, part, chunk)
            if ready is not None:
                yield ready.result()
        yield following.result()
