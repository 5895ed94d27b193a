"""Chapter 06: the exercises of "A2C"."""

from collections.abc import Callable, Sequence

import torch
from gymnasium import spaces
from torch import Tensor

from a3c_lib.actor_critic import Loss, values_after
from a3c_lib.exercises.engine.cases import Case, Exercise, Wrong
from a3c_lib.losses import entropy
from a3c_lib.networks import ActorCritic
from a3c_lib.returns import n_step_returns
from a3c_lib.rollout import Rollout

Batch = tuple[Tensor, Tensor, Tensor]
Gradients = tuple[Tensor, ...]

# 6.1 One batch


def one_batch(observations: Tensor, actions: Tensor, returns: Tensor) -> Batch:
    """(T, N, *O), (T, N), (T, N) → (T·N, *O), (T·N,), (T·N,): step by step, row t·N + n is
    what environment n did at step t."""
    return observations.flatten(0, 1), actions.flatten(), returns.flatten()


def observations_environment_by_environment(
    observations: Tensor, actions: Tensor, returns: Tensor
) -> Batch:
    return observations.transpose(0, 1).flatten(0, 1), actions.flatten(), returns.flatten()


def returns_environment_by_environment(
    observations: Tensor, actions: Tensor, returns: Tensor
) -> Batch:
    return observations.flatten(0, 1), actions.flatten(), returns.T.flatten()


def actions_environment_by_environment(
    observations: Tensor, actions: Tensor, returns: Tensor
) -> Batch:
    return observations.flatten(0, 1), actions.T.flatten(), returns.flatten()


def observations_kept_by_environment(
    observations: Tensor, actions: Tensor, returns: Tensor
) -> Batch:
    return observations.flatten(0, 1), actions.T.flatten(), returns.T.flatten()


def everything_environment_by_environment(
    observations: Tensor, actions: Tensor, returns: Tensor
) -> Batch:
    return one_batch(observations.transpose(0, 1), actions.T, returns.T)


def pictures_flattened_too(observations: Tensor, actions: Tensor, returns: Tensor) -> Batch:
    return observations.flatten(), actions.flatten(), returns.flatten()


def pictures_made_rows(observations: Tensor, actions: Tensor, returns: Tensor) -> Batch:
    rows = actions.numel()
    return observations.reshape(rows, -1), actions.flatten(), returns.flatten()


def pictures_cut_into_lines(observations: Tensor, actions: Tensor, returns: Tensor) -> Batch:
    return observations.reshape(-1, observations.shape[-1]), actions.flatten(), returns.flatten()


def environments_left_as_they_are(observations: Tensor, actions: Tensor, returns: Tensor) -> Batch:
    return observations, actions, returns


def one_environment_alone(observations: Tensor, actions: Tensor, returns: Tensor) -> Batch:
    return observations[:, 0], actions[:, 0], returns[:, 0]


def columns_instead_of_rows(observations: Tensor, actions: Tensor, returns: Tensor) -> Batch:
    return observations.flatten(0, 1), actions.reshape(-1, 1), returns.reshape(-1, 1)


def _batch_cases() -> list[Case]:
    def numbered(T: int, N: int, *shape: int) -> Batch:
        steps = torch.arange(T * N).reshape(T, N)
        size = torch.Size(shape).numel()
        first = 100.0 * steps.reshape(T, N, *[1] * len(shape))
        return first + torch.arange(size).reshape(shape), steps % 7, steps + 0.5

    numbers, *others = numbered(2, 3)
    return [
        Case("2 steps of 3 environments", *numbered(2, 3, 1)),
        Case("3 steps of 3 environments", *numbered(3, 3, 4)),
        Case("1 step of 4 environments", *numbered(1, 4, 2)),
        Case("4 steps of 1 environment", *numbered(4, 1, 2)),
        Case(
            "2 steps of 3 environments that show pictures",
            *numbered(2, 3, 1, 2, 2),
        ),
        Case("2 steps of 3 environments that show a whole number", numbers.long(), *others),
    ]


# 6.2 What the workers' gradients come to


def combined(gradients: Sequence[Gradients], steps: Sequence[int]) -> Gradients:
    """The gradient of the mean loss over all steps, from each environment's gradient of the mean
    loss over its own `steps`."""
    return tuple(
        sum(m * part for m, part in zip(steps, parts, strict=True)) / sum(steps)
        for parts in zip(*gradients, strict=True)
    )


def added_up(gradients: Sequence[Gradients], steps: Sequence[int]) -> Gradients:
    return tuple(torch.stack(parts).sum(dim=0) for parts in zip(*gradients, strict=True))


def each_environment_counts_the_same(
    gradients: Sequence[Gradients], steps: Sequence[int]
) -> Gradients:
    return tuple(torch.stack(parts).mean(dim=0) for parts in zip(*gradients, strict=True))


def weighted_and_not_divided(gradients: Sequence[Gradients], steps: Sequence[int]) -> Gradients:
    return tuple(part * sum(steps) for part in combined(gradients, steps))


def weighted_and_divided_by_environments(
    gradients: Sequence[Gradients], steps: Sequence[int]
) -> Gradients:
    return tuple(part / len(steps) for part in weighted_and_not_divided(gradients, steps))


def divided_by_steps_again(gradients: Sequence[Gradients], steps: Sequence[int]) -> Gradients:
    return tuple(part / sum(steps) for part in added_up(gradients, steps))


def each_divided_by_its_own_steps(
    gradients: Sequence[Gradients], steps: Sequence[int]
) -> Gradients:
    return tuple(
        sum(part / m for m, part in zip(steps, parts, strict=True))
        for parts in zip(*gradients, strict=True)
    )


def fewer_steps_weigh_more(gradients: Sequence[Gradients], steps: Sequence[int]) -> Gradients:
    weights = [1 / m for m in steps]
    return tuple(
        sum(w * part for w, part in zip(weights, parts, strict=True)) / sum(weights)
        for parts in zip(*gradients, strict=True)
    )


def the_last_one_wins(gradients: Sequence[Gradients], steps: Sequence[int]) -> Gradients:
    return tuple(gradients[-1])


def one_number_for_each_parameter(
    gradients: Sequence[Gradients], steps: Sequence[int]
) -> Gradients:
    return tuple(part.mean() for part in combined(gradients, steps))


def _combined_cases() -> list[Case]:
    def random(*steps: int) -> tuple[list[Gradients], list[int]]:
        return [(torch.randn(3, 2), torch.randn(3)) for _ in steps], list(steps)

    on_paper = [(torch.tensor([2.0, 0.0]),), (torch.tensor([-1.0, 3.0]),)]
    return [
        Case("on paper, as many steps in both", on_paper, [4, 4]),
        Case("on paper, 4 steps and 2", on_paper, [4, 2]),
        Case("one environment", *random(5)),
        Case("3 environments, 2 parameters", *random(5, 5, 5)),
        Case("4 environments, 2 parameters, different numbers of steps", *random(16, 15, 12, 1)),
    ]


# 6.3 Steps that only reset


def dummy_mask(terminated: Tensor, truncated: Tensor, resetting: Tensor) -> Tensor:
    """Which steps only reset an environment: the one after each end.   (T, N), (T, N), (N,) → (T,
    N). `resetting` says where the step before the rollout was an end."""
    ended = terminated | truncated
    return torch.cat([resetting[None], ended[:-1]])


def no_step_left_out(terminated: Tensor, truncated: Tensor, resetting: Tensor) -> Tensor:
    return torch.zeros_like(terminated)


def ends_themselves_left_out(terminated: Tensor, truncated: Tensor, resetting: Tensor) -> Tensor:
    return terminated | truncated


def ends_and_dummies_left_out(terminated: Tensor, truncated: Tensor, resetting: Tensor) -> Tensor:
    return terminated | truncated | dummy_mask(terminated, truncated, resetting)


def one_step_late(terminated: Tensor, truncated: Tensor, resetting: Tensor) -> Tensor:
    mask = dummy_mask(terminated, truncated, resetting)
    return torch.cat([torch.zeros_like(mask[:1]), mask[:-1]])


def one_step_early(terminated: Tensor, truncated: Tensor, resetting: Tensor) -> Tensor:
    ended = terminated | truncated
    return torch.cat([ended[1:], torch.zeros_like(ended[:1])])


def rows_moved_up(terminated: Tensor, truncated: Tensor, resetting: Tensor) -> Tensor:
    ended = terminated | truncated
    return torch.cat([ended[1:], resetting[None]])


def first_end_dropped_instead_of_the_last(
    terminated: Tensor, truncated: Tensor, resetting: Tensor
) -> Tensor:
    ended = terminated | truncated
    return torch.cat([resetting[None], ended[1:]])


def one_row_too_many(terminated: Tensor, truncated: Tensor, resetting: Tensor) -> Tensor:
    return torch.cat([resetting[None], terminated | truncated])


def resetting_in_every_row(terminated: Tensor, truncated: Tensor, resetting: Tensor) -> Tensor:
    return dummy_mask(terminated, truncated, resetting) | resetting


def rolled_round_and_added(terminated: Tensor, truncated: Tensor, resetting: Tensor) -> Tensor:
    mask = (terminated | truncated).roll(1, dims=0)
    mask[0] |= resetting
    return mask


def rolled_through_the_environments(
    terminated: Tensor, truncated: Tensor, resetting: Tensor
) -> Tensor:
    mask = (terminated | truncated).roll(1)
    mask[0] = resetting
    return mask


def only_after_terminations(terminated: Tensor, truncated: Tensor, resetting: Tensor) -> Tensor:
    return torch.cat([resetting[None], terminated[:-1]])


def only_after_time_limits(terminated: Tensor, truncated: Tensor, resetting: Tensor) -> Tensor:
    return torch.cat([resetting[None], truncated[:-1]])


def first_row_forgotten(terminated: Tensor, truncated: Tensor, resetting: Tensor) -> Tensor:
    ended = terminated | truncated
    return torch.cat([torch.zeros_like(ended[:1]), ended[:-1]])


def rolled_round(terminated: Tensor, truncated: Tensor, resetting: Tensor) -> Tensor:
    return (terminated | truncated).roll(1, dims=0)


def resetting_below_instead_of_on_top(
    terminated: Tensor, truncated: Tensor, resetting: Tensor
) -> Tensor:
    ended = terminated | truncated
    return torch.cat([ended[:-1], resetting[None]])


def only_where_both_ends_meet(terminated: Tensor, truncated: Tensor, resetting: Tensor) -> Tensor:
    ended = terminated & truncated
    return torch.cat([resetting[None], ended[:-1]])


def only_where_one_of_the_two(terminated: Tensor, truncated: Tensor, resetting: Tensor) -> Tensor:
    ended = terminated ^ truncated
    return torch.cat([resetting[None], ended[:-1]])


def ends_themselves_and_resetting(
    terminated: Tensor, truncated: Tensor, resetting: Tensor
) -> Tensor:
    ended = terminated | truncated
    ended[0] |= resetting
    return ended


def only_where_a_rollout_begins(terminated: Tensor, truncated: Tensor, resetting: Tensor) -> Tensor:
    return torch.cat([resetting[None], torch.zeros_like(terminated[:-1])])


def all_environments_at_once(terminated: Tensor, truncated: Tensor, resetting: Tensor) -> Tensor:
    mask = dummy_mask(terminated, truncated, resetting)
    return mask.any(dim=1, keepdim=True).expand_as(mask).clone()


def everything_after_an_end(terminated: Tensor, truncated: Tensor, resetting: Tensor) -> Tensor:
    return dummy_mask(terminated, truncated, resetting).cumsum(dim=0) > 0


def the_steps_to_keep(terminated: Tensor, truncated: Tensor, resetting: Tensor) -> Tensor:
    return ~dummy_mask(terminated, truncated, resetting)


def _dummy_cases() -> list[Case]:
    def flags(T: int, N: int, *places: tuple[int, int]) -> Tensor:
        flags = torch.zeros(T, N, dtype=torch.bool)
        for t, n in places:
            flags[t, n] = True
        return flags

    none, begins = flags(4, 2), torch.tensor([True, False])
    return [
        Case("no end", none, none, ~begins & begins),
        Case("terminated at step 1", flags(4, 2, (1, 0)), none, ~begins & begins),
        Case("truncated at step 1", none, flags(4, 2, (1, 1)), ~begins & begins),
        Case(
            "terminated and truncated at once",
            flags(4, 2, (2, 0)),
            flags(4, 2, (2, 0)),
            ~begins & begins,
        ),
        Case("an end just before the rollout", none, none, begins),
        Case("an end at the last step", flags(4, 2, (3, 1)), none, ~begins & begins),
        Case("one step, after an end", flags(1, 2, (0, 1)), flags(1, 2), begins),
        Case(
            "6 steps of 3 environments, short episodes",
            flags(6, 3, (1, 0), (4, 1)),
            flags(6, 3, (3, 0), (2, 2)),
            torch.tensor([False, True, False]),
        ),
    ]


# 6.4 A poor actor


def batch_loss(
    model: ActorCritic,
    rollout: Rollout,
    dummies: Tensor,
    gamma: float,
    value_weight: float,
    entropy_weight: float,
) -> Loss:
    """A2C's loss of a rollout, over the steps that are no dummies."""
    logits, values = model(rollout.observations)
    next_values = values_after(model, rollout, values)
    ends = rollout.terminated, rollout.truncated
    returns = n_step_returns(rollout.rewards, next_values, *ends, gamma)

    real = ~dummies
    log_pi = logits[real].log_softmax(dim=-1)
    taken = log_pi.gather(-1, rollout.actions[real][:, None]).squeeze(-1)
    advantages = (returns - values).detach()[real]

    policy = -(taken * advantages).mean()
    value = (returns[real] - values[real]).square().mean()
    bonus = entropy(logits[real]).mean()
    return Loss(policy + value_weight * value - entropy_weight * bonus, policy, value, bonus)


def batch_loss_with_a_bug(
    model: ActorCritic,
    rollout: Rollout,
    dummies: Tensor,
    gamma: float,
    value_weight: float,
    entropy_weight: float,
) -> Loss:
    """A2C's loss of a rollout, over the steps that are no dummies."""
    logits, values = model(rollout.observations)
    next_values = values_after(model, rollout, values)
    ends = rollout.terminated, rollout.truncated
    returns = n_step_returns(rollout.rewards, next_values, *ends, gamma)

    real = ~dummies
    log_pi = logits[real].log_softmax(dim=-1)
    taken = log_pi.gather(-1, rollout.actions[real][:, None])
    advantages = (returns - values).detach()[real]

    policy = -(taken * advantages).mean()
    value = (returns[real] - values[real]).square().mean()
    bonus = entropy(logits[real]).mean()
    return Loss(policy + value_weight * value - entropy_weight * bonus, policy, value, bonus)


def _with_policy(
    policy_of: Callable[[Tensor, Tensor], Tensor],
    model: ActorCritic,
    rollout: Rollout,
    dummies: Tensor,
    gamma: float,
    value_weight: float,
    entropy_weight: float,
    cut: bool = True,
) -> Loss:
    """The right loss but for its policy part, `policy_of(taken (M,), advantages (M,))`."""
    right = batch_loss(model, rollout, dummies, gamma, value_weight, entropy_weight)
    logits, values = model(rollout.observations)
    next_values = values_after(model, rollout, values)
    ends = rollout.terminated, rollout.truncated
    returns = n_step_returns(rollout.rewards, next_values, *ends, gamma)
    real = ~dummies
    log_pi = logits[real].log_softmax(dim=-1)
    taken = log_pi.gather(-1, rollout.actions[real][:, None]).squeeze(-1)
    advantages = (returns - values)[real]
    policy = policy_of(taken, advantages.detach() if cut else advantages)
    return right._replace(total=right.total - right.policy + policy, policy=policy)


def mean_over_one_axis(
    model: ActorCritic,
    rollout: Rollout,
    dummies: Tensor,
    gamma: float,
    value_weight: float,
    entropy_weight: float,
) -> Loss:
    def policy(taken: Tensor, advantages: Tensor) -> Tensor:
        return -(taken[:, None] * advantages).sum(dim=1).mean()

    return _with_policy(policy, model, rollout, dummies, gamma, value_weight, entropy_weight)


def a_sum_instead_of_a_mean(
    model: ActorCritic,
    rollout: Rollout,
    dummies: Tensor,
    gamma: float,
    value_weight: float,
    entropy_weight: float,
) -> Loss:
    def policy(taken: Tensor, advantages: Tensor) -> Tensor:
        return -(taken * advantages).sum()

    return _with_policy(policy, model, rollout, dummies, gamma, value_weight, entropy_weight)


def first_steps_probabilities_for_all(
    model: ActorCritic,
    rollout: Rollout,
    dummies: Tensor,
    gamma: float,
    value_weight: float,
    entropy_weight: float,
) -> Loss:
    real = ~dummies
    log_pi = model(rollout.observations)[0][real].log_softmax(dim=-1)
    first: Tensor = log_pi.gather(-1, rollout.actions[real][None, :])

    def policy(taken: Tensor, advantages: Tensor) -> Tensor:
        return -(first * advantages).mean()

    return _with_policy(policy, model, rollout, dummies, gamma, value_weight, entropy_weight)


def advantages_not_cut(
    model: ActorCritic,
    rollout: Rollout,
    dummies: Tensor,
    gamma: float,
    value_weight: float,
    entropy_weight: float,
) -> Loss:
    def policy(taken: Tensor, advantages: Tensor) -> Tensor:
        return -(taken * advantages).mean()

    return _with_policy(
        policy, model, rollout, dummies, gamma, value_weight, entropy_weight, cut=False
    )


def sign_turned_as_well(
    model: ActorCritic,
    rollout: Rollout,
    dummies: Tensor,
    gamma: float,
    value_weight: float,
    entropy_weight: float,
) -> Loss:
    def policy(taken: Tensor, advantages: Tensor) -> Tensor:
        return (taken * advantages).mean()

    return _with_policy(policy, model, rollout, dummies, gamma, value_weight, entropy_weight)


def critic_without_a_gradient(
    model: ActorCritic,
    rollout: Rollout,
    dummies: Tensor,
    gamma: float,
    value_weight: float,
    entropy_weight: float,
) -> Loss:
    loss = batch_loss(model, rollout, dummies, gamma, value_weight, entropy_weight)
    value = loss.value.detach()
    return loss._replace(
        total=loss.total - value_weight * loss.value + value_weight * value, value=value
    )


def critic_without_a_gradient_and_the_bug(
    model: ActorCritic,
    rollout: Rollout,
    dummies: Tensor,
    gamma: float,
    value_weight: float,
    entropy_weight: float,
) -> Loss:
    loss = batch_loss_with_a_bug(model, rollout, dummies, gamma, value_weight, entropy_weight)
    value = loss.value.detach()
    return loss._replace(
        total=loss.total - value_weight * loss.value + value_weight * value, value=value
    )


def dummies_learned_from(
    model: ActorCritic,
    rollout: Rollout,
    dummies: Tensor,
    gamma: float,
    value_weight: float,
    entropy_weight: float,
) -> Loss:
    return batch_loss(
        model, rollout, torch.zeros_like(dummies), gamma, value_weight, entropy_weight
    )


def dummies_zeroed_and_averaged(
    model: ActorCritic,
    rollout: Rollout,
    dummies: Tensor,
    gamma: float,
    value_weight: float,
    entropy_weight: float,
) -> Loss:
    loss = batch_loss(model, rollout, dummies, gamma, value_weight, entropy_weight)
    share = (~dummies).float().mean()
    return Loss(*(share * part for part in loss))


def _hunt_case(label: str, T: int, N: int, ends: Sequence[tuple[int, int]] = ()) -> Case:
    model = ActorCritic(spaces.Box(-1, 1, (3,)), spaces.Discrete(2), hidden=(4,), seed=1)
    with torch.no_grad():
        model.policy_head.weight *= 30  # so that actions differ in their probabilities
    terminated, dummies = torch.zeros(2, T, N, dtype=torch.bool)
    for t, n in ends:
        terminated[t, n] = True
        dummies[t + 1, n] = True
    observations = torch.randn(T + 1, N, 3)
    rollout = Rollout.of(
        observations[:-1],
        torch.randint(2, (T, N)),
        torch.randn(T, N) * ~dummies,
        observations[1:],
        terminated,
        torch.zeros_like(terminated),
    )
    return Case(label, model, rollout, dummies, 0.9, 0.1, 0.01)


def _hunt_cases() -> list[Case]:
    return [
        _hunt_case("1 step of 1 environment", 1, 1),
        _hunt_case("2 steps of 1 environment", 2, 1),
        _hunt_case("1 step of 3 environments", 1, 3),
        _hunt_case("4 steps of 3 environments", 4, 3),
        _hunt_case("5 steps of 3 environments, two of them dummies", 5, 3, [(1, 0), (2, 2)]),
    ]


EXERCISES = (
    Exercise(
        id="6.1",
        title="one batch",
        reference=one_batch,
        cases=_batch_cases,
        wrong=(
            Wrong(
                observations_environment_by_environment,
                "The observations stand environment by environment, actions and returns step by "
                "step. So a row's action was not taken at that row's observation. Flatten all "
                "three "
                "in the same order.",
            ),
            Wrong(
                returns_environment_by_environment,
                "The returns stand environment by environment, observations and actions step by "
                "step: a row has the return of another step. Flatten all three in the same order.",
            ),
            Wrong(
                actions_environment_by_environment,
                "The actions stand environment by environment, observations and returns step by "
                "step: a row has the action of another step. Flatten all three in the same order.",
            ),
            Wrong(
                observations_kept_by_environment,
                "Actions and returns stand environment by environment, the observations step by "
                "step. Turn all three round before you flatten, or none.",
            ),
            Wrong(
                everything_environment_by_environment,
                "What belongs together is together, but environment by environment. Asked for is "
                "the "
                "order of time: first step 0 of all environments, so that row t·N + n is step t of "
                "environment n. Masks will be flattened in that order as well.",
            ),
            Wrong(
                pictures_flattened_too,
                "This flattens what is within an observation as well. Only the first two axes, T "
                "and N, become one; flatten(0, 1) leaves the others alone.",
            ),
            Wrong(
                pictures_made_rows,
                "A picture has become a row of numbers; a network of convolutions could not read "
                "it. Only the axes T and N become one: flatten(0, 1).",
            ),
            Wrong(
                pictures_cut_into_lines,
                "This keeps the last axis alone. Of a picture that is one line, so each line "
                "becomes "
                "a row of the batch; and an observation that is a single number has no such axis. "
                "Keep all axes after T and N: flatten(0, 1).",
            ),
            Wrong(
                environments_left_as_they_are,
                "Nothing is flattened: T and N are still two axes. A batch has one row for each of "
                "the T·N steps.",
            ),
            Wrong(
                one_environment_alone,
                "Only environment 0 is in the batch. All N of them were played, and all teach.",
            ),
            Wrong(
                columns_instead_of_rows,
                "Actions and returns have one axis too many, (T·N, 1). The difference of (M, 1) "
                "and "
                "(M,) would silently broadcast to (M, M).",
            ),
        ),
        hints=(
            "Write down T = 2 steps of N = 3 environments with six different numbers, and read off "
            "in which order `flatten` visits them.",
            "Only the axes T and N become one. Actions and returns have no others; observations "
            "may "
            "have.",
            "observations.flatten(0, 1), and the other two with .flatten().",
        ),
    ),
    Exercise(
        id="6.2",
        title="what the workers' gradients come to",
        reference=combined,
        cases=_combined_cases,
        wrong=(
            Wrong(
                added_up,
                "This adds the gradients up. Each is that of a mean, and so is the batch's: with N "
                "environments this step is N times as long.",
            ),
            Wrong(
                each_environment_counts_the_same,
                "This is right where all environments have the same number of steps. A mean over "
                "all steps counts each *step* the same: an environment with fewer steps weighs "
                "less.",
            ),
            Wrong(
                weighted_and_not_divided,
                "The weights are right, and do not add up to 1: divide by the number of all steps.",
            ),
            Wrong(
                weighted_and_divided_by_environments,
                "The weighted sum is divided by the number of environments. The weights are "
                "numbers "
                "of steps, so divide by the number of all steps.",
            ),
            Wrong(
                divided_by_steps_again,
                "The gradients are those of means: each has been divided by its environment's "
                "steps "
                "already. Multiply by them before you add up and divide.",
            ),
            Wrong(
                each_divided_by_its_own_steps,
                "Each gradient is divided by its own environment's steps. That has been done: each "
                "is that of a mean. Multiply by those steps instead, and divide by all steps at "
                "the "
                "end.",
            ),
            Wrong(
                fewer_steps_weigh_more,
                "An environment with fewer steps weighs more here. A mean over all steps counts "
                "each step the same, so weigh with the number of steps.",
            ),
            Wrong(
                the_last_one_wins,
                "This is the last environment's gradient; what the others learned is lost.",
            ),
            Wrong(
                one_number_for_each_parameter,
                "This averages within each parameter's gradient too: what is left is one number. "
                "Average over environments, element by element.",
            ),
        ),
        hints=(
            "Begin with the loss. Environment n's is L_n, a mean over M_n steps. What is the mean "
            "over all steps, written with L_n and M_n?",
            "The mean over all is Σ M_n L_n / Σ M_n, and a gradient of a sum is the sum of "
            "gradients.",
            "zip(*gradients) gives, for each parameter, the gradients of all environments. Weigh "
            "them with steps, add up, divide by sum(steps); return a tuple.",
        ),
    ),
    Exercise(
        id="6.3",
        title="steps that only reset",
        reference=dummy_mask,
        cases=_dummy_cases,
        wrong=(
            Wrong(
                no_step_left_out,
                "Nothing is left out. After every end comes a step whose action nobody looked at "
                "and whose reward is 0: learned from, it teaches that the action was worth "
                "nothing.",
            ),
            Wrong(
                ends_themselves_left_out,
                "This leaves out the steps that end an episode. They are real, and often the ones "
                "that are paid; the dummy is the step after them.",
            ),
            Wrong(
                ends_and_dummies_left_out,
                "The dummies are found, and the ends before them are left out as well. An end is a "
                "real step.",
            ),
            Wrong(
                one_step_late,
                "This is one step late: it leaves out the first real step of the new episode, and "
                "learns from the dummy.",
            ),
            Wrong(
                one_step_early,
                "This leaves out the step before an end, which is real. A dummy comes *after* an "
                "end.",
            ),
            Wrong(
                rows_moved_up,
                "The rows have moved up: a row holds the end of the step *after* it, and "
                "`resetting` "
                "stands at the bottom. They have to move down, with `resetting` on top.",
            ),
            Wrong(
                first_end_dropped_instead_of_the_last,
                "`ended[1:]` drops the first step's end, and leaves each other end in its own row. "
                "Row t is to hold the end of step t − 1: drop the *last* row.",
            ),
            Wrong(
                one_row_too_many,
                "This has T + 1 rows. The last step's end belongs to the first row of the next "
                "rollout: leave it out.",
            ),
            Wrong(
                resetting_in_every_row,
                "`resetting` is in every row here: (N,) broadcasts to (T, N). It speaks of the "
                "first "
                "row only.",
            ),
            Wrong(
                rolled_round_and_added,
                "`roll` has brought the last row's ends round to the first row, and `|=` leaves "
                "them "
                "there. The first row is `resetting` alone: use `=`.",
            ),
            Wrong(
                rolled_through_the_environments,
                "Without `dims`, `roll` counts through the whole table: an end moves on to the "
                "next "
                "environment of the same step. Say dims=0.",
            ),
            Wrong(
                only_after_terminations,
                "Only terminations count here. An environment resets after a time limit as well, "
                "with a dummy step like any other.",
            ),
            Wrong(
                only_after_time_limits,
                "Only time limits count here. After a termination the environment resets, too.",
            ),
            Wrong(
                first_row_forgotten,
                "The first row is never a dummy here. If the last step of the rollout before was "
                "an "
                "end, it is: that is what `resetting` says.",
            ),
            Wrong(
                rolled_round,
                "`roll` brings the last row's ends round to the first row. They belong to the next "
                "rollout; this one's first row is `resetting`.",
            ),
            Wrong(
                resetting_below_instead_of_on_top,
                "`resetting` stands below the others here, so no row has moved. What happened "
                "before "
                "the rollout comes first: row 0 is `resetting`, row 1 is the end of step 0, and so "
                "on.",
            ),
            Wrong(
                only_where_both_ends_meet,
                "`&` asks for an end that is terminated *and* truncated. One of the two is enough "
                "to "
                "make the environment reset.",
            ),
            Wrong(
                only_where_one_of_the_two,
                "A step may be terminated and truncated at once: the pole falls in the very last "
                "step "
                "that the time limit allows. That is an end as well.",
            ),
            Wrong(
                ends_themselves_and_resetting,
                "The first row knows of `resetting`, but the ends stand in their own rows. They "
                "are "
                "real steps; the dummy is the step after each.",
            ),
            Wrong(
                only_where_a_rollout_begins,
                "Only the first row is looked at. Within the rollout, too, a dummy follows each "
                "end.",
            ),
            Wrong(
                all_environments_at_once,
                "When one environment resets, this leaves out the step of all of them. Each "
                "environment ends, and resets, for itself.",
            ),
            Wrong(
                everything_after_an_end,
                "From the first end on, this leaves out everything. Only one step resets; the ones "
                "after it belong to the new episode.",
            ),
            Wrong(
                the_steps_to_keep,
                "This is the right mask the wrong way round: True is to say that a step is a "
                "dummy.",
            ),
        ),
        hints=(
            "Write down an environment's five steps of which the second one ends its episode. "
            "Which "
            "one is the dummy?",
            "Step t is a dummy where step t − 1 ended. For t = 0 that step belongs to the rollout "
            "before.",
            "Row 0 is `resetting`, and below it stand all rows of `terminated | truncated` but the "
            "last. torch.cat puts them on top of each other; resetting[None] has the shape (1, N).",
        ),
    ),
    Exercise(
        id="6.4",
        title="bug hunt: a poor actor",
        reference=batch_loss,
        cases=_hunt_cases,
        start=batch_loss_with_a_bug,
        wrong=(
            Wrong(
                batch_loss_with_a_bug,
                "The critic's part is right. In the actor's part every log π meets every "
                "advantage, not only its own. Print the shapes of its two factors, and of their "
                "product.",
            ),
            Wrong(
                mean_over_one_axis,
                "The product still has a row and a column for each step. Adding up one of its axes "
                "does not take the wrong pairs out of it; the factors need the same shape.",
            ),
            Wrong(
                a_sum_instead_of_a_mean,
                "The pairs are right now, and added up. All three parts are means over the steps.",
            ),
            Wrong(
                first_steps_probabilities_for_all,
                "With [None, :] all actions stand in one row, so `gather` looks them all up in the "
                "*first* step's probabilities. The column was right there; change the shape of "
                "what "
                "`gather` returns.",
            ),
            Wrong(
                advantages_not_cut,
                "The pairs are right now, but the advantages have lost their `detach()`: the "
                "actor's "
                "loss moves the critic.",
            ),
            Wrong(
                sign_turned_as_well,
                "The pairs are right now, and the sign of the policy's part is gone: this makes "
                "good actions rarer.",
            ),
            Wrong(
                critic_without_a_gradient,
                "The actor is right now; but the critic no longer gets a gradient. Its values have "
                "to be those that the model computed here, without `detach()`.",
            ),
            Wrong(
                critic_without_a_gradient_and_the_bug,
                "The critic was in order, and no longer gets a gradient. The fault is in the "
                "actor's part: look at the shapes of its two factors.",
            ),
            Wrong(
                dummies_learned_from,
                "The pairs are right, but the dummies are learned from now. Only real steps count.",
            ),
            Wrong(
                dummies_zeroed_and_averaged,
                "The pairs are right, and the dummies count as zeros in the means. Divide by the "
                "number of real steps.",
            ),
        ),
        hints=(
            "A policy's part, a critic's part and an entropy: one of the three is wrong without an "
            "error. What would you print of a tensor first?",
            "`gather` returns as many axes as it was given indices: print taken.shape and "
            "advantages.shape, then the shape of their product.",
            "(M, 1) times (M,) is (M, M). Give both factors the shape (M,): .squeeze(-1).",
        ),
    ),
)
