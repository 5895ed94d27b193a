"""Chapter 10: MuJoCo's inverted pendulum, drawn from its state, so that no display is needed; and
many of Gymnasium's Pendulum-v1 as arrays."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from a3c_lib.making import closed_on_error
from a3c_lib.settings import NumEnvs, check_setting

HEIGHT, WIDTH = 280, 640  # pixels, as many as a notebook shows of a film
RAIL = 220  # pixels from the top
METRE = 240.0  # pixels
POLE = 0.6  # metres
CUT_AFTER = 200  # steps of Pendulum-v1
GROUND, LINE, CART, ROD = (255, 255, 255), (200, 200, 200), (0, 114, 178), (213, 94, 0)


def inverted_pendulum(render_mode: str | None = None, **options: Any) -> gym.Env[Any, Any]:
    """InvertedPendulum-v5, a pole on a cart that is pushed along a rail.

    With render_mode="rgb_array" it is drawn here: MuJoCo would ask for a display. Raises
    gymnasium.error.DependencyNotInstalled where there is no MuJoCo: `pip install mujoco`.
    """
    env = gym.make("InvertedPendulum-v5", **options)
    with closed_on_error(env.close):
        return env if render_mode is None else DrawnPendulum(env, render_mode)


class DrawnPendulum(gym.Wrapper[Any, Any, Any, Any]):
    """Draws the latest observation (place, angle, and their velocities)."""

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 25}

    def __init__(self, env: gym.Env[Any, Any], render_mode: str) -> None:
        if render_mode != "rgb_array":
            raise ValueError(f"render_mode is None or 'rgb_array'; got {render_mode!r}")
        super().__init__(env)
        self._mode, self._latest = render_mode, np.zeros(4)

    @property
    def render_mode(self) -> str:  # type: ignore[override]
        """Always rgb_array."""
        return self._mode

    def reset(self, **options: Any) -> tuple[Any, dict[str, Any]]:
        """Another episode."""
        self._latest, info = self.env.reset(**options)
        return self._latest, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """One step of it."""
        self._latest, reward, terminated, truncated, info = self.env.step(action)
        return self._latest, reward, terminated, truncated, info

    def render(self) -> NDArray[np.uint8]:
        """(H, W, 3)"""
        return picture(float(self._latest[0]), float(self._latest[1]))


def picture(place: float, angle: float) -> NDArray[np.uint8]:
    """The cart at `place` on its rail, metres from the middle, and the pole at `angle` from the
    vertical, in radians.   → (H, W, 3)

    >>> picture(0.0, 0.0).shape
    (280, 640, 3)
    """
    rows, columns = np.ogrid[:HEIGHT, :WIDTH]
    right, up = columns - (WIDTH / 2 + METRE * place), RAIL - rows  # from where the pole is fixed
    along = right * np.sin(angle) + up * np.cos(angle)
    across = right * np.cos(angle) - up * np.sin(angle)
    past_an_end = along - along.clip(0, METRE * POLE)
    image = np.full((HEIGHT, WIDTH, 3), GROUND, dtype=np.uint8)
    # How far each pixel is outside of a shape; below 0 inside.
    for outside, colour in (
        (np.maximum(abs(columns - WIDTH / 2) - 300, abs(up) - 2), LINE),
        (np.maximum(abs(right) - 42, abs(up) - 21), CART),
        (np.hypot(across, past_an_end) - 6.5, ROD),
        (np.hypot(right, up) - 3.5, GROUND),
    ):
        # A pixel through which the rim goes has a part of the colour.
        rows_in, columns_in = np.nonzero(outside < 0.5)
        share = (0.5 - outside[rows_in, columns_in]).clip(max=1)[:, None]
        under = image[rows_in, columns_in]
        image[rows_in, columns_in] = (under + share * (np.array(colour) - under)).round()
    return image


class Pendulums(VectorEnv[NDArray[np.float32], NDArray[Any], NDArray[np.bool_]]):
    """Gymnasium's Pendulum-v1, many of them as arrays: the same steps, and more of them a second.

    A pendulum hangs on a motor that is too weak to lift it in one go. Seen are cos θ, sin θ and
    θ̇, with θ = 0 upright. The motor's torque u is in ±2; a step of 0.05 s pays
    −(θ² + 0.1 θ̇² + 0.001 u²), with θ in ±π. An episode is cut after 200 steps, of all pendulums at
    the same time; `staggered`, one after another: their first episodes are cut earlier, by even
    parts of 200 steps.

    >>> pendulums = Pendulums(3)
    >>> seen, _ = pendulums.reset(seed=0)
    >>> seen.shape, pendulums.step(np.zeros((3, 1)))[1].shape
    ((3, 3), (3,))
    """

    metadata: dict[str, Any] = {"autoreset_mode": AutoresetMode.SAME_STEP}

    def __init__(self, num_envs: int, staggered: bool = False) -> None:
        check_setting("num_envs", num_envs, NumEnvs)
        one = gym.make("Pendulum-v1")
        self.num_envs, self.staggered = num_envs, staggered
        self.single_observation_space = one.observation_space
        self.single_action_space = one.action_space
        self.observation_space = batch_space(one.observation_space, num_envs)
        self.action_space = batch_space(one.action_space, num_envs)
        self.state = np.zeros((2, num_envs))  # θ and θ̇
        self.steps = np.zeros(num_envs, dtype=int)  # of the episode
        self._begun = False

    def reset(
        self, *, seed: Any = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Other episodes, of all."""
        super().reset(seed=seed)
        self._begun = True
        self._begin(np.full(self.num_envs, True))
        if self.staggered:
            self.steps = np.arange(self.num_envs) * CUT_AFTER // self.num_envs
        return self._seen(), {}

    def step(
        self, actions: NDArray[Any]
    ) -> tuple[NDArray[np.float32], Any, NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """One step of each. Where an episode is cut, the next one begins."""
        if not self._begun:
            raise gym.error.ResetNeeded("call reset() before step()")
        theta, speed = self.state
        u = np.clip(actions[:, 0], -2, 2)
        angle = (theta + np.pi) % (2 * np.pi) - np.pi
        rewards = -(angle**2 + 0.1 * speed**2 + 0.001 * u**2)
        speed = np.clip(speed + (15 * np.sin(theta) + 3 * u) * 0.05, -8, 8)
        self.state = np.stack([theta + speed * 0.05, speed])
        self.steps += 1
        seen, cut, info = self._seen(), self.steps == CUT_AFTER, dict[str, Any]()
        if cut.any():
            info["final_obs"], info["_final_obs"] = seen, cut  # and where, as Gymnasium says it
            self._begin(cut)
            seen = self._seen()
        return seen, rewards, np.zeros_like(cut), cut, info

    def _begin(self, where: NDArray[np.bool_]) -> None:
        high = np.array([[np.pi], [1.0]])
        self.state[:, where] = self.np_random.uniform(-high, high, (2, where.sum()))
        self.steps[where] = 0

    def _seen(self) -> NDArray[np.float32]:
        theta, speed = self.state
        return np.stack([np.cos(theta), np.sin(theta), speed], axis=-1).astype(np.float32)
