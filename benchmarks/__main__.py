"""Run benchmark rows; print a Markdown table, and write it with a JSON twin.

python -m benchmarks                     the rows that need no data folder
python -m benchmarks --data FOLDER       all short rows; FOLDER holds mnist.npz
python -m benchmarks --data FOLDER --long    the whole recipes too: an hour or two
python -m benchmarks --only one_row      single rows, by the names that it prints
"""

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
from pathlib import Path

from . import (  # noqa: F401  (they register their rows)
    encoding,
    memory,
    quality,
    rivalry,
    scale,
    search,
    starts,
    training,
)
from ._rows import ROWS

PACKAGES = (
    "skautoenc",
    "tensorflow",
    "keras",
    "scikit-learn",
    "numpy",
    "scikeras",
    "torch",
    "jax",
)


def machine():
    versions = {
        name: importlib.metadata.version(name) for name in PACKAGES if _has(name)
    }
    return {
        "date": datetime.date.today().isoformat(),
        "python": platform.python_version(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        **versions,
    }


def _has(package):
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _processor():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor()


HEADING = """# Measured figures

Written by `python -m benchmarks --data FOLDER --out docs/benchmarks`, which runs both
sides of a row in one process, by turns, and shows medians; the spread is that of the
ratio. "Asked for" is the bar that the project sets itself for rival / ours; where it
has a unit, for ours. `--only` takes the names in the first column. Where a row names no
rival, it is plain Keras: the same model, `compile` and `fit` with `verbose=0`. A row
with losses fails where ours is more than 5 % above.

`FOLDER` holds `mnist.npz` as Keras distributes it. Rows of PyTorch and JAX need those
installed. `keras.wrappers` is no rival: its `fit` takes a single column as target, so
it trains no autoencoder. Rows of validation losses come with `--long`: both sides start
from the same weights.

"""


def markdown(records, about):
    head = [
        "row",
        "what",
        "ours",
        "rival",
        "unit",
        "rival / ours",
        "spread",
        "asked for",
    ]
    head += ["loss, ours", "loss, rival"]
    lines = [
        ", ".join(f"{name} {value}" for name, value in about.items()) + ".",
        "",
        "| " + " | ".join(head) + " |",
        "|" + "---|" * len(head),
    ]
    for record in records:
        cells = [_cell(record.get(name, "")) for name in head]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(value):
    if isinstance(value, list):
        return " to ".join(_cell(item) for item in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def merged(path, records):
    """Rows written before, with those run now in their places."""
    rows = {}
    if path.exists():
        rows = {
            record["row"]: record for record in json.loads(path.read_text())["rows"]
        }
    rows.update({record["row"]: record for record in records})
    return [rows[name] for name in ROWS if name in rows]


def main():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, help="folder with mnist.npz")
    parser.add_argument("--only", nargs="+", choices=sorted(ROWS), metavar="ROW")
    parser.add_argument("--long", action="store_true", help="whole recipes as well")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--out", type=Path, help="write OUT.md and OUT.json; rows not run are kept"
    )
    args = parser.parse_args()

    about, records = machine(), []
    rows = [name for name in ROWS if args.long or not ROWS[name].takes_long]
    for name in args.only or rows:
        if ROWS[name].needs_data and args.data is None:
            print(f"{name}: left out, needs --data", flush=True)
            continue
        if ROWS[name].needs and not _has(ROWS[name].needs):
            print(f"{name}: left out, needs {ROWS[name].needs}", flush=True)
            continue
        record = {"row": name, **ROWS[name](args.data, args.repeats).row()}
        print(f"{name}: {_cell(record['rival / ours'])}", flush=True)
        records.append(record)
        if args.out:
            write(args.out, record, about)
    print("\n" + markdown(records, about))


def write(out, record, about):
    """Put a row into the files, at once: those that follow may fail."""
    records = merged(out.with_suffix(".json"), [record])
    out.with_suffix(".md").write_text(HEADING + markdown(records, about))
    out.with_suffix(".json").write_text(
        json.dumps({"machine": about, "rows": records}, indent=1) + "\n"
    )


if __name__ == "__main__":
    main()
