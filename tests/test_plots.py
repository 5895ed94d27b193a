"""What is drawn is what was given: lines, bands, cells, bars and the words beside them."""

import math
from itertools import pairwise
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from a3c_lib.figures import drawing, plots
from a3c_lib.worlds.envs import corridor
from a3c_lib.worlds.exact import optimal_values

ONE, TWO = ([0, 10, 20], [0.0, 1.0, 4.0]), ([0, 10, 20], [2.0, 3.0, 8.0])
THREE = ([0, 10, 20], [1.0, 8.0, 9.0])


@pytest.fixture(autouse=True)
def _no_figure_stays_open():
    yield
    plt.close("all")


def words(ax):
    return [text.get_text() for text in ax.texts]


def band(ax, which=0):
    """Lower and upper edge of a band, at its steps."""
    points = ax.collections[which].get_paths()[0].vertices
    steps = sorted(set(points[:, 0]))
    heights = [points[points[:, 0] == step, 1] for step in steps]
    return [float(h.min()) for h in heights], [float(h.max()) for h in heights]


def blocks(ax):
    """Bottom left corner, width and height of the rectangles."""
    return [(p.get_x(), p.get_y(), p.get_width(), p.get_height()) for p in ax.patches]


def update(steps, **signals):
    return SimpleNamespace(steps=steps, **signals)


# Updates that are kept by signal


class Columns(list):
    """Updates of which nobody asks each for its signals."""

    def column(self, name):
        return np.array([vars(each)[name] for each in self], float)


def test_signals_of_columns_are_those_of_updates():
    updates = [update(10, entropy=0.7), update(20, entropy=math.nan), update(30, entropy=0.1)]
    drawn = [
        [line.get_xydata().tolist() for line in plots.signals(runs, names=["entropy"])[0].lines]
        for runs in (updates, Columns(updates))
    ]
    assert drawn[0] == drawn[1]
    assert drawn[0][1] == [[10, 0.7], [30, 0.1]]


# Learning curves


def test_the_median_is_drawn_with_a_band_from_the_lowest_to_the_highest_seed():
    ax = plots.learning_curves({"one": [ONE, TWO, THREE]})
    assert ax.lines[0].get_xdata().tolist() == [0, 10, 20]
    assert ax.lines[0].get_ydata().tolist() == [1, 3, 8]
    assert band(ax) == ([0, 1, 4], [2, 8, 9])
    assert "median of 3 seeds, band: min to max" in words(ax)


def test_the_mean_is_drawn_with_a_band_of_two_standard_errors():
    ax = plots.learning_curves({"one": [ONE, TWO, THREE]}, centre="mean")
    assert ax.lines[0].get_ydata() == pytest.approx([1, 4, 7])
    low, high = band(ax)
    # standard deviations 1, √13, √7 (with n − 1)
    margins = [2 * math.sqrt(variance / 3) for variance in (1, 13, 7)]
    assert high == pytest.approx([1 + margins[0], 4 + margins[1], 7 + margins[2]])
    assert low == pytest.approx([1 - margins[0], 4 - margins[1], 7 - margins[2]])
    assert "mean of 3 seeds, band: ± 2 standard errors" in words(ax)


def test_each_seed_can_be_drawn_as_a_line_of_its_own():
    ax = plots.learning_curves({"one": [ONE, TWO]}, each_seed=True)
    assert [line.get_ydata().tolist() for line in ax.lines] == [[1, 2, 6], ONE[1], TWO[1]]
    assert not ax.collections
    assert "median of 2 seeds, thin: each seed" in words(ax)


def test_seeds_of_different_lengths_are_compared_where_all_of_them_have_steps():
    ax = plots.learning_curves({"one": [([0, 10, 30], [0, 1, 3]), ([5, 25], [5, 25])]})
    assert ax.lines[0].get_xdata().tolist() == [5, 10, 25]
    assert ax.lines[0].get_ydata() == pytest.approx([(0.5 + 5) / 2, (1 + 10) / 2, (2.5 + 25) / 2])


def test_updates_in_which_no_episode_ended_are_left_out():
    ax = plots.learning_curves({"one": [([0, 5, 10], [1.0, math.nan, 3.0])]})
    assert ax.lines[0].get_xdata().tolist() == [0, 10]
    assert ax.lines[0].get_ydata().tolist() == [1, 3]


def test_what_is_infinite_spoils_no_mean():
    curve = [0, 5, 10, 15], [1.0, math.inf, 3.0, 5.0]
    ax = plots.learning_curves({"one": [curve]}, window=10)
    assert ax.lines[0].get_ydata().tolist() == [1, 3, 4]


def test_more_actions_than_colours_are_refused():
    with pytest.raises(ValueError, match="at most 7 actions have a colour each; got 8"):
        plots.policy_bars(np.full((2, 8), 1 / 8), list("abcdefgh"))


def test_a_window_averages_over_the_steps_before_and_the_figure_says_so():
    steps, values = list(range(0, 5000, 1000)), [0.0, 2.0, 4.0, 6.0, 8.0]
    ax = plots.learning_curves({"one": [(steps, values)]}, window=2000)
    assert ax.lines[0].get_ydata().tolist() == [0, 1, 3, 5, 7]
    assert "1 seed; each value a mean over 2,000 steps" in words(ax)


def test_a_long_curve_is_drawn_at_four_hundred_steps():
    steps = np.arange(10_000)
    ax = plots.learning_curves({"one": [(steps, steps * 2.0)]})
    assert len(ax.lines[0].get_xdata()) == 400
    assert ax.lines[0].get_ydata() == pytest.approx(2 * ax.lines[0].get_xdata())


@pytest.mark.parametrize("last", [3, 19, 2000])
def test_a_tick_stands_where_its_label_says(last):
    ax = plots.learning_curves({"one": [([0, last], [0.0, 1.0])]})
    ax.figure.canvas.draw()
    ticks = [(tick.get_loc(), tick.label1.get_text()) for tick in ax.xaxis.get_major_ticks()]
    assert all(f"{at:,g}" == label for at, label in ticks)
    assert len(ticks) >= 3


@pytest.mark.parametrize(("width", "last"), [(7, 200_000), (4, 100_000), (5, 4_000), (12, 9)])
def test_labels_of_steps_have_room_beside_each_other(width, last):
    ax = plots.learning_curves(
        {"a curve with a long name": [([0, last], [0.0, 1.0])]}, ax=plots.axes(width)
    )
    ax.figure.canvas.draw()
    low, high = ax.get_xlim()
    boxes = [
        tick.label1.get_window_extent()
        for tick in ax.xaxis.get_major_ticks()
        if low <= tick.get_loc() <= high
    ]
    assert len(boxes) >= 2
    gap = 4 * ax.figure.dpi / 72  # points
    assert all(left.x1 + gap < right.x0 for left, right in pairwise(boxes))


def test_curves_and_levels_are_named_at_their_ends_in_their_colours():
    ax = plots.learning_curves({"one": [ONE], "two": [TWO]}, lines={"V*": 5.0})
    named = {text.get_text(): text for text in ax.texts}
    assert named["one"].xy == (20, 4)
    assert named["two"].xy == (20, 8)
    assert named["V*"].xy == (20, 5)
    assert named["one"].get_color() == ax.lines[0].get_color() == plots.BLUE
    assert named["two"].get_color() == plots.ink(ax.lines[1].get_color()) == plots.ink(plots.RED)
    assert list(ax.lines[2].get_ydata()) == [5, 5]


def test_settings_with_different_numbers_of_seeds_say_how_many_each_has():
    ax = plots.learning_curves({"one": [ONE], "two": [ONE, TWO]})
    assert {"one (1 seed)", "two (2 seeds)"} < set(words(ax))
    assert "median of the seeds, band: min to max" in words(ax)


def test_a_figure_is_drawn_on_the_axes_that_it_is_given():
    left, right = plots.axes(columns=2)
    assert plots.learning_curves({"one": [ONE]}, ax=right, title="Right", y_label="J") is right
    assert right.get_title("left") == "Right"
    assert right.get_ylabel() == "J"
    assert not left.lines
    assert len(plt.get_fignums()) == 1


@pytest.mark.parametrize(
    ("curves", "options", "message"),
    [
        ({}, {}, "curves is empty"),
        ({"one": []}, {}, r"curves\['one'\] is empty"),
        ({str(k): [ONE] for k in range(8)}, {}, "at most 7 entries, one a colour; got 8"),
        ({"one": ONE}, {}, r"a list with one pair \(steps, values\) a seed"),
        ({"one": [([0, 1], [1.0, 2.0, 3.0])]}, {}, r"both \(K,\); got \[\(2,\), \(3,\)\]"),
        ({"one": [([1, 0], [1.0, 2.0])]}, {}, r"steps must not decrease; got \[1.0, 0.0\]"),
        ({"one": [([0, 1], [math.nan, math.nan])]}, {}, "a seed has no values"),
        ({"one": [([0, 1], [1, 2]), ([2, 3], [1, 2])]}, {}, "no range of steps in common"),
        ({"one": [ONE]}, {"centre": "mode"}, "'median' or 'mean'; got 'mode'"),
        ({"one": [ONE]}, {"window": -1}, "at least 0; got -1"),
    ],
)
def test_curves_that_cannot_be_drawn_are_named(curves, options, message):
    with pytest.raises(ValueError, match=message):
        plots.learning_curves(curves, **options)
    assert not plt.get_fignums()


def test_a_moving_mean_equals_the_mean_that_it_abbreviates():
    rng = np.random.default_rng(0)
    steps = np.sort(rng.integers(0, 100, 50))
    values = rng.normal(size=50)
    slow = [values[(steps > s - 17) & (steps <= s)].mean() for s in steps]
    assert plots.moving_mean(steps, values, window=17) == pytest.approx(slow)
    assert plots.moving_mean(steps, values, window=0) == pytest.approx(values)


# Signals


def test_each_signal_has_a_panel_with_its_values_and_their_moving_mean():
    updates = [update(10 * k, episode_return=float(k), entropy=0.7 - 0.1 * k) for k in range(1, 5)]
    panels = plots.signals(updates, window=20)
    assert [ax.get_title("left") for ax in panels] == ["episode return", "entropy (nats)"]
    mean, raw = panels[0].lines
    assert raw.get_xdata().tolist() == [10, 20, 30, 40]
    assert raw.get_ydata().tolist() == [1, 2, 3, 4]
    assert mean.get_ydata().tolist() == [1, 1.5, 2.5, 3.5]
    assert panels[0].get_xlim() == (0, 40)
    assert panels[0].get_xlabel() == "environment steps (mean over the last 20)"


def test_updates_without_a_number_are_left_out_of_a_signal():
    updates = [update(1, episode_return=math.nan), update(2, episode_return=5.0)]
    (ax,) = plots.signals(updates)
    assert ax.lines[1].get_xdata().tolist() == [2]


def test_several_runs_are_told_apart_in_every_panel():
    runs = {
        name: [update(k, entropy=e, gradient_norm=9.0) for k in (1, 2)]
        for name, e in (("healthy", 0.6), ("A", 0.0))
    }
    panels = plots.signals(runs, window=0)
    assert [line.get_ydata().tolist() for line in panels[0].lines] == [[0.6, 0.6], [0, 0]]
    (legend,) = panels[0].figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["healthy", "A"]


def test_a_level_to_compare_with_is_in_view():
    updates = [update(k, explained_variance=0.1) for k in range(1, 4)]
    (ax,) = plots.signals(updates, lines={"explained_variance": {"perfect": 1.0}})
    assert ax.get_ylim()[0] < 0.1
    assert ax.get_ylim()[1] > 1
    assert "perfect" in words(ax)


def test_explained_variance_is_cut_off_below_minus_one_and_outliers_are_cut_off():
    updates = [update(k, explained_variance=-40.0 + k, entropy=0.5) for k in range(1, 41)]
    updates.append(update(41, explained_variance=0.9, entropy=0.5))
    variance, _ = plots.signals(updates, names=["explained_variance", "entropy"])
    assert variance.get_ylim()[0] == pytest.approx(-1, abs=0.2)
    spiky = [update(k, gradient_norm=1000.0 if k == 500 else 1.0) for k in range(1, 1001)]
    (norm,) = plots.signals(spiky, window=500)
    assert norm.get_ylim()[1] < 10


def test_signals_of_several_runs_are_told_apart_without_colours():
    runs = {str(n): [update(s, entropy=float(n)) for s in (1, 2)] for n in range(7)}
    (ax,) = plots.signals(runs, names=["entropy"])
    assert len({str(line._dash_pattern) for line in ax.lines}) == 7  # as it is drawn
    assert len(plots.PALETTE) == len(drawing.FORMS)


def test_signals_can_be_drawn_on_panels_that_are_there():
    left, right = plots.axes(columns=2)
    updates = [update(1, a=1.0, b=2.0), update(2, a=1.0, b=2.0)]
    assert plots.signals(updates, names=["a", "b"], panels=[left, right]) == [left, right]
    assert right.lines[1].get_ydata().tolist() == [2, 2]


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        ({}, "runs is empty"),
        ([], "run '' has no updates"),
        ({"A": [update(1, entropy=1.0)], "B": []}, "run 'B' has no updates"),
        ([update(1, loss=1.0)], "none of .*say which `names` to draw"),
    ],
)
def test_runs_that_cannot_be_drawn_are_named(runs, message):
    with pytest.raises(ValueError, match=message):
        plots.signals(runs)


# Small worlds


def test_a_value_map_shows_each_value_in_its_cell_and_no_value_where_the_world_ends():
    values = optimal_values(corridor(3), gamma=0.9)
    ax = plots.value_map({"V*": values, "wrong": [-0.5, 0.0, 0.25, 7.0]}, terminal={3: "goal"})
    cells = {(round(t.get_position()[0]), round(t.get_position()[1])): t for t in ax.texts[:-1]}
    shown = {place: text.get_text() for place, text in cells.items()}
    assert [shown[x, 0] for x in range(4)] == ["0.81", "0.90", "1.00", "goal"]
    assert [shown[x, 1] for x in range(4)] == ["−0.50", "0.00", "0.25", "goal"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["V*", "wrong"]
    assert ax.yaxis_inverted()  # the first row is on top


def test_the_strongest_colour_is_the_largest_value_or_the_limit():
    def blue_of(last_cell_of):
        return last_cell_of.patches[-1].get_facecolor()[0]  # redness falls as blue grows stronger

    own = plots.value_map({"V": [0.1, 0.2]})
    compared = plots.value_map({"V": [0.1, 0.2]}, limit=1.0)
    assert blue_of(own) == pytest.approx(0.0, abs=0.01)
    assert blue_of(compared) == pytest.approx(0.8, abs=0.02)
    negative = plots.value_map({"V": [0.2, -0.2]}).patches[-1].get_facecolor()
    assert negative[0] > 0.8
    assert negative[2] < 0.1


def test_states_are_numbered_or_named_and_the_start_is_marked():
    ax = plots.value_map({"V": [1, 2, 3]}, start=1, digits=0)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0", "1\nstart", "2"]
    assert "state" in words(ax)
    ax = plots.value_map({"V": [1, 2, 3]}, names=["a", "b", "goal"])
    assert [label.get_text() for label in ax.get_xticklabels()] == ["a", "b", "goal"]
    assert "state" not in words(ax)


def test_a_value_map_of_zeros_can_be_drawn():
    assert words(plots.value_map({"V": torch.zeros(2)}))[:2] == ["0.00", "0.00"]


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        ({}, {}, "values is empty"),
        ({"V": []}, {}, "got shapes"),
        ({"V": [1, 2], "W": [1]}, {}, r"S the same for all; got shapes .*'W': \(1,\)"),
        ({"V": [[1, 2]]}, {}, r"\(S,\) each"),
        ({"V": [1, math.nan]}, {}, r"values\['V'\] must be finite; got \[1.0, nan\]"),
        ({"V": [1, 2]}, {"terminal": {2: "goal"}}, "among 0 … 1; got 2"),
        ({"V": [1, 2]}, {"start": -1}, "among 0 … 1; got -1"),
        ({"V": [1, 2]}, {"names": ["a"]}, "2 states need as many names; got 1"),
    ],
)
def test_values_that_cannot_be_drawn_are_named(values, options, message):
    with pytest.raises(ValueError, match=message):
        plots.value_map(values, **options)


def test_policy_bars_stack_the_actions_with_the_last_at_the_bottom():
    ax = plots.policy_bars([[0.25, 0.75], [0.9, 0.1]], ["left", "right"])
    (x, bottom, _, height), upper = blocks(ax)[:2]
    assert (x + 0.47, bottom, height) == pytest.approx((0, 0, 0.75))
    assert upper[1::2] == pytest.approx((0.75, 0.25))
    assert words(ax)[:4] == ["0.75", "0.25", "0.10", "0.90"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["left", "right"]
    legend = [patch.get_facecolor() for patch in ax.get_legend().get_patches()]
    assert legend == [ax.patches[1].get_facecolor(), ax.patches[0].get_facecolor()]


def test_policy_bars_take_any_number_of_actions_and_skip_terminal_states():
    pi = torch.full((3, 5), 0.2)
    ax = plots.policy_bars(pi, list("abcde"), terminal={2: "end"})
    assert len(ax.patches) == 2 * 5 + 1
    assert words(ax).count("0.20") == 10
    assert "end" in words(ax)


@pytest.mark.parametrize(
    ("probabilities", "message"),
    [
        ([[0.5, 0.6]], r"state 0 has \[0.5, 0.6\]"),
        ([[0.5, 0.5], [-0.1, 1.1]], r"state 1 has \[-0.1, 1.1\]"),
        ([[math.nan, 1.0]], "add up to 1"),
        ([0.5, 0.5], r"\(S, A\), with A = 2 action_names; got shape \(2,\)"),
        ([[0.2, 0.3, 0.5]], r"got shape \(1, 3\)"),
        (np.empty((0, 2)), r"got shape \(0, 2\)"),
    ],
)
def test_probabilities_that_are_none_are_named(probabilities, message):
    with pytest.raises(ValueError, match=message):
        plots.policy_bars(probabilities, ["left", "right"])


def test_a_filmstrip_shows_every_picture_in_rows():
    images = [np.full((8, 16, 3), 10 * k, np.uint8) for k in range(5)]
    panels = plots.frames(images, list("abcde"), columns=3, title="Five")
    assert [int(ax.images[0].get_array().max()) for ax in panels] == [0, 10, 20, 30, 40]
    assert [ax.get_title("center") for ax in panels] == list("abcde")
    assert panels[0].get_subplotspec().get_gridspec().get_geometry() == (2, 3)
    assert panels[0].figure.get_suptitle() == "Five"


@pytest.mark.parametrize(
    ("images", "titles", "message"),
    [([], None, "images is empty"), ([np.zeros((2, 2, 3))], ["a", "b"], "1 images .* got 2")],
)
def test_pictures_that_cannot_be_shown_are_named(images, titles, message):
    with pytest.raises(ValueError, match=message):
        plots.frames(images, titles)


# Comparisons


def test_dots_have_an_interval_of_two_standard_errors_beside_the_exact_value():
    estimates = {"few": ([1.0, 2.0], [0.5, 0.25]), "many": ([1.5, 2.5], [0.1, 0.1])}
    ax = plots.dots_with_interval(["a", "b"], estimates, exact=[1.2, 2.2])
    exact = ax.collections[0].get_segments()
    assert [segment[0][1] for segment in exact] == [1.2, 2.2]
    dots, _, (bars,) = ax.containers[0]
    assert dots.get_ydata().tolist() == [1, 2]
    assert [(s[0][1], s[1][1]) for s in bars.get_segments()] == [(0, 2), (1.5, 2.5)]
    assert (dots.get_xdata() < ax.containers[1][0].get_xdata()).all()
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["exact", "few", "many"]
    assert "dots: estimates ± 2 standard errors" in words(ax)


def test_bias_and_variance_are_drawn_with_their_root_mean_square():
    ax = plots.bias_variance([1, 4], [-3.0, 0.6], [4.0, 0.8])
    bias, deviation, both = (line.get_ydata().tolist() for line in ax.lines)
    assert bias == [3, 0.6]
    assert deviation == [4, 0.8]
    assert both == pytest.approx([5, 1])
    assert ax.get_xscale() == "log"
    ax.figure.canvas.draw()
    assert [label.get_text() for label in ax.get_xticklabels()] == ["1", "4"]
    assert {"|bias|", "standard deviation"} < set(words(ax))


@pytest.mark.parametrize(
    ("n", "bias", "deviation", "message"),
    [
        ([], [], [], "n is positive and increases"),
        ([0, 1], [1, 1], [1, 1], r"got \[0.0, 1.0\]"),
        ([2, 1], [1, 1], [1, 1], "n is positive and increases"),
        ([1, 2], [1], [1, 1], r"bias must have shape \(2,\); got \(1,\)"),
        ([1, 2], [1, 1], [1, -1], "standard_deviation is at least 0"),
        ([1, 2], [1, math.inf], [1, 1], "bias must be finite"),
    ],
)
def test_numbers_that_are_no_bias_and_variance_are_named(n, bias, deviation, message):
    with pytest.raises(ValueError, match=message):
        plots.bias_variance(n, bias, deviation)


def test_a_strip_has_one_mark_a_seed_and_counts_those_below():
    ax = plots.strip({"β = 0": [0.1, 0.9, 0.2], "β = 0.1": [0.8, 0.9]}, below=0.5)
    good, bad, others, none = (points.get_offsets() for points in ax.collections)
    assert good[:, 0].tolist() == [0.9]
    assert bad[:, 0].tolist() == [0.1, 0.2]
    assert others[:, 0].tolist() == [0.8, 0.9]
    assert len(none) == 0
    assert words(ax)[:2] == ["2 of 3 stuck", "0 of 2 stuck"]
    assert np.round(bad[:, 1]).tolist() == [0, 0]
    assert len(set(bad[:, 1])) == 2  # equal outcomes do not hide each other
    assert [label.get_text() for label in ax.get_yticklabels()] == ["β = 0", "β = 0.1"]


def test_large_numbers_under_a_strip_are_grouped():
    ax = plots.strip({"a": [0.0, 20_000.0]})
    assert ax.xaxis.get_major_formatter()(20_000) == "20,000"


def test_without_a_bound_a_strip_counts_nothing():
    ax = plots.strip({"a": [1.0]}, lines={"half": 0.5})
    assert set(words(ax)) == {"half", "one mark a seed"}


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({}, "groups is empty"),
        ({"a": []}, r"groups\['a'\] is empty"),
        ({"a": [1.0, math.nan]}, r"groups\['a'\] must be finite"),
        ({"a": [[1.0]]}, r"must have shape \(1,\); got \(1, 1\)"),
    ],
)
def test_outcomes_that_cannot_be_drawn_are_named(groups, message):
    with pytest.raises(ValueError, match=message):
        plots.strip(groups)


def test_no_two_colours_are_alike_to_a_reader_without_green_cones():
    lights = [seen_by_deuteranopes(colour) for colour in plots.PALETTE]
    pairs = [(a, b) for i, a in enumerate(lights) for b in lights[:i]]
    assert min(np.abs(a - b).max() for a, b in pairs) > 0.1


def seen_by_deuteranopes(colour):
    """Machado, Oliveira and Fernandes 2009, severity 1, in linear light."""
    matrix = [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ]
    rgb = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    return matrix @ np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
