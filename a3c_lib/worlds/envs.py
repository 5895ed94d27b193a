"""Chapter 00: worlds small enough to solve on paper.

An `MDP` is the table behind such a world; `TabularEnv` is the Gymnasium environment that rolls its
dice. `Corridor` and `Trap` are tables, `Catch` is a small picture, `TMaze` asks for memory. To
import this module registers

    a3c_lib/Corridor-v0   a3c_lib/NoisyCorridor-v0   a3c_lib/Trap-v0   a3c_lib/Catch-v0
    a3c_lib/TMaze-v0      a3c_lib/CartPoleWithoutVelocities-v0

Tables, Catch and TMaze can be restored (see `restoring`): they have a `state_dict`.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.envs.classic_control import CartPoleEnv
from gymnasium.wrappers import TransformObservation
from numpy.typing import NDArray

LEFT, RIGHT = 0, 1
UP, DOWN = 0, 1  # actions in the T-maze
UP_SIGN, DOWN_SIGN, CORRIDOR, JUNCTION = 0, 1, 2, 3  # what is seen there
CELL = 48  # pixels along one side of a corridor's cell

# Okabe and Ito's palette, which colour-blind readers can tell apart.
GROUND, WALL = (240, 240, 240), (200, 200, 200)
AGENT, GOOD, SMALL = (0, 114, 178), (0, 158, 115), (230, 159, 0)


class MDP(NamedTuple):
    """A finite Markov decision process: S states, A actions, everything in tables.

    Rewards are means; the environment adds normal noise of standard deviation `reward_noise` to
    every step, which changes no value, only how hard the values are to see.
    """

    transitions: NDArray[np.float64]  # (S, A, S)  P(s' | s, a)
    rewards: NDArray[np.float64]  # (S, A, S)  mean reward of the step s, a → s'
    start: NDArray[np.float64]  # (S,)       P(s_0 = s)
    terminal: NDArray[np.bool_]  # (S,)       nothing comes after these
    reward_noise: float = 0.0

    @property
    def num_states(self) -> int:
        """S, how many states there are."""
        return len(self.start)

    @property
    def num_actions(self) -> int:
        """A, how many actions there are."""
        return int(self.transitions.shape[1])


def _line(cells: int, start: int, slip: float) -> MDP:
    """Cells 0 … cells − 1 in a row; a slip turns the step around. Pays nothing yet."""
    if not 0 <= slip <= 1:
        raise ValueError(f"slip is a probability in [0, 1]; got {slip}")
    transitions = np.zeros((cells, 2, cells))
    for cell in range(cells):
        neighbours = max(cell - 1, 0), min(cell + 1, cells - 1)
        for action in (LEFT, RIGHT):
            transitions[cell, action, neighbours[action]] += 1 - slip
            transitions[cell, action, neighbours[1 - action]] += slip
    return MDP(
        transitions=transitions,
        rewards=np.zeros_like(transitions),
        start=np.eye(cells)[start],
        terminal=np.zeros(cells, dtype=bool),
    )


def corridor(length: int = 3, slip: float = 0.0, reward_noise: float = 0.0) -> MDP:
    """A row of `length` cells with a wall at its left end and the goal, which pays 1, behind its
    right end.

    States 0 … length − 1 are cells, state `length` is the goal. With no slip V*(s) = γ^(length − 1
    − s).

    >>> corridor(length=3).transitions[2, RIGHT]
    array([0., 0., 0., 1.])
    """
    if length < 1:
        raise ValueError(f"length is a number of cells, at least 1; got {length}")
    if reward_noise < 0:
        raise ValueError(f"reward_noise is a standard deviation, at least 0; got {reward_noise}")
    mdp = _line(length + 1, start=0, slip=slip)
    mdp.rewards[:length, :, length] = 1.0
    mdp.terminal[length] = True
    return mdp._replace(reward_noise=reward_noise)


def trap(near: int = 1, far: int = 8, small: float = 0.3, large: float = 1.0) -> MDP:
    """A row with an exit at each end: `small` is paid `near` steps to the left, `large` is paid
    `far` steps to the right.

    State 0 is the left exit, state near + far the right one; an episode starts in state `near`.
    """
    if near < 1 or far < 1:
        raise ValueError(f"near and far are numbers of steps, at least 1; got {near} and {far}")
    last = near + far
    mdp = _line(last + 1, start=near, slip=0.0)
    mdp.rewards[1:last, :, 0] = small
    mdp.rewards[1:last, :, last] = large
    mdp.terminal[[0, last]] = True
    return mdp


class TabularEnv(gym.Env[np.int64, np.int64]):
    """The Gymnasium environment of an MDP whose states stand in a row. Observations are state
    numbers.

    `exits` are the terminal states' colours in pictures.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 4}

    def __init__(
        self,
        mdp: MDP,
        exits: dict[int, tuple[int, int, int]] | None = None,
        render_mode: str | None = None,
    ) -> None:
        check_render_mode(render_mode, self.metadata)
        self.mdp = mdp
        self.exits = exits or {}
        self.render_mode = render_mode
        self.observation_space = spaces.Discrete(mdp.num_states)
        self.action_space = spaces.Discrete(mdp.num_actions)
        # Outcomes are drawn by a look into these: Generator.choice with p costs ten times as much.
        self._start = mdp.start.cumsum()
        self._transitions = mdp.transitions.cumsum(axis=-1)
        self._state: int | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.int64, dict[str, Any]]:
        """Begin in the state where episodes begin."""
        super().reset(seed=seed)
        self._state = self._draw(self._start)
        return np.int64(self._state), {}

    def step(self, action: np.int64) -> tuple[np.int64, float, bool, bool, dict[str, Any]]:
        """One step, as the table has it."""
        if self._state is None:
            raise gym.error.ResetNeeded("call reset() before step()")
        if not self.action_space.contains(action):
            raise ValueError(f"action is one of 0 … {self.mdp.num_actions - 1}; got {action!r}")
        state, self._state = self._state, self._draw(self._transitions[self._state, action])
        reward = self.mdp.rewards[state, action, self._state]
        if self.mdp.reward_noise:
            reward += self.mdp.reward_noise * self.np_random.standard_normal()
        # A time limit is the business of Gymnasium's TimeLimit wrapper: a table knows only endings.
        return np.int64(self._state), float(reward), bool(self.mdp.terminal[self._state]), False, {}

    def render(self) -> NDArray[np.uint8] | None:
        """A row of cells, (H, W, 3); None without a `render_mode`."""
        if self.render_mode is None:
            return None
        image = np.full((CELL, self.mdp.num_states * CELL, 3), GROUND, dtype=np.uint8)
        for state, colour in self.exits.items():
            image[:, state * CELL : (state + 1) * CELL] = colour
        image[:, ::CELL] = image[:, CELL - 1 :: CELL] = WALL
        if self._state is not None:
            y, x = np.ogrid[:CELL, : image.shape[1]]
            centre = (self._state + 0.5) * CELL
            image[(y - CELL / 2) ** 2 + (x - centre) ** 2 < (CELL / 3) ** 2] = AGENT
        return image

    def state_dict(self) -> dict[str, Any]:
        """The state, and that of the dice."""
        return {"state": self._state, "random": self.np_random.bit_generator.state}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        if not 0 <= state["state"] < self.mdp.num_states:
            raise ValueError(f"states are 0 … {self.mdp.num_states - 1}; got {state['state']}")
        self._state, self.np_random.bit_generator.state = state["state"], state["random"]

    def _draw(self, cumulative: NDArray[np.float64]) -> int:
        # The last entry is 1 up to rounding; a dice roll never exceeds it.
        return int(np.searchsorted(cumulative[:-1], self.np_random.random(), side="right"))


class Corridor(TabularEnv):
    """The corridor of `corridor(...)`: walk right."""

    def __init__(
        self,
        length: int = 3,
        slip: float = 0.0,
        reward_noise: float = 0.0,
        render_mode: str | None = None,
    ) -> None:
        super().__init__(corridor(length, slip, reward_noise), {length: GOOD}, render_mode)


class Trap(TabularEnv):
    """The two exits of `trap(...)`: a small reward near, a large one far."""

    def __init__(
        self,
        near: int = 1,
        far: int = 8,
        small: float = 0.3,
        large: float = 1.0,
        render_mode: str | None = None,
    ) -> None:
        exits = {0: SMALL, near + far: GOOD}
        super().__init__(trap(near, far, small, large), exits, render_mode)


class Catch(gym.Env[NDArray[np.uint8], np.int64]):
    """A ball falls, one row a step; a paddle in the bottom row moves left, stays or moves right.

    Observation: a picture (1, rows, columns) of bytes, 255 where the ball or the paddle is. The
    only reward comes with the last step: 1 if the paddle caught the ball, −1 if not. An episode has
    rows − 1 steps.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 8}
    PIXELS = 24  # along one side of a field, in pictures for people

    def __init__(self, rows: int = 10, columns: int = 5, render_mode: str | None = None) -> None:
        if rows < 2 or columns < 2:
            raise ValueError(f"rows and columns are at least 2; got {rows} and {columns}")
        check_render_mode(render_mode, self.metadata)
        self.rows, self.columns = rows, columns
        self.render_mode = render_mode
        self.observation_space = spaces.Box(0, 255, (1, rows, columns), np.uint8)
        self.action_space = spaces.Discrete(3)
        self._ball: tuple[int, int] | None = None  # row, column
        self._paddle = columns // 2

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.uint8], dict[str, Any]]:
        """A ball in the top row, the paddle in the middle."""
        super().reset(seed=seed)
        self._ball = (0, int(self.np_random.integers(self.columns)))
        self._paddle = self.columns // 2
        return self._picture(), {}

    def step(self, action: np.int64) -> tuple[NDArray[np.uint8], float, bool, bool, dict[str, Any]]:
        """Move the paddle; the ball falls a row."""
        if self._ball is None:
            raise gym.error.ResetNeeded("call reset() before step()")
        if not self.action_space.contains(action):
            raise ValueError(f"action is 0 (left), 1 (stay) or 2 (right); got {action!r}")
        row, column = self._ball
        self._ball = (row + 1, column)
        self._paddle = int(np.clip(self._paddle + int(action) - 1, 0, self.columns - 1))
        terminated = row + 1 == self.rows - 1
        reward = (1.0 if self._paddle == column else -1.0) if terminated else 0.0
        return self._picture(), reward, terminated, False, {}

    def render(self) -> NDArray[np.uint8] | None:
        """The board, (H, W, 3); None without a `render_mode`."""
        if self.render_mode is None:
            return None
        image = np.full((self.rows, self.columns, 3), GROUND, dtype=np.uint8)
        if self._ball is not None:
            image[self._ball] = SMALL
        image[self.rows - 1, self._paddle] = AGENT
        return image.repeat(self.PIXELS, axis=0).repeat(self.PIXELS, axis=1)

    def state_dict(self) -> dict[str, Any]:
        """Where ball and paddle are, and the state of the random generator."""
        return {
            "ball": self._ball,
            "paddle": self._paddle,
            "random": self.np_random.bit_generator.state,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        row, column = state["ball"]
        if not (0 <= row < self.rows and 0 <= column < self.columns):
            raise ValueError(f"the ball is in {self.rows} × {self.columns}; got {row}, {column}")
        if not 0 <= state["paddle"] < self.columns:
            raise ValueError(f"the paddle is in 0 … {self.columns - 1}; got {state['paddle']}")
        self._ball, self._paddle = (row, column), state["paddle"]
        self.np_random.bit_generator.state = state["random"]

    def _picture(self) -> NDArray[np.uint8]:
        picture = np.zeros((1, self.rows, self.columns), dtype=np.uint8)
        if self._ball is not None:
            picture[0][self._ball] = 255
        picture[0, self.rows - 1, self._paddle] = 255
        return picture


class TMaze(gym.Env[np.int64, np.int64]):
    """A corridor that ends in a junction. The way to turn there is shown at the start, and only
    there.

    Observations: UP_SIGN or DOWN_SIGN in the first cell, CORRIDOR in the `length` cells after it,
    JUNCTION at the end. Actions: UP, DOWN. In the corridor every action walks on by one cell, so
    that the junction always comes length + 1 steps after the sign. There the action is the turn,
    and ends the episode: 1 for the way that the sign showed, −1 for the other. An agent that has
    forgotten the sign has a mean of 0, whatever it does.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 4}

    def __init__(self, length: int = 5, render_mode: str | None = None) -> None:
        if length < 0:
            raise ValueError(f"length is a number of cells, at least 0; got {length}")
        check_render_mode(render_mode, self.metadata)
        self.length, self.render_mode = length, render_mode
        self.observation_space = spaces.Discrete(4)
        self.action_space = spaces.Discrete(2)
        self._way: int | None = None  # UP or DOWN
        self._cell = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.int64, dict[str, Any]]:
        """At the corridor's beginning, where the sign is seen."""
        super().reset(seed=seed)
        self._way, self._cell = int(self.np_random.integers(2)), 0
        return self._seen(), {}

    def step(self, action: np.int64) -> tuple[np.int64, float, bool, bool, dict[str, Any]]:
        """A step along the corridor, or the turn at its end."""
        if self._way is None:
            raise gym.error.ResetNeeded("call reset() before step()")
        if not self.action_space.contains(action):
            raise ValueError(f"action is 0 (up) or 1 (down); got {action!r}")
        if self._cell <= self.length:
            self._cell += 1
            return self._seen(), 0.0, False, False, {}
        return self._seen(), 1.0 if action == self._way else -1.0, True, False, {}

    def render(self) -> NDArray[np.uint8] | None:
        """Corridor and goals, (H, W, 3); None without a `render_mode`. The goal that the sign shows
        is green."""
        if self.render_mode is None:
            return None
        cells = np.full((3, self.length + 2, 3), 255, dtype=np.uint8)
        cells[1], cells[:, -1] = GROUND, GROUND
        if self._way is not None:
            cells[0 if self._way == UP else 2, -1] = GOOD
            cells[2 if self._way == UP else 0, -1] = SMALL
        image = cells.repeat(CELL, axis=0).repeat(CELL, axis=1)
        y, x = np.ogrid[: image.shape[0], : image.shape[1]]
        centre = (self._cell + 0.5) * CELL
        image[(y - 1.5 * CELL) ** 2 + (x - centre) ** 2 < (CELL / 3) ** 2] = AGENT
        return image

    def state_dict(self) -> dict[str, Any]:
        """The way that was shown, the cell, and the state of the random generator."""
        random = self.np_random.bit_generator.state
        return {"way": self._way, "cell": self._cell, "random": random}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        if not 0 <= state["cell"] <= self.length + 1:
            raise ValueError(f"cells are 0 … {self.length + 1}; got {state['cell']}")
        if state["way"] not in (UP, DOWN):
            raise ValueError(f"way is {UP} (up) or {DOWN} (down); got {state['way']}")
        self._way, self._cell = state["way"], state["cell"]
        self.np_random.bit_generator.state = state["random"]

    def _seen(self) -> np.int64:
        if self._cell == 0:
            return np.int64(UP_SIGN if self._way == UP else DOWN_SIGN)
        return np.int64(JUNCTION if self._cell == self.length + 1 else CORRIDOR)


class ChannelsFirst(gym.ObservationWrapper[NDArray[Any], Any, NDArray[Any]]):
    """Pictures (height, width, channels), as Gymnasium's own are, as (channels, height, width), as
    networks take them.

    >>> screens = gym.make("a3c_lib/Catch-v0", render_mode="rgb_array")
    >>> pictures = gym.wrappers.AddRenderObservation(screens)
    >>> pictures.observation_space.shape, ChannelsFirst(pictures).observation_space.shape
    ((240, 120, 3), (3, 240, 120))
    """

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        super().__init__(env)
        space = env.observation_space
        if not isinstance(space, spaces.Box) or len(space.shape) != 3:
            raise ValueError(f"pictures are a Box with three axes; got {space}")
        low, high = (np.moveaxis(bound, -1, 0) for bound in (space.low, space.high))
        self.observation_space = spaces.Box(low, high, dtype=space.dtype.type)

    def observation(self, observation: NDArray[Any]) -> NDArray[Any]:
        """(H, W, C) → (C, H, W)"""
        return np.moveaxis(observation, -1, 0)


def cartpole_without_velocities(**options: Any) -> gym.Env[Any, Any]:
    """CartPole of which only the cart's place and the pole's angle are seen: how fast they change
    has to be remembered."""
    env: gym.Env[Any, Any] = CartPoleEnv(**options)
    space = env.observation_space
    assert isinstance(space, spaces.Box)
    seen = spaces.Box(space.low[::2], space.high[::2], dtype=np.float32)
    return TransformObservation(env, lambda observation: observation[::2], seen)


def check_render_mode(render_mode: str | None, metadata: dict[str, Any]) -> None:
    """Raise ValueError unless it is None, or one of the metadata's "render_modes"."""
    if render_mode is not None and render_mode not in metadata["render_modes"]:
        raise ValueError(f"render_mode is None or 'rgb_array'; got {render_mode!r}")


gym.register("a3c_lib/Corridor-v0", "a3c_lib.worlds.envs:Corridor", max_episode_steps=200)
gym.register(
    "a3c_lib/NoisyCorridor-v0",
    "a3c_lib.worlds.envs:Corridor",
    max_episode_steps=200,
    kwargs={"length": 8, "slip": 0.2, "reward_noise": 0.5},
)
gym.register("a3c_lib/Trap-v0", "a3c_lib.worlds.envs:Trap", max_episode_steps=200)
gym.register("a3c_lib/Catch-v0", "a3c_lib.worlds.envs:Catch")
gym.register("a3c_lib/TMaze-v0", "a3c_lib.worlds.envs:TMaze")
gym.register(
    "a3c_lib/CartPoleWithoutVelocities-v0",
    "a3c_lib.worlds.envs:cartpole_without_velocities",
    max_episode_steps=500,
)
