"""The code in the pages of the documentation and in the README runs as printed.

A block of text after a block of Python is its output, and a picture its last figure.
What needs a GPU, a cluster or files that a test does not have is in a block with the
directive `code-block`, which is not run.
"""

import doctest

import matplotlib.pyplot as plt
import pytest
from draw_pictures import ROOT, blocks

PAGES = [
    page for page in [ROOT / "README.md", *ROOT.glob("docs/*.md")] if [*blocks(page)]
]


# scikit-learn's warning if a callback is to be called for each step of a pipeline.
@pytest.mark.filterwarnings("ignore:The estimator .* does not support callbacks")
@pytest.mark.parametrize("page", sorted(PAGES), ids=lambda page: page.stem)
def test_the_code_of_the_page_runs_and_prints_and_draws_what_it_shows(
    page, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    variables = {"__name__": "__main__"}
    for block in blocks(page):
        if block.kind == "python":
            capsys.readouterr()
            exec(compile("\n" * block.line + block.code, str(page), "exec"), variables)
            assert block.output in (None, capsys.readouterr().out)
        else:
            checked = doctest.DocTestRunner(verbose=False)
            part = doctest.DocTestParser().get_doctest(
                block.code, variables, page.name, str(page), block.line
            )
            report: list[str] = []
            checked.run(part, out=report.append, clear_globs=False)
            variables = part.globs
            assert checked.failures == 0, "".join(report)
        if block.picture is not None:
            # It is drawn again by ``python tests/draw_pictures.py``.
            assert (page.parent / block.picture).exists()
            assert plt.get_fignums(), f"{page.name}: no figure for {block.picture}"
            plt.close("all")
    plt.close("all")
