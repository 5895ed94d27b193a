"""Chapter 00: the exercises of "The loop".

An exercise's reference is the package's own function where the package has it; the others stand
here.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, repeat
from typing import Any, NamedTuple

import gymnasium as gym
import torch
from torch import Tensor
from torch.distributions import Categorical

from a3c_lib.exercises.engine.cases import Case, Exercise, Wrong
from a3c_lib.reinforce import discounted_returns, reinforce_loss
from a3c_lib.worlds.envs import LEFT, RIGHT, Corridor

Env = gym.Env[Any, Any]
Choose = Callable[[Any], Any]  # observation → action
ValueOf = Callable[[Any], float]  # observation → what is still to come from there

MOST_RESETS = 50  # in a check; a loop that never ends is stopped
AFTER_THE_END = "step() after a step that said terminated: the episode was over, the loop goes on"

# 0.1 A gradient that flows where it should


def squared_error(prediction: Tensor, target: Tensor) -> Tensor:
    """Σ (prediction − target)², to be made small by moving the prediction.   (T,), (T,) → ()."""
    return ((prediction - target.detach()) ** 2).sum()


def target_not_detached(prediction: Tensor, target: Tensor) -> Tensor:
    return ((prediction - target) ** 2).sum()


def prediction_detached(prediction: Tensor, target: Tensor) -> Tensor:
    return ((prediction.detach() - target) ** 2).sum()


def both_detached(prediction: Tensor, target: Tensor) -> Tensor:
    return ((prediction - target) ** 2).sum().detach()


def mean_of_squares(prediction: Tensor, target: Tensor) -> Tensor:
    return ((prediction - target.detach()) ** 2).mean()


def square_of_the_sum(prediction: Tensor, target: Tensor) -> Tensor:
    error: Tensor = (prediction - target.detach()).sum() ** 2
    return error


def not_summed(prediction: Tensor, target: Tensor) -> Tensor:
    return (prediction - target.detach()) ** 2


def _squared_error_cases() -> list[Case]:
    on_paper = Case("on paper", _leaf([1.0, 2.0]), _leaf([3.0, 2.0]))
    random = [
        Case(label, _leaf(_normal(seed, T)), _leaf(_normal(seed + 10, T)))
        for seed, (T, label) in enumerate([(1, "one random number"), (5, "5 random numbers")])
    ]
    return [on_paper, *random]


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


def goes_on_after_a_cut(env: Env, choose: Choose, seed: int) -> tuple[list[float], bool]:
    observation, _ = env.reset(seed=seed)
    rewards, terminated = [], False
    while not terminated:
        observation, reward, terminated, _, _ = env.step(choose(observation))
        rewards.append(float(reward))
    return rewards, terminated


def a_cut_is_an_ending(env: Env, choose: Choose, seed: int) -> tuple[list[float], bool]:
    rewards, _ = play_episode(env, choose, seed)
    return rewards, True


def stops_only_when_both_flags_are_true(
    env: Env, choose: Choose, seed: int
) -> tuple[list[float], bool]:
    observation, _ = env.reset(seed=seed)
    rewards = []
    terminated = truncated = False
    while not (terminated and truncated):
        observation, reward, terminated, truncated, _ = env.step(choose(observation))
        rewards.append(float(reward))
    return rewards, terminated


def goes_on_after_an_ending(env: Env, choose: Choose, seed: int) -> tuple[list[float], bool]:
    observation, _ = env.reset(seed=seed)
    rewards, truncated = [], False
    while not truncated:
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


def returns_within_the_loop(env: Env, choose: Choose, seed: int) -> tuple[list[float], bool]:
    observation, _ = env.reset(seed=seed)
    observation, reward, terminated, _, _ = env.step(choose(observation))
    return [float(reward)], terminated


def acts_at_random(env: Env, choose: Choose, seed: int) -> tuple[list[float], bool]:
    env.reset(seed=seed)
    rewards = []
    terminated = truncated = False
    while not (terminated or truncated):
        _, reward, terminated, truncated, _ = env.step(env.action_space.sample())
        rewards.append(float(reward))
    return rewards, terminated


def only_the_rewards(env: Env, choose: Choose, seed: int) -> list[float]:
    return play_episode(env, choose, seed)[0]


def says_truncated(env: Env, choose: Choose, seed: int) -> tuple[list[float], bool]:
    observation, _ = env.reset(seed=seed)
    rewards = []
    terminated = truncated = False
    while not (terminated or truncated):
        observation, reward, terminated, truncated, _ = env.step(choose(observation))
        rewards.append(float(reward))
    return rewards, truncated


def says_whether_it_was_cut(env: Env, choose: Choose, seed: int) -> tuple[list[float], bool]:
    rewards, terminated = play_episode(env, choose, seed)
    return rewards, not terminated


def last_reward_lost(env: Env, choose: Choose, seed: int) -> tuple[list[float], bool]:
    rewards, terminated = play_episode(env, choose, seed)
    return rewards[:-1], terminated


def always_the_first_observation(env: Env, choose: Choose, seed: int) -> tuple[list[float], bool]:
    observation, _ = env.reset(seed=seed)
    rewards = []
    terminated = truncated = False
    while not (terminated or truncated):
        _, reward, terminated, truncated, _ = env.step(choose(observation))
        rewards.append(float(reward))
    return rewards, terminated


def seed_forgotten(env: Env, choose: Choose, seed: int) -> tuple[list[float], bool]:
    del seed
    observation, _ = env.reset()
    rewards = []
    terminated = truncated = False
    while not (terminated or truncated):
        observation, reward, terminated, truncated, _ = env.step(choose(observation))
        rewards.append(float(reward))
    return rewards, terminated


def only_the_sum(env: Env, choose: Choose, seed: int) -> tuple[float, bool]:
    rewards, terminated = play_episode(env, choose, seed)
    return sum(rewards), terminated


def info_taken_for_the_observation(env: Env, choose: Choose, seed: int) -> tuple[list[float], bool]:
    observation: Any = env.reset(seed=seed)
    rewards = []
    terminated = truncated = False
    while not (terminated or truncated):
        observation, reward, terminated, truncated, _ = env.step(choose(observation))
        rewards.append(float(reward))
    return rewards, terminated


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
        self.steps = self.resets = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[int, dict[str, Any]]:
        self.resets += 1
        if self.resets > MOST_RESETS:
            raise RuntimeError(f"reset() for the {self.resets}th time: where should this end?")
        self.rewards, self.limit = next(self.episodes)
        self.first, self.steps = -100 if seed is None else seed, 0
        return self.first, {}

    def step(self, action: float) -> tuple[int, float, bool, bool, dict[str, Any]]:
        if self.steps == len(self.rewards):
            raise RuntimeError(AFTER_THE_END)
        reward = self.rewards[self.steps] + action
        self.steps += 1
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

    return play(env, choose, 0)


def _in_script(play: Any, rewards: Sequence[float], limit: int | None, seed: int) -> Any:
    def choose(observation: Any) -> Any:
        return 10.0 * observation

    return play(Scripted((rewards, limit)), choose, seed)


def _play_episode_cases() -> list[Case]:
    left, right = [LEFT], [RIGHT]
    walks = {
        "the corridor, always right": (right, 200),
        "the corridor, five times left, then right, cut after 4 steps": (5 * left + right, 4),
        "the corridor, always right, cut in the step that reaches the goal": (right, 3),
    }
    scripts = {
        "rewards 1, 2, 3, each plus 10 × the observation": ([1.0, 2.0, 3.0], None, 0),
        "the same, cut after 2 steps, observations counted from the seed": ([1.0, 2.0, 3.0], 2, 7),
    }
    return [
        *(Case(label, *args, probe=_in_corridor) for label, args in walks.items()),
        *(Case(label, *args, probe=_in_script) for label, args in scripts.items()),
    ]


# 0.3 Returns


def undiscounted(rewards: Tensor, gamma: float) -> Tensor:
    return rewards.flip(0).cumsum(0).flip(0)


def one_return_for_all(rewards: Tensor, gamma: float) -> Tensor:
    return discounted_returns(rewards, gamma)[:1].expand(len(rewards)).clone()


def only_the_first_one(rewards: Tensor, gamma: float) -> Tensor:
    return discounted_returns(rewards, gamma)[0]


def runs_forwards(rewards: Tensor, gamma: float) -> Tensor:
    G = torch.zeros_like(rewards)
    running = torch.zeros((), dtype=rewards.dtype)
    for t in range(len(rewards)):
        running = rewards[t] + gamma * running
        G[t] = running
    return G


def comes_out_reversed(rewards: Tensor, gamma: float) -> Tensor:
    return discounted_returns(rewards, gamma).flip(0)


def discounted_from_the_start(rewards: Tensor, gamma: float) -> Tensor:
    return gamma ** torch.arange(len(rewards)) * discounted_returns(rewards, gamma)


def own_reward_discounted(rewards: Tensor, gamma: float) -> Tensor:
    return gamma * discounted_returns(rewards, gamma)


def own_reward_left_out(rewards: Tensor, gamma: float) -> Tensor:
    return discounted_returns(rewards, gamma) - rewards


def only_the_next_reward(rewards: Tensor, gamma: float) -> Tensor:
    return rewards + gamma * torch.cat([rewards[1:], torch.zeros_like(rewards[:1])])


def single_terms(rewards: Tensor, gamma: float) -> Tensor:
    return rewards * gamma ** torch.arange(len(rewards))


def stops_before_the_first_step(rewards: Tensor, gamma: float) -> Tensor:
    returns = discounted_returns(rewards, gamma)
    returns[0] = 0.0
    return returns


def begins_before_the_last_step(rewards: Tensor, gamma: float) -> Tensor:
    without_the_last = torch.cat([rewards[:-1], torch.zeros_like(rewards[-1:])])
    return discounted_returns(without_the_last, gamma)


def asks_for_returns_that_are_not_there_yet(rewards: Tensor, gamma: float) -> Tensor:
    returns = torch.zeros_like(rewards)
    for t in range(len(rewards) - 1):
        returns[t] = rewards[t] + gamma * returns[t + 1]
    return returns


def leaves_after_one_round(rewards: Tensor, gamma: float) -> Tensor:
    returns = torch.zeros_like(rewards)
    returns[-1] = rewards[-1]
    return returns


def gamma_is_always_0_9(rewards: Tensor, gamma: float) -> Tensor:
    return discounted_returns(rewards, 0.9)


def _discounted_returns_cases() -> list[Case]:
    return [
        Case("on paper", torch.tensor([1.0, 2.0, 3.0]), 0.5),
        Case("one step", torch.tensor([2.0]), 0.5),
        Case("paid at the end", torch.tensor([0.0, 0.0, 0.0, 1.0]), 0.9),
        Case("no discount", torch.tensor([1.0, 2.0, 3.0]), 1.0),
        Case("nothing but the reward", torch.tensor([1.0, 2.0, 3.0]), 0.0),
        Case("6 random rewards", _normal(0, 6), 0.9),
        Case("11 random rewards", _normal(1, 11), 0.9),
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


def acts_on_the_last_episodes_end(
    env: Env, choose: Choose, value_of: ValueOf, gamma: float, episodes: int, seed: int
) -> float:
    returns = []
    observation, _ = env.reset(seed=seed)
    for _ in range(episodes):
        rewards = []
        terminated = truncated = False
        while not (terminated or truncated):
            observation, reward, terminated, truncated, _ = env.step(choose(observation))
            rewards.append(float(reward))
        G = 0.0 if terminated else value_of(observation)
        for reward in reversed(rewards):
            G = reward + gamma * G
        returns.append(G)
        env.reset()
    return sum(returns) / episodes


class _Played(NamedTuple):
    """An episode, for the wrong answers below."""

    rewards: list[float]
    last: Any  # the observation it ended with
    terminated: bool
    truncated: bool


def _episodes(env: Env, choose: Choose, episodes: int, seed: int) -> Iterator[_Played]:
    observation, _ = env.reset(seed=seed)
    for _ in range(episodes):
        rewards = []
        terminated = truncated = False
        while not (terminated or truncated):
            observation, reward, terminated, truncated, _ = env.step(choose(observation))
            rewards.append(float(reward))
        yield _Played(rewards, observation, terminated, truncated)
        observation, _ = env.reset()


def _discounted(rewards: Sequence[float], gamma: float, G: float) -> float:
    for reward in reversed(rewards):
        G = reward + gamma * G
    return G


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def nothing_after_a_cut(
    env: Env, choose: Choose, value_of: ValueOf, gamma: float, episodes: int, seed: int
) -> float:
    played = _episodes(env, choose, episodes, seed)
    return _mean([_discounted(p.rewards, gamma, 0.0) for p in played])


def looks_past_an_ending(
    env: Env, choose: Choose, value_of: ValueOf, gamma: float, episodes: int, seed: int
) -> float:
    played = _episodes(env, choose, episodes, seed)
    return _mean([_discounted(p.rewards, gamma, value_of(p.last)) for p in played])


def every_truncation_is_a_cut(
    env: Env, choose: Choose, value_of: ValueOf, gamma: float, episodes: int, seed: int
) -> float:
    played = _episodes(env, choose, episodes, seed)
    return _mean(
        [_discounted(p.rewards, gamma, value_of(p.last) if p.truncated else 0.0) for p in played]
    )


def the_flags_are_swapped(
    env: Env, choose: Choose, value_of: ValueOf, gamma: float, episodes: int, seed: int
) -> float:
    played = _episodes(env, choose, episodes, seed)
    return _mean(
        [_discounted(p.rewards, gamma, 0.0 if p.truncated else value_of(p.last)) for p in played]
    )


def the_rest_is_not_discounted(
    env: Env, choose: Choose, value_of: ValueOf, gamma: float, episodes: int, seed: int
) -> float:
    played = _episodes(env, choose, episodes, seed)
    return _mean(
        [
            _discounted(p.rewards, gamma, 0.0) + (0.0 if p.terminated else value_of(p.last))
            for p in played
        ]
    )


def the_rest_is_one_step_too_near(
    env: Env, choose: Choose, value_of: ValueOf, gamma: float, episodes: int, seed: int
) -> float:
    played = _episodes(env, choose, episodes, seed)
    return _mean(
        [
            _discounted(p.rewards, gamma, 0.0)
            + (0.0 if p.terminated else gamma ** (len(p.rewards) - 1) * value_of(p.last))
            for p in played
        ]
    )


def the_rest_is_one_step_too_far(
    env: Env, choose: Choose, value_of: ValueOf, gamma: float, episodes: int, seed: int
) -> float:
    played = _episodes(env, choose, episodes, seed)
    return _mean(
        [
            _discounted(p.rewards, gamma, 0.0 if p.terminated else gamma * value_of(p.last))
            for p in played
        ]
    )


def the_rest_is_discounted_once(
    env: Env, choose: Choose, value_of: ValueOf, gamma: float, episodes: int, seed: int
) -> float:
    played = _episodes(env, choose, episodes, seed)
    return _mean(
        [
            _discounted(p.rewards, gamma, 0.0) + (0.0 if p.terminated else gamma * value_of(p.last))
            for p in played
        ]
    )


def asks_only_after_an_ending(
    env: Env, choose: Choose, value_of: ValueOf, gamma: float, episodes: int, seed: int
) -> float:
    played = _episodes(env, choose, episodes, seed)
    return _mean(
        [_discounted(p.rewards, gamma, value_of(p.last) if p.terminated else 0.0) for p in played]
    )


def plays_on_after_the_cut(
    env: Env, choose: Choose, value_of: ValueOf, gamma: float, episodes: int, seed: int
) -> float:
    returns = []
    observation, _ = env.reset(seed=seed)
    for _ in range(episodes):
        rewards = []
        terminated = False
        while not terminated:
            observation, reward, terminated, _, _ = env.step(choose(observation))
            rewards.append(float(reward))
        returns.append(_discounted(rewards, gamma, 0.0))
        observation, _ = env.reset()
    return _mean(returns)


def the_same_seed_every_time(
    env: Env, choose: Choose, value_of: ValueOf, gamma: float, episodes: int, seed: int
) -> float:
    returns = []
    for _ in range(episodes):
        p = next(_episodes(env, choose, 1, seed))
        returns.append(_discounted(p.rewards, gamma, 0.0 if p.terminated else value_of(p.last)))
    return _mean(returns)


def the_next_episode_is_asked(
    env: Env, choose: Choose, value_of: ValueOf, gamma: float, episodes: int, seed: int
) -> float:
    returns = []
    observation, _ = env.reset(seed=seed)
    for _ in range(episodes):
        rewards = []
        terminated = truncated = False
        while not (terminated or truncated):
            observation, reward, terminated, truncated, _ = env.step(choose(observation))
            rewards.append(float(reward))
        observation, _ = env.reset()
        returns.append(_discounted(rewards, gamma, 0.0 if terminated else value_of(observation)))
    return _mean(returns)


def cut_episodes_are_thrown_away(
    env: Env, choose: Choose, value_of: ValueOf, gamma: float, episodes: int, seed: int
) -> float:
    played = _episodes(env, choose, episodes, seed)
    return _mean([_discounted(p.rewards, gamma, 0.0) for p in played if p.terminated])


def cut_episodes_count_as_nothing(
    env: Env, choose: Choose, value_of: ValueOf, gamma: float, episodes: int, seed: int
) -> float:
    played = _episodes(env, choose, episodes, seed)
    return sum(_discounted(p.rewards, gamma, 0.0) for p in played if p.terminated) / episodes


def _average_of_scripted(
    average: Any,
    rewards: Sequence[Sequence[float]],
    cut_after: Sequence[int | None],
    heed: float = 0.0,
) -> Any:
    """Play each episode once. What is still to come from o_t is t + 1 in the first one.

    The action is `heed` times the observation it is chosen from, and the world adds it to the pay.
    """
    return average(
        Scripted(*zip(rewards, cut_after, strict=True)),
        choose=lambda observation: heed * observation,
        value_of=lambda observation: observation + 1.0,
        gamma=0.5,
        episodes=len(rewards),
        seed=0,
    )


def _average_return_cases() -> list[Case]:
    worlds = {
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
    }
    return [
        Case(f"{label}; γ = 0.5", *args, probe=_average_of_scripted)
        for label, args in worlds.items()
    ]


# 0.5 The probability of what was done


def log_pi(logits: Tensor, actions: Tensor) -> Tensor:
    """log π(a_t | o_t), of the actions taken.   logits (T, A), actions (T,) → (T,)."""
    return logits.log_softmax(dim=-1)[torch.arange(len(actions)), actions]


def probabilities_instead(logits: Tensor, actions: Tensor) -> Tensor:
    return log_pi(logits, actions).exp()


def logits_instead(logits: Tensor, actions: Tensor) -> Tensor:
    return logits[torch.arange(len(actions)), actions]


def log_of_the_logits(logits: Tensor, actions: Tensor) -> Tensor:
    return logits.log()[torch.arange(len(actions)), actions]


def softmax_over_time(logits: Tensor, actions: Tensor) -> Tensor:
    return logits.log_softmax(dim=0)[torch.arange(len(actions)), actions]


def of_the_likeliest_action(logits: Tensor, actions: Tensor) -> Tensor:
    return logits.log_softmax(dim=-1).amax(dim=-1)


def of_every_action(logits: Tensor, actions: Tensor) -> Tensor:
    return logits.log_softmax(dim=-1)


def every_step_with_every_action(logits: Tensor, actions: Tensor) -> Tensor:
    return logits.log_softmax(dim=-1)[:, actions]


def one_column_too_many(logits: Tensor, actions: Tensor) -> Tensor:
    return log_pi(logits, actions)[:, None]


def rows_instead_of_columns(logits: Tensor, actions: Tensor) -> Tensor:
    return logits.log_softmax(dim=-1)[actions]


def the_sign_of_a_cross_entropy(logits: Tensor, actions: Tensor) -> Tensor:
    return -log_pi(logits, actions)


def cross_entropy_as_it_comes(logits: Tensor, actions: Tensor) -> Tensor:
    return -log_pi(logits, actions).mean()


def averaged_over_the_steps(logits: Tensor, actions: Tensor) -> Tensor:
    return log_pi(logits, actions).mean()


def summed_over_the_steps(logits: Tensor, actions: Tensor) -> Tensor:
    return log_pi(logits, actions).sum()


def squeezes_too_much(logits: Tensor, actions: Tensor) -> Tensor:
    return log_pi(logits, actions).squeeze()


def softmax_twice(logits: Tensor, actions: Tensor) -> Tensor:
    return log_pi(logits.softmax(dim=-1), actions)


def logits_taken_for_probabilities(logits: Tensor, actions: Tensor) -> Tensor:
    taken: Tensor = Categorical(logits).log_prob(actions)
    return taken


def logarithm_of_a_rounded_0(logits: Tensor, actions: Tensor) -> Tensor:
    return logits.softmax(dim=-1).log()[torch.arange(len(actions)), actions]


def exponentials_too_large(logits: Tensor, actions: Tensor) -> Tensor:
    taken = logits[torch.arange(len(actions)), actions]
    return taken - logits.exp().sum(dim=-1).log()


def distribution_of_rounded_probabilities(logits: Tensor, actions: Tensor) -> Tensor:
    taken: Tensor = Categorical(probs=logits.softmax(dim=-1)).log_prob(actions)
    return taken


def gradient_cut_off(logits: Tensor, actions: Tensor) -> Tensor:
    return log_pi(logits, actions).detach()


def _log_pi_cases() -> list[Case]:
    on_paper = Case("on paper", _leaf([[0.7, 0.3]], log=True), torch.tensor([1]))
    random = [
        Case(f"{T} steps, {A} actions", _leaf(_normal(seed, T, A)), _actions(seed, T, A))
        for seed, (T, A) in enumerate([(2, 2), (5, 2), (3, 4)])
    ]
    # Too far apart for float32, whose exponential is 0 at −150 and infinite at 150.
    apart = Case("logits far apart", _leaf([[0.0, -200.0], [150.0, 0.0]]), torch.tensor([1, 1]))
    return [on_paper, *random, apart]


def _actions(seed: int, T: int, A: int) -> Tensor:
    return torch.randint(A, (T,), generator=torch.Generator().manual_seed(seed))


# 0.6 The loss


def makes_good_actions_rarer(log_probabilities: Tensor, returns: Tensor) -> Tensor:
    return (returns.detach() * log_probabilities).sum()


def mean_over_the_steps(log_probabilities: Tensor, returns: Tensor) -> Tensor:
    return -(returns.detach() * log_probabilities).mean()


def returns_not_detached(log_probabilities: Tensor, returns: Tensor) -> Tensor:
    return -(returns * log_probabilities).sum()


def log_probabilities_detached(log_probabilities: Tensor, returns: Tensor) -> Tensor:
    return -(returns * log_probabilities.detach()).sum()


def probabilities_for_logarithms(log_probabilities: Tensor, returns: Tensor) -> Tensor:
    return -(returns.detach() * log_probabilities.exp()).sum()


def sums_before_it_multiplies(log_probabilities: Tensor, returns: Tensor) -> Tensor:
    return -returns.detach().sum() * log_probabilities.sum()


def one_return_weighs_all(log_probabilities: Tensor, returns: Tensor) -> Tensor:
    return -returns.detach()[0] * log_probabilities.sum()


def returns_left_out(log_probabilities: Tensor, returns: Tensor) -> Tensor:
    return -log_probabilities.sum()


def one_number_for_each_step(log_probabilities: Tensor, returns: Tensor) -> Tensor:
    return -(returns.detach() * log_probabilities)


def discounts_again(log_probabilities: Tensor, returns: Tensor) -> Tensor:
    discounts = 0.9 ** torch.arange(len(returns))
    return -(discounts * returns.detach() * log_probabilities).sum()


def logarithm_twice(log_probabilities: Tensor, returns: Tensor) -> Tensor:
    return -(returns.detach() * log_probabilities.log()).sum()


def returns_normalised(log_probabilities: Tensor, returns: Tensor) -> Tensor:
    G = returns.detach()
    return -((G - G.mean()) / (G.std() + 1e-8) * log_probabilities).sum()


def _reinforce_loss_cases() -> list[Case]:
    on_paper = Case("on paper", _leaf([0.3], log=True), _leaf([2.0]))
    random = [
        Case(f"{T} steps", _leaf(-_normal(seed, T).abs()), _leaf(_normal(seed + 10, T)))
        for seed, T in enumerate([2, 7])
    ]
    return [on_paper, *random]


def _normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _leaf(values: Any, log: bool = False) -> Tensor:
    """A tensor of its own that wants a gradient."""
    tensor = torch.as_tensor(values)
    return (tensor.log() if log else tensor).detach().clone().requires_grad_()


EXERCISES = (
    Exercise(
        id="0.1",
        title="a gradient that flows where it should",
        reference=squared_error,
        cases=_squared_error_cases,
        wrong=(
            Wrong(
                target_not_detached,
                "The target gets a gradient too: an optimiser would move it to the prediction. "
                "Cut it out of the graph with target.detach().",
            ),
            Wrong(
                prediction_detached,
                "You detached the prediction, which is what is to be moved. Detach the target.",
            ),
            Wrong(
                both_detached,
                "The value is right, but no gradient flows at all: neither into the prediction nor "
                "into the target. Detach the target only. (.item(), .data, a detach at the end and "
                "torch.no_grad() all have this effect.)",
            ),
            Wrong(mean_of_squares, "That is the mean of the squares. Sum them."),
            Wrong(
                square_of_the_sum,
                "You square the sum of the differences: errors of opposite sign cancel. Square "
                "each, then sum.",
            ),
            Wrong(not_summed, "You return one square for each number. A loss is one number: sum."),
        ),
        hints=(
            (
                "Three operations: a difference, a square, a sum. And one of the tensors has to "
                "be cut out of the graph first."
            ),
            "x.detach() has the values of x, but autograd takes it for a constant.",
            "((prediction - target.detach()) ** 2).sum()",
        ),
    ),
    Exercise(
        id="0.2",
        title="the loop: one episode",
        reference=play_episode,
        cases=_play_episode_cases,
        wrong=(
            Wrong(
                goes_on_after_a_cut,
                "Your loop goes on after a step that said truncated. An episode is over when it is "
                "terminated or truncated.",
            ),
            Wrong(
                stops_only_when_both_flags_are_true,
                "Your loop stops only when both flags are True, which is rare. One of them is "
                "enough: go on while not (terminated or truncated).",
            ),
            Wrong(
                goes_on_after_an_ending,
                "Your loop goes on after a step that said terminated. An episode is over when it "
                "is terminated or truncated.",
            ),
            Wrong(
                expects_four_things_from_a_step,
                "env.step(action) returns five things: observation, reward, terminated, truncated, "
                "info. Older code knows four, with one flag for both ways to be over.",
            ),
            Wrong(
                returns_within_the_loop,
                "It plays one step only. Does `return` stand inside the loop? It ends the "
                "function.",
            ),
            Wrong(
                acts_at_random,
                "You draw the actions at random. What decides here is the function that is handed "
                "in: env.step(choose(observation)).",
            ),
            Wrong(
                only_the_rewards,
                "The list of rewards alone came back. Return two things: the list, and whether "
                "the world ended the episode, `return rewards, terminated`.",
            ),
            Wrong(
                says_truncated,
                "The second value is `truncated`; asked for is `terminated`. Or did you swap the "
                "two where you take apart what env.step returns? terminated comes first.",
            ),
            Wrong(
                a_cut_is_an_ending,
                "The second value is True even for an episode that the time limit cut. Return "
                "`terminated` as the last step said it.",
            ),
            Wrong(
                says_whether_it_was_cut,
                "The second value is the wrong way round: True means that the world ended the "
                "episode, False that the time limit did.",
            ),
            Wrong(
                last_reward_lost,
                "The last reward is missing, and in this corridor it is the only one that counts. "
                "Note the reward before you ask whether the episode is over.",
            ),
            Wrong(
                always_the_first_observation,
                "Every action is chosen from the first observation. Let the observation that "
                "step() returns take its place.",
            ),
            Wrong(
                only_the_sum,
                "You return the sum of the rewards. Return them one by one, as a list: what comes "
                "late will count less.",
            ),
            Wrong(
                info_taken_for_the_observation,
                "env.reset() returns two things, the observation and a dict with information. Take "
                "them apart: observation, _ = env.reset(seed=seed).",
            ),
            Wrong(
                seed_forgotten,
                "The seed does not reach the environment: env.reset(seed=seed). Without it nobody "
                "can play the same episode again.",
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
    ),
    Exercise(
        id="0.3",
        title="discounted returns",
        reference=discounted_returns,
        cases=_discounted_returns_cases,
        wrong=(
            Wrong(
                undiscounted,
                "You add up the rewards without the discount: γ is never used. Each step back "
                "multiplies what comes later by γ.",
            ),
            Wrong(
                only_the_first_one,
                "You return one number, the return of the first step. Asked for is the return of "
                "every step: (T,).",
            ),
            Wrong(
                runs_forwards,
                "You run forwards: your number at step t is made of the rewards before t. A "
                "return looks ahead, so begin at the last step and go back.",
            ),
            Wrong(
                comes_out_reversed,
                "The numbers are right, the order is not: the first one has to be the return of "
                "the first step. Did you append while going backwards?",
            ),
            Wrong(
                one_return_for_all,
                "Every step has the return of the first one. The return of step t begins with the "
                "reward of step t; what came before has no place in it.",
            ),
            Wrong(
                discounted_from_the_start,
                "You count the powers of γ from the episode's start. In G_t the reward r_t itself "
                "is not discounted: it has γ⁰.",
            ),
            Wrong(
                own_reward_discounted,
                "All your returns are too small by a factor γ. Only the later return is "
                "multiplied: G_t = r_t + γ G_{t+1}, not γ (r_t + G_{t+1}).",
            ),
            Wrong(
                own_reward_left_out,
                "The reward of step t is missing from G_t: r_t is paid for the action of step t, "
                "and belongs to it.",
            ),
            Wrong(
                single_terms,
                "These are the single terms γ^t r_t. A return is their sum: G_t adds up all "
                "rewards from step t on.",
            ),
            Wrong(
                stops_before_the_first_step,
                "The first return is missing: the loop stops before t = 0. range(T - 1, 0, -1) "
                "ends at 1; reversed(range(T)) ends at 0.",
            ),
            Wrong(
                begins_before_the_last_step,
                "The last return is missing, and so the last reward is in none of them. After the "
                "end nothing is paid, so the last return is the last reward.",
            ),
            Wrong(
                asks_for_returns_that_are_not_there_yet,
                "You go forwards and use G_{t+1}, which is not computed yet and still 0. Begin at "
                "the last step and go back.",
            ),
            Wrong(
                leaves_after_one_round,
                "Only the last return is there. Does `return` stand inside the loop? It ends the "
                "function in the first round.",
            ),
            Wrong(
                gamma_is_always_0_9,
                "You compute with 0.9, whatever `gamma` is. Use the argument.",
            ),
            Wrong(
                only_the_next_reward,
                "Only the next reward comes in. G_t = r_t + γ G_{t+1} has the next *return* in it, "
                "and so all later rewards.",
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
    ),
    Exercise(
        id="0.4",
        title="bug hunt: an average that comes out too low",
        reference=average_return,
        cases=_average_return_cases,
        wrong=(
            Wrong(
                nothing_after_a_cut,
                "A cut episode is still worth 0 after the cut. Which of the two flags says that "
                "nothing more would have come?",
            ),
            Wrong(
                looks_past_an_ending,
                "Now `value_of` is asked after a real ending too. There nothing is to come: 0.",
            ),
            Wrong(
                every_truncation_is_a_cut,
                "Look at the episode that ends in the very step in which its time is up: both "
                "flags are True. The world has ended, so nothing is to come.",
            ),
            Wrong(
                the_rest_is_not_discounted,
                "What is still to come comes later than all rewards of the episode, and has to be "
                "discounted like them: put it in at the start of the backward loop.",
            ),
            Wrong(
                the_rest_is_one_step_too_near,
                "What is still to come has γ^(T−1), like the last reward. It comes one step after "
                "that: γ^T.",
            ),
            Wrong(
                the_rest_is_one_step_too_far,
                "What is still to come is discounted once too often, with γ^(T+1). The backward "
                "loop multiplies by γ once for each of the T steps, and that is all it needs.",
            ),
            Wrong(
                the_rest_is_discounted_once,
                "What is still to come is multiplied by γ once. It lies T steps after the start "
                "and has γ^T: put it in before the backward loop, not after.",
            ),
            Wrong(
                asks_only_after_an_ending,
                "It is the other way round: you ask `value_of` where the world ended and nothing "
                "is to come, and nowhere else.",
            ),
            Wrong(
                plays_on_after_the_cut,
                "Now the episode goes on after it was cut, as if there were no limit. The loop was "
                "right: an episode is over at either flag. The fault is in another line.",
            ),
            Wrong(
                the_same_seed_every_time,
                "Every episode is reset with the same seed, and so begins with the same random "
                "numbers. Hand over the seed once; env.reset() alone goes on from there.",
            ),
            Wrong(
                the_next_episode_is_asked,
                "You ask for the value of the wrong observation: of the first one of the next "
                "episode. Ask before the reset, at which it takes the last one's place.",
            ),
            Wrong(
                acts_on_the_last_episodes_end,
                "The first action of an episode is chosen from the last observation of the one "
                "before: keep what `env.reset()` gives you.",
            ),
            Wrong(
                the_flags_are_swapped,
                "The flags are swapped: you ask `value_of` where the world ended, and take 0 where "
                "somebody's patience did.",
            ),
            Wrong(
                cut_episodes_are_thrown_away,
                "You leave out the episodes that were cut. Those are the slow ones; the average of "
                "the others is too high, and if all were cut there is none.",
            ),
            Wrong(
                cut_episodes_count_as_nothing,
                "A cut episode adds nothing to the sum, not even what it was paid, but is counted "
                "when you divide.",
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
        start=average_return_with_a_bug,
    ),
    Exercise(
        id="0.5",
        title="the log-probability of what was done",
        reference=log_pi,
        cases=_log_pi_cases,
        wrong=(
            Wrong(
                probabilities_instead,
                "These are probabilities, not their logarithms.",
            ),
            Wrong(
                logits_instead,
                "These are logits. Logits become log-probabilities by log_softmax, which subtracts "
                "from each row the number that makes its probabilities add up to 1.",
            ),
            Wrong(
                log_of_the_logits,
                "You take the logarithm of the logits, which may be negative. The softmax comes "
                "first; log_softmax does both.",
            ),
            Wrong(
                softmax_over_time,
                "The softmax runs down the steps (dim=0) instead of across the actions (dim=-1): "
                "the probabilities of one step do not add up to 1.",
            ),
            Wrong(
                of_the_likeliest_action,
                "That is the likeliest action's log-probability. Asked for is the action that was "
                "taken, likely or not.",
            ),
            Wrong(
                of_every_action,
                "You return all actions' log-probabilities. Pick from each row the action taken.",
            ),
            Wrong(
                every_step_with_every_action,
                "[:, actions] picks, for every step, the actions of all steps: (T, T). Pick one "
                "for each step: [torch.arange(len(actions)), actions].",
            ),
            Wrong(
                one_column_too_many,
                "The shape is (T, 1), and has to be (T,): times the returns (T,) it would "
                "become (T, T), without an error. squeeze(-1) removes the column.",
            ),
            Wrong(
                rows_instead_of_columns,
                "[actions] picks whole rows, those with the numbers of the actions. Pick one "
                "column from every row: [torch.arange(len(actions)), actions].",
            ),
            Wrong(
                the_sign_of_a_cross_entropy,
                "The sign is wrong: this is −log π, which is positive. A cross entropy or a "
                "negative log-likelihood is that; a log-probability is at most 0.",
            ),
            Wrong(
                cross_entropy_as_it_comes,
                "You return the mean of −log π over the steps, as cross_entropy does by itself. "
                'Asked for is log π of each step: reduction="none" gives a number a step, and '
                "the sign has to be turned.",
            ),
            Wrong(
                averaged_over_the_steps,
                "You return one number, the mean over the steps. Asked for is one for each step, "
                '(T,). (cross_entropy averages unless you say reduction="none".)',
            ),
            Wrong(
                summed_over_the_steps,
                "You return one number, the sum over the steps. Asked for is one for each step, "
                "(T,).",
            ),
            Wrong(
                squeezes_too_much,
                "Right for several steps. But with one step squeeze() removes the dimension of the "
                "steps too, and the shape is () instead of (1,): squeeze(-1) removes the last "
                "only.",
            ),
            Wrong(
                softmax_twice,
                "A softmax is taken twice: log_softmax wants the logits themselves.",
            ),
            Wrong(
                logits_taken_for_probabilities,
                "Categorical takes its first argument for probabilities. These are logits: "
                "Categorical(logits=logits).",
            ),
            Wrong(
                logarithm_of_a_rounded_0,
                "Right on paper, but not in a computer: where logits are far apart, the softmax "
                "rounds a probability to 0, and its logarithm is −inf. log_softmax does both at "
                "once and stays finite.",
            ),
            Wrong(
                exponentials_too_large,
                "Right on paper, but not in a computer: the exponential of a large logit is "
                "infinite, and log π becomes −inf. log_softmax and logsumexp avoid that.",
            ),
            Wrong(
                distribution_of_rounded_probabilities,
                "Right on paper, but not in a computer: where logits are far apart, the softmax "
                "rounds a small probability away. Categorical(logits=logits) takes the logits "
                "themselves.",
            ),
            Wrong(
                gradient_cut_off,
                "The values are right, but no gradient flows back to the logits: something in "
                "between detaches them (detach, no_grad, .item(), .numpy() …).",
            ),
        ),
        hints=(
            "Two steps: make log-probabilities of the logits, then pick one number from each row.",
            "logits.log_softmax(dim=-1) is (T, A). Row t, column actions[t] is wanted.",
            "logits.log_softmax(dim=-1)[torch.arange(len(actions)), actions]",
        ),
    ),
    Exercise(
        id="0.6",
        title="the REINFORCE loss",
        reference=reinforce_loss,
        cases=_reinforce_loss_cases,
        wrong=(
            Wrong(
                makes_good_actions_rarer,
                "The sign is missing: an optimiser makes a loss *small*, and so would make the "
                "actions with high returns rarer.",
            ),
            Wrong(
                one_number_for_each_step,
                "You return one number for each step. A loss is one number: sum over the steps.",
            ),
            Wrong(
                discounts_again,
                "There is a factor 0.9^t inside. Take the returns as they come: your caller "
                "multiplies them by γ^t first, or leaves it.",
            ),
            Wrong(
                logarithm_twice,
                "You take the logarithm of log_probabilities, which are logarithms already.",
            ),
            Wrong(
                returns_normalised,
                "You normalise the returns. Many programs do, but then the gradient is another "
                "one (and of a single step nothing is left). Weigh with the returns as they come.",
            ),
            Wrong(
                mean_over_the_steps,
                "That is the mean over the steps. The objective is a sum over the episode; with a "
                "mean, a step in a long episode would count less than one in a short episode.",
            ),
            Wrong(
                returns_not_detached,
                "A gradient flows into the returns. They are what happened, not something to be "
                "changed: detach them.",
            ),
            Wrong(
                log_probabilities_detached,
                "You detached the log-probabilities. They are what learning changes; the returns "
                "are the constants.",
            ),
            Wrong(
                probabilities_for_logarithms,
                "You use probabilities. The gradient of E[G] is E[G ∇log π]: the actions that were "
                "sampled already come as often as π says, and the logarithm divides by that.",
            ),
            Wrong(
                sums_before_it_multiplies,
                "You sum first and multiply then: every action is weighed by all returns together. "
                "Multiply step by step, then sum.",
            ),
            Wrong(
                one_return_weighs_all,
                "Every action is weighed by the first return. An action cannot change what was "
                "paid before it: weigh step t by G_t.",
            ),
            Wrong(
                returns_left_out,
                "The returns do not come in: this makes whatever was done likelier, good or bad.",
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
    ),
)
