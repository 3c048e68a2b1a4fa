"""Prints the lower bounds of pyproject.toml as constraints for pip: `make test-lowest` installs them."""

import re
import sys
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
for line in project["dependencies"] + sum(project["optional-dependencies"].values(), []):
    print(re.sub(r">=([^,;]+),[^;]+", r"==\1", line))
