import math
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from a3c_lib.actor_critic import Loss, Update
from a3c_lib.lessons import Lesson, Recent, explained_variance, mean_return, report
from a3c_lib.rollout import Episode

EPISODES = (Episode(1.0, 5, env=0), Episode(4.0, 9, env=1))


def lesson_of(returns, values, loss=None):
    loss = loss or Loss(*torch.tensor([1.0, 2.0, 3.0, 4.0]))
    return Lesson((), loss, torch.tensor(returns), torch.tensor(values), EPISODES)


# ---- explained variance ----


def test_explained_variance_of_three_critics():
    returns = torch.tensor([1.0, 2.0, 3.0, 4.0])
    assert explained_variance(returns, returns + 7) == 1  # a constant error explains all variance
    assert explained_variance(returns, torch.full((4,), 2.5)) == 0
    assert explained_variance(returns, -returns) == pytest.approx(-3)
    assert math.isnan(explained_variance(torch.ones(4), returns))


def test_returns_that_are_equal_have_none_to_explain_though_their_variance_is_not_exactly_0():
    returns = torch.full((10,), 0.1)
    assert returns.var(correction=0) > 0
    assert math.isnan(explained_variance(returns, torch.arange(10.0)))


# ---- what is recent ----


@pytest.mark.parametrize(("steps", "kept"), [(500, 2), (400, 3), (1000, 1), (5000, 1)])
def test_recent_are_the_latest_updates_that_hold_1000_steps_together(steps, kept):
    """Each update adds returns that are its number; the critic says 0."""
    recent = Recent(steps)
    for k in range(1, 6):
        returns = torch.full((steps,), float(k))
        returns[0] += 0.5  # so that they vary
        lesson = Lesson((), None, returns, torch.zeros(steps), ())
        reported = recent.explained_variance(lesson)
    assert [returns[-1].item() for returns, _ in recent.pairs] == list(range(6 - kept, 6))
    assert reported == pytest.approx(0, abs=1e-5)


def test_the_explained_variance_is_of_all_that_is_recent_not_of_the_last_lesson():
    recent = Recent(steps_per_update=2)
    assert recent.explained_variance(lesson_of([0.0, 2.0], [0.0, 2.0])) == 1
    second = recent.explained_variance(lesson_of([4.0, 4.0], [0.0, 0.0]))
    together = [torch.tensor(x) for x in ([0.0, 2.0, 4.0, 4.0], [0.0, 2.0, 0.0, 0.0])]
    assert second == explained_variance(*together)


def test_it_goes_on_from_its_state_update_by_update():
    one, other = Recent(steps_per_update=400), Recent(steps_per_update=400)
    lengths = 400, 399, 7
    for k, length in enumerate(lengths):
        one.explained_variance(lesson_of([float(k)] * length, [0.5 * k] * length))
    state = one.state_dict()
    assert state["lengths"] == list(lengths)
    other.load_state_dict(state, torch.device("cpu"))
    following = lesson_of([1.0, 2.0, 5.0], [1.0, 1.0, 2.0])
    assert one.explained_variance(following) == other.explained_variance(following)
    assert len(other.pairs) == 3  # the oldest has gone
    assert [len(returns) for returns, _ in other.pairs] == [399, 7, 3]


def test_where_nothing_has_happened_nothing_is_kept():
    other = Recent(steps_per_update=100)
    other.load_state_dict(Recent(steps_per_update=100).state_dict(), torch.device("cpu"))
    assert not other.pairs
    assert other.explained_variance(lesson_of([1.0, 2.0], [1.0, 2.0])) == 1


# ---- what is reported ----

OTHERS = {
    "steps": 20,
    "updates": 2,
    "explained_variance": 0.5,
    "gradient_norm": 0.1,
    "learning_rate": 0.01,
}


def test_an_actor_critics_losses_are_named_so():
    update = report(Update, lesson_of([0.0], [0.0]), **OTHERS)
    assert (update.policy_loss, update.value_loss, update.entropy) == (2, 3, 4)
    assert update.episodes == EPISODES
    assert update.episode_return == 2.5
    assert {name: getattr(update, name) for name in OTHERS} == OTHERS


def test_another_loss_reports_its_own_parts_by_their_names():
    class Parts(NamedTuple):
        total: Tensor
        squared: Tensor
        margin: Tensor

    class Report(NamedTuple):
        episodes: tuple[Episode, ...]
        margin_loss: float
        squared: float
        worker: int

    loss = Parts(*torch.tensor([1.0, 2.0, 3.0]))
    update = report(Report, lesson_of([0.0], [0.0], loss), worker=7)
    assert update == Report(EPISODES, margin_loss=3.0, squared=2.0, worker=7)
    assert type(update.squared) is float


def test_a_part_that_an_update_has_no_place_for_is_not_lost_silently():
    class Report(NamedTuple):
        episodes: tuple[Episode, ...]
        policy_loss: float
        value_loss: float

    with pytest.raises(TypeError, match="entropy"):
        report(Report, lesson_of([0.0], [0.0]))


def test_a_lesson_has_as_many_steps_as_returns():
    assert lesson_of([1.0, 2.0, 3.0], [0.0, 0.0, 0.0]).steps == 3


def test_the_mean_return_of_no_episode_is_no_number():
    assert math.isnan(mean_return(()))
    assert mean_return(EPISODES) == 2.5
