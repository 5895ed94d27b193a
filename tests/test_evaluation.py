import numpy as np
import pytest
import torch
from scripted import Counting

from a3c_lib.evaluation import Evaluation, evaluate
from a3c_lib.reinforce import TabularPolicy


class Ones:
    def logits(self, observations):
        return torch.ones(len(observations), 2)


class ShortOrLong(Counting):
    """Half of the episodes last 1 step, half 60: whichever end first are short ones."""

    def reset(self, *, seed=None, options=None):
        result = super().reset(seed=seed)
        self.length = 60 if self.np_random.random() < 0.5 else 1
        return result


def test_returns_are_undiscounted_and_of_whole_episodes():
    result = evaluate(Ones(), lambda: Counting(length=4), episodes=7, num_envs=3)
    assert result.returns.tolist() == [10] * 7
    assert result.lengths.tolist() == [4] * 7


def test_long_episodes_count_as_often_as_they_come():
    result = evaluate(Ones(), ShortOrLong, episodes=400, num_envs=20)
    assert np.mean(result.lengths == 60) == pytest.approx(0.5, abs=0.1)  # 4 standard errors


def test_the_interval_is_the_means():
    result = Evaluation(np.array([1.0, 2.0, 3.0, 6.0]), np.ones(4, dtype=np.int64), "greedy")
    margin = 1.96 * (14 / 3) ** 0.5 / 2  # variance 14/3, four episodes
    assert result.mean == 3
    assert (result.low, result.high) == pytest.approx((3 - margin, 3 + margin))
    assert str(result) == "3.00 ± 2.12 (4 episodes, greedy actions)"


def test_sampled_and_greedy_are_not_the_same_thing():
    policy = TabularPolicy(4, 2)
    with torch.no_grad():
        policy.table[:, 1] = 0.1  # right is a little likelier
    id = "a3c_lib/Corridor-v0"
    assert evaluate(policy, id, 20, actions="greedy").lengths.tolist() == [3] * 20
    assert evaluate(policy, id, 20, actions="sampled").lengths.mean() > 5


def test_the_same_seed_gives_the_same_evaluation_and_touches_nothing():
    before = torch.get_rng_state()
    one, two, other = (
        evaluate(TabularPolicy(4, 2), "a3c_lib/Corridor-v0", 10, seed=s).lengths.tolist()
        for s in (1, 1, 2)
    )
    assert one == two != other
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"episodes": 1}, "at least 2, for an interval; got 1"),
        ({"actions": "best"}, "'sampled' or 'greedy'; got 'best'"),
        ({"num_envs": 0}, "at least 1; got 0"),
        ({"seed": -1}, "got -1"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        evaluate(Ones(), Counting, **arguments)
