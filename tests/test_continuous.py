"""Actions that are a Box: all that trains and plays with Discrete ones does so with them."""

import math
from functools import partial
from itertools import islice, product

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from scripted import Counting, Reaching
from torch import nn

from a3c_lib import a2c, a3c, actor_critic, parallel_a2c, reinforce
from a3c_lib.app.cli import main, parsed
from a3c_lib.app.runs import Run
from a3c_lib.distributions import Gaussian, SquashedGaussian
from a3c_lib.encoders import orthogonal_init
from a3c_lib.evaluation import Agent, evaluate
from a3c_lib.figures.watching import play, watch
from a3c_lib.losses import a2c_loss
from a3c_lib.networks import ActorCritic, GaussianHead
from a3c_lib.playing import Played
from a3c_lib.recurrent import RecurrentActorCritic
from a3c_lib.returns import lambda_returns
from a3c_lib.rollout import collect, greedy, make_envs, sampled, start

NETWORKS = {
    "feed-forward": partial(ActorCritic, hidden=(8,)),
    "separate": partial(ActorCritic, hidden=(8,), shared=False),
    "recurrent": partial(RecurrentActorCritic, hidden=(8,), cells=8),
}
HEADS = {
    "per-state": GaussianHead,
    "state-independent": partial(GaussianHead, variance="state-independent"),
    "squashed": partial(GaussianHead, squashed=True),
}
SEEN = spaces.Box(-1, 1, (2,))


def network(kind="feed-forward", head="per-state", axes=2, low=-1.0, high=1.0, seed=1):
    seen, done = spaces.Box(-1, 1, (axes,)), spaces.Box(low, high, (axes,))
    return NETWORKS[kind](seen, done, make_head=HEADS[head], seed=seed)


def dice(seed=0):
    return torch.Generator().manual_seed(seed)


# ---- the head ----


def test_the_variance_is_the_softplus_not_the_deviation():
    head = GaussianHead(3, spaces.Box(-1, 1, (2,)))
    with torch.no_grad():
        head.linear.weight.zero_()
        head.linear.bias.copy_(torch.tensor([0.5, -0.5, 1.0, -3.0]))
    pi = head(torch.randn(4, 3))
    assert pi.mean.tolist() == [[0.5, -0.5]] * 4
    variances = [math.log1p(math.exp(v)) for v in (1.0, -3.0)]
    assert pi.deviation[0].square().tolist() == pytest.approx(variances)


def test_a_state_independent_deviation_is_one_parameter_an_axis():
    head = GaussianHead(3, SEEN, variance="state-independent")
    with torch.no_grad():
        head.log_deviation.copy_(torch.tensor([0.0, -1.0]))
    pi = head(torch.randn(4, 5, 3))
    torch.testing.assert_close(pi.deviation, torch.tensor([1.0, math.exp(-1)]).expand(4, 5, 2))
    assert sum(theta.numel() for theta in head.parameters()) == 3 * 2 + 2 + 2


@pytest.mark.parametrize("variance", ["per-state", "state-independent"])
def test_mean_and_deviation_are_measured_in_the_boxs_own_units(variance):
    """Else a network for ±1 would stay in the middle of ±100, and outside of ±0.1 all the time."""
    boxes = spaces.Box(np.float32([-2, 10]), np.float32([2, 30])), spaces.Box(-1, 1, (2,))
    torch.manual_seed(0)
    wide, unit = (GaussianHead(3, box, variance=variance) for box in boxes)
    wide.load_state_dict(unit.state_dict())
    features = torch.randn(6, 3)
    one, other = wide(features), unit(features)
    reach, middle = torch.tensor([2.0, 10.0]), torch.tensor([0.0, 20.0])
    torch.testing.assert_close(one.mean, middle + reach * other.mean)
    torch.testing.assert_close(one.deviation, reach * other.deviation)


def test_without_bounds_the_unit_is_one():
    half = spaces.Box(np.float32([0, -np.inf, -4]), np.float32([np.inf, np.inf, 8]))
    head = GaussianHead(3, half)
    assert (head.centre.tolist(), head.reach.tolist()) == ([0, 0, 2], [1, 1, 6])


@pytest.mark.parametrize("head", HEADS)
def test_at_first_the_policy_is_about_the_same_everywhere(head):
    pi, _ = network(head=head)(torch.rand(50, 2) * 2 - 1)
    assert pi.mean.abs().max() < 0.02
    assert pi.deviation.std(0).max() < 0.01
    assert pi.deviation[0, 0].item() == pytest.approx(1 if "in" in head else 0.8326, abs=0.01)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: GaussianHead(3, spaces.Box(-1, np.inf, (2,)), squashed=True), "bounded Box; got"),
        (lambda: GaussianHead(3, SEEN, variance="none"), "variance is 'per-state' or"),
        (lambda: ActorCritic(SEEN, spaces.Box(0, 1, (2, 2))), r"actions Box\(.*not supported"),
        (lambda: ActorCritic(SEEN, spaces.MultiBinary(2)), "actions MultiBinary.*not supported"),
        (lambda: RecurrentActorCritic(SEEN, spaces.MultiBinary(2)), "actions .*not supported"),
    ],
)
def test_what_no_head_is_for_is_named(make, said):
    with pytest.raises(ValueError, match=said):
        make()


@pytest.mark.parametrize("kind", NETWORKS)
def test_the_same_seed_gives_the_same_network_whatever_the_head_draws(kind):
    one, two, other = (network(kind, seed=seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not torch.equal(one["policy_head.linear.weight"], other["policy_head.linear.weight"])


def test_orthogonal_first_weights_leave_the_head_small():
    model = orthogonal_init(network())
    rows = model.policy_head.linear.weight
    torch.testing.assert_close(rows @ rows.T, 1e-4 * torch.eye(4), rtol=0, atol=1e-7)


# ---- rollouts ----


def test_the_environment_takes_clipped_actions_and_the_rollout_keeps_them_as_drawn():
    env = Reaching(low=-0.5, high=0.5)
    envs, model = make_envs(lambda: env), network(low=-0.5, high=0.5)
    rollout, _ = collect(envs, sampled(model, dice()), start(envs, 0), t_max=50)
    drawn = rollout.actions[:, 0]
    assert drawn.shape == (50, 2)
    assert (drawn.abs() > 0.5).float().mean() > 0.1  # σ is 0.83 of the half width
    assert torch.equal(torch.tensor(np.stack(env.actions)), drawn.clamp(-0.5, 0.5))


def test_the_loss_is_of_the_unclipped_actions():
    envs, model = make_envs(Reaching, 3), network()
    rollout, _ = collect(envs, sampled(model, dice()), start(envs, 0), t_max=7)
    assert (rollout.actions.abs() > 1).any()
    targets = partial(lambda_returns, lambda_=0.5)
    lesson = actor_critic.lesson_of(model, Played(rollout), targets, a2c_loss, gamma=0.9)
    pi, values = model(rollout.observations)
    with torch.no_grad():
        next_values = model.values(rollout.next_observations)
    ends = rollout.terminated, rollout.truncated
    R = lambda_returns(rollout.rewards, next_values, *ends, 0.9, 0.5)
    z = (rollout.actions - pi.mean) / pi.deviation
    log_pi = (-0.5 * z**2 - pi.deviation.log() - 0.5 * math.log(2 * math.pi)).sum(-1)
    H = (pi.deviation.log() + 0.5 * math.log(2 * math.pi * math.e)).sum(-1).mean()
    total = -(log_pi * (R - values).detach()).mean() + 0.5 * (R - values).square().mean() - 0.01 * H
    torch.testing.assert_close(lesson.loss.total, total)
    torch.testing.assert_close(lesson.loss.entropy, H)
    expected = torch.autograd.grad(total, list(model.parameters()))
    for ours, theirs in zip(lesson.gradients, expected, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_greedy_actions_are_the_mean():
    model, envs = network(), make_envs(Reaching, 3)
    rollout, _ = collect(envs, greedy(model), start(envs, 0), t_max=5)
    with torch.no_grad():
        assert torch.equal(rollout.actions, model(rollout.observations)[0].mean)


def test_a_policy_that_is_no_number_is_named():
    model = network()
    with torch.no_grad():
        model.policy_head.linear.bias[0] = torch.nan
    envs = make_envs(Reaching, 2)
    for policy in sampled(model, dice()), greedy(model):
        said = r"step 0 .*what environment 0 shows has no policy: mean and deviation are \[nan"
        with pytest.raises(FloatingPointError, match=said):
            collect(envs, policy, start(envs, 0), t_max=2)


# ---- trainers ----

TRAINERS = {
    "actor-critic": (actor_critic, {"num_envs": 2}),
    "a2c": (a2c, {"num_envs": 2}),
    "a3c": (a3c, {"num_envs": 2, "num_workers": 2, "schedule": "round-robin"}),
}


def trained(trainer, model, make_env=Reaching, resume=None, steps=None, **options):
    module, fixed = TRAINERS[trainer]
    config = module.Config(total_steps=120, t_max=5, seed=3, **fixed, **options)
    with module.train(model, make_env, config, resume=resume) as training:
        updates = list(islice(training, steps))
        return updates, training.state_dict(), training.restored


def weights(model):
    return torch.cat([theta.detach().flatten() for theta in model.parameters()])


@pytest.mark.parametrize(
    ("kind", "head"), [*product(NETWORKS, ["per-state"]), *product(["recurrent"], HEADS)]
)
@pytest.mark.parametrize("trainer", TRAINERS)
def test_a_run_learns_is_repeated_and_goes_on_bit_for_bit(trainer, head, kind):
    model = network(kind, head)
    before = weights(model)
    updates, *_ = trained(trainer, model)
    assert updates[-1].steps >= 120
    assert not torch.equal(weights(model), before)
    interrupted = network(kind, head)
    first, state, _ = trained(trainer, interrupted, steps=5)
    resumed = network(kind, head)
    rest, _, restored = trained(trainer, resumed, resume=state)
    assert restored
    assert [update.entropy for update in first + rest] == [update.entropy for update in updates]
    assert torch.equal(weights(resumed), weights(model))


@pytest.mark.parametrize("kind", NETWORKS)
def test_many_processes_compute_what_one_does(kind):
    """One worker is A2C bit for bit."""
    one, other = network(kind), network(kind)
    options = {"total_steps": 60, "t_max": 5, "num_envs": 2, "lambda_": 0.9}
    with a2c.train(one, Reaching, a2c.Config(**options)) as training:
        list(training)
    with parallel_a2c.train(
        other, Reaching, parallel_a2c.Config(**options, num_workers=1)
    ) as training:
        list(training)
    assert torch.equal(weights(one), weights(other))


def test_workers_in_processes_learn_with_boxes():
    model = network()
    before = weights(model)
    config = a3c.Config(total_steps=200, t_max=5, num_workers=2, lambda_=0.5)
    with a3c.train(model, Reaching, config) as training:
        updates = list(training)
    assert updates[-1].steps >= 200
    assert not torch.equal(weights(model), before)


def test_reinforce_learns_with_boxes():
    model = network()
    config = reinforce.Config(total_steps=40, learning_rate=1e-3)
    with reinforce.train(model, Reaching, config) as training:
        updates = list(training)
    assert [update.steps for update in updates] == list(range(4, 41, 4))
    assert updates[0].entropy == pytest.approx(2 * (math.log(0.8326) + 1.41894), abs=0.02)


@pytest.mark.parametrize("trainer", ["a2c", "a3c"])
def test_lambda_one_is_n_step_and_another_lambda_is_not(trainer):
    plain, one, half = network(), network(), network()
    trained(trainer, plain)
    trained(trainer, one, lambda_=1.0)
    trained(trainer, half, lambda_=0.5)
    assert torch.equal(weights(plain), weights(one))
    assert not torch.equal(weights(plain), weights(half))


def test_steps_that_only_reset_teach_nothing():
    envs = SyncVectorEnv([Reaching] * 2, autoreset_mode=AutoresetMode.NEXT_STEP)
    model = network()
    with a2c.train(model, envs, a2c.Config(total_steps=40, t_max=5, num_envs=2)) as training:
        updates = list(training)
    assert updates[0].steps == 8  # one of five steps only reset
    assert all(math.isfinite(update.entropy) for update in updates)


# ---- what does not fit ----


class OwnNetwork(nn.Module):
    """Somebody's own: it says a distribution, and that is all there is to it."""

    def __init__(self, axes=2):
        super().__init__()
        self.mean, self.critic = nn.Linear(2, axes), nn.Linear(2, 1)

    def logits(self, observations):
        return Gaussian(self.mean(observations), torch.full((), 0.5))

    def values(self, observations):
        return self.critic(observations).squeeze(-1)

    def forward(self, observations):
        return self.logits(observations), self.values(observations)


def test_a_network_of_ones_own_says_a_distribution():
    updates, *_ = trained("a2c", OwnNetwork())
    assert updates[0].entropy == pytest.approx(2 * (math.log(0.5) + 1.41894), abs=1e-4)


@pytest.mark.parametrize(
    ("model", "world", "said"),
    [
        (OwnNetwork(axes=1), Reaching, r"logits\(observations\)\.mode has the shape \(2, 2\)"),
        (
            ActorCritic(SEEN, spaces.Discrete(2)),
            Reaching,
            r"logits\(observations\) is a policy distribution where actions are a Box.*\(2, 2\)",
        ),
        (network(axes=1), Counting, r"logits\(observations\) has the shape \(2, 2\) here; got Ga"),
    ],
)
def test_a_network_for_other_actions_is_refused(model, world, said):
    with pytest.raises(ValueError, match=said):
        trained("a2c", model, make_env=world)


# ---- playing ----


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("actions", ["sampled", "greedy"])
def test_agents_with_boxes_are_evaluated(kind, actions):
    result = evaluate(network(kind), Reaching, episodes=6, seed=1, actions=actions, num_envs=3)
    assert (result.lengths == 4).all()
    assert np.isfinite(result.returns).all()
    again = evaluate(network(kind), Reaching, episodes=6, seed=1, actions=actions, num_envs=3)
    assert (result.returns == again.returns).all()


def test_an_agent_hands_over_what_the_environment_takes():
    env, model = Reaching(low=-0.1, high=0.1), network(low=-0.1, high=0.1)
    agent = Agent(model, env.action_space, actions="sampled", seed=2)
    observation, _ = env.reset(seed=0)
    for _ in range(20):
        action = agent.act(observation)
        observation, *_ = env.step(action)  # which looks whether it is in its Box
    assert max(abs(env.actions[k]).max() for k in range(20)) == np.float32(0.1)
    assert isinstance(
        Agent(ActorCritic(SEEN, spaces.Discrete(2)), spaces.Discrete(2)).act(observation), int
    )


def test_agents_with_boxes_are_filmed():
    model = ActorCritic.for_env(gym.make("Pendulum-v1"), hidden=(8,))
    frames = play(sampled(model, dice()), "Pendulum-v1", max_steps=3)
    assert len(frames) == 4
    with pytest.raises(ValueError, match="a bar for each action"):
        watch(model, "Pendulum-v1", max_steps=2)


def test_the_command_line_knows_lambda():
    for words in (["--lambda", "0.5"], ["--lambda=0.5"], ["--lambda_", "0.5"]):
        command = parsed(["train", "a3c", "Pendulum-v1", *words])
        assert command.begin.config.lambda_ == 0.5


def test_a_run_of_the_command_line_is_resumed_and_evaluated(tmp_path, capsys):
    run = str(tmp_path / "run")
    options = ["--total-steps", "300", "--num-envs", "2", "--hidden", "8", "--lambda", "0.9"]
    box = ["--variance", "state-independent", "--squashed", "--normalise-observations"]
    rewards = ["--normalise-rewards"]
    assert main(["train", "a2c", "Pendulum-v1", "--run", run, *options, *box, *rewards]) == 0
    assert main(["resume", run, "--total-steps", "400"]) == 0
    assert main(["evaluate", run, "--episodes", "2"]) == 0
    assert "mean return -" in capsys.readouterr().out
    model = Run.open(run).model()
    assert model.policy_head.squashed
    assert model.torso[0].count >= 400
    assert model.reward_statistics.count >= 400


@pytest.mark.learning
@pytest.mark.parametrize("head", HEADS)
def test_reaching_is_learned(head):
    """Standing still in the middle returns −8/3 an episode, the best possible 0."""
    model = network(head=head)
    config = a2c.Config(
        total_steps=40_000,
        num_envs=16,
        t_max=4,
        learning_rate=1e-2,
        optimizer="adam",
        seed=1,
        gamma=0.0,
        entropy_weight=0.0,
    )
    with a2c.train(model, Reaching, config) as training:
        list(training)
    assert evaluate(model, Reaching, actions="greedy").mean > -0.3


def test_pendulum_takes_what_is_drawn():
    env = gym.make("Pendulum-v1")
    model = ActorCritic.for_env(env, hidden=(8,), seed=0)
    updates, *_ = trained("a2c", model, make_env="Pendulum-v1")
    assert updates[-1].steps >= 120
    assert model.policy_head.reach.tolist() == [2.0]
    assert not isinstance(model.logits(torch.zeros(3)), SquashedGaussian)
