"""Chapter 00: the exercises of "The loop".

An exercise's reference is the package's own function where the package has it; the others stand
here.
"""

import math
import sys
from collections.abc import Callable, Sequence
from itertools import chain, count, repeat
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor
from torch.distributions import Categorical

from a3c_lib.exercises.engine.cases import Case, Exercise, Wrong, heeds, ignores, scales
from a3c_lib.reinforce import discounted_returns, reinforce_loss
from a3c_lib.worlds.envs import LEFT, RIGHT, Corridor

Env = gym.Env[Any, Any]
Choose = Callable[[Any], Any]  # observation → action
ValueOf = Callable[[Any], float]  # observation → what is still to come from there

MOST_RESETS = 50  # in a check; a loop that never ends is stopped
NEVER_RESET = (
    "the environment that is handed in was never reset: is another one played, one of the "
    "notebook's?"
)
AFTER_THE_END = "step() after a step that said terminated: the episode was over, the loop goes on"
ASKED_IN_VAIN = (
    "choose(observation) was asked once more after the last step, for an action that no step takes"
)
CLOSED = "env.close(): the environment is the caller's, who may play another episode in it"

# 0.1 A gradient that flows where it should


def squared_error(prediction: Tensor, target: Tensor) -> Tensor:
    """Σ (prediction − target)², to be made small by moving the prediction.   (T,), (T,) → ()."""
    return ((prediction - target.detach()) ** 2).sum()


def squared_error_in_steps(prediction: Tensor, target: Tensor) -> Tensor:
    constant = target.detach()
    error = prediction - constant
    squares = error**2
    return squares.sum()


def _squared_error_cases() -> list[Case]:
    on_paper = Case("on paper", _leaf([1.0, 2.0]), _leaf([3.0, 2.0]))
    random = [
        Case(label, _leaf(_normal(seed, T)), _leaf(_normal(seed + 10, T)))
        for seed, (T, label) in enumerate([(1, "one random number"), (5, "5 random numbers")])
    ]
    large = Case("large errors", _leaf([300.0, 0.0]), _leaf([0.0, -20.0]))
    perfect = Case("a perfect prediction", _leaf([1.0, 2.0]), _leaf([1.0, 2.0]))
    constant = Case("a prediction that wants no gradient", torch.ones(2), _leaf([3.0, 2.0]))
    return [on_paper, *random, large, perfect, constant]


# 0.2 One episode


def play_episode(env: Env, choose: Choose, seed: int) -> tuple[list[float], bool]:
    """Play one episode.   → its rewards, in order, and whether the world ended it."""
    observation, _ = env.reset(seed=seed)
    rewards = []
    terminated = truncated = False
    while not (terminated or truncated):
        observation, reward, terminated, truncated, _ = env.step(choose(observation))
        rewards.append(float(reward))
    return rewards, terminated


def expects_four_things_from_a_step(
    env: Env, choose: Choose, seed: int
) -> tuple[list[float], bool]:
    observation, _ = env.reset(seed=seed)
    rewards, over = [], False
    while not over:
        observation, reward, over, _ = env.step(choose(observation))  # type: ignore[misc]
        rewards.append(float(reward))
    return rewards, over


class ForChoose(gym.Space[Any]):
    """The actions of an environment in which `choose` decides. Whoever draws one is told so."""

    def sample(self, mask: Any = None, probability: Any = None) -> Any:
        raise RuntimeError(
            "env.action_space.sample() draws an action at random: ask choose(observation) instead"
        )

    def contains(self, x: Any) -> bool:
        return True


class Scripted(gym.Env[int, float]):
    """Episodes written down beforehand, played in turn, the last one for ever.

    An episode is (rewards, limit): the world ends with the last reward; from step `limit` on, if
    there is a limit, every step says truncated. An observation is seed + steps since the reset,
    where a reset without a seed counts from −100. The action is added to the reward, so that a
    wrong observation or a lost seed shows.
    """

    def __init__(self, *episodes: tuple[Sequence[float], int | None]) -> None:
        self.episodes = chain(episodes, repeat(episodes[-1]))
        self.action_space = ForChoose()
        self.rewards: Sequence[float] = ()
        self.first = self.steps = self.resets = 0
        self.taken = 0  # steps in all episodes

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[int, dict[str, Any]]:
        self.resets += 1
        if self.resets > MOST_RESETS:
            raise RuntimeError(f"reset() for the {self.resets}th time: where should this end?")
        if self.resets > 1 and not self.steps and seed is None:
            return self.first, {}  # seeded, and at once reset anew: nothing was played in between
        self.rewards, self.limit = next(self.episodes)
        self.first, self.steps = -100 if seed is None else seed, 0
        return self.first, {}

    def render(self) -> None:
        """There is nothing to be seen."""

    def close(self) -> None:
        """Nothing is to be closed: who made an environment may still need it."""
        raise RuntimeError(CLOSED)

    def step(self, action: float) -> tuple[int, float, bool, bool, dict[str, Any]]:
        if self.steps == len(self.rewards):
            raise RuntimeError(AFTER_THE_END)
        reward = self.rewards[self.steps] + action
        self.steps += 1
        self.taken += 1
        terminated = self.steps == len(self.rewards)
        truncated = self.limit is not None and self.steps >= self.limit
        return self.first + self.steps, float(reward), terminated, truncated, {}


class Guarded(gym.Wrapper[Any, Any, Any, Any]):
    """Stops a loop that would never end: one that resets in every step, or goes on after the
    end."""

    resets, terminated = 0, False

    def __init__(self, env: Env) -> None:
        super().__init__(env)
        self.action_space = ForChoose()

    def reset(self, **options: Any) -> tuple[Any, dict[str, Any]]:
        self.resets, self.terminated = self.resets + 1, False
        if self.resets > MOST_RESETS:
            raise RuntimeError(
                f"reset() for the {self.resets}th time in one episode: call it before the loop"
            )
        return super().reset(**options)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        if self.terminated:
            raise RuntimeError(AFTER_THE_END)
        result = super().step(action)
        self.terminated = result[2]
        return result


def _in_corridor(play: Any, actions: Sequence[int], limit: int) -> Any:
    """Take these actions, whatever is seen, and the last one for ever."""
    plan = chain(actions, repeat(actions[-1]))
    env = Guarded(gym.wrappers.TimeLimit(Corridor(), limit))

    def choose(observation: Any) -> int:
        return next(plan)

    return _of_this(env, play(env, choose, 0))


def _of_this(env: Any, played: Any) -> Any:
    """What was played, if it was played in this environment."""
    if not env.resets:
        raise RuntimeError(NEVER_RESET)
    return played


def _in_script(play: Any, rewards: Sequence[float], limit: int | None, seed: int) -> Any:
    """Each answer of `choose` is one more than the last, so that a question too many shows."""
    asked = count()
    env = Scripted((rewards, limit))
    taken_before = -1

    def choose(observation: Any) -> Any:
        nonlocal taken_before
        taken_before = env.taken
        return 10.0 * observation + next(asked)

    played = _of_this(env, play(env, choose, seed))
    if taken_before == env.taken:
        raise RuntimeError(ASKED_IN_VAIN)
    return played


class InPairs(gym.ObservationWrapper[Any, Any, Any]):
    """Shows each number beside a 1, in an array."""

    def observation(self, observation: int) -> Any:
        """Two numbers, as most environments show several."""
        return np.array([observation, 1])


def _in_pairs(play: Any, rewards: Sequence[float]) -> Any:
    """`choose` takes nothing but what the environment shows."""

    def choose(observation: Any) -> float:
        if not isinstance(observation, np.ndarray):
            raise TypeError(
                f"choose() was handed a {type(observation).__name__}, and the environment shows "
                "arrays: hand an observation on as it comes"
            )
        return float(observation.sum())

    return play(InPairs(Scripted((rewards, None))), choose, 0)


def _in_long_script(play: Any, rewards: Tensor) -> Any:
    """More steps than any number that somebody would write down."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(limit + 10 * len(rewards))  # an answer may call itself at every step
    try:
        return _in_script(play, rewards.tolist(), None, 0)
    finally:
        sys.setrecursionlimit(limit)


def _play_episode_cases() -> list[Case]:
    left, right = [LEFT], [RIGHT]
    walks = {
        "the corridor, always right": (right, 200),
        "the corridor, five times left, then right, cut after 4 steps": (5 * left + right, 4),
        "the corridor, always right, cut in the step that reaches the goal": (right, 3),
    }
    scripts = {
        "rewards 1, 2, 3, each plus 10 × the observation, and which action it is": (
            [1.0, 2.0, 3.0],
            None,
            0,
        ),
        "the same, cut after 2 steps, observations counted from the seed": ([1.0, 2.0, 3.0], 2, 7),
        "one step, and the world ends": ([0.25], None, 0),
        "one step, and the time is up": ([-3.75, 1.0], 1, 0),
        "one step that pays nothing, and the world ends": ([0.0], None, 0),
    }
    return [
        *(Case(label, *args, probe=_in_corridor) for label, args in walks.items()),
        *(Case(label, *args, probe=_in_script) for label, args in scripts.items()),
        Case("an episode of 3001 steps", torch.ones(3001), probe=_in_long_script),
        Case("observations that are arrays of two numbers", [0.125, 0.5], probe=_in_pairs),
    ]


# 0.3 Returns


def returns_in_a_loop(rewards: Tensor, gamma: float) -> Tensor:
    T = len(rewards)
    returns = torch.zeros_like(rewards)
    G = torch.zeros(())
    for t in reversed(range(T)):
        G = rewards[t] + gamma * G
        returns[t] = G
    return returns


def divided_by_powers(rewards: Tensor, gamma: float) -> Tensor:
    powers = gamma ** torch.arange(len(rewards), dtype=rewards.dtype)
    return (powers * rewards).flip(0).cumsum(0).flip(0) / powers


def _discounted_returns_cases() -> list[Case]:
    return [
        Case("on paper", torch.tensor([1.0, 2.0, 3.0]), 0.5),
        Case("one step", torch.tensor([2.0]), 0.5),
        Case("paid at the end", torch.tensor([0.0, 0.0, 0.0, 1.0]), 0.9),
        Case("no discount", torch.tensor([1.0, 2.0, 3.0]), 1.0),
        Case("nothing but the reward", torch.tensor([1.0, 2.0, 3.0]), 0.0),
        Case("6 random rewards", _normal(0, 6), 0.9),
        Case("11 random rewards", _normal(1, 11), 0.9),
        Case("160 random rewards, γ = 0.5", _normal(2, 160), 0.5),  # 0.5^159 is 0 in float32
        Case("220 steps that are paid 1 each, no discount", torch.ones(220), 1.0),
        Case("large rewards", torch.tensor([1_000.0, 0.0, -20_000.0, 500.0]), 0.9),
    ]


# 0.4 Bug hunt: an average that comes out wrong


def average_return(
    env: Env, choose: Choose, value_of: ValueOf, gamma: float, episodes: int, seed: int
) -> float:
    """The mean discounted return from the start: an estimate of V^π there."""
    returns = []
    observation, _ = env.reset(seed=seed)
    for _ in range(episodes):
        rewards, over = [], False
        while not over:
            observation, reward, terminated, truncated, _ = env.step(choose(observation))
            rewards.append(float(reward))
            over = terminated or truncated
        G = 0.0 if terminated else value_of(observation)
        for reward in reversed(rewards):
            G = reward + gamma * G
        returns.append(G)
        observation, _ = env.reset()
    return sum(returns) / episodes


def average_return_with_a_bug(
    env: Env, choose: Choose, value_of: ValueOf, gamma: float, episodes: int, seed: int
) -> float:
    """The mean discounted return from the start: an estimate of V^π there.

    Where an episode was cut, value_of(observation) says what was still to come.
    """
    returns = []
    observation, _ = env.reset(seed=seed)
    for _ in range(episodes):
        rewards, over = [], False
        while not over:
            observation, reward, terminated, truncated, _ = env.step(choose(observation))
            rewards.append(float(reward))
            over = terminated or truncated
        G = 0.0 if over else value_of(observation)
        for reward in reversed(rewards):
            G = reward + gamma * G
        returns.append(G)
        observation, _ = env.reset()
    return sum(returns) / episodes


def _average_of_scripted(
    average: Any,
    rewards: Sequence[Sequence[float]],
    cut_after: Sequence[int | None],
    heed: float = 0.0,
    worth: float = 1.0,
    gamma: float = 0.5,
    seed: int = 0,
) -> Any:
    """Play each episode once. With seed 0, what is still to come from o_t is t + `worth` in the
    first one.

    The action is `heed` times the observation it is chosen from, and the world adds it to the pay.
    """
    return average(
        Scripted(*zip(rewards, cut_after, strict=True)),
        choose=lambda observation: heed * observation,
        value_of=lambda observation: observation + worth,
        gamma=gamma,
        episodes=len(rewards),
        seed=seed,
    )


def _average_return_cases() -> list[Case]:
    worlds: dict[str, tuple[Any, ...]] = {
        "an episode that ends": ([[1.0, 2.0, 3.0]], [None]),
        "one that is cut where value_of says 3": ([[1.0, 2.0, 3.0]], [2]),
        "one that ends in the step in which its time is up": ([[1.0, 2.0, 3.0]], [3]),
        "three episodes, the second one cut": (
            [[0.0, 1.0], [0.0, 0.0, 0.0, 4.0], [2.0]],
            [None, 3, None],
        ),
        "two episodes, of a player who heeds what it sees": (
            [[0.0, 0.0], [0.0]],
            [None, None],
            1.0,
        ),
        "two episodes of one step, both cut, with other values": (
            [[0.5, 1.0], [-2.25, 1.0]],
            [1, 1],
            0.0,
            -1.0,
        ),
    }
    settings = [[1.0, -2.0, 3.0], [0.5, 1.0]], [2, None], 0.0, 1.0, 0.8, 3
    infinite = [[1.0, 2.0]], [None], 0.0, math.inf
    return [
        *(
            Case(f"{label}; γ = 0.5", *args, probe=_average_of_scripted)
            for label, args in worlds.items()
        ),
        Case("two episodes with γ = 0.8 and seed 3", *settings, probe=_average_of_scripted),
        Case(
            "one that ends where value_of says infinity; γ = 0.5",
            *infinite,
            probe=_average_of_scripted,
        ),
    ]


# 0.5 The probability of what was done


def log_pi(logits: Tensor, actions: Tensor) -> Tensor:
    """log π(a_t | o_t), of the actions taken.   logits (T, A), actions (T,) → (T,)."""
    return logits.log_softmax(dim=-1)[torch.arange(len(actions)), actions]


def log_pi_in_steps(logits: Tensor, actions: Tensor) -> Tensor:
    steps = torch.arange(len(actions))
    log_probabilities = logits.log_softmax(dim=-1)
    return log_probabilities[steps, actions]


def logits_taken_for_probabilities(logits: Tensor, actions: Tensor) -> Tensor:
    taken: Tensor = Categorical(logits).log_prob(actions)
    return taken


def distribution_of_rounded_probabilities(logits: Tensor, actions: Tensor) -> Tensor:
    taken: Tensor = Categorical(probs=logits.softmax(dim=-1)).log_prob(actions)
    return taken


def _log_pi_cases() -> list[Case]:
    on_paper = Case("on paper", _leaf([[0.7, 0.3]], log=True), torch.tensor([1]))
    random = [
        Case(f"{T} steps, {A} actions", _leaf(_normal(seed, T, A)), _actions(seed, T, A))
        for seed, (T, A) in enumerate([(2, 2), (5, 2), (3, 4)])
    ]
    # Too far apart for float32, whose exponential is 0 at −150 and infinite at 150.
    apart = Case("logits far apart", _leaf([[0.0, -200.0], [150.0, 0.0]]), torch.tensor([1, 1]))
    large = _leaf([[300.0, 299.0, 0.0], [200.0, 0.0, 0.0]])
    close = Case("large logits, two of them close together", large, torch.tensor([1, 0]))
    # Too far apart for float64 as well.
    farther = Case("logits that are 1000 apart", _leaf([[0.0, -1000.0]]), torch.tensor([1]))
    return [on_paper, *random, apart, close, farther]


def _actions(seed: int, T: int, A: int) -> Tensor:
    return torch.randint(A, (T,), generator=torch.Generator().manual_seed(seed))


# 0.6 The loss


def loss_in_steps(log_probabilities: Tensor, returns: Tensor) -> Tensor:
    constants = returns.detach()
    weights = constants
    logs = log_probabilities
    terms = weights * logs
    total = terms.sum()
    return -total


def _reinforce_loss_cases() -> list[Case]:
    on_paper = Case("on paper", _leaf([0.3], log=True), _leaf([2.0]))
    random = [
        Case(f"{T} steps", _leaf(-_normal(seed, T).abs()), _leaf(_normal(seed + 10, T)))
        for seed, T in enumerate([2, 7])
    ]
    rare = Case("rare actions and large returns", _leaf([-200.0, -0.5]), _leaf([1000.0, -500.0]))
    certain = Case("a certain action and a return of 0", _leaf([0.0, -1.0]), _leaf([3.0, 0.0]))
    zeros = _leaf([-1.0, -2.0]), _leaf([0.0, 0.0])
    nothing = Case("returns that are all 0", *zeros, probe=_loss_and_its_kind)
    return [on_paper, *random, rare, certain, nothing]


def _loss_and_its_kind(answer: Any, log_probabilities: Tensor, returns: Tensor) -> dict[str, Any]:
    """The loss, and whether it can be differentiated at all, also where that gives 0."""
    loss = answer(log_probabilities, returns)
    return {"the loss": loss, "is the loss a tensor?": isinstance(loss, Tensor)}


def _normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _leaf(values: Any, log: bool = False) -> Tensor:
    """A tensor of its own that wants a gradient."""
    tensor = torch.as_tensor(values)
    return (tensor.log() if log else tensor).detach().clone().requires_grad_()


def _plus_one_at(numbers: Tensor, place: int | tuple[int, int]) -> Tensor:
    changed = numbers.detach().clone()
    changed[place] += 1
    return changed


def _some_cut(given: Any) -> bool:
    """Whether an episode of a case is cut before the world ends it."""
    return any(
        limit is not None and limit < len(rewards)
        for rewards, limit in zip(given.rewards, given.cut_after, strict=True)
    )


EXERCISES = (
    Exercise(
        id="0.1",
        title="a gradient that flows where it should",
        reference=squared_error,
        form=squared_error_in_steps,
        cases=_squared_error_cases,
        wrong=(
            Wrong(
                {"target.detach()": "target"},
                "The target gets a gradient too: an optimiser would move it to the prediction. "
                "Cut it out of the graph with target.detach().",
            ),
            Wrong(
                {
                    "target.detach()": "target",
                    "prediction - constant": "prediction.detach() - constant",
                },
                "You detached the prediction, which is what is to be moved. Detach the target.",
            ),
            Wrong(
                {"prediction - constant": "prediction.detach() - constant"},
                "No gradient flows at all: neither into the prediction nor "
                "into the target. Detach the target only. (.item(), .data, a detach at the end and "
                "torch.no_grad() all have this effect.)",
            ),
            Wrong(
                {"squares.sum()": "squares.mean()"}, "That is the mean of the squares. Sum them."
            ),
            Wrong(
                {"error**2": "error.sum() ** 2", "squares.sum()": "squares"},
                "You square the sum of the differences: errors of opposite sign cancel. Square "
                "each, then sum.",
            ),
            Wrong(
                {"squares.sum()": "squares"},
                "You return one square for each number. A loss is one number: sum.",
            ),
            Wrong(
                {"error**2": "error"},
                "The differences are not squared: those of opposite sign cancel, and the "
                "smallest sum is not the best prediction.",
            ),
            Wrong(
                {"error**2": "error.abs()"},
                "These are the sizes of the differences. Asked for are their squares: twice as "
                "far off counts four times.",
            ),
            Wrong(
                {"squares.sum()": "squares.sum() / 2"},
                "There is a factor ½. Many books have it; here the sum of the squares is asked "
                "for as it is.",
            ),
            Wrong(
                {"squares.sum()": "squares.sum().sqrt()"},
                "You take the root of the sum. Asked for is the sum of the squares itself.",
            ),
            Wrong(
                {"squares.sum()": "-squares.sum()"},
                "The sign is wrong: an optimiser makes a loss small, and this one gets small "
                "where the prediction is far off.",
            ),
            Wrong({"error**2": "error**3"}, "That is not the square."),
        ),
        properties=(
            heeds(
                "A prediction that is too small by some amount counts otherwise than one that is "
                "too "
                "large by as much. Are the differences squared?",
                lambda given: {"prediction": 2 * given.target - given.prediction},
            ),
            scales(
                "Twice the difference does not count four times. Is every difference squared, by "
                "itself?",
                lambda given: {"prediction": 2 * given.prediction - given.target},
                by=4,
            ),
        ),
        hints=(
            (
                "Three operations: a difference, a square, a sum. And one of the tensors has to "
                "be cut out of the graph first."
            ),
            "x.detach() has the values of x, but autograd takes it for a constant.",
            "((prediction - target.detach()) ** 2).sum()",
        ),
        praise="You now say yourself what may move: a target is a constant in every loss of this "
        "book.",
        minutes=5,
        difficulty=1,
    ),
    Exercise(
        id="0.2",
        title="the loop: one episode",
        reference=play_episode,
        cases=_play_episode_cases,
        wrong=(
            Wrong(
                {"not (terminated or truncated)": "not terminated"},
                "Your loop goes on after a step that said truncated. An episode is over when it is "
                "terminated or truncated.",
            ),
            Wrong(
                {"not (terminated or truncated)": "not (terminated and truncated)"},
                "Your loop stops only when both flags are True, which is rare. One of them is "
                "enough: go on while not (terminated or truncated).",
            ),
            Wrong(
                {"not (terminated or truncated)": "not truncated"},
                "Your loop goes on after a step that said terminated. An episode is over when it "
                "is terminated or truncated.",
            ),
            Wrong(
                expects_four_things_from_a_step,
                "env.step(action) returns five things: observation, reward, terminated, truncated, "
                "info. Older code knows four, with one flag for both ways to be over.",
            ),
            Wrong(
                {"    return rewards, terminated": "        return rewards, terminated"},
                "It plays one step only. Does `return` stand inside the loop? It ends the "
                "function.",
            ),
            Wrong(
                {"choose(observation)": "env.action_space.sample()"},
                "You draw the actions at random. What decides here is the function that is handed "
                "in: env.step(choose(observation)).",
            ),
            Wrong(
                {"return rewards, terminated": "return rewards"},
                "The list of rewards alone came back. Return two things: the list, and whether "
                "the world ended the episode, `return rewards, terminated`.",
            ),
            Wrong(
                {"return rewards, terminated": "return rewards, truncated"},
                "The second value is `truncated`; asked for is `terminated`. Or did you swap the "
                "two where you take apart what env.step returns? terminated comes first.",
                also=({"reward, terminated, truncated, _": "reward, truncated, terminated, _"},),
            ),
            Wrong(
                {"return rewards, terminated": "return rewards, True"},
                "The second value is True even for an episode that the time limit cut. Return "
                "`terminated` as the last step said it.",
                also=({"return rewards, terminated": "return rewards, terminated or truncated"},),
            ),
            Wrong(
                {"return rewards, terminated": "return rewards, not truncated"},
                "The second value is `not truncated`. Both flags can be True, when the world ends "
                "in the step in which the time is up. Then it has ended: return `terminated`.",
            ),
            Wrong(
                {"return rewards, terminated": "return rewards, not terminated"},
                "The second value is the wrong way round: True means that the world ended the "
                "episode, False that the time limit did.",
            ),
            Wrong(
                {"return rewards, terminated": "return rewards[:-1], terminated"},
                "The last reward is missing, and in this corridor it is the only one that counts. "
                "Note the reward before you ask whether the episode is over.",
            ),
            Wrong(
                {"observation, reward, terminated": "_, reward, terminated"},
                "Every action is chosen from the first observation. Let the observation that "
                "step() returns take its place.",
            ),
            Wrong(
                {"return rewards, terminated": "return sum(rewards), terminated"},
                "You return the sum of the rewards. Return them one by one, as a list: what comes "
                "late will count less.",
            ),
            Wrong(
                {"observation, _ = env.reset": "observation = env.reset"},
                "env.reset() returns two things, the observation and a dict with information. Take "
                "them apart: observation, _ = env.reset(seed=seed).",
            ),
            Wrong(
                {"reset(seed=seed)": "reset()"},
                "The seed does not reach the environment: env.reset(seed=seed). Without it nobody "
                "can play the same episode again.",
                also=({"reset(seed=seed)": "reset(seed=0)"},),
            ),
            Wrong(
                {
                    "while not (terminated or truncated):": "for _ in range(200):\n        "
                    "if terminated or truncated:\n            "
                    "break"
                },
                "Your loop makes a fixed number of steps at most. An episode is over when the "
                "world says so, however long that takes: while not (terminated or truncated).",
                also=(
                    {
                        "while not (terminated or truncated):": "for _ in range(100):\n        "
                        "if terminated or truncated:\n            "
                        "break"
                    },
                    {
                        "while not (terminated or truncated):": "for _ in range(500):\n        "
                        "if terminated or truncated:\n            "
                        "break"
                    },
                    {
                        "while not (terminated or truncated):": "for _ in range(1000):\n        "
                        "if terminated or truncated:\n            "
                        "break"
                    },
                ),
            ),
            Wrong(
                {
                    "env.step(choose(observation))": "env.step((choose(observation), "
                    "choose(observation))[1])"
                },
                "`choose` is asked twice in a step. A policy that draws its actions may answer "
                "otherwise the second time: ask once, and keep the answer in a variable.",
            ),
            Wrong(
                {"rewards = []": "rewards = [0.0]"},
                "The list begins with a 0 that nobody paid. It begins empty.",
            ),
            Wrong(
                {"return rewards, terminated": "return rewards[1:], terminated"},
                "The first reward is missing.",
            ),
            Wrong(
                {"return rewards, terminated": "return rewards[::-1], terminated"},
                "The rewards come in the opposite order. Append each at the end of the list.",
            ),
            Wrong(
                {"rewards.append(float(reward))": "rewards = [float(reward)]"},
                "Only the last reward is left: each step puts a new list in the place of the old "
                "one. Append.",
            ),
            Wrong(
                {"return rewards, terminated": "return terminated, rewards"},
                "The two things are in the wrong order: first the rewards, then whether the "
                "world ended the episode.",
            ),
            Wrong(
                {"return rewards, terminated": "return len(rewards), terminated"},
                "You return how many steps it took. Asked for are their rewards, one by one, as "
                "a list.",
            ),
            Wrong(
                {
                    "rewards = []": "rewards, action = [], choose(observation)",
                    "env.step(choose(observation))": "env.step(action)",
                    "rewards.append(float(reward))": "rewards.append(float(reward))\n        "
                    "action = choose(observation)",
                },
                "`choose` is asked once more when the episode is over, for an action that no step "
                "takes. A policy that draws its actions has then drawn one too many: ask right "
                "before the step.",
            ),
            Wrong(
                {
                    "    return rewards, terminated": "    env.close()\n    "
                    "return rewards, terminated"
                },
                "The environment is closed at the end. It is the caller's, who may play another "
                "episode in it: leave it open.",
            ),
            Wrong(
                {"reset(seed=seed)": "reset(seed=seed or None)"},
                "The seed 0 does not reach the environment: 0 counts as False. It is a seed like "
                "any other: env.reset(seed=seed), whatever it is.",
            ),
            Wrong(
                {"return rewards, terminated": "return rewards, False"},
                "The second value is False even where the world ended the episode. Return "
                "`terminated` as the last step said it.",
            ),
        ),
        properties=(
            ignores(
                "What is chosen does not depend on the seed: does it reach the environment, "
                "env.reset(seed=seed), and do the actions come from what is observed?",
                lambda given: {"seed": given.seed + 5} if hasattr(given, "seed") else {},
            ),
            ignores(
                "It makes no difference when the time limit cuts. Look at `truncated` in every "
                "step.",
                lambda given: {"limit": 1},
            ),
        ),
        hints=(
            "Reset once, before the loop. In it: choose, step, note the reward. When does it end?",
            (
                "env.step(action) returns five things: observation, reward, terminated, truncated, "
                "info. The loop goes on while not (terminated or truncated)."
            ),
            (
                "observation, reward, terminated, truncated, _ = env.step(choose(observation)), "
                "then rewards.append(reward); at the end return rewards, terminated."
            ),
        ),
        praise="You now have the loop that every agent of this book runs. It works for any "
        "Gymnasium environment.",
        minutes=10,
        difficulty=1,
    ),
    Exercise(
        id="0.3",
        title="discounted returns",
        reference=discounted_returns,
        form=returns_in_a_loop,
        cases=_discounted_returns_cases,
        wrong=(
            Wrong(
                divided_by_powers,
                "You divide by a power of γ. With γ = 0 that is 0 / 0, and in a long episode γ^t "
                "becomes 0 in float32 for any γ below 1. Go back from the last step: nothing is "
                "divided.",
            ),
            Wrong(
                {"gamma * G": "G"},
                "You add up the rewards without the discount: γ is never used. Each step back "
                "multiplies what comes later by γ.",
            ),
            Wrong(
                {"return returns": "return returns[0]"},
                "You return one number, the return of the first step. Asked for is the return of "
                "every step: (T,).",
            ),
            Wrong(
                {"reversed(range(T))": "range(T)"},
                "You run forwards: your number at step t is made of the rewards before t. A "
                "return looks ahead, so begin at the last step and go back.",
            ),
            Wrong(
                {"return returns": "return returns.flip(0)"},
                "The order is not right: the first one has to be the return of "
                "the first step. Did you append while going backwards?",
            ),
            Wrong(
                {"return returns": "return returns[:1].expand(T).clone()"},
                "Every step has the return of the first one. The return of step t begins with the "
                "reward of step t; what came before has no place in it.",
            ),
            Wrong(
                {"return returns": "return gamma ** torch.arange(T) * returns"},
                "You count the powers of γ from the episode's start. In G_t the reward r_t itself "
                "is not discounted: it has γ⁰.",
            ),
            Wrong(
                {"rewards[t] + gamma * G": "gamma * (rewards[t] + G)"},
                "All your returns are too small by a factor γ. Only the later return is "
                "multiplied: G_t = r_t + γ G_{t+1}, not γ (r_t + G_{t+1}).",
            ),
            Wrong(
                {
                    "G = rewards[t] + gamma * G\n        returns[t] = G": "returns[t] = gamma * "
                    "G\n        "
                    "G = rewards[t] + gamma * G"
                },
                "The reward of step t is missing from G_t: r_t is paid for the action of step t, "
                "and belongs to it.",
            ),
            Wrong(
                {"rewards[t] + gamma * G": "rewards[t] * gamma**t"},
                "These are the single terms γ^t r_t. A return is their sum: G_t adds up all "
                "rewards from step t on.",
            ),
            Wrong(
                {"reversed(range(T))": "range(T - 1, 0, -1)"},
                "The first return is missing: the loop stops before t = 0. range(T - 1, 0, -1) "
                "ends at 1; reversed(range(T)) ends at 0.",
            ),
            Wrong(
                {"reversed(range(T))": "range(T - 2, -1, -1)"},
                "The last return is missing, and so the last reward is in none of them. After the "
                "end nothing is paid, so the last return is the last reward.",
            ),
            Wrong(
                {"reversed(range(T))": "range(T - 1)", "gamma * G": "gamma * returns[t + 1]"},
                "You go forwards and use G_{t+1}, which is not computed yet and still 0. Begin at "
                "the last step and go back.",
            ),
            Wrong(
                {"    return returns": "        return returns"},
                "Only the last return is there. Does `return` stand inside the loop? It ends the "
                "function in the first round.",
            ),
            Wrong(
                {"gamma * G": "0.9 * G"},
                "You compute with 0.9, whatever `gamma` is. Use the argument.",
                also=(
                    {"gamma * G": "0.99 * G"},
                    {"gamma * G": "0.5 * G"},
                ),
            ),
            Wrong(
                {"gamma * G": "gamma * (rewards[t + 1] if t + 1 < T else 0)"},
                "Only the next reward comes in. G_t = r_t + γ G_{t+1} has the next *return* in it, "
                "and so all later rewards.",
            ),
            Wrong(
                {"gamma * G": "gamma**t * G"},
                "The power of γ grows with t. One step back costs one factor γ, wherever in the "
                "episode it is: G = r + γ G.",
                also=(
                    {"gamma * G": "gamma ** (T - t) * G"},
                    {"gamma * G": "gamma ** (T - 1 - t) * G"},
                    {"gamma * G": "gamma ** (t + 1) * G"},
                ),
            ),
            Wrong(
                {"rewards[t] + gamma * G": "rewards[t] - gamma * G"},
                "What comes later is subtracted. It is added: G_t = r_t + γ G_{t+1}.",
            ),
            Wrong(
                {"torch.zeros(())": "rewards[-1]"},
                "The last reward counts twice: G begins with it, and the loop adds it again. "
                "After the end there is nothing: begin with 0.",
            ),
            Wrong(
                {"return returns": "return (returns - returns.mean()) / (returns.std() + 1e-8)"},
                "You normalise the returns. Many programs do that before learning; asked for are "
                "the returns themselves.",
            ),
            Wrong(
                {"gamma * G": "(1 - gamma) * G"},
                "The factor is 1 − γ. It is γ: with γ = 1 nothing is lost on the way.",
            ),
            Wrong(
                {"return returns": "return returns / T"},
                "You divide by the number of steps. A return is a sum.",
            ),
            Wrong(
                {"rewards[t] + gamma * G": "max(rewards[t], gamma * G)"},
                "The larger of the two is taken. They are added up.",
            ),
            Wrong(
                {"rewards[t] + gamma * G": "(1 - gamma) * rewards[t] + gamma * G"},
                "This is a moving average: the reward is weighted with 1 − γ. In a return it "
                "counts in full.",
            ),
        ),
        properties=(
            heeds(
                "A reward changes the returns of later steps. G_t is made of what is paid from "
                "step t "
                "on: begin at the last step and go back.",
                lambda given: {"rewards": _plus_one_at(given.rewards, 0)},
            ),
            ignores(
                "The last reward is in none of the returns. It belongs to all of them.",
                lambda given: {"rewards": _plus_one_at(given.rewards, -1)},
            ),
            ignores(
                "`gamma` has no effect: what comes later is to count less.",
                lambda given: {"gamma": 0.7 * given.gamma},
            ),
            scales(
                "Rewards twice as large do not make the returns twice as large: something is "
                "added, "
                "clipped or normalised that should not be.",
                lambda given: {"rewards": 2 * given.rewards},
            ),
        ),
        hints=(
            "What is the last step's return? And how does the one before follow from it?",
            (
                "G_t = r_t + γ G_{t+1}, and after the end there is nothing: start with G = 0 and "
                "go through the steps from the last to the first."
            ),
            (
                "for t in reversed(range(len(rewards))): G = rewards[t] + gamma * G; "
                "returns[t] = G. And torch.empty_like(rewards) makes room for the returns."
            ),
        ),
        praise="One pass from the end, T additions. A challenge: can you do it without a loop?",
        minutes=10,
        difficulty=1,
    ),
    Exercise(
        id="0.4",
        title="bug hunt: an average that comes out too low",
        reference=average_return,
        cases=_average_return_cases,
        wrong=(
            Wrong(
                {"0.0 if terminated": "0.0 if over"},
                "A cut episode is still worth 0 after the cut. Which of the two flags says that "
                "nothing more would have come?",
                also=({"0.0 if terminated else value_of(observation)": "0.0"},),
            ),
            Wrong(
                {"0.0 if terminated else value_of(observation)": "value_of(observation)"},
                "Now `value_of` is asked after a real ending too. There nothing is to come: 0.",
            ),
            Wrong(
                {
                    "0.0 if terminated else value_of(observation)": "value_of(observation) if "
                    "truncated else 0.0"
                },
                "Look at the episode that ends in the very step in which its time is up: both "
                "flags are True. The world has ended, so nothing is to come.",
            ),
            Wrong(
                {
                    "G = 0.0 if terminated else "
                    "value_of(observation)": "rest = 0.0 if terminated else "
                    "value_of(observation)\n        "
                    "G = 0.0",
                    "returns.append(G)": "returns.append(G + rest)",
                },
                "What is still to come comes later than all rewards of the episode, and has to be "
                "discounted like them: put it in at the start of the backward loop.",
            ),
            Wrong(
                {
                    "G = 0.0 if terminated else "
                    "value_of(observation)": "rest = 0.0 if terminated else "
                    "value_of(observation)\n        "
                    "G = 0.0",
                    "returns.append(G)": "returns.append(G + gamma ** (len(rewards) - 1) * rest)",
                },
                "What is still to come has γ^(T−1), like the last reward. It comes one step after "
                "that: γ^T.",
            ),
            Wrong(
                {"else value_of": "else gamma * value_of"},
                "What is still to come is discounted once too often, with γ^(T+1). The backward "
                "loop multiplies by γ once for each of the T steps, and that is all it needs.",
            ),
            Wrong(
                {
                    "G = 0.0 if terminated else "
                    "value_of(observation)": "rest = 0.0 if terminated else "
                    "value_of(observation)\n        "
                    "G = 0.0",
                    "returns.append(G)": "returns.append(G + gamma * rest)",
                },
                "What is still to come is multiplied by γ once. It lies T steps after the start "
                "and has γ^T: put it in before the backward loop, not after.",
            ),
            Wrong(
                {
                    "0.0 if terminated else value_of(observation)": "value_of(observation) if "
                    "terminated else 0.0"
                },
                "It is the other way round: you ask `value_of` where the world ended and nothing "
                "is to come, and nowhere else.",
            ),
            Wrong(
                {"over = terminated or truncated": "over = terminated"},
                "Now the episode goes on after it was cut, as if there were no limit. The loop was "
                "right: an episode is over at either flag. The fault is in another line.",
            ),
            Wrong(
                {"observation, _ = env.reset()": "observation, _ = env.reset(seed=seed)"},
                "Every episode is reset with the same seed, and so begins with the same random "
                "numbers. Hand over the seed once; env.reset() alone goes on from there.",
            ),
            Wrong(
                {
                    "        G = 0.0": "        observation, _ = env.reset()\n        G = 0.0",
                    "returns.append(G)\n        observation, _ = env.reset()": "returns.append(G)",
                },
                "You ask for the value of the wrong observation: of the first one of the next "
                "episode. Ask before the reset, at which it takes the last one's place.",
            ),
            Wrong(
                {"observation, _ = env.reset()": "env.reset()"},
                "The first action of an episode is chosen from the last observation of the one "
                "before: keep what `env.reset()` gives you.",
            ),
            Wrong(
                {"0.0 if terminated": "0.0 if truncated"},
                "The flags are swapped: you ask `value_of` where the world ended, and take 0 where "
                "somebody's patience did.",
                also=({"reward, terminated, truncated, _": "reward, truncated, terminated, _"},),
            ),
            Wrong(
                {
                    "returns.append(G)": "if terminated:\n            returns.append(G)",
                    "/ episodes": "/ len(returns)",
                },
                "You leave out the episodes that were cut. Those are the slow ones; the average of "
                "the others is too high, and if all were cut there is none.",
            ),
            Wrong(
                {"returns.append(G)": "returns.append(G if terminated else 0.0)"},
                "A cut episode adds nothing to the sum, not even what it was paid, but is counted "
                "when you divide.",
            ),
            Wrong(
                {"reward + gamma * G": "reward + G"},
                "Nothing is discounted now. The backward loop was right as it was given.",
            ),
            Wrong(
                {"in reversed(rewards)": "in rewards"},
                "The loop over the rewards runs forwards now. It was right as it was given.",
            ),
            Wrong(
                {"sum(returns) / episodes": "sum(returns)"},
                "You return the sum of the returns. Asked for is their mean.",
            ),
            Wrong(
                {"0.0 if terminated else value": "(1 - terminated) * value"},
                "Where the world ended, what `value_of` says is multiplied by 0. If that is "
                "infinite or NaN, 0 times it is NaN, and nothing is to come whatever anybody says "
                "there: choose between the two with `if`.",
            ),
            Wrong(
                {"sum(returns) / episodes": "float(torch.tensor(returns).quantile(0.5))"},
                "This is the median of the returns, the one in the middle. Asked for is their "
                "mean.",
                also=({"sum(returns) / episodes": "float(torch.tensor(returns).median())"},),
            ),
            Wrong(
                {
                    "            observation, reward": "            before = observation\n"
                    "            observation, reward",
                    "else value_of(observation)": "else value_of(before)",
                },
                "You ask for the value of the wrong observation: of the one from before the last "
                "step. What is still to come comes after that step: ask for the value of what it "
                "led to.",
            ),
            Wrong(
                {"gamma * G": "0.9 * G"},
                "You compute with a γ of your own. Use the argument `gamma`.",
                also=({"gamma * G": "0.99 * G"}, {"gamma * G": "0.5 * G"}),
            ),
            Wrong(
                {
                    "for _ in range": "for i in range",
                    "observation, _ = env.reset()": "observation, _ = env.reset(seed=seed + i + 1)",
                },
                "Every episode is reset with a seed of its own. Hand over the seed once; "
                "env.reset() alone goes on with its random numbers.",
            ),
            Wrong(
                {"over = terminated or truncated": "over = terminated and truncated"},
                "The loop now waits until both flags are True. It was right as it was given: one "
                "of them ends the episode.",
            ),
        ),
        properties=(
            heeds(
                "What `value_of` says counts where the world ended. There nothing is to come.",
                lambda given: {} if _some_cut(given) else {"worth": given.worth + 1},
            ),
            ignores(
                "What `value_of` says has no effect where an episode was cut. There it says what "
                "was "
                "still to come.",
                lambda given: {"worth": given.worth + 1},
            ),
        ),
        hints=(
            (
                "Follow an episode that is cut, line by line. What is its return here, and what "
                "should it be?"
            ),
            (
                "The variable `over` answers one question: shall I go on stepping? Another line "
                "uses it for another question."
            ),
            "G = 0.0 if terminated else value_of(observation)",
        ),
        praise="A flag for each question: `over` says when to stop stepping, `terminated` says "
        "what "
        "is still to come.",
        minutes=10,
        difficulty=2,
        start=average_return_with_a_bug,
    ),
    Exercise(
        id="0.5",
        title="the log-probability of what was done",
        reference=log_pi,
        form=log_pi_in_steps,
        cases=_log_pi_cases,
        wrong=(
            Wrong(
                {"logits.log_softmax(dim=-1)": "logits.softmax(dim=-1)"},
                "These are probabilities, not their logarithms.",
            ),
            Wrong(
                {"logits.log_softmax(dim=-1)": "logits"},
                "These are logits. Logits become log-probabilities by log_softmax, which subtracts "
                "from each row the number that makes its probabilities add up to 1.",
            ),
            Wrong(
                {"logits.log_softmax(dim=-1)": "logits.log()"},
                "You take the logarithm of the logits, which may be negative. The softmax comes "
                "first; log_softmax does both.",
            ),
            Wrong(
                {"log_softmax(dim=-1)": "log_softmax(dim=0)"},
                "The softmax runs down the steps (dim=0) instead of across the actions (dim=-1): "
                "the probabilities of one step do not add up to 1.",
            ),
            Wrong(
                {"log_probabilities[steps, actions]": "log_probabilities.amax(dim=-1)"},
                "That is the likeliest action's log-probability. Asked for is the action that was "
                "taken, likely or not.",
            ),
            Wrong(
                {"[steps, actions]": ""},
                "You return all actions' log-probabilities. Pick from each row the action taken.",
            ),
            Wrong(
                {"[steps, actions]": "[:, actions]"},
                "[:, actions] picks, for every step, the actions of all steps: (T, T). Pick one "
                "for each step: [torch.arange(len(actions)), actions].",
            ),
            Wrong(
                {"[steps, actions]": "[steps, actions][:, None]"},
                "The shape is (T, 1), and has to be (T,): times the returns (T,) it would "
                "become (T, T), without an error. squeeze(-1) removes the column.",
            ),
            Wrong(
                {"[steps, actions]": "[actions]"},
                "[actions] picks whole rows, those with the numbers of the actions. Pick one "
                "column from every row: [torch.arange(len(actions)), actions].",
            ),
            Wrong(
                {"return log_probabilities[": "return -log_probabilities["},
                "The sign is wrong: this is −log π, which is positive. A cross entropy or a "
                "negative log-likelihood is that; a log-probability is at most 0.",
            ),
            Wrong(
                {
                    "return log_probabilities[steps, actions]": "return -log_probabilities[steps, "
                    "actions].mean()"
                },
                "You return the mean of −log π over the steps, as cross_entropy does by itself. "
                'Asked for is log π of each step: reduction="none" gives a number a step, and '
                "the sign has to be turned.",
            ),
            Wrong(
                {"[steps, actions]": "[steps, actions].mean()"},
                "You return one number, the mean over the steps. Asked for is one for each step, "
                '(T,). (cross_entropy averages unless you say reduction="none".)',
            ),
            Wrong(
                {"[steps, actions]": "[steps, actions].sum()"},
                "You return one number, the sum over the steps. Asked for is one for each step, "
                "(T,).",
            ),
            Wrong(
                {"[steps, actions]": "[steps, actions].squeeze()"},
                "With one step, squeeze() removes the dimension of the "
                "steps too, and the shape is () instead of (1,): squeeze(-1) removes the last "
                "only.",
            ),
            Wrong(
                {"logits.log_softmax(dim=-1)": "logits.softmax(dim=-1).log_softmax(dim=-1)"},
                "A softmax is taken twice: log_softmax wants the logits themselves.",
            ),
            Wrong(
                logits_taken_for_probabilities,
                "Categorical takes its first argument for probabilities. These are logits: "
                "Categorical(logits=logits).",
            ),
            Wrong(
                {"logits.log_softmax(dim=-1)": "logits.softmax(dim=-1).log()"},
                "Where logits are far apart, the softmax "
                "rounds a probability to 0, and its logarithm is −inf. log_softmax does both at "
                "once and stays finite.",
                also=({"logits.log_softmax(dim=-1)": "logits.double().softmax(dim=-1).log()"},),
            ),
            Wrong(
                {
                    "logits.log_softmax(dim=-1)": "logits - logits.exp().sum(dim=-1, "
                    "keepdim=True).log()"
                },
                "The exponential of a large logit is "
                "infinite, and log π becomes −inf. log_softmax and logsumexp avoid that.",
            ),
            Wrong(
                {"logits.log_softmax(dim=-1)": "(logits.softmax(dim=-1) + 1e-8).log()"},
                "A small number is added to the probabilities before the logarithm. It keeps off "
                "−inf, and no logarithm can be below that of the small number: where logits are "
                "far apart, log π is lower. log_softmax needs no such number.",
                also=(
                    {"logits.log_softmax(dim=-1)": "(logits.softmax(dim=-1) + 1e-6).log()"},
                    {"logits.log_softmax(dim=-1)": "(logits.softmax(dim=-1) + 1e-10).log()"},
                    {"logits.log_softmax(dim=-1)": "(logits.softmax(dim=-1) + 1e-12).log()"},
                    {"logits.log_softmax(dim=-1)": "logits.softmax(dim=-1).clamp(min=1e-8).log()"},
                ),
            ),
            Wrong(
                distribution_of_rounded_probabilities,
                "Where logits are far apart, the softmax "
                "rounds a small probability away. Categorical(logits=logits) takes the logits "
                "themselves.",
            ),
            Wrong(
                {
                    "steps = torch.arange(len(actions))": "steps = "
                    "torch.arange(len(actions))\n    "
                    "logits = logits.detach()"
                },
                "No gradient flows back to the logits: something in "
                "between detaches them (detach, no_grad, .item(), .numpy() …).",
            ),
            Wrong(
                {"[steps, actions]": "[steps, 0 * actions]"},
                "This is always the first action's log-probability. Pick the one that was taken, "
                "actions[t] in row t.",
            ),
            Wrong(
                {"[steps, actions]": "[steps, actions - 1]"},
                "The actions are counted from 0: column actions[t] is the right one, and not the "
                "one before it.",
            ),
            Wrong(
                {
                    "logits.log_softmax(dim=-1)": "logits.log_softmax(dim=-1) / "
                    "torch.tensor(2.0).log()"
                },
                "This is the logarithm to base 2. The book's is the natural one.",
            ),
            Wrong(
                {"logits.log_softmax(dim=-1)": "(-logits).log_softmax(dim=-1)"},
                "The sign of the logits is turned before the softmax: the likeliest action "
                "becomes the rarest.",
            ),
            Wrong(
                {"[steps, actions]": "[0, actions]"},
                "Every step is looked up in the first step's row. Row t belongs to step t.",
            ),
            Wrong(
                {"logits.log_softmax(dim=-1)": "logits.clamp(-200, 200).log_softmax(dim=-1)"},
                "The logits are cut off above or below. Where they are far apart the policy "
                "becomes another one. log_softmax takes logits of any size.",
                also=(
                    {"logits.log_softmax(dim=-1)": "logits.clamp(-100, 100).log_softmax(dim=-1)"},
                    {"logits.log_softmax(dim=-1)": "logits.clamp(-50, 50).log_softmax(dim=-1)"},
                    {"logits.log_softmax(dim=-1)": "logits.clamp(-20, 20).log_softmax(dim=-1)"},
                    {"logits.log_softmax(dim=-1)": "logits.clamp(-10, 10).log_softmax(dim=-1)"},
                ),
            ),
            Wrong(
                {"[steps, actions]": "[steps, actions].clamp(min=-200)"},
                "log π is kept above a lower limit. Where logits are far apart it is lower than "
                "that, and an ordinary number: return it as it is.",
                also=(
                    {"[steps, actions]": "[steps, actions].clamp(min=-100)"},
                    {"[steps, actions]": "[steps, actions].clamp(min=-50)"},
                    {"[steps, actions]": "[steps, actions].clamp(min=-20)"},
                ),
            ),
            Wrong(
                {"logits.log_softmax(dim=-1)": "(logits / logits.sum(dim=-1, keepdim=True)).log()"},
                "You divide the logits by their sum. Probabilities come from a softmax, which "
                "divides their exponentials by the sum of those.",
            ),
        ),
        properties=(
            ignores(
                "It makes no difference which action was taken.",
                lambda given: {"actions": (given.actions + 1) % given.logits.shape[-1]},
            ),
            heeds(
                "A step's number changes with the logits of another step. The softmax runs over "
                "the "
                "actions, dim=-1, and row t belongs to step t.",
                lambda given: {"logits": _plus_one_at(given.logits, (0, 0))},
            ),
            heeds(
                "Adding the same number to all logits of a step changes what comes out. To a "
                "softmax "
                "that makes no difference: the logits are not normalised.",
                lambda given: {"logits": given.logits + 1},
            ),
        ),
        hints=(
            "Two steps: make log-probabilities of the logits, then pick one number from each row.",
            "logits.log_softmax(dim=-1) is (T, A). Row t, column actions[t] is wanted.",
            "logits.log_softmax(dim=-1)[torch.arange(len(actions)), actions]",
        ),
        praise="This number is what the policy gradient differentiates. A challenge: the same with "
        "`gather`.",
        minutes=10,
        difficulty=2,
    ),
    Exercise(
        id="0.6",
        title="the REINFORCE loss",
        reference=reinforce_loss,
        form=loss_in_steps,
        cases=_reinforce_loss_cases,
        wrong=(
            Wrong(
                {"-total": "total"},
                "The sign is missing: an optimiser makes a loss *small*, and so would make the "
                "actions with high returns rarer.",
            ),
            Wrong(
                {"terms.sum()": "terms"},
                "You return one number for each step. A loss is one number: sum over the steps.",
            ),
            Wrong(
                {"weights = constants": "weights = 0.9 ** torch.arange(len(returns)) * constants"},
                "There is a factor 0.9^t inside. Take the returns as they come: your caller "
                "multiplies them by γ^t first, or leaves it.",
                also=(
                    {
                        "weights = constants": "weights = 0.99 ** "
                        "torch.arange(len(returns)) "
                        "* constants"
                    },
                ),
            ),
            Wrong(
                {"logs = log_probabilities": "logs = log_probabilities.log()"},
                "You take the logarithm of log_probabilities, which are logarithms already.",
            ),
            Wrong(
                {
                    "weights = constants": "weights = constants\n "
                    "   weights = (weights "
                    "- weights.mean()) / (weights.std() + 1e-8)"
                },
                "You normalise the returns. Many programs do, but then the gradient is another "
                "one (and of a single step nothing is left). Weigh with the returns as they come.",
            ),
            Wrong(
                {"terms.sum()": "terms.mean()"},
                "That is the mean over the steps. The objective is a sum over the episode; with a "
                "mean, a step in a long episode would count less than one in a short episode.",
            ),
            Wrong(
                {"returns.detach()": "returns"},
                "A gradient flows into the returns. They are what happened, not something to be "
                "changed: detach them.",
            ),
            Wrong(
                {
                    "returns.detach()": "returns",
                    "logs = log_probabilities": "logs = log_probabilities.detach()",
                },
                "You detached the log-probabilities. They are what learning changes; the returns "
                "are the constants.",
                also=({"logs = log_probabilities": "logs = log_probabilities.detach()"},),
            ),
            Wrong(
                {"logs = log_probabilities": "logs = log_probabilities.exp()"},
                "You use probabilities. The gradient of E[G] is E[G ∇log π]: the actions that were "
                "sampled already come as often as π says, and the logarithm divides by that.",
            ),
            Wrong(
                {"weights * logs": "weights.sum() * logs.sum()"},
                "You sum first and multiply then: every action is weighed by all returns together. "
                "Multiply step by step, then sum.",
            ),
            Wrong(
                {"weights = constants": "weights = constants[0]"},
                "Every action is weighed by the first return. An action cannot change what was "
                "paid before it: weigh step t by G_t.",
            ),
            Wrong(
                {"weights * logs": "logs"},
                "The returns do not come in: this makes whatever was done likelier, good or bad.",
            ),
            Wrong(
                {
                    "weights = constants": "weights = constants\n    "
                    "weights = weights - weights.mean()"
                },
                "You subtract the mean from the returns. Weigh with the returns as they come; "
                "what may be subtracted, and why, is chapter 01's question.",
            ),
            Wrong(
                {"weights = constants": "weights = constants.flip(0)"},
                "The returns are in the opposite order: step t is weighed by another step's "
                "return.",
            ),
            Wrong(
                {"weights * logs": "weights + logs"},
                "The returns are added to the logarithms. They are weights: multiply.",
            ),
            Wrong(
                {"logs = log_probabilities": "logs = log_probabilities**2"},
                "The logarithms are squared. The loss has log π itself.",
            ),
            Wrong(
                {"weights = constants": "weights = constants ** 2"},
                "The returns are squared: a bad return would make an action likelier, as a good "
                "one does.",
            ),
            Wrong(
                {"weights = constants": "weights = constants.abs()"},
                "The returns have lost their sign. An action with a negative return has to "
                "become rarer.",
            ),
            Wrong(
                {"weights = constants": "weights = constants.roll(-1)"},
                "Step t is weighed by the return of step t + 1. The reward of step t belongs to "
                "its action: weigh it by G_t.",
            ),
            Wrong(
                {"weights = constants": "weights = constants.cumsum(0)"},
                "You add up the returns. They are sums of rewards already: weigh step t by G_t "
                "alone.",
            ),
            Wrong(
                {"weights = constants": "weights = constants.flip(0).cumsum(0).flip(0)"},
                "You add up the returns from each step on. They are "
                "sums of rewards already: weigh step t by G_t itself.",
            ),
            Wrong(
                {"logs = log_probabilities": "logs = -log_probabilities.abs()"},
                "You take the size of the logarithm, |log π|, for −log π. Where an action is "
                "certain log π is 0, and there the size has no gradient. Turn the sign instead.",
            ),
            Wrong(
                {"terms.sum()": "sum(term for term, G in zip(terms, weights) if G != 0)"},
                "Steps with a return of 0 are skipped. Where all returns are 0 nothing is left but "
                "the 0 that the sum begins with, which is no tensor and cannot be differentiated. "
                "Add up all steps.",
            ),
            Wrong(
                {"terms.sum()": "terms[:-1].sum()"},
                "The last step is missing from the sum. It counts as the others do.",
            ),
            Wrong(
                {
                    "weights = constants": "weights = constants\n    "
                    "weights = weights / weights.abs().max()"
                },
                "You divide the returns by the largest. Weigh with the returns as they come.",
            ),
        ),
        properties=(
            ignores(
                "The returns have no effect: whatever was done becomes likelier, good or bad.",
                lambda given: {
                    "returns": given.returns + torch.arange(1.0, len(given.returns) + 1)
                },
            ),
            scales(
                "Returns twice as large do not make the loss twice as large. Weigh with the "
                "returns as "
                "they come: not normalised, nor squared, nor clipped.",
                lambda given: {"returns": 2 * given.returns},
            ),
            heeds(
                "The order of the steps matters: each logarithm is to be weighed by the return "
                "of its "
                "own step, wherever it stands.",
                lambda given: {
                    "returns": given.returns.flip(0),
                    "log_probabilities": given.log_probabilities.flip(0),
                },
            ),
        ),
        hints=(
            (
                "One product per step, then a sum. Two things are left to decide: the sign, and "
                "what autograd may see."
            ),
            (
                "Gradient ascent on Σ G_t log π(a_t | o_t) is gradient descent on its negative. "
                "The returns are constants: detach()."
            ),
            "-(returns.detach() * log_probabilities).sum()",
        ),
        praise="One line of mathematics, and an agent learns. Chapter 01 asks what the "
        "return "
        "should be compared with.",
        minutes=10,
        difficulty=2,
    ),
)
