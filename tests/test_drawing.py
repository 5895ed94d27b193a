"""The parts that figures share: names that do not overlap, ranges, and a style that stays inside."""

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, strategies as st
from matplotlib.colors import to_rgb

from a3c_lib.figures import drawing

heights = st.lists(st.floats(0, 300), min_size=1, max_size=7)


@pytest.fixture(autouse=True)
def _no_figure_stays_open():
    yield
    plt.close("all")


@given(heights)
def test_names_come_to_stand_apart_and_in_order(given):
    moved = drawing.apart(np.array(given), gap=12.0)
    order = np.argsort(given)
    assert (np.diff(moved[order]) >= 12 - 1e-9).all()


@given(heights)
def test_names_that_have_room_stay_where_they_are(given):
    roomy = np.array(given) + 400 * np.arange(len(given))
    assert drawing.apart(roomy, gap=12.0) == pytest.approx(roomy)


def test_names_that_touch_give_way_by_the_same_amount():
    assert drawing.apart(np.array([50.0, 50.0]), gap=10.0).tolist() == [45, 55]


def test_the_style_is_in_force_while_a_figure_is_drawn_and_gone_afterwards():
    before = {name: plt.rcParams[name] for name in drawing.STYLE}
    ax = drawing.axes(height=2)
    assert ax.figure.dpi == drawing.STYLE["figure.dpi"]
    assert not ax.spines["top"].get_visible()
    assert before["figure.dpi"] != drawing.STYLE["figure.dpi"]
    assert {name: plt.rcParams[name] for name in drawing.STYLE} == before


def test_axes_come_alone_or_side_by_side():
    assert drawing.axes(6, 2).figure.get_size_inches().tolist() == [6, 2]
    assert len(drawing.axes(columns=3)) == 3
    assert len(drawing.axes(columns=1)) == 1


def test_a_long_title_is_broken_to_the_width_of_its_axes():
    title = "a title that says what to see and takes its time"
    wide, narrow = drawing.axes(), drawing.axes(columns=2)[0]
    drawing.entitle(wide, title)
    drawing.entitle(narrow, title)
    assert wide.get_title("left") == title
    assert narrow.get_title("left").split() == title.split()
    assert "\n" in narrow.get_title("left")


def test_the_title_stands_above_the_line_that_says_what_is_drawn():
    ax = drawing.axes()
    drawing.entitle(ax, "It learns\nin two lines", "median of 5 seeds")
    ax.figure.canvas.draw()
    title, said = ax._left_title, ax.texts[0]
    assert said.get_text() == "median of 5 seeds"
    assert title.get_window_extent().y0 >= said.get_window_extent().y1


def test_names_at_the_ends_of_curves_do_not_overlap():
    ax = drawing.axes()
    ax.plot([0, 1], [0, 1])
    ends = [drawing.End(1, y, f"curve {y}", drawing.BLUE) for y in (1.0, 0.99, 0.98, 0.2)]
    drawing.label_ends(ax, ends, {"a level": 0.985})
    ax.figure.canvas.draw()
    named = [text for text in ax.texts if text.get_text()]
    boxes = sorted((t.get_window_extent().y0, t.get_window_extent().y1) for t in named)
    # A box is a little higher than its letters.
    assert all(above[0] > below[1] - 3 for below, above in pairwise(boxes))


def test_the_name_of_a_curve_that_ends_early_lies_across_no_other():
    ax = drawing.axes()
    ax.plot([0, 10], [0.5, 0.5])
    ax.plot([0, 4], [0.0, 0.5])
    ax.set_xlim(0, 10)
    drawing.label_ends(ax, [drawing.End(4, 0.5, "early", "r"), drawing.End(10, 0.5, "late", "b")])
    ax.figure.canvas.draw()
    named = [text for text in ax.texts if text.get_text()]
    assert all(text.get_window_extent().x0 > ax.bbox.x1 for text in named)
    (leader,) = (text for text in ax.texts if not text.get_text())
    assert leader.xy == (4, 0.5)  # from where it ended
    assert leader.xyann == (10, 0.5)  # to its name


def test_a_view_holds_its_values_and_nothing_below_the_lowest():
    ax = drawing.axes()
    drawing.view(ax, [0.0, 10.0])
    assert ax.get_ylim() == pytest.approx((-0.6, 10.6))
    drawing.view(ax, [-50.0, 1.0], lowest=-1)
    assert ax.get_ylim() == pytest.approx((-1.12, 1.12))
    drawing.view(ax, [3.0])
    assert ax.get_ylim() == pytest.approx((2.5, 3.5))


MIXED = [
    tuple(1 - part * (1 - c) for c in to_rgb(colour))
    for colour in (drawing.BLUE, drawing.ORANGE)
    for part in np.linspace(0, 1, 21)
]


@pytest.mark.parametrize("colour", [*drawing.PALETTE, drawing.LIGHT_GREY, *MIXED])
def test_numbers_can_be_read_on_every_colour(colour):
    ax = drawing.axes()
    drawing.block(ax, 0, 0, 1, colour, "0.50")
    ink = to_rgb(ax.texts[0].get_color())
    assert contrast(ink, to_rgb(colour)) > 3  # WCAG's bound for large letters and for graphics


@pytest.mark.parametrize("colour", drawing.PALETTE)
def test_letters_in_every_colour_can_be_read_on_white(colour):
    rgb, letters = (np.array(to_rgb(c)) for c in (colour, drawing.ink(colour)))
    assert contrast(letters, np.ones(3)) >= 4.5
    assert np.allclose(letters * rgb.max(), rgb * letters.max(), atol=0.01)  # of the same hue
    assert (drawing.ink(colour) == colour) == (contrast(rgb, np.ones(3)) >= 4.5)


def contrast(one, other):
    """WCAG 2: ratio of relative luminances."""
    low, high = sorted(luminance(np.array(colour)) for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


def luminance(rgb):
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])
