import math

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces

from a3c_lib.encoders import SmallEncoder
from a3c_lib.networks import ActorCritic, GaussianHead, Picture, encoder_for
from a3c_lib.recurrent import RecurrentActorCritic

VECTOR = spaces.Box(-1, 1, (4,), np.float64)
PICTURE = spaces.Box(0, 255, (2, 5, 6), np.uint8)
STATES = spaces.Discrete(7)
ACTIONS = spaces.Discrete(3)


def observations(space, *batch):
    count = math.prod(batch)
    flat = np.stack([space.sample() for _ in range(count)])
    return torch.as_tensor(flat).reshape(*batch, *(space.shape or ()))


@pytest.mark.parametrize("space", [VECTOR, PICTURE, STATES])
@pytest.mark.parametrize("batch", [(5,), (4, 3), (2, 3, 2)])
@pytest.mark.parametrize("hidden", [(), (16,), (16, 8)])
@pytest.mark.parametrize("shared", [True, False])
def test_any_batch_axes_go_in_and_come_out(space, batch, hidden, shared):
    model = ActorCritic(space, ACTIONS, hidden=hidden, shared=shared)
    logits, values = model(observations(space, *batch))
    assert logits.shape == (*batch, 3)
    assert values.shape == batch
    assert logits.dtype == values.dtype == torch.float32


@pytest.mark.parametrize("space", [VECTOR, PICTURE, STATES])
@pytest.mark.parametrize("shared", [True, False])
def test_the_heads_alone_say_what_they_say_together(space, shared):
    model = ActorCritic(space, ACTIONS, shared=shared)
    batch = observations(space, 3, 2)
    logits, values = model(batch)
    assert torch.equal(model.logits(batch), logits)
    assert torch.equal(model.values(batch), values)


def moved_by(model, output):
    gradients = torch.autograd.grad(output.sum(), list(model.parameters()), allow_unused=True)
    names = [name for name, _ in model.named_parameters()]
    return {n.split(".")[0] for n, g in zip(names, gradients, strict=True) if g is not None}


def test_a_shared_torso_learns_from_both_heads_and_separate_ones_from_their_own():
    batch = torch.randn(5, 4)
    shared, separate = (ActorCritic(VECTOR, ACTIONS, shared=s) for s in (True, False))
    assert moved_by(shared, shared(batch)[0]) == {"torso", "policy_head"}
    assert moved_by(shared, shared(batch)[1]) == {"torso", "value_head"}
    assert moved_by(separate, separate(batch)[0]) == {"torso", "policy_head"}
    assert moved_by(separate, separate(batch)[1]) == {"value_torso", "value_head"}


def test_on_states_two_linear_heads_are_tables():
    model = ActorCritic(STATES, ACTIONS, hidden=())
    with torch.no_grad():
        model.value_head.weight[0] = torch.arange(7.0)
    assert model.values(torch.arange(7)).tolist() == [0, 1, 2, 3, 4, 5, 6]


def test_states_may_be_counted_from_another_number():
    from_zero = ActorCritic(spaces.Discrete(3), ACTIONS)
    from_five = ActorCritic(spaces.Discrete(3, start=5), ACTIONS)
    assert torch.equal(from_zero.values(torch.arange(3)), from_five.values(torch.arange(5, 8)))


def test_bytes_are_scaled_to_one():
    model = ActorCritic(PICTURE, ACTIONS)
    white = torch.full((1, 2, 5, 6), 255, dtype=torch.uint8)
    eyes = model.torso[0]
    torch.testing.assert_close(eyes(white), eyes.layers(torch.ones(1, 2, 5, 6)).flatten(1))


def test_at_first_every_action_is_about_equally_likely():
    for seed in range(5):
        model = ActorCritic(VECTOR, ACTIONS, seed=seed)
        pi = model.logits(torch.randn(100, 4)).softmax(dim=-1)
        assert (pi - 1 / 3).abs().max() < 0.02


def test_a_gaussian_head_says_mean_and_deviation_in_the_boxs_unit():
    """Of a Box from 0 to 20: the middle is 10, and 1 of the layer's is 10. softplus(0.5413) is 1."""
    head = GaussianHead(3, spaces.Box(0, 20, (2,)))
    with torch.no_grad():
        head.linear.weight.zero_()
        head.linear.bias.copy_(
            torch.tensor([0.5, -0.2, math.log(math.e - 1), math.log(math.e - 1)])
        )
    pi = head(torch.randn(4, 3))
    torch.testing.assert_close(pi.mean, torch.tensor([[15.0, 8.0]]).expand(4, 2))
    torch.testing.assert_close(pi.deviation, torch.full((4, 2), 10.0))
    with torch.no_grad():
        head.linear.bias[2] = math.log(math.exp(4) - 1)  # a variance of 4
    assert head(torch.zeros(3)).deviation.tolist() == pytest.approx([20.0, 10.0])


def test_a_squashed_heads_actions_stay_in_the_box_however_far_out_its_mean_is():
    head = GaussianHead(3, spaces.Box(0, 20, (2,)), squashed=True)
    with torch.no_grad():
        head.linear.bias[:2] = torch.tensor([3.0, -3.0])
    pi = head(torch.randn(200, 3))
    actions = pi.sample(torch.Generator().manual_seed(0))
    assert ((actions >= 0) & (actions <= 20)).all()
    assert ((actions > 15) == torch.tensor([True, False])).float().mean() > 0.9
    mode = 10 + 10 * head.linear.bias[:2].tanh()
    torch.testing.assert_close(head(torch.zeros(3)).mode, mode)


def test_the_same_seed_gives_the_same_weights_and_leaves_torchs_random_state_alone():
    before = torch.get_rng_state()
    one, two, other = (ActorCritic(VECTOR, ACTIONS, seed=s) for s in (1, 1, 2))
    assert torch.equal(before, torch.get_rng_state())
    batch = torch.randn(5, 4)
    assert torch.equal(one(batch)[1], two(batch)[1])
    assert not torch.equal(one(batch)[1], other(batch)[1])


def test_a_network_fits_an_environment():
    model = ActorCritic.for_env(gym.make("a3c_lib/Catch-v0"))
    logits, _ = model(torch.zeros(2, 1, 10, 5, dtype=torch.uint8))
    assert logits.shape == (2, 3)


@pytest.mark.parametrize(
    "space",
    [
        spaces.Box(0, 1, (2, 5, 6), np.float32),
        spaces.Box(0, 255, (5, 6), np.uint8),
        spaces.MultiBinary(3),
        spaces.Dict(a=VECTOR),
    ],
)
def test_observations_that_are_not_supported_are_named_with_what_is(space):
    with pytest.raises(ValueError, match="are not supported; supported are observations"):
        ActorCritic(space, ACTIONS)


def test_actions_that_are_not_supported_are_named_with_what_is():
    with pytest.raises(ValueError, match=r"actions Multi.*actions that are Discrete or a Box"):
        ActorCritic(VECTOR, spaces.MultiBinary(3))


# ---- spaces of others ----


@pytest.mark.parametrize("shape", [(96, 96, 3), (210, 160, 3), (7, 7, 3), (10, 10, 4), (84, 84, 1)])
def test_pictures_whose_channels_come_last_are_refused_with_the_way_out(shape):
    """CarRacing's, an Atari screen, MiniGrid's, MinAtar's, a grey one."""
    space = spaces.Box(0, 255, shape, np.uint8)
    for make_encoder in encoder_for, SmallEncoder:
        with pytest.raises(ValueError, match=r"come last: wrap the env.*ChannelsFirst; if they do"):
            ActorCritic(space, spaces.Discrete(2), make_encoder=make_encoder)
    ActorCritic(space, spaces.Discrete(2), hidden=(4,), make_encoder=Picture)


@pytest.mark.parametrize("shape", [(3, 96, 96), (1, 9, 4), (4, 84, 84), (3, 3, 3), (1, 1, 1)])
def test_pictures_whose_channels_come_first_are_taken(shape):
    ActorCritic(spaces.Box(0, 255, shape, np.uint8), spaces.Discrete(2), hidden=(4,))


class OldDiscrete:
    """As of the package gym, which is not gymnasium."""

    n = 2
    __module__ = "gym.spaces.discrete"

    def __repr__(self):
        return "Discrete(2)"


@pytest.mark.parametrize("kind", [ActorCritic, RecurrentActorCritic])
def test_spaces_of_the_old_package_are_told_apart(kind):
    ours = spaces.Discrete(2)
    with pytest.raises(
        ValueError, match=r"observations are a space of gymnasium's; got Discrete\(2"
    ):
        kind(OldDiscrete(), ours)
    with pytest.raises(ValueError, match=r"actions are a space of gymnasium's.*one of gym's"):
        kind(ours, OldDiscrete())


def test_what_is_not_supported_is_said_with_the_way_out():
    with pytest.raises(ValueError, match=r"observations Dict\(.*FlattenObservation makes vectors"):
        ActorCritic(spaces.Dict({"a": spaces.Discrete(2)}), spaces.Discrete(2))


@pytest.mark.parametrize("variance", ["per-state", "state-independent"])
def test_actions_without_room_are_refused(variance):
    box = spaces.Box(np.array([-1.0, 2.0], np.float32), np.array([1.0, 2.0], np.float32))
    with pytest.raises(ValueError, match="actions need room on each axis of their Box"):
        GaussianHead(4, box, variance)
