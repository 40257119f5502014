"""DenseNetwork."""

import numpy as np

from .._backend.keras import load, own_layers
from ._base import Network
from ._layer_parameters import activation, hidden_sizes, keras_settings


class DenseNetwork(Network):
    """Fully connected encoder and its mirror image as decoder.

    Calling it with ``(input_shape, n_components)`` builds the pair of Keras models,
    which is the contract of every `network` that an estimator takes. It computes in
    float32, whatever Keras's dtype policy is.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(128, 64)
        Units of the encoder's hidden layers, from the input to the code; the decoder
        has them in reverse. ``()`` is the single-layer autoencoder, 16 means ``(16,)``.

    activation : str, callable or None, default="relu"
        Activation of the hidden layers: any that Keras knows. None is linear.

    code_activation : str, callable or None, default="linear"
        Activation of the code.

    output_activation : str, callable or None, default="linear"
        Activation of the reconstruction.

    kernel_regularizer : float, str, dict, keras.Regularizer or None, default=None
        Penalty on every kernel. A number is the strength of an L2 penalty;
        ``{"l1": 1e-5, "l2": 1e-4}`` gives one or both.

    activity_regularizer : float, str, dict, keras.Regularizer or None, default=None
        Penalty on the code, given likewise; ``"l1"`` gives a sparse autoencoder.

    tied_weights : bool, default=False
        Let the decoder use the encoder's kernels, transposed, with biases of its own:
        half the weights, and a code that keeps its scale.

    linear_path : bool or "auto", default="auto"
        Add a linear function of the input to the code, and one of the code to the
        reconstruction, so that hidden layers learn only what is not linear. Such a
        network can start as exactly PCA. ``"auto"`` does so where code and output are
        linear and weights are not tied. Without hidden layers it changes nothing.

    References
    ----------
    P. Vincent et al., "Stacked Denoising Autoencoders", Journal of Machine Learning
    Research 11 (2010), for tied weights; K. He et al., "Deep Residual Learning for
    Image Recognition", CVPR (2016), for linear paths beside nonlinear layers.

    Examples
    --------
    >>> from skautoenc import DenseNetwork
    >>> encoder, decoder = DenseNetwork(hidden_layer_sizes=(32,))((64,), 2)
    >>> encoder.output_shape, decoder.output_shape
    ((None, 2), (None, 64))
    """

    def __init__(
        self,
        hidden_layer_sizes=(128, 64),
        *,
        activation="relu",
        code_activation="linear",
        output_activation="linear",
        kernel_regularizer=None,
        activity_regularizer=None,
        tied_weights=False,
        linear_path="auto",
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.code_activation = code_activation
        self.output_activation = output_activation
        self.kernel_regularizer = kernel_regularizer
        self.activity_regularizer = activity_regularizer
        self.tied_weights = tied_weights
        self.linear_path = linear_path

    def __call__(self, input_shape, n_components):
        """Build the encoder and the decoder.

        Parameters
        ----------
        input_shape : tuple of int
            Shape of one row.

        n_components : int
            Width of the code.

        Returns
        -------
        encoder, decoder : keras.Model
            From and to ``prod(input_shape)`` values.

        Raises
        ------
        ValueError
            If there is no `n_components`, if there is to be a linear path to a code or
            an output that is not linear, or beside tied weights, or if a parameter has
            no meaning.
        """
        self.has_line()
        if n_components is None:
            raise ValueError(
                "n_components=None is for networks whose code has a width of its own, "
                "such as the feature map of a ConvNetwork. A dense network needs a "
                "number."
            )
        n_features = int(np.prod(input_shape))
        sizes = hidden_sizes(self.hidden_layer_sizes)
        found = keras_settings(self)
        encoder = self._stack(
            "encoder",
            [n_features, *sizes, n_components],
            "code",
            found["code_activation"],
            found,
            activity_regularizer=found["activity_regularizer"],
        )
        decoder = self._stack(
            "decoder",
            [n_components, *sizes[::-1], n_features],
            "reconstruction",
            found["output_activation"],
            found,
            tied_to=encoder.layers[:0:-1] if self.tied_weights else None,
        )
        return encoder, decoder

    def _stack(self, part, widths, name, activation, found, tied_to=None, **penalty):
        """A model of dense layers, from the first width to the last, called `name`."""
        _, keras = load()

        def dense(i, **settings):
            settings["dtype"] = "float32"
            if tied_to is not None:
                source = tied_to[i - 1]
                return own_layers().TransposedDense(
                    widths[i], source=source, **settings
                )
            return keras.layers.Dense(
                widths[i], kernel_regularizer=found["kernel_regularizer"], **settings
            )

        inputs = h = keras.Input((widths[0],), dtype="float32", name=f"{part}_input")
        n = len(widths) - 1
        for i in range(1, n):
            h = dense(i, activation=found["activation"], name=f"{part}_{i}")(h)
        if self.has_line():
            curved = dense(n, name=f"{name}_nonlinear")(h)
            line = dense(n, use_bias=False, name=f"{name}_linear")(inputs)
            h = keras.layers.Add(name=name, dtype="float32", **penalty)([curved, line])
        else:
            h = dense(n, activation=activation, name=name, **penalty)(h)
        return keras.Model(inputs, h, name=part)

    def has_line(self):
        """Whether there is a linear path.

        Raises
        ------
        ValueError
            If there is to be one where there can be none.
        """
        ends = activation(self.code_activation), activation(self.output_activation)
        possible = ends == ("linear", "linear") and not self.tied_weights
        if self.linear_path not in ("auto", False) and not possible:
            raise ValueError(
                f"linear_path={self.linear_path!r} needs code_activation='linear', "
                "output_activation='linear' and tied_weights=False; got "
                f"{ends[0]!r}, {ends[1]!r} and {self.tied_weights}."
            )
        has_hidden = len(hidden_sizes(self.hidden_layer_sizes)) > 0
        return bool(self.linear_path and possible and has_hidden)
