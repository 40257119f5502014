"""
===================================
How do I use a Keras model of mine?
===================================

`network` accepts a function that builds an encoder and a decoder, two existing models,
or one model and the name of its code layer. `from_keras` makes a fitted estimator of
trained models. On the digits, one hidden layer of 256 units is better than the two
smaller ones of the default network.
"""

# %%
# A function that builds encoder and decoder
# ------------------------------------------
# The function receives the shape of a sample and the number of components, and returns
# an encoder and a decoder. These have batch normalization and dropout.

import keras
from keras import layers
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skautoenc import AutoencoderTransformer

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, stratify=y, test_size=0.25, random_state=0
)


def with_dropout(input_shape, n_components):
    encoder = keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Dense(256, use_bias=False),
            layers.BatchNormalization(),
            layers.Activation("relu"),
            layers.Dropout(0.1),
            layers.Dense(n_components),
        ]
    )
    decoder = keras.Sequential(
        [
            keras.Input((n_components,)),
            layers.Dense(256, use_bias=False),
            layers.BatchNormalization(),
            layers.Activation("relu"),
            layers.Dense(*input_shape, activation="sigmoid"),
        ]
    )
    return encoder, decoder


def make_ae_pipeline(**network):
    autoencoder = AutoencoderTransformer(
        16,
        **network,
        epochs=150,
        early_stopping=True,
        n_iter_no_change=20,
        random_state=0,
    )
    return make_pipeline(
        MinMaxScaler(clip=True), autoencoder, LogisticRegression(max_iter=2000)
    )


custom = make_ae_pipeline(network=with_dropout).fit(X_train, y_train)

# %%
# One model, split at its code layer
# ----------------------------------
# If the autoencoder is one model, give the name of the layer that returns the code. The
# model is copied, and training starts from its weights.

keras.utils.set_random_seed(0)
model = keras.Sequential(
    [
        keras.Input((64,)),
        layers.Dense(256, activation="relu"),
        layers.Dense(16, name="code"),
        layers.Dense(256, activation="relu"),
        layers.Dense(64, activation="sigmoid"),
    ]
)
split = make_ae_pipeline(network=(model, "code")).fit(X_train, y_train)

# %%
# The default network, for comparison:

default = make_ae_pipeline(output_activation="sigmoid").fit(X_train, y_train)

pipelines = {"custom": custom, "one model, split": split, "default": default}
print("                  accuracy  variance explained, held out")
for name, pipeline in pipelines.items():
    explained = pipeline[1].score(pipeline[0].transform(X_test))
    print(f"{name:16s}  {pipeline.score(X_test, y_test):.3f}     {explained:.3f}")

# %%
# Trained models
# --------------
# `from_keras` converts trained models to a fitted estimator. Here the model from above
# is trained with Keras.

scaler = MinMaxScaler(clip=True).fit(X_train)
rows = scaler.transform(X_train)
model.compile(optimizer="adam", loss="mean_squared_error")
model.fit(rows, rows, epochs=20, verbose=0)

code = model.get_layer("code").output
encoder = keras.Model(model.inputs, code)
decoder = keras.Model(code, model.outputs)
trained = AutoencoderTransformer.from_keras(encoder, decoder)
explained = trained.score(scaler.transform(X_test))
print(f"trained with Keras: {explained:.3f} of the variance explained")

# %%
# Losses
# ------
# With early stopping, `history_` also contains the loss on the validation set.

import matplotlib.pyplot as plt

fig, ax = plt.subplots(figsize=(6, 3.8), layout="constrained")
colours = {"custom": "#d55e00", "one model, split": "#08306b", "default": "#b0b0b0"}
for name, pipeline in pipelines.items():
    history = pipeline[1].history_
    ax.plot(history["loss"], color=colours[name], label=name)
    ax.plot(history["val_loss"], color=colours[name], linestyle="--")
ax.set(xlabel="epoch", ylabel="mean squared error", yscale="log")
ax.set_title("Training loss (solid) and validation loss (dashed)")
ax.grid(alpha=0.3)
ax.legend()
plt.show()

# %%
# Dropout is active only in training, so with it the validation loss is lower than the
# training loss. Without dropout the training loss is lower. On the test set both have
# about the same error, and one hidden layer of 256 units is better here than the two
# smaller ones of the default network. The accuracies of the classifiers are similar.
