"""What hundreds of fits in one process, and several threads, must leave alone."""

import gc
import os
import threading

import numpy as np
import pytest
from engines import ENGINES
from helpers import COMPILED, run_in_threads
from sklearn.base import clone
from sklearn.datasets import load_digits

from skautoenc import (
    AutoencoderTransformer,
    ConvNetwork,
    DenoisingAutoencoder,
    EncoderClassifier,
    VariationalAutoencoder,
)

SMALL = {"hidden_layer_sizes": (8,), "batch_size": 64, "epochs": 1}
CONFIGURATIONS = [
    *[AutoencoderTransformer(k, **SMALL) for k in (2, 3, 4)],
    *[AutoencoderTransformer(k, **ENGINES[COMPILED], **SMALL) for k in (2, 3)],
    AutoencoderTransformer(2, early_stopping=True, **SMALL),
    DenoisingAutoencoder(2, **SMALL),
    DenoisingAutoencoder(2, contractive=0.1, **SMALL),
    VariationalAutoencoder(2, **SMALL),
    AutoencoderTransformer(
        None, network=ConvNetwork((8, 8, 1), filters=(2,)), epochs=1, batch_size=64
    ),
]


def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def usage():
    gc.collect()
    return resident(), threading.active_count(), len(os.listdir("/proc/self/fd"))


@pytest.mark.slow
def test_fit_300_times_leaks_no_memory_threads_or_files(digits):
    for i in range(300):
        estimator = clone(CONFIGURATIONS[i % 10]).set_params(random_state=i)
        estimator.fit(digits).transform(digits[:5])
        if i == 99:
            memory, threads, files = usage()
    grown, *rest = usage()
    assert rest == [threads, files]
    assert grown - memory < 30 * 2**20


@pytest.mark.slow
def test_fit_of_a_classifier_100_times_leaks_no_memory_threads_or_files(digits):
    y = load_digits().target[:300]
    autoencoder = AutoencoderTransformer(2, init="random", **SMALL).fit(digits)
    for i in range(100):
        classifier = EncoderClassifier(
            autoencoder, dropout=0.1 * (i % 2), epochs=1, random_state=i
        )
        classifier.fit(digits, y).predict(digits[:5])
        if i == 39:
            memory, threads, files = usage()
    grown, *rest = usage()
    assert rest == [threads, files]
    assert grown - memory < 15 * 2**20


@pytest.mark.parametrize("estimator", [CONFIGURATIONS[0], CONFIGURATIONS[-1]])
def test_fit_in_two_threads_does_not_mix_weights(digits, estimator):
    def codes(seed):
        fitted = clone(estimator).set_params(random_state=seed, epochs=5).fit(digits)
        return fitted.transform(digits)

    alone = [codes(0), codes(1)]
    np.testing.assert_array_equal(run_in_threads(codes, (0, 1)), alone)


@pytest.mark.parametrize("estimator", [CONFIGURATIONS[0], CONFIGURATIONS[-1]])
def test_transform_in_32_threads_gives_the_codes_of_one(digits, estimator):
    fitted = clone(estimator).set_params(random_state=0).fit(digits)

    def codes(i):
        return fitted.transform(digits[i : i + 9])

    def codes_of_many_calls(i):
        return [codes(i) for _ in range(20)]

    alone = [[codes(i)] * 20 for i in range(32)]
    together = run_in_threads(codes_of_many_calls, range(32))
    np.testing.assert_array_equal(together, alone)
