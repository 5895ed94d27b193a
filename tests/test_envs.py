import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from a3c_lib.worlds.envs import (
    CORRIDOR,
    DOWN,
    DOWN_SIGN,
    JUNCTION,
    LEFT,
    RIGHT,
    UP,
    UP_SIGN,
    Catch,
    ChannelsFirst,
    Corridor,
    TabularEnv,
    TMaze,
    Trap,
    corridor,
    trap,
)

OURS = ("Corridor", "NoisyCorridor", "Trap", "Catch", "TMaze")
IDS = [f"a3c_lib/{name}-v0" for name in OURS]


@pytest.mark.parametrize("env_id", IDS)
def test_gymnasiums_own_checker_is_content(env_id):
    check_env(gym.make(env_id, render_mode="rgb_array").unwrapped)


@pytest.mark.parametrize("env_id", IDS)
def test_pictures_are_pictures(env_id):
    env = gym.make(env_id, render_mode="rgb_array")
    env.reset(seed=0)
    before = env.render()
    env.step(env.action_space.n - 1)
    after = env.render()
    assert before.dtype == np.uint8
    assert before.ndim == 3
    assert (before != after).any()
    assert gym.make(env_id).unwrapped.render() is None


def walk(env, *actions):
    env.reset(seed=0)
    return [tuple(env.step(action)[:4]) for action in actions]


def test_the_corridor_has_a_wall_on_the_left_and_the_goal_on_the_right():
    assert walk(Corridor(length=2), LEFT, RIGHT, RIGHT) == [
        (0, 0.0, False, False),
        (1, 0.0, False, False),
        (2, 1.0, True, False),
    ]


def test_the_trap_pays_little_near_and_much_far():
    env = Trap(near=1, far=2, small=0.25, large=1.0)
    assert walk(env, LEFT) == [(0, 0.25, True, False)]
    assert walk(env, RIGHT, RIGHT) == [(2, 0.0, False, False), (3, 1.0, True, False)]


def test_a_time_limit_is_reported_as_one():
    env = gym.make("a3c_lib/Corridor-v0")
    env.reset(seed=0)
    *_, last = (env.step(LEFT) for _ in range(200))
    assert last[2:4] == (False, True)


@pytest.mark.parametrize("mdp", [corridor(4, slip=0.2), trap(2, 3)])
def test_tables_are_probabilities(mdp):
    assert mdp.transitions.sum(axis=-1) == pytest.approx(np.ones((mdp.num_states, 2)))
    assert mdp.start.sum() == 1


def test_the_dice_follow_the_table():
    env = TabularEnv(corridor(3, slip=0.2))
    env.reset(seed=0)
    ends = []
    for _ in range(5000):
        env._state = 1
        ends.append(env.step(RIGHT)[0])
    # Standard error .0057: five of them.
    assert np.mean(np.array(ends) == 2) == pytest.approx(0.8, abs=0.03)
    assert set(ends) == {0, 2}


def test_noise_has_the_mean_and_the_deviation_it_promises():
    env = TabularEnv(corridor(1, reward_noise=0.5))
    rewards = []
    for seed in range(2000):
        env.reset(seed=seed)
        rewards.append(env.step(RIGHT)[1])
    assert np.mean(rewards) == pytest.approx(1.0, abs=5 * 0.5 / 2000**0.5)
    assert np.std(rewards) == pytest.approx(0.5, abs=0.05)


def test_the_same_seed_gives_the_same_episode():
    def rewards(seed):
        env = gym.make("a3c_lib/NoisyCorridor-v0")
        env.reset(seed=seed)
        return [env.step(RIGHT)[:2] for _ in range(5)]

    assert rewards(1) == rewards(1)
    assert rewards(1) != rewards(2)


def catch(env, seed, towards):
    """Walk towards the ball or away from it.   → the steps of the episode."""
    observation, _ = env.reset(seed=seed)
    ball, paddle = int(observation[0, 0].argmax()), env.columns // 2
    steps = []
    for _ in range(env.rows - 1):
        direction = np.sign(ball - paddle) if towards else (1 if ball < 2 else -1)
        paddle = int(np.clip(paddle + direction, 0, env.columns - 1))
        steps.append(env.step(1 + direction))
    assert steps[-1][0][0, -1, paddle] == 255
    assert steps[-1][0][0, -1, ball] == 255
    return steps


@pytest.mark.parametrize(("towards", "reward"), [(True, 1.0), (False, -1.0)])
def test_a_caught_ball_pays_and_a_missed_one_costs_with_the_last_step(towards, reward):
    for seed in range(10):
        *before, last = catch(Catch(), seed, towards)
        assert len(before) == 8
        assert {step[1:4] for step in before} == {(0.0, False, False)}
        assert last[1:4] == (reward, True, False)


def test_a_picture_shows_ball_and_paddle():
    observation, _ = Catch().reset(seed=0)
    assert observation.shape == (1, 10, 5)
    assert observation[0, 0].max() == observation[0, 9, 2] == 255
    assert observation.sum(dtype=int) == 2 * 255


def test_the_paddle_stays_on_the_board():
    env = Catch()
    env.reset(seed=0)
    for _ in range(4):
        observation = env.step(0)[0]
    assert observation[0, 9].tolist() == [255, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: corridor(0), "at least 1; got 0"),
        (lambda: corridor(3, slip=1.5), r"\[0, 1\]; got 1.5"),
        (lambda: corridor(3, reward_noise=-1), "at least 0; got -1"),
        (lambda: trap(0, 3), "at least 1; got 0 and 3"),
        (lambda: Catch(rows=1), "at least 2; got 1 and 5"),
        (lambda: Catch(render_mode="human"), "got 'human'"),
        (lambda: Corridor(render_mode="ansi"), "got 'ansi'"),
        (lambda: walk(Corridor(), 2), "one of 0 … 1; got 2"),
        (lambda: walk(Catch(), 3), r"2 \(right\); got 3"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("env", [Corridor(), Catch()])
def test_a_step_before_the_first_reset_is_refused(env):
    with pytest.raises(gym.error.ResetNeeded):
        env.step(0)


@pytest.mark.parametrize(("seed", "sign", "right"), [(0, DOWN_SIGN, DOWN), (1, UP_SIGN, UP)])
def test_the_t_maze_shows_its_sign_once_and_pays_for_remembering_it(seed, sign, right):
    env = TMaze(length=2)
    assert env.reset(seed=seed) == (sign, {})
    seen = [env.step(action)[:3] for action in (UP, DOWN, UP)]
    assert seen == [(CORRIDOR, 0.0, False)] * 2 + [(JUNCTION, 0.0, False)]
    assert env.step(right)[:4] == (JUNCTION, 1.0, True, False)
    env.reset(seed=seed)
    for _ in range(3):
        env.step(right)
    assert env.step(UP + DOWN - right)[1:4] == (-1.0, True, False)


def test_both_signs_of_the_t_maze_are_equally_likely():
    env = TMaze()
    env.reset(seed=0)
    signs = [env.reset()[0] for _ in range(1000)]
    # Standard error .016: five of them.
    assert np.mean(np.array(signs) == UP_SIGN) == pytest.approx(0.5, abs=0.08)


def test_cartpole_without_velocities_is_cartpole_half_seen():
    whole, half = (
        gym.make(name) for name in ("CartPole-v1", "a3c_lib/CartPoleWithoutVelocities-v0")
    )
    assert whole.reset(seed=3)[0][::2] == pytest.approx(half.reset(seed=3)[0])
    for action in (RIGHT, LEFT, RIGHT):
        seen, *rest = whole.step(action)
        seen_by_half, *rest_of_half = half.step(action)
        assert seen[::2] == pytest.approx(seen_by_half)
        assert rest == rest_of_half
        assert half.observation_space.contains(seen_by_half)
    assert half.spec.max_episode_steps == whole.spec.max_episode_steps


# ---- pictures of others ----


class Screen(gym.Env):
    """Shows height, width and channel of every byte, in (H, W, C)."""

    observation_space = gym.spaces.Box(0, 255, (7, 5, 3), np.uint8)
    action_space = gym.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        return self.picture(), {}

    def step(self, action):
        return self.picture(), 0.0, False, False, {}

    def picture(self):
        row, column, channel = np.indices((7, 5, 3))
        return (100 * channel + 10 * row + column).astype(np.uint8)


def test_the_channels_of_pictures_are_brought_to_the_front():
    env = ChannelsFirst(Screen())
    (shown, _), (stepped, *_) = env.reset(), env.step(0)
    assert shown.shape == env.observation_space.shape == (3, 7, 5)
    assert env.observation_space.contains(np.ascontiguousarray(shown))
    assert shown[2, 6, 4] == stepped[2, 6, 4] == (200 + 60 + 4) % 256
    assert np.array_equal(shown, np.transpose(Screen().picture(), (2, 0, 1)))


def test_what_is_no_picture_has_no_channels():
    with pytest.raises(ValueError, match="a Box with three axes; got Discrete"):
        ChannelsFirst(gym.make("a3c_lib/Corridor-v0"))
