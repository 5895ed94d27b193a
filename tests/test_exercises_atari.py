"""Right answers to chapter 07's exercises in other forms, and what its cases tell apart."""

import math

import numpy as np
import pytest
import torch
from ale_py import Action, ALEInterface, LoggerMode, roms
from gymnasium import spaces
from torch import nn

from a3c_lib import a2c
from a3c_lib.encoders import PaperEncoder, features_of, orthogonal_init, paper_network
from a3c_lib.exercises import atari as exercises
from a3c_lib.exercises.engine import registry
from a3c_lib.exercises.engine.checking import Kind, check
from a3c_lib.networks import ActorCritic
from a3c_lib.rollout import make_envs
from a3c_lib.worlds.atari import Game, clipped, shrunk

# 7.1


def with_roll(stack, picture, begins):
    new = np.roll(stack, -1, axis=0)
    if begins:
        new[:] = 0
    new[-1] = picture
    return new


def from_a_list(stack, picture, begins):
    older = [np.zeros_like(picture) for _ in stack[1:]] if begins else list(stack[1:])
    return np.array([*older, picture])


def multiplied(stack, picture, begins):
    return np.concatenate([stack[1:] * np.uint8(not begins), picture[np.newaxis]])


# 7.3


def in_one_sum(before, after):
    both = np.stack([before, after]).astype(float)
    grey = 0.299 * both[..., 0] + 0.587 * both[..., 1] + 0.114 * both[..., 2]
    return grey.round().astype(np.uint8).max(axis=0)


def in_whole_numbers(before, after):
    weights = np.array([299, 587, 114])
    return np.maximum(*((x @ weights + 500) // 1000 for x in (before, after))).astype(np.uint8)


# 7.4


def with_copies(console, action, frames):
    reward, screens = 0.0, []
    screen = np.empty((210, 160, 3), dtype=np.uint8)
    for _ in range(frames):
        reward += console.act(action)
        console.getScreenRGB(screen)
        screens.append(screen.copy())
    before, after = screens[-2:]
    return reward, before, after


def with_fresh_screens(console, action, frames):
    rewards = [console.act(action) for _ in range(frames - 1)]
    before = console.getScreenRGB()
    rewards.append(console.act(action))
    return sum(rewards), before, console.getScreenRGB()


def until_the_game_is_over(console, action, frames):
    reward, screens = 0.0, []
    for _ in range(frames):
        if console.game_over():
            break
        reward += console.act(action)
        screens.append(console.getScreenRGB())
    before, after = screens[-2:]
    return reward, before, after


# 7.5


def with_a_lambda(targets):
    return lambda rewards, *others: targets(torch.clip(rewards, -1.0, 1.0), *others)


def written_out(targets):
    def limited(rewards, next_values, terminated, truncated, gamma):
        small = torch.minimum(torch.maximum(rewards, -torch.ones(())), torch.ones(()))
        return targets(small, next_values, terminated, truncated, gamma)

    return limited


# 7.6


def with_diff(lives, over, timed_out):
    lost = np.logical_and(np.diff(lives, axis=0) < 0, np.logical_not(timed_out))
    return np.logical_or(lost, over), np.logical_or(over, timed_out)


def step_by_step(lives, over, timed_out):
    terminated, reported = np.zeros_like(over), np.zeros_like(over)
    for t, n in np.ndindex(over.shape):
        same_game = not (over[t, n] or timed_out[t, n])
        terminated[t, n] = over[t, n] or (same_game and lives[t + 1, n] < lives[t, n])
        reported[t, n] = over[t, n] or timed_out[t, n]
    return terminated, reported


# 7.7


def in_whole_steps(frames, t_max, num_envs, frame_skip):
    return -(-frames // (frame_skip * t_max * num_envs))


def counted(frames, t_max, num_envs, frame_skip):
    updates = -(-frames // (frame_skip * t_max * num_envs)) - 2
    while updates * t_max * num_envs * frame_skip < frames:
        updates += 1
    return updates


# 7.2


def with_flatten(layers, pictures):
    batch = pictures.shape[:-3]
    scaled = pictures.float().div(255)
    flat = scaled.flatten(0, len(batch) - 1) if batch else scaled[None]
    return layers(flat).unflatten(0, batch) if batch else layers(flat)[0]


def one_by_one(layers, pictures):
    if pictures.dim() == 3:
        return layers(pictures[None] / 255)[0]
    return torch.stack([one_by_one(layers, each) for each in pictures])


class LayerByLayer(nn.Module):
    """7.8 without a Sequential."""

    def __init__(self, stack, actions):
        super().__init__()
        self.value_head = nn.Linear(256, 1)
        self.policy_head = nn.Linear(256, actions)
        self.units = nn.Linear(32 * 9 * 9, 256)
        self.second = nn.Conv2d(16, 32, 4, stride=2)
        self.first = nn.Conv2d(stack, 16, 8, stride=4)

    def forward(self, pictures):
        batch = pictures.shape[:-3]
        signal = pictures.reshape(-1, *pictures.shape[-3:]).float() / 255
        for layer in self.first, self.second:
            signal = layer(signal).relu()
        features = self.units(signal.flatten(1)).relu().unflatten(0, batch or (1,))
        features = features if batch else features[0]
        return self.policy_head(features), self.value_head(features)[..., 0]


class HeadsByOtherNames(exercises.PaperNetwork):
    def __init__(self, stack, actions):
        super().__init__(stack, actions)
        self.actor, self.critic = self.policy_head, self.value_head
        del self.policy_head, self.value_head

    def forward(self, pictures):
        features = features_of(self.torso, pictures)
        return self.actor(features), self.critic(features).squeeze(-1)


@pytest.mark.parametrize(
    ("exercise_id", "answer"),
    [
        ("7.1", with_roll),
        ("7.1", from_a_list),
        ("7.1", multiplied),
        ("7.3", in_one_sum),
        ("7.3", in_whole_numbers),
        ("7.4", with_copies),
        ("7.4", with_fresh_screens),
        ("7.4", until_the_game_is_over),
        ("7.5", with_a_lambda),
        ("7.5", written_out),
        ("7.6", with_diff),
        ("7.6", step_by_step),
        ("7.7", in_whole_steps),
        ("7.7", counted),
        ("7.2", with_flatten),
        ("7.2", one_by_one),
        ("7.8", LayerByLayer),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_other_right_forms_pass(exercise_id, answer):
    verdict = check(registry.find(exercise_id), answer)
    assert verdict.kind is Kind.RIGHT, verdict.text


def test_a_counter_that_falls_where_the_time_is_up_is_the_new_games():
    lives, over, timed_out = (
        np.array([[4], [4], [3]]),
        np.zeros((2, 1), bool),
        np.zeros((2, 1), bool),
    )
    timed_out[1] = True
    terminated, reported = exercises.ends(lives, over, timed_out)
    assert not terminated.any()
    np.testing.assert_array_equal(reported, timed_out)


def test_buttons_may_be_pressed_by_their_names():
    def let_go(console, action, frames):
        rewards = [
            console.act(action if frame == 0 else Action.NOOP) for frame in range(frames - 1)
        ]
        before = console.getScreenRGB()
        rewards.append(console.act(Action.NOOP))
        return sum(rewards), before, console.getScreenRGB()

    verdict = check(registry.find("7.4"), let_go)
    assert verdict.kind is Kind.WRONG
    assert "in the first frame alone" in verdict.text


# The references are what the package and ale-py do


def the_console(name):
    ALEInterface.setLoggerMode(LoggerMode.Error)
    console = ALEInterface()
    console.setInt("random_seed", 0)
    console.setFloat("repeat_action_probability", 0.0)
    console.loadROM(roms.get_rom_path(name))
    return console


def test_held_screens_made_one_and_pushed_are_what_ale_py_shows():
    game = Game("space_invaders", noop_max=0, fire_at_start=False)
    envs, console = game.make_envs(1), the_console("space_invaders")
    theirs, _ = envs.reset(seed=0)
    ours = theirs[0]
    buttons = console.getMinimalActionSet()
    for action in np.random.default_rng(0).integers(0, len(buttons), 60):
        theirs, their_reward, *_ = envs.step(np.array([action]))
        reward, before, after = exercises.held(console, buttons[action], 4)
        picture = shrunk(exercises.one_picture(before, after), 84, 84)
        ours = exercises.pushed(ours, picture, False)
        assert reward == their_reward[0]
        # ale-py shrinks in single precision: where a mean is a half, it may round the other way.
        assert np.abs(ours.astype(int) - theirs[0]).max() <= 1


def test_after_a_reset_ale_py_shows_one_picture_and_black_ones():
    (stack,), _ = Game("breakout", noop_max=0, fire_at_start=False).make_envs(1).reset(seed=0)
    alone = exercises.pushed(np.full_like(stack, 7), stack[-1], True)
    np.testing.assert_array_equal(stack, alone)


def test_ends_are_those_of_the_package():
    plain, with_lives = Game("breakout"), Game("breakout", life_ends=True)
    one, other = plain.make_envs(3), with_lives.make_envs(3)
    _, info = one.reset(seed=0)
    other.reset(seed=0)
    lives, over, timed_out, learned, reported = [info["lives"]], [], [], [], []
    for actions in np.random.default_rng(0).integers(0, 4, (400, 3)):
        *_, terminated, truncated, info = one.step(actions)
        lives.append(info["lives"])
        over.append(terminated)
        timed_out.append(truncated)
        *_, terminated, _, info = other.step(actions)
        learned.append(terminated)
        reported.append(info["game_over"])
    ours = exercises.ends(np.stack(lives), np.stack(over), np.stack(timed_out))
    np.testing.assert_array_equal(ours[0], np.stack(learned))
    np.testing.assert_array_equal(ours[1], np.stack(reported))
    assert ours[0].sum() > ours[1].sum() > 0


def test_the_papers_encoder_is_layers_for_pictures_in_any_batch():
    encoder = PaperEncoder(spaces.Box(0, 255, (4, 84, 84), np.uint8))
    pictures = torch.randint(0, 256, (2, 3, 4, 84, 84), dtype=torch.uint8)
    torch.testing.assert_close(exercises.features_of(encoder.layers, pictures), encoder(pictures))


def test_clipped_is_the_packages():
    assert registry.find("7.5").reference is clipped


@pytest.mark.parametrize("frames", [1, 160, 161, 400])
def test_updates_for_a_budget_are_those_of_a_training(frames):
    config = a2c.Config(total_steps=math.ceil(frames / 4), t_max=5, num_envs=4, fast_envs=False)
    model = ActorCritic.for_env(make_envs("CartPole-v1").envs[0], hidden=(2,))
    with a2c.train(model, "CartPole-v1", config) as training:
        assert len(list(training)) == exercises.updates_for(frames, 5, 4, 4)


def test_heads_are_to_have_their_names():
    """`orthogonal_init` looks for them."""
    verdict = check(registry.find("7.8"), HeadsByOtherNames)
    assert verdict.kind is Kind.WRONG
    assert "what is called policy_head and value_head is not right yet" in " ".join(
        verdict.text.split()
    )


def test_the_papers_network_is_the_packages():
    game = Game("pong")
    theirs = paper_network(game)
    ours = exercises.PaperNetwork(game.stack, len(game.actions))
    with torch.no_grad():
        for mine, its in zip(ours.parameters(), theirs.parameters(), strict=True):
            mine.copy_(its)
    pictures = torch.randint(0, 256, (2, 3, 4, 84, 84), dtype=torch.uint8)
    for one, other in zip(ours(pictures), theirs(pictures), strict=True):
        torch.testing.assert_close(one, other)
    orthogonal = exercises.PaperNetwork(game.stack, len(game.actions))
    first = orthogonal_init(orthogonal).torso[0].weight.detach().flatten(1)
    torch.testing.assert_close(first @ first.T, 2 * torch.eye(16), atol=1e-5, rtol=0)
