"""Chapter 07: a ball in a box, of whose flight one picture shows only the half.

Pictures here are (height, width), as an Atari screen is once it is grey and small; Gymnasium's
`FrameStackObservation(env, n)` makes stacks (n, height, width) of them.
"""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from a3c_lib.worlds.envs import AGENT, GROUND, SMALL, check_render_mode


class Bounce(gym.Env[NDArray[np.uint8], np.int64]):
    """A ball flies slantwise through a box, and bounces off its walls; point at the column in which
    it will be next.

    Observation: a picture (size, size) of bytes, 255 where the ball is. Action: a column. It pays 1
    where the ball is in that column one step later. Nothing that is done changes the flight, and
    pointing leaves no trace in the picture. An episode is truncated after `steps` steps.

    The place and the direction are drawn so that at every step all of the 2 (size − 1) pairs of a
    column and a direction are equally likely. A column at a wall has one of them, all others two.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 4}
    PIXELS = 24  # along one side of a field, in pictures for people

    def __init__(self, size: int = 7, steps: int = 20, render_mode: str | None = None) -> None:
        if size < 2:
            raise ValueError(f"size is at least 2; got {size}")
        if steps < 1:
            raise ValueError(f"steps is at least 1; got {steps}")
        check_render_mode(render_mode, self.metadata)
        self.size, self.steps, self.render_mode = size, steps, render_mode
        self.observation_space = spaces.Box(0, 255, (size, size), np.uint8)
        self.action_space = spaces.Discrete(size)
        self._phases: NDArray[np.int64] | None = None  # (2,) of row and column
        self._pointed: int | None = None
        self._steps_taken = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.uint8], dict[str, Any]]:
        """A ball at a place and with a direction drawn at random."""
        super().reset(seed=seed)
        self._phases = self.np_random.integers(2 * (self.size - 1), size=2)
        self._pointed, self._steps_taken = None, 0
        return self._picture(), {}

    def step(self, action: np.int64) -> tuple[NDArray[np.uint8], float, bool, bool, dict[str, Any]]:
        """Point at a column; 1 is paid if the ball is there one step later."""
        if self._phases is None:
            raise gym.error.ResetNeeded("call reset() before step()")
        if not self.action_space.contains(action):
            raise ValueError(f"action is a column, 0 … {self.size - 1}; got {action!r}")
        self._phases = (self._phases + 1) % (2 * (self.size - 1))
        self._pointed, self._steps_taken = int(action), self._steps_taken + 1
        reward = 1.0 if self._ball[1] == action else 0.0
        return self._picture(), reward, False, self._steps_taken >= self.steps, {}

    def render(self) -> NDArray[np.uint8] | None:
        """The picture in colours, (H, W, 3); None without a `render_mode`."""
        if self.render_mode is None:
            return None
        image = np.full((self.size + 1, self.size, 3), GROUND, dtype=np.uint8)
        image[-1] = 255
        if self._phases is not None:
            image[self._ball] = SMALL
        if self._pointed is not None:
            image[-1, self._pointed] = AGENT
        return image.repeat(self.PIXELS, axis=0).repeat(self.PIXELS, axis=1)

    @property
    def _ball(self) -> tuple[int, int]:
        """Its row and column: a phase counts there and back again, 0 … size − 1 … 1."""
        assert self._phases is not None
        row, column = self.size - 1 - abs(self._phases - (self.size - 1))
        return int(row), int(column)

    def _picture(self) -> NDArray[np.uint8]:
        picture = np.zeros((self.size, self.size), dtype=np.uint8)
        picture[self._ball] = 255
        return picture
