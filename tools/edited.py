"""Of the changed notebooks whose paths come on stdin, print those that a reader has edited or run.

A viewer that opens a notebook writes the kernel's name into its metadata, and folds cells; that is
no edit. A file that is no notebook counts as edited. Called by tools/update.sh, with any Python.
"""

import json
import subprocess
import sys
from typing import Any


def main() -> None:
    for line in sys.stdin:
        path = line.rstrip("\n")
        with open(path, encoding="utf-8") as file:  # noqa: PTH123  in any Python
            theirs = file.read()
        ours = subprocess.run(["git", "show", f"HEAD:{path}"], capture_output=True, check=True)
        if content(theirs) != content(ours.stdout.decode("utf-8")):
            print(line, end="")


def content(text: str) -> Any:
    """What a reader can write into a notebook: its cells, their tags and their outputs."""
    try:
        return [
            [cell["cell_type"], whole(cell["source"]), cell["metadata"].get("tags")]
            + [whole(cell.get(part)) for part in ("outputs", "attachments")]
            for cell in json.loads(text)["cells"]
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        return text


def whole(value: Any) -> Any:
    """A value in which texts that are kept line by line are one, in whatever order keys stand."""
    if isinstance(value, list) and value and all(isinstance(line, str) for line in value):
        return "".join(value)
    if isinstance(value, list):
        return [whole(each) for each in value]
    if isinstance(value, dict):
        return {key: whole(each) for key, each in value.items()}
    return value


if __name__ == "__main__":
    main()
