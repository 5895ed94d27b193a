"""Chapter 02: the exercises of "n-step returns"."""

import torch
from gymnasium import spaces
from torch import Tensor

from a3c_lib.actor_critic import one_step_targets
from a3c_lib.exercises.engine.cases import Case, Exercise, Wrong
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


def forward_in_time(rewards: Tensor, bootstrap: Tensor, gamma: float) -> Tensor:
    returns = []
    R = bootstrap
    for reward in rewards:
        R = reward + gamma * R
        returns.append(R)
    return torch.stack(returns)


def not_turned_round(rewards: Tensor, bootstrap: Tensor, gamma: float) -> Tensor:
    return stretch_returns(rewards, bootstrap, gamma).flip(0)


def no_bootstrap(rewards: Tensor, bootstrap: Tensor, gamma: float) -> Tensor:
    return stretch_returns(rewards, torch.zeros(()), gamma)


def bootstrap_not_discounted(rewards: Tensor, bootstrap: Tensor, gamma: float) -> Tensor:
    last = rewards[-1:] + bootstrap
    return torch.cat([stretch_returns(rewards[:-1], last[0], gamma), last])


def undiscounted(rewards: Tensor, bootstrap: Tensor, gamma: float) -> Tensor:
    return stretch_returns(rewards, bootstrap, 1.0)


def own_reward_discounted(rewards: Tensor, bootstrap: Tensor, gamma: float) -> Tensor:
    return stretch_returns(gamma * rewards, bootstrap, gamma)


def discounted_from_the_start(rewards: Tensor, bootstrap: Tensor, gamma: float) -> Tensor:
    everything = torch.cat([rewards, bootstrap[None]])
    powers = gamma ** torch.arange(len(everything))
    return (powers * everything).flip(0).cumsum(0).flip(0)[:-1]


def bootstrap_at_every_step(rewards: Tensor, bootstrap: Tensor, gamma: float) -> Tensor:
    return rewards + gamma * bootstrap


def bootstrap_in_the_last_place(rewards: Tensor, bootstrap: Tensor, gamma: float) -> Tensor:
    return torch.cat([stretch_returns(rewards[:-1], bootstrap, gamma), bootstrap[None]])


def bootstrap_returned_too(rewards: Tensor, bootstrap: Tensor, gamma: float) -> Tensor:
    return torch.cat([stretch_returns(rewards, bootstrap, gamma), bootstrap[None]])


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
    ]


# 2.2 A rollout in which episodes end

Arguments = tuple[Tensor, Tensor, Tensor, Tensor, float]


def ends_ignored(
    rewards: Tensor, next_values: Tensor, terminated: Tensor, truncated: Tensor, gamma: float
) -> Tensor:
    no = torch.zeros_like(terminated)
    return n_step_returns(rewards, next_values, no, no, gamma)


def through_a_terminal_state(
    rewards: Tensor, next_values: Tensor, terminated: Tensor, truncated: Tensor, gamma: float
) -> Tensor:
    no = torch.zeros_like(terminated)
    return n_step_returns(rewards, next_values, no, truncated, gamma)


def only_the_last_end_counts(
    rewards: Tensor, next_values: Tensor, terminated: Tensor, truncated: Tensor, gamma: float
) -> Tensor:
    last = torch.zeros_like(terminated)
    last[-1] = terminated[-1]
    return n_step_returns(rewards, next_values, last, truncated, gamma)


def bootstraps_at_a_terminal_end(
    rewards: Tensor, next_values: Tensor, terminated: Tensor, truncated: Tensor, gamma: float
) -> Tensor:
    inner = terminated.clone()
    inner[-1] = False
    return n_step_returns(rewards, next_values, inner, truncated, gamma)


def time_limit_taken_for_an_ending(
    rewards: Tensor, next_values: Tensor, terminated: Tensor, truncated: Tensor, gamma: float
) -> Tensor:
    return n_step_returns(rewards, next_values, terminated | truncated, truncated, gamma)


def on_through_a_time_limit(
    rewards: Tensor, next_values: Tensor, terminated: Tensor, truncated: Tensor, gamma: float
) -> Tensor:
    return n_step_returns(rewards, next_values, terminated, torch.zeros_like(truncated), gamma)


def time_limit_outranks_an_ending(
    rewards: Tensor, next_values: Tensor, terminated: Tensor, truncated: Tensor, gamma: float
) -> Tensor:
    return n_step_returns(rewards, next_values, terminated & ~truncated, truncated, gamma)


def reward_of_the_last_step_lost(
    rewards: Tensor, next_values: Tensor, terminated: Tensor, truncated: Tensor, gamma: float
) -> Tensor:
    returns = []
    R = next_values[-1]
    for t in reversed(range(len(rewards))):
        R = rewards[t] + gamma * torch.where(truncated[t], next_values[t], R)
        R = R * ~terminated[t]
        returns.append(R)
    return torch.stack(returns[::-1])


def ends_read_one_step_late(
    rewards: Tensor, next_values: Tensor, terminated: Tensor, truncated: Tensor, gamma: float
) -> Tensor:
    def late(ends: Tensor) -> Tensor:
        return torch.cat([torch.zeros_like(ends[:1]), ends[:-1]])

    return n_step_returns(rewards, next_values, late(terminated), late(truncated), gamma)


def one_end_ends_them_all(
    rewards: Tensor, next_values: Tensor, terminated: Tensor, truncated: Tensor, gamma: float
) -> Tensor:
    returns = []
    R = next_values[-1]
    for t in reversed(range(len(rewards))):
        if terminated[t].any():
            R = torch.zeros_like(R)
        elif truncated[t].any():
            R = next_values[t]
        R = rewards[t] + gamma * R
        returns.append(R)
    return torch.stack(returns[::-1])


def rollout_returns_undiscounted(
    rewards: Tensor, next_values: Tensor, terminated: Tensor, truncated: Tensor, gamma: float
) -> Tensor:
    return n_step_returns(rewards, next_values, terminated, truncated, 1.0)


def rollout_forward_in_time(
    rewards: Tensor, next_values: Tensor, terminated: Tensor, truncated: Tensor, gamma: float
) -> Tensor:
    returns = []
    R = next_values[-1]
    for t in range(len(rewards)):
        after = torch.where(truncated[t], next_values[t], R)
        R = rewards[t] + gamma * torch.where(terminated[t], 0.0, after)
        returns.append(R)
    return torch.stack(returns)


def no_value_where_the_rollout_stops(
    rewards: Tensor, next_values: Tensor, terminated: Tensor, truncated: Tensor, gamma: float
) -> Tensor:
    stops = terminated.clone()
    stops[-1] |= ~truncated[-1]
    return n_step_returns(rewards, next_values, stops, truncated, gamma)


def value_after_every_end(
    rewards: Tensor, next_values: Tensor, terminated: Tensor, truncated: Tensor, gamma: float
) -> Tensor:
    no = torch.zeros_like(terminated)
    return n_step_returns(rewards, next_values, no, terminated | truncated, gamma)


def value_and_return_after_a_time_limit(
    rewards: Tensor, next_values: Tensor, terminated: Tensor, truncated: Tensor, gamma: float
) -> Tensor:
    returns = []
    R = next_values[-1]
    for t in reversed(range(len(rewards))):
        after = R + next_values[t] * truncated[t]
        R = rewards[t] + gamma * torch.where(terminated[t], 0.0, after)
        returns.append(R)
    return torch.stack(returns[::-1])


def mask_the_wrong_way_round(
    rewards: Tensor, next_values: Tensor, terminated: Tensor, truncated: Tensor, gamma: float
) -> Tensor:
    return n_step_returns(rewards, next_values, ~terminated, truncated, gamma)


def return_replaced_where_an_episode_ends(
    rewards: Tensor, next_values: Tensor, terminated: Tensor, truncated: Tensor, gamma: float
) -> Tensor:
    returns = []
    R = next_values[-1]
    for t in reversed(range(len(rewards))):
        R = torch.where(truncated[t], next_values[t], rewards[t] + gamma * R)
        R = torch.where(terminated[t], 0.0, R)
        returns.append(R)
    return torch.stack(returns[::-1])


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
        Case("8 steps of 4 environments with ends", *random(8, 4, 0.9, 0.3)),
        Case("6 steps of 2 environments with ends", *random(6, 2, 0.99, 0.4)),
    ]


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


def value_discounted_once_too_little(
    t: int,
    rewards: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    gamma: float,
) -> Tensor:
    last = _first_end(t, terminated, truncated)
    value = 0.0 if terminated[last] else next_values[last]
    return _direct(t, last, rewards, value, last - t, gamma)


def powers_counted_from_zero(
    t: int,
    rewards: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    gamma: float,
) -> Tensor:
    R = return_from(t, rewards, next_values, terminated, truncated, gamma)
    return gamma**t * R


def past_the_end(
    t: int,
    rewards: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    gamma: float,
) -> Tensor:
    last = len(rewards) - 1
    value = 0.0 if terminated[last] else next_values[last]
    return _direct(t, last, rewards, value, last - t + 1, gamma)


def value_after_a_termination(
    t: int,
    rewards: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    gamma: float,
) -> Tensor:
    last = _first_end(t, terminated, truncated)
    return _direct(t, last, rewards, next_values[last], last - t + 1, gamma)


def no_value_after_a_time_limit(
    t: int,
    rewards: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    gamma: float,
) -> Tensor:
    return return_from(t, rewards, next_values, terminated | truncated, truncated, gamma)


def no_value_at_the_rollouts_end(
    t: int,
    rewards: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    gamma: float,
) -> Tensor:
    last = _first_end(t, terminated, truncated)
    value = next_values[last] if truncated[last] and not terminated[last] else 0.0
    return _direct(t, last, rewards, value, last - t + 1, gamma)


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


def no_end_seen(
    t: int,
    rewards: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    gamma: float,
) -> Tensor:
    no = torch.zeros_like(terminated)
    return return_from(t, rewards, next_values, no, no, gamma)


def past_a_time_limit(
    t: int,
    rewards: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    gamma: float,
) -> Tensor:
    no = torch.zeros_like(truncated)
    return return_from(t, rewards, next_values, terminated, no, gamma)


def time_limit_asked_first(
    t: int,
    rewards: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    gamma: float,
) -> Tensor:
    return return_from(t, rewards, next_values, terminated & ~truncated, truncated, gamma)


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


def value_not_discounted(
    t: int,
    rewards: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    gamma: float,
) -> Tensor:
    last = _first_end(t, terminated, truncated)
    value = 0.0 if terminated[last] else next_values[last]
    return _direct(t, last, rewards, value, 0, gamma)


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
        Case("on paper, terminated at step 1, from step 1", 1, r, V, flags(3, 1), no, 0.5),
        Case("on paper, truncated at step 1", 0, r, V, no, flags(3, 1), 0.5),
        Case("on paper, truncated at step 1, from step 1", 1, r, V, no, flags(3, 1), 0.5),
        Case("on paper, both flags at step 1", 0, r, V, flags(3, 1), flags(3, 1), 0.5),
        Case("on paper, terminated at the last step", 1, r, V, flags(3, 2), no, 0.5),
    ]
    for t, gamma in (0, 0.9), (2, 0.9), (4, 0.99):
        arguments = torch.randn(8), torch.randn(8), flags(8, 3), flags(8, 6), gamma
        cases.append(Case(f"8 random steps, from step {t}", t, *arguments))
    return cases


# 2.4 A bug hunt


def rollout_returns(
    rollout: Rollout, last_observation: Tensor, model: ActorCritic, gamma: float
) -> Tensor:
    """The n-step returns of a rollout, (T, N), with the model's values where it looks no further.

    `last_observation` (N, *O) is where the next rollout will begin.
    """
    with torch.no_grad():
        next_values = model.values(rollout.next_observations)
    return n_step_returns(
        rollout.rewards, next_values, rollout.terminated, rollout.truncated, gamma
    )


def rollout_returns_with_a_bug(
    rollout: Rollout, last_observation: Tensor, model: ActorCritic, gamma: float
) -> Tensor:
    """The n-step returns of a rollout, (T, N), with the model's values where it looks no further.

    `last_observation` (N, *O) is where the next rollout will begin.
    """
    with torch.no_grad():
        values = model.values(torch.cat([rollout.observations, last_observation[None]]))
    next_values = values[1:]  # V(o_{t+1}), for t = 0 … T−1
    return n_step_returns(
        rollout.rewards, next_values, rollout.terminated, rollout.truncated, gamma
    )


def value_before_the_step(
    rollout: Rollout, last_observation: Tensor, model: ActorCritic, gamma: float
) -> Tensor:
    with torch.no_grad():
        values = model.values(rollout.observations)
    return n_step_returns(rollout.rewards, values, rollout.terminated, rollout.truncated, gamma)


def time_limit_as_an_ending(
    rollout: Rollout, last_observation: Tensor, model: ActorCritic, gamma: float
) -> Tensor:
    ended = rollout.terminated | rollout.truncated
    return rollout_returns(rollout._replace(terminated=ended), last_observation, model, gamma)


def last_row_still_after_the_reset(
    rollout: Rollout, last_observation: Tensor, model: ActorCritic, gamma: float
) -> Tensor:
    with torch.no_grad():
        next_values = model.values(rollout.next_observations)
        next_values[-1] = model.values(last_observation)
    return n_step_returns(
        rollout.rewards, next_values, rollout.terminated, rollout.truncated, gamma
    )


def time_limit_not_noticed(
    rollout: Rollout, last_observation: Tensor, model: ActorCritic, gamma: float
) -> Tensor:
    no = torch.zeros_like(rollout.truncated)
    return rollout_returns(rollout._replace(truncated=no), last_observation, model, gamma)


def value_before_the_cut(
    rollout: Rollout, last_observation: Tensor, model: ActorCritic, gamma: float
) -> Tensor:
    cut = rollout.truncated
    seen = rollout.next_observations
    seen[cut] = rollout.observations[cut]
    with torch.no_grad():
        next_values = model.values(seen)
    return n_step_returns(
        rollout.rewards, next_values, rollout.terminated, rollout.truncated, gamma
    )


def only_the_last_row_mended(
    rollout: Rollout, last_observation: Tensor, model: ActorCritic, gamma: float
) -> Tensor:
    return rollout_returns_with_a_bug(rollout, rollout.next_observations[-1], model, gamma)


def _model(*values: float) -> ActorCritic:
    """A table of values: what V says of observation k is `values[k]`."""
    model = ActorCritic(spaces.Discrete(len(values)), spaces.Discrete(2), hidden=())
    with torch.no_grad():
        model.value_head.weight.copy_(torch.tensor(values))
    return model


def _hunt_case(
    label: str, next_observations: Tensor, truncated: Tensor, terminated: Tensor
) -> Case:
    """States are 0 … 4; whoever reaches an end goes on from state 0."""
    ended = terminated | truncated
    after = torch.where(ended, 0, next_observations)
    observations = torch.cat([torch.zeros_like(after[:1]), after[:-1]])
    rewards = torch.arange(1.0, 1.0 + ended.numel()).reshape(ended.shape)
    actions = torch.ones_like(after)
    rollout = Rollout.of(observations, actions, rewards, next_observations, terminated, truncated)
    return Case(label, rollout, after[-1], _model(10.0, 20.0, 40.0, 80.0, 160.0), 0.5)


def _hunt_cases() -> list[Case]:
    path = _column(1, 2, 3)
    no, second, third = (_column(0, k == 2, k == 3).bool() for k in (0, 2, 3))
    two = torch.tensor([[1, 1], [2, 2], [1, 3], [2, 4]])
    ends = torch.zeros(2, 4, 2, dtype=torch.bool)
    ends[0, 1, 0] = ends[1, 3, 1] = True
    restart = _column(1, 2, 1)
    return [
        _hunt_case("3 steps without an end", path, no, no),
        _hunt_case("a time limit after step 1", restart, second, no),
        _hunt_case("a time limit after the last step", path, third, no),
        _hunt_case("terminated at step 1", restart, no, second),
        _hunt_case("two environments, one cut, one terminated", two, ends[0], ends[1]),
        _hunt_case("two environments, the other way round", two, ends[1], ends[0]),
    ]


def _column(*numbers: float) -> Tensor:
    """One environment's T numbers as (T, 1)."""
    return torch.tensor(numbers)[:, None]


EXERCISES = (
    Exercise(
        id="2.1",
        title="a stretch without an end",
        reference=stretch_returns,
        cases=_stretch_cases,
        wrong=(
            Wrong(
                forward_in_time,
                "This loop runs forward in time: the bootstrap enters at the first step, though it "
                "stands for what comes after the last one. Begin with the last step: "
                "reversed(range(len(rewards))).",
            ),
            Wrong(
                not_turned_round,
                "The numbers are right and in the wrong order. Working backwards, you find the "
                "last step's return first; the first step's return belongs first in the result.",
            ),
            Wrong(
                no_bootstrap,
                "The bootstrap is missing: what comes after the last step counts as nothing. The "
                "stretch was only cut there, so the loop begins with R = bootstrap, not 0.",
            ),
            Wrong(
                bootstrap_not_discounted,
                "The bootstrap is not discounted at the last step. It is the value of one step "
                "later, so the last return is r + γ · bootstrap, as at every other step.",
            ),
            Wrong(
                undiscounted,
                "Nothing is discounted: R = r + R. Each step back costs a factor γ.",
            ),
            Wrong(
                own_reward_discounted,
                "Each step's own reward is discounted too. It comes at once: R = r + γ R, and not "
                "γ (r + R) or γ r + γ R.",
            ),
            Wrong(
                discounted_from_the_start,
                "The powers of γ are counted from the start of the stretch. Each return counts "
                "from its own step: r_t has no γ in R_t.",
            ),
            Wrong(
                bootstrap_at_every_step,
                "This looks one step ahead at every step, and the value it takes belongs to the "
                "end of the stretch. What follows step t is the return of step t + 1.",
            ),
            Wrong(
                bootstrap_in_the_last_place,
                "The last place holds the bootstrap itself. The bootstrap is R_T, one step after "
                "the last; the last return is r_{T−1} + γ · bootstrap.",
            ),
            Wrong(
                bootstrap_returned_too,
                "The result has one number too many: the bootstrap stands at its end. Asked are "
                "R_0 … R_{T−1}, one return for each reward; the bootstrap is R_T.",
            ),
            Wrong(
                bootstrap_always_discounted_by_all_steps,
                "The bootstrap has the factor γ^T in every return. From step t it is T − t steps "
                "away, so its factor there is γ^(T − t).",
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
    ),
    Exercise(
        id="2.2",
        title="a rollout in which episodes end",
        reference=n_step_returns,
        cases=_rollout_cases,
        wrong=(
            Wrong(
                ends_ignored,
                "The ends are ignored: the rewards of the next episode are counted for the one "
                "before. Look at terminated and truncated at each step of the loop.",
            ),
            Wrong(
                through_a_terminal_state,
                "This bootstraps through a terminal state: where terminated, nothing comes after, "
                "neither a value nor the next episode's return. The reward is all there is.",
            ),
            Wrong(
                only_the_last_end_counts,
                "Only the last step's `terminated` is looked at. An episode can end inside the "
                "rollout too; the steps after that belong to another episode.",
            ),
            Wrong(
                bootstraps_at_a_terminal_end,
                "This bootstraps at a terminal end: the world ended with the rollout's very last "
                "step, and V of what follows is added all the same. The mask holds there too.",
            ),
            Wrong(
                time_limit_taken_for_an_ending,
                "This takes a time limit for an ending. Where only truncated, the world would have "
                "gone on: what follows is worth next_values[t], not 0.",
            ),
            Wrong(
                on_through_a_time_limit,
                "The return runs on through a time limit, into the next episode. Where truncated, "
                "what follows is next_values[t], and the R of step t + 1 is another episode's.",
            ),
            Wrong(
                time_limit_outranks_an_ending,
                "Where both flags are set, this bootstraps. The last step that the clock allowed "
                "was also one at which the world ended: nothing comes after. `terminated` wins.",
            ),
            Wrong(
                reward_of_the_last_step_lost,
                "The reward of the step that ends the episode is lost: the mask is put on r + γR. "
                "It belongs on what comes after, γR; the step itself was paid.",
            ),
            Wrong(
                ends_read_one_step_late,
                "The flags are read one step late. terminated[t] speaks of the step that r_t was "
                "paid for; it cuts off R_{t+1} from R_t.",
            ),
            Wrong(
                no_value_where_the_rollout_stops,
                "Where the rollout stops in the midst of an episode, nothing is said to follow. It "
                "goes on in the next rollout: the loop begins with R = next_values[-1], not 0.",
            ),
            Wrong(
                value_after_every_end,
                "A value is added after every end, of both kinds. Where terminated, the world is "
                "over and nothing follows: 0, whatever next_values[t] says.",
            ),
            Wrong(
                value_and_return_after_a_time_limit,
                "After a time limit both are added, next_values[t] and the R of step t + 1. That R "
                "is another episode's: next_values[t] stands in its place, not beside it.",
            ),
            Wrong(
                mask_the_wrong_way_round,
                "The mask is the wrong way round: what comes after counts only where terminated. "
                "It is to count everywhere else: ~terminated[t] in a product, and in torch.where "
                "the first choice is for True.",
            ),
            Wrong(
                return_replaced_where_an_episode_ends,
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
                one_end_ends_them_all,
                "The end of one environment's episode cuts the returns of all environments. Each "
                "column has its own ends: torch.where chooses for each entry, an `if` for all.",
            ),
            Wrong(
                one_step_targets,
                "These are one-step targets: every step looks one step ahead. next_values[t] is "
                "for where the rollout or a time limit cut; elsewhere R_{t+1} is known.",
            ),
            Wrong(
                rollout_returns_undiscounted,
                "Nothing is discounted. Each step back costs a factor γ.",
            ),
            Wrong(
                rollout_forward_in_time,
                "This loop runs forward in time. R_t needs R_{t+1}, so begin with the last step: "
                "reversed(range(len(rewards))).",
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
    ),
    Exercise(
        id="2.3",
        title="the same, from the definition",
        reference=return_from,
        cases=_definition_cases,
        wrong=(
            Wrong(
                last_reward_left_out,
                "The reward of the last step is left out. The step that ends an episode, or the "
                "rollout, was paid too: range(t, last) stops one short of `last`.",
            ),
            Wrong(
                value_discounted_once_too_little,
                "The value is discounted once too little. It is the value of what comes *after* "
                "the last reward: with n rewards its factor is γ^n, the last reward's γ^(n−1).",
            ),
            Wrong(
                powers_counted_from_zero,
                "The powers of γ are counted from the start of the rollout. R_t counts from its "
                "own step: the factor of r_k is γ^(k − t).",
            ),
            Wrong(
                past_the_end,
                "This adds up rewards past the end of the episode. Stop at the first step k ≥ t "
                "that terminated or truncated.",
            ),
            Wrong(
                value_after_a_termination,
                "This adds a value after a termination. The world ended: stop with the rewards.",
            ),
            Wrong(
                no_value_after_a_time_limit,
                "This takes a time limit for an ending. Where only truncated, the value of what "
                "would have followed, next_values[k], is still to be added.",
            ),
            Wrong(
                no_value_at_the_rollouts_end,
                "Where the rollout is over before the episode is, the value of what follows the "
                "last step is missing: nothing ended there, we only stopped looking.",
            ),
            Wrong(
                first_end_of_the_rollout,
                "This looks for the first end of the whole rollout. What counts is the first end "
                "at or after step t.",
            ),
            Wrong(
                end_at_step_t_overlooked,
                "An end at step t itself is overlooked: the search begins with step t + 1. If the "
                "episode ends with step t, the sum has one reward, r_t.",
            ),
            Wrong(
                no_end_seen,
                "This never stops before the end of the rollout. Stop at the first step k ≥ t that "
                "terminated or truncated; what follows belongs to another episode.",
            ),
            Wrong(
                past_a_time_limit,
                "This runs on through a time limit, into the next episode. Where truncated, stop "
                "too, and add the value of what would have followed.",
            ),
            Wrong(
                time_limit_asked_first,
                "Where both flags are set, this adds a value. Ask `terminated` first: the world "
                "ended, and nothing comes after.",
            ),
            Wrong(
                flag_of_step_t_asked,
                "Whether a value is added is decided by terminated[t]. What counts is how the "
                "episode ended: the flag of the last step in the sum.",
            ),
            Wrong(
                value_not_discounted,
                "The value is not discounted. It comes after all the rewards of the sum: with n "
                "rewards its factor is γ^n.",
            ),
            Wrong(
                reward_of_an_end_left_out,
                "The loop stops before it adds the reward of the step that ends the episode. That "
                "step was paid: add first, then look at the flags.",
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
    ),
    Exercise(
        id="2.4",
        title="bug hunt: what the clock did",
        reference=rollout_returns,
        cases=_hunt_cases,
        start=rollout_returns_with_a_bug,
        wrong=(
            Wrong(
                rollout_returns_with_a_bug,
                "Where an episode ended, the row below holds the first observation of the next "
                "episode. At a time limit its value is taken for that of the observation that the "
                "clock cut off. Where does the rollout keep what the world showed last?",
            ),
            Wrong(
                value_before_the_step,
                "These are the values of o_t, the observations before the steps. A return is cut "
                "*after* a step: it needs V(o_{t+1}).",
            ),
            Wrong(
                time_limit_as_an_ending,
                "Now a time limit counts as an ending: nothing is said to come after it. The "
                "world would have gone on; only the value was that of the wrong observation.",
            ),
            Wrong(
                last_row_still_after_the_reset,
                "The inner rows are right. In the last row last_observation is taken, and if the "
                "clock cut there, that is already the next episode's first observation.",
            ),
            Wrong(
                time_limit_not_noticed,
                "Now the return runs on through the time limit, into the next episode. The flag "
                "was right; the value beside it was that of the wrong observation.",
            ),
            Wrong(
                value_before_the_cut,
                "At a time limit this takes the value of o_t, the observation before the last "
                "step. What was cut off begins with o_{t+1}, where that step led.",
            ),
            Wrong(
                only_the_last_row_mended,
                "The last row is right now. Inside the rollout, the row below a time limit is "
                "still the first one of the next episode. Where else does the rollout keep what "
                "the world showed last?",
            ),
        ),
        hints=(
            "Write down a rollout of three steps whose second one is truncated, with the states' "
            "numbers as values. Which number stands in next_values[1], and which should?",
            "The environment resets itself within the step that ends an episode. So o_{t+1} as "
            "the next step saw it and o_{t+1} as the world showed it are two things. Read the "
            "fields of Rollout once more.",
            "model.values(rollout.next_observations) is V(o_{t+1}) for every step, before any "
            "reset. Neither the rows below nor last_observation are needed.",
        ),
    ),
)
