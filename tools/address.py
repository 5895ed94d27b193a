"""Where the book's repository is, and what follows from that: the buttons that open a chapter.

    python tools/address.py     write the buttons into README.md

The address stands in pyproject.toml, `[project.urls]`, and nowhere else. As long as it does not
stand there, there are no buttons.
"""

import re
import tomllib
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- buttons, by tools/address.py -->\n", "<!-- end of the buttons -->\n"
FIRST = "chapters/00_the_loop.ipynb"


class Repository(NamedTuple):
    """A repository on GitHub, which is where the services below look for notebooks."""

    owner: str
    name: str
    branch: str = "main"

    @property
    def url(self) -> str:
        return f"https://github.com/{self.owner}/{self.name}"

    def buttons(self, notebook: str) -> dict[str, str]:
        """What opens a notebook in one click: the service's name, and the link.

        >>> for name, link in Repository("me", "book").buttons("chapters/01.ipynb").items():
        ...     print(name, link)
        Colab https://colab.research.google.com/github/me/book/blob/main/chapters/01.ipynb
        Binder https://mybinder.org/v2/gh/me/book/main?urlpath=lab/tree/chapters/01.ipynb
        Codespaces https://codespaces.new/me/book
        """
        place = f"{self.owner}/{self.name}"
        return {
            "Colab": f"https://colab.research.google.com/github/{place}/blob/{self.branch}/{notebook}",
            "Binder": f"https://mybinder.org/v2/gh/{place}/{self.branch}?urlpath=lab/tree/{notebook}",
            "Codespaces": f"https://codespaces.new/{place}",
        }

    def line(self, notebook: str) -> str:
        """The buttons as a line of Markdown."""
        links = [f"[{name}]({link})" for name, link in self.buttons(notebook).items()]
        return f"Open without installing: {' · '.join(links)}"


def repository(root: Path = ROOT) -> Repository | None:
    """The address in pyproject.toml; None where there is none."""
    table = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    url = table["project"].get("urls", {}).get("Repository")
    return parsed(url) if url else None


def parsed(url: str) -> Repository:
    """An address taken apart. Raises ValueError for one that is not of GitHub.

    >>> parsed("https://github.com/me/book")
    Repository(owner='me', name='book', branch='main')
    """
    found = re.fullmatch(r"https://github\.com/([\w-]+)/([\w.-]+?)(?:\.git)?/?", url)
    if found is None:
        raise ValueError(f"the repository is https://github.com/OWNER/NAME; got {url!r}")
    return Repository(found[1], found[2])


def with_buttons(readme: str, known: Repository | None) -> str:
    """README with the buttons of the first chapter, or without any where no address is known."""
    before, found, rest = readme.partition(BEGIN)
    if not found or END not in rest:
        raise ValueError(f"README.md has no place for the buttons, between {BEGIN!r} and {END!r}")
    line = f"{known.line(FIRST)}\n" if known else ""
    return before + BEGIN + line + rest[rest.index(END) :]


if __name__ == "__main__":
    path = ROOT / "README.md"
    path.write_text(with_buttons(path.read_text(encoding="utf-8"), repository()), encoding="utf-8")
