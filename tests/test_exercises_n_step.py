"""Right answers to chapter 02's exercises in other forms, and what its cases tell apart."""

from functools import partial

import pytest
import torch

from a3c_lib.exercises import n_step
from a3c_lib.exercises.engine import registry
from a3c_lib.exercises.engine.checking import Kind, check
from a3c_lib.returns import lambda_returns as averaged

# 2.1


def sum_within_a_loop(rewards, bootstrap, gamma):
    T = len(rewards)
    return torch.stack(
        [
            sum(gamma**k * rewards[t + k] for k in range(T - t)) + gamma ** (T - t) * bootstrap
            for t in range(T)
        ]
    )


def matrix_of_discounts(rewards, bootstrap, gamma):
    everything = torch.cat([rewards, bootstrap[None]]).double()
    t = torch.arange(len(everything))
    later = t[None, :] - t[:, None]
    weights = torch.where(later >= 0, torch.tensor(gamma).double() ** later.clamp(min=0), 0.0)
    return (weights @ everything)[:-1]


def recursive(rewards, bootstrap, gamma):
    if len(rewards) == 0:
        return rewards
    later = recursive(rewards[1:], bootstrap, gamma)
    after = later[0] if len(later) else bootstrap
    return torch.cat([(rewards[0] + gamma * after)[None], later])


def list_turned_round(rewards, bootstrap, gamma):
    returns = []
    R = bootstrap
    for reward in reversed(rewards):
        R = reward + gamma * R
        returns.insert(0, R)
    return torch.stack(returns)


# 2.2


def masks_multiplied(rewards, next_values, terminated, truncated, gamma):
    goes_on = (~terminated & ~truncated).float()
    cut = (truncated & ~terminated).float()
    returns = torch.zeros_like(rewards)
    R = next_values[-1]
    for t in range(len(rewards) - 1, -1, -1):
        R = rewards[t] + gamma * (goes_on[t] * R + cut[t] * next_values[t])
        returns[t] = R
    return returns


def last_row_counts_as_cut(rewards, next_values, terminated, truncated, gamma):
    cut = truncated.clone()
    cut[-1] = True
    returns = rewards + gamma * next_values * (cut & ~terminated)
    for t in reversed(range(len(rewards) - 1)):
        goes_on = ~(cut[t] | terminated[t])
        returns[t] += gamma * goes_on * returns[t + 1]
    return returns


def one_number_at_a_time(rewards, next_values, terminated, truncated, gamma):
    T, N = rewards.shape
    returns = torch.empty(T, N, dtype=torch.float64)
    for n in range(N):
        R = next_values[-1, n].item()
        for t in reversed(range(T)):
            if terminated[t, n]:
                R = 0.0
            elif truncated[t, n]:
                R = next_values[t, n].item()
            R = rewards[t, n].item() + gamma * R
            returns[t, n] = R
    return returns


def step_by_step_from_the_definition(rewards, next_values, terminated, truncated, gamma):
    T, N = rewards.shape
    tensors = rewards, next_values, terminated, truncated
    return torch.stack(
        [
            torch.stack(
                [n_step.return_from(t, *(x[:, n] for x in tensors), gamma) for n in range(N)]
            )
            for t in range(T)
        ]
    )


# 2.3


def return_from_recursively(t, rewards, next_values, terminated, truncated, gamma):
    if terminated[t]:
        return rewards[t]
    if truncated[t] or t == len(rewards) - 1:
        return rewards[t] + gamma * next_values[t]
    later = return_from_recursively(t + 1, rewards, next_values, terminated, truncated, gamma)
    return rewards[t] + gamma * later


def return_from_slices(t, rewards, next_values, terminated, truncated, gamma):
    ends = (terminated | truncated)[t:].nonzero().flatten().tolist()
    n = ends[0] + 1 if ends else len(rewards) - t
    total = (gamma ** torch.arange(n) * rewards[t : t + n]).sum()
    if terminated[t + n - 1]:
        return total.item()
    return (total + gamma**n * next_values[t + n - 1]).item()


def first_number_of_n_step_returns(t, rewards, next_values, terminated, truncated, gamma):
    columns = (each[:, None] for each in (rewards, next_values, terminated, truncated))

    def of_all_steps():
        return n_step.n_step_returns(*columns, gamma)

    return of_all_steps()[t, 0]


def test_the_definition_is_not_asked_of_what_it_is_to_test():
    verdict = check(registry.find("2.3"), first_number_of_n_step_returns)
    assert verdict.kind is Kind.WRONG
    assert "`n_step_returns` computes them" in " ".join(verdict.text.split())


nsr = n_step.n_step_returns


def under_another_name(t, rewards, next_values, terminated, truncated, gamma):
    return nsr(*(x[:, None] for x in (rewards, next_values, terminated, truncated)), gamma)[t, 0]


def with_a_helper(t, rewards, next_values, terminated, truncated, gamma):
    return under_another_name(t, rewards, next_values, terminated, truncated, gamma)


def with_an_import(t, rewards, next_values, terminated, truncated, gamma):
    columns = (each[:, None] for each in (rewards, next_values, terminated, truncated))
    return averaged(*columns, gamma, lambda_=1.0)[t, 0]


in_part = partial(averaged, lambda_=1.0)


def with_a_part(t, rewards, next_values, terminated, truncated, gamma):
    columns = (each[:, None] for each in (rewards, next_values, terminated, truncated))
    return in_part(*columns, gamma)[t, 0]


def made_within(returns):
    def within(t, rewards, next_values, terminated, truncated, gamma):
        columns = (each[:, None] for each in (rewards, next_values, terminated, truncated))
        return returns(*columns, gamma)[t, 0]

    return within


@pytest.mark.parametrize(
    ("answer", "computing"),
    [
        (under_another_name, "`n_step_returns` computes them, here called `nsr`."),
        (with_a_helper, "`n_step_returns` computes them, here called `nsr`."),
        (with_an_import, "`lambda_returns` computes them, here called `averaged`."),
        (with_a_part, "`lambda_returns` computes them, here called `in_part`."),
        (made_within(nsr), "`n_step_returns` computes them, here called `returns`."),
    ],
)
def test_nor_is_it_asked_under_another_name(answer, computing):
    verdict = check(registry.find("2.3"), answer)
    assert verdict.kind is Kind.WRONG
    assert computing in " ".join(verdict.text.split())


# 2.4


def the_rollout_as_it_is(rollout, model, gamma):
    next_values = model.values(rollout.next_observations).detach()
    return n_step.n_step_returns(
        rollout.rewards, next_values, rollout.terminated, rollout.truncated, gamma
    )


def one_environment_after_another(rollout, model, gamma):
    with torch.no_grad():
        next_values = model.values(rollout.next_observations)
    tensors = rollout.rewards, next_values, rollout.terminated, rollout.truncated
    columns = [
        n_step.n_step_returns(*(x[:, [n]] for x in tensors), gamma)
        for n in range(rollout.rewards.shape[1])
    ]
    return torch.cat(columns, dim=1)


def loop_of_its_own(rollout, model, gamma):
    with torch.no_grad():
        R = model.values(rollout.next_observations[-1])
        returns = torch.empty_like(rollout.rewards)
        for t in reversed(range(len(returns))):
            seen = model.values(rollout.next_observations[t])
            R = torch.where(rollout.truncated[t], seen, R)
            R = rollout.rewards[t] + gamma * R * ~rollout.terminated[t]
            returns[t] = R
    return returns


@pytest.mark.parametrize(
    ("exercise_id", "answer"),
    [
        ("2.1", sum_within_a_loop),
        ("2.1", matrix_of_discounts),
        ("2.1", recursive),
        ("2.1", list_turned_round),
        ("2.2", masks_multiplied),
        ("2.2", last_row_counts_as_cut),
        ("2.2", one_number_at_a_time),
        ("2.2", step_by_step_from_the_definition),
        ("2.3", return_from_recursively),
        ("2.3", return_from_slices),
        ("2.4", the_rollout_as_it_is),
        ("2.4", one_environment_after_another),
        ("2.4", loop_of_its_own),
    ],
)
def test_a_right_answer_in_another_form_passes(exercise_id, answer):
    verdict = check(registry.find(exercise_id), answer)
    assert verdict.right, verdict.text


def bootstrap_put_into_the_rewards(rewards, bootstrap, gamma):
    rewards[-1] += gamma * bootstrap
    return n_step.stretch_returns(rewards, torch.zeros(()), gamma)


def test_rewards_changed_in_place_are_noticed():
    verdict = check(registry.find("2.1"), bootstrap_put_into_the_rewards)
    assert verdict.kind is Kind.WRONG
    assert "rewards" in verdict.text


def environments_lost(rewards, next_values, terminated, truncated, gamma):
    returns = n_step.n_step_returns(rewards, next_values, terminated, truncated, gamma)
    return returns.mean(dim=1, keepdim=True).expand_as(returns)


def test_a_mistake_without_a_name_shows_a_case_on_paper():
    verdict = check(registry.find("2.2"), environments_lost)
    assert verdict.kind is Kind.WRONG
    assert "two environments" in verdict.text


def test_the_numbers_on_paper_of_the_chapter():
    r, V = torch.tensor([1.0, 2.0, 3.0]), torch.tensor(8.0)
    assert n_step.stretch_returns(r, V, 0.5).tolist() == [3.75, 5.5, 7.0]
    assert n_step.forward_in_time(r, V, 0.5).tolist() == [5.0, 4.5, 5.25]
    assert n_step.no_bootstrap(r, V, 0.5).tolist() == [2.75, 3.5, 3.0]


def test_the_bug_shows_only_where_there_are_several_environments():
    for case in registry.find("2.4").cases():
        rollout, *others = case.args
        right = n_step.rollout_returns(rollout, *others)
        wrong = n_step.rollout_returns_with_a_bug(rollout, *others)
        assert torch.equal(right, wrong) == (1 in rollout.rewards.shape), case.label


def test_the_numbers_on_paper_of_the_hunt():
    on_paper = registry.find("2.4").cases()[0].args
    assert n_step.rollout_returns(*on_paper).tolist() == [[2.0, 20.0], [2.0, 20.0]]
    assert n_step.rollout_returns_with_a_bug(*on_paper).tolist() == [[6.5, 11.0], [2.0, 20.0]]
