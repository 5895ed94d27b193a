"""Models of others: what fits trains, what does not is refused in a line before it begins."""

import json
import math
from typing import NamedTuple

import gymnasium as gym
import pytest
import torch
from scripted import Counting
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from a3c_lib import a2c, a3c, actor_critic, parallel_a2c, q_learning, reinforce
from a3c_lib.actor_critic import WithContext, lesson_of
from a3c_lib.models import HasUnroll, check_outputs, looking, trainable
from a3c_lib.networks import ActorCritic
from a3c_lib.playing import Player
from a3c_lib.q_networks import QNetwork
from a3c_lib.recurrent import RecurrentActorCritic
from a3c_lib.reinforce import TabularPolicy
from a3c_lib.rollout import initial_state, make_envs, sampled
from a3c_lib.training import seeds
from a3c_lib.workers import WorkerError

SMALL = {"total_steps": 120, "t_max": 5, "num_envs": 2, "learning_rate": 0.01}


def trained_by(module, **its):
    """A trainer with its settings. What is no setting is handed to it beside them."""

    def train(model, make_env=Counting, **options):
        others = {name: options.pop(name) for name in ("resume", "loss") if name in options}
        return module.train(model, make_env, module.Config(**{**SMALL, **its, **options}), **others)

    return train


by_actor_critic = trained_by(actor_critic)
by_a2c = trained_by(a2c)
by_a3c = trained_by(a3c, schedule="round-robin")
by_processes = trained_by(a3c)
by_parallel_a2c = trained_by(parallel_a2c, num_envs=4)


IN_ONE_PROCESS = [by_actor_critic, by_a2c, by_a3c]
ALL = [*IN_ONE_PROCESS, by_processes, by_parallel_a2c]
NAMES = ["actor_critic", "a2c", "a3c", "processes", "parallel_a2c"]
every_trainer = pytest.mark.parametrize("train", ALL, ids=NAMES)
each_in_one_process = pytest.mark.parametrize("train", IN_ONE_PROCESS, ids=NAMES[:3])


def network(kind=ActorCritic, **options):
    return kind.for_env(Counting(), seed=0, hidden=(8,), **options)


def values(tensors):
    return [tensor.detach().clone() for tensor in tensors]


# ---- frozen parameters ----


@every_trainer
def test_frozen_parameters_stay_and_the_rest_learns(train):
    model = network()
    frozen = list(model.torso.requires_grad_(False).parameters())
    before, rest = values(frozen), values(trainable(model))
    with train(model) as training:
        next(training), next(training)
        state = training.state_dict()
    assert all(map(torch.equal, values(frozen), before))
    assert not any(map(torch.equal, values(trainable(model)), rest))
    other = network()
    other.torso.requires_grad_(False)
    # Workers in processes may have gone to the end of their budget by then.
    with train(other, resume=state, total_steps=state["steps"] + 40) as training:
        assert len(list(training)) > 0
    assert all(map(torch.equal, values(other.torso.parameters()), before))


@pytest.mark.parametrize("statistics", [True, False])
def test_frozen_parameters_stay_with_statistics_of_each_worker(statistics):
    model = network()
    model.policy_head.requires_grad_(False)
    before = values(model.policy_head.parameters())
    with by_a3c(model, shared_statistics=statistics) as training:
        list(training)
    assert all(map(torch.equal, values(model.policy_head.parameters()), before))


def test_a_frozen_layer_of_a_q_network_stays():
    model = QNetwork.for_env(Counting(), hidden=(8,))
    before = values(model.torso.requires_grad_(False).parameters())
    config = q_learning.Config(total_steps=60, schedule="round-robin", learning_rate=0.01)
    with q_learning.train(model, Counting, config) as training:
        list(training)
    assert all(map(torch.equal, values(model.torso.parameters()), before))


@every_trainer
def test_nothing_to_train_is_refused(train):
    with pytest.raises(ValueError, match="there is nothing to train: 6 parameters"):
        train(network().requires_grad_(False))


# ---- what is no model here ----


class Lazy(ActorCritic):
    def __init__(self, *spaces, **options):
        super().__init__(*spaces, **options)
        self.policy_head = nn.LazyLinear(2)


class Sparse(ActorCritic):
    def __init__(self, *spaces, **options):
        super().__init__(*spaces, **options)
        self.names = nn.Embedding(3, 4, sparse=True)


class Silent(nn.Module):
    def __init__(self, *_, **__):
        super().__init__()
        self.layer = nn.Linear(1, 2)

    def logits(self, observations):
        return self.layer(observations)


@every_trainer
@pytest.mark.parametrize(
    ("model", "error", "said"),
    [
        (ActorCritic, TypeError, r"not a class: ActorCritic\(…\); got the class"),
        (lambda observations: observations, TypeError, "a torch.nn.Module; got function"),
        (network(Lazy), ValueError, "policy_head.weight, policy_head.bias have no shape before"),
        (network(Sparse), ValueError, "got sparse=True in names"),
        (nn.Linear(1, 2), TypeError, "a model has logits and values; Linear has no logits, values"),
        (Silent(), TypeError, "a model has logits and values; Silent has no values"),
    ],
)
def test_what_is_no_model_is_refused_before_it_begins(train, model, error, said):
    with pytest.raises(error, match=said):
        train(model)


@pytest.mark.parametrize("train", ALL[3:], ids=NAMES[3:])
def test_a_parametrised_layer_cannot_go_to_other_processes_and_that_is_said(train):
    model = network()
    parametrizations.orthogonal(model.policy_head)
    with pytest.raises(TypeError, match=r"cannot be copied.* parametrized"):
        train(model)


@each_in_one_process
def test_a_parametrised_layer_trains_in_one_process(train):
    model = network()
    parametrizations.weight_norm(model.policy_head)
    with train(model) as training:
        list(training)


# ---- what a model answers ----


class Own(nn.Module):
    """A network whose answers can be spoilt."""

    def __init__(self, *, actions=2, width=1, spoil=lambda logits, values: (logits, values)):
        super().__init__()
        self.layer, self.actions, self.spoil = nn.Linear(width, actions + 1), actions, spoil

    def forward(self, observations):
        parts = self.layer(observations)
        return self.spoil(parts[..., : self.actions], parts[..., self.actions])

    def logits(self, observations):
        return self.layer(observations)[..., : self.actions]

    def values(self, observations):
        return self.layer(observations)[..., self.actions]


@every_trainer
def test_a_network_of_ones_own_trains(train):
    with train(Own()) as training:
        assert list(training)[-1].steps >= 120


ANSWERS = [
    (Own(actions=1), r"logits\(observations\) has the shape \(\d, 2\) here; got \(\d, 1\)"),
    (Own(actions=3), r"logits\(observations\) has the shape \(\d, 2\) here; got \(\d, 3\)"),
    (
        Own(width=3),
        r"logits fails on observations \(\d, 1\) of torch.float32: RuntimeError: mat1 and mat2",
    ),
    (Own(spoil=lambda logits, values: logits), r"gives logits, values; got \(2, \d, 2\)"),
    (Own(spoil=lambda logits, values: (values, logits)), r"its logits has the shape \(2, \d, 2\)"),
    (
        Own(spoil=lambda logits, values: (logits.flatten(0, 1), values.flatten())),
        r"its logits has the shape \(2, \d, 2\) here; got \(\d+, 2\)",
    ),
    (
        Own(spoil=lambda logits, values: (logits, values[..., None])),
        r"its values has the shape \(2, \d\) here; got \(2, \d, 1\)",
    ),
    (Own(spoil=lambda logits, values: (logits, 3.0)), r"its values .*; got float"),
]


@each_in_one_process
@pytest.mark.parametrize(("model", "said"), ANSWERS)
def test_answers_of_other_shapes_are_refused_with_the_shapes(train, model, said):
    with pytest.raises(ValueError, match=said), train(model) as training:
        next(training)


@pytest.mark.parametrize("train", ALL[3:], ids=NAMES[3:])
def test_a_worker_says_so_too(train):
    model, said = ANSWERS[0]
    with pytest.raises(WorkerError, match=said), train(model) as training:
        next(training)


def test_a_policy_alone_needs_no_values():
    with reinforce.train(Silent(), Counting, reinforce.Config(total_steps=9)) as training:
        list(training)
    with pytest.raises(ValueError, match=r"\(1, 2\) here; got \(1, 3\)"):
        reinforce.train(TabularPolicy(4, 3), "a3c_lib/Corridor-v0", reinforce.Config())
    with pytest.raises(TypeError, match="a model has logits; Linear has no logits"):
        reinforce.train(nn.Linear(1, 2), Counting, reinforce.Config())


def test_observations_of_another_kind_of_number_are_named():
    def doubles():
        space = gym.spaces.Box(-1, 1, (1,), "float64")
        return gym.wrappers.TransformObservation(Counting(), lambda o: o.astype("float64"), space)

    with pytest.raises(ValueError, match=r"on observations \(2, 1\) of torch.float64.* dtype"):
        by_actor_critic(Own(), doubles)


class Noisy(Own):
    """Counts how often it was asked, averages what it saw, and draws random numbers."""

    def __init__(self):
        super().__init__()
        self.norm, self.dropout = nn.BatchNorm1d(1), nn.Dropout(0.5)
        self.register_buffer("asked", torch.zeros((), dtype=torch.int64))

    def logits(self, observations):
        self.asked += 1
        torch.rand(3)
        return self.dropout(super().logits(self.norm(observations)))


def test_to_be_asked_changes_nothing():
    model = Noisy()
    model.norm.eval()
    before, random = values(model.buffers()), torch.get_rng_state()
    check_outputs(model, Player(make_envs(Counting, 2), seeds(0, 0), model))
    assert all(map(torch.equal, model.buffers(), before))
    assert torch.equal(torch.get_rng_state(), random)
    assert model.training
    assert model.dropout.training
    assert not model.norm.training
    with looking(model):
        model.asked += 1
    assert model.asked == 0


@every_trainer
def test_networks_learn_in_the_mode_they_are_in(train):
    """Dropout and batch norm are on where actions are chosen and learned from."""

    class Watching(Own):
        def logits(self, observations):
            assert self.training or not torch.is_inference_mode_enabled()
            self.modes.add(self.training)
            return super().logits(observations)

        def forward(self, observations):
            if torch.is_grad_enabled() and not self.training:
                raise AssertionError("learns in evaluation mode")
            return super().forward(observations)

    model = Watching()
    model.modes = set()
    with train(model) as training:
        next(training)
    assert model.training


# ---- memory ----


class Remembering(nn.Module):
    """Somebody's GRU: its state is one tensor, and its first state is learned."""

    def __init__(self, cells=3):
        super().__init__()
        self.first = nn.Parameter(torch.full((cells,), 0.5))
        self.gru, self.head = nn.GRUCell(1, cells), nn.Linear(cells, 3)

    def initial_state(self, num_envs):
        return self.first.expand(num_envs, -1)

    def logits(self, observations, state):
        state = self.gru(observations, state)
        return self.head(state)[..., :2], state

    def unroll(self, rollout, state):
        T, N = rollout.actions.shape
        state, outputs, after = state.detach(), [], []
        for t in range(T):
            if t > 0:
                begins = (rollout.ended | rollout.dummies)[t - 1]
                state = torch.where(begins[:, None], self.initial_state(N), state)
            state = self.gru(rollout.observations[t], state)
            outputs.append(self.head(state))
            after.append(self.head(self.gru(rollout.next_observations[t], state))[:, 2].detach())
        outputs = torch.stack(outputs)
        return outputs[..., :2], outputs[..., 2], torch.stack(after)


@every_trainer
def test_somebody_elses_memory_learns_its_first_state_too(train):
    model = Remembering()
    assert isinstance(model, HasUnroll)
    first = values([model.first])
    with train(model) as training:
        assert all(math.isfinite(update.policy_loss) for update in training)
    assert not torch.equal(model.first, first[0])


class LayersFirst(Remembering):
    def initial_state(self, num_envs):
        return torch.zeros(2, num_envs, 3)


class Misspelt(Remembering):
    unroll = property()

    def unrol(self):
        pass


class NoStart(Remembering):
    initial_state = property()


class Other(Remembering):
    def logits(self, observations, state):
        logits, state = super().logits(observations, state)
        return logits, (state,)


class NoState(Remembering):
    def logits(self, observations, state):
        return super().logits(observations, state)[0]


class ShortUnroll(Remembering):
    def unroll(self, rollout, state):
        return super().unroll(rollout, state)[:2]


class FlatUnroll(Remembering):
    def unroll(self, rollout, state):
        return tuple(part.flatten(0, 1) for part in super().unroll(rollout, state))


@every_trainer
@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (Misspelt, "Misspelt has initial_state and no unroll"),
        (NoStart, "NoStart has unroll and no initial_state"),
    ],
)
def test_half_a_memory_is_refused_before_it_begins(train, kind, said):
    with pytest.raises(TypeError, match=said):
        train(kind())


@each_in_one_process
@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (LayersFirst, r"made of tensors \(N, …\), here with N = 3, .* got \(2, 3, 3\)"),
        (Other, r"state like initial_state's, \(2, 3\); got \(\(2, 3\),\)"),
        (NoState, r"gives logits, state; got \(2, 2\)"),
        (ShortUnroll, "gives logits, values, next values; got 2 things"),
        (FlatUnroll, r"\[0\] has the shape \(2, 2, 2\) here; got \(4, 2\)"),
    ],
)
def test_memories_that_do_not_fit_are_refused_by_name(train, kind, said):
    with pytest.raises(ValueError, match=said), train(kind(), num_envs=2) as training:
        next(training)


# ---- numbers ----


@every_trainer
def test_a_step_that_spoils_the_parameters_is_an_error_and_they_go_back(train):
    model = network()
    said = r"after \d+ steps: after a step with learning rate 1e\+38: "
    with (
        pytest.raises(FloatingPointError, match=said),
        train(model, learning_rate=1e38, anneal=False) as training,
    ):
        list(training)
    assert all(theta.isfinite().all() for theta in model.parameters())


def test_statistics_that_are_spoilt_are_named():
    model = network()
    with by_a2c(model, max_grad_norm=math.inf) as training:
        next(training)
        training.optimizer.g[0].fill_(torch.inf)
        with pytest.raises(FloatingPointError, match="not finite: the optimizer's g"):
            next(training)


@every_trainer
def test_a_state_that_diverged_is_not_gone_on_from(train):
    with train(network()) as training:
        next(training)
        state = training.state_dict()
    state["model"]["policy_head.bias"] = torch.tensor([0.0, torch.nan])
    with pytest.raises(ValueError, match=r"diverged: not finite: policy_head\.bias"):
        train(network(), resume=state)


@pytest.mark.parametrize("train", ALL[2:], ids=NAMES[2:])
def test_a_worker_that_diverges_names_itself_and_the_steps(train):
    def loss(logits, values, actions, returns):
        parts = actor_critic.actor_critic_loss(logits, values, actions, returns)
        return parts._replace(total=parts.total * torch.nan)

    said = r"worker \d, after \d+ steps: the loss is nan"
    with pytest.raises(FloatingPointError, match=said), train(network(), loss=loss) as training:
        next(training)


# ---- whose state it is ----


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (7, r"a trainer's state_dict\(\); got int"),
        ({"model": {}}, "it lacks"),
    ],
)
@every_trainer
def test_what_is_no_state_is_refused(train, state, said):
    with pytest.raises(ValueError, match=said):
        train(network(), resume=state)


def test_a_state_of_another_optimizer_is_refused():
    with by_a2c(network()) as training:
        state = training.state_dict()
    with pytest.raises(ValueError, match=r"torch's Adam has param_groups; this one has \['g'\]"):
        by_actor_critic(network(), resume=state)
    with by_actor_critic(network()) as training:
        state = training.state_dict()
    with pytest.raises(ValueError, match="RMSProp has the statistics"):
        by_a2c(network(), resume=state)


# ---- buffers ----


class Averaging(Own):
    """Keeps the mean of what it saw, as networks do that normalise their observations."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(1)

    def forward(self, observations):
        shape = observations.shape
        return super().forward(self.norm(observations.reshape(-1, 1)).reshape(shape))


@every_trainer
def test_running_means_come_back(train):
    model = Averaging()
    with train(model) as training:
        list(training)
    assert model.norm.num_batches_tracked > 0
    assert model.norm.running_mean != 0
    with train(Averaging(), total_steps=240, resume=training.state_dict()) as training:
        list(training)
        assert training.model.norm.num_batches_tracked > model.norm.num_batches_tracked


class Trembling(Counting):
    """No two environments show the same."""

    def _observation(self):
        return super()._observation() + self.np_random.random(1, dtype="float32")


def test_all_workers_of_parallel_a2c_have_the_buffers_of_the_first(tmp_path):
    class Telling(Averaging):
        def forward(self, observations):
            answer = super().forward(observations)
            if torch.is_grad_enabled():
                count = int(self.norm.num_batches_tracked)
                name = f"{count}-{torch.multiprocessing.current_process().pid}"
                torch.save(self.means_before, tmp_path / name)
            return answer

        def logits(self, observations):
            self.means_before = self.norm.running_mean.clone()
            return super().logits(observations)

    with by_parallel_a2c(Telling(), Trembling, total_steps=60) as training:
        list(training)
    seen = {}
    for path in tmp_path.iterdir():
        seen.setdefault(path.name.split("-")[0], []).append(torch.load(path))
    assert all(len(means) == 2 and torch.equal(*means) for means in seen.values())
    assert len(seen) == 3


# ---- numbers of another kind ----

VECTOR, PICTURE = gym.spaces.Box(-1, 1, (3,)), gym.spaces.Box(0, 255, (2, 5, 6), "uint8")
SPACES = [VECTOR, gym.spaces.Discrete(4), PICTURE]


@pytest.mark.parametrize("kind", [ActorCritic, RecurrentActorCritic])
@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("numbers", [torch.float64, torch.bfloat16])
def test_networks_compute_in_the_numbers_of_their_weights(kind, space, numbers):
    model = kind(space, gym.spaces.Discrete(2), hidden=(8,)).to(numbers)
    seen = torch.stack([torch.as_tensor(space.sample()) for _ in range(3)])
    state = initial_state(model, 3)
    logits = model.logits(seen) if state is None else model.logits(seen, state)[0]
    assert logits.dtype is numbers


@every_trainer
def test_a_model_in_double_precision_trains(train):
    model = network().double()
    with train(model) as training:
        list(training)
    assert {theta.dtype for theta in model.parameters()} == {torch.float64}
    assert all(theta.isfinite().all() for theta in model.parameters())


@each_in_one_process
def test_double_precision_may_be_the_default(train):
    torch.set_default_dtype(torch.float64)
    try:
        with train(network()) as training:
            list(training)
        assert {theta.dtype for theta in training.model.parameters()} == {torch.float64}
    finally:
        torch.set_default_dtype(torch.float32)


# ---- losses and targets that see more ----


class WithMore(NamedTuple):
    total: Tensor
    policy: Tensor
    value: Tensor
    entropy: Tensor
    begun_after: Tensor
    feature: Tensor


@every_trainer
def test_a_loss_sees_the_rollout_the_steps_and_the_model_and_reports_what_it_likes(train):
    @WithContext
    def loss(logits, values, actions, returns, context):
        parts = actor_critic.actor_critic_loss(logits, values, actions, returns)
        assert context.values.shape == context.next_values.shape == context.rollout.rewards.shape
        assert not context.values.requires_grad
        feature = context.model.torso(context.rollout.observations).square().mean()
        steps = torch.tensor(float(context.steps))
        return WithMore(parts.total + feature, *parts[1:], steps, feature)

    with train(network(), loss=loss) as training:
        history = list(training)
    assert all(update.extra.keys() == {"begun_after", "feature"} for update in history)
    assert all(update.extra["feature"] > 0 for update in history)
    seen = [update.extra["begun_after"] for update in history]
    assert seen == sorted(seen) or train is by_processes
    assert (seen[0], seen[-1] > 0) == (0, True)
    assert json.loads(json.dumps(history[0].as_row()))["feature"] > 0


@each_in_one_process
def test_a_loss_that_gives_a_number_is_refused(train):
    def loss(logits, values, actions, returns):
        return values.square().mean()

    said = r"named tuple with its total and parts, .*; got Tensor"
    with pytest.raises(TypeError, match=said), train(network(), loss=loss) as training:
        next(training)


def test_targets_may_be_given_values():
    """λ-returns by way of advantages are those that the values of what comes next give."""
    gamma, decay = 0.9, 0.8

    def recursive(rewards, next_values, terminated, truncated, gamma):
        R, returns = next_values[-1], []
        for t in reversed(range(len(rewards))):
            after = (1 - decay) * next_values[t] + decay * R
            after = torch.where(truncated[t], next_values[t], after)
            R = rewards[t] + gamma * torch.where(terminated[t], 0.0, after)
            returns.append(R)
        return torch.stack(returns[::-1])

    @WithContext
    def advantages(rewards, next_values, terminated, truncated, gamma, context):
        errors = rewards + gamma * next_values * ~terminated - context.values
        A, ended, each = torch.zeros_like(rewards[0]), terminated | truncated, []
        for t in reversed(range(len(rewards))):
            A = errors[t] + gamma * decay * A * ~ended[t]
            each.append(A)
        return context.values + torch.stack(each[::-1])

    model = network()
    player = Player(make_envs(Counting, 2), seeds(0, 0), model)
    played = player.play(sampled(model, player.generator), 7)
    loss = actor_critic.actor_critic_loss
    one, other = (lesson_of(model, played, f, loss, gamma) for f in (recursive, advantages))
    torch.testing.assert_close(one.returns, other.returns)
