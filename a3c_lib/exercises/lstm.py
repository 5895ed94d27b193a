"""Chapter 04: the exercises of "LSTM"."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium as gym
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import TimeLimit
from torch import Tensor, nn

from a3c_lib.actor_critic import Loss
from a3c_lib.exercises.engine.cases import Answer, Case, Exercise, Wrong
from a3c_lib.losses import a2c_loss
from a3c_lib.recurrent import Memory, RecurrentActorCritic
from a3c_lib.returns import n_step_returns
from a3c_lib.rollout import Envs, Policy, Position, collect, initial_state, sampled, start
from a3c_lib.worlds.envs import TMaze

Step = Callable[[Tensor, Memory], Memory]  # features (N, F), memory before → memory after

# 4.1 One step of the cell


def lstm_step(
    features: Tensor, state: Memory, input_weights: Tensor, hidden_weights: Tensor, bias: Tensor
) -> Memory:
    """c' = f c + i g,  h' = o tanh(c'), with gates from W x + U h + b.   (N, F), (h, c) → (h', c').

    input_weights (4C, F), hidden_weights (4C, C), bias (4C,): rows for i, f, g, o, C of each.
    """
    h, c = state
    gates = features @ input_weights.T + h @ hidden_weights.T + bias
    i, f, g, o = gates.chunk(4, dim=-1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def _gates(
    features: Tensor, state: Memory, input_weights: Tensor, hidden_weights: Tensor, bias: Tensor
) -> tuple[Tensor, ...]:
    gates = features @ input_weights.T + state[0] @ hidden_weights.T + bias
    return gates.chunk(4, dim=-1)


def input_and_forget_gate_swapped(
    features: Tensor, state: Memory, input_weights: Tensor, hidden_weights: Tensor, bias: Tensor
) -> Memory:
    f, i, g, o = _gates(features, state, input_weights, hidden_weights, bias)
    c = f.sigmoid() * state[1] + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def output_gate_before_the_candidate(
    features: Tensor, state: Memory, input_weights: Tensor, hidden_weights: Tensor, bias: Tensor
) -> Memory:
    i, f, o, g = _gates(features, state, input_weights, hidden_weights, bias)
    c = f.sigmoid() * state[1] + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def candidate_squashed_like_a_gate(
    features: Tensor, state: Memory, input_weights: Tensor, hidden_weights: Tensor, bias: Tensor
) -> Memory:
    i, f, g, o = _gates(features, state, input_weights, hidden_weights, bias)
    c = f.sigmoid() * state[1] + i.sigmoid() * g.sigmoid()
    return o.sigmoid() * c.tanh(), c


def candidate_not_squashed(
    features: Tensor, state: Memory, input_weights: Tensor, hidden_weights: Tensor, bias: Tensor
) -> Memory:
    i, f, g, o = _gates(features, state, input_weights, hidden_weights, bias)
    c = f.sigmoid() * state[1] + i.sigmoid() * g
    return o.sigmoid() * c.tanh(), c


def gates_not_squashed(
    features: Tensor, state: Memory, input_weights: Tensor, hidden_weights: Tensor, bias: Tensor
) -> Memory:
    i, f, g, o = _gates(features, state, input_weights, hidden_weights, bias)
    c = f * state[1] + i * g.tanh()
    return o * c.tanh(), c


def output_of_the_old_cell(
    features: Tensor, state: Memory, input_weights: Tensor, hidden_weights: Tensor, bias: Tensor
) -> Memory:
    i, f, g, o = _gates(features, state, input_weights, hidden_weights, bias)
    c = f.sigmoid() * state[1] + i.sigmoid() * g.tanh()
    return o.sigmoid() * state[1].tanh(), c


def output_not_squashed(
    features: Tensor, state: Memory, input_weights: Tensor, hidden_weights: Tensor, bias: Tensor
) -> Memory:
    i, f, g, o = _gates(features, state, input_weights, hidden_weights, bias)
    c = f.sigmoid() * state[1] + i.sigmoid() * g.tanh()
    return o.sigmoid() * c, c


def cell_and_output_exchanged(
    features: Tensor, state: Memory, input_weights: Tensor, hidden_weights: Tensor, bias: Tensor
) -> Memory:
    h, c = lstm_step(features, state, input_weights, hidden_weights, bias)
    return c, h


def forget_gate_the_wrong_way_round(
    features: Tensor, state: Memory, input_weights: Tensor, hidden_weights: Tensor, bias: Tensor
) -> Memory:
    i, f, g, o = _gates(features, state, input_weights, hidden_weights, bias)
    c = (1 - f.sigmoid()) * state[1] + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def only_the_output_handed_back(
    features: Tensor, state: Memory, input_weights: Tensor, hidden_weights: Tensor, bias: Tensor
) -> Tensor:
    return lstm_step(features, state, input_weights, hidden_weights, bias)[0]


def output_of_before_ignored(
    features: Tensor, state: Memory, input_weights: Tensor, hidden_weights: Tensor, bias: Tensor
) -> Memory:
    blank = torch.zeros_like(state[0])
    return lstm_step(features, (blank, state[1]), input_weights, hidden_weights, bias)


def state_taken_apart_the_wrong_way_round(
    features: Tensor, state: Memory, input_weights: Tensor, hidden_weights: Tensor, bias: Tensor
) -> Memory:
    c, h = state
    return lstm_step(features, (h, c), input_weights, hidden_weights, bias)


def bias_left_out(
    features: Tensor, state: Memory, input_weights: Tensor, hidden_weights: Tensor, bias: Tensor
) -> Memory:
    return lstm_step(features, state, input_weights, hidden_weights, torch.zeros_like(bias))


def only_the_cell_detached_in_the_step(
    features: Tensor, state: Memory, input_weights: Tensor, hidden_weights: Tensor, bias: Tensor
) -> Memory:
    h, c = state
    return lstm_step(features, (h, c.detach()), input_weights, hidden_weights, bias)


def memory_detached_in_the_step(
    features: Tensor, state: Memory, input_weights: Tensor, hidden_weights: Tensor, bias: Tensor
) -> Memory:
    h, c = (part.detach() for part in state)
    return lstm_step(features, (h, c), input_weights, hidden_weights, bias)


def _step_cases() -> list[Case]:
    def random(N: int, F: int, C: int) -> tuple[Tensor, Memory, Tensor, Tensor, Tensor]:
        weights = torch.randn(4 * C, F), torch.randn(4 * C, C), torch.randn(4 * C)
        memory = _leaf(torch.randn(N, C)), _leaf(2 * torch.randn(N, C))
        W, U, b = map(_leaf, weights)
        return _leaf(torch.randn(N, F)), memory, W, U, b

    on_paper = Case(
        "on paper: i = 0.5, f = 0.75, g = 0.5, o = 0.5, and c was 1",
        torch.ones(1, 1),
        (torch.zeros(1, 1), torch.ones(1, 1)),
        math.log(3) * torch.tensor([[0.0], [1.0], [0.5], [0.0]]),
        torch.zeros(4, 1),
        torch.zeros(4),
    )
    return [
        on_paper,
        Case("1 environment, 1 cell", *random(1, 1, 1)),
        Case("3 environments, 2 features, 4 cells", *random(3, 2, 4)),
        Case("2 environments, 5 features, 3 cells", *random(2, 5, 3)),
    ]


# 4.2 An episode begins


def begin_anew(state: Memory, begins: Tensor) -> Memory:
    """The memory with zeros for the environments in which an episode begins.

    h and c (N, C) each, begins (N,) → the same, as new tensors.
    """
    h, c = (part.masked_fill(begins[:, None], 0) for part in state)
    return h, c


def all_of_them_begin_anew(state: Memory, begins: Tensor) -> Memory:
    if begins.any():
        return torch.zeros_like(state[0]), torch.zeros_like(state[1])
    return state


def the_cell_is_kept(state: Memory, begins: Tensor) -> Memory:
    return begin_anew(state, begins)[0], state[1]


def the_output_is_kept(state: Memory, begins: Tensor) -> Memory:
    return state[0], begin_anew(state, begins)[1]


def in_place(state: Memory, begins: Tensor) -> Memory:
    for part in state:
        part[begins] = 0
    return state


def the_others_begin_anew(state: Memory, begins: Tensor) -> Memory:
    return begin_anew(state, ~begins)


def along_the_cells(state: Memory, begins: Tensor) -> Memory:
    h, c = (part * ~begins for part in state)
    return h, c


def cut_off_as_well(state: Memory, begins: Tensor) -> Memory:
    h, c = begin_anew(state, begins)
    return h.detach(), c.detach()


def nothing_begins(state: Memory, begins: Tensor) -> Memory:
    return state


def _begin_cases() -> list[Case]:
    def memory(N: int, C: int) -> Memory:
        return _leaf(torch.randn(N, C)), _leaf(torch.randn(N, C))

    plain = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    return [
        Case("the second of three begins", (plain, 10 * plain), _flags(0, 1, 0)),
        Case("none begins", memory(2, 3), _flags(0, 0)),
        Case("all begin", memory(2, 3), _flags(1, 1)),
        Case("as many cells as environments", memory(3, 3), _flags(1, 0, 0)),
        Case("4 environments, 2 cells", memory(4, 2), _flags(0, 1, 1, 0)),
    ]


# 4.3 Through time


def through_time(step: Step, features: Tensor, state: Memory, begins: Tensor) -> Memory:
    """Go through T steps from `state`, which is a constant.   (T, N, F) → h, c (T, N, C), after
    each step.

    begins (T, N): before such a step, that environment's memory begins anew.
    """
    h, c = state
    state = h.detach(), c.detach()
    memories = []
    for x, anew in zip(features, begins, strict=True):
        state = step(x, begin_anew(state, anew))
        memories.append(state)
    hs, cs = zip(*memories, strict=True)
    return torch.stack(hs), torch.stack(cs)


def _constant(state: Memory) -> Memory:
    h, c = state
    return h.detach(), c.detach()


def _stacked(memories: list[Memory]) -> Memory:
    hs, cs = zip(*memories, strict=True)
    return torch.stack(hs), torch.stack(cs)


def cut_between_the_steps(step: Step, features: Tensor, state: Memory, begins: Tensor) -> Memory:
    memories = []
    for x, anew in zip(features, begins, strict=True):
        state = step(x, begin_anew(_constant(state), anew))
        memories.append(state)
    return _stacked(memories)


def not_cut_at_all(step: Step, features: Tensor, state: Memory, begins: Tensor) -> Memory:
    memories = []
    for x, anew in zip(features, begins, strict=True):
        state = step(x, begin_anew(state, anew))
        memories.append(state)
    return _stacked(memories)


def result_cut(step: Step, features: Tensor, state: Memory, begins: Tensor) -> Memory:
    return _constant(through_time(step, features, state, begins))


def ends_ignored(step: Step, features: Tensor, state: Memory, begins: Tensor) -> Memory:
    return through_time(step, features, state, torch.zeros_like(begins))


def first_row_ignored(step: Step, features: Tensor, state: Memory, begins: Tensor) -> Memory:
    later = begins.clone()
    later[0] = False
    return through_time(step, features, state, later)


def one_step_late(step: Step, features: Tensor, state: Memory, begins: Tensor) -> Memory:
    state, memories = _constant(state), []
    for x, anew in zip(features, begins, strict=True):
        memory = step(x, state)
        memories.append(memory)
        state = begin_anew(memory, anew)
    return _stacked(memories)


def zeroed_after_the_step(step: Step, features: Tensor, state: Memory, begins: Tensor) -> Memory:
    state, memories = _constant(state), []
    for x, anew in zip(features, begins, strict=True):
        state = begin_anew(step(x, state), anew)
        memories.append(state)
    return _stacked(memories)


def one_beginning_for_all(step: Step, features: Tensor, state: Memory, begins: Tensor) -> Memory:
    everywhere = begins.any(dim=1, keepdim=True).expand_as(begins)
    return through_time(step, features, state, everywhere)


def cell_carried_over_the_end(
    step: Step, features: Tensor, state: Memory, begins: Tensor
) -> Memory:
    state, memories = _constant(state), []
    for x, anew in zip(features, begins, strict=True):
        state = step(x, (begin_anew(state, anew)[0], state[1]))
        memories.append(state)
    return _stacked(memories)


def cell_lost_at_every_step(step: Step, features: Tensor, state: Memory, begins: Tensor) -> Memory:
    state, memories = _constant(state), []
    for x, anew in zip(features, begins, strict=True):
        h, c = begin_anew(state, anew)
        state = step(x, (h, torch.zeros_like(c)))
        memories.append(state)
    return _stacked(memories)


def always_from_the_first_memory(
    step: Step, features: Tensor, state: Memory, begins: Tensor
) -> Memory:
    first = _constant(state)
    return _stacked(
        [step(x, begin_anew(first, anew)) for x, anew in zip(features, begins, strict=True)]
    )


def begins_with_nothing(step: Step, features: Tensor, state: Memory, begins: Tensor) -> Memory:
    h, c = state
    return through_time(step, features, (torch.zeros_like(h), torch.zeros_like(c)), begins)


def memories_before_the_steps(
    step: Step, features: Tensor, state: Memory, begins: Tensor
) -> Memory:
    state, memories = _constant(state), []
    for x, anew in zip(features, begins, strict=True):
        state = begin_anew(state, anew)
        memories.append(state)
        state = step(x, state)
    return _stacked(memories)


def only_the_last_memory(step: Step, features: Tensor, state: Memory, begins: Tensor) -> Memory:
    h, c = through_time(step, features, state, begins)
    return h[-1], c[-1]


def environments_first(step: Step, features: Tensor, state: Memory, begins: Tensor) -> Memory:
    h, c = through_time(step, features, state, begins)
    return h.transpose(0, 1), c.transpose(0, 1)


def _time_cases() -> list[Case]:
    def random(T: int, N: int, F: int, C: int) -> tuple[Step, Tensor, Memory]:
        cell = nn.LSTMCell(F, C)
        with torch.no_grad():
            for weights in cell.parameters():
                weights.mul_(2)  # so that a step more or less is seen
        memory = _leaf(torch.randn(N, C)), _leaf(torch.randn(N, C))
        return cell, _leaf(torch.randn(T, N, F)), memory

    return [
        Case("1 step, none begins", *random(1, 2, 1, 2), _flags(0, 0)[None]),
        Case("1 step, one of two begins", *random(1, 2, 1, 2), _flags(1, 0)[None]),
        Case("3 steps, none begins", *random(3, 1, 2, 2), torch.zeros(3, 1, dtype=torch.bool)),
        Case("3 steps, one of two begins in the middle", *random(3, 2, 1, 3), _at(3, 2, (1, 0))),
        Case("6 steps of 3 environments", *random(6, 3, 2, 4), _at(6, 3, (2, 0), (4, 0), (3, 2))),
    ]


# 4.4 A bug hunt


def learn_from(
    model: RecurrentActorCritic,
    envs: Envs,
    policy: Policy,
    position: Position,
    t_max: int,
    gamma: float,
) -> tuple[Loss, Position]:
    """Collect a rollout from `position` on.   → what it teaches, the position after it."""
    state = position.policy_state
    rollout, position = collect(envs, policy, position, t_max)
    logits, values, next_values = model.unroll(rollout, state)
    ends = rollout.terminated, rollout.truncated
    returns = n_step_returns(rollout.rewards, next_values, *ends, gamma)
    return a2c_loss(logits, values, rollout.actions, returns), position


def learn_from_with_a_bug(
    model: RecurrentActorCritic,
    envs: Envs,
    policy: Policy,
    position: Position,
    t_max: int,
    gamma: float,
) -> tuple[Loss, Position]:
    """Collect a rollout from `position` on.   → what it teaches, the position after it."""
    rollout, position = collect(envs, policy, position, t_max)
    logits, values, next_values = model.unroll(rollout, position.policy_state)
    ends = rollout.terminated, rollout.truncated
    returns = n_step_returns(rollout.rewards, next_values, *ends, gamma)
    return a2c_loss(logits, values, rollout.actions, returns), position


def learned_from_nothing(
    model: RecurrentActorCritic,
    envs: Envs,
    policy: Policy,
    position: Position,
    t_max: int,
    gamma: float,
) -> tuple[Loss, Position]:
    rollout, after = collect(envs, policy, position, t_max)
    logits, values, next_values = model.unroll(rollout, model.initial_state(envs.num_envs))
    ends = rollout.terminated, rollout.truncated
    returns = n_step_returns(rollout.rewards, next_values, *ends, gamma)
    return a2c_loss(logits, values, rollout.actions, returns), after


def memory_not_carried_on(
    model: RecurrentActorCritic,
    envs: Envs,
    policy: Policy,
    position: Position,
    t_max: int,
    gamma: float,
) -> tuple[Loss, Position]:
    loss, after = learn_from(model, envs, policy, position, t_max, gamma)
    return loss, after._replace(policy_state=model.initial_state(envs.num_envs))


def forgotten_before_acting(
    model: RecurrentActorCritic,
    envs: Envs,
    policy: Policy,
    position: Position,
    t_max: int,
    gamma: float,
) -> tuple[Loss, Position]:
    blank = position._replace(policy_state=model.initial_state(envs.num_envs))
    return learn_from(model, envs, policy, blank, t_max, gamma)


def goes_on_where_it_began(
    model: RecurrentActorCritic,
    envs: Envs,
    policy: Policy,
    position: Position,
    t_max: int,
    gamma: float,
) -> tuple[Loss, Position]:
    loss, _ = learn_from(model, envs, policy, position, t_max, gamma)
    return loss, position


def memory_of_before_carried_on(
    model: RecurrentActorCritic,
    envs: Envs,
    policy: Policy,
    position: Position,
    t_max: int,
    gamma: float,
) -> tuple[Loss, Position]:
    loss, after = learn_from(model, envs, policy, position, t_max, gamma)
    return loss, after._replace(policy_state=position.policy_state)


def bootstrap_advances_the_memory(
    model: RecurrentActorCritic,
    envs: Envs,
    policy: Policy,
    position: Position,
    t_max: int,
    gamma: float,
) -> tuple[Loss, Position]:
    loss, after = learn_from(model, envs, policy, position, t_max, gamma)
    with torch.no_grad():
        _, advanced = model.logits(after.observation, after.policy_state)
    return loss, after._replace(policy_state=advanced)


def time_limit_taken_for_an_end(
    model: RecurrentActorCritic,
    envs: Envs,
    policy: Policy,
    position: Position,
    t_max: int,
    gamma: float,
) -> tuple[Loss, Position]:
    state = position.policy_state
    rollout, position = collect(envs, policy, position, t_max)
    logits, values, next_values = model.unroll(rollout, state)
    over = rollout.terminated | rollout.truncated
    returns = n_step_returns(rollout.rewards, next_values, over, over, gamma)
    return a2c_loss(logits, values, rollout.actions, returns), position


def _limited_maze(length: int, limit: int) -> gym.Env[Any, Any]:
    return TimeLimit(TMaze(length), limit)


def _two_lessons(
    learn: Answer, model: RecurrentActorCritic, lengths: tuple[int, ...], t_max: int, limit: int
) -> tuple[Loss, tuple[Tensor, ...], Loss, tuple[Tensor, ...]]:
    """Two rollouts in a row, in T-mazes of these lengths with a time limit, after two steps that
    nobody learns from."""
    mazes = [partial(_limited_maze, length, limit) for length in lengths]
    envs = SyncVectorEnv(mazes, autoreset_mode=AutoresetMode.SAME_STEP)
    policy = sampled(model, torch.Generator().manual_seed(0))
    position = start(envs, 0, initial_state(model, len(lengths)))
    _, position = collect(envs, policy, position, 2)
    first, position = learn(model, envs, policy, position, t_max, 0.9)
    middle = position.observation, *position.policy_state
    second, position = learn(model, envs, policy, position, t_max, 0.9)
    return first, middle, second, (position.observation, *position.policy_state)


def _lesson_cases() -> list[Case]:
    def network() -> RecurrentActorCritic:
        model = RecurrentActorCritic.for_env(TMaze(), hidden=(), cells=3, seed=1)
        with torch.no_grad():
            for weights in model.lstm.parameters():
                weights.mul_(2)
            model.policy_head.weight *= 100
        return model

    return [
        Case("a T-maze of 4 steps, rollouts of 3", network(), (2,), 3, 100, probe=_two_lessons),
        Case(
            "T-mazes of 3 and 11 steps, rollouts of 4",
            network(),
            (1, 9),
            4,
            100,
            probe=_two_lessons,
        ),
        Case(
            "a T-maze of 11 steps with a time limit of 5", network(), (9,), 4, 5, probe=_two_lessons
        ),
    ]


def _flags(*values: int) -> Tensor:
    return torch.tensor(values, dtype=torch.bool)


def _at(T: int, N: int, *places: tuple[int, int]) -> Tensor:
    """(T, N), True at the given (step, environment)."""
    flags = torch.zeros(T, N, dtype=torch.bool)
    for t, n in places:
        flags[t, n] = True
    return flags


def _leaf(tensor: Tensor) -> Tensor:
    """The same numbers, in a tensor of its own that wants a gradient."""
    return tensor.detach().clone().requires_grad_()


EXERCISES = (
    Exercise(
        id="4.1",
        title="one step of the cell",
        reference=lstm_step,
        cases=_step_cases,
        wrong=(
            Wrong(
                input_and_forget_gate_swapped,
                "The input gate and the forget gate have each other's rows. torch's order is i, f, "
                "g, o: input first.",
            ),
            Wrong(
                output_gate_before_the_candidate,
                "The candidate and the output gate have each other's rows. torch's order is i, f, "
                "g, o: the output gate comes last.",
            ),
            Wrong(
                candidate_squashed_like_a_gate,
                "The candidate g went through a sigmoid. That is for the three gates, which are "
                "shares from 0 to 1; g may be negative: tanh.",
            ),
            Wrong(
                candidate_not_squashed,
                "The candidate g is used as it comes out of the sum. What may be written to the "
                "cell lies between −1 and 1: tanh.",
            ),
            Wrong(
                gates_not_squashed,
                "The three gates are used as they come out of the sum. A gate is a share from 0 to "
                "1: sigmoid.",
            ),
            Wrong(
                output_of_the_old_cell,
                "The new cell is right, but the output reads the cell as it was before the step. "
                "What is seen now would come out one step late: tanh(c').",
            ),
            Wrong(
                output_not_squashed,
                "The new cell is right. The output is o times tanh(c'), not o times c'.",
            ),
            Wrong(
                cell_and_output_exchanged,
                "Both numbers are right, in the wrong order: the output h comes first, then the "
                "cell c.",
            ),
            Wrong(
                forget_gate_the_wrong_way_round,
                "You keep 1 − f of the cell. The forget gate is named badly: f is the share that "
                "is "
                "*kept*.",
            ),
            Wrong(
                only_the_output_handed_back,
                "You hand back the output alone. The cell is what the next step goes on from: "
                "return both, (h', c').",
            ),
            Wrong(
                output_of_before_ignored,
                "The gates do not hear of h, the output of the step before. They are computed from "
                "what is seen now and from h: W x + U h + b.",
            ),
            Wrong(
                state_taken_apart_the_wrong_way_round,
                "The gates read the cell, and the output is kept in its place: `state` is (h, c), "
                "the output first. Is it taken apart in that order?",
            ),
            Wrong(
                bias_left_out,
                "The bias has no effect. The sums are W x + U h + b.",
            ),
            Wrong(
                only_the_cell_detached_in_the_step,
                "The numbers are right, but the cell is detached. Along the cell the gradient is "
                "to "
                "survive from step to step; where it is cut is not this function's business.",
            ),
            Wrong(
                memory_detached_in_the_step,
                "The numbers are right, but the memory is detached: no gradient gets from this "
                "step "
                "to an earlier one, and the cell cannot learn what is worth keeping. Where the "
                "gradient is cut is not this function's business.",
            ),
        ),
        hints=(
            "First one tensor with the sums for all gates, (N, 4C). Then take it apart, then "
            "squash.",
            "W x for a whole batch is features @ input_weights.T; .chunk(4, dim=-1) cuts the "
            "result "
            "into i, f, g and o.",
            "c = f.sigmoid() * c + i.sigmoid() * g.tanh(), and then h = o.sigmoid() * c.tanh() of "
            "the new c.",
        ),
    ),
    Exercise(
        id="4.2",
        title="an episode begins",
        reference=begin_anew,
        cases=_begin_cases,
        wrong=(
            Wrong(
                all_of_them_begin_anew,
                "When one episode begins, this makes all environments forget. The others are in "
                "the middle of theirs.",
            ),
            Wrong(
                the_cell_is_kept,
                "h is zeroed and c is not. The cell is the longer memory of the two: through it "
                "one "
                "episode leaks into the next.",
            ),
            Wrong(
                the_output_is_kept,
                "c is zeroed and h is not. The gates of the next step read h: through it one "
                "episode "
                "leaks into the next.",
            ),
            Wrong(
                in_place,
                "It writes into the memory that it was given. Others still need that one: a "
                "rollout "
                "is learned from with the memory that it began with, and autograd has noted it. "
                "Build a new one.",
            ),
            Wrong(
                the_others_begin_anew,
                "The mask is the wrong way round: those environments forget whose episode goes on.",
            ),
            Wrong(
                along_the_cells,
                "`begins` has one entry an environment; beside (N, C) it is laid along the last "
                "axis, the cells. With as many cells as environments that raises no error and "
                "zeroes the wrong axis. Give it an axis: begins[:, None].",
            ),
            Wrong(
                cut_off_as_well,
                "The numbers are right, but the memory that is kept is detached as well. Within a "
                "rollout a gradient has to get through.",
            ),
            Wrong(
                nothing_begins,
                "The memory is handed back as it was: an episode begins with that of another one.",
            ),
        ),
        hints=(
            "begins[:, None] has the shape (N, 1), and stands beside (N, C) as a column.",
            "part.masked_fill(mask, 0) is a new tensor with zeros where the mask is True.",
            "The same for both parts: return h.masked_fill(begins[:, None], 0), and so for c.",
        ),
    ),
    Exercise(
        id="4.3",
        title="through time",
        reference=through_time,
        cases=_time_cases,
        wrong=(
            Wrong(
                cut_between_the_steps,
                "The numbers are right, and the gradient is cut between all steps: the detach is "
                "inside the loop. What is seen at step 0 then hears nothing of what it was good "
                "for "
                "at step 5. Cut once, before the loop.",
            ),
            Wrong(
                not_cut_at_all,
                "The numbers are right, but a gradient flows into `state`. That belongs to the "
                "rollout before, which has been learned from. Detach it, once, before the loop.",
            ),
            Wrong(
                result_cut,
                "The numbers are right, but the result is detached: no gradient flows at all. Only "
                "the memory from which the rollout begins is a constant.",
            ),
            Wrong(
                ends_ignored,
                "`begins` has no effect: an episode goes on with the memory of the one before it.",
            ),
            Wrong(
                first_row_ignored,
                "An episode that begins with the very first row keeps the memory that came in. All "
                "rows of `begins` count.",
            ),
            Wrong(
                one_step_late,
                "The memory begins anew one step late: the first step of an episode still goes "
                "from "
                "the memory of the one before. First zero, then step.",
            ),
            Wrong(
                zeroed_after_the_step,
                "The memory is zeroed after the step: what the first step of an episode has seen "
                "is "
                "lost. First zero, then step.",
            ),
            Wrong(
                one_beginning_for_all,
                "When one environment's episode begins, all environments forget. Row t of `begins` "
                "says which ones.",
            ),
            Wrong(
                cell_carried_over_the_end,
                "Where an episode begins h is zeroed and c is not.",
            ),
            Wrong(
                cell_lost_at_every_step,
                "h is carried from step to step, and c is 0 at each of them. The state is the "
                "pair.",
            ),
            Wrong(
                always_from_the_first_memory,
                "Every step goes from the memory with which the rollout began. Each has to go from "
                "what the step before left.",
            ),
            Wrong(
                begins_with_nothing,
                "The rollout begins from zeros here, whatever `state` is. An episode that goes on "
                "from the rollout before loses its memory. Only `begins` makes zeros.",
            ),
            Wrong(
                memories_before_the_steps,
                "These are the memories *before* each step. The heads read the one after it, in "
                "which what is seen now has been taken in.",
            ),
            Wrong(
                only_the_last_memory,
                "Only the last step's memory comes back. The heads need one for every step: (T, N, "
                "C).",
            ),
            Wrong(
                environments_first,
                "The environments come first here, (N, T, C). Time is the first axis in the whole "
                "book.",
            ),
        ),
        hints=(
            "Before the loop: cut the memory off. In the loop: begin anew, take a step, note the "
            "memory. After it: stack.",
            "`for x, anew in zip(features, begins)` goes through the rows of both.",
            "state = step(x, begin_anew(state, anew)); memories.append(state). In the end "
            "torch.stack([h for h, _ in memories]), and so for c.",
        ),
    ),
    Exercise(
        id="4.4",
        title="bug hunt: somebody else's memory",
        reference=learn_from,
        cases=_lesson_cases,
        start=learn_from_with_a_bug,
        wrong=(
            Wrong(
                learn_from_with_a_bug,
                "The rollout is learned from with a memory that it did not begin with. Which "
                "memory "
                "does `position` hold after the first line?",
            ),
            Wrong(
                learned_from_nothing,
                "The rollout is now learned from as if it began with zeros. It began with what the "
                "policy carried: in the middle of an episode, mostly.",
            ),
            Wrong(
                memory_not_carried_on,
                "The lesson is right, but the position that you hand back has an empty memory: the "
                "agent forgets, in the middle of an episode, whenever a rollout is over.",
            ),
            Wrong(
                forgotten_before_acting,
                "Acting and learning agree now, since both begin with zeros: the agent forgets, in "
                "the middle of an episode, whenever a rollout begins.",
            ),
            Wrong(
                goes_on_where_it_began,
                "The lesson is right, but you hand back the position from which the rollout began. "
                "The worlds have moved on.",
            ),
            Wrong(
                memory_of_before_carried_on,
                "The lesson is right, and the memory that goes on with it is the one from before "
                "the "
                "rollout. What was seen in it is lost.",
            ),
            Wrong(
                bootstrap_advances_the_memory,
                "The lesson is right, but the memory that you hand back has taken in the next "
                "observation already. The policy will take it in again: asking for a value must "
                "not "
                "advance the memory.",
            ),
            Wrong(
                time_limit_taken_for_an_end,
                "The memory is right, but a time limit is taken for an end of the world: returns "
                "must bootstrap from what came next where an episode was truncated.",
            ),
        ),
        hints=(
            "The unrolled pass has to give each action the probability with which it was drawn. "
            "With what memory was the first of them drawn?",
            "One name is used for two things. Print position.policy_state before and after "
            "`collect`.",
            "Keep the memory before you collect: state = position.policy_state. Unroll from that.",
        ),
    ),
)
