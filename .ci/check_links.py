"""Check the links within a built site: python .ci/check_links.py FOLDER.

Prints links whose file or anchor does not exist. Addresses of other sites are not
checked.
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """The links of a page, and the anchors that links can name."""

    def __init__(self, path: Path):
        super().__init__()
        self.links: set[str] = set()
        self.anchors: set[str | None] = {"", "top"}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.links |= {values[key] for key in ("href", "src") if values.get(key)}
        self.anchors |= {values.get("id"), values.get("name")}


def broken_links(folder: Path) -> list[str]:
    """Return "page: link" for each link to a file or an anchor that does not exist."""
    folder = folder.resolve()
    paths = [path for path in folder.rglob("*.html") if "_static" not in path.parts]
    pages = {path: Page(path) for path in sorted(paths)}
    broken = []
    for path, page in pages.items():
        for link in sorted(page.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            # A link without a path is to an anchor of the same page.
            target = (path.parent / unquote(parts.path)).resolve()
            target = target if parts.path else path
            found = target.is_file()
            if target in pages:
                found = unquote(parts.fragment) in pages[target].anchors
            if not found:
                broken.append(f"{path.relative_to(folder)}: {link}")
    return broken


if __name__ == "__main__":
    broken = broken_links(Path(sys.argv[1]))
    print(*broken, f"{len(broken)} broken links", sep="\n")
    sys.exit(bool(broken))
