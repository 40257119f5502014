"""The site of the documentation: what its sources list, and links between its pages."""

import ast
import re
import runpy
from collections import Counter
from pathlib import Path

import pytest
from sklearn.base import BaseEstimator

import skautoenc

ROOT = Path(__file__).parents[1]
ESTIMATORS_AND_NETWORKS = [
    cls
    for cls in map(vars(skautoenc).get, skautoenc.__all__)
    if isinstance(cls, type) and issubclass(cls, BaseEstimator)
]


def names_with_a_page() -> list[str]:
    """Names in the tables of the API reference, for each of which Sphinx has a page."""
    names, module = [], ""
    for line in (ROOT / "docs/api.md").read_text(encoding="utf-8").splitlines():
        if found := re.match(r"\.\. currentmodule:: (\S+)", line):
            module = found[1]
        elif found := re.match(r"   (\w+)$", line):
            names.append(f"{module}.{found[1]}")
    return names


def exported_names(path: Path) -> set[str]:
    """Names in the `__all__` of a module."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets) == "__all__":
            return set(ast.literal_eval(node.value))
    pytest.fail(f"{path.relative_to(ROOT)}:1: a public module has no __all__")


def test_each_public_name_has_a_page_in_the_api_reference():
    with_a_page = names_with_a_page()
    public = {
        ("skautoenc", name) for name in exported_names(ROOT / "skautoenc/__init__.py")
    }
    for path in (ROOT / "skautoenc").iterdir():
        if path.name.startswith("_") or not (path.is_dir() or path.suffix == ".py"):
            continue
        source = path / "__init__.py" if path.is_dir() else path
        # Names of `skautoenc` that a module has too are described once.
        public |= {
            (f"skautoenc.{path.stem}", name)
            for name in exported_names(source)
            if ("skautoenc", name) not in public
        }
    assert Counter(with_a_page) == Counter(map(".".join, public))


@pytest.mark.parametrize("cls", ESTIMATORS_AND_NETWORKS, ids=lambda cls: cls.__name__)
def test_the_html_representation_links_to_the_page_of_the_class(cls):
    shown = cls((8, 8, 1)) if cls is skautoenc.ConvNetwork else cls()
    pages = set(re.findall(r'https://skautoenc\.[^"#]*', shown._repr_html_()))
    name = f"skautoenc.{cls.__name__}"
    assert pages == {
        f"https://skautoenc.readthedocs.io/en/stable/generated/{name}.html"
    }
    assert name in names_with_a_page()


def test_the_html_representation_of_a_class_of_another_package_has_no_link():
    class Mine(skautoenc.AutoencoderTransformer):
        pass

    assert "readthedocs" not in Mine()._repr_html_()


def test_each_example_is_in_one_group_of_the_gallery():
    groups = (ROOT / "examples/index.rst").read_text(encoding="utf-8")
    examples = [path.name for path in (ROOT / "examples").glob("plot_*.py")]
    assert Counter(re.findall(r"\w+\.py", groups)) == Counter(examples)


def test_check_links_finds_files_and_anchors_that_do_not_exist(tmp_path):
    broken_links = runpy.run_path(str(ROOT / ".ci/check_links.py"))["broken_links"]
    (tmp_path / "a.html").write_text(
        '<h1 id="title"><a href="#title"><a href="b.html"><a href="b.html#there">'
        '<a href="b.html#gone"><a href="c.html"><img src="d.png">'
        '<a href="https://other.org/gone.html"><a href="?q=1">'
    )
    (tmp_path / "b.html").write_text('<p id="there"><a href="a.html#gone">')
    assert broken_links(tmp_path) == [
        "a.html: b.html#gone",
        "a.html: c.html",
        "a.html: d.png",
        "b.html: a.html#gone",
    ]
