"""Chapter 08: the exercises of "Values of actions"."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from a3c_lib.exercises.engine.cases import (
    Case,
    Exercise,
    Wrong,
    heeds,
    ignores,
    scales,
)
from a3c_lib.returns import n_step_returns
from a3c_lib.rollout import Rollout

# 8.1 ε-greedy actions

CROWD = 5_000  # environments that see the same, so that the shares of their actions settle
SEED = 2  # whose first number, 0.61, lies between the ε of the cases
ASKED = 200  # times that one environment alone is asked for an action


def epsilon_greedy(q: Tensor, epsilon: float, generator: torch.Generator) -> Tensor:
    """argmax_a Q(o, a), or, with probability ε, any action, each as likely.   (N, A) → (N)"""
    best = q.argmax(dim=-1)
    explores = torch.rand(best.shape, generator=generator) < epsilon
    any_one = torch.randint(q.shape[-1], best.shape, generator=generator)
    return torch.where(explores, any_one, best)


def drawn_by_a_softmax(q: Tensor, epsilon: float, generator: torch.Generator) -> Tensor:
    return torch.multinomial(q.softmax(dim=-1), 1, generator=generator).squeeze(-1)


def one_number_for_both(q: Tensor, epsilon: float, generator: torch.Generator) -> Tensor:
    u = torch.rand(len(q), generator=generator)
    return torch.where(u < epsilon, (u * q.shape[-1]).long(), q.argmax(dim=-1))


def other_dice(q: Tensor, epsilon: float, generator: torch.Generator) -> Tensor:
    return epsilon_greedy(q, epsilon, torch.default_generator)


def _shares(
    answer: Callable[..., Tensor], rows: Sequence[Sequence[float]], epsilon: float
) -> dict[str, Any]:
    """How often each action is taken where each of the rows is seen, in so many environments that
    the shares settle, and so few that an answer may go through them one by one."""
    q, few = (torch.tensor(rows).repeat(copies, 1) for copies in (CROWD, 100))
    untouched = q.clone()
    dice = [torch.Generator().manual_seed(seed) for seed in (SEED, SEED, SEED)]
    actions = answer(q, epsilon, dice[0])
    known = actions.long().clamp(0, len(rows[0]) - 1)  # others are told of below
    shares = [
        torch.bincount(known[k :: len(rows)], minlength=len(rows[0])) / CROWD
        for k in range(len(rows))
    ]
    once = answer(few, epsilon, dice[1])
    torch.rand(3)  # which moves the dice of nobody but torch
    again = answer(few, epsilon, dice[2])
    later = answer(few, epsilon, dice[2])
    alone = torch.cat([answer(q[:1], epsilon, dice[1]).reshape(-1) for _ in range(ASKED)])
    others = (alone.long() != untouched[0].argmax()).float().mean()
    due = epsilon * (1 - 1 / len(rows[0]))  # of them; its deviation is at most 0.036
    return {
        "the shape of the actions": tuple(actions.shape),
        "the shape of one environment's action": tuple(answer(q[:1], epsilon, dice[0]).shape),
        "are they whole numbers?": not actions.is_floating_point(),
        "are they numbers from 0 to A − 1?": torch.equal(actions.long(), known),
        "is q as it was?": torch.equal(q, untouched),
        "is the best action taken everywhere?": torch.equal(
            actions.long(), untouched.argmax(dim=-1)
        ),
        "does the same generator draw others in the next step?": not torch.equal(again, later),
        "the shares of the actions, a row for each row of q": torch.stack(shares),
        "does one environment alone explore as often as ε says?": bool(abs(others - due) < 0.15),
        "does the same generator give the same actions?": torch.equal(once, again),
    }


def _epsilon_cases() -> list[Case]:
    rows = [[0.0, 2.0, 1.0], [5.0, -1.0, 4.0]]
    cases = {
        "ε = 0": (rows, 0.0),
        "ε = 0.3, three actions": (rows, 0.3),
        "ε = 0.8, two actions": ([[1.0, 0.0], [0.5, 0.7]], 0.8),
        "ε = 1": (rows, 1.0),
        "ε = 0.5, five actions": ([[-7.0, -2.0, -1.0, -3.0, -9.0]], 0.5),
    }
    return [Case(label, *args, probe=_shares) for label, args in cases.items()]


# 8.2 The target of one-step Q-learning


def q_targets(rewards: Tensor, next_q: Tensor, terminated: Tensor, gamma: float) -> Tensor:
    """r + γ max_a Q(o′, a), or r alone where the world ended.   (T, N), (T, N, A) … → (T, N)"""
    return rewards + gamma * next_q.amax(dim=-1) * ~terminated


def q_targets_in_steps(rewards: Tensor, next_q: Tensor, terminated: Tensor, gamma: float) -> Tensor:
    best = next_q.amax(dim=-1)
    goes_on = ~terminated
    after = gamma * best * goes_on
    return rewards + after


def _q_arguments(T: int, N: int, A: int, share: float) -> tuple[Tensor, Tensor, Tensor]:
    return torch.randn(T, N), torch.randn(T, N, A), torch.rand(T, N) < share


def _on_paper() -> tuple[Tensor, Tensor, Tensor]:
    """Two steps of one environment, two actions; the second step ends the episode."""
    next_q = torch.tensor([[[4.0, 6.0]], [[-8.0, 2.0]]])
    return torch.tensor([[1.0], [3.0]]), next_q, torch.tensor([[False], [True]])


def _q_cases() -> list[Case]:
    return [
        Case("on paper", *_on_paper(), 0.5),
        Case("no end, values below zero", torch.zeros(1, 1), -torch.ones(1, 1, 3), _no(1, 1), 0.5),
        Case("5 steps of 3 environments", *_q_arguments(5, 3, 4, 0.0), 0.9),
        Case("6 steps of 2 environments with ends", *_q_arguments(6, 2, 3, 0.4), 0.99),
        Case("nothing but the reward: γ = 0", *_q_arguments(3, 2, 3, 0.4), 0.0),
        Case("large numbers, also where the world ended", *_large(), 0.5),
        Case("7 actions", *_q_arguments(3, 2, 7, 0.4), 0.9),
    ]


def _large() -> tuple[Tensor, Tensor, Tensor]:
    """Two steps of one environment; the second step ends the episode, where Q is huge."""
    next_q = torch.tensor([[[-4000.0, -6000.0]], [[-1e12, 1e12]]])
    return torch.tensor([[100.0], [3.0]]), next_q, torch.tensor([[False], [True]])


def _no(*shape: int) -> Tensor:
    return torch.zeros(shape, dtype=torch.bool)


# 8.3 The target of Sarsa


def sarsa_targets(
    rewards: Tensor,
    next_q: Tensor,
    actions: Tensor,
    following: Tensor,
    terminated: Tensor,
    gamma: float,
) -> Tensor:
    """r + γ Q(o′, a′) with the a′ that is executed in o′.

    actions (T, N) are those of the rollout, `following` (N) those that come after it.   → (T, N)
    """
    next_actions = torch.cat([actions[1:], following[None]])
    executed = next_q.gather(-1, next_actions[..., None]).squeeze(-1)
    return rewards + gamma * executed * ~terminated


def sarsa_targets_in_steps(
    rewards: Tensor,
    next_q: Tensor,
    actions: Tensor,
    following: Tensor,
    terminated: Tensor,
    gamma: float,
) -> Tensor:
    next_actions = torch.cat([actions[1:], following[None]])
    executed = next_q.gather(-1, next_actions[..., None]).squeeze(-1)
    goes_on = ~terminated
    after = gamma * executed * goes_on
    return rewards + after


def _sarsa_cases() -> list[Case]:
    def random(T: int, N: int, A: int, share: float) -> tuple[Tensor, ...]:
        rewards, next_q, terminated = _q_arguments(T, N, A, share)
        actions, following = torch.randint(A, (T, N)), torch.randint(A, (N,))
        return rewards, next_q, actions, following, terminated

    rewards, next_q, terminated = _on_paper()
    actions, following = torch.tensor([[1], [0]]), torch.tensor([1])
    cases = {
        "on paper": (rewards, next_q, actions, following, terminated, 0.5),
        "on paper, no end": (rewards, next_q, actions, following, _no(2, 1), 0.5),
        "one step": (rewards[:1], next_q[:1], actions[:1], 1 - following, _no(1, 1), 0.5),
        "5 steps of 3 environments": (*random(5, 3, 4, 0.0), 0.9),
        "6 steps of 2 environments with ends": (*random(6, 2, 3, 0.4), 0.99),
        "one step of 3 environments": (*random(1, 3, 4, 0.0), 0.9),
        "nothing but the reward: γ = 0": (*random(3, 2, 3, 0.4), 0.0),
        "large numbers, also where the world ended": (
            *_large()[:2],
            actions,
            following,
            _large()[2],
            0.5,
        ),
    }
    return [Case(label, *args) for label, args in cases.items()]


# 8.4 The returns of n-step Q-learning


def n_step_q_returns(
    rewards: Tensor, next_q: Tensor, terminated: Tensor, truncated: Tensor, gamma: float
) -> Tensor:
    """Rewards as far as the rollout goes, and max_a Q of what comes after it.

    (T, N), (T, N, A), (T, N), (T, N) → (T, N)
    """
    return n_step_returns(rewards, next_q.amax(dim=-1), terminated, truncated, gamma)


def n_step_q_returns_in_steps(
    rewards: Tensor, next_q: Tensor, terminated: Tensor, truncated: Tensor, gamma: float
) -> Tensor:
    values = next_q.amax(dim=-1)
    return n_step_returns(rewards, values, terminated, truncated, gamma)


def larger_of_return_and_value(
    rewards: Tensor, next_q: Tensor, terminated: Tensor, truncated: Tensor, gamma: float
) -> Tensor:
    values, returns = next_q.amax(dim=-1), []
    R = values[-1]
    for t in reversed(range(len(rewards))):
        after = torch.where(truncated[t], values[t], torch.maximum(R, values[t]))
        R = rewards[t] + gamma * after * ~terminated[t]
        returns.append(R)
    return torch.stack(returns[::-1])


def nothing_behind_the_rollout(
    rewards: Tensor, next_q: Tensor, terminated: Tensor, truncated: Tensor, gamma: float
) -> Tensor:
    values, returns = next_q.amax(dim=-1), []
    R = torch.zeros_like(values[-1])
    for t in reversed(range(len(rewards))):
        after = torch.where(truncated[t], values[t], R)
        R = rewards[t] + gamma * torch.where(terminated[t], 0.0, after)
        returns.append(R)
    return torch.stack(returns[::-1])


def _n_step_cases() -> list[Case]:
    def random(T: int, N: int, share: float) -> tuple[Tensor, ...]:
        terminated, truncated = torch.rand(2, T, N) < share
        return torch.randn(T, N), torch.randn(T, N, 3), terminated, truncated & ~terminated

    rewards, next_q, terminated = _on_paper()
    earlier = torch.tensor([[True], [False]])
    two, ends = random(4, 2, 0.0), _no(4, 2)
    ends[2, 0] = ends[0, 1] = True
    return [
        Case("on paper", rewards, next_q, terminated, _no(2, 1), 0.5),
        Case("on paper, no end", rewards, next_q, _no(2, 1), _no(2, 1), 0.5),
        Case("on paper, a time limit in the middle", rewards, next_q, _no(2, 1), earlier, 0.5),
        Case("one step", rewards[:1], next_q[:1], _no(1, 1), _no(1, 1), 0.5),
        Case("5 steps of 3 environments", *random(5, 3, 0.0), 0.9),
        Case("8 steps of 3 environments with ends", *random(8, 3, 0.3), 0.99),
        Case("a cut and later an end, an end and later a cut", *two[:2], ends, ends.flip(1), 0.5),
        Case("nothing but the reward: γ = 0", *random(3, 2, 0.3), 0.0),
        Case("50 steps, γ = 0.1", *random(50, 1, 0.05), 0.1),  # 0.1^49 is 0 here
        Case("large numbers, also where the world ended", *_large(), earlier, 0.5),
        Case("7 actions", torch.randn(4, 2), torch.randn(4, 2, 7), _no(4, 2), ends, 0.9),
        Case("both flags at once", *two[:2], ends, ends, 0.5),
        Case("one step of 3 environments", *random(1, 3, 0.5), 0.9),
    ]


# 8.5 The target network


def refresh_target(
    theta: list[Tensor], target: list[Tensor], before: int, after: int, period: int
) -> None:
    """θ⁻ ← θ, in place, if a multiple of `period` lies in (before, after]."""
    if after // period > before // period:
        for mine, theirs in zip(target, theta, strict=True):
            mine.copy_(theirs)


def _over_time(
    answer: Callable[..., None], counts: Sequence[int], period: int, sizes: Sequence[int]
) -> dict[str, Tensor]:
    """What θ⁻ is, as other workers see it, after each count; θ changes between them."""
    theta = [torch.arange(1.0, size + 1) for size in sizes]
    target = [torch.zeros(size) for size in sizes]
    theirs, frozen = ([each.view(-1) for each in tensors] for tensors in (theta, target))
    rows = []
    for before, after in pairwise(counts):
        answer(theta, target, before, after, period)
        rows.append(torch.cat([*frozen, *theirs]))
        for view in theirs:
            view.add_(10)
    rows.append(torch.cat([*frozen, *theirs]))
    of_target, of_theta = torch.stack(rows).chunk(2, dim=-1)
    return {
        "θ⁻, as other workers see it, after each count": of_target,
        "θ, as other workers see it": of_theta,
        "θ⁻ in the end, by the names in your list": _flat(target),
    }


def _flat(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([each.detach().reshape(-1) for each in tensors])


def _target_cases() -> list[Case]:
    cases: dict[str, tuple[list[int], int, list[int]]] = {
        "period 10, counts 0, 5, 10, 15, 20": ([0, 5, 10, 15, 20], 10, [1]),
        "period 10, counts 0, 4, 8, 12, 16, 20, 24": ([0, 4, 8, 12, 16, 20, 24], 10, [2, 1]),
        "period 10, counts 3, 8, 13, 18, 23, 28": ([3, 8, 13, 18, 23, 28], 10, [1]),
        "a period shorter than an update": ([0, 5, 10, 15], 3, [1]),
        "another worker counts at the same moment": ([0, 9, 14, 19, 31, 32], 10, [2]),
        "nothing was counted in between": ([0, 10, 10, 15, 15], 10, [1]),
        "a period of 1": ([0, 1, 2, 2, 5], 1, [1]),
        "three tensors, and an update longer than two periods": ([5, 40, 41, 49], 10, [2, 1, 3]),
    }
    return [Case(label, *args, probe=_over_time) for label, args in cases.items()]


# 8.6 The method as a whole


class QPlayer:
    """What a worker of chapter 05 plays with, to learn by n-step Q.

    `player` has environments: player.play(policy, t_max).rollout is a rollout, and
    player.generator has the dice. `target` is the network with θ⁻.
    """

    def __init__(
        self, player: Any, target: nn.Module, epsilon: float, gamma: float, t_max: int
    ) -> None:
        self.player, self.target = player, target
        self.epsilon, self.gamma, self.t_max = epsilon, gamma, t_max

    def act(self, model: nn.Module) -> Any:
        """A rollout, ε-greedy by the Q (N, A) that `model` gives of observations."""

        @torch.no_grad()
        def policy(observation: Tensor, state: Any) -> tuple[Tensor, Any]:
            return epsilon_greedy(model(observation), self.epsilon, self.player.generator), state

        return self.player.play(policy, self.t_max).rollout

    def gradients(self, model: nn.Module, rollout: Any) -> Sequence[Tensor]:
        """Of mean (R − Q(o_t, a_t))², where R are the n-step returns by θ⁻."""
        q = model(rollout.observations)
        values = q.gather(-1, rollout.actions[..., None]).squeeze(-1)
        with torch.no_grad():
            next_q = self.target(rollout.next_observations)
        R = n_step_q_returns(
            rollout.rewards, next_q, rollout.terminated, rollout.truncated, self.gamma
        )
        return torch.autograd.grad((R - values).square().mean(), list(model.parameters()))


class QPlayerInSteps(QPlayer):
    def act(self, model: nn.Module) -> Any:
        def policy(observation: Tensor, state: Any) -> tuple[Tensor, Any]:
            with torch.no_grad():
                q = model(observation)
            return epsilon_greedy(q, self.epsilon, self.player.generator), state

        return self.player.play(policy, self.t_max).rollout

    def gradients(self, model: nn.Module, rollout: Any) -> Sequence[Tensor]:
        q = model(rollout.observations)
        values = q.gather(-1, rollout.actions[..., None]).squeeze(-1)
        with torch.no_grad():
            next_q = self.target(rollout.next_observations)
        ends = rollout.terminated, rollout.truncated
        R = n_step_q_returns(rollout.rewards, next_q, *ends, self.gamma)
        loss = (R - values).square().mean()
        return torch.autograd.grad(loss, list(model.parameters()))


class _Steps(NamedTuple):
    rollout: Rollout


class _Walking:
    """A player without a world: whatever is done, the same is seen, by so many `copies` of each
    environment. It remembers how many steps it was asked for, and what became of the state that
    it handed to the policy."""

    def __init__(self, rollout: Rollout, copies: int = 1, seed: int = 0) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        self.rollout, self.copies = rollout, copies
        self.asked, self.hands_through = 0, True

    def play(self, policy: Any, t_max: int) -> _Steps:
        self.asked, memory, actions = t_max, object(), []
        for observation in self.rollout.observations[:t_max]:
            action, state = policy(observation.repeat(self.copies, 1), memory)
            self.hands_through &= state is memory
            actions.append(action)
        return _Steps(self.rollout._replace(actions=torch.stack(actions)))


def _playing(Player: type, rollout: Rollout, epsilon: float, gamma: float) -> dict[str, Any]:
    """The gradients that it hands over, and the shares of the actions that it takes."""
    T, N = rollout.actions.shape
    model, target = (nn.Linear(2, 3) for _ in range(2))
    with torch.no_grad():
        model.weight[:] = torch.tensor([[1.0, -2.0], [-1.5, 0.5], [0.25, 2.0]])
        target.weight[:] = torch.tensor([[-1.0, 0.5], [2.0, 1.0], [0.5, -3.0]])
        for each in model, target:
            each.bias.zero_()
    player = Player(_Walking(rollout), target, epsilon, gamma, T)
    gradients = [each.clone() for each in player.gradients(model, rollout)]
    once_more = player.gradients(model, rollout)
    crowd = Player(_Walking(rollout, copies=CROWD), target, epsilon, gamma, min(T, 2))
    crowded = crowd.act(model).actions.reshape(-1, CROWD, N)
    walks = [_Walking(rollout, copies=100, seed=seed) for seed in (0, 0, 1)]
    one, same, others = (Player(walk, target, epsilon, gamma, T) for walk in walks)
    actions = one.act(model).actions
    torch.rand(3)  # which moves the dice of nobody but torch
    return {
        "how many steps are played": walks[0].asked,
        "the shapes of the gradients, one for each parameter": [
            tuple(each.shape) for each in gradients
        ],
        "the gradients": torch.cat([each.flatten() for each in gradients]),
        "the gradients of the same rollout once more": torch.cat(
            [each.flatten() for each in once_more]
        ),
        "the number of steps in a rollout": len(actions),
        "how often each action is taken in the first steps": torch.stack(
            [(crowded == action).float().mean(dim=1) for action in range(3)]
        ),
        "do the player's dice decide?": torch.equal(actions, same.act(model).actions),
        "do other dice draw others?": not torch.equal(actions, others.act(model).actions),
        "is `state` handed through by the policy?": walks[0].hands_through,
        "the target's parameters afterwards": target.weight.detach().clone(),
    }


def _player_cases() -> list[Case]:
    def random(T: int, N: int, ends: Sequence[tuple[int, int]] = ()) -> Rollout:
        seen, final = torch.randn(T + 1, N, 2), torch.randn(len(ends), 2)
        terminated, truncated = _no(T, N), _no(T, N)
        for k, (t, n) in enumerate(sorted(ends)):
            (truncated if k % 2 else terminated)[t, n] = True
        actions = torch.randint(3, (T, N))
        rewards, none = torch.randn(T, N), _no(T, N)
        return Rollout(seen, actions, rewards, terminated, truncated, final, none, ())

    large = random(2, 1)
    large = large._replace(rewards=500 * large.rewards)
    cases = {
        "one step of one environment": (random(1, 1), 0.0, 0.5),
        "3 steps, no end": (random(3, 1), 0.3, 0.9),
        "4 steps of 2 environments with ends": (random(4, 2, [(1, 0), (2, 1)]), 0.6, 0.9),
        "7 steps, cut in the middle, γ = 0.5": (random(7, 1, [(1, 0), (4, 0)]), 1.0, 0.5),
        "2 steps with large rewards": (large, 0.0, 0.9),
    }
    return [Case(label, *args, probe=_playing) for label, args in cases.items()]


# 8.7 A bug hunt: the action that was promised

Choose = Callable[[Tensor], int]


def sarsa(world: Any, Q: Tensor, choose: Choose, alpha: float, gamma: float, steps: int) -> None:
    """One-step Sarsa on a table Q (S, A), for so many steps."""
    state = world.reset()
    action = choose(Q[state])
    for _ in range(steps):
        after, reward, terminated = world.step(action)
        next_action = choose(Q[after])
        target = reward + (0.0 if terminated else gamma * Q[after, next_action])
        Q[state, action] += alpha * (target - Q[state, action])
        state, action = after, next_action
        if terminated:
            state = world.reset()
            action = choose(Q[state])


def sarsa_with_a_bug(
    world: Any, Q: Tensor, choose: Choose, alpha: float, gamma: float, steps: int
) -> None:
    """One-step Sarsa on a table Q (S, A), for so many steps."""
    state = world.reset()
    for _ in range(steps):
        action = choose(Q[state])
        after, reward, terminated = world.step(action)
        next_action = choose(Q[after])
        target = reward + (0.0 if terminated else gamma * Q[after, next_action])
        Q[state, action] += alpha * (target - Q[state, action])
        state = world.reset() if terminated else after


def best_in_its_place(
    world: Any, Q: Tensor, choose: Choose, alpha: float, gamma: float, steps: int
) -> None:
    state = world.reset()
    for _ in range(steps):
        action = choose(Q[state])
        after, reward, terminated = world.step(action)
        target = reward + (0.0 if terminated else gamma * Q[after].max())
        Q[state, action] += alpha * (target - Q[state, action])
        state = world.reset() if terminated else after


def the_action_just_taken(
    world: Any, Q: Tensor, choose: Choose, alpha: float, gamma: float, steps: int
) -> None:
    state = world.reset()
    for _ in range(steps):
        action = choose(Q[state])
        after, reward, terminated = world.step(action)
        target = reward + (0.0 if terminated else gamma * Q[after, action])
        Q[state, action] += alpha * (target - Q[state, action])
        state = world.reset() if terminated else after


def carried_through_an_end(
    world: Any, Q: Tensor, choose: Choose, alpha: float, gamma: float, steps: int
) -> None:
    state = world.reset()
    action = choose(Q[state])
    for _ in range(steps):
        after, reward, terminated = world.step(action)
        if terminated:
            after = world.reset()
        next_action = choose(Q[after])
        target = reward + gamma * Q[after, next_action]
        Q[state, action] += alpha * (target - Q[state, action])
        state, action = after, next_action


class _Wheel:
    """A world of `size` states in a circle; an action moves by 1 or 2. State 0 ends an episode."""

    def __init__(self, size: int) -> None:
        self.size, self.state = size, 1
        self.log: list[tuple[int, int, float, int, bool]] = []

    def reset(self) -> int:
        self.state = 1
        return self.state

    def step(self, action: int) -> tuple[int, float, bool]:
        state, self.state = self.state, (self.state + 1 + int(action)) % self.size
        reward, ended = float(state + 2 * int(action) - 2), self.state == 0
        self.log.append((state, int(action), reward, self.state, ended))
        return self.state, reward, ended


def _executed(
    answer: Callable[..., None],
    size: int,
    steps: int,
    gamma: float,
    start: float = 0.0,
    alpha: float = 0.5,
) -> dict[str, Any]:
    """Q, less the Q that Sarsa makes of the steps that were executed. (What follows the last of
    them is not known: after it Q may be what either action makes of it.)"""
    world, Q = _Wheel(size), torch.full((size, 2), start)
    dice = torch.Generator().manual_seed(size)
    before, events = [Q.clone()], [""]
    rows: list[tuple[Tensor, Tensor]] = []  # what `choose` was given last, and what Q was then
    anew, begins = True, True
    of_its_state = {True: True, False: True}  # for an episode's first action, and for the others

    def choose(row: Tensor) -> int:
        assert row.shape == (2,)
        events.append("choose")
        rows[:] = [(row.clone(), Q.clone())]
        return int(torch.randint(2, (), generator=dice))

    def reset() -> int:
        nonlocal begins
        begins = True
        events.append("reset")
        return world.reset()

    def step(action: int) -> tuple[int, float, bool]:
        nonlocal anew, begins
        anew &= bool(rows)
        of_its_state[begins] &= all(torch.equal(row, then[world.state]) for row, then in rows)
        begins = False
        rows.clear()
        events.append("step after choose" if events[-1] == "choose" else "step")
        before.append(Q.clone())
        after, reward, ended = world.step(action)
        events.extend(["end"] * ended)
        return after, reward, ended

    watched = SimpleNamespace(reset=reset, step=step)
    answer(watched, Q, choose, alpha, gamma, steps)
    expected, log = torch.full((size, 2), start), world.log
    for (s, a, r, after, ended), (_, following, *_) in pairwise(log):
        target = r + (0.0 if ended else gamma * expected[after, following])
        expected[s, a] += alpha * (target - expected[s, a])
    in_the_end = _nearest(Q, expected, log[-1], alpha, gamma)
    return {
        "Q before the last step, less what the executed steps make of it": before[-1] - expected,
        "Q in the end, less what the last step makes of it": Q - in_the_end,
        "how many steps were taken": len(log),
        "is `choose` asked for every action?": anew,
        "is an episode's first action chosen by the row of its own state?": of_its_state[True],
        "are the other actions chosen by the row of their own state?": of_its_state[False],
        "is the world reset after every end?": events.count("reset") >= events.count("end"),
        "is an action chosen after every reset?": "step" not in _after(events, "reset"),
    }


def _nearest(
    Q: Tensor, before: Tensor, last: tuple[int, int, float, int, bool], alpha: float, gamma: float
) -> Tensor:
    """What a last step makes of Q, by that of the two next actions with which it is nearer to Q."""
    s, a, r, after, ended = last
    made = []
    for value in before[after]:
        end = before.clone()
        end[s, a] += alpha * (r + (0.0 if ended else gamma * value) - end[s, a])
        made.append(end)
    return min(made, key=lambda end: float((Q - end).abs().max()))


def _after(events: Sequence[str], what: str) -> list[str]:
    """The steps that are the first ones after such an event."""
    found, due = [], False
    for event in events:
        due = due or event == what
        if due and event.startswith("step"):
            found.append(event)
            due = False
    return found


def _sarsa_hunt_cases() -> list[Case]:
    cases = {
        "two steps": (50, 2, 0.5),
        "30 steps without an end": (90, 30, 0.9),
        "a small circle, in which episodes end": (4, 40, 0.9),
        "a small circle, and Q begins with 1 everywhere": (4, 40, 0.9, 1.0),
        "a small circle, α = 0.2, γ = 0.7": (4, 40, 0.7, 1.0, 0.2),
    }
    return [Case(label, *args, probe=_executed) for label, args in cases.items()]


# What is changed to see how an answer responds


def _chosen(given: Any, actions: Tensor) -> Tensor:
    """1 for these actions, else 0.   (T, N) → (T, N, A)"""
    return one_hot(actions, given.next_q.shape[-1]).float()


def _executed_next(given: Any) -> Tensor:
    return torch.cat([given.actions[1:], given.following[None]])


def _another(actions: Tensor, given: Any) -> Tensor:
    """Another action in the place of each."""
    return (actions + 1) % int(given.next_q.shape[-1])


def _more_at_ends(given: Any) -> dict[str, Tensor]:
    return {"next_q": given.next_q + given.terminated[..., None].float()}


def _cut(given: Any) -> Tensor:
    """1 where the rollout or a time limit cuts, else 0.   (T, N)"""
    cut: Tensor = given.truncated.clone()
    cut[-1] = True
    return cut.float()


EXERCISES = (
    Exercise(
        id="8.1",
        title="ε-greedy actions",
        minutes=10,
        difficulty=1,
        reference=epsilon_greedy,
        cases=_epsilon_cases,
        atol=0.05,
        wrong=(
            Wrong(
                {"< epsilon": ">= epsilon"},
                "It explores with probability 1 − ε: the comparison is the wrong way round. With "
                "ε = 0 every action is the best one.",
            ),
            Wrong(
                {"< epsilon": "< 0"},
                "It always takes the best action, whatever ε is. A random number below ε says "
                "that an environment explores.",
            ),
            Wrong(
                {
                    "any_one = torch.randint(q.shape[-1], best.shape, generator=generator)": "other"
                    " = torch.randint(q.shape[-1] - 1, best.shape, generator=generator)\n    "
                    "any_one = (best + 1 + other) % q.shape[-1]"
                },
                "When it explores, it never takes the best action. Any action is meant, the best "
                "among them, so that its probability is 1 − ε + ε/A. With ε = 1 every action is as "
                "likely as every other.",
            ),
            Wrong(
                {
                    "torch.rand(best.shape, generator=generator)": "torch.rand((), "
                    "generator=generator)"
                },
                "One random number decides for all environments: all of them explore, or none. "
                "Draw a number for each, of shape (N,).",
            ),
            Wrong(
                {"torch.randint(q.shape[-1], best.shape,": "torch.randint(q.shape[-1], (),"},
                "All environments that explore take the same action. Draw an action for each, of "
                "shape (N,).",
            ),
            Wrong(
                drawn_by_a_softmax,
                "It draws from a softmax of Q. Values are no logits: how far apart they are "
                "depends on how much is paid. The best action is taken, and with probability ε any "
                "one.",
            ),
            Wrong(
                {
                    "torch.randint(q.shape[-1], best.shape, generator=generator)": "torch"
                    ".multinomial(q.softmax(dim=-1), 1, generator=generator).squeeze(-1)"
                },
                "When it explores, it prefers actions that are worth more. While it explores, each "
                "action is as likely as every other.",
            ),
            Wrong(
                {"q.argmax(dim=-1)": "q.argmin(dim=-1)"},
                "It takes the action with the smallest Q. What is wanted is worth most: argmax.",
            ),
            Wrong(
                other_dice,
                "The generator is not used for every draw, so that the same seed gives other "
                "actions each time. Hand it over: torch.rand(…, generator=generator), and "
                "torch.randint too.",
                also=(
                    {"torch.rand(best.shape, generator=generator)": "torch.rand(best.shape)"},
                    {"best.shape, generator=generator)\n    return": "best.shape)\n    return"},
                ),
            ),
            Wrong(
                {"q.argmax(dim=-1)": "q.mean(dim=0).expand_as(q).argmax(dim=-1)"},
                "One best action is taken for all environments. Each has its own row of q, and its "
                "own argmax: along the last axis.",
            ),
            Wrong(
                {"any_one, best)": "any_one, q.amax(dim=-1))"},
                "It returns the largest Q, not the number of the action that has it: argmax, and "
                "not amax.",
            ),
            Wrong(
                {"torch.randint(q.shape[-1], ": "torch.randint(q.shape[-1] - 1, "},
                "The last action is never tried: torch.randint draws numbers below the one that it "
                "is given. Hand over A, not A − 1.",
            ),
            Wrong(
                {"< epsilon": "< epsilon / q.shape[-1]"},
                "It explores with probability ε/A. An environment explores with probability ε; "
                "each action then has the share ε/A by itself.",
            ),
            Wrong(
                one_number_for_both,
                "One random number decides whether an environment explores, and also which action "
                "it takes then. Below ε that number is small, so that some actions never come. "
                "Draw another one for the action.",
            ),
        ),
        hints=(
            "Three things for each environment: the best action, some action, and whether it "
            "explores. Then torch.where.",
            "torch.rand(best.shape, generator=generator) < epsilon is true with probability ε, for "
            "each environment by itself.",
            "torch.where(explores, torch.randint(q.shape[-1], best.shape, generator=generator), "
            "best), with best = q.argmax(dim=-1)",
        ),
        praise="Values say what is best, and ε sees to it that the rest is tried.",
    ),
    Exercise(
        id="8.2",
        title="the target of one-step Q",
        minutes=5,
        difficulty=1,
        reference=q_targets,
        form=q_targets_in_steps,
        cases=_q_cases,
        wrong=(
            Wrong(
                {"next_q.amax(dim=-1)": "next_q.mean(dim=-1)"},
                "You take the mean over the actions. That is what an agent which acts at random "
                "gets; what is wanted is the value of the best action.",
            ),
            Wrong(
                {"next_q.amax(dim=-1)": "next_q.sum(dim=-1)"},
                "You add up the values of all actions. Only one of them is taken: the best.",
            ),
            Wrong(
                {"next_q.amax(dim=-1)": "next_q.argmax(dim=-1)"},
                "That is the number of the best action, not its value: argmax in the place of "
                "amax.",
            ),
            Wrong(
                {"next_q.amax(dim=-1)": "next_q[..., 0]"},
                "You take the value of action 0, whichever is best. The maximum goes over the last "
                "axis.",
            ),
            Wrong(
                {"next_q.amax(dim=-1)": "next_q.amin(dim=-1)"},
                "You take the smallest value. The best action has the largest.",
            ),
            Wrong(
                {"next_q.amax(dim=-1)": "next_q.max().expand(next_q.shape[:-1])"},
                "You take one maximum for the whole rollout. Every step and every environment has "
                "one: the maximum over the last axis alone, amax(dim=-1).",
            ),
            Wrong(
                {"goes_on = ~terminated": "goes_on = 1"},
                "Where the world ended, nothing comes after: the target is r alone. You add the "
                "value of an observation from which nobody acts.",
            ),
            Wrong(
                {"~terminated": "terminated"},
                "The mask is the wrong way round: you add what comes next where nothing does, and "
                "leave it out elsewhere. ~terminated is 1 where the episode goes on.",
            ),
            Wrong(
                {"return rewards + after": "return rewards * goes_on + after"},
                "Where the world ended, your target is 0. The last step's reward was paid: mask "
                "what comes next, not the reward.",
            ),
            Wrong(
                {"gamma * best": "best"},
                "What comes next is not discounted: γ stands before the maximum.",
            ),
            Wrong(
                {"return rewards + after": "return gamma * rewards + after"},
                "The reward is discounted too. It is paid for this step, at once; γ belongs to "
                "what comes next.",
            ),
            Wrong(
                {"rewards + after": "rewards - after"},
                "What comes next is subtracted. It is a part of what the action is worth: r plus "
                "γ max Q.",
            ),
        ),
        properties=(
            heeds(
                "The value of an action that is not the best changes your target. Only the largest "
                "counts.",
                lambda given: {
                    "next_q": given.next_q - 1 + _chosen(given, given.next_q.argmax(-1))
                },
            ),
            heeds(
                "`next_q` counts where the world ended. There nothing comes after: r alone.",
                _more_at_ends,
                where=lambda given: given.terminated,
            ),
            ignores(
                "`gamma` has no effect. What comes next is worth γ times as much.",
                lambda given: {"gamma": 0.7 * given.gamma},
            ),
            scales(
                "Rewards and values twice as large do not make the targets twice as large.",
                lambda given: {"rewards": 2 * given.rewards, "next_q": 2 * given.next_q},
            ),
        ),
        hints=(
            "r, and γ times the value of the best action in what comes next, unless nothing does.",
            "next_q.amax(dim=-1) is (T, N); ~terminated makes it 0 where the world ended.",
            "rewards + gamma * next_q.amax(dim=-1) * ~terminated",
        ),
        praise="No policy stands in this target: it says what the best one would get.",
    ),
    Exercise(
        id="8.3",
        title="the target of Sarsa",
        minutes=10,
        difficulty=2,
        reference=sarsa_targets,
        form=sarsa_targets_in_steps,
        cases=_sarsa_cases,
        wrong=(
            Wrong(
                {"next_q.gather(-1, next_actions[..., None]).squeeze(-1)": "next_q.amax(dim=-1)"},
                "The maximum is still there: this is Q-learning. Sarsa takes the value of the "
                "action that is executed next, the best or not.",
            ),
            Wrong(
                {"torch.cat([actions[1:], following[None]])": "actions"},
                "You look up the action of the same step. It was chosen in o; in o′ the next one "
                "is executed: actions[1:], and then `following`.",
            ),
            Wrong(
                {
                    "torch.cat([actions[1:], following[None]])": "torch.cat([following[None], "
                    "actions[:-1]])"
                },
                "The actions are shifted the wrong way: a step gets the action before it. What "
                "comes after step t is actions[t + 1].",
            ),
            Wrong(
                {
                    "torch.cat([actions[1:], following[None]])": "torch.cat([following[None], "
                    "actions[1:]])"
                },
                "`following` stands first, where the first step's next action belongs. It comes "
                "after the rollout's last step, so it stands last.",
            ),
            Wrong(
                {"torch.cat([actions[1:], following[None]])": "actions.roll(-1, dims=0)"},
                "After the last step you take the rollout's first action: `roll` puts it there. "
                "What comes after the last step is `following`.",
            ),
            Wrong(
                {"following[None]]": "actions[-1:]]"},
                "After the last step you take its own action again. What is executed after it is "
                "`following`.",
            ),
            Wrong(
                {"following[None]]": "next_q[-1:].argmax(dim=-1)]"},
                "After the last step you take the best action. The next rollout begins with "
                "`following`, which may be another one: only what is really executed counts.",
            ),
            Wrong(
                {"torch.cat([actions[1:], following[None]])": "following.expand_as(actions)"},
                "You take `following` at every step. It comes after the last one; before that, "
                "the next action is in `actions`.",
            ),
            Wrong(
                {"next_q.gather(-1, next_actions[..., None]).squeeze(-1)": "next_q.mean(dim=-1)"},
                "You take the mean over all actions. One action is executed, and its value counts. "
                "(With the policy's probabilities in it, such a mean is Expected Sarsa.)",
            ),
            Wrong(
                {"goes_on = ~terminated": "goes_on = 1"},
                "Where the world ended, nothing comes after: the action there is the next "
                "episode's, in another observation. The target is r alone.",
            ),
            Wrong(
                {"gamma * executed": "executed"},
                "What comes next is not discounted: γ belongs before it.",
            ),
            Wrong(
                {"~terminated": "terminated"},
                "The mask is the wrong way round: you add what comes next where nothing does, and "
                "leave it out elsewhere.",
            ),
            Wrong(
                {"return rewards + after": "return rewards * goes_on + after"},
                "Where the world ended, your target is 0. The last step's reward was paid: mask "
                "what comes next, not the reward.",
            ),
            Wrong(
                {"return rewards + after": "return gamma * rewards + after"},
                "The reward is discounted too. It is paid for this step, at once.",
            ),
            Wrong(
                {"rewards + after": "rewards - after"},
                "What comes next is subtracted. It is a part of what the action is worth: r plus "
                "γ Q(o′, a′).",
            ),
        ),
        properties=(
            heeds(
                "The value of an action that is not executed next changes your target.",
                lambda given: {"next_q": given.next_q + 1 - _chosen(given, _executed_next(given))},
            ),
            heeds(
                "The rollout's first action changes your targets. It comes before all that they "
                "look at.",
                lambda given: {
                    "actions": torch.cat([_another(given.actions[:1], given), given.actions[1:]])
                },
            ),
            heeds(
                "`next_q` counts where the world ended. There nothing comes after: r alone.",
                _more_at_ends,
                where=lambda given: given.terminated,
            ),
            ignores(
                "`following` has no effect. It is the action after the rollout's last step.",
                lambda given: {"following": _another(given.following, given)},
            ),
            ignores(
                "`gamma` has no effect. What comes next is worth γ times as much.",
                lambda given: {"gamma": 0.7 * given.gamma},
            ),
        ),
        hints=(
            "First the actions that come next, (T, N): those of the rollout from the second on, "
            "then `following`.",
            "gather(-1, next_actions[..., None]) looks up a value for each step; squeeze(-1) takes "
            "the axis away again.",
            "next_actions = torch.cat([actions[1:], following[None]]), then rewards + gamma * "
            "next_q.gather(-1, next_actions[..., None]).squeeze(-1) * ~terminated",
        ),
        praise="Sarsa learns what its own steps are worth, the ones at random among them.",
    ),
    Exercise(
        id="8.4",
        title="the returns of n-step Q",
        minutes=5,
        difficulty=1,
        reference=n_step_q_returns,
        form=n_step_q_returns_in_steps,
        cases=_n_step_cases,
        wrong=(
            Wrong(
                {
                    "n_step_returns(rewards, values, terminated, truncated, gamma)": "rewards + "
                    "gamma * values * ~terminated"
                },
                "Every step looks one step ahead: that is one-step Q. Here rewards are added up as "
                "far as the rollout goes, and the maximum comes once, where it stops.",
            ),
            Wrong(
                larger_of_return_and_value,
                "On the way you take the maximum of the return and of Q. Inside the rollout only "
                "what was paid counts; Q comes in where the rollout or a time limit cuts.",
            ),
            Wrong(
                {"next_q.amax(": "next_q.mean("},
                "Where it is cut, you take the mean over the actions. What comes after is worth "
                "what its best action is worth.",
            ),
            Wrong(
                {"next_q.amax(dim=-1)": "0 * next_q[..., 0]"},
                "Where the rollout stops, you take 0. The episode goes on there: max_a Q stands "
                "for what comes.",
                also=(nothing_behind_the_rollout,),
            ),
            Wrong(
                {" terminated, ": " terminated & False, "},
                "Your return runs on through a terminal state, into another episode. After it, "
                "nothing comes.",
            ),
            Wrong(
                {"truncated, gamma)": "truncated & False, gamma)"},
                "Your return runs on through a time limit, into another episode. It stops there, "
                "with the value of what was shown.",
            ),
            Wrong(
                {" terminated, ": " terminated | truncated, "},
                "A time limit is no ending: something would have come. Its value is max_a Q of "
                "what was shown there.",
            ),
            Wrong(
                {" gamma)": " 1.0)"},
                "Nothing is discounted: γ stands before what comes next, at every step.",
            ),
            Wrong(
                {"terminated, truncated, ": "truncated, terminated, "},
                "The two flags are exchanged: terminated first, then truncated.",
            ),
            Wrong(
                {"next_q.amax(": "next_q.amin("},
                "Where it is cut, you take the smallest value. The best action has the largest.",
            ),
            Wrong(
                {"next_q.amax(": "next_q.sum("},
                "Where it is cut, you add up the values of all actions. Only the best is taken.",
            ),
            Wrong(
                {"next_q.amax(dim=-1)": "next_q[..., 0]"},
                "Where it is cut, you take the value of action 0, whichever is best.",
            ),
            Wrong(
                {"next_q.amax(dim=-1)": "next_q.argmax(dim=-1).float()"},
                "That is the number of the best action, not its value: argmax in the place of "
                "amax.",
            ),
        ),
        properties=(
            heeds(
                "`next_q` counts inside the rollout. It is asked for where the rollout or a time "
                "limit cuts; before that, what was paid is known.",
                lambda given: {"next_q": given.next_q + (1 - _cut(given))[..., None]},
            ),
            heeds(
                "`next_q` counts where the world ended. There nothing comes after.",
                _more_at_ends,
                where=lambda given: given.terminated,
            ),
            heeds(
                "The value of an action that is not the best changes your returns.",
                lambda given: {
                    "next_q": given.next_q - 1 + _chosen(given, given.next_q.argmax(-1))
                },
            ),
            ignores(
                "`gamma` has no effect. Each step costs a factor γ.",
                lambda given: {"gamma": 0.7 * given.gamma},
            ),
        ),
        hints=(
            "Chapter 02 has these returns, with a value in the place of the maximum.",
            "n_step_returns takes next_values (T, N). Which value has o′, if the best action is "
            "taken there?",
            "n_step_returns(rewards, next_q.amax(dim=-1), terminated, truncated, gamma)",
        ),
        praise="The rewards of n steps are heard of at once, and one maximum speaks for the rest.",
    ),
    Exercise(
        id="8.5",
        title="the target network's copy",
        minutes=15,
        difficulty=2,
        reference=refresh_target,
        cases=_target_cases,
        wrong=(
            Wrong(
                {"after // period > before // period": "after % period == 0"},
                "It copies only if the count is exactly at a multiple. A count that goes up by 4, "
                "or from 3 to 8 to 13, may never be: θ⁻ then stays for ever what it was. Is there "
                "a multiple between `before` and `after`?",
            ),
            Wrong(
                {"after // period > before // period": "before % period == 0"},
                "It asks where the count was before. What counts is whether these steps brought "
                "it to a multiple, or past one.",
            ),
            Wrong(
                {"after // period > before // period": "True"},
                "It copies every time. Then θ⁻ moves as θ does, and the target does not stand "
                "still.",
                also=({"period > before": "period >= before"},),
            ),
            Wrong(
                {"after // period > before // period": "before < period <= after"},
                "It copies once, at the first multiple, and never again.",
            ),
            Wrong(
                {"after // period > before // period": "after >= period"},
                "After the first multiple it copies every time. It is due once for each multiple.",
            ),
            Wrong(
                {"after // period > before // period": "after - before >= period"},
                "It looks at how many steps have just been taken. A worker takes a few at a time; "
                "what matters is where the count of all workers stands.",
            ),
            Wrong(
                {
                    "after // period > before // period": "(after - 1) // period > "
                    "(before - 1) // period"
                },
                "It copies one step too late: a count that has just come to a multiple has "
                "reached it.",
            ),
            Wrong(
                {"mine.copy_(theirs)": "mine.data = theirs.data"},
                "After the copy θ⁻ is θ itself: `.data = …` puts the same memory behind both, and "
                "θ⁻ moves with every update from then on. Copy the numbers: copy_.",
            ),
            Wrong(
                {
                    "for mine, theirs in zip(target, theta, strict=True)": "for k, theirs in "
                    "enumerate(theta)",
                    "mine.copy_(theirs)": "target[k] = theirs.clone()",
                },
                "Your list holds a copy, but the memory that all workers look at stays what it "
                "was: `target[k] = …` and `.data = …` put other memory in its place. Write into "
                "what is there: copy_.",
                also=({"mine.copy_(theirs)": "mine.data = theirs.clone()"},),
            ),
            Wrong(
                {"mine.copy_(theirs)": "theirs.copy_(mine)"},
                "It copies θ⁻ into θ, and what was learned is gone. The numbers go from θ to θ⁻.",
            ),
            Wrong(
                {"mine.copy_(theirs)": "mine = theirs.clone()"},
                "θ⁻ never changes: `mine = …` gives a name to another tensor, and leaves the one "
                "in the list alone. Write into it: copy_.",
            ),
            Wrong(
                {"mine.copy_(theirs)": "mine.add_(theirs)"},
                "θ is added to θ⁻. It takes its place: copy_.",
            ),
            Wrong(
                {"mine.copy_(theirs)": "mine.copy_(theirs)\n            break"},
                "Only the first tensor is copied. All of them are to be: does a `return` stand "
                "inside the loop?",
            ),
        ),
        hints=(
            "How many multiples of the period lie below a count? Is that another number after "
            "these steps than before?",
            "after // period is the number of multiples that have been reached.",
            "if after // period > before // period: for each pair, mine.copy_(theirs)",
        ),
        praise="However many steps a count takes at once, no multiple is missed, or met twice.",
    ),
    Exercise(
        id="8.6",
        title="n-step Q as a whole",
        minutes=25,
        difficulty=3,
        reference=QPlayer,
        form=QPlayerInSteps,
        cases=_player_cases,
        atol=0.04,
        wrong=(
            Wrong(
                {"self.target(rollout": "model(rollout"},
                "The returns are computed with the network that learns. Take what comes after "
                "from the target network, which stands still.",
            ),
            Wrong(
                {
                    "        with torch.no_grad():\n            "
                    "next_q = self.target(": "        next_q = model("
                },
                "A gradient flows through the returns. They are what Q is to become, numbers like "
                "any other: compute them with the target network, under torch.no_grad().",
            ),
            Wrong(
                {"q = model(observation)": "q = self.target(observation)"},
                "It acts with the target network. That is only for the returns; what acts is the "
                "model that `act` is given.",
            ),
            Wrong(
                {"epsilon_greedy(q, self.epsilon,": "epsilon_greedy(q, 0.0,"},
                "It never explores. Hand over self.epsilon.",
            ),
            Wrong(
                {"q.gather(-1, rollout.actions[..., None]).squeeze(-1)": "q.amax(dim=-1)"},
                "You compare the returns with the Q of the best action. They say what the action "
                "that was taken is worth: look it up in rollout.actions.",
            ),
            Wrong(
                {
                    "n_step_q_returns(rollout.rewards, next_q, *ends, self.gamma)": "q_targets("
                    "rollout.rewards, next_q, ends[0], self.gamma)"
                },
                "These targets look one step ahead. Use the returns of exercise 8.4.",
            ),
            Wrong(
                {"rollout.next_observations": "rollout.observations"},
                "You ask the target network about the observations on which the actions were "
                "chosen. What comes after them is rollout.next_observations.",
            ),
            Wrong(
                {"square().mean()": "square().sum()"},
                "You add up over the rollout's steps. This book takes the mean, so that the "
                "gradient's size does not depend on the rollout's.",
            ),
            Wrong(
                {"loss = (R": "loss = 0.5 * (R"},
                "You take half of the square. The gradient is then half of what it is here: mean "
                "(R − Q)².",
            ),
            Wrong(
                {"rollout.terminated, rollout.truncated": "rollout.truncated, rollout.terminated"},
                "The two flags are exchanged in the returns: terminated first, then truncated.",
            ),
            Wrong(
                {"rollout.terminated, rollout.truncated": "rollout.ended, rollout.truncated"},
                "A time limit is taken for an end of the world: what comes after it counts 0. "
                "There the return bootstraps, from the target network's Q.",
            ),
            Wrong(
                {"*ends, self.gamma": "*ends, 0.99"},
                "The returns are discounted with 0.99, whatever self.gamma is.",
            ),
            Wrong(
                {").square()": ").abs()"},
                "You take the size of R − Q, not its square: mean (R − Q)².",
            ),
            Wrong(
                {
                    "return torch.autograd.grad(loss, list(model.parameters()))": "loss.backward()"
                    "\n        return [each.grad for each in model.parameters()]"
                },
                "The gradients are left in the model's `.grad`, and those of the next rollout are "
                "added to them. torch.autograd.grad returns them, and keeps none.",
            ),
            Wrong(
                {"self.player.generator), state": "torch.default_generator), state"},
                "The actions are drawn with dice that all players share. The player has its own, "
                "`self.player.generator`: with them a run can be repeated.",
            ),
            Wrong(
                {"self.player.generator), state": "torch.Generator().manual_seed(0)), state"},
                "The actions are drawn with dice that you make anew, with a seed of their own: "
                "every step draws the same. The player has dice, `self.player.generator`.",
            ),
            Wrong(
                {"self.player.generator), state": "self.player.generator), None"},
                "The policy drops `state`. A network with a memory would begin anew at every "
                "step: hand it back beside the action.",
            ),
            Wrong(
                {"(policy, self.t_max)": "(policy, self.t_max + 1)"},
                "It plays one step too many: t_max steps are asked for.",
            ),
            Wrong(
                {"rollout.next_observations": "rollout.seen[1:]"},
                "What comes after a step is read from the next row. Where a time limit cut, that "
                "row is the next episode's first observation. What the world showed at the end "
                "is in rollout.next_observations.",
            ),
            Wrong(
                {
                    "loss = (R - values).square().mean()": "loss = "
                    "torch.nn.functional.smooth_l1_loss(values, R)"
                },
                "The loss is Huber's: of large errors it takes the size, and of small ones half of "
                "the square. Here it is mean (R − Q)².",
            ),
            Wrong(
                {"list(model.parameters()))": "list(model.parameters()))[0]"},
                "It hands over the gradient of the first parameter alone. There is one for each.",
            ),
            Wrong(
                {"return torch.autograd.grad(": "return torch.autograd.grad(-"},
                "The sign is wrong: these gradients make the loss larger. The optimiser subtracts "
                "what you hand over.",
            ),
        ),
        hints=(
            "`act` makes a policy, (observation, state) → (action, state), from your "
            "epsilon_greedy, and plays it. `gradients` has three parts: Q of the actions that "
            "were taken, the returns, and the gradient of the mean square.",
            "Q(o_t, a_t) is model(rollout.observations).gather(-1, rollout.actions[..., None])"
            ".squeeze(-1). The returns come from self.target(rollout.next_observations), without "
            "a gradient.",
            "torch.autograd.grad((R - values).square().mean(), list(model.parameters())), and in "
            "`act`: self.player.play(policy, self.t_max).rollout",
        ),
        praise="Chapter 05's workers can play with this, and it is n-step Q of the paper.",
    ),
    Exercise(
        id="8.7",
        title="bug hunt: the promised action",
        minutes=15,
        difficulty=2,
        reference=sarsa,
        start=sarsa_with_a_bug,
        cases=_sarsa_hunt_cases,
        wrong=(
            Wrong(
                sarsa_with_a_bug,
                "Q still learns from one action, and another is executed: `choose` is called for "
                "the target, and called again before the step. With ε = 0 both calls agree, and "
                "nobody notices. What has been chosen for the target has to be done.",
                also=(
                    {
                        "state, action = after, next_action": "state, action = after, "
                        "choose(Q[after])"
                    },
                ),
            ),
            Wrong(
                best_in_its_place,
                "Now the target takes the best action: this is Q-learning. In Sarsa the target "
                "has the action that is executed next.",
                also=({"Q[after, next_action]": "Q[after].max()"},),
            ),
            Wrong(
                the_action_just_taken,
                "Now the target has the action that was just taken. It was chosen in the state "
                "before; what counts is the one that comes next.",
                also=({"Q[after, next_action]": "Q[after, action]"},),
            ),
            Wrong(
                carried_through_an_end,
                "The target now looks past an end: after the "
                "last step nothing comes, and what you look up is the next episode's.",
                also=({"(0.0 if terminated else gamma * Q": "(gamma * Q"},),
            ),
            Wrong(
                {"            action = choose(Q[state])\n": ""},
                "After an end, the action that was promised for the old episode is executed in the "
                "new one. The state is another one there: choose anew.",
            ),
            Wrong(
                {
                    "        if terminated:\n            "
                    "state = world.reset()\n            "
                    "action = choose(Q[state])\n": ""
                },
                "After an end the world is not reset.",
            ),
            Wrong(
                {"next_action = choose(Q[after])": "next_action = choose(Q[state])"},
                "The next action is chosen by the row of the state before. It is executed in "
                "`after`: choose by Q[after].",
            ),
            Wrong(
                {"next_action = choose(Q[after])": "next_action = int(Q[after].argmax())"},
                "Now nothing explores but the first action of an episode: `choose` is not asked "
                "for the others.",
            ),
            Wrong(
                {
                    "            action = choose(Q[state])\n": "            "
                    "action = choose(Q[after])\n"
                },
                "After an end, the first action of the next episode is chosen by the row of the "
                "state in which the old one ended. The state is another one: choose by Q[state].",
            ),
            Wrong(
                {"else gamma * Q": "else Q"},
                "Nothing is discounted now. It was right as it was given.",
            ),
            Wrong(
                {"+= alpha * (target": "+= (target"},
                "Q jumps to each target now: α is gone. It was right as it was given.",
            ),
            Wrong(
                {"+= alpha": "-= alpha"},
                "Q moves away from its target now. The sign was right as it was given.",
            ),
        ),
        hints=(
            "Write down for a few steps which action stood in the target, and which one was "
            "executed after it.",
            "`choose` rolls dice: two calls may give two actions. How many calls should there be "
            "in a step?",
            "Choose the first action before the loop. In the loop, execute `action`, choose "
            "`next_action`, learn, and go on with action = next_action; after an end, choose anew.",
        ),
    ),
)
