"""Every diagram says what it shows, fits its sheet, and has no words upon words or upon a line."""

import inspect
import itertools
from collections.abc import Iterator
from fractions import Fraction

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.patches import FancyArrowPatch
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from a3c_lib.figures import diagrams
from a3c_lib.figures.drawing import STYLE
from a3c_lib.figures.pictures import Sharp, description

DIAGRAMS = {
    name: draw
    for name, draw in vars(diagrams).items()
    if inspect.isfunction(draw) and inspect.signature(draw).return_annotation is Sharp
}
OTHERS = {
    "look_ahead, n": lambda: diagrams.look_ahead(6, n=3),
    "look_ahead, one": lambda: diagrams.look_ahead(5, n=1),
    "one_update, for the worse": lambda: diagrams.one_update((0.7, 0.3), 1, -2.0),
    "one_update, three": lambda: diagrams.one_update((0.2, 0.5, 0.3), 0, names=("a", "b", "c")),
    "workers, four": lambda: diagrams.workers(4),
    "three_targets, one": lambda: diagrams.three_targets(1),
    "three_targets, four": lambda: diagrams.three_targets(4),
    "target_network, one": lambda: diagrams.target_network((0.1,)),
    "target_network, four": lambda: diagrams.target_network((0.1, 0.01, 0.5, 0.1)),
    "replay_memory, written for the first time": lambda: diagrams.replay_memory(4, 4),
    "replay_memory, the last place is next": lambda: diagrams.replay_memory(6, 13),
    "lambda_weights, two": lambda: diagrams.lambda_weights(2, 0.0),
    "lambda_weights, all on the last": lambda: diagrams.lambda_weights(6, 1.0),
}

every_diagram = pytest.mark.parametrize("draw", (DIAGRAMS | OTHERS).values(), ids=DIAGRAMS | OTHERS)


def words(diagram: Sharp) -> list[tuple[Text, Bbox]]:
    """Texts, and the pixels that they cover, less a little at each side."""
    diagram.canvas.draw()
    texts = [text for text in diagram.axes[0].texts if text.get_text()]
    return [(text, text.get_window_extent().padded(-2)) for text in texts]


def strokes(diagram: Sharp) -> Iterator[Path]:
    """Lines and arrows, in pixels."""
    for path in paths(diagram):
        yield from map(Path, path.to_polygons(closed_only=False))


def paths(diagram: Sharp) -> Iterator[Path]:
    (ax,) = diagram.axes
    for line in ax.lines:
        if len(line.get_xdata()) > 1 and line.get_linestyle() != "None":
            yield line.get_path().transformed(line.get_transform())
    for patch in ax.patches:
        if isinstance(patch, FancyArrowPatch):
            yield patch.get_path().transformed(ax.transData)


def test_all_that_are_promised_are_there() -> None:
    assert len(DIAGRAMS) >= 9


@every_diagram
def test_it_says_what_it_shows(draw) -> None:
    assert description(draw()).endswith(".")
    assert len(description(draw()).split()) > 15


@every_diagram
def test_no_words_lie_upon_others_or_beyond_the_sheet(draw) -> None:
    diagram = draw()
    placed = words(diagram)
    for text, extent in placed:
        assert diagram.bbox.containsx(extent.x0), text
        assert diagram.bbox.containsx(extent.x1), text
        assert diagram.bbox.containsy(extent.y0), text
        assert diagram.bbox.containsy(extent.y1), text
    for (text, one), (other, two) in itertools.combinations(placed, 2):
        assert not one.overlaps(two), (text, other)


@every_diagram
def test_no_words_lie_across_a_line(draw) -> None:
    diagram = draw()
    for text, extent in words(diagram):
        for path in strokes(diagram):
            assert not path.intersects_bbox(extent, filled=False), (text, path)


def test_it_looks_the_same_in_whatever_style_a_notebook_draws() -> None:
    plain = diagrams.agent_and_world().png()
    with plt.rc_context(STYLE):
        assert diagrams.agent_and_world().png() == plain


def test_an_update_is_a_step_along_the_gradient_of_the_log_probability() -> None:
    pi = np.array([0.2, 0.5, 0.3])
    logits = np.log(pi) + 0.7 * (np.array([0, 1, 0]) - pi)  # ∇ log π(1) = 1 at action 1, minus π
    expected = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(diagrams.updated(pi, 1, 0.7), expected)
    assert diagrams.updated(pi, 1, 0.7)[1] > pi[1] > diagrams.updated(pi, 1, -0.7)[1]


def test_a_return_looks_no_farther_than_the_rollout() -> None:
    said = [text.get_text() for text in diagrams.look_ahead(4, n=3).axes[0].texts]
    looks = [text for text in said if text.endswith("then V")]
    assert looks == ["3 steps, then V", "3 steps, then V", "2 steps, then V", "1 step, then V"]


def test_of_three_targets_each_takes_one_value_and_sarsa_not_the_largest() -> None:
    (ax,) = diagrams.three_targets(3).axes
    squares = [line for line in ax.lines if line.get_marker() == "s"][:9]  # then the legend's
    taken = [line.get_markerfacecolor() != "white" for line in squares]
    assert taken == [True, False, False, False, True, False, True, False, False]
    rewards = [line for line in ax.lines if line.get_color() == diagrams.BLUE]
    assert len(rewards) == 1 + 1 + 3 + 1  # the last is the legend's


def test_workers_change_theta_and_only_the_copy_changes_what_stands_still() -> None:
    (ax,) = diagrams.target_network((0.1, 0.5)).axes
    arrows = [each for each in ax.patches if isinstance(each, FancyArrowPatch)]
    heights = [(begin[1], end[1]) for begin, end in (each._posA_posB for each in arrows)]
    above, below = ax.get_ylim()[1] * 0.8, ax.get_ylim()[1] * 0.2
    into_theta = [begin for begin, end in heights if end > above]
    into_target = [begin for begin, end in heights if end < below]
    assert len(into_theta) == 2
    assert max(into_theta) < above
    assert len(into_target) == 1
    assert into_target[0] > above


@pytest.mark.parametrize("written", [5, 7, 11, 23])
def test_a_replay_memory_holds_the_latest_steps_and_has_one_place_for_what_comes(written) -> None:
    said = [text.get_text() for text in diagrams.replay_memory(5, written).axes[0].texts]
    places = [text for text in said if text.startswith("step ") or text == "seen last"]
    assert sorted(int(text.split()[1]) for text in places if text != "seen last") == list(
        range(written - 5, written)
    )
    assert places.index("seen last") == written % 6
    assert places[(written - 1) % 6] == f"step {written - 1}"


@pytest.mark.parametrize(
    ("draw", "said"),
    [
        (lambda: diagrams.undecided([(1.0,)]), "has 2 probabilities"),
        (lambda: diagrams.look_ahead(0), "at least 1; got 0 and None"),
        (lambda: diagrams.workers(9), "from 1 to 4"),
        (lambda: diagrams.rollout_grid([[0]], [[0, 1]]), r"got shapes \(1, 1\) and \(1, 2\)"),
        (lambda: diagrams.one_update((0.5, 0.5), 2), "belong to 2 names"),
        (lambda: diagrams.convolutions(kernels=()), "3 shapes need 2 kernels; got 0"),
        (lambda: diagrams.three_targets(5), "from 1 to 4, as many as can be drawn; got 5"),
        (lambda: diagrams.target_network(()), "from 1 to 4, as many as can be drawn; got 0"),
        (lambda: diagrams.replay_memory(5, 4), "at least as many; got 5 and 4"),
        (lambda: diagrams.lambda_weights(7), "from 2 to 6, as many as can be drawn"),
        (lambda: diagrams.lambda_weights(3, 1.5), r"lambda_ in \[0, 1\]; got 3 and 1.5"),
    ],
)
def test_what_cannot_be_drawn_is_refused(draw, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        draw()


@pytest.mark.parametrize("lambda_", [0.5, 0.1, 0.9])
def test_the_weights_of_a_lambda_return_add_up_to_1_as_they_are_printed(lambda_: float) -> None:
    texts = [text.get_text() for text in diagrams.lambda_weights(6, lambda_).axes[0].texts]
    printed = [Fraction(text) for text in texts if text.startswith("0.")]
    assert len(printed) == 6
    assert sum(printed) == 1
