"""Chapter 02: the exercises of "n-step returns"."""

from typing import Any

import torch
from gymnasium import spaces
from torch import Tensor

from a3c_lib.exercises.engine.cases import Case, Exercise, Wrong, heeds, ignores, scales
from a3c_lib.networks import ActorCritic
from a3c_lib.returns import n_step_returns
from a3c_lib.rollout import Rollout

# 2.1 A stretch without an end


def stretch_returns(rewards: Tensor, bootstrap: Tensor, gamma: float) -> Tensor:
    """R_t = r_t + γ R_{t+1}, where R_T is the bootstrap.   (T,), () → (T,)."""
    returns = torch.empty_like(rewards)
    R = bootstrap
    for t in reversed(range(len(rewards))):
        returns[t] = R = rewards[t] + gamma * R
    return returns


def stretch_returns_in_a_list(rewards: Tensor, bootstrap: Tensor, gamma: float) -> Tensor:
    T = len(rewards)
    returns = torch.zeros(T)
    R = bootstrap
    for t in reversed(range(T)):
        R = rewards[t] + gamma * R
        returns[t] = R
    return returns


def forward_in_time(rewards: Tensor, bootstrap: Tensor, gamma: float) -> Tensor:
    returns = []
    R = bootstrap
    for reward in rewards:
        R = reward + gamma * R
        returns.append(R)
    return torch.stack(returns)


def no_bootstrap(rewards: Tensor, bootstrap: Tensor, gamma: float) -> Tensor:
    return stretch_returns(rewards, torch.zeros(()), gamma)


def discounted_from_the_start(rewards: Tensor, bootstrap: Tensor, gamma: float) -> Tensor:
    everything = torch.cat([rewards, bootstrap[None]])
    powers = gamma ** torch.arange(len(everything))
    return (powers * everything).flip(0).cumsum(0).flip(0)[:-1]


def divided_by_powers(rewards: Tensor, bootstrap: Tensor, gamma: float) -> Tensor:
    everything = torch.cat([rewards, bootstrap[None]])
    powers = gamma ** torch.arange(len(everything), dtype=rewards.dtype)
    return ((powers * everything).flip(0).cumsum(0).flip(0) / powers)[:-1]


def bootstrap_in_the_last_place(rewards: Tensor, bootstrap: Tensor, gamma: float) -> Tensor:
    return torch.cat([stretch_returns(rewards[:-1], bootstrap, gamma), bootstrap[None]])


def bootstrap_always_discounted_by_all_steps(
    rewards: Tensor, bootstrap: Tensor, gamma: float
) -> Tensor:
    return no_bootstrap(rewards, bootstrap, gamma) + gamma ** len(rewards) * bootstrap


def _stretch_cases() -> list[Case]:
    return [
        Case("on paper", torch.tensor([1.0, 2.0, 3.0]), torch.tensor(8.0), 0.5),
        Case("one step", torch.tensor([1.0]), torch.tensor(3.0), 0.9),
        Case("two steps", torch.tensor([2.0, 0.0]), torch.tensor(-3.0), 0.5),
        Case("seven random numbers", torch.randn(7), torch.randn(()), 0.95),
        Case("nothing lost on the way", torch.randn(4), torch.randn(()), 1.0),
        Case("nothing but the next reward", torch.randn(4), torch.randn(()), 0.0),
        Case("160 steps, γ = 0.5", torch.randn(160), torch.randn(()), 0.5),  # 0.5^159 is 0 here
        Case("220 steps that are paid 1 each, γ = 1", torch.ones(220), torch.tensor(2.0), 1.0),
        Case("large numbers", torch.tensor([0.0, -400.0]), torch.tensor(20_000.0), 0.5),
        Case("a bootstrap of 0", torch.tensor([1.0, 2.0]), torch.tensor(0.0), 0.5),
    ]


# 2.2 A rollout in which episodes end


def rollout_returns_in_a_loop(
    rewards: Tensor, next_values: Tensor, terminated: Tensor, truncated: Tensor, gamma: float
) -> Tensor:
    T = len(rewards)
    returns = torch.zeros_like(rewards)
    R = next_values[-1]
    for t in reversed(range(T)):
        after = torch.where(truncated[t], next_values[t], R)
        after = torch.where(terminated[t], 0.0, after)
        R = rewards[t] + gamma * after
        returns[t] = R
    return returns


Arguments = tuple[Tensor, Tensor, Tensor, Tensor, float]


def ends_read_one_step_early(
    rewards: Tensor, next_values: Tensor, terminated: Tensor, truncated: Tensor, gamma: float
) -> Tensor:
    returns = []
    R = next_values[-1]
    for t in reversed(range(len(rewards))):
        R = rewards[t] + gamma * R
        returns.append(R)
        R = torch.where(terminated[t], 0.0, torch.where(truncated[t], next_values[t], R))
    return torch.stack(returns[::-1])


def _rollout_cases() -> list[Case]:
    def random(T: int, N: int, gamma: float, share: float) -> Arguments:
        terminated, truncated = torch.rand(2, T, N) < share
        return torch.randn(T, N), torch.randn(T, N), terminated, truncated, gamma

    r, V = _column(1.0, 2.0, 3.0), _column(4.0, 6.0, 8.0)
    no, second, third = (_column(0, k == 2, k == 3).bool() for k in (0, 2, 3))
    two = torch.tensor([[1.0, 1.0], [0.0, 0.0]]), torch.tensor([[5.0, 5.0], [2.0, 4.0]])
    first_of_two = torch.tensor([[True, False], [False, False]])
    return [
        Case("on paper, no end", r, V, no, no, 0.5),
        Case("on paper, terminated at the last step", r, V, third, no, 0.5),
        Case("on paper, terminated in the middle", r, V, second, no, 0.5),
        Case("on paper, truncated in the middle", r, V, no, second, 0.5),
        Case("on paper, truncated at the last step", r, V, no, third, 0.5),
        Case("on paper, both flags in the middle", r, V, second, second, 0.5),
        Case("two environments, one terminated", *two, first_of_two, ~first_of_two & False, 0.5),
        Case("two environments, one truncated", *two, ~first_of_two & False, first_of_two, 0.5),
        Case("5 steps of 3 environments", *random(5, 3, 0.9, 0.0)),
        Case(
            "two environments that end at step 0",
            *two,
            first_of_two,
            first_of_two.flip(1),
            0.5,
        ),
        Case("8 steps of 4 environments with ends", *random(8, 4, 0.9, 0.3)),
        Case("6 steps of 2 environments with ends", *random(6, 2, 0.99, 0.4)),
        Case("4 steps of 2 environments, γ = 0", *random(4, 2, 0.0, 0.2)),
        Case("4 steps of 2 environments, γ = 1", *random(4, 2, 1.0, 0.2)),
        Case(
            "truncated at step 0, terminated at step 2, and the other way round",
            torch.randn(4, 2),
            torch.randn(4, 2),
            _rows(4, (2, 0), (0, 1)),
            _rows(4, (0, 0), (2, 1)),
            0.5,
        ),
        Case("50 steps of an environment, γ = 0.1", *random(50, 1, 0.1, 0.02)),  # 0.1^49 is 0 here
        Case(
            "one step: an end, a time limit, both, none",
            torch.tensor([[1.0, 2.0, 3.0, 4.0]]),
            torch.tensor([[10.0, 20.0, 30.0, 40.0]]),
            torch.tensor([[True, False, True, False]]),
            torch.tensor([[False, True, True, False]]),
            0.5,
        ),
        Case(
            "huge values where the world ended",
            torch.tensor([[1.0, 2.0], [3.0, 4.0]]),
            torch.tensor([[1e12, 6000.0], [-7000.0, -1e12]]),
            torch.tensor([[True, False], [False, True]]),
            torch.tensor([[False, True], [True, True]]),
            0.5,
        ),
        Case("120 steps that are paid 1 each, γ = 1", *_paid(120), 1.0),
        Case(
            "2 steps of 3 environments, transposed from (3, 2)",
            torch.randn(3, 2).T,
            torch.randn(3, 2).T,
            torch.tensor([[True, False], [False, False], [False, False]]).T,
            torch.tensor([[False, False], [True, False], [False, False]]).T,
            0.5,
        ),
    ]


def _paid(T: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """So many steps of one environment, without an end, and 2 is still to come."""
    no = torch.zeros(T, 1, dtype=torch.bool)
    return torch.ones(T, 1), torch.full((T, 1), 2.0), no, no


# 2.3 The definition, one step at a time


def return_from(
    t: int,
    rewards: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    gamma: float,
) -> Tensor:
    """R_t from its definition: rewards up to the first end, and the value of what comes after it.
    All (T,) → ()."""
    R, discount = torch.zeros(()), 1.0
    for k in range(t, len(rewards)):
        R = R + discount * rewards[k]
        discount *= gamma
        if terminated[k]:
            return R
        if truncated[k]:
            break
    return R + discount * next_values[k]


def _first_end(t: int, terminated: Tensor, truncated: Tensor) -> int:
    ends = (terminated | truncated)[t:].nonzero().flatten().tolist()
    return t + ends[0] if ends else len(terminated) - 1


def _direct(
    t: int, last: int, rewards: Tensor, value: Tensor | float, power: int, gamma: float
) -> Tensor:
    """Σ γ^{k − t} r_k for k from t to `last`, and γ^power · value."""
    total = torch.zeros(())
    for k in range(t, last + 1):
        total = total + gamma ** (k - t) * rewards[k]
    return total + gamma**power * value


def last_reward_left_out(
    t: int,
    rewards: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    gamma: float,
) -> Tensor:
    last = _first_end(t, terminated, truncated)
    value = 0.0 if terminated[last] else next_values[last]
    return _direct(t, last - 1, rewards, value, last - t + 1, gamma)


def first_end_of_the_rollout(
    t: int,
    rewards: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    gamma: float,
) -> Tensor:
    last = _first_end(0, terminated, truncated)
    value = 0.0 if terminated[last] else next_values[last]
    return _direct(t, last, rewards, value, last - t + 1, gamma)


def end_at_step_t_overlooked(
    t: int,
    rewards: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    gamma: float,
) -> Tensor:
    last = min(t + 1, len(rewards) - 1)
    last = _first_end(last, terminated, truncated)
    value = 0.0 if terminated[last] else next_values[last]
    return _direct(t, last, rewards, value, last - t + 1, gamma)


def flags_of_all_later_steps_asked(
    t: int,
    rewards: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    gamma: float,
) -> Tensor:
    last = _first_end(t, terminated, truncated)
    value = 0.0 if terminated[t:].any() else next_values[last]
    return _direct(t, last, rewards, value, last - t + 1, gamma)


def flag_of_step_t_asked(
    t: int,
    rewards: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    gamma: float,
) -> Tensor:
    last = _first_end(t, terminated, truncated)
    value = 0.0 if terminated[t] else next_values[last]
    return _direct(t, last, rewards, value, last - t + 1, gamma)


def reward_of_an_end_left_out(
    t: int,
    rewards: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    gamma: float,
) -> Tensor:
    last = _first_end(t, terminated, truncated)
    value = 0.0 if terminated[last] else next_values[last]
    ended = bool(terminated[last] | truncated[last])
    return _direct(t, last - ended, rewards, value, last - t + 1, gamma)


def _definition_cases() -> list[Case]:
    def flags(T: int, *at: int) -> Tensor:
        return torch.tensor([t in at for t in range(T)])

    r, V, no = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([4.0, 6.0, 8.0]), flags(3)
    cases = [
        Case("on paper, no end, from step 0", 0, r, V, no, no, 0.5),
        Case("on paper, no end, from step 2", 2, r, V, no, no, 0.5),
        Case("on paper, terminated at step 1", 0, r, V, flags(3, 1), no, 0.5),
        Case("on paper, terminated at step 0, from step 1", 1, r, V, flags(3, 0), no, 0.5),
        Case("on paper, terminated at step 0", 0, r, V, flags(3, 0), no, 0.5),
        Case("on paper, truncated at step 0", 0, r, V, no, flags(3, 0), 0.5),
        Case("on paper, terminated at step 1, from step 1", 1, r, V, flags(3, 1), no, 0.5),
        Case("on paper, truncated at step 1", 0, r, V, no, flags(3, 1), 0.5),
        Case("on paper, truncated at step 1, from step 1", 1, r, V, no, flags(3, 1), 0.5),
        Case("on paper, both flags at step 1", 0, r, V, flags(3, 1), flags(3, 1), 0.5),
        Case("on paper, terminated at the last step", 1, r, V, flags(3, 2), no, 0.5),
    ]
    for t, gamma in (0, 0.9), (2, 0.9), (4, 0.99):
        arguments = torch.randn(8), torch.randn(8), flags(8, 3), flags(8, 6), gamma
        cases.append(Case(f"8 random steps, from step {t}", t, *arguments))
    random = torch.randn(8), torch.randn(8)
    cases.append(Case("8 random steps, cut at step 4", 1, *random, flags(8), flags(8, 4), 0.9))
    two_ends = {
        "cut at step 3, terminated at step 6": (flags(8, 6), flags(8, 3)),
        "terminated at step 3, cut at step 6": (flags(8, 3), flags(8, 6)),
        "cut at step 3, terminated at the last step": (flags(8, 7), flags(8, 3)),
        "terminated at step 3, cut at the last step": (flags(8, 3), flags(8, 7)),
        "terminated at step 0, cut at step 3": (flags(8, 0), flags(8, 3)),
        "cut at step 0, terminated at step 3": (flags(8, 3), flags(8, 0)),
    }
    for label, ends in two_ends.items():
        cases.append(Case(f"8 random steps, {label}, from step 1", 1, *random, *ends, 0.9))
    cases.append(Case("nothing but the reward: γ = 0", 2, *random, flags(8, 5), flags(8), 0.0))
    cases.append(Case("nothing lost on the way: γ = 1", 2, *random, flags(8), flags(8, 5), 1.0))
    long = torch.randn(160), torch.randn(160)
    cases.append(Case("160 steps, γ = 0.5", 0, *long, flags(160, 159), flags(160, 155), 0.5))
    one = torch.tensor([2.0]), torch.tensor([6000.0])
    one_step = {
        "goes on": (flags(1), flags(1)),
        "terminated": (flags(1, 0), flags(1)),
        "cut": (flags(1), flags(1, 0)),
        "both flags": (flags(1, 0), flags(1, 0)),
    }
    for label, ends in one_step.items():
        cases.append(Case(f"a rollout of one step, {label}", 0, *one, *ends, 0.5))
    huge = torch.tensor([1.0, 2.0]), torch.tensor([6.0, 1e12])
    cases.append(Case("a huge value where the world ended", 0, *huge, flags(2, 1), flags(2), 0.5))
    paid = torch.ones(300), torch.full((300,), 2.0)
    cases.append(
        Case("300 steps that are paid 1 each, γ = 1", 0, *paid, flags(300), flags(300), 1.0)
    )
    return cases


# 2.4 A bug hunt


def rollout_returns(rollout: Rollout, model: ActorCritic, gamma: float) -> Tensor:
    """The n-step returns of a rollout, (T, N), by one long column of all steps, (T · N, 1)."""
    T, N = rollout.rewards.shape
    with torch.no_grad():
        next_values = model.values(rollout.next_observations)
    cut = rollout.truncated.clone()
    cut[-1] = True  # an environment's last step: what follows in the column is another's
    parts = rollout.rewards, next_values, rollout.terminated, cut
    rewards, next_values, terminated, cut = (part.T.reshape(T * N, 1) for part in parts)
    return n_step_returns(rewards, next_values, terminated, cut, gamma).reshape(N, T).T


def rollout_returns_with_a_bug(rollout: Rollout, model: ActorCritic, gamma: float) -> Tensor:
    """The n-step returns of a rollout, (T, N), by one long column of all steps, (T · N, 1)."""
    T, N = rollout.rewards.shape
    with torch.no_grad():
        next_values = model.values(rollout.next_observations)
    cut = rollout.truncated.clone()
    cut[-1] = True  # an environment's last step: what follows in the column is another's
    parts = rollout.rewards, next_values, rollout.terminated, cut
    rewards, next_values, terminated, cut = (part.reshape(T * N, 1) for part in parts)
    return n_step_returns(rewards, next_values, terminated, cut, gamma).reshape(T, N)


def flags_exchanged(rollout: Rollout, model: ActorCritic, gamma: float) -> Tensor:
    terminated, truncated = rollout.truncated, rollout.terminated
    exchanged = rollout._replace(terminated=terminated, truncated=truncated)
    return rollout_returns(exchanged, model, gamma)


def _when_it_has_learned(
    answer: Any, rollout: Rollout, model: ActorCritic, gamma: float
) -> dict[str, Tensor]:
    """The answer is asked twice, and in between all values become twice as large."""
    answer(rollout, model, gamma)
    with torch.no_grad():
        model.value_head.weight.mul_(2)
    return {"what comes the second time": answer(rollout, model, gamma)}


def _model(*values: float) -> ActorCritic:
    """A table of values: what V says of observation k is `values[k]`."""
    model = ActorCritic(spaces.Discrete(len(values)), spaces.Discrete(2), hidden=())
    with torch.no_grad():
        model.value_head.weight.copy_(torch.tensor(values))
    return model


def _hunt_case(
    label: str,
    next_observations: Tensor,
    truncated: Tensor,
    terminated: Tensor,
    rewards: Tensor | None = None,
    values: tuple[float, ...] = (10.0, 20.0, 40.0, 80.0, 160.0),
    gamma: float = 0.5,
) -> Case:
    """States are 0 … 4; whoever reaches an end goes on from state 0. Rewards are 1, 2, 3, … if
    nothing else is said."""
    ended = terminated | truncated
    after = torch.where(ended, 0, next_observations)
    observations = torch.cat([torch.zeros_like(after[:1]), after[:-1]])
    if rewards is None:
        rewards = torch.arange(1.0, 1.0 + ended.numel()).reshape(ended.shape)
    actions = torch.ones_like(after)
    rollout = Rollout.of(observations, actions, rewards, next_observations, terminated, truncated)
    return Case(label, rollout, _model(*values), gamma)


def _hunt_cases() -> list[Case]:
    path, restart = _column(1, 2, 3), _column(1, 2, 1)
    no, second, third = (_column(0, k == 2, k == 3).bool() for k in (0, 2, 3))
    two = torch.tensor([[1, 1], [2, 2], [1, 3], [2, 4]])
    ends = torch.zeros(2, 4, 2, dtype=torch.bool)
    ends[0, 1, 0] = ends[1, 3, 1] = True
    four, never = torch.tensor([[1, 2], [2, 3]]), torch.zeros(2, 2, dtype=torch.bool)
    paid = torch.tensor([[1.0, 10.0], [2.0, 20.0]])
    wide = torch.randint(1, 5, (3, 5))
    wide_ends = torch.rand(2, 3, 5) < 0.2
    nowhere = torch.zeros(2, 2, 4, dtype=torch.bool)
    wide_once = torch.tensor([[False, True, False]])
    once = _hunt_case("no end", path, no, no)
    return [
        _hunt_case("on paper", four, never, never, paid, values=(0.0,) * 5),
        _hunt_case("3 steps of one environment", path, no, no),
        _hunt_case("one environment, a time limit after step 1", restart, second, no),
        _hunt_case("one environment, a time limit after the last step", path, third, no),
        _hunt_case("one environment, terminated at step 1", restart, no, second),
        _hunt_case("two environments without an end", two[:2], never, never),
        _hunt_case("two environments, one cut, one terminated", two, ends[0], ends[1]),
        _hunt_case("two environments, the other way round", two, ends[1], ends[0]),
        _hunt_case("3 steps of 5 environments with ends", wide, wide_ends[0], wide_ends[1]),
        _hunt_case("1 step of 3 environments", wide[:1, :3], never[:1, :1].expand(1, 3), wide_once),
        _hunt_case("two environments, γ = 0.8", two, ends[0], ends[1], gamma=0.8),
        _hunt_case("both flags in the middle", path, second, second),
        _hunt_case("2 steps of 4 environments without an end", wide[:2, :4], *nowhere),
        Case(
            "no end, and the model has learned since it was asked: its values are twice as large",
            *once.args,
            probe=_when_it_has_learned,
        ),
    ]


def _column(*numbers: float) -> Tensor:
    """One environment's T numbers as (T, 1)."""
    return torch.tensor(numbers)[:, None]


def _rows(T: int, *places: tuple[int, int]) -> Tensor:
    """(T, 2), True at the given (step, environment)."""
    flags = torch.zeros(T, 2, dtype=torch.bool)
    for place in places:
        flags[place] = True
    return flags


def _plus_one(numbers: Tensor, place: Any) -> Tensor:
    other = numbers.clone()
    other[place] = other[place] + 1
    return other


def _after_the_first_end(given: Any) -> Tensor:
    """1 in the rows after each environment's first end, else 0."""
    ended = (given.terminated | given.truncated).cumsum(0) > 0
    after: Tensor = torch.cat([torch.zeros_like(ended[:1]), ended[:-1]])
    return after.float()


def _within(given: Any) -> Tensor:
    """1 where a return looks past the step, into its own episode, else 0."""
    within: Tensor = ~(given.terminated | given.truncated)
    within[-1] = False
    return within.float()


def _before(rewards: Tensor, t: int) -> Tensor:
    return rewards + (torch.arange(len(rewards)) < t).float()


def _last(given: Any) -> Tensor:
    """1 at the last step of R_t's sum, else 0."""
    steps = torch.arange(len(given.rewards))
    return (steps == _first_end(given.t, given.terminated, given.truncated)).float()


def _counted(given: Any) -> Tensor:
    """1 at the steps up to there, else 0."""
    steps = torch.arange(len(given.rewards))
    return (steps <= _first_end(given.t, given.terminated, given.truncated)).float()


def _asked(given: Any) -> Tensor:
    """1 where a value is due, else 0."""
    asked: Tensor = _last(given) * ~given.terminated
    return asked


EXERCISES = (
    Exercise(
        id="2.1",
        title="a stretch without an end",
        reference=stretch_returns,
        form=stretch_returns_in_a_list,
        cases=_stretch_cases,
        wrong=(
            Wrong(
                {"reversed(range(T))": "range(T)"},
                "This loop runs forward in time: the bootstrap enters at the first step, though it "
                "stands for what comes after the last one. Begin with the last step: "
                "reversed(range(len(rewards))).",
            ),
            Wrong(
                {"return returns": "return returns.flip(0)"},
                "The order is wrong. Working backwards, you find the "
                "last step's return first; the first step's return belongs first in the result.",
            ),
            Wrong(
                {"R = bootstrap": "R = torch.zeros(())"},
                "The bootstrap is missing: what comes after the last step counts as nothing. The "
                "stretch was only cut there, so the loop begins with R = bootstrap, not 0.",
            ),
            Wrong(
                {"gamma * R": "(gamma if t < T - 1 else 1) * R"},
                "The bootstrap is not discounted at the last step. It is the value of one step "
                "later, so the last return is r + γ · bootstrap, as at every other step.",
            ),
            Wrong(
                {"gamma * R": "R"},
                "Nothing is discounted: R = r + R. Each step back costs a factor γ.",
            ),
            Wrong(
                {"rewards[t] + gamma * R": "gamma * (rewards[t] + R)"},
                "Each step's own reward is discounted too. It comes at once: R = r + γ R, and not "
                "γ (r + R) or γ r + γ R.",
            ),
            Wrong(
                discounted_from_the_start,
                "The powers of γ are counted from the start of the stretch. Each return counts "
                "from its own step: r_t has no γ in R_t.",
            ),
            Wrong(
                {"gamma * R": "gamma * bootstrap"},
                "This looks one step ahead at every step, and the value it takes belongs to the "
                "end of the stretch. What follows step t is the return of step t + 1.",
            ),
            Wrong(
                divided_by_powers,
                "You divide by a power of γ. With γ = 0 that is 0 / 0, and in a long stretch γ^t "
                "becomes 0 in float32 for any γ below 1. Go back from the last step, R ← r + γ R: "
                "nothing is divided.",
            ),
            Wrong(
                bootstrap_in_the_last_place,
                "The last place holds the bootstrap itself. The bootstrap is R_T, one step after "
                "the last; the last return is r_{T−1} + γ · bootstrap.",
            ),
            Wrong(
                {"return returns": "return torch.cat([returns, bootstrap[None]])"},
                "The result has one number too many: the bootstrap stands at its end. Asked are "
                "R_0 … R_{T−1}, one return for each reward; the bootstrap is R_T.",
            ),
            Wrong(
                bootstrap_always_discounted_by_all_steps,
                "The bootstrap has the factor γ^T in every return. From step t it is T − t steps "
                "away, so its factor there is γ^(T − t).",
            ),
            Wrong(
                {"R = bootstrap": "R = rewards[-1] + gamma * bootstrap"},
                "The last step is counted twice: R begins as its return, and the loop takes it in "
                "again. R begins as what comes after it, the bootstrap.",
                also=(
                    {"R = bootstrap": "R = rewards[-1]"},
                    {"R = bootstrap": "R = rewards[-1] + bootstrap"},
                ),
            ),
            Wrong(
                {"reversed(range(T))": "range(T - 1, 0, -1)"},
                "The first return is missing: the loop stops before t = 0. reversed(range(T)) "
                "ends at 0.",
            ),
            Wrong(
                {"reversed(range(T))": "range(T - 2, -1, -1)"},
                "The loop begins before the last step, so the last return is missing and the last "
                "reward is in none of them.",
            ),
            Wrong(
                {"gamma * R": "gamma**t * R"},
                "The power of γ depends on where in the stretch the step is. Each step back costs "
                "one factor γ: R = r + γ R.",
                also=(
                    {"gamma * R": "gamma ** (T - t) * R"},
                    {"gamma * R": "gamma ** (t + 1) * R"},
                    {"gamma * R": "gamma ** (T - 1 - t) * R"},
                ),
            ),
            Wrong(
                {"rewards[t] + gamma * R": "rewards[t] - gamma * R"},
                "What comes later is subtracted. It is added: R = r + γ R.",
            ),
            Wrong(
                {"gamma * R": "0.9 * R"},
                "You compute with a γ of your own. Use the argument `gamma`.",
                also=(
                    {"gamma * R": "0.99 * R"},
                    {"gamma * R": "0.5 * R"},
                ),
            ),
            Wrong({"gamma * R": "(1 - gamma) * R"}, "The factor is 1 − γ. It is γ."),
            Wrong(
                {"return returns": "return R"},
                "You return one number, the return of the first step. Asked for is the return of "
                "every step: (T,).",
            ),
            Wrong(
                {
                    "rewards[t] + gamma * R": "rewards[t] + gamma * rewards[t + 1] if t + 1 < T "
                    "else rewards[t] + gamma * bootstrap"
                },
                "Only the next reward comes in. What follows step t is the return of step t + 1, "
                "which has all later rewards in it.",
            ),
            Wrong(
                {"returns[t] = R": "returns[t] = R + gamma * bootstrap"},
                "The bootstrap is added to every return once more. It is in R already.",
            ),
            Wrong(
                {
                    "R = rewards[t] + gamma * R\n        returns[t] = R": "returns[t] = R\n        "
                    "R = rewards[t] + gamma * R"
                },
                "The return is noted before the step's own reward is added: each place holds the "
                "return of the step after it.",
            ),
            Wrong(
                {
                    "R = bootstrap": "R = torch.zeros(())",
                    "return returns": "return returns + bootstrap",
                },
                "The bootstrap is added to every return without any γ. From step t it is T − t "
                "steps away, so its factor there is γ^(T − t): begin the loop with it.",
            ),
            Wrong(
                {"R = bootstrap": "R = gamma * bootstrap"},
                "The bootstrap is discounted once too often: the loop multiplies it by γ at the "
                "last step. R begins as the bootstrap itself.",
            ),
        ),
        properties=(
            heeds(
                "A reward changes the returns of later steps. Begin with the last step and go "
                "back.",
                lambda given: {"rewards": _plus_one(given.rewards, 0)},
            ),
            ignores(
                "The bootstrap has no effect: what comes after the last step counts as nothing.",
                lambda given: {"bootstrap": given.bootstrap + 1},
            ),
            ignores(
                "`gamma` has no effect. Each step back costs a factor γ.",
                lambda given: {"gamma": 0.7 * given.gamma},
            ),
            scales(
                "Rewards and a bootstrap twice as large do not make the returns twice as large.",
                lambda given: {
                    "rewards": 2 * given.rewards,
                    "bootstrap": 2 * given.bootstrap,
                },
            ),
        ),
        hints=(
            "Work backwards. The last step's return needs nothing but r, γ and the bootstrap; the "
            "one before needs only the last step's return.",
            "Keep a variable R: what everything after the step at hand is worth. It begins as the "
            "bootstrap, and at each step becomes rewards[t] + gamma * R.",
            "returns = torch.empty_like(rewards), then for t in reversed(range(len(rewards))): "
            "R = rewards[t] + gamma * R, and returns[t] = R.",
        ),
        praise="One backward pass, and every step looks as far ahead as the stretch goes.",
        minutes=10,
        difficulty=1,
    ),
    Exercise(
        id="2.2",
        title="a rollout in which episodes end",
        reference=n_step_returns,
        form=rollout_returns_in_a_loop,
        cases=_rollout_cases,
        wrong=(
            Wrong(
                {
                    "torch.where(truncated[t], next_values[t], R)": "R",
                    "torch.where(terminated[t], 0.0, after)": "after",
                },
                "The ends are ignored: the rewards of the next episode are counted for the one "
                "before. Look at terminated and truncated at each step of the loop.",
            ),
            Wrong(
                {"torch.where(terminated[t], 0.0, after)": "after"},
                "This bootstraps through a terminal state: where terminated, nothing comes after, "
                "neither a value nor the next episode's return. The reward is all there is.",
            ),
            Wrong(
                {
                    "torch.where(terminated[t], 0.0, after)": "torch.where(terminated[t], 0.0, "
                    "after) if t == T - 1 else after"
                },
                "Only the last step's `terminated` is looked at. An episode can end inside the "
                "rollout too; the steps after that belong to another episode.",
            ),
            Wrong(
                {
                    "torch.where(terminated[t], 0.0, after)": "torch.where(terminated[t], 0.0, "
                    "after) if t < T - 1 else after"
                },
                "This bootstraps at a terminal end: the world ended with the rollout's very last "
                "step, and V of what follows is added all the same. The mask holds there too.",
            ),
            Wrong(
                {"terminated[t], 0.0": "terminated[t] | truncated[t], 0.0"},
                "This takes a time limit for an ending. Where only truncated, the world would have "
                "gone on: what follows is worth next_values[t], not 0.",
            ),
            Wrong(
                {"torch.where(truncated[t], next_values[t], R)": "R"},
                "The return runs on through a time limit, into the next episode. Where truncated, "
                "what follows is next_values[t], and the R of step t + 1 is another episode's.",
            ),
            Wrong(
                {"terminated[t], 0.0": "terminated[t] & ~truncated[t], 0.0"},
                "Where both flags are set, this bootstraps. The last step that the clock allowed "
                "was also one at which the world ended: nothing comes after. `terminated` wins.",
            ),
            Wrong(
                {
                    "R = rewards[t] + gamma * after": "R = rewards[t] * ~terminated[t] + gamma * "
                    "after"
                },
                "The reward of the step that ends the episode is lost: the mask is put on r + γR. "
                "It belongs on what comes after, γR; the step itself was paid.",
                also=(
                    {
                        "R = rewards[t] + gamma * after": "R = rewards[t] * ~(terminated[t] | "
                        "truncated[t]) + gamma * after"
                    },
                ),
            ),
            Wrong(
                {
                    "truncated[t], next": "truncated[t - 1] & (t > 0), next",
                    "terminated[t], 0.0": "terminated[t - 1] & (t > 0), 0.0",
                },
                "The flags are read one step late. terminated[t] speaks of the step that r_t was "
                "paid for; it cuts off R_{t+1} from R_t.",
                also=(
                    {
                        "truncated[t], next": "truncated[t - 1], next",
                        "terminated[t], 0.0": "terminated[t - 1], 0.0",
                    },
                    {"terminated[t], 0.0": "terminated[t - 1] & (t > 0), 0.0"},
                    {"terminated[t], 0.0": "terminated[t - 1], 0.0"},
                ),
            ),
            Wrong(
                {"R = next_values[-1]": "R = torch.zeros_like(next_values[-1])"},
                "Where the rollout stops in the midst of an episode, nothing is said to follow. It "
                "goes on in the next rollout: the loop begins with R = next_values[-1], not 0.",
            ),
            Wrong(
                {
                    "truncated[t], next": "truncated[t] | terminated[t], next",
                    "torch.where(terminated[t], 0.0, after)": "after",
                },
                "A value is added after every end, of both kinds. Where terminated, the world is "
                "over and nothing follows: 0, whatever next_values[t] says.",
            ),
            Wrong(
                {
                    "torch.where(truncated[t], next_values[t], R)": "R + next_values[t] * "
                    "truncated[t]"
                },
                "After a time limit both are added, next_values[t] and the R of step t + 1. That R "
                "is another episode's: next_values[t] stands in its place, not beside it.",
            ),
            Wrong(
                {"terminated[t], 0.0, after": "terminated[t], after, 0.0"},
                "The mask is the wrong way round: what comes after counts only where terminated. "
                "It is to count everywhere else: ~terminated[t] in a product, and in torch.where "
                "the first choice is for True.",
            ),
            Wrong(
                {
                    "R = rewards[t] + gamma * after": "R = torch.where(terminated[t] | "
                    "truncated[t], after, rewards[t] + gamma * "
                    "after)"
                },
                "Where an episode ends, 0 or next_values[t] is put in the place of the whole "
                "return, and the reward of that step is lost. It is put in the place of what comes "
                "after: R = r + γ · (0 or next_values[t]).",
            ),
            Wrong(
                ends_read_one_step_early,
                "The flags are read one step early: those of step t change what step t − 1 gets. "
                "They say what comes after step t, so use them before R_t is computed.",
            ),
            Wrong(
                {
                    "truncated[t], next": "truncated[t].any(), next",
                    "terminated[t], 0.0": "terminated[t].any(), 0.0",
                },
                "The end of one environment's episode cuts the returns of all environments. Each "
                "column has its own ends: torch.where chooses for each entry, an `if` for all.",
                also=(
                    {"terminated[t], 0.0": "terminated[t].any(), 0.0"},
                    {"truncated[t], next": "truncated[t].any(), next"},
                ),
            ),
            Wrong(
                {"torch.where(truncated[t], next_values[t], R)": "next_values[t]"},
                "These are one-step targets: every step looks one step ahead. next_values[t] is "
                "for where the rollout or a time limit cut; elsewhere R_{t+1} is known.",
            ),
            Wrong(
                {"gamma * after": "after"},
                "Nothing is discounted. Each step back costs a factor γ.",
            ),
            Wrong(
                {"reversed(range(T))": "range(T)"},
                "This loop runs forward in time. R_t needs R_{t+1}, so begin with the last step: "
                "reversed(range(len(rewards))).",
            ),
            Wrong(
                {"rewards[t] + gamma * after": "gamma * (rewards[t] + after)"},
                "Each step's own reward is discounted too. It comes at once: R = r + γ · (what "
                "comes after).",
            ),
            Wrong(
                {"next_values[t], R)": "next_values[t] / gamma, R)"},
                "Where a time limit cut, next_values[t] is not discounted. It is the value of one "
                "step later: γ times it.",
            ),
            Wrong(
                {"R = next_values[-1]": "R = next_values[-1] / gamma"},
                "The value that follows the rollout is not discounted at the last step. It is the "
                "value of one step later: γ times it.",
            ),
            Wrong(
                {"next_values[-1]": "next_values[-1, 0]"},
                "The value that follows environment 0's last step is used for all environments. "
                "Each column has its own: next_values[-1].",
            ),
            Wrong(
                {"R = next_values[-1]": "R = next_values[0]"},
                "The loop begins with next_values[0]. What follows the last step is "
                "next_values[-1].",
            ),
            Wrong(
                {"next_values[t], R)": "next_values[-1], R)"},
                "Where a time limit cut you take the value that follows the rollout's last step. "
                "Row t has its own, next_values[t].",
            ),
            Wrong(
                {"next_values[t], R)": "next_values[t - 1], R)"},
                "Where a time limit cut you take the value of one row before. What follows step t "
                "is next_values[t].",
            ),
            Wrong(
                {"next_values[t], R)": "next_values[min(t + 1, T - 1)], R)"},
                "Where a time limit cut you take the value of one row later. next_values[t] is "
                "V(o_{t+1}) already.",
            ),
            Wrong(
                {"return returns": "return returns.flip(0)"},
                "The returns come out in reverse order: the first step's belongs first.",
            ),
            Wrong(
                {"rewards[t] + gamma * after": "rewards[t] - gamma * after"},
                "What comes after is subtracted. It is added.",
            ),
            Wrong(
                {"gamma * after": "0.9 * after"},
                "You compute with a γ of your own. Use the argument `gamma`.",
                also=(
                    {"gamma * after": "0.99 * after"},
                    {"gamma * after": "0.5 * after"},
                ),
            ),
            Wrong(
                {
                    "torch.where(truncated[t], next_values[t], R)": "torch.where(truncated[t], R, "
                    "next_values[t])"
                },
                "The two are exchanged: where a time limit cut you take R, and elsewhere "
                "next_values[t]. torch.where has its first choice for True.",
            ),
            Wrong(
                {
                    "truncated[t], next": "terminated[t], next",
                    "terminated[t], 0.0": "truncated[t], 0.0",
                },
                "The flags are exchanged: nothing comes after where `terminated`, and "
                "next_values[t] where `truncated`.",
            ),
            Wrong(
                {"gamma * after": "gamma ** (T - t) * after"},
                "The power of γ depends on where in the rollout the step is. Each step back costs "
                "one factor γ.",
                also=(
                    {"gamma * after": "gamma**t * after"},
                    {"gamma * after": "gamma ** (t + 1) * after"},
                ),
            ),
            Wrong(
                {"reversed(range(T))": "range(T - 1, 0, -1)"},
                "The first row is missing: the loop stops before t = 0. reversed(range(T)) ends "
                "at 0.",
            ),
            Wrong(
                {"terminated[t], 0.0": "terminated[t] | (truncated[t] & (t == T - 1)), 0.0"},
                "In the last row a time limit is taken for an ending. There too the world would "
                "have gone on: what follows is worth next_values[-1].",
            ),
            Wrong(
                {
                    "truncated[t], next": "truncated[t, :1], next",
                    "terminated[t], 0.0": "terminated[t, :1], 0.0",
                },
                "The flags of environment 0 are used for all environments. Each column has its own "
                "ends: torch.where chooses for each entry.",
            ),
            Wrong(
                {
                    "torch.where(terminated[t], 0.0, after)": "after",
                    "R = rewards[t] + gamma * after": "R = rewards[t] + gamma * after - gamma * "
                    "after * terminated[t]",
                },
                "Where the world ended, what comes after is added and taken away again. Where it "
                "is huge, rounding takes the reward along. Leave it out from the start: times "
                "~terminated[t], or torch.where.",
            ),
            Wrong(
                {"terminated[t], 0.0": "terminated[t] & truncated[t], 0.0"},
                "Nothing is said to follow only where both flags are set. `terminated` alone "
                "decides.",
            ),
        ),
        properties=(
            heeds(
                "What happens in one environment changes the returns of another. Each column has "
                "its "
                "own ends, and its own R.",
                lambda given: {
                    "rewards": _plus_one(given.rewards, (slice(None), 0)),
                    "next_values": _plus_one(given.next_values, (slice(None), 0)),
                },
            ),
            heeds(
                "A reward changes the returns of later steps. R_t needs R_{t+1}: begin with the "
                "last "
                "step and go back.",
                lambda given: {"rewards": _plus_one(given.rewards, 0)},
            ),
            heeds(
                "What is paid after an end changes the returns before it. It belongs to another "
                "episode.",
                lambda given: {"rewards": given.rewards + _after_the_first_end(given)},
            ),
            heeds(
                "`next_values` counts where the world ended. There nothing comes after: 0.",
                lambda given: {"next_values": given.next_values + given.terminated.float()},
                where=lambda given: given.terminated,
            ),
            heeds(
                "`next_values` counts where neither the rollout nor a time limit cut. There "
                "R_{t+1} "
                "is known, and looks further.",
                lambda given: {"next_values": given.next_values + _within(given)},
            ),
            ignores(
                "`next_values` has no effect where a time limit cut. There it says what would have "
                "come.",
                lambda given: {
                    "next_values": given.next_values + (given.truncated & ~given.terminated).float()
                },
            ),
            ignores(
                "The value that follows the rollout has no effect. Where the rollout stops within "
                "an "
                "episode, the loop begins with R = next_values[-1].",
                lambda given: {"next_values": _plus_one(given.next_values, -1)},
            ),
            ignores(
                "`gamma` has no effect. Each step back costs a factor γ.",
                lambda given: {"gamma": 0.7 * given.gamma},
            ),
            scales(
                "Rewards and values twice as large do not make the returns twice as large.",
                lambda given: {
                    "rewards": 2 * given.rewards,
                    "next_values": 2 * given.next_values,
                },
            ),
        ),
        hints=(
            "It is the loop of 2.1, on rows: rewards[t] is now (N,). At each step, before you use "
            "R, ask what comes after this step. There are three answers.",
            "torch.where(condition, a, b) chooses for each entry. What comes after is 0 where "
            "terminated[t], else next_values[t] where truncated[t], else R. At first R is "
            "next_values[-1].",
            "after = torch.where(truncated[t], next_values[t], R), then "
            "R = rewards[t] + gamma * torch.where(terminated[t], 0.0, after).",
        ),
        praise="This is the return of Algorithm S3, for all environments at once. A3C and A2C "
        "both learn from it.",
        minutes=20,
        difficulty=3,
    ),
    Exercise(
        id="2.3",
        title="the same, from the definition",
        without=("n_step_returns", "lambda_returns"),
        reference=return_from,
        cases=_definition_cases,
        wrong=(
            Wrong(
                last_reward_left_out,
                "The reward of the last step is left out. The step that ends an episode, or the "
                "rollout, was paid too: range(t, last) stops one short of `last`.",
            ),
            Wrong(
                {"discount * next_values": "discount / gamma * next_values"},
                "The value is discounted once too little. It is the value of what comes *after* "
                "the last reward: with n rewards its factor is γ^n, the last reward's γ^(n−1).",
            ),
            Wrong(
                {"torch.zeros(()), 1.0": "torch.zeros(()), gamma**t"},
                "The powers of γ are counted from the start of the rollout. R_t counts from its "
                "own step: the factor of r_k is γ^(k − t).",
                also=({"R + discount * rewards[k]": "R + gamma**k * rewards[k]"},),
            ),
            Wrong(
                {
                    "        if terminated[k]:\n            "
                    "return R\n        "
                    "if truncated[k]:\n            "
                    "break\n": "    if terminated[k]:\n        return R\n"
                },
                "This adds up rewards past the end of the episode. Stop at the first step k ≥ t "
                "that terminated or truncated.",
            ),
            Wrong(
                {
                    "            return R\n": "            break\n",
                    "    return R + discount * next_values[k]": "    value = discount * "
                    "next_values[k]\n    "
                    "return R + value - value * terminated[k]",
                },
                "Where the world ended, a value is added and taken away again. Where it is huge, "
                "rounding takes the rewards along. Add it only where it is due.",
            ),
            Wrong(
                {"            return R": "            break"},
                "This adds a value after a termination. The world ended: stop with the rewards.",
            ),
            Wrong(
                {"            break": "            return R"},
                "This takes a time limit for an ending. Where only truncated, the value of what "
                "would have followed, next_values[k], is still to be added.",
            ),
            Wrong(
                {
                    "    return R + discount": "        if k == len(rewards) - 1:\n            "
                    "return R\n    "
                    "return R + discount"
                },
                "Where the rollout is over before the episode is, the value of what follows the "
                "last step is missing: nothing ended there, we only stopped looking.",
            ),
            Wrong(
                first_end_of_the_rollout,
                "This looks for the first end of the whole rollout. What counts is the first end "
                "at or after step t.",
            ),
            Wrong(
                {
                    "if terminated[k]:": "if k > t and terminated[k]:",
                    "if truncated[k]:": "if k > t and truncated[k]:",
                },
                "An end at step t itself is overlooked: the search begins with step t + 1. If the "
                "episode ends with step t, the sum has one reward, r_t.",
                also=(end_at_step_t_overlooked,),
            ),
            Wrong(
                {
                    "        if terminated[k]:\n            "
                    "return R\n        "
                    "if truncated[k]:\n            "
                    "break\n": ""
                },
                "This never stops before the end of the rollout. Stop at the first step k ≥ t that "
                "terminated or truncated; what follows belongs to another episode.",
            ),
            Wrong(
                {"        if truncated[k]:\n            break\n": ""},
                "This runs on through a time limit, into the next episode. Where truncated, stop "
                "too, and add the value of what would have followed.",
            ),
            Wrong(
                {"if terminated[k]:": "if terminated[k] and not truncated[k]:"},
                "Where both flags are set, this adds a value. Ask `terminated` first: the world "
                "ended, and nothing comes after.",
            ),
            Wrong(
                flags_of_all_later_steps_asked,
                "Whether the world ended is asked of all steps from t on. A later ending belongs "
                "to another episode: what counts is the step with which the sum stops.",
            ),
            Wrong(
                flag_of_step_t_asked,
                "Whether a value is added is decided by terminated[t]. What counts is how the "
                "episode ended: the flag of the last step in the sum.",
            ),
            Wrong(
                {"discount * next_values": "next_values"},
                "The value is not discounted. It comes after all the rewards of the sum: with n "
                "rewards its factor is γ^n.",
            ),
            Wrong(
                {"discount * next_values": "gamma * next_values"},
                "The value is discounted once, as if it came one step after step t. It comes "
                "after all the rewards of the sum: with n rewards its factor is γ^n.",
            ),
            Wrong(
                {
                    "        R = R + discount * rewards[k]\n        "
                    "discount *= gamma\n        "
                    "if terminated[k]:\n            "
                    "return R\n        "
                    "if truncated[k]:\n            "
                    "break\n": "        if "
                    "terminated[k]:\n            "
                    "return R\n        "
                    "if truncated[k]:\n            "
                    "break\n        "
                    "R = R + discount * "
                    "rewards[k]\n        "
                    "discount *= gamma\n"
                },
                "The loop stops before it adds the reward of the step that ends the episode. That "
                "step was paid: add first, then look at the flags.",
                also=(
                    reward_of_an_end_left_out,
                    {
                        "        R = R + discount * rewards[k]\n        "
                        "discount *= gamma\n        "
                        "if terminated[k]:\n            "
                        "return R\n        "
                        "if truncated[k]:\n            "
                        "break\n": "        if k > t and "
                        "terminated[k]:\n            "
                        "return R\n        "
                        "if k > t and "
                        "truncated[k]:\n            "
                        "break\n        "
                        "R = R + discount * "
                        "rewards[k]\n        "
                        "discount *= gamma\n"
                    },
                ),
            ),
            Wrong(
                {"discount *= gamma": "discount *= 1"},
                "Nothing is discounted: the factor never changes.",
            ),
            Wrong(
                {
                    "        R = R + discount * rewards[k]\n "
                    "       discount *= gamma\n": "        discount *= "
                    "gamma\n        "
                    "R = R + discount * "
                    "rewards[k]\n"
                },
                "Each reward is discounted once too often: the first one, r_t, comes at once. Add "
                "it first, then multiply the factor by γ.",
            ),
            Wrong(
                {"next_values[k]": "next_values[t]"},
                "The value is that of what follows step t. The sum ends with step k, so what "
                "follows is next_values[k].",
            ),
            Wrong(
                {"next_values[k]": "next_values[-1]"},
                "The value is always that of what follows the rollout. The sum ends with step k, "
                "so what follows is next_values[k].",
            ),
            Wrong(
                {"next_values[k]": "next_values[k - 1]"},
                "The value is one row too early. What follows step k is next_values[k].",
            ),
            Wrong(
                {"next_values[k]": "next_values[min(k + 1, len(rewards) - 1)]"},
                "The value is one row too late: next_values[k] is V(o_{k+1}) already.",
            ),
            Wrong(
                {"range(t, len(rewards))": "range(len(rewards))"},
                "The sum begins with the rollout's first step. R_t begins with r_t.",
            ),
            Wrong(
                {"range(t, len(rewards))": "range(min(t + 1, len(rewards) - 1), len(rewards))"},
                "The reward of step t itself is missing: R_t begins with r_t.",
            ),
            Wrong(
                {
                    "if terminated[k]:": "if terminated[k - 1]:",
                    "if truncated[k]:": "if truncated[k - 1]:",
                },
                "The flags are read one step late: terminated[k] speaks of the step that r_k was "
                "paid for.",
                also=(
                    {
                        "if terminated[k]:": "if k > t and terminated[k - 1]:",
                        "if truncated[k]:": "if k > t and truncated[k - 1]:",
                    },
                ),
            ),
            Wrong(
                {"R + discount * next": "R - discount * next"},
                "The value is subtracted. It is added.",
            ),
            Wrong(
                {"discount *= gamma": "discount *= 0.9"},
                "You compute with a γ of your own. Use the argument `gamma`.",
                also=(
                    {"discount *= gamma": "discount *= 0.99"},
                    {"discount *= gamma": "discount *= 0.5"},
                ),
            ),
            Wrong(
                {"    return R + discount * next_values[k]": "    return R"},
                "No value is ever added. Where a time limit or the rollout's end cut, "
                "next_values[k] says what would have come.",
            ),
            Wrong(
                {"R = R + discount * rewards[k]": "R = discount * rewards[k]"},
                "Only the last reward is left: each one takes the place of the sum. Add it.",
            ),
            Wrong(
                {"if terminated[k]:": "if truncated[k]:", "if truncated[k]:": "if terminated[k]:"},
                "The flags are exchanged: nothing comes after where `terminated`, and "
                "next_values[k] where `truncated`.",
            ),
        ),
        properties=(
            heeds(
                "A reward from before step t changes R_t. The sum begins with r_t.",
                lambda given: {"rewards": _before(given.rewards, given.t)},
            ),
            heeds(
                "What is paid after the end of the episode changes R_t. It belongs to another one.",
                lambda given: {"rewards": given.rewards + (1 - _counted(given))},
            ),
            heeds(
                "A value counts where the world ended, or at a step that is not the last of the "
                "sum. "
                "Only what follows the last step is asked for, and only if the world went on.",
                lambda given: {"next_values": given.next_values + 1 - _asked(given)},
            ),
            ignores(
                "No value is added where one is due: where a time limit or the rollout's end cut, "
                "next_values[k] says what would have come.",
                lambda given: {"next_values": given.next_values + _asked(given)},
            ),
            ignores(
                "The reward of the last step that counts has no effect. That step was paid.",
                lambda given: {"rewards": given.rewards + _last(given)},
            ),
            scales(
                "Rewards and values twice as large do not make R_t twice as large.",
                lambda given: {
                    "rewards": 2 * given.rewards,
                    "next_values": 2 * given.next_values,
                },
            ),
        ),
        hints=(
            "Walk forward from t and add up, as you would on paper. At each step ask: is this the "
            "last one that counts?",
            "Keep the discount in a variable that begins with 1 and is multiplied by γ after each "
            "reward. After the loop it is just the factor that the value needs.",
            "for k in range(t, len(rewards)): add discount * rewards[k]; discount *= gamma; if "
            "terminated[k], return R; if truncated[k], break. After the loop: "
            "R + discount * next_values[k].",
        ),
        praise="The definition and the recursion of 2.2 agree: each is the other's test.",
        minutes=15,
        difficulty=2,
    ),
    Exercise(
        id="2.4",
        title="bug hunt: one long column",
        reference=rollout_returns,
        cases=_hunt_cases,
        start=rollout_returns_with_a_bug,
        wrong=(
            Wrong(
                {"part.T.reshape": "part.reshape", ".reshape(N, T).T": ".reshape(T, N)"},
                "Returns still take their neighbours' rewards. `reshape` reads a table row by row, "
                "and a row of a rollout is one step of all environments: in the column, r_t of "
                "one environment is followed by r_t of the next.",
            ),
            Wrong(
                {"part.T.reshape": "part.reshape"},
                "The column is still laid step by step, r_t of one environment before r_t of the "
                "next. What is to be one environment's steps has to be a row before `reshape` "
                "reads it.",
            ),
            Wrong(
                {".reshape(N, T).T": ".reshape(T, N)"},
                "The returns are not put back in their places. The column holds T steps of "
                "environment 0, then T of environment 1: read row by row, that is (N, T).",
            ),
            Wrong(
                {"    cut[-1] = True": "    cut[-1] = cut[-1]"},
                "Nothing cuts the column where an environment's last step stands, so a return runs "
                "on into the next environment.",
                also=({"    cut[-1] = True": "    cut[-1] = False"},),
            ),
            Wrong(
                {"    cut[-1] = True": "    cut[:] = True"},
                "Every step is cut, so these are one-step targets. What has to be cut is the last "
                "step of each environment.",
            ),
            Wrong(
                {"rollout.terminated, cut": "rollout.terminated | cut, cut"},
                "A cut counts as an ending: nothing is said to come after it. The world would have "
                "gone on, and V(o_{t+1}) says what that is worth.",
            ),
            Wrong(
                {"rollout.terminated, cut": "cut, rollout.terminated"},
                "The flags are exchanged: `n_step_returns` takes `terminated` first, then "
                "`truncated`.",
                also=(flags_exchanged,),
            ),
            Wrong(
                {
                    "    cut[-1] = True": "    ended = rollout.terminated.clone()\n    "
                    "cut[-1] = ended[-1] = True",
                    "rollout.terminated, cut": "ended, cut",
                },
                "The last step of each environment is taken for an ending. The rollout only stops "
                "there, and V(o_{t+1}) says what would have come.",
            ),
            Wrong(
                {
                    "    with torch.no_grad():": "    seen = torch.cat([rollout.observations[1:], "
                    "rollout.next_observations[-1:]])\n    with torch.no_grad():",
                    "(rollout.next_observations)": "(seen)",
                },
                "These are the values of the next row's observations. After an end that row "
                "belongs to another episode: ask about rollout.next_observations.",
            ),
            Wrong(
                {"rollout.terminated, cut": "torch.zeros_like(cut), cut"},
                "The return runs on through an ending. The flags that say where the world ended "
                "were right as they were given.",
            ),
            Wrong(
                {"rollout.next_observations": "rollout.observations"},
                "These are the values of o_t, the observations before the steps. A return is cut "
                "*after* a step: it needs V(o_{t+1}).",
            ),
            Wrong(
                {"with torch.no_grad():": "if True:"},
                "A gradient flows into the returns: they are targets. The values were asked under "
                "torch.no_grad(), and that was right.",
            ),
            Wrong(
                {"cut, gamma": "cut, 1.0"},
                "Nothing is discounted now. `gamma` was right as it was given.",
            ),
        ),
        properties=(
            heeds(
                "What one environment is paid changes the returns of another.",
                lambda given: {
                    "rollout": given.rollout._replace(
                        rewards=_plus_one(given.rollout.rewards, (slice(None), -1))
                    )
                },
            ),
            heeds(
                "A reward changes the returns of later steps.",
                lambda given: {
                    "rollout": given.rollout._replace(rewards=_plus_one(given.rollout.rewards, 0))
                },
            ),
        ),
        hints=(
            "With one environment the function is right. Take the two environments on paper, and "
            "write down the long column of their rewards. Which reward follows environment 0's "
            "first?",
            "A table is read row by row. A row of `rewards` holds one step of all environments; "
            "what the column needs first is all steps of environment 0. What turns columns into "
            "rows?",
            "Each column is part.T.reshape(T * N, 1), and at the end comes "
            ".reshape(N, T).T. Or without any column: n_step_returns takes (T, N) as it is, with "
            "rollout.rewards, next_values, rollout.terminated, rollout.truncated and gamma.",
        ),
        praise="Each return stays with its own environment. A test with N = 1 would not have told.",
        minutes=10,
        difficulty=2,
    ),
)
