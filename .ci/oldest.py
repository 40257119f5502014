"""Print the minimum versions in pyproject.toml as requirements for pip."""

import tomllib
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
requirements = project["dependencies"] + project["optional-dependencies"]["test"]
print(*(requirement.replace(">=", "==") for requirement in requirements))
