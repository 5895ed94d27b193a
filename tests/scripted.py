"""Environments whose every number is known in advance."""

from itertools import count, cycle
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces


class Counting(gym.Env):
    """Observes 10·episode + step, pays 1, 2, 3, …, and ends after `length` steps as `ends` says."""

    def __init__(self, length: int = 3, ends: str = "terminated") -> None:
        self.observation_space = spaces.Box(-np.inf, np.inf, (1,), np.float32)
        self.action_space = spaces.Discrete(2)
        self.length, self.ends = length, ends
        self.episode, self.t = -1, 0
        self.seeds: list[int | None] = []
        self.actions: list[int] = []

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.seeds.append(seed)
        self.episode, self.t = self.episode + 1, 0
        return self._observation(), {}

    def step(self, action: Any) -> Any:
        self.actions.append(int(action))
        self.t += 1
        end = self.t == self.length
        terminated = end and self.ends == "terminated"
        truncated = end and self.ends == "truncated"
        return self._observation(), float(self.t), terminated, truncated, {}

    def _observation(self) -> Any:
        return np.array([10 * self.episode + self.t], dtype=np.float32)


class Paying(Counting):
    """Pays `reward` at every step, whatever it is."""

    def __init__(self, reward: float, length: int = 3) -> None:
        super().__init__(length)
        self.reward = reward

    def step(self, action: Any) -> Any:
        observation, _, terminated, truncated, info = super().step(action)
        return observation, self.reward, terminated, truncated, info


class Scripted(gym.Env):
    """Shows `first`, `first` + 1, …, no number twice. Its episodes have the lengths and the ends of
    `episodes`, over and over; an end may be "terminated", "truncated", or "terminated truncated"."""

    def __init__(self, episodes: list[tuple[int, str]], first: int = 0) -> None:
        self.observation_space = spaces.Box(-np.inf, np.inf, (1,), np.float32)
        self.action_space = spaces.Discrete(2)
        self.episodes, self.numbers = cycle(episodes), count(first)
        # "step" or "reset", what was seen before and after it, whether it terminated and truncated
        self.log: list[tuple[str, int, int, bool, bool]] = []

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.left, self.end = next(self.episodes)
        return self._shown("reset", False, False), {}

    def step(self, action: Any) -> Any:
        self.left -= 1
        ends = [self.left == 0 and end in self.end for end in ("terminated", "truncated")]
        return self._shown("step", *ends), 0.5, *ends, {}

    def _shown(self, how: str, terminated: bool, truncated: bool) -> Any:
        before = self.log[-1][2] if self.log else -1
        self.log.append((how, before, next(self.numbers), terminated, truncated))
        return np.array([self.log[-1][2]], dtype=np.float32)


class Pictured(Counting):
    """Shows two pictures of 22 × 23 random dots for each number that Counting shows."""

    def __init__(self, length: int = 3, ends: str = "terminated") -> None:
        super().__init__(length, ends)
        self.observation_space = spaces.Box(0, 255, (2, 22, 23), np.uint8)

    def _observation(self) -> Any:
        number = int(super()._observation()[0])
        dice = np.random.default_rng(number + 10)  # the first of all is below 0
        return dice.integers(0, 256, self.observation_space.shape, np.uint8)


class Reaching(gym.Env):
    """Shows a place in [−1, 1] for each axis, and pays −Σ (action − place)², up to `length` steps.
    Every action that it takes is in its Box, and kept in `actions`."""

    def __init__(
        self, axes: int = 2, length: int = 4, low: float = -1.0, high: float = 1.0
    ) -> None:
        self.observation_space = spaces.Box(-1, 1, (axes,), np.float32)
        self.action_space = spaces.Box(low, high, (axes,), np.float32)
        self.length = length
        self.actions: list[Any] = []

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.left = self.length
        return self._observation(), {}

    def step(self, action: Any) -> Any:
        assert self.action_space.contains(action), action
        self.actions.append(action)
        reward = -float(((action - self.place) ** 2).sum())
        self.left -= 1
        return self._observation(), reward, False, self.left == 0, {}

    def _observation(self) -> Any:
        self.place = self.np_random.uniform(-1, 1, self.action_space.shape).astype(np.float32)
        return self.place

    def state_dict(self) -> dict[str, Any]:
        return {
            "left": self.left,
            "place": self.place,
            "random": self.np_random.bit_generator.state,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.left, self.place = state["left"], state["place"]
        self.np_random.bit_generator.state = state["random"]
