"""MuJoCo's pendulum, drawn without a display."""

import gymnasium as gym
import numpy as np
import pytest

from a3c_lib.worlds.pendulum import CART, ROD, DrawnPendulum, inverted_pendulum, picture


def where(image, colour):
    """Rows and columns of a colour."""
    return np.nonzero((image == colour).all(axis=-1))


def test_an_upright_pole_stands_over_its_cart():
    rows, columns = where(picture(0.0, 0.0), ROD)
    assert columns.min() >= 117
    assert columns.max() <= 123
    assert rows.max() - rows.min() > 50
    assert where(picture(0.0, 0.0), CART)[1].mean() == pytest.approx(120, abs=1)


def test_the_cart_moves_and_the_pole_leans_to_the_side_that_is_said():
    assert where(picture(0.5, 0.0), CART)[1].mean() == pytest.approx(165, abs=1)
    rows, columns = where(picture(0.0, 0.4), ROD)
    assert columns[rows.argmin()] > 130  # a positive angle leans to the right
    rows, columns = where(picture(0.0, -0.4), ROD)
    assert columns[rows.argmin()] < 110


class Leaning(gym.Env):
    """Shows an angle that grows, and takes anything."""

    observation_space = gym.spaces.Box(-9, 9, (4,))
    action_space = gym.spaces.Box(-3, 3, (1,))

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(4, np.float32), {}

    def step(self, action):
        return np.array([0.2, 0.3, 0, 0], np.float32), 1.0, False, False, {}


def test_what_was_seen_last_is_drawn():
    env = DrawnPendulum(Leaning(), "rgb_array")
    assert env.render_mode == "rgb_array"
    env.reset(seed=0)
    assert np.array_equal(env.render(), picture(0.0, 0.0))
    env.step(np.zeros(1, np.float32))
    assert np.array_equal(env.render(), picture(float(np.float32(0.2)), float(np.float32(0.3))))
    with pytest.raises(ValueError, match="render_mode is None or 'rgb_array'; got 'human'"):
        DrawnPendulum(Leaning(), "human")


def test_the_pendulum_of_mujoco_is_drawn_as_it_leans():
    pytest.importorskip("mujoco", reason="not installed: pip install mujoco")
    env = inverted_pendulum(render_mode="rgb_array")
    env.reset(seed=0)
    for _ in range(40):
        observation, _, terminated, _, _ = env.step(np.array([3.0], np.float32))
        if terminated:
            break
    assert terminated  # pushed to the right, the pole leans to the left
    assert observation[1] < -0.2
    rows, columns = where(env.render(), ROD)
    assert columns[rows.argmin()] < where(env.render(), CART)[1].mean()
    assert inverted_pendulum().render_mode is None
