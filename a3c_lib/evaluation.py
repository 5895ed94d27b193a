"""Chapter 00: how good is an agent? Play episodes, and say how sure we are."""

import math
import warnings
from typing import Any, Literal, NamedTuple

import gymnasium as gym
import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from a3c_lib.making import (
    Envs,
    MakeEnv,
    MakesEnvs,
    check_actions,
    closed_on_error,
    executed_one,
    make_env,
    make_envs,
)
from a3c_lib.models import evaluating
from a3c_lib.playing import Player
from a3c_lib.restoring import Statistics, set_statistics, statistics_of
from a3c_lib.rollout import (
    Episode,
    HasLogits,
    Policy,
    greedy,
    initial_state,
    sampled,
    seed_sequence,
)
from a3c_lib.settings import Count, check_setting

Actions = Literal["sampled", "greedy"]


class Evaluation(NamedTuple):
    """Returns of whole episodes, and their mean with a 95 % interval (mean ± 1.96 standard
    errors)."""

    returns: NDArray[np.float64]  # (episodes,) undiscounted
    lengths: NDArray[np.int64]  # (episodes,) in steps
    actions: Actions  # how actions were chosen

    @property
    def mean(self) -> float:
        """Of the returns."""
        return float(self.returns.mean())

    @property
    def margin(self) -> float:
        """Half the width of the interval."""
        return 1.96 * float(self.returns.std(ddof=1)) / math.sqrt(len(self.returns))

    @property
    def low(self) -> float:
        """Where the interval begins."""
        return self.mean - self.margin

    @property
    def high(self) -> float:
        """Where it ends."""
        return self.mean + self.margin

    def __str__(self) -> str:
        played = f"{len(self.returns)} episodes, {self.actions} actions"
        return f"{self.mean:.2f} ± {self.margin:.2f} ({played})"


def evaluate(
    model: HasLogits,
    make_env: MakeEnv | Envs,
    episodes: int = 100,
    seed: int = 0,
    actions: Actions = "sampled",
    num_envs: int = 10,
    *,
    max_steps: int = 30_000,
    statistics: Statistics | None = None,
) -> Evaluation:
    """Play `episodes` episodes in environments of its own; nothing of a training run is touched.

    Every environment plays the same number of episodes: to take whichever end first would favour
    short ones. Meanwhile the model is in evaluation mode (`model.eval()`). `make_env` may be a
    vector environment of your own; it is closed then, and `num_envs` is its number.

    With the `seed` of a training it begins with what that training began with: the same seeds of
    environments, and the same dice. So use another one.

    An episode that would go on after `max_steps` steps is cut there, with a warning; where a vector
    environment goes on longer, RuntimeError is raised. Environments that normalise observations or
    rewards do it with the `statistics` that training has gathered,
    `training.state_dict()["statistics"]`, and without them with their own, from nothing, with a
    warning.

    >>> from a3c_lib.reinforce import TabularPolicy
    >>> evaluate(TabularPolicy(4, 2), "a3c_lib/Corridor-v0", episodes=20, seed=1).mean
    1.0
    """
    for name, number in ("episodes", episodes), ("num_envs", num_envs), ("max_steps", max_steps):
        check_setting(name, number, Count)
    if episodes < 2:
        raise ValueError(f"episodes is at least 2, for an interval; got {episodes}")
    check_choice(actions)
    own = make_env if isinstance(make_env, VectorEnv) else None
    num_envs = min(num_envs, episodes) if own is None else own.num_envs
    for_envs, for_actions = seed_sequence(seed).spawn(2)
    cuts: list[_Cut] = []
    envs = make_envs(_cut(make_env, max_steps, cuts), num_envs)
    with closed_on_error(envs.close), evaluating(model):
        _normalise(envs, statistics)
        player = Player(envs, (for_envs, for_actions), model)
        policy = _policy(model, actions, player.generator)
        played = _play(player, policy, math.ceil(episodes / num_envs), max_steps, cuts)
    player.close()
    kept = played[:episodes]
    return Evaluation(
        np.array([episode.episode_return for episode in kept]),
        np.array([episode.length for episode in kept]),
        actions,
    )


def _policy(model: HasLogits, actions: Actions, generator: torch.Generator) -> Policy:
    return sampled(model, generator) if actions == "sampled" else greedy(model)


def check_choice(actions: Actions) -> None:
    """Raise ValueError for what is no way to choose actions."""
    if actions not in ("sampled", "greedy"):
        raise ValueError(f"actions is 'sampled' or 'greedy'; got {actions!r}")


class _Cut(gym.Wrapper[Any, Any, Any, Any]):
    """Cuts what would go on after `max_steps` steps, and knows of it."""

    def __init__(self, env: gym.Env[Any, Any], max_steps: int) -> None:
        super().__init__(env)
        self.max_steps, self.steps, self.has_cut = max_steps, 0, False

    def reset(self, **options: Any) -> tuple[Any, dict[str, Any]]:
        """Another episode."""
        self.steps = 0
        return self.env.reset(**options)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """One step of it."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        self.steps += 1
        if self.steps == self.max_steps and not (terminated or truncated):
            truncated = self.has_cut = True
        return observation, reward, terminated, truncated, info


def _cut(source: MakeEnv | Envs, max_steps: int, cuts: list[_Cut]) -> MakeEnv | Envs:
    """What makes the same environments with a time limit, which are added to `cuts`, where they
    are made one by one."""
    if isinstance(source, VectorEnv | MakesEnvs):
        return source

    def limited() -> gym.Env[Any, Any]:
        cuts.append(_Cut(make_env(source), max_steps))
        return cuts[-1]

    return limited


def _normalise(envs: Envs, statistics: Statistics | None) -> None:
    if statistics:
        set_statistics(envs, statistics, frozen=True)
    elif statistics_of(envs):
        warnings.warn(
            "these environments normalise with statistics that begin from nothing, others than the "
            'agent was trained with: hand over statistics=training.state_dict()["statistics"]',
            stacklevel=3,
        )


def _play(
    player: Player, policy: Policy, each: int, max_steps: int, cuts: list[_Cut]
) -> list[Episode]:
    """The first `each` episodes of every environment: all first ones, then all second ones, …"""
    played: list[list[Episode]] = [[] for _ in range(player.envs.num_envs)]
    warned = False
    while min(map(len, played)) < each:
        for episode in player.play(policy, t_max=16).rollout.episodes:
            played[episode.env].append(episode)
        if not warned and any(limit.has_cut for limit in cuts):
            warned = True
            warnings.warn(
                f"an episode was cut after {max_steps:,} steps, and its return is of these: "
                "does this world have an end, or a time limit (max_episode_steps)?",
                stacklevel=3,
            )
        if player.position.steps_so_far.max() > max_steps:
            raise RuntimeError(
                f"an episode goes on after {max_steps:,} steps: give these environments a time "
                "limit, or evaluate with more max_steps"
            )
    return [episodes[k] for k in range(each) for episodes in played]


class Agent:
    """A model that acts, an observation at a time: for use after training.

    Actions are as `action_space` has them. They are greedy, or sampled with `seed`. What the model
    remembers of an episode is carried along; `begin` comes before every episode but the first.
    Raises ValueError for actions that are neither Discrete nor a Box with one axis.

    >>> import gymnasium as gym
    >>> from a3c_lib.reinforce import TabularPolicy
    >>> env = gym.make("a3c_lib/Corridor-v0")
    >>> agent = Agent(TabularPolicy(4, 2), env.action_space, actions="sampled", seed=1)
    >>> observation, _ = env.reset(seed=0)
    >>> ended, steps = False, 0
    >>> while not ended:
    ...     action = agent.act(observation)
    ...     observation, reward, terminated, truncated, _ = env.step(action)
    ...     ended, steps = terminated or truncated, steps + 1
    >>> steps, reward
    (6, 1.0)
    """

    def __init__(
        self,
        model: HasLogits,
        action_space: spaces.Space[Any],
        actions: Actions = "greedy",
        seed: int = 0,
    ) -> None:
        check_choice(actions)
        check_actions(action_space)
        self.model, self._action_space = model, action_space
        self._policy = _policy(model, actions, torch.Generator().manual_seed(seed))
        self.begin()

    def begin(self) -> None:
        """An episode begins: nothing of another one is remembered."""
        self._state = initial_state(self.model, 1)

    def act(self, observation: Any) -> Any:
        """The action for an observation (*O), as the environment shows it: a whole number; in a Box
        an array (D,)."""
        with evaluating(self.model):
            action, self._state = self._policy(
                torch.as_tensor(np.array(observation))[None], self._state
            )
        return executed_one(action.numpy(), self._action_space)
