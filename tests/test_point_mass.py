"""The point mass moves as it is said to, and what is known of it on paper is true."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from a3c_lib.worlds import point_mass
from a3c_lib.worlds.point_mass import A, B, PointMass, best_deviation, best_gain, value


def at(place, velocity, axes=1, **options):
    env = PointMass(axes=axes, **options)
    env.reset(seed=0)
    env._state = np.array([[place] * axes, [velocity] * axes])
    return env


def push(*numbers):
    return np.array(numbers, np.float32)


# ---- the world ----


def test_a_step_pays_for_where_it_is_and_for_the_push_and_then_moves():
    env = at(2.0, -1.0)
    observation, reward, terminated, truncated, _ = env.step(push(3.0))
    assert reward == pytest.approx(-(4 + 0.1 + 0.9))
    assert observation[0] == 1.5  # 2 − ½
    assert abs(observation[1] - 1.0) < 0.6  # −½ + 3/2, and a gust
    assert (terminated, truncated) == (False, False)


def test_gusts_have_their_deviation_and_change_velocities_alone():
    gusts = []
    for seed in range(2_000):
        env = PointMass(axes=1)
        env.reset(seed=seed)
        env._state = np.zeros((2, 1))
        observation, *_ = env.step(push(0.0))
        assert observation[0] == 0
        gusts.append(observation[1])
    assert np.mean(gusts) == pytest.approx(0, abs=5 * 0.1 / 2_000**0.5)
    assert np.std(gusts) == pytest.approx(0.1, rel=0.08)


def test_axes_do_not_touch_each_other():
    env = PointMass(axes=2)
    env.reset(seed=0)
    env._state = np.array([[1.0, 0.0], [0.0, 0.0]])
    observation, reward, *_ = env.step(push(0.0, 2.0))
    assert reward == pytest.approx(-(1 + 0.4))
    assert observation[:2].tolist() == [1, 0]
    assert abs(observation[2]) < 0.6
    assert abs(observation[3] - 1) < 0.6


def test_an_episode_begins_at_rest_and_is_cut_by_the_clock_alone():
    env = PointMass(axes=3, steps=4)
    starts = np.stack([env.reset(seed=seed)[0] for seed in range(200)])
    assert abs(starts[:, :3]).max() <= 1
    assert abs(starts[:, :3]).max() > 0.95
    assert (starts[:, 3:] == 0).all()
    ends = [env.step(push(0, 0, 0))[2:4] for _ in range(4)]
    assert ends == [(False, False)] * 3 + [(False, True)]
    env.reset()
    assert env.step(push(0, 0, 0))[3] is False


def test_the_same_seed_is_the_same_episode():
    one, other = PointMass(), PointMass()
    for env in one, other:
        env.reset(seed=3)
    for _ in range(5):
        assert np.array_equal(one.step(push(1, -1))[0], other.step(push(1, -1))[0])


@pytest.mark.filterwarnings("ignore:.*infinity")  # a mass may be anywhere
def test_gymnasium_finds_nothing_wrong():
    check_env(PointMass(limit=1.0), skip_render_check=True)


@pytest.mark.parametrize(
    ("do", "error", "said"),
    [
        (lambda: PointMass(axes=0), ValueError, "at least 1, limit above 0; got 0, 20 and inf"),
        (lambda: PointMass(limit=0), ValueError, "limit above 0"),
        (lambda: PointMass().step(push(0, 0)), gym.error.ResetNeeded, "reset"),
        (lambda: at(0, 0, limit=0.5).step(push(0.6)), ValueError, "action is in Box"),
        (lambda: at(0, 0, limit=0.5).step(push(np.nan)), ValueError, "action is in Box"),
        (lambda: at(0, 0).step(push(0, 0)), ValueError, "action is in Box"),
        (lambda: value(np.array([-9.0, 0.0]), 0.0, 0.9), ValueError, "the mass flies away"),
    ],
)
def test_what_has_no_meaning_is_refused(do, error, said):
    with pytest.raises(error, match=said):
        do()


# ---- on paper ----


def by_hand(gain, deviation, gamma, state, steps):
    """E Σ γ^t r_t, mean and covariance of the state pushed forward step by step."""
    mean, covariance, total = np.array(state), np.zeros((2, 2)), 0.0
    closed = A - np.outer(B, gain)
    for t in range(steps):
        seconds = np.outer(mean, mean) + covariance  # E ssᵀ
        pushes = gain @ seconds @ gain + deviation**2
        cost = (point_mass.STATE_COST * seconds).sum() + point_mass.ACTION_COST * pushes
        total -= gamma**t * cost
        mean = closed @ mean
        covariance = closed @ covariance @ closed.T + deviation**2 * np.outer(B, B)
        covariance[1, 1] += point_mass.NOISE**2
    return total


@pytest.mark.parametrize("gamma", [0.5, 0.9])
@pytest.mark.parametrize("gain", [(0.0, 0.0), (0.7, 0.2), (1.664, 1.456)])
@pytest.mark.parametrize("deviation", [0.0, 0.8])
def test_the_value_is_the_discounted_rewards_step_by_step(gain, deviation, gamma):
    V = value(np.array(gain), deviation, gamma)
    for state in (0.0, 0.0), (1.0, 0.0), (-0.3, 2.0):
        expected = by_hand(np.array(gain), deviation, gamma, state, 400)
        assert float(V(np.array(state))) == pytest.approx(expected)


@pytest.mark.parametrize("gamma", [0.5, 0.9, 0.99])
def test_no_other_gain_is_better_anywhere(gamma):
    K = best_gain(gamma)
    best = value(K, 0.0, gamma)
    dice = np.random.default_rng(0)
    for _ in range(30):
        other = value(K + 0.05 * dice.standard_normal(2), 0.0, gamma)
        assert np.linalg.eigvalsh(other.P - best.P).min() > -1e-9
        assert other.c > best.c


def test_a_push_that_is_off_costs_the_price_of_chance_wherever_it_is():
    """Q(s, −Ks + e) = V(s) − M e², of the best policy."""
    gamma, K = 0.9, best_gain(0.9)
    V = value(K, 0.0, gamma)
    M = point_mass.price_of_chance(V.P, gamma)
    for state, off in ((0.0, 0.0), 0.5), ((1.0, -2.0), -1.0), ((0.3, 0.1), 2.0):
        s = np.array(state)
        u = -K @ s + off
        after = V(A @ s + B * u) - point_mass.NOISE**2 * V.P[1, 1]
        worth = -(s @ point_mass.STATE_COST @ s) - point_mass.ACTION_COST * u**2 + gamma * after
        assert worth == pytest.approx(float(V(s)) - M * off**2)


def test_at_the_best_deviation_the_slopes_of_chance_and_bonus_are_equal():
    for beta in 0.01, 0.3:
        sigma = best_deviation(beta, 0.9)
        M = point_mass.price_of_chance(value(best_gain(0.9), 0.0, 0.9).P, 0.9)

        def worth(s, M=M, beta=beta):
            return beta * np.log(s) - M * s**2

        assert worth(sigma) > max(worth(1.01 * sigma), worth(0.99 * sigma))
    assert best_deviation(0.4, 0.9) == pytest.approx(2 * best_deviation(0.1, 0.9))


def test_values_are_of_any_batch():
    V = value(best_gain(0.9), 0.0, 0.9)
    states = np.random.default_rng(0).standard_normal((3, 4, 2))
    assert V(states).shape == (3, 4)
    assert V(states)[1, 2] == pytest.approx(float(V(states[1, 2])))


@pytest.mark.parametrize("gamma", [1.0, -0.1])
def test_values_have_a_discount_below_one(gamma):
    for call in (lambda: value(np.zeros(2), 0.1, gamma), lambda: best_deviation(0.1, gamma)):
        with pytest.raises(ValueError, match=f"gamma is .*; got {gamma}"):
            call()


def test_past_its_end_an_episode_stays_cut():
    env = PointMass(axes=1, steps=2)
    env.reset(seed=0)
    assert [env.step(np.zeros(1))[3] for _ in range(4)] == [False, True, True, True]


def test_no_push_is_infinite():
    env = PointMass(axes=1)
    env.reset(seed=0)
    with pytest.raises(ValueError, match="and finite; got"):
        env.step(np.array([np.inf]))
