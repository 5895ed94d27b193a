"""Right answers to chapter 04's exercises in other forms."""

import pytest
import torch
from torch import nn

from a3c_lib.exercises import lstm
from a3c_lib.exercises.engine import registry
from a3c_lib.exercises.engine.checking import Kind, check
from a3c_lib.exercises.lstm import learn_from_with_a_bug
from a3c_lib.losses import a2c_loss
from a3c_lib.recurrent import RecurrentActorCritic
from a3c_lib.returns import n_step_returns
from a3c_lib.rollout import collect

# 4.1


def torchs_own(features, state, input_weights, hidden_weights, bias):
    return torch.lstm_cell(
        features, state, input_weights, hidden_weights, bias, torch.zeros_like(bias)
    )


def gate_by_gate(features, state, input_weights, hidden_weights, bias):
    (h, c), C = state, state[0].shape[1]

    def gate(k):
        rows = slice(k * C, (k + 1) * C)
        return (
            nn.functional.linear(features, input_weights[rows])
            + nn.functional.linear(h, hidden_weights[rows])
            + bias[rows]
        )

    i, f, o = (torch.sigmoid(gate(k)) for k in (0, 1, 3))
    c = f * c + i * torch.tanh(gate(2))
    return [o * torch.tanh(c), c]


def in_one_product(features, state, input_weights, hidden_weights, bias):
    both = torch.cat([features, state[0]], dim=1)
    gates = both @ torch.cat([input_weights, hidden_weights], dim=1).T + bias
    i, f, g, o = gates.reshape(len(gates), 4, -1).unbind(1)
    c = torch.addcmul(torch.sigmoid(f) * state[1], torch.sigmoid(i), torch.tanh(g))
    return torch.sigmoid(o) * torch.tanh(c), c


# 4.2


def by_a_product(state, begins):
    keep = (~begins).float().unsqueeze(1)
    return tuple(part * keep for part in state)


def by_where(state, begins):
    return [torch.where(begins[:, None], torch.zeros_like(part), part) for part in state]


def by_copies(state, begins):
    h, c = (part.clone() for part in state)
    h[begins] = 0
    c[begins] = 0
    return h, c


def environment_by_environment(state, begins):
    h, c = (
        torch.stack(
            [row * 0 if anew else row for row, anew in zip(part, begins.tolist(), strict=True)]
        )
        for part in state
    )
    return h, c


# 4.3


def into_lists(step, features, state, begins):
    h, c = state[0].detach(), state[1].detach()
    hs, cs = [], []
    for t in range(len(features)):
        keep = (~begins[t])[:, None]
        h, c = step(features[t], (h * keep, c * keep))
        hs.append(h)
        cs.append(c)
    return torch.stack(hs), torch.stack(cs)


def concatenated(step, features, state, begins):
    with torch.no_grad():
        h, c = (part.clone() for part in state)
    hs, cs = torch.empty(0, *h.shape), torch.empty(0, *c.shape)
    for x, anew in zip(features, begins, strict=True):
        h, c = step(x, lstm.begin_anew((h, c), anew))
        hs, cs = torch.cat([hs, h[None]]), torch.cat([cs, c[None]])
    return hs, cs


def by_recursion(step, features, state, begins):
    if len(features) == 0:
        h, c = state
        return h[None][:0], c[None][:0]
    constant = state[0].detach(), state[1].detach()
    return _recursion(step, features, constant, begins)


def _recursion(step, features, state, begins):
    h, c = step(features[0], lstm.begin_anew(state, begins[0]))
    if len(features) == 1:
        return h[None], c[None]
    hs, cs = _recursion(step, features[1:], (h, c), begins[1:])
    return torch.cat([h[None], hs]), torch.cat([c[None], cs])


# 4.4


def two_names(model, envs, policy, position, t_max, gamma):
    rollout, after = collect(envs, policy, position, t_max)
    logits, values, next_values = model.unroll(rollout, position.policy_state)
    ends = rollout.terminated, rollout.truncated
    returns = n_step_returns(rollout.rewards, next_values, *ends, gamma)
    return a2c_loss(logits, values, rollout.actions, returns), after


def a_copy_of_the_memory(model, envs, policy, position, t_max, gamma):
    began = tuple(part.clone() for part in position.policy_state)
    rollout, position = collect(envs, policy, position, t_max)
    logits, values, after = model.unroll(rollout, began)
    targets = n_step_returns(rollout.rewards, after, rollout.terminated, rollout.truncated, gamma)
    return a2c_loss(logits, values, rollout.actions, targets.detach()), position


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        ("4.1", torchs_own),
        ("4.1", gate_by_gate),
        ("4.1", in_one_product),
        ("4.2", by_a_product),
        ("4.2", by_where),
        ("4.2", by_copies),
        ("4.2", environment_by_environment),
        ("4.3", into_lists),
        ("4.3", concatenated),
        ("4.3", by_recursion),
        ("4.4", two_names),
        ("4.4", a_copy_of_the_memory),
    ],
)
def test_a_right_answer_in_another_form_is_right(exercise, answer):
    verdict = check(registry.find(exercise), answer)
    assert verdict.kind is Kind.RIGHT, verdict.text


def test_the_step_is_the_networks_own():
    model = RecurrentActorCritic.for_env(lstm.TMaze(), hidden=(), cells=5, seed=3)
    features, memory = torch.randn(4, 4), (torch.randn(4, 5), torch.randn(4, 5))
    cell = model.lstm
    bias = cell.bias_ih + cell.bias_hh
    mine = lstm.lstm_step(features, memory, cell.weight_ih, cell.weight_hh, bias)
    for a, b in zip(mine, cell(features, memory), strict=True):
        torch.testing.assert_close(a, b)


def test_through_time_is_what_the_network_does():
    model = RecurrentActorCritic.for_env(lstm.TMaze(), hidden=(), cells=5, seed=3)
    observations = torch.randint(4, (6, 3))
    begins = torch.rand(6, 3) < 0.3
    memory = torch.randn(3, 5), torch.randn(3, 5)
    _, _, expected = model(observations, memory, begins)
    mine = lstm.through_time(model.lstm, model.torso(observations), memory, begins)
    for a, b in zip(mine, expected, strict=True):
        torch.testing.assert_close(a, b)


def test_the_bug_hunts_function_acts_rightly_and_looks_back_with_another_memory():
    """Up to the first end what it computes is of another memory, and what it hands on is right."""
    (case, *_) = registry.find("4.4").cases()
    mine = case.probe(learn_from_with_a_bug, *case.args)
    right = case.probe(lstm.learn_from, *case.args)
    total = "the total of the first lesson"
    assert mine[total].item() != pytest.approx(right[total].item(), abs=1e-6)
    handed_on = [name for name in right if " after the " in name]
    assert len(handed_on) == 6
    assert all(torch.equal(mine[name], right[name]) for name in handed_on)
