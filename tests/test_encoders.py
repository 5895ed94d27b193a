"""The paper's networks are as they are printed, and pixels are normalised as is said."""

import tracemalloc

import gymnasium as gym
import numpy as np
import pytest
import torch

from a3c_lib.encoders import (
    PaperEncoder,
    PixelStatistics,
    SmallEncoder,
    orthogonal_init,
    paper_lstm,
    paper_network,
    pixel_statistics,
)
from a3c_lib.networks import ActorCritic
from a3c_lib.worlds.atari import AtariEnvs, Game


def test_the_papers_network_is_the_one_of_the_paper():
    game = Game("pong")
    model = paper_network(game)
    shapes = [tuple(theta.shape) for theta in model.parameters() if theta.dim() > 1]
    assert shapes == [(16, 4, 8, 8), (32, 16, 4, 4), (256, 2592), (6, 256), (1, 256)]
    pictures = torch.randint(0, 256, (3, 2, 4, 84, 84), dtype=torch.uint8)
    logits, values = model(pictures)
    assert logits.shape == (3, 2, 6)
    assert values.shape == (3, 2)
    convolved = model.torso[0].layers[:4](pictures.reshape(6, 4, 84, 84).float() / 255)
    features = model.torso[1](convolved.flatten(1)).relu()
    torch.testing.assert_close(logits.reshape(6, 6), model.policy_head(features))


def test_small_pictures_have_a_small_encoder():
    game = Game("pong", size=42, stack=1)
    model = ActorCritic.for_env(
        game, hidden=(256,), make_encoder=SmallEncoder, activation=torch.nn.ELU
    )
    assert model.torso[0].width == 288
    assert model(torch.zeros(2, 1, 42, 42, dtype=torch.uint8))[1].shape == (2,)


def test_encoders_of_other_sizes_know_how_wide_they_are():
    for size in 84, 96:
        encoder = PaperEncoder(gym.spaces.Box(0, 255, (2, size, size), np.uint8))
        assert encoder(torch.zeros(1, 2, size, size, dtype=torch.uint8)).shape == (1, encoder.width)


def test_light_is_the_mean_of_random_play_and_how_far_dots_are_from_it():
    game = Game("breakout")
    statistics = pixel_statistics(game, steps=40, num_envs=3, seed=5)
    envs, dice = game.make_envs(3), np.random.default_rng(5)
    envs.reset(seed=5)
    actions = dice.integers(0, len(game.actions), (40, 3))
    seen = [picture for action in actions for picture in envs.step(action)[0][:, -1]]
    mean = sum(picture.astype(float) for picture in seen) / len(seen)
    assert np.array_equal(statistics.mean.numpy(), mean.round())
    squares = [((picture - mean.round()) ** 2).mean() for picture in seen]
    assert statistics.deviation == pytest.approx(np.sqrt(np.mean(squares)), rel=1e-6)


@pytest.mark.parametrize("brightest", [255, 0])
def test_normalised_pixels_are_what_differs_from_the_mean_picture(brightest):
    game = Game("pong")
    dice = torch.Generator().manual_seed(0)
    statistics = PixelStatistics(
        torch.randint(brightest + 1, (84, 84), generator=dice).float(), 5.0
    )
    plain, model = paper_network(game), paper_network(game, statistics=statistics)
    pictures = torch.randint(256, (3, 4, 84, 84), generator=dice, dtype=torch.uint8)
    normalised = (pictures.double() - statistics.mean.double()) / 5
    layers = plain.torso[0].layers.double()  # the same weights, since the seed is the same
    torch.testing.assert_close(model.torso[0](pictures), layers(normalised).float())
    again = paper_network(game, seed=1, statistics=PixelStatistics(torch.ones(84, 84), 1.0))
    again.load_state_dict(model.state_dict())  # its statistics come along
    torch.testing.assert_close(again.torso[0](pictures), model.torso[0](pictures))


def test_pictures_whose_channels_come_last_are_told():
    for encoder in PaperEncoder, SmallEncoder:
        with pytest.raises(ValueError, match="seem to come last"):
            encoder(gym.spaces.Box(0, 255, (84, 84, 4), np.uint8))


def test_statistics_take_little_more_than_the_pictures():
    tracemalloc.start()
    pixel_statistics(Game("pong"), steps=300, num_envs=4)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 3 * 300 * 4 * 84 * 84


def test_environments_are_closed_where_statistics_fail(monkeypatch):
    closed = []
    monkeypatch.setattr(AtariEnvs, "close", lambda self: closed.append(self))
    monkeypatch.setattr(AtariEnvs, "step", lambda self, actions: {}["nothing"])
    with pytest.raises(KeyError):
        pixel_statistics(Game("pong"), steps=3)
    assert len(closed) == 1


def test_layers_without_a_bias_are_initialised_too():
    model = paper_network(Game("pong"))
    model.torso[1] = torch.nn.Linear(2592, 256, bias=False)
    rows = orthogonal_init(model).torso[1].weight.detach()
    torch.testing.assert_close(rows @ rows.T, 2 * torch.eye(256), atol=1e-4, rtol=0)


def test_networks_of_the_same_statistics_share_nothing():
    statistics = PixelStatistics(torch.full((84, 84), 7.0), 5.0)
    one, other = (paper_network(Game("pong"), statistics=statistics) for _ in range(2))
    brighter = PixelStatistics(torch.full((84, 84), 50.0), 9.0)
    one.load_state_dict(paper_network(Game("pong"), statistics=brighter).state_dict())
    assert (one.torso[0].mean == 50).all()
    assert (other.torso[0].mean == 7).all()
    assert (statistics.mean == 7).all()


def test_a_game_in_which_nothing_moves_has_no_statistics():
    with pytest.raises(ValueError, match="nothing moves in 1 steps of 'pong'"):
        pixel_statistics(
            Game("pong", noop_max=0, fire_at_start=False, stack=1), steps=1, num_envs=1
        )


@pytest.mark.parametrize(
    ("statistics", "said"),
    [
        (PixelStatistics(torch.zeros(42, 42), 1.0), r"a picture \(84, 84\); got \(42, 42\)"),
        (PixelStatistics(torch.full((84, 84), 0.5), 1.0), "whole bytes"),
        (PixelStatistics(torch.full((84, 84), 256.0), 1.0), "whole bytes"),
        (PixelStatistics(torch.zeros(84, 84), 0.0), "deviation is above 0; got 0.0"),
    ],
)
def test_statistics_of_something_else_are_refused(statistics, said):
    with pytest.raises(ValueError, match=said):
        paper_network(Game("pong"), statistics=statistics)


@pytest.mark.parametrize("make", [paper_network, paper_lstm])
def test_orthogonal_weights(make):
    before = torch.random.get_rng_state()
    plain, model = make(Game("pong"), seed=3), make(Game("pong"), seed=3, orthogonal=True)
    assert torch.equal(torch.random.get_rng_state(), before)
    encoder, units, _ = model.torso
    gains = {
        encoder.layers[0]: 2**0.5,
        encoder.layers[2]: 2**0.5,
        units: 2**0.5,
        model.policy_head: 0.01,
        model.value_head: 1.0,
    }
    for layer, gain in gains.items():
        rows = layer.weight.detach().flatten(1)
        torch.testing.assert_close(
            rows @ rows.T, gain**2 * torch.eye(len(rows)), atol=1e-4 * gain**2, rtol=0
        )
        assert not layer.bias.any()
    again, other = (orthogonal_init(make(Game("pong")), seed) for seed in (3, 4))
    assert torch.equal(again.value_head.weight, model.value_head.weight)
    assert not torch.equal(other.value_head.weight, model.value_head.weight)
    if make is paper_lstm:
        assert torch.equal(plain.lstm.weight_ih, model.lstm.weight_ih)
