"""Run examples without a display, and save their figures.

python -m examples                 all examples
python -m examples plot_digits_32  the named examples
"""

import argparse
import os
import runpy
import time
import warnings
from pathlib import Path

os.environ["MPLBACKEND"] = "Agg"
HERE = Path(__file__).parent


def main():
    paths = {path.stem: path for path in HERE.glob("plot_*.py")}
    names = sorted(paths)
    parser = argparse.ArgumentParser(
        prog="python -m examples",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names))
    parser.add_argument("--out", type=Path, default=Path("pictures"))
    args = parser.parse_args()
    unknown = set(args.names) - set(names)
    if unknown:
        parser.error(f"no example named {', '.join(sorted(unknown))}")
    args.out.mkdir(exist_ok=True)

    import matplotlib.pyplot as plt

    # The examples call plt.show(), which has no effect with this backend.
    warnings.filterwarnings("ignore", "FigureCanvasAgg is non-interactive")
    # Keras converts tensors of TensorFlow in a way that NumPy deprecates.
    warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
    for name in args.names or names:
        print(f"== {name}", flush=True)
        start = time.perf_counter()
        runpy.run_path(str(paths[name]), run_name="__main__")
        print(f"{time.perf_counter() - start:.0f} s", flush=True)
        for i, number in enumerate(plt.get_fignums(), start=1):
            path = args.out / f"{name}_{i}.png"
            plt.figure(number).savefig(path, dpi=120)
            print(f"figure: {path}", flush=True)
        plt.close("all")


if __name__ == "__main__":
    main()
