"""The parameters that the estimators share: what they take, and what they mean."""

import inspect
from numbers import Integral, Real

from .._utils.sklearn_compat import HasMethods, Interval, StrOptions


class Number(Interval):
    """An interval of numbers, which True and False are not."""

    def is_satisfied_by(self, val):
        return not isinstance(val, bool) and super().is_satisfied_by(val)


_POSITIVE_INT = Number(Integral, 1, None, closed="left")
_COUNT = [StrOptions({"auto"}), _POSITIVE_INT]
_ACTIVATION = [str, callable, None]
_REGULARIZER = [Number(Real, 0, None, closed="left"), str, callable, dict, None]

CONSTRAINTS = {
    "n_components": [_POSITIVE_INT, None],
    "network": [StrOptions({"dense"}), callable, tuple, list],
    "hidden_layer_sizes": [_POSITIVE_INT, "array-like"],
    "activation": _ACTIVATION,
    "code_activation": _ACTIVATION,
    "output_activation": _ACTIVATION,
    "kernel_regularizer": _REGULARIZER,
    "activity_regularizer": _REGULARIZER,
    "tied_weights": ["boolean"],
    "init": [StrOptions({"auto", "pca", "random"})],
    "loss": [str, callable],
    "optimizer": [str, HasMethods("apply_gradients")],
    "learning_rate": [
        Number(Real, 0, None, closed="neither"),
        HasMethods("get_config"),
        None,
    ],
    "batch_size": _COUNT,
    "epochs": _COUNT,
    "early_stopping": [StrOptions({"auto"}), "boolean"],
    "validation_fraction": [Number(Real, 0, 1, closed="neither")],
    "n_iter_no_change": _COUNT,
    "callbacks": [list, tuple, None],
    "warm_start": ["boolean"],
    "verbose": ["verbose"],
    "random_state": ["random_state"],
}

PARAMETERS = """n_components : int or None, default=2
        Width of the code. None takes that of the network, such as the feature map of
        a :class:`ConvNetwork`.

    network : {"dense"}, DenseNetwork, ConvNetwork, callable or tuple, default="dense"
        ``"dense"`` builds fully connected layers from the seven parameters below,
        which shape no other network; where they allow it, with a linear path to start
        as PCA (see `init`). A network object or a callable
        ``(input_shape, n_components) -> (encoder, decoder)`` builds two Keras models;
        `input_shape` is ``(n_features,)``, or that of an image where X holds images.
        Models that exist already are given as ``(encoder, decoder)``, or as
        ``(model, "name of its code layer")``; they are copied, and training starts
        from their weights. A model may work on images: rows are reshaped for it.
        Functions and layers of your own must be registered with
        ``keras.saving.register_keras_serializable``, here and below.

    hidden_layer_sizes : int or sequence of int, default=(128, 64)
        Units of the encoder's hidden layers, mirrored in the decoder. ``()`` is the
        single-layer autoencoder, 16 means ``(16,)``.

    activation : str, callable or None, default="relu"
        Activation of the hidden layers: any that Keras knows. None is linear.

    code_activation : str, callable or None, default="linear"
        Activation of the code.

    output_activation : str, callable or None, default="linear"
        Activation of the reconstruction. ``"sigmoid"`` suits data in [0, 1].

    kernel_regularizer : float, str, dict, keras.Regularizer or None, default=None
        Penalty on every kernel. A number is the strength of an L2 penalty;
        ``{"l1": 1e-5, "l2": 1e-4}`` gives one or both, as does
        ``keras.regularizers.L1L2(1e-5, 1e-4)``. The names ``"l1"`` and ``"l2"`` mean a
        strength of 0.01, which is a lot.

    activity_regularizer : float, str, dict, keras.Regularizer or None, default=None
        Penalty on the code, given likewise; ``"l1"`` gives a sparse autoencoder.

    tied_weights : bool, default=False
        Let the decoder use the encoder's kernels, transposed. The Keras models of a
        fitted estimator have copies of them.

    init : {"auto", "pca", "random"}, default="auto"
        Weights that training starts from. ``"pca"`` starts as exactly PCA: the dense
        network gets a linear path beside its hidden layers, which add nothing at
        first. Requires a linear code and output, untied weights, and no more
        components than rows or features. ``"auto"`` does so wherever it can, and draws
        the weights elsewhere; ``"random"`` always draws them, without a linear path. A
        variational autoencoder always draws them, and does not take ``"pca"``.

    loss : str, keras.losses.Loss or callable, default="mean_squared_error"
        Any Keras loss. A callable ``(targets, outputs)`` gives one loss per row.

    optimizer : str or keras.optimizers.Optimizer, default="adam"
        Any Keras optimizer. An instance is copied, never changed.

    learning_rate : float, keras LearningRateSchedule or None, default=None
        None keeps the optimizer's own, 0.001 for Adam. When training starts from PCA,
        a constant learning rate is annealed to zero with a cosine schedule.

    batch_size : int or "auto", default="auto"
        Rows in a training step. ``"auto"`` takes one for every 32 rows of X, from 32
        to 256.

    epochs : int or "auto", default="auto"
        Passes over the data, at most. ``"auto"`` takes about 6000 steps, in 30 to
        1000 epochs.

    early_stopping : bool or "auto", default=<early_stopping>
        Whether to hold out a validation set and stop training when the validation loss
        stops improving. The weights of the best epoch are restored, including the
        initial ones (epoch 0); if these are PCA, it is fitted again on all rows.
        ``"auto"`` does so where training starts from PCA, with 10 distinct rows or
        more. At least 10 samples, or a quarter if there are fewer than 40, are held
        out. The trained network replaces PCA only if it is significantly better in
        squared error (one-sided paired t-test, 5 % level). A held-out sample whose
        error at the start is above ten times the median is weighted down to that.

    validation_fraction : float, default=0.1
        Share of the samples that `early_stopping` holds out.

    n_iter_no_change : int or "auto", default="auto"
        Epochs without a lower validation loss before `early_stopping` stops.
        ``"auto"`` is a fifth of `epochs`, at least 10.

    callbacks : list of keras.callbacks.Callback or None, default=None
        Called as ``Model.fit`` calls them. Keras's own, saving or logging once an
        epoch, and those with methods for epochs alone do not change how training
        runs. One that listens to single batches or to validation makes it run on
        ``Model.fit``, which is slower, and draws other noise where there is some. The
        optimizer that callbacks see has the learning rate, but no moments.
        scikit-learn's own callbacks go to `set_callbacks`.

    warm_start : bool, default=False
        Start from the weights of the previous fit instead of new ones, and hold out the
        same rows.

    verbose : int, default=0
        Print a line every so many epochs, and at the end one that says which epoch's
        weights are kept, and why.

    random_state : int, RandomState instance or None, default=None
        Draws initial weights, validation split and order of the rows. An int gives
        the same bits at every fit on the same machine with as many threads."""

ATTRIBUTES = """encoder_, decoder_, autoencoder_ : keras.Model
        The trained models, built anew at each access: what is done to one (another
        layer trainable, ``export``) is done to that one alone. Take it once,
        ``encoder = autoencoder.encoder_``, and work on that. It is built, and
        ``encoder.export("folder")`` needs no call before. Keras models take rows in
        float32: beside a mean of many standard deviations they are less exact than
        the estimator.

    history_ : dict of str to list of float
        ``loss``, and ``val_loss`` where there is validation, after every epoch. With
        regularizers also its parts, ``reconstruction_loss``,
        ``kernel_regularization_loss`` (all weights) and
        ``activity_regularization_loss`` (what layers add too), which add up to it.

    n_iter_ : int
        Epochs run.

    best_epoch_ : int
        The epoch whose weights were kept by early stopping, 0 for the weights that
        training started from; `n_iter_` without early stopping.

    mixup_ : bool
        Whether points between rows were trained on. ``history_["loss"]`` is then
        their loss, and cannot be compared with ``history_["val_loss"]``.

    n_components_ : int
        Width of the code.

    mean_ : ndarray of shape (n_features,)
        Mean of the training data, against which `score` measures.

    n_features_in_ : int
        Number of features seen during fit.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X had string names."""


def documented(cls):
    """Fill the shared parameters and attributes into a class's docstring."""
    if cls.__doc__ is not None:  # as it is under python -OO
        stops = inspect.signature(cls).parameters["early_stopping"].default
        cls.__doc__ = (
            cls.__doc__.replace("<parameters>", PARAMETERS)
            .replace("<attributes>", ATTRIBUTES)
            .replace("<early_stopping>", f'"{stops}"' if stops else "False")
        )
    return cls
