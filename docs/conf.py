"""Sphinx settings. Build with ``python -m sphinx docs docs/_build``."""

import warnings
from pathlib import Path

from docutils import nodes

# sphinx-gallery looks up the objects of the examples, of which one is experimental.
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sphinx.addnodes import pending_xref

import skautoenc
from skautoenc import plotting

project = "skautoenc"
author = "the skautoenc developers"
copyright = "2026, the skautoenc developers"
release = version = skautoenc.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
# Links to headings of other pages.
myst_heading_anchors = 2

# Appearance
html_theme = "pydata_sphinx_theme"
html_title = "skautoenc"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_logo = html_favicon = "_static/logo.svg"
html_show_sourcelink = False
html_sidebars = {"index": []}
html_theme_options = {
    "logo": {"text": "skautoenc"},
    "github_url": "https://github.com/skautoenc/skautoenc",
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
# Prompts and outputs are not copied.
copybutton_prompt_text = r">>> |\.\.\. "
copybutton_prompt_is_regexp = True

# Docstrings
toc_object_entries_show_parents = "hide"
numpydoc_show_class_members = False
# Docstrings describe the types; annotations such as ArrayLike are long when expanded.
autodoc_typehints = "none"
# Names in single backticks are links, if the class has such a method.
default_role = "py:obj"
# Methods of scikit-learn whose docstrings refer to its user guide, and those that only
# skl2onnx calls.
HIDDEN = [
    "get_metadata_routing",
    "onnx_converter",
    "onnx_parser",
    "onnx_shape_calculator",
    "set_fit_request",
    "set_inverse_transform_request",
    "set_output",
    "set_partial_fit_request",
    "set_score_request",
]
autosummary_context = {"hidden_methods": HIDDEN}

# The inventories are files of this folder, so that no network is needed. They list the
# names that the documentation mentions: add others as needed.
intersphinx_mapping = {
    name: (url, f"inventories/{name}.txt")
    for name, url in {
        "joblib": "https://joblib.readthedocs.io/en/stable/",
        "keras": "https://keras.io/",
        "matplotlib": "https://matplotlib.org/stable/",
        "numpy": "https://numpy.org/doc/stable/",
        "pandas": "https://pandas.pydata.org/docs/",
        "python": "https://docs.python.org/3/",
        "scipy": "https://docs.scipy.org/doc/scipy/",
        "sklearn": "https://scikit-learn.org/stable/",
    }.items()
}

# Gallery
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    # The groups of the gallery are in this file of `examples_dirs`.
    "copyfile_regex": r"index\.rst",
    "filename_pattern": r"plot_",
    "ignore_pattern": r"__\w+__",
    "doc_module": ("skautoenc",),
    "backreferences_dir": "generated/backreferences",
    "download_all_examples": False,
    "show_signature": False,
    "remove_config_comments": True,
    "write_computation_times": False,
}
# Warnings in examples are errors, but not those in the tools that build this site.
warnings.filterwarnings(
    "error", module=r"(?!sphinx|docutils|myst_parser|numpydoc|pydata_sphinx_theme)"
)
# The examples call plt.show(), which has no effect with this backend.
warnings.filterwarnings("ignore", "FigureCanvasAgg is non-interactive")
# Keras converts tensors of TensorFlow in a way that NumPy deprecates.
warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)

# Names in the text of pages that are links: those of this package and scikit-learn.
LINKED = {
    name: f"{module.__name__}.{name}"
    for module in (plotting, skautoenc)
    for name in module.__all__
}
inventory = Path(__file__).with_name("inventories") / "sklearn.txt"
for line in inventory.read_text(encoding="utf-8").splitlines()[3:]:
    name = line.split()[0]
    LINKED[name.split(".")[-1]] = name


def link_names(app, doctree):
    """Make code that is a name in `LINKED` a link, but not within titles and links."""
    for link in doctree.findall(pending_xref):
        if link["reftype"] == "obj":
            link["reftarget"] = LINKED.get(link["reftarget"], link["reftarget"])
    for code in list(doctree.findall(nodes.literal)):
        target = LINKED.get(code.astext())
        if target and isinstance(code.parent, nodes.paragraph):
            options = {"refdomain": "py", "reftype": "obj", "reftarget": target}
            link = pending_xref(refdoc=app.env.docname, refwarn=True, **options)
            code.replace_self(link)
            link += code


def setup(app):
    app.connect("doctree-read", link_names)
