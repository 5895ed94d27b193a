"""What is shown beside a screen is what the model says of it."""

from functools import partial

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.wrappers import FrameStackObservation
from torch import nn

from a3c_lib.encoders import paper_lstm, paper_network
from a3c_lib.figures.drawing import BLUE, RED
from a3c_lib.figures.watching import PANEL, Watched, beside, play, scenes, watch
from a3c_lib.networks import ActorCritic
from a3c_lib.rollout import greedy
from a3c_lib.worlds.atari import Game
from a3c_lib.worlds.bounce import Bounce


def stacked(render_mode=None, **options):
    return FrameStackObservation(Bounce(render_mode=render_mode, **options), 2)


def of_colour(frame, colour):
    wanted = tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return (frame == wanted).all(axis=-1)


def test_an_episode_is_watched_to_its_end():
    model = ActorCritic.for_env(stacked(), seed=0)
    seen = watch(model, stacked, seed=4)
    assert len(seen.frames) == 20
    assert seen.probabilities.shape == (20, 7)
    np.testing.assert_allclose(seen.probabilities.sum(axis=1), 1, rtol=1e-5)
    env = stacked(render_mode="rgb_array")
    observation, _ = env.reset(seed=4)
    for step, action in enumerate(seen.actions):
        np.testing.assert_array_equal(seen.frames[step], env.render())
        with torch.no_grad():
            logits, value = model(torch.as_tensor(observation))
        assert seen.values[step] == pytest.approx(value.item(), abs=1e-5)
        np.testing.assert_allclose(seen.probabilities[step], logits.softmax(-1), atol=1e-5)
        observation, reward, *_ = env.step(action)
        assert seen.rewards[step] == reward


def test_a_game_is_watched_in_colours_and_played_as_the_model_sees_it():
    game = Game("breakout", sticky=0.25)
    model = paper_network(game)
    seen = watch(model, game, seed=2, max_steps=25)
    envs, screens = game.make_envs(1), game.make_screens(1)
    observation, _ = envs.reset(seed=2)
    screen, _ = screens.reset(seed=2)
    for step, action in enumerate(seen.actions):
        np.testing.assert_array_equal(seen.frames[step], screen[0, 0])
        value = model.values(torch.as_tensor(observation)).item()
        assert seen.values[step] == pytest.approx(value, abs=1e-5)
        observation, *_ = envs.step(np.array([action]))
        screen, *_ = screens.step(np.array([action]))
    assert seen.names == game.actions
    assert len(seen.frames) == 25


def test_a_life_is_no_game():
    game = Game("breakout", life_ends=True)
    assert len(watch(paper_network(game), game, max_steps=150).frames) > 100


def test_a_memory_is_carried_along():
    game = Game("pong")
    model = paper_lstm(game)
    seen = watch(model, game, max_steps=3)
    envs, state = game.make_envs(1), model.initial_state(1)
    observation, _ = envs.reset(seed=0)
    for step, action in enumerate(seen.actions):
        stack = torch.as_tensor(observation)
        assert seen.values[step] == pytest.approx(model.values(stack, state).item(), abs=1e-5)
        _, state = model.logits(stack, state)
        observation, *_ = envs.step(np.array([action]))


def test_a_memory_begins_anew_where_a_life_is_lost():
    game = Game("breakout", life_ends=True)
    model = paper_lstm(game)
    seen = watch(model, game, max_steps=60)
    envs, state, lost = game.make_envs(1), model.initial_state(1), 0
    observation, _ = envs.reset(seed=0)
    for step, action in enumerate(seen.actions):
        stack = torch.as_tensor(observation)
        assert seen.values[step] == pytest.approx(model.values(stack, state).item(), abs=1e-5)
        _, state = model.logits(stack, state)
        observation, _, terminated, *_ = envs.step(np.array([action]))
        if terminated[0]:
            state, lost = model.initial_state(1), lost + 1
    assert lost > 0


def test_a_games_actions_may_be_called_otherwise():
    game = Game("pong")
    assert watch(paper_network(game), game, max_steps=1, names="ABCDEF").names == tuple("ABCDEF")


def a_watch(steps=3, actions=2, height=40):
    return Watched(
        frames=(np.zeros((height, 50, 3), np.uint8),) * steps,
        values=np.linspace(0, 1, steps),
        probabilities=np.tile(np.linspace(0.2, 0.8, actions), (steps, 1)),
        actions=np.ones(steps, int),
        rewards=np.zeros(steps),
        names=tuple("ABCDEFGHIJKLMNOPQR"[:actions]),
    )


def test_the_screen_is_at_the_left_and_the_panel_at_the_right():
    frames = beside(a_watch())
    assert len({frame.shape for frame in frames}) == 1
    assert all((frame[:40, :50] == 0).all() for frame in frames)
    assert frames[0].shape[1] == 50 + PANEL


def test_the_curve_grows_and_climbs_with_the_value():
    frames = beside(a_watch(steps=5))
    blue = [of_colour(frame, BLUE) for frame in frames]
    assert [each.sum() for each in blue] == sorted(each.sum() for each in blue)
    highest = [np.flatnonzero(each.any(axis=1)).min() for each in blue]
    furthest = [np.flatnonzero(each.any(axis=0)).max() for each in blue]
    assert highest == sorted(highest, reverse=True)
    assert highest[0] > highest[-1]
    assert furthest == sorted(furthest)


def test_the_bar_of_the_action_taken_is_red_and_as_long_as_its_probability():
    def longest(p):
        seen = a_watch()._replace(probabilities=np.array([[1 - p, p]] * 3))
        return of_colour(beside(seen)[0], RED).sum(axis=1).max()

    assert longest(0.9) == pytest.approx(2 * longest(0.45), abs=3)


def test_many_actions_have_room():
    assert beside(a_watch(actions=18))[0].shape[0] > 18 * 14


def test_a_value_that_never_changes_is_drawn_too():
    assert len(beside(a_watch()._replace(values=np.ones(3)))) == 3


def test_a_reward_is_written():
    plain, paid = a_watch(), a_watch()._replace(rewards=np.array([0.0, 1.0, 0.0]))
    same = [np.array_equal(*pair) for pair in zip(beside(plain), beside(paid), strict=True)]
    assert same == [True, False, True]


def test_names_of_the_actions():
    model = ActorCritic.for_env(stacked(size=2))
    small = partial(stacked, size=2)
    assert watch(model, small, names=("left", "right")).names == ("left", "right")
    assert watch(model, small).names == ("0", "1")
    with pytest.raises(ValueError, match="2 actions need as many names; got 3"):
        watch(model, small, names=("a", "b", "c"))
    with pytest.raises(ValueError, match="max_steps is at least 1; got 0"):
        watch(model, small, max_steps=0)


def test_what_is_opened_is_closed():
    opened = []

    def watched(render_mode=None):
        env = stacked(render_mode=render_mode)
        opened.append(env)
        return env

    class Closed(gym.Wrapper):
        closed = False

        def close(self):
            Closed.closed = True
            super().close()

    watch(ActorCritic.for_env(stacked()), lambda render_mode: Closed(watched(render_mode)))
    assert Closed.closed
    assert len(opened) == 1


def test_greedy_actions_are_the_likeliest():
    model = ActorCritic.for_env(stacked(), seed=0)
    likeliest = watch(model, stacked, seed=4, actions="greedy")
    np.testing.assert_array_equal(likeliest.actions, likeliest.probabilities.argmax(axis=1))
    drawn = watch(model, stacked, seed=4)
    assert (drawn.actions != drawn.probabilities.argmax(axis=1)).any()
    with pytest.raises(ValueError, match="actions is 'sampled' or 'greedy'; got 'best'"):
        watch(model, stacked, actions="best")


class Starting(nn.Module):
    """Begins with 1 in its memory, and writes down what it remembers, and in which mode it is."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def initial_state(self, num_envs):
        return torch.ones(num_envs)

    def logits(self, observations, state):
        self.seen.append((None if state is None else state.item(), self.training))
        return torch.tensor([[0.0, 9.0]]), state + 1


def test_every_episode_of_a_film_begins_with_the_models_memory_in_evaluation_mode():
    model = Starting()
    play(greedy(model), "a3c_lib/Corridor-v0", episodes=2)
    assert model.seen == [(1, False), (2, False), (3, False)] * 2
    assert model.training


def test_where_a_game_ends_its_last_screen_is_shown_not_the_next_games():
    game = Game("pong", max_frames=200, noop_max=0)
    envs, screens = game.make_envs(1), game.make_screens(1)
    envs.reset(seed=1)
    screens.reset(seed=1)
    stay = np.array([0])
    stands = lambda observation, state: (torch.tensor([0]), state)  # noqa: E731
    shown = list(scenes(stands, game, seed=1, max_steps=100, episodes=2))
    for scene in shown:
        _, _, _, truncated, seen = envs.step(stay)
        screen, *_, of_screen = screens.step(stay)
        assert scene.truncated == truncated[0]
        if truncated[0]:
            np.testing.assert_array_equal(scene.after, seen["final_obs"])
            np.testing.assert_array_equal(scene.last_frame, of_screen["final_obs"][0, -1])
            begun = screen[0, -1]
            assert not np.array_equal(scene.last_frame, begun)
    first_of_the_second = [scene.truncated for scene in shown].index(True) + 1
    assert sum(scene.truncated for scene in shown) == 2
    assert not np.array_equal(
        shown[first_of_the_second].frame, shown[first_of_the_second - 1].last_frame
    )


def test_logits_that_are_no_numbers_are_told():
    model = ActorCritic.for_env(gym.make("a3c_lib/Corridor-v0"))
    with torch.no_grad():
        model.policy_head.weight.fill_(torch.nan)
    for actions in "sampled", "greedy":
        with pytest.raises(FloatingPointError, match="step 0: what is seen has no policy: the log"):
            watch(model, "a3c_lib/Corridor-v0", actions=actions)
