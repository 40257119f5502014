import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import skautoenc


def test_show_versions_names_the_system_and_each_required_package(capsys):
    skautoenc.show_versions()
    lines = dict(line.split(": ", 1) for line in capsys.readouterr().out.splitlines())
    assert lines["skautoenc"] == skautoenc.__version__
    assert lines["Python"].startswith(sys.version.split()[0])
    for name in ("tensorflow", "keras", "scikit-learn", "numpy", "matplotlib"):
        assert lines[name] == metadata.version(name)
    assert "pytest" not in lines


def test_show_versions_imports_neither_keras_nor_tensorflow():
    code = (
        "import sys, skautoenc; skautoenc.show_versions(); "
        "assert not {'keras', 'tensorflow'} & set(sys.modules)"
    )
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    run = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "KERAS_BACKEND: jax\n" in run.stdout


def test_show_versions_and_the_citation_have_the_same_version():
    citation = (Path(__file__).parents[1] / "CITATION.cff").read_text()
    assert f"\nversion: {skautoenc.__version__}\n" in citation
