"""Chapter 01: the exercises of "Actor-critic".

An exercise's reference is the package's own function where the package has it; the two-headed
network stands here, in the form in which the reader writes it.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Categorical

from a3c_lib.actor_critic import Loss, actor_critic_loss, one_step_targets, values_after
from a3c_lib.exercises.engine.cases import Case, Exercise, Wrong, heeds, ignores, scales
from a3c_lib.networks import ActorCritic
from a3c_lib.rollout import Rollout

# 1.1 One-step targets


def targets_in_steps(
    rewards: Tensor, next_values: Tensor, terminated: Tensor, truncated: Tensor, gamma: float
) -> Tensor:
    goes_on = ~terminated
    after = gamma * next_values * goes_on
    return rewards + after


def returns_to_the_end(
    rewards: Tensor, next_values: Tensor, terminated: Tensor, truncated: Tensor, gamma: float
) -> Tensor:
    R, returns = next_values[-1], []
    for t in reversed(range(len(rewards))):
        R = rewards[t] + gamma * torch.where(truncated[t], next_values[t], R) * ~terminated[t]
        returns.append(R)
    return torch.stack(returns[::-1])


def returns_beyond_time_limits(
    rewards: Tensor, next_values: Tensor, terminated: Tensor, truncated: Tensor, gamma: float
) -> Tensor:
    return returns_to_the_end(rewards, next_values, terminated, truncated & False, gamma)


def _targets_cases() -> list[Case]:
    def column(*values: float | bool) -> Tensor:
        return torch.tensor(values)[:, None]

    ends = torch.tensor([[False, True, False], [False, False, True], [True, False, False]])
    cuts = torch.tensor([[True, False, False], [False, False, True], [False, False, False]])
    no = torch.zeros(4, 2, dtype=torch.bool)
    return [
        Case("one step", column(1.0), column(3.0), column(False), column(False), 0.9),
        Case(
            "on paper: a step, an ending, a time limit",
            column(1.0, 1.0, 1.0),
            column(3.0, 3.0, 3.0),
            column(False, True, False),
            column(False, False, True),
            0.9,
        ),
        Case(
            "the world ends in the step in which the time is up",
            column(1.0),
            column(3.0),
            column(True),
            column(True),
            0.9,
        ),
        Case("3 steps of 3 environments", torch.randn(3, 3), torch.randn(3, 3), ends, cuts, 0.5),
        Case("4 steps of 2 environments", torch.randn(4, 2), torch.randn(4, 2), no, no, 0.8),
        Case(
            "large numbers, also where the world ended",
            column(1.0, 200.0, -300.0),
            column(1e12, 5000.0, -1e12),
            column(True, False, True),
            column(False, False, True),
            0.9,
        ),
        Case("no discount", torch.randn(2, 2), torch.randn(2, 2), ends[:2, :2], cuts[:2, :2], 1.0),
        Case("γ = 0", torch.randn(2, 2), torch.randn(2, 2), ends[:2, :2], cuts[:2, :2], 0.0),
        Case(
            "2 steps of 3 environments, transposed from (3, 2)",
            torch.randn(3, 2).T,
            torch.randn(3, 2).T,
            ends[:, :2].T,
            cuts[:, :2].T,
            0.5,
        ),
    ]


# 1.2 Two heads on one torso


class TwoHeads(nn.Module):
    """π(a | o) and V(o) from one torso, which turns observations (*B, *O) into features (*B,
    width).

    The policy head starts small, so that at first every action is about equally likely.
    """

    def __init__(self, torso: nn.Module, width: int, num_actions: int) -> None:
        super().__init__()
        self.torso = torso
        self.policy_head = nn.Linear(width, num_actions)
        self.value_head = nn.Linear(width, 1)
        self.policy_head.weight.data *= 0.01
        self.policy_head.bias.data.zero_()

    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        """(*B, *O) → logits (*B, A), values (*B)."""
        features = self.torso(observations)
        return self.policy_head(features), self.value_head(features).squeeze(-1)

    def logits(self, observations: Tensor) -> Tensor:
        """(*B, *O) → (*B, A)."""
        logits: Tensor = self(observations)[0]
        return logits

    def values(self, observations: Tensor) -> Tensor:
        """(*B, *O) → (*B)."""
        values: Tensor = self(observations)[1]
        return values


class OneHead(TwoHeads):
    def __init__(self, torso: nn.Module, width: int, num_actions: int) -> None:
        nn.Module.__init__(self)
        self.torso = torso
        self.head = nn.Linear(width, num_actions + 1)
        self.head.weight.data[:num_actions] *= 0.01
        self.head.bias.data[:num_actions] = 0

    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        both = self.head(self.torso(observations))
        return both[..., :-1], both[..., -1]


class NoBias(TwoHeads):
    def __init__(self, torso: nn.Module, width: int, num_actions: int) -> None:
        super().__init__(torso, width, num_actions)
        self.policy_head = nn.Linear(width, num_actions, bias=False)
        self.policy_head.weight.data *= 0.01


# Mistakes that are tried alone, since pairs of all with each other would take long.


class SameWeights(TwoHeads):
    def __init__(self, torso: nn.Module, width: int, num_actions: int) -> None:
        torch.manual_seed(0)
        super().__init__(torso, width, num_actions)


class FrozenTorso(TwoHeads):
    def __init__(self, torso: nn.Module, width: int, num_actions: int) -> None:
        super().__init__(torso.requires_grad_(False), width, num_actions)


class FrozenHead(TwoHeads):
    def __init__(self, torso: nn.Module, width: int, num_actions: int) -> None:
        super().__init__(torso, width, num_actions)
        self.policy_head.requires_grad_(False)


class FrozenBias(TwoHeads):
    def __init__(self, torso: nn.Module, width: int, num_actions: int) -> None:
        super().__init__(torso, width, num_actions)
        self.policy_head.bias.requires_grad_(False)


class TorsoInAList(TwoHeads):
    def __init__(self, torso: nn.Module, width: int, num_actions: int) -> None:
        super().__init__(nn.Identity(), width, num_actions)
        self.kept = [torso]

    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        return super().forward(self.kept[0](observations))


class MethodsApart(TwoHeads):
    """The methods ask the heads, and not forward."""

    def logits(self, observations: Tensor) -> Tensor:
        logits: Tensor = self.policy_head(self.torso(observations))
        return logits

    def values(self, observations: Tensor) -> Tensor:
        values: Tensor = self.value_head(self.torso(observations)).squeeze(-1)
        return values


class Exchanged(MethodsApart):
    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        return self.values(observations), self.logits(observations)


class NothingFromTheCritic(MethodsApart):
    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        features = self.torso(observations)
        return self.policy_head(features), self.value_head(features.detach()).squeeze(-1)


class NothingFromTheActor(MethodsApart):
    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        features = self.torso(observations)
        return self.policy_head(features.detach()), self.value_head(features).squeeze(-1)


class ValuesCutOff(MethodsApart):
    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        return self.logits(observations), self.values(observations).detach()


def _what_it_gives(network: Any, observations: Tensor, axes: int = 1) -> dict[str, Any]:
    """All that can be seen from outside, with weights that depend on nothing but their shapes. The
    last so many axes are those of one observation."""
    torso = _torso(observations, axes)
    handed_over = [each.detach().clone() for each in torso.parameters()]
    made = _complete(network(torso, 3, 4))
    as_it_was = all(map(torch.equal, handed_over, torso.parameters()))
    with torch.no_grad():
        for number, parameter in enumerate(sorted(made.parameters(), key=_shape)):
            parameter.copy_(torch.linspace(-1, 1, parameter.numel()).view_as(parameter) + number)
    logits, values = made(observations)
    return {
        "the shapes of its parameters": str(sorted(_shape(p) for p in made.parameters()))[1:-1],
        "logits": logits.detach(),
        "values": values.detach(),
        "what logits() gives": made.logits(observations),
        "what values() gives": made.values(observations),
        "what logits() gives for other observations": _of_others(made, "logits", observations),
        "what values() gives for other observations": _of_others(made, "values", observations),
        "the gradient of logits() in the torso": _gradient(made.logits(observations), torso),
        "the gradient of values() in the torso": _gradient(made.values(observations), torso),
        "the logits' gradient in the torso": _gradient(logits, torso),
        "the values' gradient in the torso": _gradient(values, torso),
        **_at_first(network),
        "how many of its numbers learn from the logits": _learning(logits, made),
        "how many of its numbers learn from the values": _learning(values, made),
        "does the torso begin with the weights that it came with?": as_it_was,
        "is all of it still in training mode?": made.training and torso.training,
        "the logits when the torso has changed": _when_it_has_changed(made, torso, observations),
    }


def _complete(made: Any) -> Any:
    """What was made, if it has both methods."""
    for name in ("logits", "values"):
        if not hasattr(made, name):
            raise AttributeError(f"the method `{name}` is missing")
    return made


def _of_others(made: Any, method: str, observations: Tensor) -> Tensor:
    """What a method gives for observations that forward() was not asked about last."""
    made(observations)
    given: Tensor = getattr(made, method)(observations.flip(-1))
    return given.detach()


def _at_first(network: Any) -> dict[str, bool]:
    """How a network begins."""
    fresh, another = network(nn.Identity(), 50, 20), network(nn.Identity(), 50, 20)
    without_features = fresh(torch.zeros(4, 50))[0]
    from_features = fresh(torch.ones(4, 50))[0] - without_features
    weights = ([each for each in one.parameters() if each.dim() > 1] for one in (fresh, another))
    return {
        "all actions about equally likely at first, if the features are 0": _undecided(
            without_features
        ),
        "all actions about equally likely at first": _undecided(from_features),
        "do features make a difference to the actions at first?": bool(
            from_features.abs().max() > 0
        ),
        "do two networks begin with weights of their own?": not any(map(torch.equal, *weights)),
    }


def _when_it_has_changed(made: Any, torso: nn.Module, observations: Tensor) -> Tensor:
    """The logits of the same observations, after a step of learning."""
    with torch.no_grad():
        next(torso.parameters()).mul_(0.5)
        logits: Tensor = made(observations)[0]
    return logits


def _torso(observations: Tensor, axes: int) -> nn.Module:
    """What makes 3 features of an observation: of whole numbers, by a table."""
    if axes == 0:
        return nn.Sequential(nn.Embedding(5, 3), nn.Tanh())
    size = observations.shape[-axes:].numel()
    flat = [nn.Flatten(-axes)] if axes > 1 else []
    return nn.Sequential(*flat, nn.Linear(size, 3), nn.Tanh())


def _learning(output: Tensor, made: nn.Module) -> int:
    """How many parameters, counted singly, have a gradient of an output."""
    parameters = [each for each in made.parameters() if each.requires_grad]
    if not output.requires_grad:
        return 0
    ones = torch.ones_like(output)
    gradients = torch.autograd.grad(output, parameters, ones, retain_graph=True, allow_unused=True)
    return sum(each.numel() for each in gradients if each is not None)


def _undecided(logits: Tensor) -> bool:
    return bool((logits - logits.mean(-1, keepdim=True)).abs().max() < 0.1)


def _shape(parameter: Tensor) -> tuple[int, ...]:
    return tuple(parameter.shape)


def _gradient(output: Tensor, torso: nn.Module) -> Tensor:
    """d (a weighted sum of the output) / d (the torso's weights)."""
    weights = torch.arange(1.0, output.numel() + 1).view_as(output)
    parameter = next(torso.parameters())
    if not (output.requires_grad and parameter.requires_grad):
        return torch.zeros_like(parameter)
    (gradient,) = torch.autograd.grad(
        output,
        [parameter],
        weights,
        retain_graph=True,
        allow_unused=True,
        materialize_grads=True,
    )
    return gradient


def _two_heads_cases() -> list[Case]:
    return [
        Case("one observation", torch.tensor([1.0, 2.0]), probe=_what_it_gives),
        Case("observations (1, 1, 2)", torch.randn(1, 1, 2), probe=_what_it_gives),
        Case("observations (4, 3, 2)", torch.randn(4, 3, 2), probe=_what_it_gives),
        Case("whole numbers, (4, 2)", torch.arange(8).view(4, 2) % 5, 0, probe=_what_it_gives),
        Case("pictures, (3, 2) of 2 × 2", torch.randn(3, 2, 2, 2), 2, probe=_what_it_gives),
        Case("observations (3, 2)", torch.randn(3, 2), probe=_what_it_gives),
    ]


# 1.3 The loss


def loss_in_steps(
    logits: Tensor, values: Tensor, actions: Tensor, returns: Tensor, value_weight: float = 0.5
) -> Loss:
    pi = Categorical(logits=logits)
    log_pi = pi.log_prob(actions)
    targets = returns.detach()
    advantages = (returns - values).detach()
    policy = -(log_pi * advantages).mean()
    value = (targets - values).square().mean()
    entropy = pi.entropy().mean()
    total = policy + value_weight * value
    return Loss(total, policy, value, entropy)


def _loss_cases() -> list[Case]:
    def leaf(tensor: Tensor) -> Tensor:
        return tensor.clone().requires_grad_()

    on_paper = Case(
        "on paper",
        leaf(torch.tensor([[[0.7, 0.3]]]).log()),
        leaf(torch.tensor([[2.0]])),
        torch.tensor([[1]]),
        leaf(torch.tensor([[3.7]])),
    )
    sizes = [(1, 1, 2, 0.5), (2, 1, 2, 0.5), (3, 2, 4, 0.25)]
    return [
        on_paper,
        *(
            Case(
                f"T = {T}, N = {N}, {A} actions, value_weight = {weight}",
                leaf(torch.randn(T, N, A)),
                leaf(torch.randn(T, N)),
                torch.randint(A, (T, N)),
                leaf(torch.randn(T, N)),
                weight,
            )
            for T, N, A, weight in sizes
        ),
        Case(
            "logits far apart, and large targets",
            leaf(torch.tensor([[[0.0, -200.0]], [[300.0, 299.0]]])),
            leaf(torch.tensor([[1.0], [-2.0]])),
            torch.tensor([[1], [0]]),
            leaf(torch.tensor([[1000.0], [-500.0]])),
        ),
        Case(
            "the critic without weight",
            leaf(torch.randn(2, 2, 3)),
            leaf(torch.randn(2, 2)),
            torch.randint(3, (2, 2)),
            leaf(torch.randn(2, 2)),
            0.0,
        ),
    ]


# 1.4 Bug hunt: the value of what came next


def values_after_with_a_bug(model: ActorCritic, rollout: Rollout, values: Tensor) -> Tensor:
    """V(o_{t+1}) for every step of a rollout, from the values (T, N) of its observations.

    o_{t+1} is the observation of the next row, so nearly all of them are known already. The last
    row has no next row: there the model is asked. Constants: no gradient flows into a target.
    """
    with torch.no_grad():
        last = model.values(rollout.next_observations[-1])
    return torch.cat([values[1:].detach(), last[None]])


def values_after_in_full(model: ActorCritic, rollout: Rollout, values: Tensor) -> Tensor:
    over = rollout.terminated | rollout.truncated
    with torch.no_grad():
        last = model.values(rollout.next_observations[-1])
        shown = model.values(rollout.next_observations)
    following = torch.cat([values[1:].detach(), last[None]])
    return torch.where(over, shown, following)


def gradient_into_the_target(model: ActorCritic, rollout: Rollout, values: Tensor) -> Tensor:
    return model.values(rollout.next_observations)


class Table(nn.Module):
    """A critic whose values are written down."""

    def __init__(self, *values: float) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.tensor(values))

    def values(self, observations: Tensor) -> Tensor:
        return self.table[observations]


def _where_the_world_went_on(
    answer: Any, model: Table, rollout: Rollout, values: Tensor
) -> dict[str, Tensor]:
    """What stands where the world ended does not matter: a target never looks at it."""
    after = answer(model, rollout, values)
    return {"V(o_{t+1})": torch.where(rollout.terminated, 0.0, after)}


def _when_it_has_learned(
    answer: Any, model: Table, rollout: Rollout, values: Tensor
) -> dict[str, Tensor]:
    """The answer is asked twice, and in between all values become twice as large."""
    answer(model, rollout, values)
    with torch.no_grad():
        model.table.mul_(2)
    return _where_the_world_went_on(answer, model, rollout, 2 * values)


def _walk(*rows: tuple[int, int, str]) -> Rollout:
    """One environment's rollout from rows of cell, next cell, and how it went on."""
    cells, following, ends = zip(*rows, strict=True)
    column = (len(rows), 1)
    return Rollout.of(
        observations=torch.tensor(cells).view(column),
        actions=torch.ones(column, dtype=torch.long),
        rewards=torch.zeros(column),
        next_observations=torch.tensor(following).view(column),
        terminated=torch.tensor([end == "terminated" for end in ends]).view(column),
        truncated=torch.tensor([end == "truncated" for end in ends]).view(column),
    )


def _beside(one: Rollout, other: Rollout) -> Rollout:
    def both(name: str) -> Tensor:
        return torch.cat([getattr(one, name), getattr(other, name)], dim=1)

    return Rollout.of(
        both("observations"),
        both("actions"),
        both("rewards"),
        both("next_observations"),
        both("terminated"),
        both("truncated"),
    )


def _values_after_cases() -> list[Case]:
    walks = {
        "no end": _walk((0, 1, ""), (1, 2, "")),
        "a time limit cut after the first step": _walk((2, 3, "truncated"), (0, 1, "")),
        "the world ended after the first step": _walk((2, 3, "terminated"), (0, 1, "")),
        "a time limit cut after the last step": _walk((1, 2, ""), (2, 3, "truncated")),
        "three steps without an end": _walk((0, 1, ""), (1, 2, ""), (2, 0, "")),
        "two environments": _beside(
            _walk((1, 2, ""), (2, 3, "truncated"), (0, 0, ""), (0, 1, "")),
            _walk((0, 1, "truncated"), (0, 1, ""), (1, 3, "terminated"), (0, 2, "truncated")),
        ),
        "an end, and later a time limit": _walk(
            (2, 3, "terminated"), (0, 1, ""), (1, 2, "truncated")
        ),
        "a time limit, and later an end": _walk(
            (2, 3, "truncated"), (0, 1, ""), (1, 2, "terminated")
        ),
        "one step that goes on": _walk((0, 1, "")),
        "one step, which a time limit cut": _walk((1, 3, "truncated")),
        "three time limits": _walk(
            (2, 3, "truncated"), (0, 2, "truncated"), (0, 1, ""), (1, 3, "truncated")
        ),
    }
    cases = []
    for label, walk in walks.items():
        model = Table(1.0, 2.0, 4.0, 8.0)
        values = model.values(walk.observations).detach().requires_grad_()
        cases.append(Case(label, model, walk, values, probe=_where_the_world_went_on))
    model, walk = Table(1.0, 2.0, 4.0, 8.0), _walk((0, 1, ""), (1, 2, ""))
    values = model.values(walk.observations).detach().requires_grad_()
    label = "no end, and the model has learned since it was asked: its values are twice as large"
    return [*cases, Case(label, model, walk, values, probe=_when_it_has_learned)]


def _changed(tensor: Tensor, place: Any) -> Tensor:
    """With another number at a place: 1 more, or the opposite of a flag."""
    other = tensor.detach().clone()
    other[place] = ~other[place] if other.dtype == torch.bool else other[place] + 1
    return other.requires_grad_(tensor.requires_grad)


def _shuffled(given: Any, *names: str) -> dict[str, Tensor]:
    """The same steps and environments in another order."""
    T, N = given.actions.shape
    order = torch.arange(T * N).flip(0)
    return {
        name: (tensor := getattr(given, name)).flatten(0, 1)[order].reshape(tensor.shape)
        for name in names
    }


def _after_an_end_changed(values: Tensor, rollout: Rollout) -> Tensor:
    over = rollout.terminated | rollout.truncated
    begins = torch.cat([torch.zeros_like(over[:1]), over[:-1]])
    return (values.detach() + begins.float()).requires_grad_()


EXERCISES = (
    Exercise(
        id="1.1",
        title="one-step targets",
        reference=one_step_targets,
        form=targets_in_steps,
        cases=_targets_cases,
        wrong=(
            Wrong(
                {" * goes_on": ""},
                "This bootstraps at a terminal state: where `terminated`, nothing comes after, so "
                "the target is the reward alone, whatever the critic says.",
            ),
            Wrong(
                {"~terminated": "~(terminated | truncated)"},
                "This takes a time limit for an ending. Where `truncated`, the world would have "
                "gone on, and γ V(o_{t+1}) says what would have come. Only `terminated` masks it.",
            ),
            Wrong(
                {"~terminated": "~truncated"},
                "The wrong flag: you leave γ V(o_{t+1}) out where a time limit cut, and keep it "
                "where the world ended. It is the other way round.",
            ),
            Wrong(
                {"~terminated": "~(terminated & ~truncated)"},
                "Both flags can be True, when the world ends in the very step in which the time is "
                "up. Then it has ended: only `terminated` decides.",
            ),
            Wrong(
                {"~terminated": "terminated"},
                "The mask is upside down: V(o_{t+1}) counts only where the world ended. ~terminated"
                " is True where it went on.",
            ),
            Wrong(
                {"return rewards + after": "return rewards * goes_on + after"},
                "The mask takes the reward away too. The last reward was paid; only what would "
                "come after it is missing. Put the mask on γ V(o_{t+1}) alone.",
            ),
            Wrong(
                {"gamma * next_values": "next_values"},
                "γ is missing: what comes one step later counts γ times as much.",
            ),
            Wrong(
                {"return rewards + after": "return gamma * rewards + after"},
                "The reward is discounted too. It is paid now; γ belongs to V(o_{t+1}) alone.",
            ),
            Wrong(
                {"* next_values": "* next_values.roll(-1, 0)"},
                "next_values is V(o_{t+1}) already: row t belongs to step t. You took row t + 1, "
                "which is the value two steps ahead.",
                also=(
                    {
                        "* next_values": "* torch.cat([next_values[1:], "
                        "torch.zeros_like(next_values[:1])])"
                    },
                    {"* next_values": "* torch.cat([next_values[1:], next_values[-1:]])"},
                ),
            ),
            Wrong(
                {"~terminated": "~terminated.any()"},
                "One ending anywhere takes γ V(o_{t+1}) from all steps. Each entry has its own "
                "flag: "
                "multiply by the mask ~terminated, or use torch.where.",
                also=(
                    {"~terminated": "~terminated.any(dim=0)"},
                    {"~terminated": "~terminated.any(dim=1, keepdim=True)"},
                ),
            ),
            Wrong(
                returns_to_the_end,
                "You add up the rewards to the end of the rollout. That is chapter 02; here every "
                "step looks one step ahead: its own reward, and then the critic.",
                also=(returns_beyond_time_limits,),
            ),
            Wrong(
                {"~terminated": "~(terminated.cumsum(0) > 0)"},
                "After an ending γ V(o_{t+1}) is left out of all later steps too. Those belong to "
                "another episode, in which the world goes on: each entry has its own flag.",
            ),
            Wrong(
                {"~terminated": "~(terminated & truncated)"},
                "The value is left out only where both flags are True. `terminated` alone decides.",
            ),
            Wrong(
                {"~terminated": "~(terminated ^ truncated)"},
                "The value is left out where one of the flags is True, but not where both are. "
                "`terminated` alone decides.",
            ),
            Wrong(
                {"~terminated": "~terminated.roll(1, 0)"},
                "The flags are read one row off: terminated[t] speaks of the step that rewards[t] "
                "was paid for.",
                also=(
                    {"~terminated": "~terminated.roll(-1, 0)"},
                    {
                        "~terminated": "~torch.cat([torch.zeros_like(terminated[:1]), "
                        "terminated[:-1]])"
                    },
                    {
                        "~terminated": "~torch.cat([terminated[1:], "
                        "torch.zeros_like(terminated[:1])])"
                    },
                ),
            ),
            Wrong(
                {"* next_values": "* next_values.roll(1, 0)"},
                "next_values[t] belongs to step t. You took the row before it.",
                also=({"* next_values": "* torch.cat([next_values[:1], next_values[:-1]])"},),
            ),
            Wrong(
                {
                    "return rewards + after": "target = rewards + gamma * next_values\n    "
                    "return target - gamma * next_values * terminated"
                },
                "Where the world ended, γ V(o_{t+1}) is added and taken away again. Where that "
                "number is huge, rounding takes the reward along. Leave it out from the start: "
                "times ~terminated, or torch.where.",
            ),
            Wrong(
                {"* next_values": "* next_values[-1]"},
                "Every step takes the value that follows the last one. Row t has its own, "
                "next_values[t].",
            ),
            Wrong(
                {"rewards + after": "rewards - after"},
                "What comes after is subtracted. The target is r + γ V(o_{t+1}).",
            ),
            Wrong(
                {"gamma * next_values": "0.9 * next_values"},
                "You compute with a γ of your own. Use the argument `gamma`.",
                also=(
                    {"gamma * next_values": "0.99 * next_values"},
                    {"gamma * next_values": "0.5 * next_values"},
                ),
            ),
            Wrong(
                {"gamma * next_values": "(1 - gamma) * next_values"},
                "The factor is 1 − γ. It is γ.",
            ),
            Wrong(
                {"gamma * next_values": "gamma**2 * next_values"},
                "The value is discounted twice. It lies one step ahead: γ once.",
            ),
            Wrong(
                {"return rewards + after": "return after"},
                "The reward is missing: the target is what was paid, and then what comes after.",
            ),
            Wrong(
                {"* next_values": "* next_values[:, :1]"},
                "The values of environment 0 are used for all. Each column has its own.",
            ),
        ),
        properties=(
            heeds(
                "What `next_values` says counts where the world ended. There nothing comes after: "
                "the "
                "target is the reward alone.",
                lambda given: {"next_values": given.next_values + given.terminated.float()},
                where=lambda given: given.terminated,
            ),
            heeds(
                "`truncated` changes the targets. To be cut by a time limit is no ending: "
                "V(o_{t+1}) still says what would have come.",
                lambda given: {"truncated": ~given.truncated},
            ),
            ignores(
                "`terminated` has no effect: where the world ended, nothing comes after.",
                lambda given: {"terminated": ~given.terminated},
            ),
            heeds(
                "An entry changes with the reward or the flag of another one. Each step has its "
                "own: "
                "no sum, no `any`, no shift along an axis.",
                lambda given: {
                    "rewards": _changed(given.rewards, (0, 0)),
                    "terminated": _changed(given.terminated, (0, 0)),
                },
            ),
            scales(
                "Rewards and values twice as large do not make the targets twice as large.",
                lambda given: {
                    "rewards": 2 * given.rewards,
                    "next_values": 2 * given.next_values,
                },
            ),
        ),
        hints=(
            "Row by row: the reward, and γ times a value. No loop is needed, the rows do not "
            "depend on each other.",
            "terminated is a tensor of bools. ~terminated is True where the world went on, and a "
            "number times False is 0.",
            "rewards + gamma * next_values * ~terminated. `truncated` is not used: to be cut "
            "changes nothing in what would have come.",
        ),
        praise="The critic now teaches itself: a guess is mended by the next one, one step later.",
        minutes=10,
        difficulty=1,
    ),
    Exercise(
        id="1.2",
        title="one torso, two heads",
        reference=TwoHeads,
        cases=_two_heads_cases,
        wrong=(
            Wrong(
                {
                    "self.torso = torso": "self.torso, self.own = torso, "
                    "__import__('copy').deepcopy(torso)",
                    "self.value_head(features)": "self.value_head(self.own(observations))",
                },
                "There are two torsos: the values have features of their own. One torso serves "
                "both heads, so that each learns from what moves the other.",
            ),
            Wrong(
                {
                    "logits: Tensor = self(observations)[0]": "logits: Tensor = "
                    "self(observations)[0].softmax(dim=-1)"
                },
                "logits() gives probabilities. It gives the logits that forward() gives; whoever "
                "acts makes the softmax.",
            ),
            Wrong(
                {".squeeze(-1)": ""},
                "The values have one axis too many: (T, N, 1) for (T, N). Minus targets (T, N) "
                "that "
                "is an error at best; where T = N, or N = 1, it trains without a word, every state "
                "towards everybody's targets. Take the last axis away: .squeeze(-1).",
            ),
            Wrong(
                {".squeeze(-1)": ".squeeze()"},
                "squeeze() takes away every axis of length 1, also T or N where one of them is 1, "
                "as with one environment. Say which one: .squeeze(-1).",
            ),
            Wrong(
                {
                    "return self.policy_head(features)": "return "
                    "self.policy_head(features).softmax(dim=-1)"
                },
                "You return probabilities. Everything that follows takes logits and makes the "
                "softmax itself; a softmax of a softmax never gets certain.",
            ),
            Wrong(
                {
                    "return self.policy_head(features), "
                    "self.value_head(features).squeeze(-1)": "return "
                    "self.value_head(features).squeeze(-1), "
                    "self.policy_head(features)"
                },
                "The two are in the wrong order: logits first, then values.",
                also=(Exchanged,),
            ),
            Wrong(
                {
                    "        self.policy_head.weight.data *= 0.01\n        "
                    "self.policy_head.bias.data.zero_()\n": ""
                },
                "The start is not right: this policy begins with an opinion, from the policy "
                "head's random weights. Make them small, times 0.01, and its bias 0.",
                also=(
                    {
                        "self.policy_head.weight.data *= 0.01": "self.value_head.weight.data *= "
                        "0.01",
                        "self.policy_head.bias": "self.value_head.bias",
                    },
                ),
            ),
            Wrong(
                {"self.value_head(features)": "self.value_head(features.detach())"},
                "The values have no gradient in the torso. With a shared torso the critic teaches "
                "it too; leave the detach() out.",
                also=(NothingFromTheCritic,),
            ),
            Wrong(
                {"self.policy_head(features)": "self.policy_head(features.detach())"},
                "The logits have no gradient in the torso: only the critic would teach it. Leave "
                "the detach() out.",
                also=(NothingFromTheActor,),
            ),
            Wrong(
                ValuesCutOff,
                "The values that forward() gives are cut from the graph: nothing that is computed "
                "from them could teach the network. Leave out `no_grad` and `detach`.",
            ),
            Wrong(
                FrozenTorso,
                "The torso is frozen: its parameters have requires_grad=False, and nothing can "
                "teach it. Keep it as it comes; both heads are to move it.",
            ),
            Wrong(
                FrozenHead,
                "A part of the policy head is frozen: it has requires_grad=False and would stay as "
                "it begins. The head begins small, and learns as everything else does.",
                also=(FrozenBias,),
            ),
            Wrong(
                TorsoInAList,
                "The torso's parameters are not among those of the network, so that no optimiser "
                "would move them. A module does not see what is in a list: keep the torso as an "
                "attribute.",
            ),
            Wrong(
                SameWeights,
                "Two networks begin with the very same weights. Either __init__ sets a seed, or "
                "both share a layer: let each network make layers of its own, and draw their "
                "weights as they come.",
            ),
            Wrong(
                {
                    "    def logits(self, observations: Tensor) -> Tensor:\n"
                    '        """(*B, *O) → (*B, A)."""\n'
                    "        logits: Tensor = self(observations)[0]\n"
                    "        return logits\n": ""
                },
                "The method `logits` is missing. Whoever acts asks it for the logits alone.",
            ),
            Wrong(
                {
                    "    def values(self, observations: Tensor) -> Tensor:\n"
                    '        """(*B, *O) → (*B)."""\n'
                    "        values: Tensor = self(observations)[1]\n"
                    "        return values\n": ""
                },
                "The method `values` is missing. Whoever makes targets asks it for the values "
                "alone.",
            ),
            Wrong(
                {"        super().__init__()\n": ""},
                "PyTorch says: cannot assign module before Module.__init__() call. The first line "
                "of __init__ is super().__init__(): it makes the place where a module keeps its "
                "layers.",
            ),
            Wrong(
                {"nn.Linear(width, num_actions)": "nn.Linear(width, 2)"},
                "The policy head always has 2 outputs. It needs num_actions of them: other worlds "
                "have more actions than the corridor.",
            ),
            Wrong(
                {"nn.Linear(width, 1)": "nn.Linear(width, num_actions)", ".squeeze(-1)": ""},
                "The value head gives a number for every action. V(o) is one number for an "
                "observation: nn.Linear(width, 1), and then its last axis away.",
            ),
            Wrong(
                {".squeeze(-1)": ".squeeze(-1).relu()"},
                "There is a relu after the value head. A value can be any number, also a negative "
                "one: the head is linear.",
            ),
            Wrong(
                {
                    "self(observations)[0]": "self(observations)",
                    "self(observations)[1]": "self(observations)",
                },
                "logits() and values() return both outputs. Each is one half of what forward "
                "gives.",
            ),
            Wrong(
                {"self(observations)[0]": "self(observations)[0].detach()"},
                "logits() is cut from the graph: nothing that is computed from it could teach the "
                "network. Leave out `no_grad` and `detach`; whoever only acts switches gradients "
                "off.",
            ),
            Wrong(
                {"self(observations)[1]": "self(observations)[1].detach()"},
                "values() is cut from the graph: nothing that is computed from it could teach the "
                "network. Leave out `no_grad` and `detach`; whoever needs constants detaches them.",
            ),
            Wrong(
                {
                    "self(observations)[0]": "self(observations)[1]",
                    "self(observations)[1]": "self(observations)[0]",
                },
                "logits() and values() are exchanged: forward gives logits first, then values.",
            ),
            Wrong(
                {"        self.policy_head.bias.data.zero_()\n": ""},
                "The policy head's weights are small, but its bias is still random: with it the "
                "policy begins with an opinion. Make the bias 0.",
            ),
            Wrong(
                {"        self.policy_head.weight.data *= 0.01\n": ""},
                "The policy head's bias is 0, but its weights are as large as they were drawn: "
                "the policy begins with an opinion. Make them small, times 0.01.",
            ),
            Wrong(
                {
                    "return self.policy_head(features)": "return "
                    "self.policy_head(features).log_softmax(dim=-1)"
                },
                "These are log-probabilities. Logits come out of the head as they are; the "
                "softmax is made by whoever uses them.",
            ),
            Wrong(
                {"return self.policy_head(features)": "return self.policy_head(features).relu()"},
                "There is a relu or the like after the policy head. A logit can be any number: "
                "the head is linear.",
                also=(
                    {
                        "return self.policy_head(features)": "return "
                        "self.policy_head(features).tanh()"
                    },
                ),
            ),
            Wrong(
                {".squeeze(-1)": ".squeeze(-1).tanh()"},
                "There is a tanh after the value head. A value can be any number: the head is "
                "linear.",
                also=({".squeeze(-1)": ".squeeze(-1).sigmoid()"},),
            ),
            Wrong(
                {"self.torso(observations)\n": "self.torso(observations.float())\n"},
                "Observations are made floats before the torso sees them. A torso that looks up "
                "whole numbers in a table cannot take them: hand observations on as they come.",
            ),
            Wrong(
                {"weight.data *= 0.01": "weight.data.zero_()"},
                "The policy head's weights are 0. The text makes them small, a hundredth of what "
                "they were: at 0 the torso would at first learn nothing from the actor.",
            ),
            Wrong(
                {"self.torso(observations)\n": "self.torso(observations).relu()\n"},
                "There is a relu between torso and heads. The torso's features are handed to the "
                "heads as they are.",
                also=({"self.torso(observations)\n": "self.torso(observations).tanh()\n"},),
            ),
            Wrong(
                OneHead,
                "This is one linear layer of num_actions + 1 outputs. It computes what two heads "
                "compute, and would serve as well; but two are asked for, policy_head and "
                "value_head, since the one begins small and the other does not.",
            ),
            Wrong(
                NoBias,
                "The policy head has no bias. At first that makes no difference, since a bias "
                "begins as 0; but this head could not learn that an action is good everywhere. "
                "Leave bias=False out.",
            ),
        ),
        properties=(
            heeds(
                "What it gives for one observation changes with another one of the batch. Each "
                "has its "
                "own features, its own logits and its own value.",
                lambda given: (
                    {"observations": _changed(given.observations, (0,) * given.observations.dim())}
                    if given.observations.dim() > 1
                    else {}
                ),
            ),
        ),
        hints=(
            "In __init__: super().__init__() first; keep the torso, and make two nn.Linear, both "
            "with `width` inputs. Then make the policy head small. In forward: features once, then "
            "each head on them.",
            "The value head has 1 output, so it gives (*B, 1). squeeze(-1) takes that last axis "
            "away, and no other.",
            "features = self.torso(observations); return self.policy_head(features), "
            "self.value_head(features).squeeze(-1)",
        ),
        praise="One torso, two opinions: what to do, and how good it is here. Every agent from "
        "now on is this network.",
        minutes=15,
        difficulty=2,
    ),
    Exercise(
        id="1.3",
        title="the loss of actor and critic",
        reference=actor_critic_loss,
        form=loss_in_steps,
        cases=_loss_cases,
        wrong=(
            Wrong(
                {
                    "advantages = (returns - values).detach()": "advantages = returns.detach() - "
                    "values"
                },
                "The advantage is not detached in the actor's loss, so that the actor's loss "
                "moves the value head: it makes V worse where that makes the loss smaller. Detach "
                "it: (returns - values).detach().",
            ),
            Wrong(
                {"advantages = (returns - values).detach()": "advantages = returns - values"},
                "The advantage in the actor's loss is not detached. Through it the loss would move "
                "V, "
                "and the targets too, where it has only log π to move. Detach the whole "
                "difference: "
                "(returns - values).detach().",
            ),
            Wrong(
                {
                    "advantages = (returns - values).detach()": "advantages = returns - "
                    "values.detach()"
                },
                "In the actor's loss V is detached, but the target is not: a gradient flows into "
                "it. "
                "Detach the whole difference: (returns - values).detach().",
            ),
            Wrong(
                {"targets = returns.detach()": "targets = returns"},
                "A gradient flows into the returns through the critic's loss: it would move the "
                "target to the prediction. Detach the returns there too.",
            ),
            Wrong(
                {"(targets - values).square()": "(targets - values.detach()).square()"},
                "In the critic's loss the values are detached, so that nothing teaches the critic "
                "any more. They are constants for the actor alone.",
            ),
            Wrong(
                {"-(log_pi": "(log_pi"},
                "The actor's sign is flipped. The loss is made small; for a step with a positive "
                "advantage log π has to become large.",
            ),
            Wrong(
                {"advantages = (returns - values).detach()": "advantages = targets"},
                "log π is weighted by the target. Weigh it by the advantage, the target minus what "
                "the critic expected: 3.7 is good news only if 2 was expected.",
            ),
            Wrong(
                {"pi.log_prob(actions)": "pi.log_prob(actions).exp()"},
                "That is π, not log π. Its gradient is π times too small, so that rare actions "
                "learn hardly anything.",
            ),
            Wrong(
                {"advantages).mean()": "advantages).sum()", "square().mean()": "square().sum()"},
                "These are sums over the rollout. This book takes means, so that the gradient's "
                "scale does not depend on T and N.",
                also=(
                    {
                        "advantages).mean()": "advantages).sum()",
                        "square().mean()": "square().sum()",
                        "entropy().mean()": "entropy().sum()",
                    },
                ),
            ),
            Wrong(
                {"square().mean()": "square().sum()"},
                "The critic's loss is a sum, the actor's a mean. With a sum the critic would count "
                "T · N times as much. Both are means.",
            ),
            Wrong(
                {"square().mean()": "square().mean() / 2"},
                "The critic's loss has a factor ½ of its own. value_weight is that factor already: "
                "Loss.value is the mean of (R − V)² itself.",
            ),
            Wrong(
                {"value_weight * value": "0.5 * value"},
                "The critic's loss always counts one half. value_weight is an argument, and 0.5 "
                "only "
                "its default: use it.",
            ),
            Wrong(
                {"value_weight * value": "value"},
                "value_weight is not used: the total is policy + value_weight · value.",
            ),
            Wrong(
                {
                    "value = (targets": "value = value_weight * (targets",
                    "value_weight * value\n": "value\n",
                },
                "Loss.value is to be the mean of (R − V)² itself. Weigh it in the total alone.",
            ),
            Wrong(
                {"value_weight * value\n": "value_weight * value - 0.01 * entropy\n"},
                "The entropy is in the total. Here it is only reported; what it is good for in a "
                "loss is chapter 03.",
            ),
            Wrong(
                {"Categorical(logits=logits)": "Categorical(probs=logits.softmax(dim=-1))"},
                "Where logits are far apart, the softmax rounds a small probability away, and its "
                "logarithm is another number. Categorical(logits=logits) takes the logits "
                "themselves.",
            ),
            Wrong(
                {
                    "advantages = (returns - values).detach()": "advantages = (returns - values)"
                    ".detach().clamp(-10, 10)"
                },
                "The advantages are kept within limits. Weigh log π by R − V as it is, however "
                "large.",
                also=(
                    {"(returns - values).detach()": "(returns - values).detach().clamp(-1, 1)"},
                    {"(returns - values).detach()": "(returns - values).detach().clamp(-100, 100)"},
                ),
            ),
            Wrong(
                {"Categorical(logits=logits)": "Categorical(logits=logits.softmax(dim=-1))"},
                "A softmax of a softmax: Categorical(logits=…) makes the softmax itself. Hand the "
                "logits over as they are.",
            ),
            Wrong(
                {"Categorical(logits=logits)": "Categorical(logits)"},
                "Categorical's first argument is probabilities, and it wants them positive. Write "
                "Categorical(logits=logits).",
            ),
            Wrong(
                {
                    "Loss(total, policy, value, entropy)": "Loss(total, policy.detach(), "
                    "value.detach(), entropy.detach())"
                },
                "policy, value and entropy are cut from the graph, and this chapter asks for the "
                "gradients of the parts too. Return them as they are.",
            ),
            Wrong(
                {".square().mean()": ".mean().square()"},
                "You square the mean of the errors: errors of opposite sign cancel. First the "
                "square, then the mean.",
            ),
            Wrong(
                {"advantages).mean()": "advantages).sum()"},
                "The actor's loss is a sum over the steps, the critic's a mean. With a sum the "
                "actor would count T · N times as much. Both are means.",
            ),
            Wrong(
                {"entropy().mean()": "entropy().sum()"},
                "The entropy is a sum over the steps. It is their mean, as the other parts are.",
            ),
            Wrong(
                {"entropy = pi": "entropy = -pi"}, "The entropy has the wrong sign: it is positive."
            ),
            Wrong(
                {"pi.entropy().mean()": "-log_pi.mean()"},
                "Loss.entropy is −log π of the actions taken, on average. Entropy is the mean "
                "over all actions: pi.entropy().",
            ),
            Wrong(
                {"(targets - values).square()": "(targets - values).abs()"},
                "The critic's loss is the size of the errors. It is their square.",
            ),
            Wrong(
                {"(targets - values).square()": "(targets - values)"},
                "The critic's errors are not squared: those of opposite sign cancel.",
            ),
            Wrong(
                {"policy + value_weight": "policy - value_weight"},
                "The critic's loss is subtracted in the total: the critic would be made worse. "
                "Add it.",
            ),
            Wrong(
                {"policy + value_weight * value": "value_weight * policy + value"},
                "value_weight is the weight of the critic's loss, not of the actor's.",
            ),
            Wrong(
                {"value = (targets": "value = value_weight * (targets"},
                "value_weight comes in twice: in Loss.value and again in the total. Loss.value is "
                "the mean of (R − V)² itself.",
            ),
            Wrong(
                {"policy + value_weight * value": "policy"},
                "The total is the actor's loss alone: nothing teaches the critic. Add "
                "value_weight · value.",
            ),
            Wrong(
                {"log_prob(actions)": "log_prob(pi.probs.argmax(dim=-1))"},
                "log π is that of the likeliest action. Take the one that was taken: actions.",
            ),
            Wrong(
                {"log_prob(actions)": "log_prob(0 * actions)"},
                "log π is always that of the first action. Take the one that was taken: actions.",
            ),
            Wrong(
                {
                    "advantages = (returns - values).detach()": "advantages = (returns - "
                    "values).detach()\n    "
                    "advantages = (advantages - "
                    "advantages.mean()) / "
                    "(advantages.std() + 1e-8)"
                },
                "The advantages are normalised. Many programs do that; then the gradient is "
                "another one (and of a single step nothing is left). Take them as they are.",
                also=(
                    {
                        "advantages = (returns - values).detach()": "advantages = (returns - "
                        "values).detach()\n    "
                        "advantages = (advantages - "
                        "advantages.mean()) / "
                        "(advantages.std(correction=0) "
                        "+ 1e-8)"
                    },
                ),
            ),
            Wrong(
                {
                    "advantages = (returns - values).detach()": "advantages = (returns - "
                    "values).detach()\n    "
                    "advantages = advantages - "
                    "advantages.mean()"
                },
                "The mean is subtracted from the advantages. Take them as they are: V is their "
                "baseline already.",
            ),
            Wrong(
                {"advantages = (returns - values).detach()": "advantages = values.detach()"},
                "log π is weighted by the critic's value. Weigh it by the advantage: what came, "
                "minus what the critic expected.",
            ),
            Wrong(
                {
                    "advantages = (returns - values).detach()": "advantages = (returns - "
                    "values).detach().abs()"
                },
                "The advantages have lost their sign. Where one is negative, the action has to "
                "become rarer.",
            ),
            Wrong(
                {
                    "advantages = (returns - values).detach()": "advantages = (returns - "
                    "values).detach().square()"
                },
                "log π is weighted by the square of the advantage: bad news would count as good "
                "news.",
            ),
            Wrong(
                {"(log_pi * advantages).mean()": "log_pi.mean() * advantages.mean()"},
                "The means are taken before they are multiplied: every action is weighed by all "
                "advantages together. Multiply step by step, then take the mean.",
            ),
            Wrong(
                {"Loss(total, policy, value, entropy)": "Loss(total, value, policy, entropy)"},
                "policy and value are exchanged in the Loss: total, policy, value, entropy.",
            ),
            Wrong(
                {"log_pi * advantages": "log_pi * advantages.squeeze()"},
                "An axis is lost on the way, as by squeeze(): with one environment (T, 1) times "
                "(T,) is (T, T), and every log π meets every advantage. Keep both (T, N).",
            ),
            Wrong(
                {"value_weight: float = 0.5": "value_weight: float = 1.0"},
                "Where value_weight is not handed over, another number than 0.5 is used. Give the "
                "argument that default.",
                also=({"value_weight: float = 0.5": "value_weight: float = 0.25"},),
            ),
            Wrong(
                {"value_weight * value\n": "(value_weight or 0.5) * value\n"},
                "A weight of 0 is taken for none, and the default takes its place. 0 is a weight "
                "like any other: use value_weight as it is.",
            ),
            Wrong(
                {"log_pi * advantages": "advantages"},
                "log π is missing in the actor's loss: the advantage alone moves nothing.",
            ),
        ),
        properties=(
            ignores(
                "It makes no difference which actions were taken.",
                lambda given: {"actions": (given.actions + 1) % given.logits.shape[-1]},
            ),
            ignores(
                "value_weight has no effect: it weighs the critic's loss in the total.",
                lambda given: {"value_weight": given.value_weight + 0.25},
            ),
            heeds(
                "The order of the steps and environments matters. Each log π is to meet its own "
                "advantage, each value its own return, and then a mean is taken over all.",
                lambda given: _shuffled(given, "logits", "values", "actions", "returns"),
            ),
            heeds(
                "Adding the same number to all logits of a step changes the loss. To a softmax "
                "that "
                "makes no difference: is Categorical(logits=…) given the logits?",
                lambda given: {"logits": given.logits + 1},
            ),
            heeds(
                "The actor's loss changes when values and returns grow by the same number. What "
                "counts is their difference.",
                lambda given: {"values": given.values + 1, "returns": given.returns + 1},
                where=lambda given: torch.tensor([name == "policy" for name in Loss._fields]),
            ),
        ),
        hints=(
            "Three steps: the advantage, as a constant; the actor's loss with it; the critic's "
            "loss without it. Which of them is to teach whom?",
            "advantages = (returns - values).detach(). The actor's loss is minus the mean of "
            "log π times that; the critic's the mean of (returns.detach() - values) squared.",
            "pi = Categorical(logits=logits) has pi.log_prob(actions) and pi.entropy(). Return "
            "Loss(policy + value_weight * value, policy, value, pi.entropy().mean()).",
        ),
        praise="Two teachers in one number, and each moves only what it should.",
        parts=("policy", "value", "entropy", "total"),
        minutes=20,
        difficulty=3,
    ),
    Exercise(
        id="1.4",
        title="bug hunt: the value of what came next",
        reference=values_after,
        form=values_after_in_full,
        start=values_after_with_a_bug,
        cases=_values_after_cases,
        wrong=(
            Wrong(
                {"torch.where(over, shown, following)": "following"},
                "The next row is not always what came next. Where an episode was over, the next "
                "row is the first observation of another one. Look at a row with `truncated`: "
                "which observation did the world show there, and where is it kept?",
                also=(
                    {"(over, shown, following)": "(rollout.terminated, shown, following)"},
                    {"(over, shown, following)": "(over, following, shown)"},
                ),
            ),
            Wrong(
                {"(over, shown, following)": "(over, 0.0, following)"},
                "After a cut you put 0: that takes a time limit for an ending. The world would "
                "have gone on from next_observations, and that has a value.",
                also=({"(over, shown, following)": "(rollout.truncated, 0.0, shown)"},),
            ),
            Wrong(
                {"last[None]": "values[:1].detach()"},
                "The last row is not right: roll() lets the "
                "rollout's first observation follow it. Ask the model there too.",
            ),
            Wrong(
                {"torch.where(over, shown, following)": "values.detach()"},
                "That is V(o_t). Asked is V(o_{t+1}), the value of what came next.",
            ),
            Wrong(
                {"(over, shown, following)": "(over, values.detach(), following)"},
                "Where an episode was over you take V(o_t), from before the step. The step led on "
                "to next_observations.",
            ),
            Wrong(
                gradient_into_the_target,
                "A gradient flows into the targets: the critic would move them to its "
                "predictions. Put torch.no_grad() around the model, or detach().",
            ),
            Wrong(
                {"values[1:].detach()": "values[1:]"},
                "A gradient flows into the rows that you took from `values`. They are targets "
                "now: values.detach().",
            ),
            Wrong(
                {
                    "        shown = "
                    "model.values(rollout.next_observations)\n": "        pass\n    "
                    "shown = "
                    "model.values(rollout.next_observations)\n"
                },
                "Where an episode was over a gradient flows into the model. They are targets too: "
                "put that call under torch.no_grad() as well.",
            ),
            Wrong(
                {"(over, shown, following)": "(rollout.truncated, shown, 0.0)"},
                "Now there is a value only where a time limit cut. Every step needs the value of "
                "what came next.",
            ),
            Wrong(
                {"rollout.next_observations[-1]": "rollout.observations[-1]"},
                "In the last row you take V(o_t), from before the step. The step led on to "
                "next_observations[-1].",
            ),
            Wrong(
                {"last[None]": "torch.zeros_like(last)[None]"},
                "Nothing is said to follow the last row. Ask the model there: it goes on in the "
                "next rollout.",
            ),
            Wrong(
                {"values[1:].detach(), last[None]": "last[None], values[1:].detach()"},
                "The rows have not moved: V(o_{t+1}) belongs into row t, and what follows the "
                "last row to the end.",
            ),
        ),
        properties=(
            heeds(
                "Where an episode was over, what you return still changes with the next row's "
                "value, "
                "which belongs to another episode.",
                lambda given: {"values": _after_an_end_changed(given.values, given.rollout)},
            ),
        ),
        hints=(
            "Print a rollout as the page does above, with a time limit. In which rows is the next "
            "row's observation not the next observation?",
            "rollout.next_observations is o_{t+1} as the world showed it, before any reset. The "
            "model can be asked about all of them at once.",
            "with torch.no_grad(): return model.values(rollout.next_observations). To ask only "
            "where it is needed, as the reference does, saves time.",
        ),
        praise="A target is a constant, and it looks at what the world showed, not at the next "
        "row.",
        minutes=15,
        difficulty=2,
    ),
)
