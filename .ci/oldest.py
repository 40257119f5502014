"""Print the oldest versions that pyproject.toml allows, as pip's arguments."""

import tomllib
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
wanted = project["dependencies"] + project["optional-dependencies"]["test"]
print(*(requirement.replace(">=", "==") for requirement in wanted))
