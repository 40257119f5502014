"""The code in the pages of the documentation and in the README runs as printed.

A block of text after a block of Python is its output. What needs a GPU, a cluster or
files that a test does not have is in a block with the directive `code-block`, which is
not run.
"""

import doctest
import re
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(
    r"^```(python|pycon)\n(.*?)^```$(?:\n\n```text\n(.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)

PAGES = sorted(
    path
    for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    if BLOCK.search(path.read_text(encoding="utf-8"))
)


# scikit-learn's warning if a callback is to be called for each step of a pipeline.
@pytest.mark.filterwarnings("ignore:The estimator .* does not support callbacks")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_code_of_the_page_runs_and_prints_what_it_shows(
    page, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    text = page.read_text(encoding="utf-8")
    variables = {"__name__": "__main__"}
    for block in BLOCK.finditer(text):
        kind, code, output = block.groups()
        line = text.count("\n", 0, block.start(2))
        if kind == "python":
            capsys.readouterr()
            exec(compile("\n" * line + code, str(page), "exec"), variables)
            assert output in (None, capsys.readouterr().out)
            continue
        parser, checked = doctest.DocTestParser(), doctest.DocTestRunner(verbose=False)
        part = parser.get_doctest(code, variables, page.name, str(page), line)
        report: list[str] = []
        checked.run(part, out=report.append, clear_globs=False)
        variables = part.globs
        assert checked.failures == 0, "".join(report)
    plt.close("all")
