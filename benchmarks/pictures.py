"""Draw the ratios of docs/benchmarks.json.

python -m benchmarks.pictures     writes docs/images/benchmarks.png
"""

import json
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"

# The cases that are drawn, by what they are compared with, with their labels.
GROUPS = {
    "Keras (Model.fit, SciKeras)": {
        "search_scikeras": "grid search, 36 fits",
        "digits_2_epoch": "digits, 64-32-2",
        "digits_32_again": "digits, 64-32",
        "new_process": "the same, new process",
        "mnist_simple_epoch": "MNIST, 784-32",
        "mnist_deep_epoch": "MNIST, 784-128-64-32",
        "variational_epoch": "variational, 784-128-64-2",
        "dense_denoise_epoch": "denoising, 784-128-64-32",
        "mnist_relu_epoch": "MNIST, 784-784-256-128",
        "mnist_conv_epoch": "convolutional",
        "mnist_denoise_epoch": "convolutional, denoising",
        "signals_epoch": "convolutional, signals",
    },
    "PyTorch, plain loop": {
        "digits_2_torch": "digits, 64-32-2",
        "digits_32_torch": "digits, 64-32",
        "mnist_simple_torch": "MNIST, 784-32",
        "mnist_deep_torch": "MNIST, 784-128-64-32",
    },
    "PyTorch, tuned by hand": {
        "digits_2_torch_tuned": "digits, 64-32-2",
        "digits_32_torch_tuned": "digits, 64-32",
        "mnist_deep_torch_tuned": "MNIST, 784-128-64-32",
        "mnist_simple_torch_tuned": "MNIST, 784-32",
    },
    "JAX, lax.scan": {
        "digits_32_jax": "digits, 64-32: step",
        "mnist_deep_jax": "MNIST, 784-128-64-32: step",
    },
    "scikit-learn": {
        "one_row": "transform of a row, PCA",
        "threads_32": "the same in 32 threads, PCA",
        "digits_mlp": "digits, 64-32, MLPRegressor",
        "cold_pickle": "load a pickle, PCA",
        "importing": "import, PCA",
    },
    "NumPy": {
        "mnist_rows": "transform, bare matrix products",
        "mnist_rows_reconstruct": "reconstruct, bare matrix products",
    },
}


def draw(cases, path):
    """Draw a point and a range for each case, on an axis of ratios."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter

    n_lines = sum(1 + len(names) for names in GROUPS.values())
    figure = Figure(figsize=(8, 0.23 * n_lines + 0.6), layout="constrained")
    ax = figure.subplots()
    place, ticks, labels, headings = 0, [], [], []
    for group, names in GROUPS.items():
        headings.append((place, group))
        place += 1
        for name, label in names.items():
            ratio, (low, high) = cases[name]["baseline / ours"], cases[name]["range"]
            color = "tab:blue" if ratio >= 1 else "tab:red"
            ax.plot([low, high], [place, place], color=color, linewidth=2, alpha=0.5)
            ax.plot(ratio, place, "o", color=color)
            ax.annotate(
                f"{ratio:.2g}",
                (high, place),
                xytext=(7, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
            )
            ticks.append(place)
            labels.append(label)
            place += 1
    ax.axvline(1, color="black", linewidth=1)
    ax.set_xscale("log")
    ax.set_xlim(0.5, 300)
    ax.set_ylim(place - 0.4, -0.6)
    ax.set_yticks(
        [*ticks, *(at for at, _ in headings)],
        [*labels, *(group for _, group in headings)],
    )
    for text in ax.get_yticklabels()[len(ticks) :]:
        text.set_fontweight("bold")
    ax.tick_params(axis="y", length=0)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    ax.grid(axis="x", alpha=0.3)
    ax.set_xlabel("time of the other / time of skautoenc, which is faster right of 1")
    figure.savefig(path, dpi=130, facecolor="white")


if __name__ == "__main__":
    records = json.loads((DOCS / "benchmarks.json").read_text())["cases"]
    draw(
        {record["case"]: record for record in records},
        DOCS / "images" / "benchmarks.png",
    )
