"""Draws the packages of skautoenc, and who imports whom, from the imports.

python tests/draw_layout.py     writes docs/images/layout.svg

A package is above all that it imports. An arrow is left out if other arrows lead to the
same package.
"""

import graphlib
from html import escape

from test_structure import ROOT, SOURCES, imported_module

PICTURE = ROOT / "docs" / "images" / "layout.svg"

# Column of each package in the drawing, and what it contains.
BOXES = {
    "": (3, "skautoenc", "the public names"),
    "_estimators": (2, "_estimators", "parameters, fit, transform"),
    "_fit": (1.5, "_fit", "the steps of a fit"),
    "_onnx": (2.5, "_onnx", "graphs for skl2onnx"),
    "_training": (0, "_training", "epochs, hooks, engines"),
    "networks": (1, "networks", "encoder and decoder"),
    "_fitted": (0.5, "_fitted", "FittedNetwork, in NumPy"),
    "_backend": (0.5, "_backend", "Keras, worker process"),
    "layers": (0, "layers", "layers of Keras"),
    "_utils": (2.5, "_utils", "random streams, metrics"),
    "noise": (1.5, "noise", "corruptions"),
    "_imputation": (2.5, "_imputation", "tables with missing values"),
    "_outliers": (3.5, "_outliers", "scores of outliers"),
    "_comparison": (4.5, "_comparison", "compare_reducers"),
    "_imputer_comparison": (4.5, "_imputer_comparison", "compare_imputers"),
    "plotting": (4.95, "plotting", "displays"),
    "_show_versions": (4.25, "_show_versions", "show_versions"),
}

WIDTH, HEIGHT, X_STEP, Y_STEP, MARGIN = 178, 48, 188, 88, 10


def imports():
    """Return the packages that each package imports."""
    graph = {}
    for name, source in SOURCES.items():
        found = {imported_module(one) for one in source.imports()} - {None}
        package = name.split(".")[0]
        others = {module.split(".")[0] for module in found} - {package}
        graph.setdefault(package, set()).update(others)
    return graph


def below(graph):
    """Return all packages that each package needs, directly or by others."""
    reached = {}
    for package in graphlib.TopologicalSorter(graph).static_order():
        direct = graph[package]
        reached[package] = direct.union(*(reached[other] for other in direct))
    return reached


def levels(graph):
    """Return the length of the longest way of arrows down from each package.

    A package that imports nothing is one level below the lowest that imports it.
    """
    result = {}
    for package in graphlib.TopologicalSorter(graph).static_order():
        result[package] = max((result[x] + 1 for x in graph[package]), default=0)
    for package in [package for package in graph if not graph[package]]:
        result[package] = min(result[x] for x in graph if package in graph[x]) - 1
    return result


def svg():
    """Return the drawing."""
    graph = imports()
    reached, level = below(graph), levels(graph)
    top = max(level.values())

    def corner(package):
        column = BOXES[package][0]
        return MARGIN + X_STEP * column, MARGIN + Y_STEP * (top - level[package])

    width = 2 * MARGIN + X_STEP * max(column for column, *_ in BOXES.values()) + WIDTH
    height = 2 * MARGIN + Y_STEP * top + HEIGHT
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" '
        f'height="{height:g}" viewBox="0 0 {width:g} {height:g}" '
        'font-family="sans-serif" text-anchor="middle">',
        "<title>The packages of skautoenc and their imports</title>",
        '<marker id="head" markerWidth="9" markerHeight="8" refX="8" refY="4" '
        'orient="auto"><path d="M0,0 L9,4 L0,8 z" fill="#555"/></marker>',
        f'<rect width="{width:g}" height="{height:g}" fill="white"/>',
    ]
    for package in sorted(graph):
        for other in sorted(graph[package]):
            if any(other in reached[x] for x in graph[package] - {other}):
                continue
            (x, y), (to_x, to_y) = corner(package), corner(other)
            lines.append(
                f'<line x1="{x + WIDTH / 2:g}" y1="{y + HEIGHT:g}" '
                f'x2="{to_x + WIDTH / 2:g}" y2="{to_y - 1:g}" '
                'stroke="#555" stroke-width="1.3" marker-end="url(#head)"/>'
            )
    for package in sorted(graph):
        (x, y), (_, name, text) = corner(package), BOXES[package]
        fill = "#e4edf7" if package.startswith("_") else "#fff3d6"
        lines += [
            f'<rect x="{x:g}" y="{y:g}" width="{WIDTH}" height="{HEIGHT}" rx="6" '
            f'fill="{fill}" stroke="#34618f"/>',
            f'<text x="{x + WIDTH / 2:g}" y="{y + 21:g}" font-size="14" '
            f'font-weight="bold" fill="#111">{escape(name)}</text>',
            f'<text x="{x + WIDTH / 2:g}" y="{y + 39:g}" font-size="12" '
            f'fill="#333">{escape(text)}</text>',
        ]
    return "\n".join([*lines, "</svg>"]) + "\n"


if __name__ == "__main__":
    PICTURE.write_text(svg(), encoding="utf-8")
