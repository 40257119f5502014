"""Draw the pictures of the pages with the code of the pages.

python tests/draw_pictures.py              all pages
python tests/draw_pictures.py training     the named pages

A picture directly below a block of Python in docs/*.md is the last figure that the code
of the page has drawn so far. It is written to docs/images.
"""

import contextlib
import doctest
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(
    r"^```(?P<kind>python|pycon)\n(?P<code>.*?)^```$"
    r"(?:\n\n```text\n(?P<output>.*?)^```$)?"
    r"(?:\n\n!\[[^\]]*\]\((?P<picture>[^)]*)\))?",
    re.MULTILINE | re.DOTALL,
)


class Block(NamedTuple):
    """A block of Python in a page, and what is printed and drawn below it."""

    kind: str
    code: str
    output: str | None
    picture: str | None
    line: int

    def statements(self) -> str:
        if self.kind == "python":
            return self.code
        examples = doctest.DocTestParser().get_examples(self.code)
        return "".join(example.source for example in examples)


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for found in BLOCK.finditer(text):
        yield Block(**found.groupdict(), line=text.count("\n", 0, found.start("code")))


def draw(page: Path) -> None:
    """Run the code of a page down to its last picture, and write the pictures."""
    import matplotlib.pyplot as plt

    variables = {"__name__": "__main__"}
    all_blocks = list(blocks(page))
    while all_blocks and all_blocks[-1].picture is None:
        all_blocks.pop()
    for block in all_blocks:
        exec(block.statements(), variables)
        if block.picture is not None:
            path = page.parent / block.picture
            plt.gcf().savefig(path, dpi=100, facecolor="white")
            plt.close("all")
            print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    import matplotlib

    matplotlib.use("Agg")
    names = sys.argv[1:]
    pages = [ROOT / "docs" / f"{name}.md" for name in names]
    for page in pages or sorted((ROOT / "docs").glob("*.md")):
        # Some pages write files.
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            draw(page)
