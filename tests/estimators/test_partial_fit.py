"""`partial_fit` trains on one chunk of rows after another."""

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp
from engines import ENGINES, engines_used
from helpers import (
    COMPILED,
    assert_draws_nothing_global,
    make_autoencoder,
    run_python,
    terminal_output,
)
from sklearn.base import clone
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from skautoenc import (
    AutoencoderTransformer,
    ConvNetwork,
    DenoisingAutoencoder,
    VariationalAutoencoder,
)

KINDS = [AutoencoderTransformer, DenoisingAutoencoder, VariationalAutoencoder]


def chunks(X, size):
    return [X[i : i + size] for i in range(0, len(X), size)]


def train(estimator, X, size, visits=1):
    for _ in range(visits):
        for chunk in chunks(X, size):
            estimator.partial_fit(chunk)
    return estimator


def by_pca(X, n_components):
    pca = PCA(n_components).fit(X)
    return pca.inverse_transform(pca.transform(X))


# What is learned.


@pytest.mark.parametrize("engine", ["numpy", COMPILED, "keras"], indirect=True)
@pytest.mark.parametrize("init", ["pca", "random"])
def test_partial_fit_learns_with_every_engine(digits, engine, init):
    estimator = make_autoencoder(init=init, learning_rate=0.02, **engine)
    train(estimator, digits, 60, 2)
    before = estimator.score(digits)
    train(estimator, digits, 60, 6)
    assert estimator.score(digits) > before + 0.03
    losses = estimator.history_["loss"]
    assert np.mean(losses[-5:]) < 0.9 * np.mean(losses[:5])
    assert estimator.n_iter_ == estimator.best_epoch_ == len(losses)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [1, 7])
def test_partial_fit_takes_chunks_of_few_rows(digits, kind, size):
    estimator = train(make_autoencoder(kind), digits, size)
    # 256 rows are for PCA.
    assert len(estimator.history_["loss"]) == {1: 45, 7: 7}[size]
    pca = PCA(3).fit(digits[:259])
    assert estimator.score(digits) > 0.9 * pca.explained_variance_ratio_.sum()


@pytest.mark.parametrize("kind", KINDS)
def test_partial_fit_trains_convolutional_networks(kind):
    images = load_digits().images[:120].astype(np.float32) / 16
    # From probabilistic PCA the loss, which includes the divergence, falls slowly.
    init = "random" if kind is VariationalAutoencoder else "auto"
    network = ConvNetwork((8, 8, 1), filters=(4,))
    estimator = kind(4, network=network, init=init, random_state=0)
    train(estimator, images[:2], 1)  # a single image has no variance
    train(estimator, images, 40, 5)
    early = estimator.history_["loss"][2:5]
    train(estimator, images, 40, 40)
    assert np.mean(estimator.history_["loss"][-3:]) < 0.9 * np.mean(early)
    assert estimator.reconstruct(images).shape == images.shape


@pytest.mark.parametrize("init", ["auto", "random"])
def test_partial_fit_reaches_the_loss_of_fit(init):
    """On chunks that are visited as often."""
    X = (load_digits().data / 16).astype(np.float32)
    fitted = AutoencoderTransformer(8, init=init, epochs=40, random_state=0).fit(X)
    estimator = AutoencoderTransformer(8, init=init, random_state=0)
    train(estimator, X, 64, fitted.n_iter_)
    error = fitted.reconstruction_error(X).mean()
    assert estimator.reconstruction_error(X).mean() < 1.02 * error


def test_partial_fit_visits_rows_by_their_sample_weight(digits):
    labels = load_digits().target[:300]
    weight = np.where(labels == 3, 10.0, 0.1)
    estimator, plain = make_autoencoder(), make_autoencoder()
    for _ in range(30):
        estimator.partial_fit(digits, sample_weight=weight)
        plain.partial_fit(digits)
    error = estimator.reconstruction_error(digits)
    other = plain.reconstruction_error(digits)
    assert error[labels == 3].mean() < 0.8 * other[labels == 3].mean()
    wanted = np.average(digits, axis=0, weights=weight)
    np.testing.assert_allclose(estimator.mean_, wanted, rtol=1e-6)


# The start at PCA.


@pytest.mark.parametrize("size", [1, 20, 100])
def test_partial_fit_is_pca_of_the_first_rows(digits, size):
    estimator = train(make_autoencoder(), digits[:100], size)
    assert estimator.n_iter_ == 0
    assert estimator.history_ == {}
    # With single rows, PCA was last computed up to a tenth of the rows before.
    atol = 5e-6 if size > 1 else 0.1
    np.testing.assert_allclose(
        estimator.reconstruct(digits[:100]), by_pca(digits[:100], 3), atol=atol
    )


def test_partial_fit_with_fewer_rows_than_components_is_exact(digits):
    estimator = make_autoencoder(n_components=6).partial_fit(digits[:4])
    np.testing.assert_allclose(estimator.reconstruct(digits[:4]), digits[:4], atol=1e-5)
    assert estimator.transform(digits).shape == (300, 6)


@pytest.mark.parametrize("offset", [0, 1e9])
def test_partial_fit_has_the_mean_and_the_digits_of_the_data(digits, offset):
    X = digits.astype(np.float64) + offset
    estimator = train(make_autoencoder(), X[:200], 10)
    np.testing.assert_allclose(estimator.mean_, X[:200].mean(axis=0), rtol=1e-12)
    score = PCA(3).fit(X[:200] - offset).explained_variance_ratio_.sum()
    assert estimator.score(X[:200]) == pytest.approx(score, abs=1e-5)


def test_partial_fit_warns_or_raises_if_the_network_cannot_be_pca(digits):
    wide = digits[:, :4]
    with pytest.warns(UserWarning, match="random weights.*above 4 features"):
        make_autoencoder(n_components=5).partial_fit(wide)
    with pytest.raises(ValueError, match="init='pca'.*above 4 features"):
        make_autoencoder(n_components=5, init="pca").partial_fit(wide)
    with pytest.raises(ValueError, match="init='pca'.*tied_weights"):
        make_autoencoder(tied_weights=True, init="pca").partial_fit(digits)


def test_partial_fit_estimates_beta_from_the_chunks(digits):
    def beta(X, size, **params):
        params = {"random_state": 0, "hidden_layer_sizes": (8,), **params}
        return train(VariationalAutoencoder(3, **params), X, size).beta_

    whole = beta(digits, 300)
    assert beta(digits[:256], 16) == pytest.approx(beta(digits[:256], 256))
    assert beta(digits, 50) == pytest.approx(whole)
    sigmoid = {"output_activation": "sigmoid"}
    assert beta(digits, 50, **sigmoid) == pytest.approx(whole)
    assert beta(digits, 50, beta=0.5) == 0.5


# One call after another.


@pytest.mark.parametrize("engine", ["numpy", COMPILED, "keras"], indirect=True)
def test_partial_fit_of_a_pickled_estimator_has_the_same_bits(digits, engine):
    without = make_autoencoder()
    copied = without.set_params(**engine)
    for i, chunk in enumerate(chunks(np.tile(digits, (2, 1)), 100)):
        without.partial_fit(chunk)
        copied = pickle.loads(pickle.dumps(copied)) if i else clone(without)
        copied.set_params(**engine).partial_fit(chunk)
        np.testing.assert_array_equal(
            copied.transform(digits), without.transform(digits)
        )
    assert copied.history_ == without.history_


def test_partial_fit_goes_on_in_another_process(digits, tmp_path):
    estimator = train(make_autoencoder(DenoisingAutoencoder), digits, 100, 2)
    np.save(tmp_path / "X.npy", digits)
    (tmp_path / "estimator.pickle").write_bytes(pickle.dumps(estimator))
    code = """
import pickle
import numpy as np
X = np.load("X.npy")
with open("estimator.pickle", "rb") as file:
    estimator = pickle.load(file)
for i in range(0, 300, 100):
    estimator.partial_fit(X[i : i + 100])
np.save("codes.npy", estimator.transform(X))
"""
    run_python(code, cwd=tmp_path)
    train(estimator, digits, 100)
    np.testing.assert_array_equal(
        np.load(tmp_path / "codes.npy"), estimator.transform(digits)
    )


def test_partial_fit_leaves_copies_as_they_are(digits):
    estimator = make_autoencoder().partial_fit(digits)
    other = copy.copy(estimator)
    codes, history = other.transform(digits), copy.deepcopy(other.history_)
    estimator.partial_fit(digits)
    np.testing.assert_array_equal(other.transform(digits), codes)
    assert other.history_ == history
    other.partial_fit(digits)
    np.testing.assert_array_equal(other.transform(digits), estimator.transform(digits))


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_partial_fit_that_fails_leaves_the_estimator_as_it_was(digits, error):
    fails = False

    def noise(X, rng):
        if fails and rng.random() < 0.5:  # in one of several portions
            raise error
        return X

    estimator = make_autoencoder(DenoisingAutoencoder, noise=noise)
    train(estimator, digits, 300, 3)
    other = copy.copy(estimator)
    fails = True
    with pytest.raises(error):
        train(estimator, np.tile(digits, (100, 1)), 30_000)
    fails = False
    assert estimator.history_ == other.history_
    np.testing.assert_array_equal(estimator.mean_, other.mean_)
    estimator.partial_fit(digits[:200])
    other.partial_fit(digits[:200])
    np.testing.assert_array_equal(estimator.transform(digits), other.transform(digits))


def test_partial_fit_that_diverges_leaves_the_estimator_as_it_was(digits):
    estimator = make_autoencoder(optimizer="sgd").partial_fit(digits)
    codes = estimator.transform(digits)
    estimator.set_params(learning_rate=1e30)
    with pytest.raises(ValueError, match="diverged"):
        train(estimator, digits, 300, 5)
    assert np.isfinite(estimator.transform(digits)).all()
    estimator.set_params(learning_rate=1e-30).partial_fit(digits)
    assert np.abs(estimator.transform(digits) - codes).max() < 1e3


def test_partial_fit_of_an_invalid_chunk_changes_nothing(digits):
    estimator = make_autoencoder().partial_fit(digits)
    codes = estimator.transform(digits)
    invalid = digits.copy()
    invalid[3, 4] = np.nan
    for X, message in [(invalid, "NaN"), (digits[:, :5], "5 features"), ([], "array")]:
        with pytest.raises(ValueError, match=message):
            estimator.partial_fit(X)
    np.testing.assert_array_equal(estimator.transform(digits), codes)


@pytest.mark.parametrize("engine", ["numpy", COMPILED, "keras"], indirect=True)
def test_partial_fit_takes_chunks_of_growing_and_falling_size(digits, engine):
    estimator = make_autoencoder(batch_size="auto", **engine)
    for size in (3, 297, 1, 300, 64, 150):
        estimator.partial_fit(np.tile(digits, (4, 1))[: 4 * size])
    assert len(estimator.history_["loss"]) == 5
    assert np.isfinite(estimator.history_["loss"]).all()


def test_partial_fit_uses_parameters_that_have_changed(digits):
    estimator = make_autoencoder(init="random", learning_rate=0.01)
    train(estimator, digits, 100)
    codes = estimator.transform(digits)
    estimator.set_params(learning_rate=1e-30).partial_fit(digits)
    steps = np.abs(estimator.transform(digits) - codes)
    estimator.set_params(hidden_layer_sizes=(9,))
    with pytest.raises(ValueError, match="partial_fit continues.*encoder differs"):
        estimator.partial_fit(digits)
    estimator.set_params(hidden_layer_sizes=(8,), learning_rate="high")
    with pytest.raises(ValueError, match="'learning_rate' parameter"):
        estimator.partial_fit(digits)
    assert steps.max() < 0.1  # the average approaches the last weights


def test_partial_fit_goes_on_with_another_engine(digits):
    estimator = train(make_autoencoder(), digits, 300, 20)
    score = estimator.score(digits)
    with engines_used() as used:
        estimator.set_params(**ENGINES[COMPILED])
        train(estimator, digits, 300, 3)
    assert used == {COMPILED}
    assert estimator.score(digits) > score - 0.02


def test_partial_fit_continues_from_fit_and_fit_resets(digits):
    estimator = make_autoencoder(epochs=30, early_stopping=False)
    fresh = estimator.fit(digits).transform(digits)
    score = estimator.score(digits)
    train(estimator, digits, 50, 10)
    assert estimator.score(digits) > score
    assert len(estimator.history_["loss"]) == 60
    np.testing.assert_array_equal(estimator.fit(digits).transform(digits), fresh)
    assert hasattr(estimator, "components_")


def test_partial_fit_continues_from_given_models(digits):
    first = make_autoencoder(epochs=30).fit(digits)
    pair = first.encoder_, first.decoder_
    params = {"random_state": 0, "learning_rate": 1e-30}
    estimator = AutoencoderTransformer.from_keras(*pair, **params)
    estimator.partial_fit(digits)
    wanted = first.transform(digits)
    np.testing.assert_allclose(estimator.transform(digits), wanted, atol=1e-4)
    estimator = AutoencoderTransformer(3, network=pair, **params).partial_fit(digits)
    np.testing.assert_allclose(estimator.transform(digits), wanted, atol=1e-4)


def test_fit_with_warm_start_continues_from_partial_fit(digits):
    estimator = train(make_autoencoder(), digits, 300, 60)
    score = estimator.score(digits)
    estimator.set_params(warm_start=True, learning_rate=1e-30, epochs=1).fit(digits)
    assert estimator.score(digits) == pytest.approx(score, abs=1e-5)


# The interface.


def test_partial_fit_refuses_what_needs_all_rows(digits):
    estimator = make_autoencoder(early_stopping=True)
    assert not hasattr(estimator, "partial_fit")
    with pytest.raises(AttributeError, match="'partial_fit'.*early_stopping=True"):
        estimator.partial_fit(digits)
    with pytest.raises(ValueError, match="partial_fit.*n_components=0.9"):
        make_autoencoder(n_components=0.9).partial_fit(digits)


def test_partial_fit_refuses_y_that_looks_like_rows(digits):
    with pytest.raises(ValueError, match="y looks like rows of X.*partial_fit"):
        make_autoencoder(DenoisingAutoencoder).partial_fit(digits, digits)
    make_autoencoder(DenoisingAutoencoder).partial_fit(digits, np.arange(300))


def noisy_digits(digits):
    return digits + np.random.default_rng(0).normal(scale=0.5, size=digits.shape)


def test_partial_fit_trains_on_pairs_of_noisy_and_clean_rows(digits, engine):
    noisy, clean = noisy_digits(digits) + 100, digits - 7
    settings = {**engine, "init": "random", "learning_rate": 0.01}
    estimator = make_autoencoder(DenoisingAutoencoder, **settings)
    for _ in range(12):
        for X, X_clean in zip(chunks(noisy, 50), chunks(clean, 50), strict=True):
            estimator.partial_fit(X, X_clean=X_clean)
    fitted = make_autoencoder(DenoisingAutoencoder, **{**settings, "epochs": 12})
    fitted.fit(noisy, X_clean=clean)
    errors = [
        np.square(each.reconstruct(noisy) - clean).mean()
        for each in (estimator, fitted)
    ]
    assert errors[0] < 1.1 * errors[1] < digits.var(axis=0).mean()
    np.testing.assert_allclose(estimator.mean_, clean.mean(axis=0), rtol=1e-6)


def test_partial_fit_starts_at_pca_of_noisy_rows(digits):
    noisy = noisy_digits(digits)
    estimator = make_autoencoder(DenoisingAutoencoder, n_components=8)
    estimator.partial_fit(noisy[:100], X_clean=digits[:100])
    shift = digits[:100].mean(axis=0) - noisy[:100].mean(axis=0)
    expected = by_pca(noisy[:100], 8) + shift
    np.testing.assert_allclose(estimator.reconstruct(noisy[:100]), expected, atol=0.02)


def test_partial_fit_takes_chunks_with_and_without_clean_rows(digits, engine):
    settings = {**engine, "init": "random", "noise_level": 0.0}
    estimator = make_autoencoder(DenoisingAutoencoder, **settings)
    paired = make_autoencoder(DenoisingAutoencoder, **settings)
    for i, chunk in enumerate(chunks(digits, 100)):
        estimator.partial_fit(chunk, X_clean=chunk if i == 1 else None)
        paired.partial_fit(chunk, X_clean=chunk)
    np.testing.assert_array_equal(estimator.transform(digits), paired.transform(digits))


def test_partial_fit_refuses_clean_rows_that_do_not_belong_to_x(digits):
    estimator = make_autoencoder(DenoisingAutoencoder)
    for _ in range(2):
        with pytest.raises(ValueError, match="X_clean has 5 rows, but X has 300"):
            estimator.partial_fit(digits, X_clean=digits[:5])
        with pytest.raises(ValueError, match="X_clean: .*NaN"):
            estimator.partial_fit(digits, X_clean=np.full_like(digits, np.nan))
        estimator.partial_fit(digits)


def test_partial_fit_calls_callbacks_of_scikit_learn_as_a_fit_without_epochs(digits):
    monitor = ScoringMonitor(scoring=None)
    estimator = make_autoencoder(init="random").set_callbacks(monitor)
    scores = []
    for chunk in chunks(digits, 100):
        scores.append(estimator.partial_fit(chunk).score(chunk))
    runs = [log.data for log in monitor.get_logs("all")]
    assert [[row["task_name"] for row in run] for run in runs] == [["fit"]] * 3
    assert [run[0]["score"] for run in runs] == pytest.approx(scores)


def test_partial_fit_tears_callbacks_of_scikit_learn_down_when_it_fails(digits):
    estimator = make_autoencoder().set_callbacks(ProgressBar())
    with terminal_output() as text:
        estimator.partial_fit(digits)
        with pytest.raises(ValueError, match="NaN"):
            estimator.partial_fit(np.full_like(digits, np.nan))
        estimator.partial_fit(digits)
    assert "AutoencoderTransformer - fit" in text()
    assert "100%" in text()


def test_partial_fit_has_no_components_and_says_why(digits):
    estimator = make_autoencoder().partial_fit(digits)
    for name in ("components_", "explained_variance_", "explained_variance_ratio_"):
        with pytest.raises(AttributeError, match=f"no {name}.*partial_fit"):
            getattr(estimator, name)


def test_partial_fit_takes_the_containers_of_fit(digits):
    import pandas

    dense = make_autoencoder().partial_fit(digits).transform(digits)
    sparse = make_autoencoder().partial_fit(sp.csr_array(digits)).transform(digits)
    np.testing.assert_allclose(sparse, dense, atol=1e-5)
    frame = pandas.DataFrame(digits).add_prefix("p")
    estimator = make_autoencoder().partial_fit(frame)
    np.testing.assert_allclose(estimator.transform(frame), dense, atol=1e-5)
    assert estimator.feature_names_in_[0] == "p0"
    with pytest.raises(ValueError, match="feature names"):
        estimator.partial_fit(frame.add_prefix("q"))


def test_partial_fit_calls_keras_callbacks_as_model_fit_does(digits):
    import keras

    calls = []
    callback = keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: calls.append("begin"),
        on_epoch_begin=lambda epoch, logs: calls.append(epoch),
        on_epoch_end=lambda epoch, logs: calls.append(logs["loss"]),
        on_train_end=lambda logs: calls.append("end"),
    )
    estimator = make_autoencoder(init="random", callbacks=[callback])
    train(estimator, digits, 150)
    first, second = estimator.history_["loss"]
    assert calls == ["begin", 0, first, "end", "begin", 1, second, "end"]


def test_partial_fit_keeps_the_learning_rate_that_a_callback_has_set(digits):
    import keras

    rates = []

    class Halves(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            rate = float(np.asarray(self.model.optimizer.learning_rate))
            rates.append(rate)
            self.model.optimizer.learning_rate = rate / 2

    estimator = make_autoencoder(init="random", callbacks=[Halves()])
    train(estimator, digits, 100)
    assert rates == pytest.approx([0.001, 0.0005, 0.00025])


def test_partial_fit_prints_a_line_every_verbose_calls(digits, capsys):
    estimator = make_autoencoder(init="random", verbose=2)
    train(estimator, digits, 60)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [["Chunk", "2"], ["Chunk", "4"]]


def test_partial_fit_uses_no_global_generator(digits):
    estimator = make_autoencoder(optimizer="nadam")
    with assert_draws_nothing_global():
        train(estimator, digits, 150)


def test_partial_fit_in_a_forked_process_runs_keras_in_a_subprocess():
    code = """
import multiprocessing
import numpy as np
from sklearn.datasets import load_digits
from skautoenc import AutoencoderTransformer

X = (load_digits().data[:300] / 16).astype(np.float32)

def estimator():
    estimator = AutoencoderTransformer(
        3, hidden_layer_sizes=(8,), optimizer="nadam", random_state=0
    )
    for i in range(3):
        estimator.partial_fit(X[100 * i : 100 * i + 100])
    return estimator

if __name__ == "__main__":
    here = estimator().transform(X)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        there = pool.apply(estimator).transform(X)
    np.testing.assert_array_equal(here, there)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
