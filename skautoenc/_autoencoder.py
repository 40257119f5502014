"""AutoencoderTransformer."""

from ._base import BaseAutoencoder


class AutoencoderTransformer(BaseAutoencoder):
    """Dimensionality reduction with an autoencoder.

    An encoder maps each row to a code of `n_components` numbers, and a decoder maps
    the code back; both are trained together so that what comes back is close to what
    went in. It is used like :class:`sklearn.decomposition.PCA`: in a pipeline, in a
    search, beside other reducers.

    Parameters
    ----------
    n_components : int, default=2
        Width of the code.

    network : {"dense"}, DenseNetwork or callable, default="dense"
        ``"dense"`` builds fully connected layers from the six parameters below. A
        callable ``(input_shape, n_components) -> (encoder, decoder)`` returns two
        Keras models of its own making, Sequential or functional; the six parameters
        are then not used. Functions and layers of your own must be registered with
        ``keras.saving.register_keras_serializable``, here and below.

    hidden_layer_sizes : sequence of int, default=(128, 64)
        Units of the encoder's hidden layers, mirrored in the decoder. ``()`` is the
        single-layer autoencoder.

    activation : str or callable, default="relu"
        Activation of the hidden layers: any that Keras knows.

    code_activation : str or callable, default="linear"
        Activation of the code.

    output_activation : str or callable, default="linear"
        Activation of the reconstruction. ``"sigmoid"`` suits data in [0, 1].

    kernel_regularizer : str, keras.Regularizer or None, default=None
        Penalty on every kernel, such as ``keras.regularizers.L2(1e-4)``. The names
        ``"l1"`` and ``"l2"`` mean a strength of 0.01, which is a lot.

    activity_regularizer : str, keras.Regularizer or None, default=None
        Penalty on the code; ``"l1"`` gives a sparse autoencoder.

    init : {"auto", "pca", "random"}, default="auto"
        Weights that training starts from. ``"pca"`` starts as exactly PCA, which asks
        for linear layers and ``hidden_layer_sizes=()``; ``"auto"`` does so wherever
        it can, and draws the weights elsewhere; ``"random"`` always draws them.

    loss : str, keras.losses.Loss or callable, default="mean_squared_error"
        Any Keras loss. A callable ``(targets, outputs)`` gives one loss per row.

    optimizer : str or keras.optimizers.Optimizer, default="adam"
        Any Keras optimizer. An instance is copied, never changed.

    learning_rate : float, keras LearningRateSchedule or None, default=None
        None keeps the optimizer's own, 0.001 for Adam.

    batch_size : int, default=32
        Rows in a training step.

    epochs : int, default=100
        Passes over the data, at most.

    early_stopping : bool, default=False
        Set a share of the rows aside, stop when their loss no longer falls, and keep
        the weights with which it was lowest.

    validation_fraction : float, default=0.1
        The share set aside by `early_stopping`.

    n_iter_no_change : int, default=10
        Epochs without a lower validation loss before `early_stopping` stops.

    callbacks : list of keras.callbacks.Callback or None, default=None
        Called as ``Model.fit`` calls them. One that listens to single batches makes
        training run on ``Model.fit``, which is slower. scikit-learn's own callbacks
        go to `set_callbacks`.

    warm_start : bool, default=False
        Start from the weights of the previous fit instead of new ones.

    verbose : int, default=0
        Print a line every so many epochs.

    random_state : int, RandomState instance or None, default=None
        Draws initial weights, validation split and order of the rows. An int gives
        the same bits at every fit on the same machine.

    Attributes
    ----------
    encoder_, decoder_, autoencoder_ : keras.Model
        The trained models, built anew at each access.

    history_ : dict of str to list of float
        ``loss``, and ``val_loss`` where there is validation, after every epoch.

    n_iter_ : int
        Epochs run.

    mean_ : ndarray of shape (n_features,)
        Mean of the training data, against which `score` measures.

    n_features_in_ : int
        Number of features seen during fit.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X had string names.

    See Also
    --------
    sklearn.decomposition.PCA : The linear autoencoder, in closed form.

    Notes
    -----
    A fit does not depend on the order of the rows of X: they are put into an order of
    their own before they are shuffled.

    A fitted estimator holds NumPy arrays and a string. It is pickled and loaded
    without TensorFlow, and dense networks encode without it too.

    References
    ----------
    G. E. Hinton, R. R. Salakhutdinov, "Reducing the Dimensionality of Data with
    Neural Networks", Science 313 (2006).

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skautoenc import AutoencoderTransformer
    >>> X = load_digits().data / 16
    >>> autoencoder = AutoencoderTransformer(n_components=8, epochs=20, random_state=0)
    >>> autoencoder.fit_transform(X).shape
    (1797, 8)
    >>> autoencoder.score(X) > 0.7
    True
    """

    def __init__(
        self,
        n_components=2,
        *,
        network="dense",
        hidden_layer_sizes=(128, 64),
        activation="relu",
        code_activation="linear",
        output_activation="linear",
        kernel_regularizer=None,
        activity_regularizer=None,
        init="auto",
        loss="mean_squared_error",
        optimizer="adam",
        learning_rate=None,
        batch_size=32,
        epochs=100,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        callbacks=None,
        warm_start=False,
        verbose=0,
        random_state=None,
    ):
        self.n_components = n_components
        self.network = network
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.code_activation = code_activation
        self.output_activation = output_activation
        self.kernel_regularizer = kernel_regularizer
        self.activity_regularizer = activity_regularizer
        self.init = init
        self.loss = loss
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.epochs = epochs
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.callbacks = callbacks
        self.warm_start = warm_start
        self.verbose = verbose
        self.random_state = random_state
