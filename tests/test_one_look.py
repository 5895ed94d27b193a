"""What is learned from one look is what is learned from two."""

from copy import deepcopy
from functools import partial
from itertools import product

import pytest
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from scripted import Pictured
from torch import nn
from torch.nn.functional import conv2d, linear
from torch.utils._pytree import tree_map

from a3c_lib import a2c, a3c, parallel_a2c
from a3c_lib.actor_critic import look_back
from a3c_lib.encoders import (
    PaperEncoder,
    PixelStatistics,
    SmallEncoder,
    paper_lstm,
    paper_network,
    pixel_statistics,
)
from a3c_lib.evaluation import evaluate
from a3c_lib.losses import a2c_loss
from a3c_lib.networks import ActorCritic
from a3c_lib.one_look import (
    KnownConvolutions,
    KnownUnits,
    OneLook,
    Pile,
    Seen,
    of_patches,
    patches,
)
from a3c_lib.recurrent import RecurrentActorCritic
from a3c_lib.returns import n_step_returns
from a3c_lib.rollout import collect, initial_state, sampled, start
from a3c_lib.training import gradients_of
from a3c_lib.worlds.atari import Game, clipped

PONG = Game("pong")


def network(kind=ActorCritic, make_encoder=PaperEncoder, **options):
    """A small one, whose policy head is not small."""
    memory = {"cells": 3} if kind is RecurrentActorCritic else {}
    options = {"hidden": (4,), "seed": 1, "activation": nn.ReLU, **memory, **options}
    model = kind.for_env(Pictured(), make_encoder=make_encoder, **options)
    with torch.no_grad():
        model.policy_head.weight *= 100
    return model


def lengths(*of_environments, mode=AutoresetMode.SAME_STEP, ends="terminated"):
    makes = [lambda n=n: Pictured(n, ends) for n in of_environments]
    return SyncVectorEnv(makes, autoreset_mode=mode)


# Patches


@pytest.mark.parametrize("shape", [(3, 2, 22, 23), (1, 1, 8, 8), (1, 4, 84, 84)])
def test_a_patch_is_sixteen_channels(shape):
    pictures = torch.randint(256, shape, dtype=torch.uint8)
    cut = patches(pictures)
    rows, columns = shape[2] // 4, shape[3] // 4
    assert cut.shape == (shape[0], 16 * shape[1], rows, columns)
    for row in range(rows):
        for column in range(columns):
            patch = pictures[:, :, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
            assert torch.equal(cut[:, :, row, column], patch.flatten(1))


@pytest.mark.parametrize("size", [(84, 84), (42, 42), (23, 30)])
def test_a_convolution_of_patches_is_that_of_pictures(size):
    pictures = torch.randint(256, (3, 4, *size), dtype=torch.uint8)
    weight = torch.randn(5, 4, 8, 8, dtype=torch.float64)
    expected = conv2d(pictures.double(), weight, stride=4)
    torch.testing.assert_close(conv2d(patches(pictures).double(), of_patches(weight)), expected)


def test_known_convolutions_have_the_gradients_of_those_that_are_computed():
    torch.manual_seed(0)
    signal = torch.randn(3, 3, 7, 9, dtype=torch.float64)
    weights = [
        torch.randn(shape, dtype=torch.float64, requires_grad=True)
        for shape in ((4, 3, 2, 2), (4,), (5, 4, 3, 2), (5,))
    ]
    first = conv2d(signal, *weights[:2]).relu()
    computed = conv2d(first, *weights[2:], stride=2).relu().flatten(1)
    known = KnownConvolutions.apply(*weights, signal, first.detach(), computed.detach())
    assert torch.equal(known, computed)
    assert (first == 0).any()  # somewhere a ReLU lets nothing through
    assert (computed == 0).any()
    upstream = torch.randn_like(computed)
    torch.testing.assert_close(
        torch.autograd.grad(known, weights, upstream),
        torch.autograd.grad(computed, weights, upstream),
    )


@pytest.mark.parametrize("biases", [0, 1])
def test_known_units_have_the_gradients_of_those_that_are_computed(biases):
    torch.manual_seed(0)
    inputs = [
        torch.randn(shape, dtype=torch.float64, requires_grad=True)
        for shape in ((6, 3), (2, 3), *[(2,)] * biases)
    ]
    computed = linear(*inputs)
    known = KnownUnits.apply(inputs[0], computed.detach(), *inputs[1:])
    assert torch.equal(known, computed)
    upstream = torch.randn_like(computed)
    torch.testing.assert_close(
        torch.autograd.grad(known, inputs, upstream),
        torch.autograd.grad(computed, inputs, upstream),
    )


@pytest.mark.parametrize("shape", [(3, 2), (3, 2, 4, 5)])
def test_rows_of_a_pile_lie_one_under_another(shape):
    pile, given = Pile(), []
    for _ in range(2):  # the second time in the same memory
        given = [torch.randn(n, *shape[1:]) for n in (3, 3, 1, 9, 3)]
        for rows in given:
            pile.room(rows.shape, torch.float32, rows.device).copy_(rows)
        assert torch.equal(pile.rows, torch.cat(given))
        assert len(pile) == 19
        pile.clear()
    assert len(pile) == len(deepcopy(pile)._memory) == 0


@pytest.mark.parametrize("hidden", [(), (4,)])
def test_what_is_kept_lies_where_the_network_computes(hidden):
    """torch's device "meta" computes nothing; that memory is taken there can still be seen."""
    torso = OneLook(network(hidden=hidden))._torso
    weights = tree_map(lambda part: part if part is None else part.to("meta"), torso._prepared())
    pictures = torch.zeros(3, 2, 22, 23, dtype=torch.uint8, device="meta")
    seen = Seen(len(torso.behind))
    for _ in range(2):
        torso._look(pictures, weights, seen)
    piles = seen.patches, seen.first, seen.features, *seen.behind
    filled = [pile for pile in piles if len(pile)]
    assert len(filled) == 3 + len(hidden)
    assert {pile.rows.device.type for pile in filled} == {"meta"}
    assert {len(pile) for pile in filled} == {6}


def test_a_pile_goes_with_its_network_to_another_device():
    pile = Pile()
    pile.room((5, 2), torch.float32, torch.device("cpu"))
    pile.clear()
    assert pile.room((3, 2), torch.float32, torch.device("meta")).device.type == "meta"


# One look


def seen_twice(model, envs, t_max, rollouts=2):
    """(one look, two looks) of each of some rollouts in a row: logits, values, V(o_{t+1}), and what
    is learned from them."""
    once = OneLook(model)
    policy = sampled(once, torch.Generator().manual_seed(0))
    position = start(envs, 0, initial_state(once, envs.num_envs))
    for _ in range(rollouts):
        began, state = position, position.policy_state
        rollout, position = collect(envs, policy, began, t_max)
        one = look_back(once, rollout, state)
        two = look_back(model, rollout, state or None)
        yield tuple(
            (*seen, *taught(part, seen, rollout, real=~rollout.dummies))
            for part, seen in ((once, one), (model, two))
        )


def taught(model, seen, rollout, real):
    """The gradients that the real steps of a rollout give, of which this was seen."""
    logits, values, next_values = seen
    ends = rollout.terminated, rollout.truncated
    returns = n_step_returns(rollout.rewards, next_values, *ends, 0.9)
    loss = a2c_loss(logits[real], values[real], rollout.actions[real], returns[real])
    return gradients_of(loss.total, list(model.parameters()))


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("ends", ["terminated", "truncated"])
def test_one_look_sees_what_two_see(ends, shared):
    for one, two in seen_twice(network(shared=shared), lengths(2, 3, ends=ends), 5):
        torch.testing.assert_close(one, two)


@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP])
@pytest.mark.parametrize("ends", ["terminated", "truncated"])
def test_one_look_sees_what_two_see_with_memory(ends, mode):
    for one, two in seen_twice(
        network(RecurrentActorCritic), lengths(2, 3, mode=mode, ends=ends), 5
    ):
        torch.testing.assert_close(one, two)


@pytest.mark.parametrize("make", [paper_network, paper_lstm])
def test_one_look_at_pictures(make):
    envs = PONG.make_envs(3)
    for one, two in seen_twice(make(PONG), envs, 4):
        torch.testing.assert_close(one, two, atol=1e-5, rtol=1e-4)
    envs.close()


def test_one_look_at_normalised_pixels():
    statistics = PixelStatistics(torch.randint(256, (22, 23)).float(), 40.0)
    model = network(make_encoder=partial(PaperEncoder, statistics=statistics))
    for one, two in seen_twice(model, lengths(2, 3), 5):
        torch.testing.assert_close(one, two, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("hidden", [(), (4,), (5, 4)])
def test_one_look_with_any_layers_behind_the_encoder(hidden):
    for one, two in seen_twice(network(hidden=hidden), lengths(2, 3), 5):
        torch.testing.assert_close(one, two)


def test_the_encoder_looks_once_and_at_what_nobody_acted_on(monkeypatch):
    envs, looks = lengths(10, 10), []

    def counted(pictures):
        looks.append(len(pictures))
        return patches(pictures)

    monkeypatch.setattr("a3c_lib.one_look.patches", counted)
    once = OneLook(network())
    policy = sampled(once, torch.Generator().manual_seed(0))
    rollout, _ = collect(envs, policy, start(envs, 0, ()), 5)
    look_back(once, rollout, ())
    assert looks == [2] * 5 + [2]  # acting, then o_T of both environments


def trained(model, algorithm, config, env=Pictured, **options):
    with algorithm.train(model, env, config, **options) as training:
        return list(training)


COMMON = {"total_steps": 600, "t_max": 5, "num_envs": 4, "seed": 3, "learning_rate": 3e-3}
TRAINERS = {
    "a2c": (a2c, a2c.Config(**COMMON)),
    "a3c": (a3c, a3c.Config(**COMMON, schedule="round-robin")),
    "parallel_a2c": (parallel_a2c, parallel_a2c.Config(**COMMON, num_workers=1)),
}


@pytest.mark.parametrize(
    ("trainer", "kind"),
    [
        *product(("a2c", "a3c"), (ActorCritic, RecurrentActorCritic)),
        ("parallel_a2c", RecurrentActorCritic),
    ],
)
def test_training_with_one_look_is_training_with_two(trainer, kind):
    algorithm, config = TRAINERS[trainer]
    one, two = (network(kind) for _ in range(2))
    names = list(one.state_dict())
    once, twice = (trained(model, algorithm, config) for model in (OneLook(one), two))
    assert [update.episodes for update in once] == [update.episodes for update in twice]
    for ours, theirs in zip(one.parameters(), two.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)
    assert list(one.state_dict()) == names  # the caller's model has its own encoder


def test_two_processes_train_with_one_look():
    config = parallel_a2c.Config(
        total_steps=160, t_max=5, num_envs=4, num_workers=2, learning_rate=1e-3
    )
    models = [network() for _ in range(2)]
    for model in models[0], OneLook(models[1]):
        trained(model, parallel_a2c, config, targets=clipped(n_step_returns))
    changed = [not torch.equal(theta, new) for theta, new in pairs(network(), models[0])]
    assert any(changed)
    for two, one in pairs(*models):
        torch.testing.assert_close(one, two, atol=1e-4, rtol=1e-3)


def pairs(one, two):
    return zip(one.parameters(), two.parameters(), strict=True)


@pytest.mark.parametrize("normalised", [False, True])
def test_bfloat16_sees_nearly_the_same(normalised):
    statistics = pixel_statistics(PONG, steps=50) if normalised else None
    model, envs = paper_network(PONG, statistics=statistics), PONG.make_envs(2)
    once = OneLook(model, bfloat16=True)
    policy = sampled(once, torch.Generator().manual_seed(0))
    rollout, _ = collect(envs, policy, start(envs, 0, ()), 20)
    envs.close()
    logits, values, after = look_back(once, rollout, ())
    assert logits.dtype == values.dtype == after.dtype == torch.float32
    exact = look_back(model, rollout)
    difference = (values - exact[1]).abs().max() / exact[1].abs().max()
    assert 0 < difference < 0.02
    assert (
        torch.cosine_similarity(gradient(values, model), gradient(exact[1], model), dim=0) > 0.999
    )


def gradient(values, model):
    """Of the mean value."""
    parameters = [*model.torso.parameters(), *model.value_head.parameters()]
    return torch.cat([part.flatten() for part in torch.autograd.grad(values.mean(), parameters)])


def test_acting_outside_of_training_is_noticed():
    model = network()
    once = OneLook(model)
    with a2c.train(once, Pictured, a2c.Config(total_steps=1000, t_max=5)) as training:
        next(training)
        evaluate(model, Pictured, episodes=2)
        next(training)
        once.logits(torch.zeros(8, 2, 22, 23, dtype=torch.uint8), once.initial_state(8))
        with pytest.raises(RuntimeError, match="has 5 steps, but OneLook has acted in 6"):
            next(training)
        next(training)  # and training goes on


def test_a_run_goes_on_with_one_look_or_with_two():
    config, models = a2c.Config(**COMMON), [network() for _ in range(2)]
    with a2c.train(OneLook(models[0]), Pictured, config) as training:
        next(training)
        state = training.state_dict()
    assert list(state["model"]) == list(models[0].state_dict())
    for model in models[1], OneLook(network(seed=2)):
        with a2c.train(model, Pictured, config, resume=state) as training:
            assert all(map(torch.equal, state["model"].values(), model.state_dict().values()))
            assert next(training).updates == 2


class Restorable(Pictured):
    def state_dict(self):
        return {"episode": self.episode, "t": self.t}

    def load_state_dict(self, state):
        self.episode, self.t = state["episode"], state["t"]


@pytest.mark.parametrize("kind", [ActorCritic, RecurrentActorCritic])
@pytest.mark.parametrize("trainer", ["a2c", "a3c"])
def test_a_run_goes_on_where_it_was_if_its_world_can_be_restored(trainer, kind):
    """One worker of A3C is always within a rollout, and what was seen in it is not kept."""
    algorithm, config = TRAINERS[trainer]
    whole, parted = network(kind), network(kind)
    with algorithm.train(OneLook(whole), Restorable, config) as training:
        history = [next(training) for _ in range(6)]
    with algorithm.train(OneLook(parted), Restorable, config) as training:
        for _ in range(3):
            next(training)
        state = training.state_dict()
    with algorithm.train(OneLook(parted), Restorable, config, resume=state) as training:
        assert training.restored
        for update in history[3:]:
            ours = next(training)
            assert ours.episodes == update.episodes
            assert ours.value_loss == pytest.approx(update.value_loss, rel=1e-4)
            assert ours.policy_loss == pytest.approx(update.policy_loss, rel=1e-3, abs=1e-6)


def test_another_encoder_is_refused():
    with pytest.raises(TypeError, match="ActorCritic or a RecurrentActorCritic; got Linear"):
        OneLook(nn.Linear(2, 2))
    with pytest.raises(TypeError, match="looks once has a PaperEncoder; got SmallEncoder"):
        OneLook(network(make_encoder=SmallEncoder))


def test_a_world_that_resets_late_is_learned_from_without_its_dummy_steps():
    envs = SyncVectorEnv([lambda: Pictured(2)] * 2, autoreset_mode=AutoresetMode.NEXT_STEP)
    config = a2c.Config(total_steps=60, t_max=5, num_envs=2)
    with a2c.train(OneLook(network()), envs, config) as training:
        assert sum(len(update.episodes) for update in training) > 0
        assert training.steps >= 60
