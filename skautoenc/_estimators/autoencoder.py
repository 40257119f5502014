"""AutoencoderTransformer."""

from collections.abc import Sequence
from dataclasses import KW_ONLY
from numbers import Real
from typing import ClassVar

from .._fit.augmentation import AugmentationOptions
from .._utils.sklearn_compat import StrOptions
from ..networks._objectives import Reconstruction
from .base import BaseAutoencoder
from .parameters import Auto, Number, init_from_fields


@init_from_fields
class AutoencoderTransformer(BaseAutoencoder):
    """Dimensionality reduction with an autoencoder.

    An encoder maps each row to a code of `n_components` numbers, and a decoder maps the
    code back to a row. Both are trained together to minimize the reconstruction loss.
    The estimator has the methods of :class:`sklearn.decomposition.PCA` and can replace
    it in pipelines and searches.

    Parameters
    ----------
    n_components : int, float or None, default=2
        Number of components of the code. A float between 0 and 1 is a share of the
        variance of X: the code has as many components as
        :class:`~sklearn.decomposition.PCA` needs to explain more than that. The
        autoencoder usually needs fewer for the same share. If None, it is the width of
        the network's code, such as the size of the feature map of a
        :class:`ConvNetwork`. It may exceed the number of features, without a warning:
        a wide code can copy X, unless noise or a penalty on the code prevents it.

    network : {"dense"}, DenseNetwork, ConvNetwork, callable or tuple, default="dense"
        Network to train:

        - ``"dense"`` builds fully connected layers. The parameters from
          `hidden_layer_sizes` to `tied_weights` apply to this network only.
        - A network object or a callable
          ``(input_shape, n_components) -> (encoder, decoder)`` builds two Keras
          models. `input_shape` is ``(n_features,)``, or the shape of one image if X
          holds images.
        - Existing Keras models are given as ``(encoder, decoder)`` or as
          ``(model, "name of the code layer")``. They are copied, and training starts
          from their weights.

        Rows are reshaped for models that take images. Custom functions and layers,
        here and in the parameters below, must be registered with
        ``keras.saving.register_keras_serializable``.

    hidden_layer_sizes : int or sequence of int, default=(128, 64)
        Number of units in each hidden layer of the encoder. The decoder has the same
        layers in reverse order. ``()`` gives a single-layer autoencoder, and 16 means
        ``(16,)``.

    activation : str, callable or None, default="relu"
        Activation of the hidden layers: the name of a Keras activation, or a callable.
        If None, the layers are linear.

    code_activation : str, callable or None, default="linear"
        Activation of the code. If None, it is linear.

    output_activation : str, callable or None, default="linear"
        Activation of the reconstruction. If None, it is linear. ``"sigmoid"`` is
        suitable for data in [0, 1].

    kernel_regularizer : float, str, dict, keras.Regularizer or None, default=None
        Penalty on the kernels of all layers. A number is the strength of an L2 penalty.
        ``{"l1": 1e-5, "l2": 1e-4}``, with one key or both, is equivalent to
        ``keras.regularizers.L1L2(1e-5, 1e-4)``. The names ``"l1"`` and ``"l2"`` mean a
        strength of 0.01, which is high. If None, there is no penalty.

    activity_regularizer : float, str, dict, keras.Regularizer or None, default=None
        Penalty on the code, specified like `kernel_regularizer`. ``"l1"`` gives a
        sparse autoencoder.

    tied_weights : bool, default=False
        Whether the decoder uses the transposed kernels of the encoder. In the Keras
        models of a fitted estimator, the decoder has copies of them.

    init : {"auto", "pca", "random"}, default="auto"
        Initial weights:

        - ``"pca"``: the network is initialized to reproduce PCA. It gets a linear path
          beside the hidden layers, which contribute zero at first. Requires a linear
          code and output, ``tied_weights=False``, and no more components than samples
          or features. The network may be a dense network, or a `ConvNetwork` if
          `n_components` is not None.
        - ``"random"``: the weights are random, and there is no linear path unless
          `network` has ``linear_path=True``.
        - ``"auto"``: ``"pca"`` if its requirements are met, otherwise random weights.

        If models are given as `network`, ``"auto"`` and ``"random"`` keep their
        weights.

    loss : str, keras.losses.Loss or callable, default="mean_squared_error"
        Reconstruction loss: any Keras loss, or a callable ``(targets, outputs)`` that
        returns one loss per row.

    optimizer : str or keras.optimizers.Optimizer, default="adam"
        Any Keras optimizer. An instance is copied and never modified.

    learning_rate : float, keras LearningRateSchedule or None, default=None
        Learning rate. If None, the optimizer's default is used, which is 0.001 for
        Adam. When training of a network with hidden layers starts from PCA, None means
        another Adam: a learning rate of 0.004 for batches of 32 rows that grows with
        the square root of the batch size, multiplied for each layer by a number that
        depends on the scale of the data and the error of PCA, and ``beta_2=0.99``. When
        training starts from PCA, a constant learning rate is increased linearly in the
        first 5 % of the epochs, and annealed to zero with a cosine schedule.

    batch_size : int or "auto", default="auto"
        Number of rows in a training step. ``"auto"`` means ``n_samples // 32``, at
        least 32 and at most 256; for a :class:`ConvNetwork` ``n_samples // 64``, at
        most 128.

    epochs : int or "auto", default="auto"
        Maximum number of passes over the data. ``"auto"`` means about 6000 training
        steps, in at least 30 and at most 1000 epochs. For a :class:`ConvNetwork`, whose
        steps take longer, it means about 1200 steps, in at least 4 and at most 250
        epochs.

    early_stopping : bool or "auto", default="auto"
        Whether to hold out a validation set and stop training when the validation loss
        stops improving. The weights of the best epoch are restored, including the
        initial ones (epoch 0). If these are PCA, it is fitted again on all rows. A
        held-out row whose initial error exceeds ten times the median gets a lower
        weight, so that it does not dominate the validation loss.

        ``"auto"`` means True if training starts from PCA and there are at least 10
        distinct rows, or `X_val`. Of fewer than 500 rows a third is held out, and the
        training up to the best epoch is then repeated on all rows, at the same learning
        rates and without `callbacks`. With a squared-error loss, the trained network
        replaces PCA only if its error is lower by 5 %, or more on few rows, and the
        logarithms of the errors are significantly lower (one-sided paired t-test, 1 %
        level).

    validation_fraction : float, default=0.1
        Fraction of the distinct rows to hold out as validation set if `early_stopping`
        is used. Must be between 0 and 1.

    n_iter_no_change : int or "auto", default="auto"
        Number of epochs without a lower validation loss after which early stopping ends
        training. ``"auto"`` means a fifth of `epochs`, at least 10.

    callbacks : list of keras.callbacks.Callback or callable, or None, default=None
        Keras callbacks, called as in ``Model.fit``. Callbacks that act once per epoch
        do not change how training runs. Callbacks with methods for batches or
        for validation require ``Model.fit``, which is slower and draws different
        noise. The optimizer that callbacks see has the learning rate, but no moments.

        An instance may be used by several fits. A callable without arguments, such as a
        function or ``functools.partial(keras.callbacks.EarlyStopping, "loss")``,
        returns a new callback for each fit, so that those of a search or of several
        threads share nothing. Callbacks of scikit-learn are registered with
        `set_callbacks` instead.

    warm_start : bool, default=False
        Whether to continue from the weights of the previous fit, with the same
        held-out rows, instead of new weights. If that was a warm start too, the state
        of the optimizer is continued: with an integer `random_state`, three fits of 12
        epochs have the weights of one of 36, bit for bit, if the same engine trains
        them. It is not continued if training started from PCA, because each fit anneals
        the learning rate, or if the weights of an earlier epoch were kept.

    checkpoint : str, path-like or None, default=None
        Folder in which the state of the training is written after epochs, unless that
        would take more than 5 % of the time. If the process is killed, the next `fit`
        with the same data and parameters resumes at the last epoch written, and returns
        the result of an uninterrupted fit, bit for bit. `random_state` must be an int.

        The file is named after a digest of the data, the parameters and the versions of
        the packages, and removed at the end of `fit`, but not if `fit` raises an error;
        several fits, such as those of a search, can use one folder. It holds arrays and
        JSON, no pickles. A damaged file, or a folder that cannot be written, raises an
        error. The repetition of a training on all rows, see `early_stopping`, is
        started again. Of Keras callbacks, attributes are restored that are numbers,
        strings, arrays, or lists or dicts of these.

    verbose : int, default=0
        If 1, a progress bar shows the epoch, the losses and the time left; about ten
        lines are printed instead if standard output is neither a terminal nor a
        notebook, or in a worker process. If greater than 1, the number of epochs
        between two printed lines. The last line gives what stopped training, the epoch
        whose weights are kept, and the reason. If 0, nothing is printed.

    random_state : int, RandomState instance or None, default=None
        Determines initial weights, validation set, order of the rows and noise. Pass
        an int for results that are bitwise reproducible on the same machine with the
        same number of threads.

    contractive : float, default=0.0
        Strength of the penalty on the squared Frobenius norm of the Jacobian of the
        code, averaged over rows. A positive value gives a contractive autoencoder;
        ``history_`` then has ``reconstruction_loss`` and ``contractive_loss`` too. Each
        training step evaluates every row once per component.

    one_hot_groups : list of list of int, "auto" or None, default=None
        Positions of columns that encode a category each, as `OneHotEncoder` without
        `drop` returns them. The decoder returns a probability for each of them: a
        softmax of the group, trained with the cross-entropy, which is weighted such
        that each group has half the weight of a number. Other columns keep the squared
        error. ``"auto"`` finds adjacent columns of 0 and 1 of which one is
        1 in each row. With None, all columns are numbers; the code is then about as
        good, but reconstructions are no probabilities.

    mixup : bool or "auto", default="auto"
        Whether to train on random points between pairs of rows, drawn in each epoch,
        which reduces overfitting to individual samples. ``history_["loss"]`` is then
        the loss of these points. ``"auto"`` is used only if training starts from PCA,
        and not for a :class:`ConvNetwork`:
        points are up to a share of the way from one row to the other. The share falls
        to zero in the course of training. It is 1 at first for data with at most 2000
        rows, or 5 rows for each feature, and decreases with the square of the number of
        rows beyond that.

    Attributes
    ----------
    encoder_, decoder_, autoencoder_ : keras.Model
        Trained models. Each access builds a new copy, so keep a reference to change
        one: ``encoder = autoencoder.encoder_``. A copy is built, and
        ``encoder.export("folder")`` can be called directly. The models take float32
        rows, so they are less exact than the estimator on data whose mean is many
        standard deviations from 0.

    history_ : dict of str to list of float
        Losses after each epoch: ``loss``, and ``val_loss`` if there is a validation
        set. With regularizers, also the terms that sum to the loss:
        ``reconstruction_loss``, ``kernel_regularization_loss`` (penalties on weights)
        and ``activity_regularization_loss`` (penalties on outputs, and losses that
        layers add).

    n_iter_ : int
        Number of epochs run, or of chunks that `partial_fit` has trained on.

    best_epoch_ : int
        Epoch whose weights early stopping kept, 0 for the initial weights. Equal to
        `n_iter_` without early stopping.

    mixup_ : float
        The share of the way between pairs of rows that training points were at most
        moved in the first epoch; 0 without mixup. ``history_["loss"]`` is the loss of
        these points, and not comparable with ``history_["val_loss"]``.

    n_components_ : int
        Number of components of the code.

    components_ : ndarray of shape (n_components, n_features)
        Direction of each component in the space of the features. If the decoder is
        linear, as after a fit that ended as PCA, these are the rows of its kernel.
        Otherwise they are the mean slopes of the decoder: the change of the
        reconstruction while a component grows from one standard deviation below to one
        above its value, divided by the length of that step, and averaged over a sample
        of the training rows; they are not orthonormal. Defined for codes of at most 512
        components, like `explained_variance_` and `explained_variance_ratio_`, or any
        number if the decoder is linear.

    explained_variance_ratio_ : ndarray of shape (n_components,)
        Share of the variance of the training data by which each component increases
        `score`, given the components before it, with those after it at their mean. The
        shares are changed in proportion so that they sum to the score of the training
        data. For a fit that ended as PCA they are PCA's. If the decoder is not linear,
        they are measured on a sample of the training rows, and need not decrease.

    explained_variance_ : ndarray of shape (n_components,)
        `explained_variance_ratio_` times the total variance of the training data, with
        ``n_samples - 1`` degrees of freedom as in PCA.

    singular_values_, noise_variance_ : ndarray of shape (n_components,) and float
        As those of :class:`~sklearn.decomposition.PCA`. Defined only if the fit ended
        as PCA.

    one_hot_groups_ : list of list of int
        Groups of one-hot columns. Defined only if `one_hot_groups` is not None.

    mean_ : ndarray of shape (n_features,)
        Mean of the training data, which `score` uses as a baseline.

    n_features_in_ : int
        Number of features seen during fit.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during fit. Defined only if X has feature names that are
        all strings.

    See Also
    --------
    compare_reducers : Compare reducers by cross-validation.
    sklearn.decomposition.PCA : The optimal linear autoencoder, in closed form.
    DenoisingAutoencoder : Autoencoder that learns to remove noise.
    VariationalAutoencoder : Autoencoder that can generate new rows.

    Notes
    -----
    The result of a fit does not depend on the order of the rows of X, unless X is large
    (see `fit`): rows are sorted by a hash of their values before they are shuffled.

    As after PCA, codes of the training data have mean zero and are uncorrelated,
    components are ordered by decreasing variance, and the largest entry of each row of
    `components_` is positive. For this, the axes of the code are rotated at the end of
    the fit, and the layers on both sides of it are changed such that the reconstruction
    remains the same. The encoder must end with a linear dense layer, and the decoder
    must begin with dense layers. If a penalty on the code or these layers depends on
    the axes (L1), components are only reordered, and their signs changed. Codes of
    other networks stay as they are, and so do those of models given as `network`.

    Small dense networks are trained without TensorFlow. A fitted estimator stores its
    weights as NumPy arrays and its architecture as a string. Unless a parameter is a
    Keras object, it can be pickled and loaded without TensorFlow. `transform` does not
    need TensorFlow for dense networks.

    References
    ----------
    G. E. Hinton, R. R. Salakhutdinov, "Reducing the Dimensionality of Data with
    Neural Networks", Science 313 (2006).

    S. Rifai et al., "Contractive Auto-Encoders: Explicit Invariance During Feature
    Extraction", ICML (2011), for `contractive`.

    H. Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR (2018), for
    `mixup`.

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

    As those of PCA, the components of images can be shown as images:

    >>> autoencoder.components_.reshape(8, 8, 8).shape
    (8, 8, 8)
    >>> bool(autoencoder.explained_variance_ratio_.sum() > 0.7)
    True
    """

    _: KW_ONLY
    contractive: float = 0.0
    one_hot_groups: Sequence[Sequence[int]] | Auto | None = None
    mixup: bool | Auto = "auto"

    _parameter_constraints: ClassVar[dict] = {
        **BaseAutoencoder._parameter_constraints,
        "contractive": [Number(Real, 0, None, closed="left")],
        "one_hot_groups": ["array-like", StrOptions({"auto"}), None],
        "mixup": [StrOptions({"auto"}), "boolean"],
    }

    def _objective(self):
        return Reconstruction(self.contractive)

    def _augmentation(self):
        is_auto = self.mixup == "auto"
        mixup = False if is_auto and self._is_convolutional() else self.mixup
        return AugmentationOptions(mixup=mixup)
