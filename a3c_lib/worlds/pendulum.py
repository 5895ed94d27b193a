"""Chapter 10: MuJoCo's inverted pendulum, drawn from its state, so that no display is needed."""

from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

HEIGHT, WIDTH = 110, 240  # pixels
RAIL = 85  # pixels from the top
METRE = 90.0  # pixels
POLE = 0.6  # metres
GROUND, LINE, CART, ROD = (255, 255, 255), (200, 200, 200), (0, 114, 178), (213, 94, 0)


def inverted_pendulum(render_mode: str | None = None, **options: Any) -> gym.Env[Any, Any]:
    """InvertedPendulum-v5, a pole on a cart that is pushed along a rail.

    With render_mode="rgb_array" it is drawn here: MuJoCo would ask for a display. Raises
    gymnasium.error.DependencyNotInstalled where there is no MuJoCo: `pip install mujoco`.
    """
    env = gym.make("InvertedPendulum-v5", **options)
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
    (110, 240, 3)
    """
    image = np.full((HEIGHT, WIDTH, 3), GROUND, dtype=np.uint8)
    image[RAIL - 1 : RAIL + 1, 10 : WIDTH - 10] = LINE
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    middle = WIDTH / 2 + METRE * place
    image[(abs(columns - middle) <= 16) & (abs(rows - RAIL) <= 8)] = CART
    # How far each pixel is from the pole, which goes from the cart up.
    along = np.array([np.sin(angle), -np.cos(angle)])
    from_cart = np.stack([columns - middle, rows - RAIL], axis=-1)
    reached = (from_cart @ along).clip(0, METRE * POLE)
    off = np.linalg.norm(from_cart - reached[..., None] * along, axis=-1)
    image[off <= 2.5] = ROD
    return image
