"""Right answers to chapter 08's exercises in other forms, and what its cases tell apart."""

from copy import deepcopy

import gymnasium as gym
import pytest
import torch
from torch.nn.utils import parameters_to_vector

from a3c_lib import q_learning
from a3c_lib.exercises import q_learning as exercises
from a3c_lib.exercises.engine import registry
from a3c_lib.exercises.engine.checking import Kind, check
from a3c_lib.exercises.hogwild import Shared, Worker
from a3c_lib.exercises.q_learning import QPlayer, refresh_target
from a3c_lib.playing import Player
from a3c_lib.q_learning import NStepQ, look_back
from a3c_lib.q_networks import QNetwork, epsilon_greedy_probabilities
from a3c_lib.rollout import make_envs
from a3c_lib.training import clip_gradients, seeds

# 8.1


def in_a_loop(q, epsilon, generator):
    actions = []
    for row in q:
        if torch.rand((), generator=generator) < epsilon:
            actions.append(torch.randint(len(row), (), generator=generator))
        else:
            actions.append(row.argmax())
    return torch.stack(actions)


def drawn_from_the_probabilities(q, epsilon, generator):
    pi = epsilon_greedy_probabilities(q, epsilon)
    return torch.multinomial(pi, 1, generator=generator).squeeze(-1)


def filled_in(q, epsilon, generator):
    actions = q.max(dim=1).indices
    explores = torch.bernoulli(torch.full(actions.shape, epsilon), generator=generator).bool()
    actions[explores] = torch.randint(q.shape[1], (int(explores.sum()),), generator=generator)
    return actions


# 8.2


def with_where(rewards, next_q, terminated, gamma):
    after, _ = next_q.max(dim=2)
    return torch.where(terminated, rewards, rewards + gamma * after)


def filled_with_zeros(rewards, next_q, terminated, gamma):
    return rewards + (gamma * next_q.max(-1).values).masked_fill(terminated, 0)


# 8.3


def step_by_step(rewards, next_q, actions, following, terminated, gamma):
    targets = rewards.clone()
    T, N = rewards.shape
    for t in range(T):
        for n in range(N):
            a = actions[t + 1, n] if t + 1 < T else following[n]
            if not terminated[t, n]:
                targets[t, n] += gamma * next_q[t, n, a]
    return targets


def with_take_along_dim(rewards, next_q, actions, following, terminated, gamma):
    following_all = torch.vstack([actions, following])[1:].unsqueeze(-1)
    after = next_q.take_along_dim(following_all, dim=-1)[..., 0]
    return rewards + gamma * after * terminated.logical_not()


# 8.4


def recursion_of_its_own(rewards, next_q, terminated, truncated, gamma):
    best = next_q.max(dim=-1).values
    R, returns = best[-1], torch.empty_like(rewards)
    for t in range(len(rewards) - 1, -1, -1):
        R = torch.where(truncated[t], best[t], R)
        R = rewards[t] + gamma * R * (~terminated[t]).float()
        returns[t] = R
    return returns


# 8.5


@torch.no_grad()
def multiples_counted_one_by_one(theta, target, before, after, period):
    if any(count % period == 0 for count in range(before + 1, after + 1)):
        for mine, theirs in zip(target, theta, strict=True):
            mine[:] = theirs


def with_the_remainder(theta, target, before, after, period):
    if before % period + (after - before) >= period:
        for k in range(len(theta)):
            target[k].data.copy_(theta[k])


# 8.6


class WithTheParts(QPlayer):
    def gradients(self, model, rollout):
        with torch.no_grad():
            best = self.target(rollout.next_observations).amax(-1)
        R, rows = best[-1], []
        for t in reversed(range(len(best))):
            R = torch.where(rollout.truncated[t], best[t], R)
            R = rollout.rewards[t] + self.gamma * R * ~rollout.terminated[t]
            rows.insert(0, R)
        Q = model(rollout.observations).gather(2, rollout.actions.unsqueeze(2)).squeeze(2)
        loss = torch.nn.functional.mse_loss(Q, torch.stack(rows))
        loss.backward()
        gradients = [parameter.grad.clone() for parameter in model.parameters()]
        model.zero_grad()
        return gradients


# 8.7


def carried_in_the_right_place(world, Q, choose, alpha, gamma, steps):
    state, action = world.reset(), None
    for _ in range(steps):
        action = choose(Q[state]) if action is None else action
        after, reward, terminated = world.step(action)
        target, following = reward, None
        if not terminated:
            following = choose(Q[after])
            target += gamma * Q[after, following]
        Q[state, action] = (1 - alpha) * Q[state, action] + alpha * target
        state, action = (world.reset() if terminated else after), following


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        ("8.1", in_a_loop),
        ("8.1", drawn_from_the_probabilities),
        ("8.1", filled_in),
        ("8.1", q_learning.explored),
        ("8.2", with_where),
        ("8.2", filled_with_zeros),
        ("8.3", step_by_step),
        ("8.3", with_take_along_dim),
        ("8.4", recursion_of_its_own),
        ("8.5", multiples_counted_one_by_one),
        ("8.5", with_the_remainder),
        ("8.6", WithTheParts),
        ("8.7", carried_in_the_right_place),
    ],
)
def test_a_right_answer_in_another_form_is_right(exercise, answer):
    verdict = check(registry.find(exercise), answer)
    assert verdict.kind is Kind.RIGHT, verdict.text


def test_a_mistake_without_a_name_is_still_wrong():
    def never_copies(theta, target, before, after, period):
        if period > after + before:
            target[0].copy_(theta[0])

    def next_to_last(world, Q, choose, alpha, gamma, steps):
        exercises.sarsa(world, Q, choose, alpha / 2, gamma, steps)

    assert check(registry.find("8.5"), never_copies).kind is Kind.WRONG
    assert check(registry.find("8.7"), next_to_last).kind is Kind.WRONG


def test_what_no_name_fits_is_told_by_what_it_responds_to():
    def half_of_each(rewards, next_q, terminated, truncated, gamma):
        best = next_q.amax(-1)
        R, returns = best[-1], []
        for t in reversed(range(len(rewards))):
            after = torch.where(truncated[t], best[t], (R + best[t]) / 2)
            R = rewards[t] + gamma * after * ~terminated[t]
            returns.insert(0, R)
        return torch.stack(returns)

    def of_the_first_too(rewards, next_q, actions, following, terminated, gamma):
        right = exercises.sarsa_targets(rewards, next_q, actions, following, terminated, gamma)
        return right + actions[0].float()

    verdict = check(registry.find("8.4"), half_of_each)
    assert "`next_q` counts inside the rollout" in " ".join(verdict.text.split())
    verdict = check(registry.find("8.3"), of_the_first_too)
    assert "The rollout's first action changes your targets" in " ".join(verdict.text.split())


# What the references are


def rollout_of_corridor():
    model = QNetwork.for_env(gym.make("a3c_lib/Corridor-v0"), hidden=(), seed=0)
    player = Player(make_envs("a3c_lib/Corridor-v0", 3), seeds(0, 0), model)
    policy = q_learning.epsilon_greedy(model, 1.0, player.generator)
    return model, player.play(policy, 12).rollout


def test_the_targets_are_the_packages():
    model, rollout = rollout_of_corridor()
    assert rollout.terminated.any()
    _, next_q = look_back(model, rollout)
    config = q_learning.Config()
    rest = rollout.rewards, rollout.terminated
    for method, ours in (
        (q_learning.OneStepQ, exercises.q_targets(rest[0], next_q, rest[1], 0.9)),
        (NStepQ, exercises.n_step_q_returns(rest[0], next_q, rest[1], rollout.truncated, 0.9)),
    ):
        values = method(config).next_values(None, rollout, next_q, next_q)
        theirs = method.targets(rest[0], values, rest[1], rollout.truncated, 0.9)
        torch.testing.assert_close(ours, theirs)


def test_chapter_05s_worker_with_this_player_is_the_packages_n_step_q():
    """In turn, two of them: the same weights after 60 updates, with copies of the target."""
    env = "a3c_lib/Catch-v0"
    config = q_learning.Config(
        total_steps=300,
        schedule="round-robin",
        learning_rate=0.01,
        target_period=40,
        epsilon_steps=150,
        max_grad_norm=100.0,
    )
    model = QNetwork.for_env(gym.make(env), hidden=(8,), seed=0)
    theta = [parameter.detach().clone() for parameter in model.parameters()]
    g, frozen = [torch.zeros_like(each) for each in theta], deepcopy(model)
    shared = Shared(theta, g, torch.zeros(2, dtype=torch.int64))

    class Plays(QPlayer):
        def __init__(self, rank):
            self.rank = rank
            player = Player(make_envs(env), seeds(config.seed, 0, rank), model)
            super().__init__(player, frozen, 1.0, config.gamma, config.t_max)

        def act(self, model):
            self.epsilon = config.epsilon(self.rank, int(shared.steps.sum()))
            return super().act(model)

        def gradients(self, model, rollout):
            return clip_gradients(super().gradients(model, rollout), config.max_grad_norm)[0]

    rates = config.learning_rate, config.total_steps
    workers = [Worker(k, shared, deepcopy(model), Plays(k), *rates) for k in range(2)]
    for worker in workers:
        worker.begin()
    for update in range(60):
        before = int(shared.steps.sum())
        workers[update % 2].finish()
        after = int(shared.steps.sum())
        targets = [parameter.data for parameter in frozen.parameters()]
        refresh_target(theta, targets, before, after, config.target_period)
        if after < config.total_steps:
            workers[update % 2].begin()
    with q_learning.train(model, env, config, method=NStepQ) as training:
        list(training)
    trained = parameters_to_vector(model.parameters())
    torch.testing.assert_close(torch.cat([each.flatten() for each in theta]), trained)
    target = parameters_to_vector(training.target.parameters())
    torch.testing.assert_close(parameters_to_vector(frozen.parameters()), target)
