"""What large fits, transforms and searches cost on many workers.

OMP_NUM_THREADS=1 python -m benchmarks.scaling
OMP_NUM_THREADS=1 python -m benchmarks.scaling --out docs/scaling.md

Measures the costs of a row, a step and a task on this machine, predicts longer runs
from them and compares these with measurements, and computes the plan for many workers.
With `--out` the tables in the page are replaced, and a picture is drawn beside it. It
takes some ten minutes.
"""

import argparse
import heapq
import multiprocessing
import os
import re
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

from skautoenc import AutoencoderTransformer, ConvNetwork

from ._cases import seconds
from .clusters import received_bytes, two_workers

N_FEATURES, N_COMPONENTS = 1000, 32
BLOCK_ROWS, STEP_ROWS = 25_000, 1024  # of a task of `transform`; of a worker in a step
N_ROWS, N_FITS = 10**9, 10**5
SEARCH_ROWS, SEARCH_EPOCHS = 50_000, 30  # 200 MB; three folds, and epochs="auto"
WORKERS = (1, 10, 100, 1000)

# What cannot be measured on one machine.
NETWORK = 1.25e9  # bytes per second of each machine: 10 Gbit/s
LATENCY = 50e-6  # seconds of a message between two machines
STORAGE = 0.5e9  # bytes per second that each worker reads


@dataclass
class Costs:
    """Measured costs, in seconds and bytes."""

    train_row: float  # in each epoch
    transform_row: float
    task: float  # of the client and the scheduler
    search_task: float  # the same, through joblib
    task_bytes: float  # sent to a worker for each fit
    imports: float  # of a worker that trains in NumPy
    tensorflow: float
    compilation: float
    gradient_bytes: int


def table(n_rows, n_features=N_FEATURES):
    """Return float32 rows on a curved surface with some noise."""
    rng = np.random.default_rng(0)
    mix = rng.standard_normal((16, n_features), np.float32) / 4
    X = np.tanh(rng.standard_normal((n_rows, 16), np.float32) @ mix)
    X += 0.1 * rng.standard_normal(X.shape, np.float32)
    return X


def autoencoder(**params):
    """Return the default network, which has no validation set to stop at."""
    params = {"early_stopping": False, "random_state": 0, **params}
    return AutoencoderTransformer(N_COMPONENTS, **params)


def shortest(function, repeats=3):
    """Return the seconds of the shortest call: other programs make calls longer."""
    return min(seconds(function) for _ in range(repeats))


def row_epoch(estimator, X, few=1, many=4):
    """Return the seconds per row and epoch, and those of a fit without epochs.

    The programs for both numbers of epochs are compiled before.
    """

    def time(epochs):
        fit = estimator.set_params(epochs=epochs).fit
        fit(X)
        return shortest(lambda: fit(X))

    short, long = time(few), time(many)
    slope = (long - short) / (many - few)
    return slope / len(X), short - few * slope


def training_costs():
    """Return a row for each network: seconds per row, at two numbers of rows."""
    digits = load_digits().data.astype(np.float32) / 16
    images = table(4000, 784)
    conv = {"network": ConvNetwork((28, 28, 1)), "init": "random"}
    cases = {
        "1000-128-64-32 (TensorFlow engine)": (
            autoencoder(batch_size=256),
            table(5_000),
            table(20_000),
        ),
        "64-128-64-32 (NumPy engine)": (
            autoencoder(batch_size=256),
            digits,
            np.concatenate(4 * [digits]),
        ),
        "convolutions, 28x28": (
            autoencoder(batch_size=64, **conv),
            images[:1000],
            images,
        ),
    }
    rows = []
    for name, (estimator, few, many) in cases.items():
        at_few, _ = row_epoch(estimator, few)
        at_many, _ = row_epoch(estimator, many)
        rows.append((name, len(few), at_few, len(many), at_many))
        print(f"{name}: {1e6 * at_few:.3g} and {1e6 * at_many:.3g} us", flush=True)
    return rows


def transform_block(fitted, seed):
    """Encode a block as a task does that has read its rows."""
    rng = np.random.default_rng(seed)
    X = rng.random((BLOCK_ROWS, N_FEATURES), np.float32)
    return seconds(lambda: fitted.transform(X))


def start_up():
    """Return the seconds that the imports of a worker take, without and with Keras."""
    codes = (
        "import numpy",
        "import skautoenc",
        "from skautoenc._backend.keras import import_keras; import_keras()",
    )
    python, numpy, keras = (
        shortest(
            lambda: subprocess.run(
                [sys.executable, "-c", code], check=True, capture_output=True
            )
        )
        for code in codes
    )
    return numpy - python, keras - python


def compilation(X):
    """Return the seconds by which the first fit with a program is longer."""
    fits = []
    for width in (120, 124, 132):  # each has another program
        # The NumPy engine does not have this optimizer.
        params = {"optimizer": "nadam", "epochs": 2, "batch_size": 256}
        estimator = autoencoder(hidden_layer_sizes=(width,), **params)
        first, again = (seconds(lambda: estimator.fit(X)) for _ in range(2))
        fits.append(first - again)
    return statistics.median(fits)


def nothing(i):
    return i


def task_costs(client, n):
    """Return the seconds per task that does nothing: of Dask, and through joblib."""

    def dask():
        client.gather(client.map(nothing, range(n), pure=False))

    def through_joblib():
        with joblib.parallel_config("dask"):
            joblib.Parallel(batch_size=1)(joblib.delayed(nothing)(i) for i in range(n))

    return tuple(shortest(run) / n for run in (dask, through_joblib))


def search(n_candidates, n_rows=1797):
    """Return a search over short fits in NumPy, and its rows."""
    estimator = AutoencoderTransformer(
        8, epochs=60, early_stopping=False, random_state=0
    )
    rates = np.geomspace(1e-4, 1e-2, n_candidates)
    grid = {"learning_rate": rates}
    return GridSearchCV(estimator, grid, cv=3, refit=False), load_digits().data[:n_rows]


def local_durations():
    """Return the duration of each fit and score in this process."""
    candidates, X = search(4)
    results = candidates.fit(X).cv_results_
    return (results["mean_fit_time"] + results["mean_score_time"]).tolist()


def run_search(n_fits):
    """Return the seconds of a search on a cluster that has just started."""
    with two_workers() as client:
        candidates, X = search(n_fits // 3)
        before = client.run(received_bytes)
        with joblib.parallel_config("dask", scatter=[X]):
            time = seconds(lambda: candidates.fit(X))
        after = client.run(received_bytes)
    received = sum(after.values()) - sum(before.values())
    return time, (received - 2 * X.nbytes) / n_fits


def exchange(n_bytes, repeats=20):
    """Return the seconds in which two processes send each other `n_bytes`."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    other = context.Process(target=_echo, args=(theirs,))
    other.start()
    message = bytes(n_bytes)

    def once():
        ours.send_bytes(message)
        ours.recv_bytes()

    once()
    time = shortest(once, repeats) / 2
    ours.send_bytes(b"")
    other.join()
    return time


def _echo(connection):
    while message := connection.recv_bytes():
        connection.send_bytes(message)


def simulate(durations, n_workers, task, startup=0.0):
    """Return when the last task ends: a simulation of discrete events.

    As in joblib and Dask, the scheduler handles one task at a time, and has at most two
    tasks for each worker that are not done.

    Parameters
    ----------
    durations : sequence of float
        Seconds of each task on a worker.

    n_workers : int
    task : float
        Seconds of the scheduler for each task.

    startup : float, default=0.0
        Seconds before the first task of each worker.
    """
    workers, ended = [startup] * n_workers, []
    scheduler = 0.0
    for i, duration in enumerate(durations):
        if i >= 2 * n_workers:
            scheduler = max(scheduler, heapq.heappop(ended))
        scheduler += task
        end = max(scheduler, heapq.heappop(workers)) + duration
        heapq.heappush(workers, end)
        heapq.heappush(ended, end)
    return max(workers)


def broadcast(n_bytes, n_workers):
    """Return the seconds until all workers have a copy, each of which is passed on."""
    rounds = 1 + np.ceil(np.log2(n_workers))
    return float(rounds * n_bytes / NETWORK)


def all_reduce(n_bytes, n_workers):
    """Return the seconds in which a ring of workers adds up its gradients."""
    messages = 2 * (n_workers - 1)
    return messages * (LATENCY + n_bytes / n_workers / NETWORK)


def plan_transform(costs, n_workers):
    read = BLOCK_ROWS * N_FEATURES * 4 / STORAGE
    compute = BLOCK_ROWS * costs.transform_row
    return _tasks(
        {"read": read, "compute": compute},
        N_ROWS // BLOCK_ROWS,
        n_workers,
        costs.task,
        costs.imports,
    )


def plan_search(costs, n_workers):
    fit = SEARCH_ROWS * 2 / 3 * SEARCH_EPOCHS * costs.train_row
    startup = costs.tensorflow + costs.compilation
    parts = _tasks({"compute": fit}, N_FITS, n_workers, costs.search_task, startup)
    parts["send"] = broadcast(SEARCH_ROWS * N_FEATURES * 4, n_workers)
    parts["send"] += N_FITS * costs.task_bytes / NETWORK
    return parts


def _tasks(task_parts, n_tasks, n_workers, task, startup):
    """Return the seconds by resource of equal tasks on workers."""
    durations = [sum(task_parts.values())] * n_tasks
    whole, without_scheduler = (
        simulate(durations, n_workers, time, startup) for time in (task, 0.0)
    )
    parts = {name: n_tasks * time / n_workers for name, time in task_parts.items()}
    idle = max(0.0, without_scheduler - startup - sum(parts.values()))
    return {
        **parts,
        "start": startup,
        "schedule": whole - without_scheduler,
        "idle": idle,
    }


def plan_fit(costs, n_workers):
    """Return the seconds of one epoch, with data-parallel steps if n_workers > 1."""
    n_steps = N_ROWS / STEP_ROWS / n_workers
    return {
        "read": N_ROWS * N_FEATURES * 4 / STORAGE / n_workers,
        "compute": N_ROWS * costs.train_row / n_workers,
        "send": n_steps * all_reduce(costs.gradient_bytes, n_workers),
        "start": costs.tensorflow + costs.compilation,
    }


PLANS = {
    "transform of 10^9 rows": plan_transform,
    "one epoch over 10^9 rows": plan_fit,
    "search of 10^5 fits": plan_search,
}
RESOURCES = {
    "compute": "compute",
    "read": "read from storage",
    "send": "send over the network",
    "schedule": "wait for the scheduler",
    "start": "import and compile",
    "idle": "wait for the last tasks",
}


def measure():
    """Return the costs, and rows of predicted and measured times."""
    X = table(20_000)
    training = training_costs()
    checks = [
        (f"{name}: s per row and epoch at {n:,} rows, from {few:,}", at_few, at_many)
        for name, few, at_few, n, at_many in training
    ]
    fitted = autoencoder(epochs=1, batch_size=256).fit(X)
    block = shortest(lambda: fitted.transform(X))
    transform_row = block / len(X)
    imports, tensorflow = start_up()
    fits = local_durations()
    print("start, fits:", imports, tensorflow, fits, flush=True)

    with two_workers() as client:
        encoder = client.scatter(fitted, broadcast=True)
        client.submit(transform_block, encoder, 0).result()
        (few_task, few_joblib), (task, search_task) = (
            task_costs(client, n) for n in (500, 2000)
        )
        checks += [
            ("Dask: s per task at 2,000 tasks, from 500", few_task, task),
            ("joblib on Dask: s per task at 2,000, from 500", few_joblib, search_task),
        ]
        for n_blocks in (8, 40):
            seeds = range(n_blocks)
            blocks = client.map(
                lambda seed, f: transform_block(f, seed), seeds, f=encoder
            )
            measured = sum(client.gather(blocks))
            what = f"transform of {n_blocks * BLOCK_ROWS:,} rows on two workers: s"
            checks.append((what, n_blocks * BLOCK_ROWS * transform_row, measured))
    print("tasks:", task, search_task, flush=True)

    task_bytes = []
    for n_fits in (24, 96):
        measured, sent = run_search(n_fits)
        durations = (fits * n_fits)[:n_fits]
        predicted = simulate(durations, 2, search_task, imports)
        checks.append(
            (f"search of {n_fits} fits on two workers: s", predicted, measured)
        )
        task_bytes.append(sent)
    checks.append(("bytes sent for each fit at 96 fits, from 24", *task_bytes))

    n_weights = sum(
        w.size
        for model in (fitted.encoder_, fitted.decoder_)
        for w in model.get_weights()
    )
    sizes = 4 * n_weights, 16 * n_weights, 64 * n_weights
    first, second, third = map(exchange, sizes)
    predicted = first + (second - first) * 5
    what = f"{sizes[2]:,} bytes of gradients between two processes: s"
    checks.append((what, predicted, third))
    costs = Costs(
        train_row=training[0][4],
        transform_row=transform_row,
        task=task,
        search_task=search_task,
        task_bytes=task_bytes[-1],
        imports=imports,
        tensorflow=tensorflow,
        compilation=compilation(X[:5000]),
        gradient_bytes=sizes[0],
    )
    return costs, checks


def duration(time):
    """Return seconds in the unit in which they are easy to read."""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if time >= 2 * size:
            return f"{time / size:.3g} {unit}"
    return f"{time:.3g} s" if time > 1e-3 else "0 s"


def plans(costs):
    """Return ``{job: {n_workers: {resource: seconds}}}``."""
    return {
        job: {n_workers: plan(costs, n_workers) for n_workers in WORKERS}
        for job, plan in PLANS.items()
    }


def figures(costs, checks):
    """Return the tables of the page."""
    lines = ["| cost | measured |", "|---|---|"]
    lines += [
        f"| {what} | {value} |"
        for what, value in {
            "training, default network of 1000 features: row and epoch": (
                f"{1e6 * costs.train_row:.3g} us"
            ),
            "`transform` with it: row": f"{1e6 * costs.transform_row:.3g} us",
            "task of Dask: client and scheduler": f"{1e3 * costs.task:.3g} ms",
            "fit of a search: client and scheduler": (
                f"{1e3 * costs.search_task:.3g} ms"
            ),
            "fit of a search: bytes sent": f"{costs.task_bytes:.3g}",
            "imports of a worker, without TensorFlow": f"{costs.imports:.3g} s",
            "imports with TensorFlow": f"{costs.tensorflow:.3g} s",
            "compilation of a program": f"{costs.compilation:.3g} s",
            "gradients of a step": f"{costs.gradient_bytes:.3g} bytes",
        }.items()
    ]
    lines += ["", "| what | predicted | measured | measured / predicted |"]
    lines += ["|---|---|---|---|"]
    lines += [
        f"| {what} | {predicted:.3g} | {measured:.3g} | {measured / predicted:.2f} |"
        for what, predicted, measured in checks
    ]
    lines += [
        "",
        "| job | workers | time | " + " | ".join(RESOURCES) + " | bottleneck |",
    ]
    lines += ["|---|---|---|" + "---|" * (len(RESOURCES) + 1)]
    for job, by_workers in plans(costs).items():
        for n_workers, parts in by_workers.items():
            cells = [
                duration(parts[name]) if name in parts else "" for name in RESOURCES
            ]
            largest = RESOURCES[max(parts, key=parts.get)]
            whole = duration(sum(parts.values()))
            lines.append(
                f"| {job} | {n_workers} | {whole} | {' | '.join(cells)} | {largest} |"
            )
    return "\n".join(lines) + "\n"


def draw(costs, path):
    """Draw the time of all workers together, by resource."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    styles = dict(
        zip(
            RESOURCES,
            [
                ("#2b2b2b", ""),
                ("#6baed6", ""),
                ("#ffffff", "////"),
                ("#b0b0b0", "...."),
                ("#e6550d", ""),
                ("#f0f0f0", "xx"),
            ],
            strict=True,
        )
    )
    figure, all_axes = plt.subplots(1, 3, figsize=(10, 4), layout="constrained")
    for axes, (job, by_workers) in zip(all_axes, plans(costs).items(), strict=True):
        highest = 0.0
        for i, (n_workers, parts) in enumerate(by_workers.items()):
            bottom = 0.0
            for name, (colour, hatch) in styles.items():
                hours = parts.get(name, 0.0) * n_workers / 3600
                axes.bar(
                    i,
                    hours,
                    bottom=bottom,
                    width=0.7,
                    color=colour,
                    hatch=hatch,
                    edgecolor="black",
                    linewidth=0.5,
                    label=RESOURCES[name] if i == 0 else None,
                )
                bottom += hours
            highest = max(highest, bottom)
            whole = duration(sum(parts.values()))
            axes.annotate(
                whole, (i, bottom), (0, 3), textcoords="offset points", ha="center"
            )
        axes.set_title(re.sub(r"10\^(\d)", r"$10^\1$", job))
        axes.set_xticks(range(len(WORKERS)), WORKERS)
        axes.set_xlabel("workers")
        axes.set_ylim(0, 1.15 * highest)
    all_axes[0].set_ylabel("hours, sum over workers")
    handles, labels = all_axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    figure.savefig(path, dpi=110)


MARKS = "<!-- figures -->\n", "<!-- end of figures -->\n"


def write(path, text):
    """Replace the tables between the marks of a page."""
    before, rest = path.read_text().split(MARKS[0])
    _, after = rest.split(MARKS[1])
    path.write_text(before + MARKS[0] + text + MARKS[1] + after)


def main():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scaling",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, help="page whose tables are replaced")
    args = parser.parse_args()
    if os.environ.get("OMP_NUM_THREADS") != "1":
        parser.error("set OMP_NUM_THREADS=1, so that one thread is measured")
    costs, checks = measure()
    text = figures(costs, checks)
    print("\n" + text)
    if args.out:
        write(args.out, text)
        draw(costs, args.out.parent / "images" / f"{args.out.stem}.png")


if __name__ == "__main__":
    main()
