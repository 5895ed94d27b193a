"""Chapter 07: Atari 2600 games from pixels.

ale-py's vector environment plays many games in C++, and prepares the pictures there as the DQN
papers do. `Game` names every choice in it; the functions below it are the same preparation, a
picture at a time, to look at and to test against.
"""

from dataclasses import KW_ONLY, dataclass
from functools import cache, partial
from numbers import Integral
from typing import Any

import numpy as np
from ale_py.roms import get_all_rom_ids
from ale_py.vector_env import AtariVectorEnv
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorWrapper
from numpy.typing import NDArray
from torch import Tensor

from a3c_lib.actor_critic import Context, Targets, WithContext, in_context
from a3c_lib.making import Envs, HasLives
from a3c_lib.settings import Count, NotNegativeCount, ProperFraction, check_settings


@dataclass(frozen=True)
class Game:
    """An Atari game, and how it is shown to the agent. Goes wherever an environment's id does.

    The defaults are those of the DQN and A3C papers, as far as these are known, but for
    `life_ends`, which DQN's paper of 2015 has. Rewards are the game's own: `clipped` clips them
    where the agent learns, so that what is reported is the score. Raises ValueError for a game
    ale-py does not have, and for options that make no sense.

    >>> game = Game("pong")
    >>> envs = game.make_envs(2)
    >>> envs.reset(seed=0)[0].shape, game.action_space
    ((2, 4, 84, 84), Discrete(6))
    """

    name: str  # ale-py's: "pong", "space_invaders", …
    _: KW_ONLY
    size: Count = 84  # height and width of the pictures that the agent sees
    stack: Count = 4  # the latest pictures that it sees at once
    frame_skip: Count = 4  # frames for which an action is held: one step
    # how likely the console repeats the last action in a frame, instead
    sticky: ProperFraction = 0.0
    # an episode begins after fewer frames than this without an action
    noop_max: NotNegativeCount = 30
    fire_at_start: bool = True  # then press fire, where the game has that button
    life_ends: bool = False  # a lost life ends what the agent learns from, not the game
    max_frames: Count = 108_000  # then a game is truncated: half an hour, at 60 frames a second
    num_threads: NotNegativeCount = 1  # of ale-py's; 0 stands for one for every core

    def __post_init__(self) -> None:
        check_settings(self)
        if self.name not in get_all_rom_ids():
            raise ValueError(
                f"a game of ale-py's, such as 'pong' or 'space_invaders'; got {self.name!r}"
            )

    def make_envs(self, num_envs: int) -> Envs:
        """`num_envs` of it, as one vector environment that resets in the step that ends."""
        return AtariEnvs(self._make(num_envs))

    def make_screens(self, num_envs: int) -> Envs:
        """The same, but what is seen is the screen, (210, 160, 3): the same seed and actions show
        the same games to people."""
        return AtariEnvs(self._make(num_envs, coloured=True))

    def _make(self, num_envs: int, coloured: bool = False) -> AtariVectorEnv:
        return AtariVectorEnv(
            self.name,
            num_envs,
            img_height=210 if coloured else self.size,
            img_width=160 if coloured else self.size,
            grayscale=not coloured,
            stack_num=1 if coloured else self.stack,
            frameskip=self.frame_skip,
            maxpool=self.frame_skip > 1,
            repeat_action_probability=self.sticky,
            noop_max=self.noop_max,
            use_fire_reset=self.fire_at_start,
            # ale-py's `episodic_life` would begin a new game after each life.
            life_loss_info=self.life_ends,
            max_num_frames_per_episode=self.max_frames,
            reward_clipping=False,
            num_threads=self.num_threads,
            autoreset_mode=AutoresetMode.SAME_STEP,
        )

    @property
    def observation_space(self) -> spaces.Space[Any]:
        """Stacks of pictures of bytes, (stack, size, size)."""
        return _shown_of(self)[0]

    @property
    def action_space(self) -> spaces.Space[Any]:
        """As many actions as the game has."""
        return spaces.Discrete(len(self.actions))

    @property
    def actions(self) -> tuple[str, ...]:
        """What the actions' numbers stand for.

        >>> Game("pong").actions
        ('NOOP', 'FIRE', 'RIGHT', 'LEFT', 'RIGHTFIRE', 'LEFTFIRE')
        """
        return _shown_of(self)[1]


@cache
def _shown_of(game: Game) -> tuple[spaces.Space[Any], tuple[str, ...]]:
    """What a game shows, and its actions, which only a game that has begun tells."""
    envs = game._make(1)
    return envs.single_observation_space, tuple(action.name for action in envs.ale.get_action_set())


class AtariEnvs(VectorWrapper[Any, Any, Any, Any], HasLives):
    """ale-py's environments, with what they lack: any seed, and the end of a game told apart from
    the end of a life (`game_over`, in `info` too)."""

    def __init__(self, envs: AtariVectorEnv) -> None:
        super().__init__(envs)
        self._began = np.zeros(envs.num_envs, dtype=np.int64)  # each game, in the console's frames
        self.game_over = np.zeros(envs.num_envs, dtype=np.bool_)

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        """Begin games; any seed will do."""
        if isinstance(seed, Integral):  # numpy's, too
            seed = int(seed) % (2**31 - self.num_envs)  # ale-py counts on from it, in 32 bits
        observation, info = self.env.reset(seed=seed, options=options)
        self._began = self._beginning(info)
        return observation, info

    def step(self, actions: NDArray[np.int64]) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """One step of every game; `info["game_over"]` says where a game ended, not a life alone."""
        observation, reward, terminated, truncated, info = self.env.step(actions)
        ended = terminated | truncated
        began = self._beginning(info)
        self.game_over = ended & (began != self._began)  # else only a life was lost
        info["game_over"] = self.game_over
        self._began = began
        if "final_obs" in info:  # ale-py fills in only what a new game replaces
            lost = (ended & ~self.game_over).nonzero()
            info["final_obs"][lost] = observation[lost]
        return observation, reward, terminated, truncated, info

    @staticmethod
    def _beginning(info: dict[str, Any]) -> NDArray[np.int64]:
        began: NDArray[np.int64] = info["frame_number"] - info["episode_frame_number"]
        return began


def luminance(screen: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """How bright each dot is: 0.299 red + 0.587 green + 0.114 blue, rounded.   (H, W, 3) → (H, W).

    >>> luminance(np.array([[[255, 255, 255], [200, 72, 72]]], dtype=np.uint8))
    array([[255, 110]], dtype=uint8)
    """
    brightness: NDArray[np.float64] = np.rint(screen @ np.array([0.299, 0.587, 0.114]))
    return brightness.astype(np.uint8)


def shrunk(picture: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Each new dot is the mean of the area that it covers in the picture, rounded.

    (H, W) → (height, width).

    >>> shrunk(np.array([[0, 60, 120]], dtype=np.uint8), 1, 2)
    array([[ 20, 100]], dtype=uint8)
    """
    rows, columns = _shares(picture.shape[0], height), _shares(picture.shape[1], width)
    means: NDArray[np.float64] = np.rint(rows @ picture @ columns.T)
    return means.astype(np.uint8)


def _shares(before: int, after: int) -> NDArray[np.float64]:
    """How much of each of `after` equal parts of a line lies in each of `before`.

    → (after, before), rows add up to 1
    """
    edges, dots = np.linspace(0, before, after + 1), np.arange(before)
    begins, ends = edges[:-1, None], edges[1:, None]
    overlap = np.minimum(ends, dots + 1) - np.maximum(begins, dots)
    return overlap.clip(0) * (after / before)


def clipped(targets: Targets) -> Targets:
    """`targets` of rewards that are clipped to −1 … 1: one learning rate then suits all games.
    [DQN 2013, section 5]

    Targets `WithContext` see the Context, and in its rollout the rewards as they were paid.

    >>> import torch
    >>> from a3c_lib.returns import n_step_returns
    >>> column = lambda *numbers: torch.tensor(numbers)[:, None]
    >>> no = column(False, False)
    >>> clipped(n_step_returns)(column(7.0, -3.0), column(0.0, 0.0), no, no, 1.0).squeeze()
    tensor([ 0., -1.])
    """
    if isinstance(targets, WithContext):
        return WithContext(partial(_clipped, targets))
    return partial(_clipped, targets)


def _clipped(
    targets: Targets,
    rewards: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    gamma: float,
    context: Context | None = None,
) -> Tensor:
    its = in_context(targets, context)
    return its(rewards.clamp(-1, 1), next_values, terminated, truncated, gamma)
