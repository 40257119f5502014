"""The drawing of the layout in the documentation."""

from draw_layout import PICTURE, svg


def test_the_drawing_of_the_layout_shows_the_imports_of_the_package():
    """After a change of the imports, run ``python tests/draw_layout.py``."""
    assert PICTURE.read_text(encoding="utf-8") == svg()
