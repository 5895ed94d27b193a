import copy
from functools import partial

import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from scripted import Reaching
from test_continuous import TRAINERS, trained, weights

from a3c_lib import a2c, a3c, parallel_a2c
from a3c_lib.evaluation import evaluate
from a3c_lib.networks import ActorCritic
from a3c_lib.normalising import Normalised
from a3c_lib.recurrent import RecurrentActorCritic
from a3c_lib.rollout import collect, make_envs, sampled, start

SEEN = spaces.Box(-1, 1, (2,))
KINDS = {
    "feed-forward": partial(ActorCritic, hidden=(8,)),
    "recurrent": partial(RecurrentActorCritic, hidden=(8,), cells=8),
}


def network(kind="feed-forward"):
    return KINDS[kind](SEEN, SEEN, make_encoder=Normalised, seed=1)


def statistics(model):
    encoder = model.torso[0]
    return [part.clone() for part in (encoder.mean, encoder.variance, encoder.count)]


def test_all_that_was_taken_in_counts_alike():
    encoder, random = Normalised(SEEN), np.random.default_rng(0)
    batches = [random.normal([5, -300], [2, 0.01], (n, 3, 2)) for n in (1, 4, 2, 10)]
    for batch in batches:
        encoder(torch.tensor(batch, dtype=torch.float32))
    together = np.concatenate(batches).astype(np.float32).astype(np.float64).reshape(-1, 2)
    assert encoder.count == len(together)
    np.testing.assert_allclose(encoder.mean, together.mean(0), rtol=1e-12)
    np.testing.assert_allclose(encoder.variance, together.var(0), rtol=1e-9)


def test_what_is_seen_is_normalised_before_it_is_taken_in():
    """Else the policy that is learned from would be another than the one that acted."""
    encoder = Normalised(SEEN)
    encoder(torch.tensor([[1.0, 2.0], [3.0, 6.0]]))
    with torch.no_grad():
        acted = encoder(torch.tensor([[5.0, 4.0]]))
    assert acted.tolist() == [pytest.approx([3.0, 0.0])]
    assert torch.equal(encoder(torch.tensor([[5.0, 4.0]])), acted)
    assert not torch.equal(encoder(torch.tensor([[5.0, 4.0]])), acted)


def test_to_act_or_to_evaluate_changes_nothing():
    model = network()
    model(torch.randn(5, 2))
    before = statistics(model)
    envs = make_envs(Reaching, 2)
    collect(envs, sampled(model, torch.Generator()), start(envs, 0), t_max=9)
    evaluate(model, Reaching, episodes=4)
    assert all(map(torch.equal, statistics(model), before))
    assert model.training


def test_what_is_far_away_is_put_at_ten_deviations():
    encoder = Normalised(SEEN)
    encoder(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]))
    assert encoder(torch.tensor([[1e9, 1.0]])).tolist() == [[10.0, 10.0]]


def test_what_never_changes_stays_finite():
    encoder = Normalised(SEEN)
    for _ in range(3):
        encoder(torch.tensor([[0.5, 2.0]]))
    assert encoder.variance.tolist() == [0, 0]
    assert encoder(torch.tensor([[0.5, 2.0]])).tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("trainer", TRAINERS)
def test_statistics_go_on_with_the_run_bit_for_bit(trainer, kind):
    model = network(kind)
    trained(trainer, model)
    interrupted, resumed = network(kind), network(kind)
    _, state, _ = trained(trainer, interrupted, steps=5)
    trained(trainer, resumed, resume=state)
    assert torch.equal(weights(resumed), weights(model))
    assert all(map(torch.equal, statistics(resumed), statistics(model)))
    assert statistics(model)[2] > 0


def test_one_thread_takes_in_every_observation_once():
    model = network()
    updates, *_ = trained("a2c", model)
    assert statistics(model)[2] == updates[-1].steps


@pytest.mark.parametrize(
    ("module", "options"),
    [
        (a3c, {"num_workers": 2, "num_envs": 2, "schedule": "round-robin"}),
        (parallel_a2c, {"num_workers": 2, "num_envs": 4}),
    ],
)
def test_workers_share_their_statistics(module, options):
    """What they have seen, between −1 and 1 and alike on both axes, is in the model's own."""
    model = network()
    config = module.Config(total_steps=400, t_max=5, **options)
    with module.train(model, Reaching, config) as training:
        list(training)
    mean, variance, count = statistics(model)
    assert count >= 150
    assert mean.abs().max() < 0.35
    assert (variance - 1 / 3).abs().max() < 0.12


def test_workers_in_processes_leave_theirs_in_the_model():
    model = network()
    config = a3c.Config(total_steps=100, t_max=5, num_workers=2)
    with a3c.train(model, Reaching, config) as training:
        list(training)
    assert statistics(model)[2] >= 5


def test_the_scale_of_what_is_seen_does_not_matter():
    """After the first rollout, that is: before it nothing is known."""
    small, large, scale = Normalised(SEEN), Normalised(SEEN), torch.tensor([1000.0, 0.01])
    seen = torch.randn(50, 2)
    small.take_in(seen)
    large.take_in(scale * seen)
    torch.testing.assert_close(large(scale * seen), small(seen), rtol=1e-3, atol=1e-3)


def test_a_copy_has_statistics_of_its_own():
    model = network()
    other = copy.deepcopy(model)
    model(torch.randn(5, 2))
    assert statistics(other)[2] == 0


@pytest.mark.parametrize("space", [spaces.Discrete(3), spaces.Box(0, 255, (1, 8, 8), np.uint8)])
def test_only_vectors_are_normalised(space):
    with pytest.raises(ValueError, match=r"normalised observations .* are not supported"):
        Normalised(space)


def test_environments_that_reset_in_a_step_of_their_own_are_seen_too():
    model = network()
    envs = SyncVectorEnv([Reaching] * 2, autoreset_mode=AutoresetMode.NEXT_STEP)
    with a2c.train(model, envs, a2c.Config(total_steps=40, t_max=5, num_envs=2)) as training:
        list(training)
    assert statistics(model)[2] >= 40
