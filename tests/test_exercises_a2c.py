"""Right answers to chapter 06's exercises in other forms, and what its cases tell apart."""

from dataclasses import replace
from types import SimpleNamespace

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from scripted import Counting
from torch.distributions import Categorical

from a3c_lib import a2c
from a3c_lib.a2c import Config
from a3c_lib.actor_critic import Loss, lesson_of, look_back
from a3c_lib.exercises import a2c as exercises
from a3c_lib.exercises.engine import registry
from a3c_lib.exercises.engine.checking import Kind, check
from a3c_lib.losses import a2c_loss
from a3c_lib.networks import ActorCritic
from a3c_lib.optim import RMSProp
from a3c_lib.playing import Player
from a3c_lib.returns import n_step_returns
from a3c_lib.rollout import collect, greedy, sampled, start
from a3c_lib.training import clip_gradients, seeds

# 6.1


def reshaped(observations, actions, returns):
    T, N = actions.shape
    rows = observations.reshape(T * N, *observations.shape[2:])
    return rows, actions.reshape(-1), returns.reshape(-1)


def step_by_step(observations, actions, returns):
    T, N = actions.shape
    places = [(t, n) for t in range(T) for n in range(N)]
    return tuple(
        torch.stack([part[t, n] for t, n in places]) for part in (observations, actions, returns)
    )


def concatenated(observations, actions, returns):
    return tuple(torch.cat(list(part)) for part in (observations, actions, returns))


# 6.2


def with_einsum(gradients, steps):
    shares = torch.tensor(steps) / sum(steps)
    return [
        torch.einsum("n,n...->...", shares, torch.stack(parts))
        for parts in zip(*gradients, strict=True)
    ]


def in_a_loop(gradients, steps):
    total = [torch.zeros_like(part, dtype=torch.float64) for part in gradients[0]]
    for parts, m in zip(gradients, steps, strict=True):
        for so_far, part in zip(total, parts, strict=True):
            so_far.add_(m / sum(steps) * part)
    return tuple(total)


# 6.3


def row_by_row(terminated, truncated, resetting):
    mask = torch.zeros_like(terminated)
    before = resetting
    for t in range(len(terminated)):
        mask[t] = before
        before = terminated[t] | truncated[t]
    return mask


def rolled_and_mended(terminated, truncated, resetting):
    mask = (terminated + truncated).roll(1, 0)
    mask[0] = resetting
    return mask


def through_numpy(terminated, truncated, resetting):
    ended = np.logical_or(terminated.numpy(), truncated.numpy())
    return torch.from_numpy(np.concatenate([resetting.numpy()[None], ended[:-1]]))


# 6.4


def by_the_library(model, rollout, dummies, gamma, value_weight, entropy_weight):
    logits, values, next_values = look_back(model, rollout)
    ends = rollout.terminated, rollout.truncated
    returns = n_step_returns(rollout.rewards, next_values, *ends, gamma)
    real = ~dummies
    parts = logits[real], values[real], rollout.actions[real], returns[real]
    return a2c_loss(*parts, value_weight, entropy_weight)


def with_a_mask(model, rollout, dummies, gamma, value_weight, entropy_weight):
    logits, values, next_values = look_back(model, rollout)
    ends = rollout.terminated, rollout.truncated
    returns = n_step_returns(rollout.rewards, next_values, *ends, gamma)
    weights = (~dummies) / (~dummies).sum()
    pi = Categorical(logits=logits)
    advantages = (returns - values).detach()
    policy = -(weights * pi.log_prob(rollout.actions) * advantages).sum()
    value = (weights * (returns - values) ** 2).sum()
    bonus = (weights * pi.entropy()).sum()
    return Loss(policy + value_weight * value - entropy_weight * bonus, policy, value, bonus)


def the_other_factor_made_a_column(model, rollout, dummies, gamma, value_weight, entropy_weight):
    logits, values, next_values = look_back(model, rollout)
    ends = rollout.terminated, rollout.truncated
    returns = n_step_returns(rollout.rewards, next_values, *ends, gamma)
    real = ~dummies
    log_pi = logits[real].log_softmax(dim=-1)
    taken = log_pi.gather(-1, rollout.actions[real][:, None])
    policy = -(taken * (returns - values).detach()[real][:, None]).mean()
    value = (returns[real] - values[real]).square().mean()
    bonus = Categorical(logits=logits[real]).entropy().mean()
    return Loss(policy + value_weight * value - entropy_weight * bonus, policy, value, bonus)


# 6.5


def by_lessons(model, player, optimizer, config):
    steps = 0
    while steps < config.total_steps:
        played = player.play(sampled(model, player.generator), config.t_max)
        lesson = lesson_of(model, played, n_step_returns, config.loss, config.gamma)
        gradients, _ = clip_gradients(lesson.gradients, config.max_grad_norm)
        optimizer.step(gradients, config.annealed(steps))
        steps += lesson.steps
    return steps


def by_its_own_functions(model, player, optimizer, config):
    """With exercises 6.1 and 6.3, and a policy that is written out."""

    def policy(observation, state):
        with torch.no_grad():
            return Categorical(logits=model.logits(observation)).sample(), state

    steps = torch.tensor(0)
    while steps.item() < config.total_steps:
        resetting = torch.as_tensor(player.position.resetting)
        rollout = player.play(policy, config.t_max).rollout
        with torch.no_grad():
            after = model.values(rollout.next_observations)
        ends = rollout.terminated, rollout.truncated
        returns = n_step_returns(rollout.rewards, after, *ends, config.gamma)
        batch = exercises.one_batch(rollout.observations, rollout.actions, returns)
        real = ~exercises.dummy_mask(*ends, resetting).flatten()
        observations, actions, returns = (part[real] for part in batch)
        logits, values = model(observations)
        pi = Categorical(logits=logits)
        policy_loss = -(pi.log_prob(actions) * (returns - values).detach()).mean()
        value_loss = (returns - values).square().mean()
        total = policy_loss + config.value_weight * value_loss
        total = total - config.entropy_weight * pi.entropy().mean()
        gradients = torch.autograd.grad(total, list(model.parameters()))
        norm = torch.cat([each.flatten() for each in gradients]).norm()
        scale = min(1.0, config.max_grad_norm / norm.item())
        left = 1 - steps.item() / config.total_steps
        optimizer.step([scale * each for each in gradients], config.learning_rate * left)
        steps = steps + real.sum()
    return steps.item()


def by_the_number_of_its_environments(model, player, optimizer, config):
    policy, steps = sampled(model, player.generator), 0
    while steps < config.total_steps:
        played = player.play(policy, config.t_max)
        lesson = lesson_of(model, played, n_step_returns, config.loss, config.gamma)
        gradients, _ = clip_gradients(lesson.gradients, config.max_grad_norm)
        optimizer.step(gradients, config.annealed(steps))
        dummies = int(played.rollout.dummies.sum())
        steps += config.t_max * player.envs.num_envs - dummies
    return steps


def greedy_after_its_first_rollout(model, player, optimizer, config):
    steps = 0
    while steps < config.total_steps:
        policy = greedy(model) if steps else sampled(model, player.generator)
        lesson = lesson_of(
            model, player.play(policy, config.t_max), n_step_returns, config.loss, config.gamma
        )
        gradients, _ = clip_gradients(lesson.gradients, config.max_grad_norm)
        optimizer.step(gradients, config.annealed(steps))
        steps += lesson.steps
    return steps


def test_whoever_no_longer_draws_is_not_told_of_old_parameters():
    text = " ".join(check(registry.find("6.5"), greedy_after_its_first_rollout).text.split())
    assert "how actions are drawn is not right yet" in text
    assert "began with" not in text


def counts_nothing(model, player, optimizer, config):
    steps = 0
    while steps < config.total_steps:
        player.play(sampled(model, player.generator), config.t_max)
    return steps


def test_a_loop_that_never_ends_is_told_so_and_ends():
    verdict = check(registry.find("6.5"), counts_nothing)
    assert verdict.kind is Kind.RAISED
    assert "are the steps counted?" in " ".join(verdict.text.split())


def at_these_rates(optimizer, rates):
    """An optimiser that goes by its own learning rates, whatever it is told."""
    return SimpleNamespace(
        parameters=optimizer.parameters,
        step=lambda gradients, _: optimizer.step(gradients, next(rates)),
    )


def test_what_has_been_written_learns_as_the_package_does():
    """After some updates in environments of both kinds, with the same seeds."""
    for fast_envs in False, True:
        config = Config(total_steps=256, t_max=8, num_envs=4, fast_envs=fast_envs, seed=3)
        ours, theirs = (ActorCritic.for_env(gym.make("CartPole-v1"), seed=3) for _ in range(2))
        with a2c.train(theirs, "CartPole-v1", config) as training:
            updates = [next(training) for _ in range(5)]
        shorter = replace(config, total_steps=updates[-1].steps)
        player = Player(a2c.make_vector_env("CartPole-v1", 4, fast_envs), seeds(3, steps=0), ours)
        optimizer = at_these_rates(
            RMSProp(ours.parameters()), iter([update.learning_rate for update in updates])
        )
        assert exercises.train_a2c(ours, player, optimizer, shorter) == updates[-1].steps
        for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        ("6.1", reshaped),
        ("6.1", step_by_step),
        ("6.1", concatenated),
        ("6.2", with_einsum),
        ("6.2", in_a_loop),
        ("6.3", row_by_row),
        ("6.3", rolled_and_mended),
        ("6.3", through_numpy),
        ("6.4", by_the_library),
        ("6.4", with_a_mask),
        ("6.4", the_other_factor_made_a_column),
        ("6.5", by_lessons),
        ("6.5", by_its_own_functions),
        ("6.5", by_the_number_of_its_environments),
    ],
)
def test_a_right_answer_in_another_form_passes(exercise, answer):
    verdict = check(registry.find(exercise), answer)
    assert verdict.right, verdict.text


def rows_put_into_disorder(observations, actions, returns):
    rows = exercises.one_batch(observations, actions, returns)
    return tuple(part.roll(k, dims=0) for k, part in enumerate(rows))


def two_values_only(observations, actions, returns):
    return exercises.one_batch(observations, actions, returns)[:2]


def floats_of_whole_numbers(observations, actions, returns):
    """A network that expects numbers from 0 on could not look them up."""
    return exercises.one_batch(observations.float(), actions, returns)


def nothing(observations, actions, returns):
    observations.sum()


@pytest.mark.parametrize(
    "answer", [rows_put_into_disorder, two_values_only, floats_of_whole_numbers, nothing]
)
def test_a_batch_without_a_named_mistake_is_still_wrong(answer):
    verdict = check(registry.find("6.1"), answer)
    assert verdict.kind is Kind.WRONG, verdict.text


def test_the_mask_is_the_trainers():
    """The package's, of rollouts that begin everywhere, also with a dummy."""
    envs = SyncVectorEnv(
        [lambda n=n: Counting(n) for n in (1, 2, 3)], autoreset_mode=AutoresetMode.NEXT_STEP
    )
    model = ActorCritic.for_env(Counting(), hidden=(4,))
    policy, began = sampled(model, torch.Generator().manual_seed(0)), start(envs, 0)
    for _ in range(5):
        rollout, position = collect(envs, policy, began, t_max=2)
        resetting = torch.as_tensor(began.resetting)
        mask = exercises.dummy_mask(rollout.terminated, rollout.truncated, resetting)
        assert torch.equal(mask, rollout.dummies)
        began = position


def cases_of_the_hunt():
    """The same in each run: now and then chance makes all of a batch's log π nearly equal, and then
    the bug changes nothing."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return registry.find("6.4").cases()


def test_the_hunts_reference_is_the_packages_loss():
    for case in cases_of_the_hunt():
        ours, theirs = exercises.batch_loss(*case.args), by_the_library(*case.args)
        torch.testing.assert_close(tuple(ours), tuple(theirs))


def test_the_bug_leaves_the_critic_alone_and_takes_the_pairs_from_the_actor():
    for case in cases_of_the_hunt():
        right, wrong = (
            f(*case.args) for f in (exercises.batch_loss, exercises.batch_loss_with_a_bug)
        )
        assert torch.equal(right.value, wrong.value)
        assert torch.equal(right.entropy, wrong.entropy)
        one_step = (~case.args[2]).sum() == 1
        assert torch.isclose(right.policy, wrong.policy) == one_step, case.label
