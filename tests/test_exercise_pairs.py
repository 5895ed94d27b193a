"""Answers with one mistake or two, as people write them: what was taken for right is refused, and
both mistakes of two are named."""

import math
from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import log_softmax

from a3c_lib.actor_critic import Loss, values_after
from a3c_lib.exercises import one_step
from a3c_lib.exercises.engine import registry
from a3c_lib.exercises.engine.checking import Kind, check
from a3c_lib.exercises.lstm import begin_anew, learn_from
from a3c_lib.exercises.q_learning import QPlayer, n_step_q_returns
from a3c_lib.losses import a2c_loss, entropy
from a3c_lib.returns import n_step_returns
from a3c_lib.rollout import collect, sampled
from a3c_lib.training import clip_gradients


def said(exercise_id, answer, kind=Kind.WRONG):
    verdict = check(registry.find(exercise_id), answer)
    assert verdict.kind is kind, verdict.text
    return " ".join(verdict.text.split())


# Once taken for right


def divided_by_powers(rewards, bootstrap, gamma):
    x = torch.cat([rewards, bootstrap.reshape(1)])
    w = gamma ** torch.arange(len(x), dtype=rewards.dtype)
    return ((x * w).flip(0).cumsum(0).flip(0) / w)[:-1]


def divided_by_powers_of_an_episode(rewards, gamma):
    w = gamma ** torch.arange(len(rewards), dtype=rewards.dtype)
    return (rewards * w).flip(0).cumsum(0).flip(0) / w


def ended_anywhere_later(t, rewards, next_values, terminated, truncated, gamma):
    ends = torch.nonzero((terminated | truncated)[t:]).flatten()
    m = t + int(ends[0]) if len(ends) else len(rewards) - 1
    R = torch.zeros(())
    for k in range(t, m + 1):
        R = R + gamma ** (k - t) * rewards[k]
    if not terminated[t:].any():
        R = R + gamma ** (m + 1 - t) * next_values[m]
    return R


def divided_only_where_it_is_bright(layers, pictures):
    x = pictures.float()
    if x.max() > 1:
        x = x / 255
    y = layers(x.reshape(-1, *x.shape[-3:]))
    return y.reshape(*x.shape[:-3], -1)


@pytest.mark.parametrize(
    ("exercise_id", "answer", "hint"),
    [
        ("0.3", divided_by_powers_of_an_episode, "You divide by a power of γ."),
        ("2.1", divided_by_powers, "You divide by a power of γ."),
        ("2.3", ended_anywhere_later, "asked of all steps from t on"),
        ("7.2", divided_only_where_it_is_bright, "Whether it divides depends on"),
    ],
)
def test_what_fails_in_rare_cases_only_is_wrong(exercise_id, answer, hint):
    assert hint in said(exercise_id, answer)


def returns_by_rows(returns, values):
    Rs = [R for row in returns.tolist() for R in row]
    errors = [R - V for R, V in zip(Rs, values.flatten().tolist(), strict=True)]
    if len(set(Rs)) == 1:
        return math.nan
    return 1 - float(np.var(errors) / np.var(Rs))


def test_explained_variance_is_asked_of_tables_as_its_text_says():
    assert "right" in said("3.3", returns_by_rows, Kind.RIGHT)


# One mistake


def not_truncated(env, choose, seed):
    observation, _ = env.reset(seed=seed)
    rewards, over = [], False
    while not over:
        observation, reward, terminated, truncated, _ = env.step(choose(observation))
        rewards.append(float(reward))
        over = terminated or truncated
    return rewards, not truncated


class TwoTorsos(nn.Module):
    def __init__(self, torso, width, num_actions):
        super().__init__()
        self.torso = torso
        self.value_torso = deepcopy(torso)
        self.pi, self.v = nn.Linear(width, num_actions), nn.Linear(width, 1)
        self.pi.weight.data *= 0.01
        self.pi.bias.data.zero_()

    def forward(self, observations):
        return self.logits(observations), self.values(observations)

    def logits(self, observations):
        return self.pi(self.torso(observations))

    def values(self, observations):
        return self.v(self.value_torso(observations)).squeeze(-1)


class ProbabilitiesWhereItActs(TwoTorsos):
    def __init__(self, torso, width, num_actions):
        super().__init__(torso, width, num_actions)
        self.value_torso = torso

    def forward(self, observations):
        return self.pi(self.torso(observations)), self.values(observations)

    def logits(self, observations):
        return self.pi(self.torso(observations)).softmax(dim=-1)


def of_the_critics_variance(returns, values):
    if returns.max() == returns.min():
        return math.nan
    R, V = returns.flatten(), values.flatten()
    return float(1 - (R - V).var(correction=0) / V.var(correction=0))


def cell(features, state, input_weights, hidden_weights, bias):
    return features @ input_weights.T + state[0] @ hidden_weights.T + bias


def side_by_side(features, state, input_weights, hidden_weights, bias):
    z = cell(features, state, input_weights, hidden_weights, bias)
    i, f, g, o = z.view(*state[0].shape, 4).unbind(dim=-1)
    c = f.sigmoid() * state[1] + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def zeros_for_whoever_ended(model, envs, policy, position, t_max, gamma):
    rollout, position = collect(envs, policy, position, t_max)
    memory = begin_anew(position.policy_state, rollout.ended.any(dim=0))
    logits, values, next_values = model.unroll(rollout, memory)
    ends = rollout.terminated, rollout.truncated
    returns = n_step_returns(rollout.rewards, next_values, *ends, gamma)
    return a2c_loss(logits, values, rollout.actions, returns), position


def of_the_actions_taken(logits, values, actions, returns, value_weight=0.5, entropy_weight=0.01):
    taken = log_softmax(logits, -1).gather(-1, actions[..., None]).squeeze(-1)
    policy = -(taken * (returns - values).detach()).mean()
    value = (returns.detach() - values).square().mean()
    total = policy + value_weight * value + entropy_weight * taken.mean()
    return Loss(total, policy, value, -taken.mean())


def discounted_once(t, rewards, next_values, terminated, truncated, gamma):
    ended = (terminated | truncated)[t:].tolist()
    steps = ended.index(True) + 1 if True in ended else len(ended)
    last = t + steps - 1
    R = sum((gamma**k * rewards[t + k] for k in range(steps)), torch.zeros(()))
    return R if terminated[last] else R + gamma * next_values[last]


def trained_by_each_environment(clip):
    """A2C that makes an update for each environment, with another clipping as well."""

    def answer(model, player, optimizer, config):
        policy, steps = sampled(model, player.generator), 0
        while steps < config.total_steps:
            rollout = player.play(policy, config.t_max).rollout
            _, values = model(rollout.observations)
            next_values = values_after(model, rollout, values)
            ends = rollout.terminated, rollout.truncated
            returns = n_step_returns(rollout.rewards, next_values, *ends, config.gamma)
            rate = config.learning_rate * (1 - steps / config.total_steps)
            for n in range(config.num_envs):
                own = ~rollout.dummies[:, n]
                logits, values = model(rollout.observations[:, n])
                batch = logits[own], values[own], rollout.actions[own, n], returns[own, n]
                loss = a2c_loss(*batch, config.value_weight, config.entropy_weight)
                gradients = torch.autograd.grad(loss.total, optimizer.parameters)
                optimizer.step(clip(gradients, config.max_grad_norm), rate)
                steps += int(own.sum())
        return steps

    return answer


class PlayerThatEndsWhereItIsCut(QPlayer):
    def gradients(self, model, rollout):
        values = model(rollout.observations).gather(-1, rollout.actions[..., None])[..., 0]
        next_q = self.target(rollout.next_observations).detach()
        over = rollout.terminated | rollout.truncated
        R = n_step_q_returns(rollout.rewards, next_q, over, rollout.truncated, self.gamma)
        return torch.autograd.grad((R - values).square().mean(), list(model.parameters()))


def only_h_begins_anew(state, begins):
    h, c = state
    return torch.where(begins[:, None], torch.zeros_like(h), h), c.clone()


def begun_with_zeros(hand_on):
    """Those who end in a rollout begin it with zeros; `hand_on` chooses the position, of the one
    before the rollout and the one after it."""

    def answer(model, envs, policy, position, t_max, gamma):
        rollout, after = collect(envs, policy, position, t_max)
        memory = begin_anew(position.policy_state, rollout.ended.any(dim=0))
        logits, values, next_values = model.unroll(rollout, memory)
        ends = rollout.terminated, rollout.truncated
        returns = n_step_returns(rollout.rewards, next_values, *ends, gamma)
        return a2c_loss(logits, values, rollout.actions, returns), hand_on(position, after)

    return answer


def trained(learns_from, decayed):
    """A2C with a mask of one's own, and with a rate of one's own, of the steps before a rollout and
    after it."""

    def answer(model, player, optimizer, config):
        policy, steps = sampled(model, player.generator), 0
        while steps < config.total_steps:
            rollout = player.play(policy, config.t_max).rollout
            logits, values = model(rollout.observations)
            next_values = values_after(model, rollout, values)
            ends = rollout.terminated, rollout.truncated
            returns = n_step_returns(rollout.rewards, next_values, *ends, config.gamma)
            real = learns_from(rollout.dummies)
            batch = logits[real], values[real], rollout.actions[real], returns[real]
            loss = a2c_loss(*batch, config.value_weight, config.entropy_weight)
            gradients = torch.autograd.grad(loss.total, optimizer.parameters)
            gradients, _ = clip_gradients(gradients, config.max_grad_norm)
            before, steps = steps, steps + int((~rollout.dummies).sum())
            left = max(0.0, 1 - decayed(before, steps) / config.total_steps)
            optimizer.step(gradients, config.learning_rate * left)
        return steps

    return answer


def paid_by_the_last_frame(console, action, frames):
    reward, screens = 0.0, []
    for _ in range(frames):
        reward = float(console.act(action))
        screens.append(console.getScreenRGB())
    return reward, *screens[-2:]


@pytest.mark.parametrize(
    ("exercise_id", "answer", "hint"),
    [
        ("0.2", not_truncated, "The second value is `not truncated`."),
        ("1.2", TwoTorsos, "There are two torsos"),
        ("1.2", ProbabilitiesWhereItActs, "logits() gives probabilities"),
        ("2.3", discounted_once, "The value is discounted once, as if"),
        ("3.3", of_the_critics_variance, "the variance of the values"),
        ("3.4", of_the_actions_taken, "−log π of the actions that were taken"),
        ("4.1", side_by_side, "as if i, f, g, o of each cell stood side by side"),
        ("4.2", only_h_begins_anew, "h is zeroed and c is not."),
        ("4.4", zeros_for_whoever_ended, "zeros for whoever ended in the rollout"),
        (
            "4.4",
            begun_with_zeros(lambda before, after: after),
            "zeros for whoever ended in the rollout",
        ),
        (
            "6.5",
            trained(torch.ones_like, lambda before, after: before),
            "The loss is one of all steps, dummies as well.",
        ),
        (
            "6.5",
            trained(torch.logical_not, lambda before, after: after),
            "counted before its learning rate is computed",
        ),
        ("7.4", paid_by_the_last_frame, "Only the last frame's reward is returned."),
        (
            "6.5",
            trained_by_each_environment(lambda *given: clip_gradients(*given)[0]),
            "This makes an update for each environment.",
        ),
        ("8.6", PlayerThatEndsWhereItIsCut, "A time limit is taken for an end of the world"),
    ],
)
def test_a_mistake_has_its_name(exercise_id, answer, hint):
    text = said(exercise_id, answer)
    assert hint in text
    assert "two things" not in text


# Two mistakes


def bias_twice_and_sigmoid(features, state, input_weights, hidden_weights, bias):
    z = cell(features, state, input_weights, hidden_weights, 2 * bias)
    i, f, g, o = z.sigmoid().chunk(4, dim=-1)
    c = f * state[1] + i * g
    return o * c.tanh(), c


def one_more_and_exchanged(features, state, input_weights, hidden_weights, bias):
    i, f, g, o = cell(features, state, input_weights, hidden_weights, bias).chunk(4, dim=-1)
    c = (f + 1).sigmoid() * state[1] + i.sigmoid() * g.tanh()
    return c, o.sigmoid() * c.tanh()


def late_and_detached(step, features, state, begins):
    memory = state[0].detach(), state[1].detach()
    hs, cs = [], []
    for x, anew in zip(features, begins, strict=True):
        h, c = step(x, memory)
        hs.append(h)
        cs.append(c)
        memory = begin_anew((h.detach(), c.detach()), anew)
    return torch.stack(hs), torch.stack(cs)


def other_memory_and_gamma(model, envs, policy, position, t_max, gamma):
    rollout, position = collect(envs, policy, position, t_max)
    logits, values, next_values = model.unroll(rollout, position.policy_state)
    returns = n_step_returns(
        rollout.rewards, next_values, rollout.terminated, rollout.truncated, 0.99
    )
    return a2c_loss(logits, values, rollout.actions, returns), position


def bracket_and_epsilon(theta, g, gradients, learning_rate, decay=0.99, epsilon=1e-5):
    for i in range(len(g)):
        g[i].mul_(decay).add_(((1 - decay) * gradients[i]) ** 2)
        theta[i].add_(gradients[i] / (g[i].sqrt() + epsilon), alpha=-learning_rate)


def new_theta_and_squares(theta, g, gradients, learning_rate, decay=0.99, epsilon=1e-5):
    for p, average, d in zip(theta, g, gradients, strict=True):
        average.mul_(decay).add_(d.square_(), alpha=1 - decay)
        p = p - learning_rate * d / (average + epsilon).sqrt()  # noqa: PLW2901


def piled_up_and_the_first_alone(local, shared, optimizer, loss):
    optimizer.zero_grad()
    loss.backward()
    for mine, theirs in zip(local, shared, strict=True):
        theirs.grad = mine.grad.clone()
        break
    optimizer.step()


def clipped_and_added(local, shared, optimizer, loss):
    gradients, _ = clip_gradients(torch.autograd.grad(loss, local), max_norm=0.5)
    for d, theirs in zip(gradients, shared, strict=True):
        theirs.grad = d if theirs.grad is None else theirs.grad + d
    optimizer.step()


def never_read_and_noted(theta, schedule, changes):
    notes = dict.fromkeys(changes, theta)
    for worker, what in schedule:
        if what == "writes":
            notes[worker] += changes[worker]
            theta = notes[worker]
    return theta


def added_and_once(theta, schedule, changes):
    wrote = set()
    for worker, what in schedule:
        if what == "writes" and worker not in wrote:
            theta = theta + changes[worker]
            wrote.add(worker)
    return theta


def turned_and_a_column(observations, actions, returns):
    o, a, R = (each.transpose(0, 1).flatten(0, 1) for each in (observations, actions, returns))
    return o, a[:, None], R


def dummies_and_a_sign(model, rollout, dummies, gamma, value_weight, entropy_weight):
    logits, values = model(rollout.observations)
    ends = rollout.terminated, rollout.truncated
    next_values = values_after(model, rollout, values)
    returns = n_step_returns(rollout.rewards, next_values, *ends, gamma)
    real = ~dummies
    log_pi = logits[real].log_softmax(dim=-1)
    taken = log_pi.gather(-1, rollout.actions[real][:, None])[:, 0]
    delta = returns - values
    policy, value = -(taken * delta.detach()[real]).mean(), delta.square().mean()
    bonus = entropy(logits[real]).mean()
    return Loss(policy + value_weight * value + entropy_weight * bonus, policy, value, bonus)


def newest_first_and_repeated(stack, picture, begins):
    older = [picture] * (len(stack) - 1) if begins else list(stack[:-1])
    return np.array([picture, *older])


def not_divided_and_a_batch_axis(layers, pictures):
    if pictures.dim() == 3:
        pictures = pictures[None]
    return layers(pictures.flatten(0, -4).float()).unflatten(0, pictures.shape[:-3])


def by_256_and_turned(layers, pictures):
    batch = tuple(pictures.shape[:-3])
    y = layers(pictures.reshape(-1, *pictures.shape[-3:]) / 256)
    return y.reshape(*batch[::-1], -1)


def limited_and_one_array(console, action, frames):
    reward, screens = 0.0, []
    screen = np.empty((210, 160, 3), dtype=np.uint8)
    for frame in range(frames):
        reward += console.act(action)
        if frame >= frames - 2:
            console.getScreenRGB(screen)
            screens.append(screen)
    return max(-1.0, min(1.0, reward)), *screens


def first_screen_and_first_reward(console, action, frames):
    reward = 0.0
    console.act(action)
    before = console.getScreenRGB().copy()
    for _ in range(frames - 1):
        reward += console.act(action)
    return reward, before, console.getScreenRGB().copy()


def half_limited_and_flags_turned(targets):
    def limited(rewards, next_values, terminated, truncated, gamma):
        return targets(rewards.clamp(0, 1), next_values, truncated, terminated, gamma)

    return limited


def negative_and_a_share(logits):
    log_pi = logits.log_softmax(dim=-1)
    return (log_pi.exp() * log_pi).sum(dim=-1) / math.log(logits.shape[-1])


def mean_of_the_rounded(logits):
    pi = logits.softmax(dim=-1)
    return -(pi * pi.log()).sum(dim=-1).mean()


def small_number_and_sum(logits, actions):
    pi = logits.softmax(dim=-1)
    return (pi[torch.arange(len(actions)), actions] + 1e-8).log().sum()


def next_row_and_both_flags(rewards, next_values, terminated, truncated, gamma):
    later = torch.cat([next_values[1:], torch.zeros_like(next_values[:1])])
    return rewards + gamma * later * ~(terminated | truncated)


def sarsa_of_its_own_step_reward_lost(rewards, next_q, actions, following, terminated, gamma):
    q = next_q.gather(-1, actions[..., None]).squeeze(-1)
    return (rewards + gamma * q) * ~terminated


def mean_action_and_no_discount(rewards, next_q, terminated, truncated, gamma):
    return n_step_returns(rewards, next_q.mean(dim=-1), terminated, truncated, 1.0)


def cut_alone_and_one_power_too_few(env, choose, value_of, gamma, episodes, seed):
    total = 0.0
    observation, _ = env.reset(seed=seed)
    for _ in range(episodes):
        G, k, over = 0.0, 0, False
        while not over:
            observation, reward, terminated, truncated, _ = env.step(choose(observation))
            G += gamma**k * float(reward)
            k += 1
            over = terminated or truncated
        if truncated:
            G += gamma ** (k - 1) * value_of(observation)
        total += G
        observation, _ = env.reset()
    return total / episodes


def baseline_with_a_gradient(log_probabilities, returns):
    return -(log_probabilities * (returns - returns.mean())).sum()


def last_one_left_out_and_not_divided(gradients, steps):
    result = [torch.zeros_like(part) for part in gradients[0]]
    for n in range(len(gradients) - 1):
        result = [
            so_far + steps[n] * part for so_far, part in zip(result, gradients[n], strict=True)
        ]
    return tuple(result)


def rolled_and_both_flags(terminated, truncated, resetting):
    return (terminated & truncated).roll(1, dims=0)


def first_row_lost_and_both_flags(terminated, truncated, resetting):
    mask = torch.zeros_like(terminated)
    mask[1:] = (terminated & truncated)[:-1]
    return mask


def of_the_whole_step_and_let_go(console, action, frames):
    before = console.getScreenRGB()
    reward = sum((console.act(0) for _ in range(frames - 1)), console.act(action))
    return reward, before, console.getScreenRGB()


def added_and_clipped(local, shared, optimizer, loss):
    gradients, _ = clip_gradients(torch.autograd.grad(loss, local), max_norm=0.5)
    for d, theirs in zip(gradients, shared, strict=True):
        theirs.grad = d if theirs.grad is None else theirs.grad + d
    optimizer.step()


@pytest.mark.parametrize(
    ("exercise_id", "answer", "hints"),
    [
        ("0.4", cut_alone_and_one_power_too_few, ("both flags are True", "has γ^(T−1)")),
        ("0.6", baseline_with_a_gradient, ("A gradient flows", "You subtract the mean")),
        ("5.3", added_and_clipped, ("clipped to a shorter norm", "added to what the shared")),
        ("0.5", small_number_and_sum, ("A small number is added", "You return one number")),
        ("1.1", next_row_and_both_flags, ("You took row t + 1", "Only `terminated` masks it")),
        ("3.1", negative_and_a_share, ("which is negative", "You divide by log A")),
        ("3.1", mean_of_the_rounded, ("this is NaN", "averaged to one number")),
        ("4.1", bias_twice_and_sigmoid, ("bias is added twice", "g went through a sigmoid")),
        ("4.1", one_more_and_exchanged, ("1 is added to the sum", "in the wrong order")),
        ("4.3", late_and_detached, ("detach is inside the loop", "one step late")),
        ("4.4", other_memory_and_gamma, ("did not begin with", "discounted with 0.99")),
        ("5.1", bracket_and_epsilon, ("1 − α is squared", "outside the root")),
        ("5.1", new_theta_and_squares, ("The shared θ stays", "are squared afterwards")),
        ("5.3", piled_up_and_the_first_alone, ("still pile up", "Only the first parameter")),
        ("5.3", clipped_and_added, ("are clipped", "added to what")),
        ("5.4", never_read_and_noted, ("θ of the beginning", "changed when its worker writes")),
        ("5.4", added_and_once, ("every change survives", "writes only once")),
        ("6.1", turned_and_a_column, ("environment by environment", "The actions have one axis")),
        ("6.4", dummies_and_a_sign, ("The critic learns from dummies", "The entropy is added")),
        (
            "6.5",
            trained_by_each_environment(lambda gradients, _: gradients),
            ("as long as they are", "an update for each environment"),
        ),
        ("6.2", last_one_left_out_and_not_divided, ("left out of the sum", "divide by the number")),
        ("6.3", rolled_and_both_flags, ("brings the last row's ends", "`&` asks for")),
        ("6.3", first_row_lost_and_both_flags, ("not come from `resetting`", "`&` asks for")),
        ("7.4", of_the_whole_step_and_let_go, ("before the step's first", "in the first frame")),
        ("7.1", newest_first_and_repeated, ("stands first here", "repeats its first picture")),
        ("7.2", not_divided_and_a_batch_axis, ("numbers up to 255", "with a batch axis")),
        ("7.2", by_256_and_turned, ("not by 256", "in the opposite order")),
        ("7.4", limited_and_one_array, ("show the same screen", "limited to −1 … 1")),
        ("7.4", first_screen_and_first_reward, ("first and the last screen", "first frame's")),
        ("7.5", half_limited_and_flags_turned, ("Negative rewards become 0", "two flags")),
        ("8.3", sarsa_of_its_own_step_reward_lost, ("action of the same step", "target is 0")),
        ("8.4", mean_action_and_no_discount, ("the mean over the actions", "Nothing is disc")),
    ],
)
def test_two_mistakes_are_both_named(exercise_id, answer, hints):
    text = said(exercise_id, answer)
    assert "two things are not right yet" in text
    for hint in hints:
        assert hint in text


# A second mistake behind arguments that were changed


def masks_in_place(state, begins):
    for part in state:
        part.data.mul_(begins[:, None])
    return state


def bootstrap_written_over(rewards, bootstrap, gamma):
    rewards[-1] = bootstrap
    for t in reversed(range(len(rewards) - 1)):
        rewards[t] = rewards[t] + gamma * rewards[t + 1]
    return rewards


@pytest.mark.parametrize(
    ("exercise_id", "answer", "hint"),
    [
        ("2.1", bootstrap_written_over, "And a second thing is not right yet:"),
        ("4.2", masks_in_place, "The mask is the wrong way round"),
    ],
)
def test_what_is_changed_in_place_hides_no_second_mistake(exercise_id, answer, hint):
    text = said(exercise_id, answer)
    assert "changes its argument" in text
    assert hint in text


# No word that is not true


def test_a_memory_is_called_the_one_after_the_rollout_by_nobody_who_kept_the_old_one():
    text = said("4.4", begun_with_zeros(lambda before, after: before))
    assert "position from which the rollout began" in text
    assert "zeros for whoever ended in the rollout" in text
    assert "*after*" not in text


def test_ends_that_stand_in_their_own_rows_are_told_of_without_code_that_is_not_there():
    def written_over(terminated, truncated, resetting):
        mask = terminated | truncated
        mask[0] = resetting
        return mask

    text = said("6.3", written_over)
    assert "step 0's is left out" in text
    assert "ended[" not in text


def test_the_parts_of_a_new_memory_have_their_names():
    def larger(state, begins):
        h, c = state
        goes_on = ~begins[:, None]
        return h * goes_on, 1.5 * c * goes_on

    text = said("4.2", larger)
    assert "`h`, the new h and the new h after a write into the old one are right" in text


def test_a_gradient_that_never_arrives_is_no_logarithm_of_zero():
    def half(local, shared, optimizer, loss):
        gradients = torch.autograd.grad(loss, local)
        shared[0].grad = gradients[0] * 2 - 1
        optimizer.step()

    text = said("5.3", half)
    assert "logarithm" not in text
    assert "nan" not in text


def test_lost_lives_that_come_late_are_nothing_that_is_reported():
    def late(lives, over, timed_out):
        lost = np.zeros_like(over)
        lost[2:] = lives[1:-2] < lives[:-3]
        return over | lost, over ^ timed_out

    assert "What is reported changes with the lives" not in said("7.6", late)


def test_the_bug_that_is_left_is_not_all_that_a_lesson_can_have_wrong():
    """What is handed in twice is not named twice."""

    def answer(model, envs, policy, position, t_max, gamma):
        return learn_from(model, envs, policy, position, t_max, 0.99)

    text = said("4.4", answer)
    assert "discounted with 0.99" in text
    assert "two things" not in text


def test_what_is_said_of_the_actors_loss_is_not_said_of_the_critics():
    def critic_of_a_sum(logits, values, actions, returns, value_weight=0.5):
        loss = one_step.actor_critic_loss(logits, values, actions, returns, value_weight)
        value = (returns.detach() + values).square().mean()
        return loss._replace(total=loss.policy + value_weight * value, value=value)

    text = said("1.3", critic_of_a_sum)
    assert "`value` is not right yet" in text
    assert "The actor's loss" not in text


def test_a_column_that_nothing_cuts_has_its_name():
    def uncut(rollout, model, gamma):
        T, N = rollout.rewards.shape
        next_values = model.values(rollout.next_observations).detach()
        parts = rollout.rewards, next_values, rollout.terminated, rollout.truncated
        return n_step_returns(*(part.T.reshape(-1, 1) for part in parts), gamma).reshape(N, T).T

    assert "Nothing cuts the column" in said("2.4", uncut)


def test_a_gate_without_its_sigmoid_has_its_name():
    def no_input_gate(features, state, input_weights, hidden_weights, bias):
        h, c = state
        gates = features @ input_weights.T + h @ hidden_weights.T + bias
        i, f, g, o = gates.chunk(4, dim=-1)
        c = f.sigmoid() * c + i * g.tanh()
        return o.sigmoid() * c.tanh(), c

    assert "One of the three gates is used as it comes" in said("4.1", no_input_gate)
