"""Sphinx settings. Build with ``python -m sphinx docs docs/_build``."""

# sphinx-gallery looks up the objects of the examples, of which one is experimental.
from sklearn.experimental import enable_iterative_imputer  # noqa: F401

import skautoenc

project = "skautoenc"
author = "the skautoenc developers"
copyright = "2026, the skautoenc developers"
release = version = skautoenc.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_gallery.gen_gallery",
]
# Links to headings of other pages.
myst_heading_anchors = 2
html_theme = "pydata_sphinx_theme"
exclude_patterns = ["_build"]
numpydoc_show_class_members = False
# Docstrings describe the types; annotations such as ArrayLike are long when expanded.
autodoc_typehints = "none"
# Methods of scikit-learn whose docstrings refer to its user guide, and those that only
# skl2onnx calls.
autodoc_default_options = {
    "exclude-members": "get_metadata_routing, onnx_converter, onnx_parser, "
    "onnx_shape_calculator, set_fit_request, set_inverse_transform_request, "
    "set_output, set_partial_fit_request, set_score_request"
}
autosummary_generate = True
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": "plot_",
    "ignore_pattern": r"__\w+__",
}
