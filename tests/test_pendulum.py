"""MuJoCo's pendulum, drawn without a display; and Pendulum-v1 as arrays."""

import gymnasium as gym
import numpy as np
import pytest

from a3c_lib.worlds.pendulum import (
    CART,
    GROUND,
    ROD,
    DrawnPendulum,
    Pendulums,
    inverted_pendulum,
    picture,
)


def where(image, colour):
    """Rows and columns of a colour."""
    return np.nonzero((image == colour).all(axis=-1))


def test_an_upright_pole_stands_over_its_cart():
    rows, columns = where(picture(0.0, 0.0), ROD)
    assert columns.min() >= 313
    assert columns.max() <= 327
    assert rows.max() - rows.min() > 130
    assert where(picture(0.0, 0.0), CART)[1].mean() == pytest.approx(320, abs=1)


def test_the_cart_moves_and_the_pole_leans_to_the_side_that_is_said():
    assert where(picture(0.5, 0.0), CART)[1].mean() == pytest.approx(440, abs=1)
    rows, columns = where(picture(0.0, 0.4), ROD)
    assert columns[rows.argmin()] > 340  # a positive angle leans to the right
    rows, columns = where(picture(0.0, -0.4), ROD)
    assert columns[rows.argmin()] < 300


def test_a_leaning_pole_has_a_smooth_rim():
    """Between the pole's colour and the ground there are others: a rim of two colours has steps."""
    image = picture(0.0, 0.1)[:150]
    plain = (image == ROD).all(axis=-1) | (image == GROUND).all(axis=-1)
    assert 100 < (~plain).sum() < 400


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


# Pendulum-v1 as arrays


@pytest.fixture
def three():
    """Three pendulums as arrays, and Gymnasium's three in the same states."""
    pendulums = Pendulums(3)
    pendulums.reset(seed=0)
    theirs = [gym.make("Pendulum-v1") for _ in range(3)]
    for env, state in zip(theirs, pendulums.state.T, strict=True):
        env.reset()
        env.unwrapped.state = state.copy()
    return pendulums, theirs


@pytest.mark.parametrize("most", [0.5, 9.0])  # beyond ±2 a torque is cut
def test_pendulums_step_as_gymnasiums_do(three, most):
    pendulums, theirs = three
    dice, seen = np.random.default_rng(0), []
    for t in range(200):
        actions = most * dice.choice([-1.0, 1.0, 1.0], (3, 1)).astype(np.float32)
        observations, rewards, terminated, truncated, info = pendulums.step(actions)
        seen.append(info["final_obs"] if t == 199 else observations)
        for n, env in enumerate(theirs):
            observation, reward, its_end, its_cut, _ = env.step(actions[n])
            assert seen[-1][n] == pytest.approx(observation)
            assert rewards[n] == pytest.approx(reward)
            assert (terminated[n], truncated[n]) == (its_end, its_cut)
    assert np.abs(seen).max() == 8  # the fastest that a pendulum may be


def test_after_a_cut_an_episode_begins_as_gymnasiums_do():
    pendulums = Pendulums(2_000)
    pendulums.reset(seed=0)
    begun = [pendulums.state]
    for _ in range(200):
        observations, *_ = pendulums.step(np.zeros((2_000, 1)))
    begun.append(pendulums.state)
    assert observations[:, 2] == pytest.approx(pendulums.state[1])
    for theta, speed in begun:
        assert np.abs(theta).max() == pytest.approx(np.pi, abs=0.01)
        assert np.abs(speed).max() == pytest.approx(1, abs=0.01)
        assert abs(theta.mean()) < 0.2
        assert abs(speed.mean()) < 0.1


@pytest.mark.parametrize(("staggered", "first"), [(False, [200] * 4), (True, [200, 150, 100, 50])])
def test_pendulums_are_cut_together_or_one_after_another(staggered, first):
    pendulums = Pendulums(4, staggered=staggered)
    for _ in range(2):  # a reset staggers them anew
        pendulums.reset(seed=0)
        cuts = np.array([pendulums.step(np.zeros((4, 1)))[3] for _ in range(600)])
        lengths = [np.diff(np.flatnonzero(cut), prepend=-1).tolist() for cut in cuts.T]
        assert [each[0] for each in lengths] == first
        assert {length for each in lengths for length in each[1:]} == {200}


def test_the_same_seed_begins_the_same_pendulums():
    first, again, other = (Pendulums(3).reset(seed=seed)[0] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_where_pendulums_are_cut_is_said_as_gymnasium_says_it():
    pendulums = Pendulums(2, staggered=True)
    pendulums.reset(seed=0)
    for _ in range(100):
        *_, cut, info = pendulums.step(np.zeros((2, 1)))
    assert info["_final_obs"].tolist() == cut.tolist() == [False, True]


def test_pendulums_begin_with_a_reset_and_are_some():
    with pytest.raises(gym.error.ResetNeeded):
        Pendulums(1).step(np.zeros((1, 1)))
    with pytest.raises(ValueError, match="num_envs is at least 1; got 0"):
        Pendulums(0)


def test_a_pendulum_that_cannot_be_drawn_is_closed(monkeypatch):
    env = Leaning()
    env.close = lambda: setattr(env, "closed", True)
    monkeypatch.setattr(gym, "make", lambda *_: env)
    with pytest.raises(ValueError, match="got 'human'"):
        inverted_pendulum("human")
    assert env.closed
