"""Run benchmark cases, print a Markdown table, and write it as Markdown and JSON.

python -m benchmarks                     the cases that need no data folder
python -m benchmarks --data FOLDER       all short cases; FOLDER holds mnist.npz
python -m benchmarks --data FOLDER --long    the full recipes too: an hour or two
python -m benchmarks --only one_row      single cases, by name
"""

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
from pathlib import Path

from . import (  # noqa: F401  (importing them registers their cases)
    clusters,
    dask_collections,
    encoding,
    hooks,
    keras_backends,
    libraries,
    memory,
    onnx_conversion,
    precision,
    quality,
    scale,
    search,
    starts,
    streams,
    tasks,
    training,
    watching,
)
from ._cases import CASES

PACKAGES = (
    "skautoenc",
    "tensorflow",
    "keras",
    "scikit-learn",
    "numpy",
    "scikeras",
    "onnx",
    "skl2onnx",
    "onnxruntime",
    "torch",
    "dask",
    "distributed",
    "jax",
)


def machine():
    """Return the number of cores and the versions of this run."""
    versions = {
        name: importlib.metadata.version(name)
        for name in PACKAGES
        if _is_installed(name)
    }
    return {
        "python": platform.python_version(),
        "cores": len(os.sched_getaffinity(0)),
        **versions,
    }


def _is_installed(package):
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


MARKS = "<!-- table -->\n", "<!-- end of table -->\n"


def markdown(records, about):
    head = [
        "case",
        "what",
        "ours",
        "baseline",
        "unit",
        "baseline / ours",
        "range",
        "target",
    ]
    head += ["loss, ours", "loss, baseline", "date", "processor"]
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
    """Return the stored records, updated with `records`, in the order of the cases."""
    stored = json.loads(path.read_text())["cases"] if path.exists() else []
    by_name = {record["case"]: record for record in [*stored, *records]}
    return [by_name[name] for name in CASES if name in by_name]


def main():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, help="folder with mnist.npz")
    parser.add_argument("--only", nargs="+", choices=sorted(CASES), metavar="CASE")
    parser.add_argument("--long", action="store_true", help="include the full recipes")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--out", type=Path, help="update these cases in OUT.md and OUT.json"
    )
    args = parser.parse_args()

    about, records = machine(), []
    measured = {"date": datetime.date.today().isoformat(), "processor": _processor()}
    names = [name for name in CASES if args.long or not CASES[name].takes_long]
    for name in args.only or names:
        case = CASES[name]
        if case.needs_data and args.data is None:
            print(f"{name}: skipped, requires --data", flush=True)
            continue
        if case.requires and not _is_installed(case.requires):
            print(f"{name}: skipped, requires {case.requires}", flush=True)
            continue
        record = {"case": name, **case(args.data, args.repeats).record(), **measured}
        print(f"{name}: {_cell(record['baseline / ours'])}", flush=True)
        records.append(record)
        if args.out:
            write(args.out, record, about)
    print("\n" + markdown(records, about))


def write(out, record, about):
    """Update one case in the files; called after each case, as a later one may fail.

    In OUT.md the text between the marks is replaced.
    """
    records = merged(out.with_suffix(".json"), [record])
    path = out.with_suffix(".md")
    before, rest = path.read_text().split(MARKS[0])
    _, after = rest.split(MARKS[1])
    path.write_text(before + MARKS[0] + markdown(records, about) + MARKS[1] + after)
    out.with_suffix(".json").write_text(
        json.dumps({"machine": about, "cases": records}, indent=1) + "\n"
    )


if __name__ == "__main__":
    main()
