"""Chapter 04: the exercises of "LSTM"."""

import math
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import gymnasium as gym
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import TimeLimit
from torch import Tensor, nn

from a3c_lib.actor_critic import Loss
from a3c_lib.exercises.engine.cases import Answer, Case, Exercise, Wrong, heeds, ignores
from a3c_lib.exercises.engine.showing import kind_of, listed
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


def lstm_step_in_steps(
    features: Tensor, state: Memory, input_weights: Tensor, hidden_weights: Tensor, bias: Tensor
) -> Memory:
    h, c = state
    gates = features @ input_weights.T + h @ hidden_weights.T + bias
    i, f, g, o = gates.chunk(4, dim=-1)
    i, f, o = i.sigmoid(), f.sigmoid(), o.sigmoid()
    g = g.tanh()
    new_c = f * c + i * g
    new_h = o * new_c.tanh()
    return new_h, new_c


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
        Case("2 environments, 1 feature, 5 cells", *random(2, 1, 5)),
        Case("sums in the hundreds", *_with_large_sums(*random(2, 2, 3))),
        Case("a cell that holds large numbers", *_with_a_large_cell(*random(2, 2, 3))),
    ]


def _with_large_sums(features: Tensor, *others: Any) -> Any:
    return _leaf(300 * features), *others


def _with_a_large_cell(features: Tensor, state: Memory, *others: Any) -> Any:
    h, c = state
    large = torch.full_like(c, 400.0)
    large[1:] = -300
    return features, (h, _leaf(large)), *others


# 4.2 An episode begins


def begin_anew(state: Memory, begins: Tensor) -> Memory:
    """The memory with zeros for the environments in which an episode begins.

    h and c (N, C) each, begins (N,) → the same, as new tensors.
    """
    h, c = (part.masked_fill(begins[:, None], 0) for part in state)
    return h, c


def begin_anew_in_steps(state: Memory, begins: Tensor) -> Memory:
    h, c = state
    goes_on = ~begins[:, None]
    h = h * goes_on
    c = c * goes_on
    return h, c


def in_place(state: Memory, begins: Tensor) -> Memory:
    for part in state:
        part[begins] = 0
    return state


def _begin_cases() -> list[Case]:
    def memory(N: int, C: int) -> Memory:
        return _leaf(torch.randn(N, C)), _leaf(torch.randn(N, C))

    plain = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    long = torch.arange(1.0, 13.0).view(4, 3)
    return [
        Case("the second of three begins", (plain, 10 * plain), _flags(0, 1, 0)),
        Case("none begins", memory(2, 3), _flags(0, 0)),
        Case("all begin", memory(2, 3), _flags(1, 1)),
        Case("as many cells as environments", memory(3, 3), _flags(1, 0, 0)),
        Case("4 environments, 2 cells", memory(4, 2), _flags(0, 1, 1, 0)),
        Case("3 environments, the last one begins", memory(3, 2), _flags(0, 0, 1)),
        Case("three of four begin", memory(4, 2), _flags(1, 1, 0, 1)),
        Case("none of four begins", (long, 10 * long), _flags(0, 0, 0, 0), probe=_written_over),
        Case("one of four begins", (long, 10 * long), _flags(0, 0, 1, 0), probe=_written_over),
    ]


def _goes_on(given: SimpleNamespace) -> Tensor:
    """A mask of the result's numbers: those of environments in which no episode begins."""
    rows = ~given.begins[:, None].expand_as(given.state[0])
    return torch.stack([rows, rows])


def _written_over(begin: Any, state: Memory, begins: Tensor) -> Any:
    """What comes back, and what becomes of it when the caller writes into the memory that it has
    handed over. (Where the answer has written into it already, that is told of other cases.)"""
    handed = [part.clone() for part in state]
    new = begin(state, begins)
    if not isinstance(new, tuple | list) or len(new) != 2:
        return new
    h, c = (part.detach().clone() for part in new)
    if all(map(torch.equal, state, handed)):
        with torch.no_grad():
            for part in state:
                part.fill_(9)
    return {
        "the new h": h,
        "the new c": c,
        "the new h after a write into the old one": new[0].detach().clone(),
        "the new c after a write into the old one": new[1].detach().clone(),
    }


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


def through_time_in_steps(step: Step, features: Tensor, state: Memory, begins: Tensor) -> Memory:
    h, c = state
    state = h.detach(), c.detach()
    hs, cs = [], []
    for x, anew in zip(features, begins, strict=True):
        before = begin_anew(state, anew)
        state = step(x, before)
        hs.append(state[0])
        cs.append(state[1])
    return torch.stack(hs), torch.stack(cs)


def _constant(state: Memory) -> Memory:
    h, c = state
    return h.detach(), c.detach()


def _cut_where_any_begins(state: Memory, anew: Tensor) -> Memory:
    return _constant(state) if anew.any() else state


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
        Case(
            "3 steps, one of two begins at step 0", *random(3, 2, 1, 2), _at(3, 2, (0, 1), (2, 0))
        ),
        Case("6 steps of 3 environments", *random(6, 3, 2, 4), _at(6, 3, (2, 0), (4, 0), (3, 2))),
        Case(
            "4 steps, all of two begin in the last", *random(4, 2, 1, 2), _at(4, 2, (3, 0), (3, 1))
        ),
        Case(
            "4 steps, and each is an episode",
            *random(4, 2, 2, 2),
            torch.ones(4, 2, dtype=torch.bool),
        ),
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


def _limited_maze(length: int, limit: int) -> gym.Env[Any, Any]:
    return TimeLimit(TMaze(length), limit)


LEARNED = "a Loss and a Position"


def _two_lessons(
    learn: Answer,
    model: RecurrentActorCritic,
    lengths: tuple[int, ...],
    t_max: int,
    limit: int,
    gamma: float = 0.9,
) -> dict[str, Any]:
    """Two rollouts in a row, in T-mazes of these lengths with a time limit, after two steps that
    nobody learns from. Of what is no loss and position, it is told what it is."""
    mazes = [partial(_limited_maze, length, limit) for length in lengths]
    envs = SyncVectorEnv(mazes, autoreset_mode=AutoresetMode.SAME_STEP)
    policy = sampled(model, torch.Generator().manual_seed(0))
    position = start(envs, 0, initial_state(model, len(lengths)))
    _, position = collect(envs, policy, position, 2)
    found: dict[str, Any] = {"what is returned": LEARNED}
    for which in "first", "second":
        returned = learn(model, envs, policy, position, t_max, gamma)
        if (what := _described(returned)) != LEARNED:
            return {**dict.fromkeys(_places("first") + _places("second")), "what is returned": what}
        loss, position = returned
        seen = (*loss, position.observation, *position.policy_state)
        found |= dict(zip(_places(which), seen, strict=True))
    return found


def _described(returned: Any) -> str:
    """The kinds of what a list or a tuple holds; of anything else, what it is."""
    if isinstance(returned, tuple | list) and not hasattr(returned, "_fields"):
        return listed([kind_of(each) for each in returned]) or kind_of(returned)
    return kind_of(returned)


def _places(which: str) -> list[str]:
    """The loss of a lesson, where the environments stand after it, and what the policy carries."""
    return [
        *(f"the {name} of the {which} lesson" for name in Loss._fields),
        f"the observation after the {which} lesson",
        f"the memory's h after the {which} lesson",
        f"the memory's c after the {which} lesson",
    ]


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
        Case("a T-maze of 3 steps, γ = 0.6", network(), (1,), 2, 100, 0.6, probe=_two_lessons),
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


def _bumped(tensor: Tensor, place: Any = ...) -> Tensor:
    """With other numbers at a place."""
    other = tensor.detach().clone()
    other[place] += 0.5
    return other.requires_grad_(tensor.requires_grad)


def _flipped(flags: Tensor, place: int) -> Tensor:
    other = flags.clone()
    other[place] = ~other[place]
    return other


EXERCISES = (
    Exercise(
        id="4.1",
        title="one step of an LSTM",
        reference=lstm_step,
        form=lstm_step_in_steps,
        cases=_step_cases,
        wrong=(
            Wrong(
                {"i, f, g, o = gates": "f, i, g, o = gates"},
                "The input gate and the forget gate have each other's rows. torch's order is i, f, "
                "g, o: input first.",
            ),
            Wrong(
                {"i, f, g, o = gates": "i, f, o, g = gates"},
                "The candidate and the output gate have each other's rows. torch's order is i, f, "
                "g, o: the output gate comes last.",
            ),
            Wrong(
                {"g.tanh()": "g.sigmoid()"},
                "The candidate g went through a sigmoid. That is for the three gates, which are "
                "shares from 0 to 1; g may be negative: tanh.",
            ),
            Wrong(
                {"g.tanh()": "g"},
                "The candidate g is used as it comes out of the sum. What may be written to the "
                "cell lies between −1 and 1: tanh.",
            ),
            Wrong(
                {"f.sigmoid()": "f", "i.sigmoid()": "i", "o.sigmoid()": "o"},
                "The three gates are used as they come out of the sum. A gate is a share from 0 to "
                "1: sigmoid.",
            ),
            Wrong(
                {"i.sigmoid()": "i"},
                "One of the three gates is used as it comes out of its sum. A gate is a share from "
                "0 to 1, each of them: sigmoid.",
                also=({"f.sigmoid()": "f"}, {"o.sigmoid()": "o"}),
            ),
            Wrong(
                {"i.sigmoid()": "i.tanh()"},
                "One of the three gates goes through tanh. A gate is a share from 0 to 1, each of "
                "them: sigmoid.",
                also=({"f.sigmoid()": "f.tanh()"}, {"o.sigmoid()": "o.tanh()"}),
            ),
            Wrong(
                {"new_c.tanh()": "c.tanh()"},
                "The output reads the cell as it was before the step. What is seen now would come "
                "out one step late: tanh(c').",
            ),
            Wrong(
                {"new_c.tanh()": "new_c"},
                "The output is o times c'. It is o times tanh(c'), which lies between −1 and 1.",
            ),
            Wrong(
                {"return new_h, new_c": "return new_c, new_h"},
                "The two are in the wrong order: the output h comes first, then the cell c.",
            ),
            Wrong(
                {"f * c": "(1 - f) * c"},
                "You keep 1 − f of the cell. The forget gate is named badly: f is the share that "
                "is "
                "*kept*.",
            ),
            Wrong(
                {"return new_h, new_c": "return new_h"},
                "You hand back the output alone. The cell is what the next step goes on from: "
                "return both, (h', c').",
            ),
            Wrong(
                {" + h @ hidden_weights.T": ""},
                "The gates do not hear of h, the output of the step before. They are computed from "
                "what is seen now and from h: W x + U h + b.",
            ),
            Wrong(
                {"h, c = state": "c, h = state"},
                "The gates read the cell, and the output is kept in its place: `state` is (h, c), "
                "the output first. Is it taken apart in that order?",
            ),
            Wrong(
                {"hidden_weights.T + bias": "hidden_weights.T"},
                "The bias has no effect. The sums are W x + U h + b.",
            ),
            Wrong(
                {"f * c": "f * c.detach()"},
                "The cell is detached. Along the cell the gradient is to survive from step to "
                "step; where it is cut is not this function's business.",
            ),
            Wrong(
                {"h, c = state": "h, c = state[0].detach(), state[1].detach()"},
                "The memory is detached: no gradient gets from this step to an earlier one, and "
                "the cell cannot learn what is worth keeping. Where the gradient is cut is not "
                "this function's business.",
            ),
            Wrong(
                {"features @ input_weights.T + ": ""},
                "What is seen now has no effect on the gates: they are computed from W x and from "
                "U h.",
            ),
            Wrong(
                {"f * c + ": ""},
                "The old cell is lost: the new one keeps the share f of it, and adds i times g.",
            ),
            Wrong(
                {"i * g": "g"},
                "The input gate has no effect: of the candidate the share i is written.",
            ),
            Wrong(
                {"new_h = o * ": "new_h = "},
                "The output gate has no effect: the share o of tanh(c') comes out.",
            ),
            Wrong(
                {"f * c": "c"},
                "The forget gate has no effect: the share f of the old cell is kept, not all of "
                "it.",
            ),
            Wrong(
                {"i * g": "(1 - f) * g"},
                "What is written has the factor 1 − f. That is another kind of unit (a GRU "
                "couples them so); here the input gate i is a gate of its own.",
            ),
            Wrong(
                {"new_c.tanh()": "new_c.sigmoid()"},
                "The cell goes through a sigmoid on its way out. It is tanh: an output may be "
                "negative.",
            ),
            Wrong(
                {"f.sigmoid()": "f.tanh()", "i.sigmoid()": "i.tanh()", "o.sigmoid()": "o.tanh()"},
                "The gates went through tanh. A gate is a share from 0 to 1: sigmoid.",
            ),
            Wrong(
                {"return new_h, new_c": "return new_h, new_h"},
                "The output is handed back twice, and the cell is lost. Return (h', c').",
            ),
            Wrong(
                {"return new_h, new_c": "return new_h, new_c.tanh()"},
                "The cell that is handed back went through tanh. Only the output reads it so: the "
                "cell itself is carried on as it is.",
            ),
            Wrong(
                {".chunk(4, dim=-1)": ".unflatten(-1, (-1, 4)).unbind(dim=-1)"},
                "The rows are read as if i, f, g, o of each cell stood side by side. They stand in "
                "blocks: C rows of i, then C of f, of g and of o.",
            ),
            Wrong(
                {"hidden_weights.T + bias": "hidden_weights.T + 2 * bias"},
                "The bias is added twice, once with W x and once with U h. torch's cell has a bias "
                "for each of the two; here there is one.",
            ),
            Wrong(
                {"f.sigmoid()": "(f + 1).sigmoid()"},
                "1 is added to the sum of the forget gate. Some libraries do that so that a cell "
                "remembers at first; here it would stand in `bias`.",
            ),
            Wrong(
                {"+ i * g": "- i * g"},
                "What is written is subtracted from the cell. It is added.",
            ),
            Wrong(
                {
                    "i.sigmoid()": "i.exp() / (1 + i.exp())",
                    "f.sigmoid()": "f.exp() / (1 + f.exp())",
                    "o.sigmoid()": "o.exp() / (1 + o.exp())",
                },
                "A sigmoid or a tanh is written with exp(), which is infinite in floating point "
                "above 88. Where a sum is that large, the result or its gradient is NaN. "
                "x.sigmoid() and x.tanh() are right for every x.",
                also=(
                    {
                        "i.sigmoid()": "1 / (1 + (-i).exp())",
                        "f.sigmoid()": "1 / (1 + (-f).exp())",
                        "o.sigmoid()": "1 / (1 + (-o).exp())",
                    },
                    {
                        "i.sigmoid()": "1 / (1 + (-i).exp())",
                        "f.sigmoid()": "1 / (1 + (-f).exp())",
                    },
                    {"g.tanh()": "(g.exp() - (-g).exp()) / (g.exp() + (-g).exp())"},
                    {"g.tanh()": "((2 * g).exp() - 1) / ((2 * g).exp() + 1)"},
                    {"new_c.tanh()": "((2 * new_c).exp() - 1) / ((2 * new_c).exp() + 1)"},
                    {
                        "new_c.tanh()": "(new_c.exp() - (-new_c).exp()) / (new_c.exp() + "
                        "(-new_c).exp())"
                    },
                ),
            ),
            Wrong(
                {"new_c = f * c + i * g": "new_c = (f * c + i * g).clamp(-10, 10)"},
                "The cell is kept within limits. It has none: f c + i g, however large. The tanh "
                "on its way out is limit enough.",
                also=(
                    {"new_c = f * c + i * g": "new_c = (f * c + i * g).clamp(-50, 50)"},
                    {"new_c = f * c + i * g": "new_c = (f * c + i * g).clamp(-5, 5)"},
                    {"new_c = f * c + i * g": "new_c = (f * c + i * g).clamp(-3, 3)"},
                ),
            ),
            Wrong(
                {"i, f, g, o = gates": "f, g, o, i = gates"},
                "The four blocks of rows are in another order than torch's: i, f, g, o.",
                also=(
                    {"i, f, g, o = gates": "o, f, g, i = gates"},
                    {"i, f, g, o = gates": "f, i, o, g = gates"},
                    {"i, f, g, o = gates": "g, i, f, o = gates"},
                    {"i, f, g, o = gates": "i, g, f, o = gates"},
                ),
            ),
        ),
        properties=(
            ignores(
                "The output of the step before, h, has no effect: the gates hear of it, W x + U h "
                "+ b.",
                lambda given: {"state": (_bumped(given.state[0]), given.state[1])},
            ),
            ignores(
                "The old cell has no effect: the share f of it is kept.",
                lambda given: {"state": (given.state[0], -given.state[1].detach())},
            ),
            ignores(
                "`bias` has no effect: the sums are W x + U h + b.",
                lambda given: {"bias": _bumped(given.bias)},
            ),
            ignores(
                "`features` has no effect. The sums are W x + U h + b.",
                lambda given: {"features": _bumped(given.features)},
            ),
            heeds(
                "An environment's memory changes with what another one sees. Row n belongs to "
                "environment n throughout.",
                lambda given: {"features": _bumped(given.features, 0)},
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
        praise="That is all an LSTM does in a step: nn.LSTMCell has the same numbers.",
        minutes=15,
        difficulty=2,
        parts=("h", "c"),
    ),
    Exercise(
        id="4.2",
        title="an episode begins",
        reference=begin_anew,
        form=begin_anew_in_steps,
        cases=_begin_cases,
        wrong=(
            Wrong(
                {"~begins[:, None]": "~begins.any()"},
                "When one episode begins, this makes all environments forget. The others are in "
                "the middle of theirs.",
            ),
            Wrong(
                {"c = c * goes_on": "pass"},
                "h is zeroed and c is not. The cell is the longer memory of the two: through it "
                "one "
                "episode leaks into the next.",
                also=({"c = c * goes_on": "c = c.clone()"},),
            ),
            Wrong(
                {"h = h * goes_on": "pass"},
                "c is zeroed and h is not. The gates of the next step read h: through it one "
                "episode "
                "leaks into the next.",
                also=({"h = h * goes_on": "h = h.clone()"},),
            ),
            Wrong(
                in_place,
                "It writes into the memory that it was given. Others still need that one: a "
                "rollout "
                "is learned from with the memory that it began with, and autograd has noted it. "
                "Build a new one.",
            ),
            Wrong(
                {"~begins[:, None]": "begins[:, None]"},
                "The mask is the wrong way round: those environments forget whose episode goes on.",
            ),
            Wrong(
                {"~begins[:, None]": "~begins"},
                "`begins` has one entry an environment; beside (N, C) it is laid along the last "
                "axis, the cells. With as many cells as environments that raises no error and "
                "zeroes the wrong axis. Give it an axis: begins[:, None].",
            ),
            Wrong(
                {"h, c = state": "h, c = state[0].detach(), state[1].detach()"},
                "The memory that is kept is detached. Within a rollout a gradient has to get "
                "through.",
            ),
            Wrong(
                {"h = h * goes_on": "pass", "c = c * goes_on": "pass"},
                "The memory is handed back as it was: an episode begins with that of another one.",
            ),
            Wrong(
                {"return h, c": "return c, h"}, "The two are in the wrong order: h first, then c."
            ),
            Wrong(
                {"c = c * goes_on": "c = h * goes_on"},
                "c is lost: what is handed back as c is made of h. Each of the two is zeroed by "
                "itself.",
            ),
            Wrong(
                {"~begins[:, None]": "~begins[0]"},
                "Only the flag of environment 0 is looked at, and it decides for all. Each row "
                "has its own.",
            ),
            Wrong(
                {
                    "h = h * goes_on": "h = h * goes_on + begins[:, None]",
                    "c = c * goes_on": "c = c * goes_on + begins[:, None]",
                },
                "Where an episode begins, the memory is 1. It is 0.",
            ),
            Wrong(
                {
                    "h = h * goes_on": "h = h * goes_on + begins[:, None] * torch.randn_like(h)",
                    "c = c * goes_on": "c = c * goes_on + begins[:, None] * torch.randn_like(c)",
                },
                "Where an episode begins, the memory is random. It is 0.",
            ),
            Wrong(
                {"return h, c": "return (h, c) if begins.any() else state"},
                "Where no episode begins you hand back the very tensors that you were given. "
                "Whoever writes into one memory then changes both. Make new ones, always.",
            ),
            Wrong(
                {"return h, c": "return torch.stack([h, c])"},
                "The two come back in one tensor. Return the pair (h, c).",
            ),
            Wrong(
                {"~begins[:, None]": "~(begins & (begins.cumsum(0) == 1))[:, None]"},
                "Where several episodes begin, only one environment forgets. Each of them does "
                "whose flag is True.",
                also=(
                    {
                        "~begins[:, None]": "~(begins & (begins.flip(0).cumsum(0).flip(0) == 1))"
                        "[:, None]"
                    },
                ),
            ),
        ),
        properties=(
            heeds(
                "An environment whose episode goes on changes when another one's begins. Each row "
                "of "
                "the memory has its own flag.",
                lambda given: {"begins": _flipped(given.begins, 0)},
                where=_goes_on,
            ),
            heeds(
                "What an environment remembered before its episode began still comes through.",
                lambda given: {
                    "state": tuple(
                        part.detach() + given.begins[:, None].float() for part in given.state
                    )
                },
            ),
            ignores(
                "`begins` has no effect: an episode begins with another one's memory.",
                lambda given: {"begins": ~given.begins},
            ),
        ),
        hints=(
            "begins[:, None] has the shape (N, 1), and stands beside (N, C) as a column.",
            "part.masked_fill(mask, 0) is a new tensor with zeros where the mask is True.",
            "The same for both parts: return h.masked_fill(begins[:, None], 0), and so for c.",
        ),
        praise="Each environment forgets for itself, and the memory that came in stays as it was.",
        minutes=10,
        difficulty=1,
        parts=("h", "c"),
    ),
    Exercise(
        id="4.3",
        title="through time",
        reference=through_time,
        form=through_time_in_steps,
        cases=_time_cases,
        wrong=(
            Wrong(
                {"step(x, before)": "step(x, _constant(before))"},
                "The gradient is cut between all steps: the detach is inside the loop. What is "
                "seen at step 0 then gets no gradient from step 5. Cut once, "
                "before the loop.",
            ),
            Wrong(
                {"state = h.detach(), c.detach()": "state = h, c"},
                "A gradient flows into `state`. That belongs to the rollout before, which has "
                "been learned from. Detach it, once, before the loop.",
            ),
            Wrong(
                {
                    "return torch.stack(hs), torch.stack(cs)": "return torch.stack(hs).detach(), "
                    "torch.stack(cs).detach()"
                },
                "The result is detached: no gradient flows at all. Only the memory from which the "
                "rollout begins is a constant.",
            ),
            Wrong(
                {"begin_anew(state, anew)": "state"},
                "`begins` has no effect: an episode goes on with the memory of the one before it.",
            ),
            Wrong(
                {"begin_anew(state, anew)": "begin_anew(state, anew) if hs else state"},
                "An episode that begins with the very first row keeps the memory that came in. All "
                "rows of `begins` count.",
            ),
            Wrong(
                {
                    "begin_anew(state, anew)": "state",
                    "cs.append(state[1])": "cs.append(state[1])\n        "
                    "state = begin_anew(state, anew)",
                },
                "The memory begins anew one step late: the first step of an episode still goes "
                "from "
                "the memory of the one before. First zero, then step.",
            ),
            Wrong(
                {
                    "begin_anew(state, anew)": "state",
                    "step(x, before)": "begin_anew(step(x, before), anew)",
                },
                "The memory is zeroed after the step: what the first step of an episode has seen "
                "is "
                "lost. First zero, then step.",
            ),
            Wrong(
                {"begin_anew(state, anew)": "begin_anew(state, anew.any().expand_as(anew))"},
                "When one environment's episode begins, all environments forget. Row t of `begins` "
                "says which ones.",
            ),
            Wrong(
                {"begin_anew(state, anew)": "(begin_anew(state, anew)[0], state[1])"},
                "Where an episode begins h is zeroed and c is not.",
            ),
            Wrong(
                {"step(x, before)": "step(x, (before[0], torch.zeros_like(before[1])))"},
                "h is carried from step to step, and c is 0 at each of them. The state is the "
                "pair.",
            ),
            Wrong(
                {"begin_anew(state, anew)": "begin_anew((h.detach(), c.detach()), anew)"},
                "Every step goes from the memory with which the rollout began. Each has to go from "
                "what the step before left.",
            ),
            Wrong(
                {"h.detach(), c.detach()": "torch.zeros_like(h), torch.zeros_like(c)"},
                "The rollout begins from zeros here, whatever `state` is. An episode that goes on "
                "from the rollout before loses its memory. Only `begins` makes zeros.",
            ),
            Wrong(
                {
                    "hs.append(state[0])": "hs.append(before[0])",
                    "cs.append(state[1])": "cs.append(before[1])",
                },
                "These are the memories *before* each step. The heads read the one after it, in "
                "which what is seen now has been taken in.",
            ),
            Wrong(
                {"return torch.stack(hs), torch.stack(cs)": "return state"},
                "Only the last step's memory comes back. The heads need one for every step: (T, N, "
                "C).",
            ),
            Wrong(
                {
                    "torch.stack(hs), torch.stack(cs)": "torch.stack(hs, dim=1), torch.stack(cs, "
                    "dim=1)"
                },
                "The environments come first here, (N, T, C). Time is the first axis in the whole "
                "book.",
            ),
            Wrong(
                {"begin_anew(state, anew)": "(state[0], begin_anew(state, anew)[1])"},
                "Where an episode begins c is zeroed and h is not.",
            ),
            Wrong(
                {"begin_anew(state, anew)": "begin_anew(state, ~anew)"},
                "The mask is the wrong way round: those environments forget whose episode goes on.",
            ),
            Wrong(
                {
                    "zip(features, begins, strict=True)": "zip(features.flip(0), begins.flip(0), "
                    "strict=True)"
                },
                "The loop runs backwards in time. A memory goes forwards: from what was seen "
                "first.",
            ),
            Wrong(
                {
                    "return torch.stack(hs), torch.stack(cs)": "return torch.stack(cs), "
                    "torch.stack(hs)"
                },
                "The two are in the wrong order: h first, then c.",
            ),
            Wrong(
                {"step(x, before)": "step(x, (torch.zeros_like(before[0]), before[1]))"},
                "c is carried from step to step, and h is 0 at each of them. The state is the "
                "pair.",
            ),
            Wrong(
                {"state = h.detach(), c.detach()": "state = h.detach(), c"},
                "A gradient flows into the cell of `state`. Detach both parts, once, before the "
                "loop.",
            ),
            Wrong(
                {"state = h.detach(), c.detach()": "state = h, c.detach()"},
                "A gradient flows into the h of `state`. Detach both parts, once, before the loop.",
            ),
            Wrong(
                {"torch.stack(hs), torch.stack(cs)": "torch.cat(hs), torch.cat(cs)"},
                "Time and environments have become one axis. Stack: (T, N, C).",
            ),
            Wrong(
                {"begins, strict=True": "begins.roll(-1, 0), strict=True"},
                "The rows of `begins` are read one step early: an environment forgets before the "
                "last step of its episode.",
            ),
            Wrong(
                {"return torch.stack(hs), torch.stack(cs)": "return torch.stack(hs), state[1]"},
                "Of the cells only the last one comes back. Both parts have one for every step: "
                "(T, N, C).",
            ),
            Wrong(
                {"step(x, before)": "step(x.detach(), before)"},
                "The features are cut from the graph: what makes "
                "features of observations would never learn.",
            ),
            Wrong(
                {
                    "hs.append(state[0])": "state = state[0].detach(), state[1]\n "
                    "       hs.append(state[0])"
                },
                "h is detached within the loop: the gradient is cut along h, from step to step. "
                "Cut once, before the loop.",
                also=({"step(x, before)": "step(x, (before[0].detach(), before[1]))"},),
            ),
            Wrong(
                {
                    "hs.append(state[0])": "state = state[0], state[1].detach()\n "
                    "       hs.append(state[0])"
                },
                "c is detached within the loop: no gradient survives "
                "along the cell. Cut once, before the loop.",
                also=({"step(x, before)": "step(x, (before[0], before[1].detach()))"},),
            ),
            Wrong(
                {"cs.append(state[1])": "cs.append(state[0])"},
                "h is kept in both places: of the pair (h, c) that a step gives, the second is c.",
            ),
            Wrong(
                {
                    "state = h.detach(), c.detach()": "state = h.detach(), c.detach()\n"
                    "    if begins[0].any():\n"
                    "        state = torch.zeros_like(h), torch.zeros_like(c)"
                },
                "Where one environment's episode begins with the first row, all of them lose the "
                "memory that came in. Row 0 of `begins` says which ones, as every other row does.",
            ),
            Wrong(
                {
                    "state = h.detach(), c.detach()": "state = h.detach().clone(), "
                    "c.detach().clone()",
                    "begin_anew(state, anew)": "in_place(state, anew)",
                },
                "Zeros are written into the memory of the step before, which stands in your list "
                "as well: its last step before a beginning comes back as zeros. Make a new memory "
                "for the next step, and leave the old one as it is.",
                also=(
                    {
                        "state = h.detach(), c.detach()": "state = h.detach().clone(), "
                        "c.detach().clone()",
                        "before = begin_anew(state, anew)": "before = state\n"
                        "        in_place((state[0].data, state[1].data), anew)",
                    },
                ),
            ),
            Wrong(
                {"begin_anew(state, anew)": "begin_anew(_cut_where_any_begins(state, anew), anew)"},
                "Where one environment's episode begins, the memory of all of them is detached: "
                "the gradient of the others is cut in the middle of their episodes. Cut once, "
                "before the loop.",
            ),
        ),
        properties=(
            heeds(
                "A memory changes with what is seen later. Go through the steps in the order of "
                "time.",
                lambda given: {"features": _bumped(given.features, -1)},
            ),
            heeds(
                "An environment's memory changes with what another one sees, or with its "
                "beginnings.",
                lambda given: {
                    "features": _bumped(given.features, (slice(None), 0)),
                    "begins": torch.cat([~given.begins[:, :1], given.begins[:, 1:]], dim=1),
                },
            ),
            ignores(
                "The memory that comes in has no effect. An episode that goes on from the rollout "
                "before needs it; only `begins` makes zeros.",
                lambda given: {"state": tuple(map(_bumped, given.state))},
            ),
            ignores(
                "`begins` has no effect: an episode goes on with the memory of the one before it.",
                lambda given: {"begins": ~given.begins},
            ),
            heeds(
                "What came before a beginning still changes what comes after it. There the memory "
                "is "
                "zeros.",
                lambda given: {
                    "state": tuple(
                        part.detach() + given.begins[0][:, None].float() for part in given.state
                    )
                },
            ),
        ),
        hints=(
            "Before the loop: cut the memory off. In the loop: begin anew, take a step, note the "
            "memory. After it: stack.",
            "`for x, anew in zip(features, begins)` goes through the rows of both.",
            "state = step(x, begin_anew(state, anew)); memories.append(state). In the end "
            "torch.stack([h for h, _ in memories]), and so for c.",
        ),
        praise="Truncated backpropagation through time, with every episode on its own. Chapter "
        "04's agent learns through this loop.",
        minutes=20,
        difficulty=3,
        parts=("h", "c"),
    ),
    Exercise(
        id="4.4",
        title="bug hunt: a loop in a hurry",
        reference=learn_from,
        cases=_lesson_cases,
        start=learn_from_with_a_bug,
        wrong=(
            Wrong(
                {
                    "    state = position.policy_state\n": "",
                    "model.unroll(rollout, state)": "model.unroll(rollout, position.policy_state)",
                },
                "The rollout is learned from with a memory that it did not begin with. Which "
                "memory "
                "does `position` hold after the first line?",
            ),
            Wrong(
                {
                    "model.unroll(rollout, state)": "model.unroll(rollout, "
                    "model.initial_state(envs.num_envs))"
                },
                "The rollout is now learned from as if it began with zeros. It began with what the "
                "policy carried: in the middle of an episode, mostly.",
            ),
            Wrong(
                {
                    "actions, returns), position": "actions, returns), "
                    "position._replace(\n        "
                    "policy_state=model.initial_state(envs.num_envs)\n    "
                    ")"
                },
                "The position that you hand back has an empty memory: the agent forgets, in the "
                "middle of an episode, whenever a rollout is over.",
            ),
            Wrong(
                {
                    "state = position.policy_state\n": "position = "
                    "position._replace(policy_state=model.initial_state(envs.num_envs))\n    "
                    "state = position.policy_state\n"
                },
                "Acting and learning agree now, since both begin with zeros: the agent forgets, in "
                "the middle of an episode, whenever a rollout begins.",
            ),
            Wrong(
                {"rollout, position = collect": "rollout, _ = collect"},
                "You hand back the position from which the rollout began. The worlds have moved "
                "on.",
            ),
            Wrong(
                {
                    "actions, returns), position": "actions, returns), "
                    "position._replace(policy_state=state)"
                },
                "The memory that goes on with the position is the one from before the rollout. "
                "What was seen in it is lost.",
            ),
            Wrong(
                bootstrap_advances_the_memory,
                "The memory that you hand back has taken in the next observation already. The "
                "policy will take it in again: asking for a value must not advance the memory.",
            ),
            Wrong(
                {
                    "ends = rollout.terminated, rollout.truncated": "over = rollout.terminated | "
                    "rollout.truncated\n    "
                    "ends = over, over"
                },
                "A time limit is taken for an end of the world: returns must bootstrap from what "
                "came next where an episode was truncated.",
            ),
            Wrong(
                {"(rollout.rewards, next_values": "(rollout.rewards, values"},
                "The returns bootstrap from V(o_t), the values before the steps. next_values was "
                "right as it was given.",
            ),
            Wrong(
                {"rollout.terminated, rollout.truncated": "rollout.truncated, rollout.terminated"},
                "The flags are exchanged in the returns. They were right as they were given.",
            ),
            Wrong(
                {"*ends, gamma": "*ends, 1.0"},
                "Nothing is discounted now. `gamma` was right as it was given.",
            ),
            Wrong(
                {"*ends, gamma": "*ends, 0.99"},
                "The returns are discounted with 0.99, whatever `gamma` is. It was right as it was "
                "given.",
            ),
            Wrong(
                {
                    "model.unroll(rollout, state)": "model.unroll(rollout, "
                    "begin_anew(position.policy_state, rollout.ended.any(dim=0)))"
                },
                "The memory from which you unroll is zeros for whoever ended in the rollout. It is "
                "the one that the rollout began with, for all of them: the first steps were taken "
                "with it.",
                also=(
                    {
                        "model.unroll(rollout, state)": "model.unroll(rollout, "
                        "begin_anew(state, rollout.ended.any(dim=0)))"
                    },
                ),
            ),
            Wrong(
                {
                    "model.unroll(rollout, state)": "model.unroll(rollout, "
                    "tuple(part.roll(1, 0) for part in state))"
                },
                "The environments' memories are exchanged. Row n belongs to environment n.",
            ),
            Wrong(
                {"model.unroll(rollout, state)": "model.unroll(rollout, (state[1], state[0]))"},
                "The two parts of the memory are exchanged: (h, c), the output first.",
            ),
            Wrong(
                {
                    "state = position.policy_state": "state = (position.policy_state[0], "
                    "torch.zeros_like(position.policy_state[1]))"
                },
                "Only h is kept; the cell is zeros. The memory is the pair.",
            ),
            Wrong(
                {
                    "rollout.terminated, rollout.truncated": "rollout.terminated, "
                    "torch.zeros_like(rollout.truncated)"
                },
                "The truncated steps are left out of the ends: where a time limit cuts an episode "
                "off, the sum runs on into the next one. It stops there, and bootstraps from what "
                "came next.",
            ),
            Wrong(
                {"position, t_max)": "position, t_max - 1)"},
                "The rollout has another length than `t_max`, which was right as it was given.",
                also=(
                    {"position, t_max)": "position, 5)"},
                    {"position, t_max)": "position, 8)"},
                ),
            ),
            Wrong(
                {
                    "return a2c_loss(logits, values, rollout.actions, returns), position": "return "
                    "position, a2c_loss(logits, values, rollout.actions, returns)"
                },
                "The two are in the wrong order: the loss first, then the position.",
            ),
            Wrong(
                {
                    "state = position.policy_state": "_, position = collect(envs, policy, "
                    "position, t_max)\n    state = position.policy_state"
                },
                "Two rollouts are collected, and only the second one is learned from. One call of "
                "`collect` is enough.",
            ),
        ),
        hints=(
            "The unrolled pass has to give each action the probability with which it was drawn. "
            "With what memory was the first of them drawn?",
            "One name is used for two things. Print position.policy_state before and after "
            "`collect`.",
            "Keep the memory before you collect: state = position.policy_state. Unroll from that.",
        ),
        praise="The memory that chose the actions is the memory that learns from them.",
        minutes=15,
        difficulty=3,
    ),
)
