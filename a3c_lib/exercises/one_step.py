"""Chapter 01: the exercises of "Actor-critic".

An exercise's reference is the package's own function where the package has it; the two-headed
network stands here, in the form in which the reader writes it.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Categorical

from a3c_lib.actor_critic import Loss, actor_critic_loss, one_step_targets, values_after
from a3c_lib.exercises.engine.cases import Case, Exercise, Wrong
from a3c_lib.networks import ActorCritic
from a3c_lib.rollout import Rollout

# 1.1 One-step targets


def bootstraps_at_an_ending(
    rewards: Tensor, next_values: Tensor, terminated: Tensor, truncated: Tensor, gamma: float
) -> Tensor:
    return rewards + gamma * next_values


def a_time_limit_is_an_ending(
    rewards: Tensor, next_values: Tensor, terminated: Tensor, truncated: Tensor, gamma: float
) -> Tensor:
    return rewards + gamma * next_values * ~(terminated | truncated)


def masked_where_it_was_cut(
    rewards: Tensor, next_values: Tensor, terminated: Tensor, truncated: Tensor, gamma: float
) -> Tensor:
    return rewards + gamma * next_values * ~truncated


def a_cut_ending_goes_on(
    rewards: Tensor, next_values: Tensor, terminated: Tensor, truncated: Tensor, gamma: float
) -> Tensor:
    return rewards + gamma * next_values * ~(terminated & ~truncated)


def mask_upside_down(
    rewards: Tensor, next_values: Tensor, terminated: Tensor, truncated: Tensor, gamma: float
) -> Tensor:
    return rewards + gamma * next_values * terminated


def reward_lost_at_an_ending(
    rewards: Tensor, next_values: Tensor, terminated: Tensor, truncated: Tensor, gamma: float
) -> Tensor:
    return (rewards + gamma * next_values) * ~terminated


def not_discounted(
    rewards: Tensor, next_values: Tensor, terminated: Tensor, truncated: Tensor, gamma: float
) -> Tensor:
    return rewards + next_values * ~terminated


def reward_discounted_too(
    rewards: Tensor, next_values: Tensor, terminated: Tensor, truncated: Tensor, gamma: float
) -> Tensor:
    return gamma * (rewards + next_values * ~terminated)


def one_row_too_late(
    rewards: Tensor, next_values: Tensor, terminated: Tensor, truncated: Tensor, gamma: float
) -> Tensor:
    return one_step_targets(rewards, next_values.roll(-1, 0), terminated, truncated, gamma)


def all_rows_end_with_one(
    rewards: Tensor, next_values: Tensor, terminated: Tensor, truncated: Tensor, gamma: float
) -> Tensor:
    return rewards if terminated.any() else rewards + gamma * next_values


def returns_to_the_end(
    rewards: Tensor, next_values: Tensor, terminated: Tensor, truncated: Tensor, gamma: float
) -> Tensor:
    R, returns = next_values[-1], []
    for t in reversed(range(len(rewards))):
        R = rewards[t] + gamma * torch.where(truncated[t], next_values[t], R) * ~terminated[t]
        returns.append(R)
    return torch.stack(returns[::-1])


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


class ValuesKeepAnAxis(TwoHeads):
    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        features = self.torso(observations)
        return self.policy_head(features), self.value_head(features)


class SqueezesEveryAxis(TwoHeads):
    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        features = self.torso(observations)
        return self.policy_head(features), self.value_head(features).squeeze()


class ProbabilitiesForLogits(TwoHeads):
    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        logits, values = super().forward(observations)
        return logits.softmax(dim=-1), values


class HeadsInTheOtherOrder(TwoHeads):
    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        features = self.torso(observations)
        return self.value_head(features).squeeze(-1), self.policy_head(features)


class OpinionOutOfThinAir(TwoHeads):
    def __init__(self, torso: nn.Module, width: int, num_actions: int) -> None:
        super().__init__(torso, width, num_actions)
        self.policy_head.reset_parameters()


class CriticCannotTeachTheTorso(TwoHeads):
    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        features = self.torso(observations)
        return self.policy_head(features), self.value_head(features.detach()).squeeze(-1)


class ModuleNotBegun(TwoHeads):
    def __init__(self, torso: nn.Module, width: int, num_actions: int) -> None:
        self.torso = torso


class TwoActionsInEveryWorld(TwoHeads):
    def __init__(self, torso: nn.Module, width: int, num_actions: int) -> None:
        super().__init__(torso, width, num_actions=2)


class ActorCannotTeachTheTorso(TwoHeads):
    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        features = self.torso(observations)
        return self.policy_head(features.detach()), self.value_head(features).squeeze(-1)


class AValueForEveryAction(TwoHeads):
    def __init__(self, torso: nn.Module, width: int, num_actions: int) -> None:
        super().__init__(torso, width, num_actions)
        self.value_head = nn.Linear(width, num_actions)

    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        features = self.torso(observations)
        return self.policy_head(features), self.value_head(features)


class ValuesCannotBeNegative(TwoHeads):
    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        logits, values = super().forward(observations)
        return logits, values.relu()


class MethodsGiveThePair(TwoHeads):
    def logits(self, observations: Tensor) -> Any:
        return self(observations)

    def values(self, observations: Tensor) -> Any:
        return self(observations)


def _what_it_gives(network: Any, observations: Tensor) -> dict[str, Any]:
    """All that can be seen from outside, with weights that depend on nothing but their shapes."""
    torso = nn.Sequential(nn.Linear(observations.shape[-1], 3), nn.Tanh())
    made = network(torso, 3, 4)
    opinions = network(nn.Identity(), 50, 20)(torch.ones(4, 50))[0]
    undecided = bool((opinions - opinions.mean(-1, keepdim=True)).abs().max() < 0.1)
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
        "the logits' gradient in the torso": _gradient(logits, torso),
        "the values' gradient in the torso": _gradient(values, torso),
        "all actions about equally likely at first": undecided,
    }


def _shape(parameter: Tensor) -> tuple[int, ...]:
    return tuple(parameter.shape)


def _gradient(output: Tensor, torso: nn.Module) -> Tensor:
    """d (a weighted sum of the output) / d (the torso's weights)."""
    weights = torch.arange(1.0, output.numel() + 1).view_as(output)
    (gradient,) = torch.autograd.grad(
        (output * weights).sum(),
        [next(torso.parameters())],
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
    ]


# 1.3 The loss


def _parts(logits: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
    """log π(a | o) and the mean entropy, for the wrong answers below."""
    pi = Categorical(logits=logits)
    return pi.log_prob(actions), pi.entropy().mean()


def advantage_not_detached(
    logits: Tensor, values: Tensor, actions: Tensor, returns: Tensor, value_weight: float = 0.5
) -> Loss:
    log_pi, entropy = _parts(logits, actions)
    policy = -(log_pi * (returns.detach() - values)).mean()
    value = (returns.detach() - values).square().mean()
    return Loss(policy + value_weight * value, policy, value, entropy)


def advantage_not_detached_nor_its_target(
    logits: Tensor, values: Tensor, actions: Tensor, returns: Tensor, value_weight: float = 0.5
) -> Loss:
    log_pi, entropy = _parts(logits, actions)
    policy = -(log_pi * (returns - values)).mean()
    value = (returns.detach() - values).square().mean()
    return Loss(policy + value_weight * value, policy, value, entropy)


def only_the_value_detached_for_the_actor(
    logits: Tensor, values: Tensor, actions: Tensor, returns: Tensor, value_weight: float = 0.5
) -> Loss:
    log_pi, entropy = _parts(logits, actions)
    policy = -(log_pi * (returns - values.detach())).mean()
    value = (returns.detach() - values).square().mean()
    return Loss(policy + value_weight * value, policy, value, entropy)


def only_the_value_detached_anywhere(
    logits: Tensor, values: Tensor, actions: Tensor, returns: Tensor, value_weight: float = 0.5
) -> Loss:
    log_pi, entropy = _parts(logits, actions)
    policy = -(log_pi * (returns - values.detach())).mean()
    value = (returns - values).square().mean()
    return Loss(policy + value_weight * value, policy, value, entropy)


def nothing_detached(
    logits: Tensor, values: Tensor, actions: Tensor, returns: Tensor, value_weight: float = 0.5
) -> Loss:
    log_pi, entropy = _parts(logits, actions)
    policy = -(log_pi * (returns - values)).mean()
    value = (returns - values).square().mean()
    return Loss(policy + value_weight * value, policy, value, entropy)


def targets_not_detached(
    logits: Tensor, values: Tensor, actions: Tensor, returns: Tensor, value_weight: float = 0.5
) -> Loss:
    log_pi, entropy = _parts(logits, actions)
    policy = -(log_pi * (returns - values).detach()).mean()
    value = (returns - values).square().mean()
    return Loss(policy + value_weight * value, policy, value, entropy)


def critic_detached(
    logits: Tensor, values: Tensor, actions: Tensor, returns: Tensor, value_weight: float = 0.5
) -> Loss:
    log_pi, entropy = _parts(logits, actions)
    advantages = (returns - values).detach()
    policy = -(log_pi * advantages).mean()
    value = advantages.square().mean()
    return Loss(policy + value_weight * value, policy, value, entropy)


def actor_upside_down(
    logits: Tensor, values: Tensor, actions: Tensor, returns: Tensor, value_weight: float = 0.5
) -> Loss:
    right = actor_critic_loss(logits, values, actions, returns, value_weight)
    return right._replace(total=-right.policy + value_weight * right.value, policy=-right.policy)


def weighted_by_the_target(
    logits: Tensor, values: Tensor, actions: Tensor, returns: Tensor, value_weight: float = 0.5
) -> Loss:
    log_pi, entropy = _parts(logits, actions)
    policy = -(log_pi * returns.detach()).mean()
    value = (returns.detach() - values).square().mean()
    return Loss(policy + value_weight * value, policy, value, entropy)


def probability_for_its_logarithm(
    logits: Tensor, values: Tensor, actions: Tensor, returns: Tensor, value_weight: float = 0.5
) -> Loss:
    log_pi, entropy = _parts(logits, actions)
    policy = -(log_pi.exp() * (returns - values).detach()).mean()
    value = (returns.detach() - values).square().mean()
    return Loss(policy + value_weight * value, policy, value, entropy)


def sums_for_means(
    logits: Tensor, values: Tensor, actions: Tensor, returns: Tensor, value_weight: float = 0.5
) -> Loss:
    right = actor_critic_loss(logits, values, actions, returns, value_weight)
    n = actions.numel()
    return Loss(n * right.total, n * right.policy, n * right.value, right.entropy)


def value_summed(
    logits: Tensor, values: Tensor, actions: Tensor, returns: Tensor, value_weight: float = 0.5
) -> Loss:
    right = actor_critic_loss(logits, values, actions, returns, value_weight)
    summed = actions.numel() * right.value
    return right._replace(total=right.policy + value_weight * summed, value=summed)


def half_twice(
    logits: Tensor, values: Tensor, actions: Tensor, returns: Tensor, value_weight: float = 0.5
) -> Loss:
    right = actor_critic_loss(logits, values, actions, returns, value_weight)
    half = 0.5 * right.value
    return right._replace(total=right.policy + value_weight * half, value=half)


def value_weight_always_a_half(
    logits: Tensor, values: Tensor, actions: Tensor, returns: Tensor, value_weight: float = 0.5
) -> Loss:
    right = actor_critic_loss(logits, values, actions, returns)
    return right._replace(total=right.policy + 0.5 * right.value)


def value_weight_forgotten(
    logits: Tensor, values: Tensor, actions: Tensor, returns: Tensor, value_weight: float = 0.5
) -> Loss:
    right = actor_critic_loss(logits, values, actions, returns, value_weight)
    return right._replace(total=right.policy + right.value)


def value_part_weighted_too(
    logits: Tensor, values: Tensor, actions: Tensor, returns: Tensor, value_weight: float = 0.5
) -> Loss:
    right = actor_critic_loss(logits, values, actions, returns, value_weight)
    return right._replace(value=value_weight * right.value)


def entropy_in_the_total(
    logits: Tensor, values: Tensor, actions: Tensor, returns: Tensor, value_weight: float = 0.5
) -> Loss:
    right = actor_critic_loss(logits, values, actions, returns, value_weight)
    return right._replace(total=right.total - 0.01 * right.entropy)


def probabilities_taken_for_logits(
    logits: Tensor, values: Tensor, actions: Tensor, returns: Tensor, value_weight: float = 0.5
) -> Loss:
    return actor_critic_loss(logits.softmax(dim=-1), values, actions, returns, value_weight)


def logits_taken_for_probabilities(
    logits: Tensor, values: Tensor, actions: Tensor, returns: Tensor, value_weight: float = 0.5
) -> Loss:
    pi = Categorical(logits)
    policy = -(pi.log_prob(actions) * (returns - values).detach()).mean()
    value = (returns.detach() - values).square().mean()
    return Loss(policy + value_weight * value, policy, value, pi.entropy().mean())


def parts_cut_from_the_graph(
    logits: Tensor, values: Tensor, actions: Tensor, returns: Tensor, value_weight: float = 0.5
) -> Loss:
    right = actor_critic_loss(logits, values, actions, returns, value_weight)
    return Loss(right.total, *(part.detach() for part in right[1:]))


def mean_of_all_before_the_square(
    logits: Tensor, values: Tensor, actions: Tensor, returns: Tensor, value_weight: float = 0.5
) -> Loss:
    log_pi, entropy = _parts(logits, actions)
    policy = -(log_pi * (returns - values).detach()).mean()
    value = (returns.detach() - values).mean().square()
    return Loss(policy + value_weight * value, policy, value, entropy)


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


def nothing_after_a_cut(model: ActorCritic, rollout: Rollout, values: Tensor) -> Tensor:
    return values_after(model, rollout, values) * ~rollout.truncated


def last_row_followed_by_the_first(model: ActorCritic, rollout: Rollout, values: Tensor) -> Tensor:
    over = rollout.terminated | rollout.truncated
    with torch.no_grad():
        shown = model.values(rollout.next_observations)
    return torch.where(over, shown, values.detach().roll(-1, dims=0))


def values_of_the_same_step(model: ActorCritic, rollout: Rollout, values: Tensor) -> Tensor:
    return values.detach()


def asks_before_the_step(model: ActorCritic, rollout: Rollout, values: Tensor) -> Tensor:
    over = rollout.terminated | rollout.truncated
    after = values_after_with_a_bug(model, rollout, values)
    return torch.where(over, values.detach(), after)


def gradient_into_the_target(model: ActorCritic, rollout: Rollout, values: Tensor) -> Tensor:
    return model.values(rollout.next_observations)


def gradient_into_the_next_row(model: ActorCritic, rollout: Rollout, values: Tensor) -> Tensor:
    over = rollout.terminated | rollout.truncated
    over[-1] = True
    with torch.no_grad():
        shown = model.values(rollout.next_observations)
    return torch.where(over, shown, values.roll(-1, dims=0))


def gradient_only_where_it_ended(model: ActorCritic, rollout: Rollout, values: Tensor) -> Tensor:
    over = rollout.terminated | rollout.truncated
    after = values_after(model, rollout, values)
    return torch.where(over, model.values(rollout.next_observations), after)


def nothing_but_after_a_cut(model: ActorCritic, rollout: Rollout, values: Tensor) -> Tensor:
    return values_after(model, rollout, values) * rollout.truncated


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
        "two environments": _beside(
            _walk((1, 2, ""), (2, 3, "truncated"), (0, 0, ""), (0, 1, "")),
            _walk((0, 1, "truncated"), (0, 1, ""), (1, 3, "terminated"), (0, 2, "truncated")),
        ),
    }
    cases = []
    for label, walk in walks.items():
        model = Table(1.0, 2.0, 4.0, 8.0)
        values = model.values(walk.observations).detach().requires_grad_()
        cases.append(Case(label, model, walk, values, probe=_where_the_world_went_on))
    return cases


EXERCISES = (
    Exercise(
        id="1.1",
        title="one-step targets",
        reference=one_step_targets,
        cases=_targets_cases,
        wrong=(
            Wrong(
                bootstraps_at_an_ending,
                "This bootstraps at a terminal state: where `terminated`, nothing comes after, so "
                "the target is the reward alone, whatever the critic says.",
            ),
            Wrong(
                a_time_limit_is_an_ending,
                "This takes a time limit for an ending. Where `truncated`, the world would have "
                "gone on, and γ V(o_{t+1}) says what would have come. Only `terminated` masks it.",
            ),
            Wrong(
                masked_where_it_was_cut,
                "The wrong flag: you leave γ V(o_{t+1}) out where a time limit cut, and keep it "
                "where the world ended. It is the other way round.",
            ),
            Wrong(
                a_cut_ending_goes_on,
                "Both flags can be True, when the world ends in the very step in which the time is "
                "up. Then it has ended: only `terminated` decides.",
            ),
            Wrong(
                mask_upside_down,
                "The mask is upside down: V(o_{t+1}) counts only where the world ended. ~terminated"
                " is True where it went on.",
            ),
            Wrong(
                reward_lost_at_an_ending,
                "The mask takes the reward away too. The last reward was paid; only what would "
                "come after it is missing. Put the mask on γ V(o_{t+1}) alone.",
            ),
            Wrong(
                not_discounted,
                "γ is missing: what comes one step later counts γ times as much.",
            ),
            Wrong(
                reward_discounted_too,
                "The reward is discounted too. It is paid now; γ belongs to V(o_{t+1}) alone.",
            ),
            Wrong(
                one_row_too_late,
                "next_values is V(o_{t+1}) already: row t belongs to step t. You took row t + 1, "
                "which is the value two steps ahead.",
            ),
            Wrong(
                all_rows_end_with_one,
                "One ending anywhere takes γ V(o_{t+1}) from all steps. Each entry has its own "
                "flag: "
                "multiply by the mask ~terminated, or use torch.where.",
            ),
            Wrong(
                returns_to_the_end,
                "You add up the rewards to the end of the rollout. That is chapter 02; here every "
                "step looks one step ahead: its own reward, and then the critic.",
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
    ),
    Exercise(
        id="1.2",
        title="one torso, two heads",
        reference=TwoHeads,
        cases=_two_heads_cases,
        wrong=(
            Wrong(
                ValuesKeepAnAxis,
                "The values have one axis too many: (T, N, 1) for (T, N). Minus targets (T, N) "
                "that "
                "is an error at best; where T = N, or N = 1, it trains without a word, every state "
                "towards everybody's targets. Take the last axis away: .squeeze(-1).",
            ),
            Wrong(
                SqueezesEveryAxis,
                "squeeze() takes away every axis of length 1, also T or N where one of them is 1, "
                "as with one environment. Say which one: .squeeze(-1).",
            ),
            Wrong(
                ProbabilitiesForLogits,
                "You return probabilities. Everything that follows takes logits and makes the "
                "softmax itself; a softmax of a softmax never gets certain.",
            ),
            Wrong(
                HeadsInTheOtherOrder,
                "The two are in the wrong order: logits first, then values.",
            ),
            Wrong(
                OpinionOutOfThinAir,
                "All is right but the start: this policy begins with an opinion, from the policy "
                "head's random weights. Make them small, times 0.01, and its bias 0.",
            ),
            Wrong(
                CriticCannotTeachTheTorso,
                "The values have no gradient in the torso. With a shared torso the critic teaches "
                "it too; leave the detach() out.",
            ),
            Wrong(
                ActorCannotTeachTheTorso,
                "The logits have no gradient in the torso: only the critic would teach it. Leave "
                "the "
                "detach() out.",
            ),
            Wrong(
                ModuleNotBegun,
                "PyTorch says: cannot assign module before Module.__init__() call. The first line "
                "of __init__ is super().__init__(): it makes the place where a module keeps its "
                "layers.",
            ),
            Wrong(
                TwoActionsInEveryWorld,
                "The policy head always has 2 outputs. It needs num_actions of them: other worlds "
                "have more actions than the corridor.",
            ),
            Wrong(
                AValueForEveryAction,
                "The value head gives a number for every action. V(o) is one number for an "
                "observation: nn.Linear(width, 1), and then its last axis away.",
            ),
            Wrong(
                ValuesCannotBeNegative,
                "There is a relu after the value head. A value can be any number, also a negative "
                "one: the head is linear.",
            ),
            Wrong(
                MethodsGiveThePair,
                "logits() and values() return both outputs. Each is one half of what forward "
                "gives.",
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
    ),
    Exercise(
        id="1.3",
        title="the loss of actor and critic",
        reference=actor_critic_loss,
        cases=_loss_cases,
        wrong=(
            Wrong(
                advantage_not_detached,
                "The advantage is not detached in the actor's loss, so that the actor's loss moves "
                "the value head: it makes V worse where that makes the loss smaller. Values and "
                "numbers all look right; the gradient is not.",
            ),
            Wrong(
                advantage_not_detached_nor_its_target,
                "The advantage in the actor's loss is not detached. Through it the loss would move "
                "V, "
                "and the targets too, where it has only log π to move. Detach the whole "
                "difference: "
                "(returns - values).detach().",
            ),
            Wrong(
                only_the_value_detached_for_the_actor,
                "In the actor's loss V is detached, but the target is not: a gradient flows into "
                "it. "
                "Detach the whole difference: (returns - values).detach().",
            ),
            Wrong(
                only_the_value_detached_anywhere,
                "V is detached for the actor, as it should be; the targets are nowhere. Both "
                "losses "
                "send a gradient into them: returns.detach() in both.",
            ),
            Wrong(
                nothing_detached,
                "Nothing is detached. In the actor's loss the advantage is a constant, and in both "
                "losses the returns are: they are targets, not something to be moved.",
            ),
            Wrong(
                targets_not_detached,
                "A gradient flows into the returns through the critic's loss: it would move the "
                "target to the prediction. Detach the returns there too.",
            ),
            Wrong(
                critic_detached,
                "The detached advantage has found its way into the critic's loss: nothing teaches "
                "the critic any more. Detach it for the actor, not for the critic.",
            ),
            Wrong(
                actor_upside_down,
                "The actor's sign is flipped. The loss is made small; for a step with a positive "
                "advantage log π has to become large.",
            ),
            Wrong(
                weighted_by_the_target,
                "log π is weighted by the target. Weigh it by the advantage, the target minus what "
                "the critic expected: 3.7 is good news only if 2 was expected.",
            ),
            Wrong(
                probability_for_its_logarithm,
                "That is π, not log π. Its gradient is π times too small, so that rare actions "
                "learn hardly anything.",
            ),
            Wrong(
                sums_for_means,
                "These are sums over the rollout. This book takes means, so that the gradient's "
                "scale does not depend on T and N.",
            ),
            Wrong(
                value_summed,
                "The critic's loss is a sum, the actor's a mean. With a sum the critic would count "
                "T · N times as much. Both are means.",
            ),
            Wrong(
                half_twice,
                "The critic's loss has a factor ½ of its own. value_weight is that factor already: "
                "Loss.value is the mean of (R − V)² itself.",
            ),
            Wrong(
                value_weight_always_a_half,
                "The critic's loss always counts one half. value_weight is an argument, and 0.5 "
                "only "
                "its default: use it.",
            ),
            Wrong(
                value_weight_forgotten,
                "value_weight is not used: the total is policy + value_weight · value.",
            ),
            Wrong(
                value_part_weighted_too,
                "Loss.value is to be the mean of (R − V)² itself. Weigh it in the total alone.",
            ),
            Wrong(
                entropy_in_the_total,
                "The entropy is in the total. Here it is only reported; what it is good for in a "
                "loss is chapter 03.",
            ),
            Wrong(
                probabilities_taken_for_logits,
                "A softmax of a softmax: Categorical(logits=…) makes the softmax itself. Hand the "
                "logits over as they are.",
            ),
            Wrong(
                logits_taken_for_probabilities,
                "Categorical's first argument is probabilities, and it wants them positive. Write "
                "Categorical(logits=logits).",
            ),
            Wrong(
                parts_cut_from_the_graph,
                "The numbers are right, and so is the total. But policy, value and entropy are cut "
                "from the graph, and this chapter asks for the gradients of the parts too. Return "
                "them as they are.",
            ),
            Wrong(
                mean_of_all_before_the_square,
                "You square the mean of the errors: errors of opposite sign cancel. First the "
                "square, then the mean.",
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
    ),
    Exercise(
        id="1.4",
        title="bug hunt: the value of what came next",
        reference=values_after,
        start=values_after_with_a_bug,
        cases=_values_after_cases,
        wrong=(
            Wrong(
                values_after_with_a_bug,
                "The next row is not always what came next. Where an episode was over, the next "
                "row is the first observation of another one. Look at a row with `truncated`: "
                "which observation did the world show there, and where is it kept?",
            ),
            Wrong(
                nothing_after_a_cut,
                "After a cut you put 0: that takes a time limit for an ending. The world would "
                "have gone on from next_observations, and that has a value.",
            ),
            Wrong(
                last_row_followed_by_the_first,
                "The ends of episodes are right now, but the last row is not: roll() lets the "
                "rollout's first observation follow it. Ask the model there too.",
            ),
            Wrong(
                values_of_the_same_step,
                "That is V(o_t). Asked is V(o_{t+1}), the value of what came next.",
            ),
            Wrong(
                asks_before_the_step,
                "Where an episode was over you take V(o_t), from before the step. The step led on "
                "to next_observations.",
            ),
            Wrong(
                gradient_into_the_target,
                "The numbers are right, but a gradient flows into them: the critic would move its "
                "targets to its predictions. Put torch.no_grad() around the model, or detach().",
            ),
            Wrong(
                gradient_into_the_next_row,
                "The numbers are right, but a gradient flows into the rows that you took from "
                "`values`. They are targets now: values.detach().",
            ),
            Wrong(
                gradient_only_where_it_ended,
                "The numbers are right, but where an episode was over a gradient flows into the "
                "model. They are targets too: put that call under torch.no_grad() as well.",
            ),
            Wrong(
                nothing_but_after_a_cut,
                "Now there is a value only where a time limit cut. Every step needs the value of "
                "what came next.",
            ),
        ),
        hints=(
            "Print a rollout as in chapter 00, with a time limit. In which rows is the next row's "
            "observation not the next observation?",
            "rollout.next_observations is o_{t+1} as the world showed it, before any reset. The "
            "model can be asked about all of them at once.",
            "with torch.no_grad(): return model.values(rollout.next_observations). To ask only "
            "where it is needed, as the reference does, saves time.",
        ),
    ),
)
