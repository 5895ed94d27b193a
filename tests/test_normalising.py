import copy
import math
from functools import partial
from itertools import islice

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import NormalizeReward
from scripted import Counting, Paying, Reaching
from test_continuous import TRAINERS, trained, weights

from a3c_lib import a2c, a3c, actor_critic, parallel_a2c, q_learning
from a3c_lib.actor_critic import WithContext, one_step_targets
from a3c_lib.evaluation import evaluate
from a3c_lib.networks import ActorCritic
from a3c_lib.normalising import (
    Normalised,
    RewardStatistics,
    measured_together,
    normalised_rewards,
)
from a3c_lib.q_networks import QNetwork
from a3c_lib.recurrent import RecurrentActorCritic
from a3c_lib.returns import n_step_returns
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


@pytest.mark.parametrize(("schedule", "least"), [("round-robin", 1.0), ("processes", 0.75)])
def test_workers_measure_together_what_they_see(schedule, least):
    """Else each of the three has a third of it."""
    model = network()
    config = a3c.Config(total_steps=1_500, t_max=5, num_workers=3, schedule=schedule)
    targets = measured_together(model, config)
    with a3c.train(model, Reaching, config, targets=targets) as training:
        updates = list(training)
    mean, variance, count = statistics(model)
    assert least * updates[-1].steps <= count <= updates[-1].steps
    assert mean.abs().max() < 0.1
    assert (variance - 1 / 3).abs().max() < 0.05


@pytest.mark.parametrize("kind", KINDS)
def test_workers_that_measure_together_go_on_bit_for_bit(kind):
    models = [network(kind) for _ in range(3)]
    config = a3c.Config(total_steps=120, t_max=5, num_workers=3, schedule="round-robin")

    def of(model, updates=None, resume=None):
        targets = measured_together(model, config)
        with a3c.train(model, Reaching, config, targets=targets, resume=resume) as training:
            list(islice(training, updates))
            return training.state_dict()

    of(models[0])
    of(models[2], resume=of(models[1], updates=7))
    assert torch.equal(weights(models[0]), weights(models[2]))
    assert all(map(torch.equal, statistics(models[0]), statistics(models[2])))
    assert statistics(models[0])[2] == 120


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


@pytest.mark.parametrize("numbers", [torch.float32, torch.float16, torch.bfloat16])
def test_statistics_keep_their_precision_whatever_numbers_a_network_gets(numbers):
    model = paid_network(make_encoder=Normalised)
    model(1000 + torch.randn(5, 2))
    before = statistics(model)
    model.to(numbers)
    assert model.value_head.weight.dtype is numbers
    for part, was in zip(statistics(model), before, strict=True):
        assert part.dtype is torch.float64
        assert torch.equal(part, was)
    assert {part.dtype for part in of_rewards(model)} == {torch.float64}


def test_statistics_go_where_a_network_goes():
    model = paid_network(make_encoder=Normalised).share_memory()
    parts = [*model.torso[0].statistics, *model.reward_statistics.statistics]
    assert all(part.is_shared() for part in parts)
    model.to("meta", torch.bfloat16)
    assert {part.device.type for part in (*statistics(model), *of_rewards(model))} == {"meta"}


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


# ---- rewards ----

GAMMA = 0.8


class Gambling(gym.Env):
    """Pays by chance, ends by chance in one way or the other, and keeps both in `paid`."""

    observation_space, action_space = SEEN, SEEN

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.paid = getattr(self, "paid", [])
        return self._shown(), {}

    def step(self, action):
        reward = float(np.float32(self.np_random.normal(3, 5)))
        terminated, truncated = (bool(chance < 0.1) for chance in self.np_random.uniform(size=2))
        self.paid.append((reward, terminated or truncated))
        return self._shown(), reward, terminated, truncated, {}

    def _shown(self):
        return self.np_random.uniform(-1, 1, 2).astype(np.float32)


def returns_so_far(paid):
    """The definition: what was paid since the episode began, each step discounted once more."""
    Z, first = [], 0
    for t, (_, ended) in enumerate(paid):
        Z.append(sum(GAMMA ** (t - k) * paid[k][0] for k in range(first, t + 1)))
        first = t + 1 if ended else first
    return Z


def paid_network(kind="feed-forward", **options):
    model = KINDS[kind](SEEN, SEEN, seed=1, **options)
    model.reward_statistics = RewardStatistics()
    return model


def of_rewards(model):
    return [part.clone() for part in model.reward_statistics.buffers()]


def assert_measured(model, Z):
    mean, variance, count = of_rewards(model)
    assert count == len(Z)
    assert mean.item() == pytest.approx(np.mean(Z), rel=1e-9)
    assert variance.item() == pytest.approx(np.var(Z), rel=1e-9)


def learned(module, model, world=Gambling, updates=None, resume=None, targets=None, **options):
    """Updates, and the training's state after them."""
    config = module.Config(**({"total_steps": 120, "t_max": 5, "gamma": GAMMA} | options))
    targets = normalised_rewards(model, config, targets)
    with module.train(model, world, config, targets=targets, resume=resume) as training:
        return list(islice(training, updates)), training.state_dict()


PAID_TRAINERS = [
    (actor_critic, {}),
    (a2c, {"num_envs": 3}),
    (a2c, {"num_envs": 2, "t_max": 1}),
    (a3c, {"num_envs": 2, "num_workers": 3, "schedule": "round-robin"}),
]


@pytest.mark.parametrize(("module", "options"), PAID_TRAINERS)
def test_the_variance_is_of_all_returns_so_far_of_all_environments(module, options):
    worlds, model = [], paid_network()

    def world():
        worlds.append(Gambling())
        return worlds[-1]

    updates, _ = learned(module, model, world, **options)
    num_envs, t_max = options.get("num_envs", 1), options.get("t_max", 5)
    workers = [getattr(update, "worker", 0) for update in updates]
    # What a worker has played last, nobody has learned from.
    steps = [t_max * workers.count(n // num_envs) for n in range(len(worlds))]
    paid = [world.paid[:T] for world, T in zip(worlds, steps, strict=True)]
    assert sum(ended for each in paid for _, ended in each) > 10
    assert_measured(model, [Z for each in paid for Z in returns_so_far(each)])
    assert model.reward_statistics.count == updates[-1].steps


def test_steps_that_only_reset_are_not_measured():
    model, worlds = paid_network(), [Gambling(), Gambling()]
    envs = SyncVectorEnv(
        [lambda: worlds[0], lambda: worlds[1]], autoreset_mode=AutoresetMode.NEXT_STEP
    )
    updates, _ = learned(a2c, model, envs, num_envs=2)
    assert updates[-1].steps < 10 * len(updates)
    assert_measured(model, [Z for world in worlds for Z in returns_so_far(world.paid)])


def test_rewards_are_divided_by_the_deviation_of_all_so_far_and_of_theirs():
    given, model, world = [], paid_network(), Gambling()

    def targets(rewards, *others):
        given.append(rewards[:, 0])
        return one_step_targets(rewards, *others)

    learned(actor_critic, model, lambda: world, targets=targets)
    assert len(given) == 24
    for k, rewards in enumerate(given, start=1):
        paid = world.paid[: 5 * k]
        expected = [reward for reward, _ in paid[-5:]] / np.std(returns_so_far(paid))
        assert rewards.tolist() == pytest.approx(expected, rel=1e-5)
        assert rewards.dtype is torch.float32


def test_it_is_what_gymnasium_has_for_one_environment_but_for_what_that_begins_with():
    """Gymnasium begins with a count of 1e-4, and goes on through time limits."""
    given, model = [], paid_network()

    def targets(rewards, *others):
        given.append(rewards.item())
        return one_step_targets(rewards, *others)

    one_episode = partial(Reaching, length=1_000)
    env = one_episode()
    learned(actor_critic, model, lambda: env, targets=targets, t_max=1)
    theirs = NormalizeReward(one_episode(), gamma=GAMMA)
    seed = np.random.SeedSequence([0, 0]).spawn(1)[0].generate_state(1)[0]
    theirs.reset(seed=int(seed))
    expected = [theirs.step(action)[1] for action in env.actions]
    assert given[10:] == pytest.approx(expected[10:], rel=1e-4)


def test_what_is_paid_is_limited_to_ten_deviations_and_nothing_stays_nothing():
    statistics = RewardStatistics()
    with torch.no_grad():
        statistics.variance.fill_(4.0)
    assert statistics.normalised(torch.tensor([6.0, -1e9, 1e9])).tolist() == [3.0, -10.0, 10.0]
    model = paid_network()
    learned(a2c, model, partial(Still, reward=0.0))
    assert of_rewards(model)[:2] == [0.0, 0.0]
    assert model.reward_statistics.normalised(torch.zeros(3)).tolist() == [0.0, 0.0, 0.0]


class Still(Paying):
    """Shows and takes what the networks here do."""

    def __init__(self, reward, length=3):
        super().__init__(reward, length)
        self.observation_space = self.action_space = SEEN

    def step(self, action):
        return super().step(0)

    def _observation(self):
        return np.zeros(2, np.float32)


def test_where_new_episodes_have_begun_the_return_so_far_is_nothing():
    model, paid = paid_network(), []
    for seed in 1, 2, 3:
        world = Gambling()
        learned(actor_critic, model, lambda: world, seed=seed, total_steps=7)  # noqa: B023
        paid.append(world.paid)
    assert not all(each[-1][1] for each in paid[:2])
    assert_measured(model, [Z for each in paid for Z in returns_so_far(each)])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("trainer", TRAINERS)
def test_statistics_of_rewards_go_on_with_the_run_bit_for_bit(trainer, kind):
    module, options = TRAINERS[trainer]
    model, interrupted, resumed = (paid_network(kind) for _ in range(3))
    world = partial(Reaching, length=7)
    _, whole = learned(module, model, world, **options)
    _, state = learned(module, interrupted, world, updates=5, **options)
    learned(module, resumed, world, resume=state, **options)
    assert torch.equal(weights(resumed), weights(model))
    assert all(map(torch.equal, of_rewards(resumed), of_rewards(model)))
    assert whole["model"]["reward_statistics.count"] == 120


def test_what_is_learned_does_not_depend_on_the_unit_of_the_rewards():
    """A factor of two is exact; but for a billionth that is added to a variance."""
    model, other = paid_network(), paid_network()
    learned(a2c, model)
    learned(a2c, other, lambda: gym.wrappers.TransformReward(Gambling(), lambda r: 1024 * r))
    torch.testing.assert_close(weights(other), weights(model), rtol=1e-4, atol=1e-6)


def test_returns_are_reported_and_evaluated_as_the_world_pays_them():
    model, plain = paid_network(), KINDS["feed-forward"](SEEN, SEEN, seed=1)
    updates, _ = learned(a2c, model, partial(Still, reward=500.0))
    assert {episode.episode_return for each in updates for episode in each.episodes} == {1500.0}
    plain.load_state_dict(model.state_dict(), strict=False)
    before = of_rewards(model)
    ours, theirs = (evaluate(each, Reaching, episodes=4, seed=1) for each in (model, plain))
    assert (ours.returns == theirs.returns).all()
    assert all(map(torch.equal, of_rewards(model), before))


def test_a_model_that_is_only_looked_at_takes_nothing_in():
    model = paid_network().eval()
    learned(a2c, model)
    assert model.reward_statistics.count == 0


def test_a_copy_has_statistics_of_rewards_of_its_own():
    model = paid_network()
    other = copy.deepcopy(model)
    learned(a2c, model)
    assert other.reward_statistics.count == 0


# Workers in processes


def test_processes_measure_together():
    """Each by itself would have a third of the steps. Two that meet may lose one of their two."""
    model = paid_network()
    updates, _ = learned(a3c, model, Reaching, total_steps=3_000, num_workers=3, num_envs=2)
    mean, variance, count = of_rewards(model)
    assert 0.75 * updates[-1].steps <= count <= updates[-1].steps
    rewards = learned(a2c, alone := paid_network(), Reaching, total_steps=3_000, num_envs=6)
    assert rewards
    theirs = of_rewards(alone)
    assert mean.item() == pytest.approx(theirs[0].item(), rel=0.15)
    assert variance.item() == pytest.approx(theirs[1].item(), rel=0.25)
    assert not model.reward_statistics.count.is_shared()


def test_processes_go_on_with_what_was_measured():
    model, resumed = paid_network(), paid_network()
    _, state = learned(a3c, model, Reaching, num_workers=2)
    options = {"total_steps": 240, "num_workers": 2}
    learned(a3c, resumed, Reaching, resume=state, **options)
    before, after = (each.reward_statistics.count for each in (model, resumed))
    assert before >= 60
    assert after >= before + 60


def test_parallel_a2c_measures_in_one_worker_and_is_repeated_bit_for_bit():
    models = [paid_network() for _ in range(2)]
    for model in models:
        learned(parallel_a2c, model, Gambling, num_workers=2, num_envs=4)
    assert torch.equal(*map(weights, models))
    assert all(map(torch.equal, *map(of_rewards, models)))
    assert models[0].reward_statistics.count == 60


def test_parallel_a2c_with_one_worker_is_a2c_bit_for_bit():
    one, other = paid_network(), paid_network()
    learned(parallel_a2c, one, num_workers=1, num_envs=2)
    learned(a2c, other, num_envs=2)
    assert torch.equal(weights(one), weights(other))
    assert all(map(torch.equal, of_rewards(one), of_rewards(other)))


# What cannot be


@pytest.mark.parametrize("reward", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(("module", "options"), PAID_TRAINERS)
def test_rewards_that_are_not_finite_spoil_nothing(module, options, reward):
    class Spoilt(Gambling):
        def step(self, action):
            observation, paid, *rest = super().step(action)
            return observation, reward if len(self.paid) == 18 else paid, *rest

    model = paid_network()
    with pytest.raises(
        FloatingPointError, match=rf"step . of the rollout: environment 0 pays .*{reward}"
    ):
        learned(module, model, Spoilt, **options)
    before = of_rewards(model)
    assert before[2] > 0
    assert all(part.isfinite() for part in before)
    assert weights(model).isfinite().all()


@pytest.mark.parametrize("place", [math.inf, -math.inf])
@pytest.mark.parametrize(("module", "options"), PAID_TRAINERS)
def test_observations_that_are_not_finite_spoil_nothing(module, options, place):
    class Spoilt(Gambling):
        def _shown(self):
            shown = super()._shown()
            if len(self.paid) == 18:
                shown[1] = place
            return shown

    model = network()
    config = module.Config(**({"total_steps": 120, "t_max": 5} | options))
    with (
        pytest.raises(FloatingPointError, match=rf"an observation is not finite: \[.*, {place}\]"),
        module.train(model, Spoilt, config) as training,
    ):
        list(training)
    mean, variance, count = statistics(model)
    assert count > 0
    assert mean.isfinite().all()
    assert variance.isfinite().all()
    assert weights(model).isfinite().all()


@pytest.mark.parametrize("gamma", [-0.1, 1.5, math.nan])
def test_a_discount_that_is_none_is_refused(gamma):
    envs = make_envs(Gambling)
    rollout, _ = collect(envs, sampled(network(), torch.Generator()), start(envs, 0), t_max=3)
    with pytest.raises(
        ValueError, match=rf"gamma is a discount per step, in \[0, 1\]; got {gamma}"
    ):
        RewardStatistics().take_in(rollout, gamma)


def test_a_network_has_one_statistics_of_rewards():
    config, plain, two = a2c.Config(), network(), paid_network()
    two.others = RewardStatistics()
    for model, number in (plain, 0), (two, 2):
        said = rf"has one RewardStatistics, .*; this ActorCritic has {number}"
        with pytest.raises(ValueError, match=said):
            normalised_rewards(model, config)
    targets = normalised_rewards(paid_network(), config)
    said = "this ActorCritic has 0"
    with (
        pytest.raises(ValueError, match=said),
        a2c.train(plain, Gambling, config, targets=targets) as training,
    ):
        next(training)


def test_a_trainer_without_context_is_refused():
    config = q_learning.Config(schedule="round-robin")
    model = QNetwork(Counting().observation_space, spaces.Discrete(2))
    model.reward_statistics = RewardStatistics()
    with (
        pytest.raises(
            TypeError, match="trainers that hand over the Context, as a2c, a3c, parallel_a2c"
        ),
        q_learning.train(
            model, Counting, config, targets=normalised_rewards(model, config)
        ) as training,
    ):
        next(training)


def test_statistics_of_another_shape_or_none_are_not_loaded():
    model, state = paid_network(), paid_network().state_dict()
    state["reward_statistics.mean"] = torch.zeros(2)
    with pytest.raises(
        RuntimeError, match=r"reward_statistics.mean: .*\[2\].* is torch.Size\(\[\]"
    ):
        model.load_state_dict(state)
    with pytest.raises(RuntimeError, match=r"Missing key.*reward_statistics.mean"):
        model.load_state_dict(KINDS["feed-forward"](SEEN, SEEN).state_dict())


def test_targets_within_see_the_context_too():
    seen = []

    @WithContext
    def targets(*arguments):
        *arguments, context = arguments
        seen.append(context.steps)
        return n_step_returns(*arguments)

    learned(a2c, paid_network(), targets=targets, num_envs=1, total_steps=15)
    assert seen == [0, 5, 10]


def test_without_targets_they_are_what_the_config_says():
    for lambda_ in 1.0, 0.5:
        model, other = paid_network(), paid_network()
        config = a2c.Config(lambda_=lambda_)
        learned(a2c, model, lambda_=lambda_)
        learned(a2c, other, targets=config.returns, lambda_=lambda_)
        assert torch.equal(weights(model), weights(other))
