"""A notebook keeps with every picture the words that say what it shows."""

import base64
import html
import re
from io import BytesIO
from types import SimpleNamespace

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from IPython.core.formatters import DisplayFormatter
from IPython.core.pylabtools import select_figure_formats
from matplotlib.figure import Figure
from nbconvert import HTMLExporter
from PIL import Image

from a3c_lib.figures import diagrams, pictures, plots
from a3c_lib.figures.animation import animate


@pytest.fixture
def notebook():
    """What a kernel's shell makes of what a cell shows, by kind."""
    shell = SimpleNamespace(display_formatter=DisplayFormatter())
    select_figure_formats(shell, {"png"})  # as the kernel does when pyplot is imported
    pictures.teach(shell)
    select_figure_formats(shell, {"png"})  # and does once more, after the cell
    yield lambda shown: shell.display_formatter.format(shown)[0]
    plt.close("all")


IMAGE = re.compile(r'<img (?:alt="([^"]*)" )?width="(\d+)" src="data:image/png;base64,([^"]+)">')


def shown(data):
    """Words, width and pixels of the one picture in what a notebook keeps."""
    ((alt, width, png),) = IMAGE.findall(data["text/html"])
    return html.unescape(alt), int(width), Image.open(BytesIO(base64.b64decode(png)))


def test_a_figures_titles_axes_and_marks_are_its_words(notebook):
    left, right = plots.axes(columns=2)
    left.set(title="It rises", xlabel="steps", ylabel="return")
    left.plot([0, 1], label="A3C")
    left.legend()
    right.set(title="It falls", xlabel="steps")
    right.text(0, 0, "0.43")  # a number says nothing without its place
    data = notebook(left.figure)
    said = "It rises. It falls. Axes: steps; return; steps. Marked: A3C."
    assert set(data) == {"text/html", "text/plain"}  # and not the same pixels once more
    alt, width, image = shown(data)
    assert alt == data["text/plain"] == said
    assert width == image.width


def test_the_numbers_of_a_logarithmic_axis_are_no_words():
    ax = plots.axes()
    ax.plot([1, 2], [0.01, 100], label="norm")
    ax.set(title="It rises", yscale="log")
    ax.legend()
    assert pictures.description(ax.figure) == "It rises. Marked: norm."
    plt.close("all")


def test_the_words_reach_a_page_of_html():
    output = nbformat.v4.new_output("display_data", data=pictures.bundle(diagrams.two_heads()))
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("two", outputs=[output])])
    page, _ = HTMLExporter().from_notebook_node(book)
    alts = re.findall(r'<img[^>]*alt="([^"]*)"', page)
    assert alts == [pictures.description(diagrams.two_heads())]


def test_a_description_is_said_in_place_of_the_titles(notebook):
    ax = plots.axes()
    ax.set_title("It rises")
    plots.describe(ax, 'A curve, "steep".')
    assert shown(notebook(ax.figure))[0] == 'A curve, "steep".'


def test_a_figure_without_a_title_has_no_words(notebook):
    assert "alt" not in notebook(plots.axes().figure)["text/html"]


def test_an_empty_description_is_refused():
    with pytest.raises(ValueError, match="it is empty"):
        pictures.describe(Figure(), " ")


@pytest.mark.parametrize("label", ["value_map", "strip", "frames"])
def test_what_the_books_figures_call_their_title_is_found(label):
    draw = {
        "value_map": lambda: plots.value_map({"V": [1.0]}, title="Worth 1").figure,
        "strip": lambda: plots.strip({"β = 0": [1.0]}, title="Worth 1").figure,
        "frames": lambda: plots.frames([np.zeros((9, 9, 3), np.uint8)], ["Worth 1"])[0].figure,
    }
    assert pictures.description(draw[label]()).startswith("Worth 1.")
    plt.close("all")


def test_a_diagram_is_kept_with_twice_the_pixels_that_are_shown(notebook):
    diagram = diagrams.agent_and_world()
    alt, width, image = shown(notebook(diagram))
    assert alt == pictures.description(diagram)
    assert image.width == 2 * width == 2 * 660


def test_a_film_is_shown_large_with_its_words_and_can_be_put_away(notebook):
    for given, width in (96, 192), (400, 640):
        frames = [np.full((48, given, 3), grey, np.uint8) for grey in (0, 99)]
        data = notebook(animate(frames, alt="It brightens."))
        assert shown(data)[:2] == ("It brightens.", width)
        assert data["text/html"].startswith("<details open><summary>Film, 1 s")
        assert data["text/plain"].startswith("It brightens. (Animation: 2 frames of ")


def test_a_film_can_be_stopped_at_any_frame():
    film = animate([np.full((48, 96, 3), grey, np.uint8) for grey in (0, 80, 160)], alt="Brighter.")
    for frame, grey in (0, 0), (1, 80), (-1, 160):
        still = film.still(frame)
        assert still.frames == 1
        assert (
            np.asarray(Image.open(BytesIO(still.png)).convert("RGB"))[0, 0].tolist() == [grey] * 3
        )
    with pytest.raises(IndexError, match="from 0 to 2; got 3"):
        film.still(3)
