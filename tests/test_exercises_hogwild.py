"""Right answers to chapter 05's exercises in other forms, and what its cases tell apart."""

from copy import deepcopy
from functools import partial

import gymnasium as gym
import pytest
import torch
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from a3c_lib import a3c, optim
from a3c_lib.actor_critic import lesson_of
from a3c_lib.exercises import hogwild
from a3c_lib.exercises.engine import registry
from a3c_lib.exercises.engine.checking import Kind, check
from a3c_lib.exercises.hogwild import Shared, Worker, hand_over_with_a_bug, replay
from a3c_lib.losses import a2c_loss
from a3c_lib.networks import ActorCritic
from a3c_lib.playing import Played, Player
from a3c_lib.returns import n_step_returns
from a3c_lib.rollout import make_envs, sampled
from a3c_lib.training import clip_gradients, seeds

# 5.1


def with_operators(theta, g, gradients, learning_rate, decay=0.99, epsilon=1e-5):
    for k in range(len(theta)):
        g[k] *= decay
        g[k] += (1 - decay) * gradients[k] ** 2
        theta[k] -= learning_rate * gradients[k] / torch.sqrt(g[k] + epsilon)


def with_slices(theta, g, gradients, learning_rate, decay=0.99, epsilon=1e-5):
    for parameter, statistic, gradient in zip(theta, g, gradients, strict=True):
        statistic[:] = decay * statistic + (1 - decay) * gradient * gradient
        parameter[:] = parameter - learning_rate * gradient * (statistic + epsilon) ** -0.5


def with_copy(theta, g, gradients, learning_rate, decay=0.99, epsilon=1e-5):
    for parameter, statistic, gradient in zip(theta, g, gradients, strict=True):
        statistic.copy_(decay * statistic.double() + (1 - decay) * gradient.double().square())
        parameter.data.copy_(parameter - learning_rate * gradient / (statistic + epsilon).sqrt())


def with_lerp(theta, g, gradients, learning_rate, decay=0.99, epsilon=1e-5):
    with torch.no_grad():
        for parameter, statistic, gradient in zip(theta, g, gradients, strict=True):
            statistic.lerp_(gradient.square(), 1 - decay)
            parameter.addcmul_(gradient, (statistic + epsilon).rsqrt(), value=-learning_rate)


def the_packages_own(theta, g, gradients, learning_rate, decay=0.99, epsilon=1e-5):
    optimizer = optim.RMSProp(theta, decay, epsilon)
    optimizer.g = g
    optimizer.step(gradients, learning_rate)


# 5.2


class WithData(Worker):
    def begin(self):
        for mine, theirs in zip(self.model.parameters(), self.shared.theta, strict=True):
            mine.data[:] = theirs
        self.rollout = self.player.act(self.model)


class WithNewTensorsForItself(Worker):
    def begin(self):
        for mine, theirs in zip(self.model.parameters(), self.shared.theta, strict=True):
            mine.data = theirs.clone()
        self.rollout = self.player.act(self.model)


class WithOneVector(Worker):
    def begin(self):
        vector = torch.cat([each.flatten() for each in self.shared.theta])
        vector_to_parameters(vector, self.model.parameters())
        self.rollout = self.player.act(self.model)

    def finish(self):
        d_theta = self.player.gradients(self.model, self.rollout)
        T = self.shared.steps.sum().item()
        left = max(0.0, (self.total_steps - T) / self.total_steps)
        hogwild.rmsprop_step(self.shared.theta, self.shared.g, d_theta, left * self.learning_rate)
        self.shared.steps[self.rank] = self.shared.steps[self.rank] + self.rollout.rewards.numel()


class WithThePackagesOptimizer(Worker):
    def finish(self):
        optimizer = optim.RMSProp(self.shared.theta)
        optimizer.g = self.shared.g
        config = a3c.Config(learning_rate=self.learning_rate, total_steps=self.total_steps)
        rate = config.annealed(int(self.shared.steps.sum()))
        optimizer.step(self.player.gradients(self.model, self.rollout), rate)
        self.shared.steps[self.rank] += self.rollout.rewards.flatten().shape[0]


class LearnsAlreadyInBegin(Worker):
    """The gradient depends on θ′ and the rollout only, so it may be taken at once."""

    def begin(self):
        super().begin()
        self.gradients = self.player.gradients(self.model, self.rollout)

    def finish(self):
        rate = self._rate(int(self.shared.steps.sum()))
        hogwild.rmsprop_step(self.shared.theta, self.shared.g, self.gradients, rate)
        self._count()


# 5.3


def both_sides_cleared(local, shared, optimizer, loss):
    optimizer.zero_grad()
    for mine in local:
        mine.grad = None
    loss.backward()
    for mine, theirs in zip(local, shared, strict=True):
        if theirs.grad is not None:
            break
        theirs.grad = mine.grad
    optimizer.step()


def without_the_if(local, shared, optimizer, loss):
    for mine in local:
        mine.grad = None
    loss.backward()
    for mine, theirs in zip(local, shared, strict=True):
        theirs._grad = mine.grad
    optimizer.step()


def copies_handed_over(local, shared, optimizer, loss):
    optimizer.zero_grad()
    for mine in local:
        if mine.grad is not None:
            mine.grad.zero_()
    loss.backward()
    for mine, theirs in zip(local, shared, strict=True):
        theirs.grad = mine.grad.clone()
    optimizer.step()


def cleared_afterwards(local, shared, optimizer, loss):
    loss.backward()
    for mine, theirs in zip(local, shared, strict=True):
        theirs.grad = mine.grad
    optimizer.step()
    optimizer.zero_grad()
    for mine in local:
        mine.grad = None


# 5.4


def with_a_match(theta, schedule, changes):
    notes = dict.fromkeys(changes, theta)
    for step in schedule:
        match step:
            case (worker, "reads"):
                notes[worker] = theta
            case (worker, "writes"):
                theta = changes[worker] + notes[worker]
    return theta


def sums_noted_at_once(theta, schedule, changes):
    """The sum may be made at the reading, as long as it is written later."""
    to_write = {}
    for worker, what in schedule:
        if what == "reads":
            to_write[worker] = theta + changes[worker]
        if what == "writes":
            theta = to_write[worker]
    return theta


def backwards(theta, schedule, changes):
    """Who wrote last? Its value goes back to its latest reading, and so on."""
    if not schedule:
        return theta
    *before, (worker, what) = schedule
    if what == "reads":
        return backwards(theta, before, changes)
    read = max(k for k, step in enumerate(before) if step == (worker, "reads"))
    return backwards(theta, before[:read], changes) + changes[worker]


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        ("5.1", with_operators),
        ("5.1", with_slices),
        ("5.1", with_copy),
        ("5.1", with_lerp),
        ("5.1", the_packages_own),
        ("5.2", WithData),
        ("5.2", WithNewTensorsForItself),
        ("5.2", WithOneVector),
        ("5.2", WithThePackagesOptimizer),
        ("5.2", LearnsAlreadyInBegin),
        ("5.3", both_sides_cleared),
        ("5.3", without_the_if),
        ("5.3", copies_handed_over),
        ("5.3", cleared_afterwards),
        ("5.4", with_a_match),
        ("5.4", sums_noted_at_once),
        ("5.4", backwards),
    ],
)
def test_a_right_answer_in_another_form_is_right(exercise, answer):
    verdict = check(registry.find(exercise), answer)
    assert verdict.kind is Kind.RIGHT, verdict.text


def a_step_for_all_with_one_norm(theta, g, gradients, learning_rate, decay=0.99, epsilon=1e-5):
    norm = sum(gradient.square().sum() for gradient in gradients)
    for parameter, statistic, gradient in zip(theta, g, gradients, strict=True):
        statistic.mul_(decay).add_((1 - decay) * norm)
        parameter.sub_(learning_rate * gradient / (statistic + epsilon).sqrt())


def test_a_mistake_without_a_name_is_still_wrong():
    verdict = check(registry.find("5.1"), a_step_for_all_with_one_norm)
    assert verdict.kind is Kind.WRONG


def unfinished():
    class Half(Worker):
        def begin(self):
            super().begin()

        def finish(self): ...

    return Half


def test_a_worker_of_which_half_is_written_is_not_finished():
    verdict = check(registry.find("5.2"), unfinished())
    assert verdict.kind is Kind.NOT_ATTEMPTED
    assert "`finish` remains to be written" in verdict.text


# What the references are


def test_the_step_is_the_packages():
    generator = torch.Generator().manual_seed(0)
    ours, theirs = ([torch.ones(3, 2), torch.ones(2)] for _ in range(2))
    g = [torch.zeros_like(each) for each in ours]
    package = optim.RMSProp(theirs)
    for _ in range(20):
        gradients = [torch.randn(each.shape, generator=generator) for each in ours]
        hogwild.rmsprop_step(ours, g, gradients, 0.01)
        package.step(gradients, 0.01)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(g, package.g)


class Plays:
    def __init__(self, rank, config, model):
        self.config = config
        self.player = Player(make_envs("CartPole-v1"), seeds(config.seed, 0, rank), model)

    def act(self, model):
        policy = sampled(model, self.player.generator)
        return self.player.play(policy, self.config.t_max).rollout

    def gradients(self, model, rollout):
        loss = partial(a2c_loss, value_weight=0.5, entropy_weight=0.01)
        lesson = lesson_of(model, Played(rollout), n_step_returns, loss, self.config.gamma)
        return clip_gradients(lesson.gradients, self.config.max_grad_norm)[0]


def test_the_worker_is_the_packages():
    """In turn, three of them: the same weights after 40 updates."""
    config = a3c.Config(
        total_steps=200, t_max=5, num_workers=3, schedule="round-robin", learning_rate=0.01
    )
    model = ActorCritic.for_env(gym.make("CartPole-v1"), hidden=(8,), seed=0)
    theta = [parameter.detach().clone() for parameter in model.parameters()]
    g = [torch.zeros_like(each) for each in theta]
    shared = Shared(theta, g, torch.zeros(3, dtype=torch.int64))
    rates = config.learning_rate, config.total_steps
    workers = [
        Worker(rank, shared, deepcopy(model), Plays(rank, config, model), *rates)
        for rank in range(3)
    ]
    for worker in workers:
        worker.begin()
    while shared.steps.sum() < config.total_steps:
        for worker in workers:
            worker.finish()
            if shared.steps.sum() >= config.total_steps:
                break
            worker.begin()
    with a3c.train(model, "CartPole-v1", config) as training:
        list(training)
    trained = parameters_to_vector(model.parameters())
    torch.testing.assert_close(torch.cat([each.flatten() for each in theta]), trained)


def test_gradients_pile_up_in_the_bug_hunt_from_the_second_one_on():
    cases = {case.label: case for case in registry.find("5.3").cases()}
    case = cases["one worker, gradients 1, 2, 3, 4, 5"]
    arrived = case.probe(hand_over_with_a_bug, *case.args)["the gradients that reach the optimizer"]
    assert arrived.flatten().tolist() == [1, 3, 6, 10, 15]
    assert check(registry.find("5.3"), hand_over_with_a_bug).kind is Kind.NOT_ATTEMPTED


def test_a_change_is_lost_when_another_is_made_between_reading_and_writing():
    def steps(text):
        return [(each[0], {"r": "reads", "w": "writes"}[each[1]]) for each in text.split()]

    changes = {"A": 1.0, "B": 10.0}
    assert replay(0.0, steps("Ar Aw Br Bw"), changes) == 11
    assert replay(0.0, steps("Ar Br Aw Bw"), changes) == 10
    assert replay(0.0, steps("Ar Br Bw Aw"), changes) == 1
