"""Games are shown as the DQN papers show them; what is said of ale-py's environments is true."""

import pickle
from collections import deque

import ale_py
import gymnasium as gym
import numpy as np
import pytest
import torch
from ale_py import ALEInterface, LoggerMode, roms
from gymnasium.wrappers import AtariPreprocessing, FrameStackObservation
from scripted import Paying

from a3c_lib import a2c, a3c
from a3c_lib.actor_critic import WithContext
from a3c_lib.encoders import (
    paper_lstm,
    paper_network,
)
from a3c_lib.evaluation import evaluate
from a3c_lib.networks import ActorCritic
from a3c_lib.returns import n_step_returns
from a3c_lib.rollout import collect, make_envs, sampled, start
from a3c_lib.worlds.atari import Game, clipped, luminance, shrunk

gym.register_envs(ale_py)


def random_actions(game: Game, steps: int, num_envs: int = 1) -> np.ndarray:
    return np.random.default_rng(0).integers(0, len(game.actions), (steps, num_envs))


# What is seen


@pytest.mark.parametrize(
    ("name", "id_"), [("pong", "ALE/Pong-v5"), ("breakout", "ALE/Breakout-v5")]
)
def test_observations_are_those_of_gymnasiums_wrappers(name, id_):
    game = Game(name, noop_max=0, fire_at_start=False)
    envs = game.make_envs(1)
    env = gym.make(id_, frameskip=1, repeat_action_probability=0.0)
    env = FrameStackObservation(
        AtariPreprocessing(env, noop_max=0, frame_skip=4, screen_size=84), 4, padding_type="zero"
    )
    ours, info = envs.reset(seed=3)
    theirs, _ = env.reset(seed=3)
    np.testing.assert_array_equal(ours[0], theirs)
    for action in random_actions(game, 250)[:, 0]:
        ours, reward, terminated, _, info = envs.step(np.array([action]))
        theirs, their_reward, over, _, _ = env.step(action)
        assert reward[0] == their_reward
        assert terminated[0] == over
        if over:
            np.testing.assert_array_equal(info["final_obs"][0], theirs)
            break
        np.testing.assert_array_equal(ours[0], theirs)


@pytest.mark.parametrize("size", [84, 42])
def test_a_picture_is_made_of_two_screens(size):
    """Luminance, the brighter of the last two frames, shrunk by areas, the latest four together."""
    game = Game("breakout", size=size, noop_max=0, fire_at_start=False)
    envs = game.make_envs(1)
    envs.reset(seed=0)
    console = a_console("breakout")
    seen = deque([np.zeros((size, size), np.uint8)] * 3 + [a_picture(console, size)], maxlen=4)
    for action in random_actions(game, 60)[:, 0]:
        ours, *_ = envs.step(np.array([action]))
        pressed = console.getMinimalActionSet()[action]
        for _ in range(3):
            console.act(pressed)
        before = a_picture(console, None)
        console.act(pressed)
        after = a_picture(console, None)
        seen.append(shrunk(np.maximum(before, after), size, size))
        # ale-py shrinks in single precision: where a mean is a half, it may round the other way.
        difference = np.abs(ours[0].astype(int) - np.stack(seen))
        assert difference.max() <= 1
        assert (difference > 0).mean() < 0.001


def a_console(name: str) -> ALEInterface:
    ALEInterface.setLoggerMode(LoggerMode.Error)
    console = ALEInterface()
    console.setInt("random_seed", 0)
    console.setFloat("repeat_action_probability", 0.0)
    console.loadROM(roms.get_rom_path(name))
    return console


def a_picture(console: ALEInterface, size: int | None) -> np.ndarray:
    grey = luminance(console.getScreenRGB())
    np.testing.assert_array_equal(grey, np.squeeze(console.getScreenGrayscale()))
    return grey if size is None else shrunk(grey, size, size)


@pytest.mark.parametrize("sticky", [0.0, 0.25])
def test_the_same_seed_and_actions_show_the_same_games_to_people(sticky):
    game = Game("breakout", sticky=sticky)
    envs, screens = game.make_envs(2), game.make_screens(2)
    envs.reset(seed=5)
    screens.reset(seed=5)
    for actions in random_actions(game, 200, 2):
        _, reward, terminated, _, info = envs.step(actions)
        screen, same_reward, same_terminated, _, same_info = screens.step(actions)
        np.testing.assert_array_equal(reward, same_reward)
        np.testing.assert_array_equal(terminated, same_terminated)
        np.testing.assert_array_equal(info["frame_number"], same_info["frame_number"])
    assert screen.shape == (2, 1, 210, 160, 3)


def test_sticky_actions_change_the_game():
    played = []
    for sticky in 0.0, 0.25:
        envs = Game("pong", sticky=sticky).make_envs(1)
        envs.reset(seed=1)
        pictures = [envs.step(actions)[0] for actions in random_actions(Game("pong"), 100)]
        played.append(np.stack(pictures))
    assert (played[0] != played[1]).any()


# Frames, lives and games


def test_a_step_is_frame_skip_frames():
    for frame_skip in 1, 3, 4:
        envs = Game("pong", frame_skip=frame_skip).make_envs(1)
        _, info = envs.reset(seed=0)
        before = info["frame_number"][0]
        for _ in range(10):
            *_, info = envs.step(np.array([0]))
        assert info["frame_number"][0] - before == 10 * frame_skip


def test_a_lost_life_ends_what_is_learned_from_but_not_the_game():
    plain, with_lives = Game("breakout"), Game("breakout", life_ends=True)
    one, other = plain.make_envs(3), with_lives.make_envs(3)
    one.reset(seed=0)
    _, info = other.reset(seed=0)
    lives = info["lives"]
    lost, over = 0, 0
    for actions in random_actions(plain, 400, 3):
        observation, reward, terminated, _, _ = one.step(actions)
        same, same_reward, ended, _, info = other.step(actions)
        np.testing.assert_array_equal(observation, same)
        np.testing.assert_array_equal(reward, same_reward)
        np.testing.assert_array_equal(terminated, info["game_over"])
        np.testing.assert_array_equal(ended, terminated | (info["lives"] < lives))
        only_a_life = ended & ~terminated
        if only_a_life.any():
            np.testing.assert_array_equal(info["final_obs"][only_a_life], same[only_a_life])
        lives = info["lives"]
        lost, over = lost + int(only_a_life.sum()), over + int(terminated.sum())
    assert lost > 4 * over > 0


def test_episodes_are_games_also_where_lives_end():
    scores = []
    for life_ends in False, True:
        envs = Game("breakout", life_ends=life_ends).make_envs(2)
        generator = torch.Generator().manual_seed(0)
        position = start(envs, 0)
        model = ActorCritic(envs.single_observation_space, envs.single_action_space, hidden=())
        rollout, _ = collect(envs, sampled(model, generator), position, 400)
        scores.append(rollout.episodes)
        lives_lost = int(rollout.terminated.sum())
    assert scores[0] == scores[1] != ()
    assert lives_lost > len(scores[1])


def test_a_game_that_takes_too_long_is_truncated():
    envs = Game("pong", max_frames=60, noop_max=1).make_envs(1)
    envs.reset(seed=0)
    for _ in range(15):
        *_, terminated, truncated, info = envs.step(np.array([0]))
        if truncated[0]:
            break
    assert truncated[0]
    assert not terminated[0]
    assert info["game_over"][0]


def test_a_short_game_is_over_also_where_the_next_one_begins_later():
    envs = Game("pong", max_frames=8, noop_max=30).make_envs(8)
    envs.reset(seed=0)
    for _ in range(12):
        *_, truncated, info = envs.step(np.zeros(8, dtype=np.int64))
        np.testing.assert_array_equal(info["game_over"], truncated)


def test_any_seed_will_do():
    envs = Game("pong").make_envs(2)
    for seed in 0, 2**31 - 1, 2**32 - 1, 2**40, np.int64(2**31 + 5):
        envs.reset(seed=seed)


def test_environments_begin_differently_and_again_in_the_same_way():
    envs = Game("pong").make_envs(3)

    def pictures() -> np.ndarray:
        _, info = envs.reset(seed=0)
        assert len(set(info["episode_frame_number"])) > 1
        return np.stack([envs.step(actions)[0] for actions in random_actions(Game("pong"), 60, 3)])

    np.testing.assert_array_equal(pictures(), pictures())


# What is learned from


def test_rewards_are_clipped_for_the_critic_and_not_in_what_is_reported():
    rewards = torch.tensor([[5.0], [-3.0], [0.5]])
    after, no = torch.ones(3, 1), torch.zeros(3, 1, dtype=torch.bool)
    returns = clipped(n_step_returns)(rewards, after, no, no, 0.5)
    # from the end: 0.5 + 0.5·1 = 1, −1 + 0.5·1 = −0.5, 1 + 0.5·(−0.5) = 0.75
    assert returns.squeeze().tolist() == [0.75, -0.5, 1.0]


def test_targets_that_see_the_context_see_it_where_rewards_are_clipped():
    seen = []

    @WithContext
    def targets(rewards, *others):
        *others, context = others
        seen.append((set(rewards.flatten().tolist()), set(context.rollout.rewards[0].tolist())))
        return n_step_returns(rewards, *others)

    model = ActorCritic.for_env(Paying(5.0), hidden=(4,))
    config = a2c.Config(total_steps=40, num_envs=2, t_max=5)
    with a2c.train(model, lambda: Paying(5.0), config, targets=clipped(targets)) as training:
        list(training)
    assert seen == [({1.0}, {5.0})] * 4


def test_what_is_reported_is_the_score():
    """An invader is worth 5 to 30 points: clipped, no score would be above the number of hits."""
    game = Game("space_invaders", max_frames=400)
    model = paper_network(game)
    config = a2c.Config(total_steps=2000, num_envs=8, t_max=5)
    with a2c.train(model, game, config, targets=clipped(n_step_returns)) as training:
        scores = [e.episode_return for update in training for e in update.episodes]
    assert max(scores) >= 15
    assert all(score % 5 == 0 for score in scores)


# Where it goes


def test_a_game_goes_wherever_an_id_does():
    game = Game("pong", max_frames=200)
    assert make_envs(game, 3).num_envs == 3
    assert pickle.loads(pickle.dumps(game)) == game
    model = paper_network(game)
    common = {"total_steps": 40, "t_max": 5, "num_envs": 2}
    with a2c.train(model, game, a2c.Config(**common)) as training:
        assert [update.steps for update in training] == [10, 20, 30, 40]
    config = a3c.Config(**common, num_workers=2, schedule="round-robin")
    with a3c.train(model, game, config) as training:
        assert sum(1 for _ in training) == 4
    assert evaluate(model, game, episodes=2, num_envs=2).returns.shape == (2,)


def test_the_lstm_plays_too():
    game = Game("pong", max_frames=200)
    model = paper_lstm(game)
    config = a2c.Config(total_steps=40, t_max=5, num_envs=4)
    with a2c.train(model, game, config) as training:
        assert [update.steps for update in training] == [20, 40]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": "Pong"}, "'Pong'"),
        ({"size": 0}, "size is at least 1; got 0"),
        ({"stack": -1}, "stack is at least 1; got -1"),
        ({"frame_skip": 0}, "frame_skip is at least 1; got 0"),
        ({"noop_max": -1}, "noop_max is at least 0; got -1"),
        ({"sticky": 1.0}, "got 1.0"),
        ({"max_frames": 0}, "max_frames is at least 1; got 0"),
        ({"size": 84.5}, "size is a whole number; got 84.5"),
        ({"stack": True}, "stack is a whole number; got True"),
        ({"life_ends": 1}, "life_ends is True or False; got 1"),
        ({"num_threads": -2}, "num_threads is at least 0; got -2"),
    ],
)
def test_options_that_make_no_sense(wrong, said):
    with pytest.raises(ValueError, match=said.replace("(", r"\(")):
        Game(**{"name": "pong", **wrong})
