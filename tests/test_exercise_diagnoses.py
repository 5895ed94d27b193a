"""What single answers are told: wrong ones that were once taken for right, or were sent elsewhere;
right ones that were once refused."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch import nn
from torch.distributions import Categorical

from a3c_lib.actor_critic import Loss, actor_critic_loss
from a3c_lib.exercises.engine import registry
from a3c_lib.exercises.engine.checking import Kind, check
from a3c_lib.exercises.hogwild import Worker, rmsprop_step
from a3c_lib.losses import entropy


def said(exercise_id, answer, kind=Kind.WRONG):
    verdict = check(registry.find(exercise_id), answer)
    assert verdict.kind is kind, verdict.text
    return " ".join(verdict.text.split())


# Two mistakes, of which one has a name


def candidate_through_a_sigmoid_and_an_output_of_ones_own(
    features, state, input_weights, hidden_weights, bias
):
    h, c = state
    i, f, g, o = (features @ input_weights.T + h @ hidden_weights.T + bias).chunk(4, dim=-1)
    new_c = f.sigmoid() * c + i.sigmoid() * g.sigmoid()
    return o.sigmoid() * nn.functional.softsign(new_c), new_c


def test_a_mistake_that_explains_a_part_of_the_result_is_named_there():
    text = said("4.1", candidate_through_a_sigmoid_and_an_output_of_ones_own)
    assert "`h` is not right yet. One mistake shows in `c`. The candidate g went" in text
    assert "If that does not explain the rest, another one is beside it." in text


def output_of_ones_own_and_a_cell_half_as_large_again(
    features, state, input_weights, hidden_weights, bias
):
    h, c = state
    i, f, g, o = (features @ input_weights.T + h @ hidden_weights.T + bias).chunk(4, dim=-1)
    new_c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * nn.functional.softsign(new_c), 1.5 * new_c


def test_where_no_part_is_explained_no_mistake_is_named():
    text = said("4.1", output_of_ones_own_and_a_cell_half_as_large_again)
    assert "One mistake shows" not in text


# Once taken for right


@pytest.mark.parametrize("most", [100, 200, 500, 1000])
def test_a_fixed_number_of_steps_is_no_end(most):
    def play_episode(env, choose, seed):
        observation, _ = env.reset(seed=seed)
        rewards = []
        for _ in range(most):
            observation, reward, terminated, truncated, _ = env.step(choose(observation))
            rewards.append(reward)
            if terminated or truncated:
                break
        return rewards, terminated

    assert "makes a fixed number of steps" in said("0.2", play_episode)


def test_a_policy_is_asked_once_a_step():
    def play_episode(env, choose, seed):
        observation, _ = env.reset(seed=seed)
        rewards, over = [], False
        while not over:
            print("action:", choose(observation))
            observation, reward, terminated, truncated, _ = env.step(choose(observation))
            rewards.append(reward)
            over = terminated or truncated
        return rewards, terminated

    assert "`choose` is asked twice in a step" in said("0.2", play_episode)


class OwnHeads(nn.Module):
    def __init__(self, torso, width, num_actions):
        super().__init__()
        self.torso = torso
        self.policy_head = nn.Linear(width, num_actions)
        self.value_head = nn.Linear(width, 1)
        self.policy_head.weight.data *= 0.01
        self.policy_head.bias.data.zero_()

    def forward(self, observations):
        features = self.torso(observations)
        return self.policy_head(features), self.value_head(features).squeeze(-1)

    def logits(self, observations):
        return self(observations)[0]

    def values(self, observations):
        return self(observations)[1]


class NoGradientInLogits(OwnHeads):
    def logits(self, observations):
        with torch.no_grad():
            return self(observations)[0]


class NoGradientInBoth(OwnHeads):
    def logits(self, observations):
        return self(observations)[0].detach()

    def values(self, observations):
        return self(observations)[1].detach()


def test_gradients_are_looked_for_through_every_method():
    assert "logits() is cut from the graph" in said("1.2", NoGradientInLogits)
    text = said("1.2", NoGradientInBoth)
    assert "two things" in text
    assert "logits() is cut" in text
    assert "values() is cut" in text


def test_steps_are_counted_in_all_environments():
    class CountsRows(Worker):
        def finish(self):
            gradients = self.player.gradients(self.model, self.rollout)
            rate = self._rate(int(self.shared.steps.sum()))
            rmsprop_step(self.shared.theta, self.shared.g, gradients, rate)
            self.shared.steps[self.rank] += len(self.rollout.rewards)

    assert "counts the rows of `rewards`, T" in said("5.2", CountsRows)


def note_changed_by_writing(theta, schedule, changes):
    noted = {}
    for worker, what in schedule:
        if what == "reads":
            noted[worker] = theta
        else:
            noted[worker] += changes[worker]
            theta = noted[worker]
    return theta


def note_thrown_away(theta, schedule, changes):
    noted = {}
    for worker, what in schedule:
        if what == "reads":
            noted[worker] = theta
        else:
            theta = noted.pop(worker) + changes[worker]
    return theta


def test_a_worker_may_write_twice_after_one_reading():
    assert "changed when its worker writes" in said("5.4", note_changed_by_writing)
    assert "thrown away when its worker writes" in said("5.4", note_thrown_away)


def end_at_step_0_overlooked(terminated, truncated, resetting):
    mask = torch.zeros_like(terminated)
    mask[0] = resetting
    for t in range(2, len(mask)):
        mask[t] = terminated[t - 1] | truncated[t - 1]
    return mask


def flags_smeared_over_the_rows(terminated, truncated, resetting):
    ended = terminated | truncated
    for t in range(1, len(ended)):
        ended[t] = ended[t - 1]
    ended[0] = resetting
    return ended


def test_an_end_at_step_0_is_followed_by_a_dummy():
    assert "An end at step 0 is overlooked" in said("6.3", end_at_step_0_overlooked)
    assert "The flags of step 0 stand in all rows" in said("6.3", flags_smeared_over_the_rows)


def one_clock_for_all(lives, over, timed_out):
    lost = (lives[1:] < lives[:-1]) & ~timed_out.any(axis=1, keepdims=True)
    return lost | over, over | timed_out


def one_flag_or_the_other(lives, over, timed_out):
    lost = (lives[1:] < lives[:-1]) & ~timed_out
    return lost | over, over ^ timed_out


def test_every_environment_has_its_own_clock():
    assert "Each environment has its own clock" in said("7.6", one_clock_for_all)
    assert "^ is True only if one of the two is" in said("7.6", one_flag_or_the_other)


# Once sent elsewhere


def flags_read_before_the_reward(t, rewards, next_values, terminated, truncated, gamma):
    R, d = torch.tensor(0.0), 1.0
    for k in range(t, len(rewards)):
        if k > t and (terminated[k] or truncated[k]):
            if terminated[k]:
                return R
            break
        R = R + d * rewards[k]
        d = d * gamma
    return R + d * next_values[k]


def test_half_of_one_number_is_not_called_a_factor():
    text = said("2.3", flags_read_before_the_reward)
    assert "times what it should be" not in text
    assert "before it adds the reward of the step that ends" in text


def test_a_rate_that_hears_of_nobody_else_is_not_a_fault_of_the_copy():
    class OwnCount(Worker):
        t = 0

        def finish(self):
            gradients = self.player.gradients(self.model, self.rollout)
            rmsprop_step(self.shared.theta, self.shared.g, gradients, self._rate(self.t))
            self.t += self.rollout.rewards.numel()
            self._count()

    assert "comes down with this worker's own steps" in said("5.2", OwnCount)


def replaced_and_thrown_away(
    logits, values, actions, returns, value_weight=0.5, entropy_weight=0.01
):
    loss = actor_critic_loss(logits, values, actions, returns, value_weight)
    H = entropy(logits).mean()
    loss._replace(total=loss.total - entropy_weight * H, entropy=H)
    return loss


def test_a_loss_that_is_thrown_away_is_asked_for():
    text = said("3.2", replaced_and_thrown_away)
    assert "gives a new Loss and leaves the old one as it is, so return the new one" in text


def none_where_there_is_no_answer(returns, values):
    if returns.var() == 0:
        return None
    return float(1 - (returns - values).var() / returns.var())


def test_none_that_was_meant_is_not_a_missing_return():
    text = said("3.3", none_where_there_is_no_answer)
    assert "is a `return` missing" not in text
    assert "return NaN, math.nan" in text


def test_a_count_that_is_missing_is_not_one_place_early():
    class CountsInACopy(Worker):
        def finish(self):
            self._apply(self.shared.theta, self.shared.g, int(self.shared.steps.sum()))
            steps = self.shared.steps.clone()
            steps[self.rank] += self.rollout.rewards.numel()
            self.shared = self.shared._replace(steps=steps)

    assert "counted in a copy" in said("5.2", CountsInACopy)


def step_for_every_parameter(local, shared, optimizer, loss):
    gradients = torch.autograd.grad(loss, local)
    for theirs, gradient in zip(shared, gradients, strict=True):
        theirs.grad = gradient
        optimizer.step()
    optimizer.zero_grad()


def no_step(local, shared, optimizer, loss):
    gradients = torch.autograd.grad(loss, local)
    for theirs, gradient in zip(shared, gradients, strict=True):
        theirs.grad = gradient


def test_steps_of_the_optimizer_are_counted_before_their_gradients():
    assert "stands inside the loop" in said("5.3", step_for_every_parameter)
    assert "optimizer.step() is missing" in said("5.3", no_step)


def misspelt(theta, schedule, changes):
    noted = {}
    for worker, what in schedule:
        if what == "reads":
            noted[worker] = theta
        elif what == "write":
            theta = noted[worker] + changes[worker]
    return theta


def test_what_is_never_written_is_called_that():
    assert "or nothing is written at all" in said("5.4", misspelt)


def colours_added_in_bytes(before, after):
    b = (before[..., 0] + before[..., 1] + before[..., 2]) // 3
    a = (after[..., 0] + after[..., 1] + after[..., 2]) // 3
    return np.maximum(a, b)


def test_bytes_that_overflow_are_called_that():
    assert "Bytes end at 255" in said("7.3", colours_added_in_bytes)


def copies_at_the_end(console, action, frames):
    reward, screens = 0.0, []
    screen = np.empty((210, 160, 3), dtype=np.uint8)
    for frame in range(frames):
        reward += console.act(action)
        if frame >= frames - 2:
            console.getScreenRGB(screen)
            screens.append(screen)
    before, after = screens[0].copy(), screens[1].copy()
    return reward, before, after


def test_copies_that_come_too_late_are_not_called_one_array():
    text = said("7.4", copies_at_the_end)
    assert "before is after" not in text
    assert "copies that were made when both were the same already" in text


def sums_and_nothing_detached(logits, values, actions, returns, value_weight=0.5):
    pi = Categorical(logits=logits)
    advantages = returns - values
    policy = -(pi.log_prob(actions) * advantages).sum()
    value = advantages.pow(2).sum()
    return Loss(policy + value_weight * value, policy, value, pi.entropy().mean())


def test_numbers_that_are_right_in_one_case_are_not_called_right():
    assert "the numbers are right" not in said("1.3", sums_and_nothing_detached)


def numpy_and_wrong(rewards, gamma):
    return rewards.numpy() * 1.0


def test_the_form_of_wrong_numbers_is_no_praise_of_them():
    assert "Its numbers are right" not in said("0.3", numpy_and_wrong)


RETURNS = []


def grows(rewards, gamma):
    for t in reversed(range(len(rewards))):
        RETURNS.insert(0, rewards[t] + gamma * (RETURNS[0] if RETURNS else 0))
    return torch.stack(RETURNS)


def test_a_list_that_grows_is_no_broadcast():
    text = said("0.3", grows)
    assert "Did two shapes broadcast" not in text
    assert "`RETURNS` keeps something from one call to the next" in text


def test_another_environment_than_the_one_handed_in_is_noticed():
    def play_episode(env, choose, seed):
        other = gym.make("a3c_lib/Corridor-v0")
        observation, _ = other.reset(seed=seed)
        rewards, over = [], False
        while not over:
            observation, reward, terminated, truncated, _ = other.step(choose(observation))
            rewards.append(float(reward))
            over = terminated or truncated
        return rewards, terminated

    assert "was never reset: is another one played" in said("0.2", play_episode, Kind.RAISED)


# Once refused


def seeded_once_and_reset_for_every_episode(env, choose, value_of, gamma, episodes, seed):
    env.reset(seed=seed)
    total = 0.0
    for _ in range(episodes):
        observation, _ = env.reset()
        rewards, over = [], False
        while not over:
            observation, reward, terminated, truncated, _ = env.step(choose(observation))
            rewards.append(float(reward))
            over = terminated or truncated
        G = 0.0 if terminated else value_of(observation)
        for reward in reversed(rewards):
            G = reward + gamma * G
        total += G
    return total / episodes


def renders(env, choose, seed):
    observation, _ = env.reset(seed=seed)
    rewards, over = [], False
    while not over:
        env.render()
        observation, reward, terminated, truncated, _ = env.step(choose(observation))
        rewards.append(reward)
        over = terminated or truncated
    return rewards, terminated


@pytest.mark.parametrize(
    ("exercise_id", "answer"),
    [("0.4", seeded_once_and_reset_for_every_episode), ("0.2", renders), ("1.2", OwnHeads)],
)
def test_a_right_answer_with_a_detour_passes(exercise_id, answer):
    assert said(exercise_id, answer, Kind.RIGHT)


def test_what_is_refused_for_its_form_is_told_why():
    class One(OwnHeads):
        def __init__(self, torso, width, num_actions):
            nn.Module.__init__(self)
            self.torso, self.A = torso, num_actions
            self.head = nn.Linear(width, num_actions + 1)
            with torch.no_grad():
                self.head.weight[:num_actions] *= 0.01
                self.head.bias[:num_actions] = 0

        def forward(self, observations):
            both = self.head(self.torso(observations))
            return both[..., :-1], both[..., -1]

    class WithoutBias(OwnHeads):
        def __init__(self, torso, width, num_actions):
            super().__init__(torso, width, num_actions)
            self.policy_head = nn.Linear(width, num_actions, bias=False)
            self.policy_head.weight.data *= 0.01

    assert "two are asked for, policy_head and value_head" in said("1.2", One)
    assert "could not learn that an action is good everywhere" in said("1.2", WithoutBias)
