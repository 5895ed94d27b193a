"""The ball flies as is said, and one picture tells of it what is computed on paper."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from a3c_lib.worlds.bounce import Bounce


def flights(env, episodes):
    """The columns of the ball, step by step, (episodes, steps + 1), and the rows."""
    places = []
    for episode in range(episodes):
        picture, _ = env.reset(seed=episode)
        pictures = [picture] + [env.step(0)[0] for _ in range(env.steps)]
        places.append([np.argwhere(each == 255)[0] for each in pictures])
    rows, columns = np.moveaxis(np.array(places), -1, 0)
    return rows, columns


def test_it_is_an_environment():
    check_env(Bounce(), skip_render_check=True)


def test_the_ball_flies_slantwise_and_bounces():
    rows, columns = flights(Bounce(size=5, steps=30), 20)
    for places in rows, columns:
        moves = np.diff(places)
        assert (np.abs(moves) == 1).all()
        turns = moves[:, 1:] != moves[:, :-1]
        at_a_wall = np.isin(places[:, 1:-1], (0, 4))
        np.testing.assert_array_equal(turns, at_a_wall)


def test_one_picture_leaves_both_ways_open_but_at_a_wall():
    """Counted: after each place, both neighbours come equally often; walls are one in size − 1."""
    size = 5
    rows, columns = flights(Bounce(size, steps=16), 500)
    share = np.isin(columns, (0, size - 1)).mean()
    assert share == pytest.approx(1 / (size - 1), abs=0.02)
    for row in range(size):
        for column in range(1, size - 1):
            here = (columns[:, :-1] == column) & (rows[:, :-1] == row)
            right = (columns[:, 1:] == column + 1)[here].mean()
            assert right == pytest.approx(0.5, abs=0.06)


def test_it_pays_for_the_column_where_the_ball_will_be():
    env = Bounce(size=4, steps=12)
    for column in range(4):
        env.reset(seed=1)
        for _ in range(12):
            picture, reward, *_ = env.step(column)
            assert reward == float(picture[:, column].any())


def test_what_is_done_changes_nothing_and_is_not_seen():
    one, other = Bounce(), Bounce()
    one.reset(seed=3)
    other.reset(seed=3)
    for step in range(20):
        np.testing.assert_array_equal(one.step(0)[0], other.step(step % 7)[0])


def test_an_episode_is_cut_after_so_many_steps():
    env = Bounce(steps=3)
    env.reset(seed=0)
    assert [env.step(0)[2:4] for _ in range(3)] == [(False, False), (False, False), (False, True)]


def test_people_see_the_ball_and_where_was_pointed():
    env = Bounce(size=4, render_mode="rgb_array")
    env.reset(seed=0)
    assert env.render().shape == (5 * 24, 4 * 24, 3)
    before = env.render()
    env.step(2)
    after = env.render()
    assert (before[-1] == 255).all()
    assert (after[-1, 2 * 24 : 3 * 24] != 255).any()
    assert (after[-1, : 2 * 24] == 255).all()
    assert Bounce().render() is None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"size": 1}, "size is at least 2; got 1"),
        ({"steps": 0}, "steps is at least 1; got 0"),
        ({"render_mode": "human"}, "got 'human'"),
    ],
)
def test_options_that_make_no_sense(options, said):
    with pytest.raises(ValueError, match=said):
        Bounce(**options)


def test_mistakes_in_its_use_are_named():
    env = Bounce()
    with pytest.raises(gym.error.ResetNeeded):
        env.step(0)
    env.reset(seed=0)
    with pytest.raises(ValueError, match="got 7"):
        env.step(7)
