"""How Sphinx makes the book's web site. `make site` calls it, on what tools/website.py wrote."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

import address
import docstrings

import a3c_lib

project = "Asynchronous actor-critic methods, step by step"
author = "the a3c_lib authors"
copyright = f"2026, {author}"
version = release = a3c_lib.__version__
language = "en"

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.viewcode", "sphinx_copybutton"]
nb_execution_mode = "off"  # what the book shows was run when the book was built
nb_merge_streams = True
nb_code_prompt_show = "Show the {type}"
nb_code_prompt_hide = "Hide the {type}"
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 6
myst_links_external_new_tab = False
suppress_warnings = [
    "myst.header"
]  # a chapter's exercise stands one level below its section, or two

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_default_options = {"members": True, "undoc-members": True, "show-inheritance": True}
add_module_names = False
viewcode_follow_imported_members = False

html_theme = "sphinx_book_theme"
html_title = "A3C, step by step"
html_static_path = ["static"]
html_css_files = ["book.css"]
html_js_files = [(f"{name}.js", {"defer": "defer"}) for name in ("film", "formulas", "search")]
html_favicon = "static/favicon.svg"
html_search_scorer = str(ROOT / "web" / "scorer.js")
html_context = {"default_mode": "auto"}  # light or dark, as the reader's system is
html_copy_source = False
html_show_sourcelink = False
html_last_updated_fmt = None
html_theme_options = {
    "home_page_in_toc": True,
    "show_navbar_depth": 1,
    "show_toc_level": 2,
    "use_download_button": False,
    "use_fullscreen_button": False,
    "navigation_with_keys": True,
    "navbar_start": [],
    "navbar_center": [],
    "navbar_end": [],
    "navbar_persistent": [],
}
if known := address.repository():
    html_theme_options |= {"repository_url": known.url, "use_repository_button": True}

# MathJax lies beside the pages. Its menu and its speech would fetch parts from another host.
mathjax_path = "mathjax/tex-svg.js"
mathjax3_config = {"options": {"enableMenu": False}}
copybutton_exclude = ".linenos, .gp, .go"


def setup(app):
    """Called by Sphinx before it builds."""
    app.connect("autodoc-process-docstring", docstrings.process)
    app.connect("autodoc-process-signature", docstrings.process_signature)
    app.connect("doctree-read", docstrings.process_tree)
