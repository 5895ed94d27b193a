"""What is wrong with the built site.

    python tools/websitecheck.py [FOLDER]     a line for each fault; build/site if no folder is named

Nothing of it may come from another host, so that the site can be read offline and tells nobody what
is read. Links to other sites are a reader's to follow.
"""

import re
import sys
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LARGEST = 2_000_000  # bytes of a page
# What makes a browser fetch something when the page is opened.
LOADED = {
    ("audio", "src"),
    ("embed", "src"),
    ("iframe", "src"),
    ("img", "src"),
    ("img", "srcset"),
    ("img", "data-still"),
    ("input", "src"),
    ("link", "href"),
    ("object", "data"),
    ("script", "src"),
    ("source", "src"),
    ("source", "srcset"),
    ("track", "src"),
    ("video", "poster"),
    ("video", "src"),
}
ELSEWHERE = re.compile(r"(?:https?:)?//", re.IGNORECASE)
IN_STYLE = re.compile(r"(?:@import\s+|url\(\s*)[\"']?((?:https?:)?//[^\"')\s]+)", re.IGNORECASE)
# A script may name another host, and none of ours may ask one. These are names of formats, notes on
# where a library comes from, and the parts of MathJax that `web/conf.py` switches off.
NAMED_ONLY = (
    "cdn.jsdelivr.net/npm/speech-rule-engine@",
    "cdn.jsdelivr.net/npm/sre-mathmaps-ie@",
    "cdn.jsdelivr.net/npm/wicked-good-xpath@1.3.0/dist/wgxpath.install.js",
    "clipboardjs.com",
    "developer.mozilla.org",
    "fontawesome.com",
    "getbootstrap.com",
    "github.com",
    "pydata-sphinx-theme.readthedocs.io",
    "snowballstem.org",
    "www.mathjax.org",
    "www.sphinx-doc.org",
    "www.w3.org",
)


class Page(HTMLParser):
    """Of a page: its anchors, its links, what it loads, and which pictures are without words."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.wordless: list[str] = []
        self.doubled: list[str] = []
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if name := found.get("id"):
            if name in self.anchors:
                self.doubled.append(name)
            self.anchors.add(name)
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        if tag == "img" and not found.get("alt", "").strip():
            self.wordless.append(found.get("src", ""))
        self.loads += [value for name, value in found.items() if (tag, name) in LOADED]
        self.loads += IN_STYLE.findall(found.get("style", ""))


def faults(site: Path) -> list[str]:
    """All that is wrong, a line each."""
    pages = sorted(site.rglob("*.html"))
    if not pages:
        return [f"there is no page in {site}"]
    return [
        f"{path.relative_to(site)}: {fault}"
        for path in sorted(site.rglob("*"))
        if path.is_file()
        for fault in faults_of(path, site)
    ]


def faults_of(path: Path, site: Path) -> Iterator[str]:
    if path.suffix == ".html":
        page = parsed(path)
        if (size := path.stat().st_size) > LARGEST:
            yield f"{size:,} bytes; a page has at most {LARGEST:,}"
        yield from (f"a picture without words: {each}" for each in page.wordless)
        yield from (f"two elements with the id {each}" for each in page.doubled)
        for target in page.loads:
            if ELSEWHERE.match(target):
                yield f"loads {target} from another host"
            elif fault := dead(target, path, site):
                yield fault
        yield from filter(None, (dead(link, path, site) for link in page.links))
    elif path.suffix == ".css":
        for target in IN_STYLE.findall(path.read_text("utf-8")):
            yield f"loads {target} from another host"
    elif path.suffix == ".js":
        yield from (f"names another host: {host}" for host in hosts(path.read_text("utf-8")))


def hosts(script: str) -> list[str]:
    """What a script names of other hosts, but for what is known to be a name only."""
    named = re.findall(r"https?://([\w.-]+\.\w+[^\s\"'`)\\]*)", script)
    return sorted({each for each in named if not each.startswith(NAMED_ONLY)})


def dead(link: str, path: Path, site: Path) -> str:
    """What is wrong with a link of a page; empty if it leads somewhere, or out of the site."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return ""
    place = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if place.is_dir():
        place /= "index.html"
    if not place.is_relative_to(site.resolve()) or not place.is_file():
        return f"there is no {link}"
    anchor = unquote(parts.fragment)
    if anchor and place.suffix == ".html" and anchor not in parsed(place).anchors:
        return f"there is no {link}"
    return ""


@cache
def parsed(path: Path) -> Page:
    return Page(path.read_text("utf-8"))


if __name__ == "__main__":
    folder = sys.argv[1:] or [str(Path(__file__).resolve().parent.parent / "build" / "site")]
    raise SystemExit("\n".join(faults(Path(folder[0]).resolve())) or 0)
