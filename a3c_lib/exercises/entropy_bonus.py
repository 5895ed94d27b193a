"""Chapter 03: the exercises of "The entropy bonus".

An exercise's reference is the package's own function where the package has it.
"""

import math

import torch
from torch import Tensor

from a3c_lib.actor_critic import Loss, actor_critic_loss
from a3c_lib.exercises.engine.cases import Case, Exercise, Wrong
from a3c_lib.lessons import explained_variance
from a3c_lib.losses import a2c_loss, entropy

# 3.1 Entropy


def sign_forgotten(logits: Tensor) -> Tensor:
    return -entropy(logits)


def in_bits(logits: Tensor) -> Tensor:
    return entropy(logits) / math.log(2)


def mean_over_actions(logits: Tensor) -> Tensor:
    log_pi = logits.log_softmax(dim=-1)
    return -(log_pi.exp() * log_pi).mean(dim=-1)


def summed_over_everything(logits: Tensor) -> Tensor:
    return entropy(logits).sum()


def log_of_softmax(logits: Tensor) -> Tensor:
    pi = logits.softmax(dim=-1)
    return -(pi * pi.log()).sum(dim=-1)


def softmax_by_hand(logits: Tensor) -> Tensor:
    pi = logits.exp() / logits.exp().sum(dim=-1, keepdim=True)
    return -(pi * pi.log()).sum(dim=-1)


def zero_put_for_the_infinite(logits: Tensor) -> Tensor:
    pi = logits.softmax(dim=-1)
    return -torch.where(pi > 0, pi * pi.log(), 0.0).sum(dim=-1)


def logits_for_logarithms(logits: Tensor) -> Tensor:
    return -(logits.softmax(dim=-1) * logits).sum(dim=-1)


def logits_for_logarithms_throughout(logits: Tensor) -> Tensor:
    return -(logits.exp() * logits).sum(dim=-1)


def surprises_not_weighted(logits: Tensor) -> Tensor:
    return -logits.log_softmax(dim=-1).mean(dim=-1)


def surprises_added_up(logits: Tensor) -> Tensor:
    return -logits.log_softmax(dim=-1).sum(dim=-1)


def probabilities_detached(logits: Tensor) -> Tensor:
    log_pi = logits.log_softmax(dim=-1)
    return -(log_pi.exp().detach() * log_pi).sum(dim=-1)


def softmax_over_steps(logits: Tensor) -> Tensor:
    log_pi = logits.log_softmax(dim=0)
    return -(log_pi.exp() * log_pi).sum(dim=-1)


def all_over_the_first_axis(logits: Tensor) -> Tensor:
    log_pi = logits.log_softmax(dim=0)
    return -(log_pi.exp() * log_pi).sum(dim=0)


def _entropy_cases() -> list[Case]:
    return [
        Case("on paper: π = (0.9, 0.1)", _leaf(torch.tensor([0.9, 0.1]).log())),
        Case("one of two is certain", _leaf(torch.tensor([200.0, 0.0]))),
        Case("a uniform policy with large logits", _leaf(torch.full((3,), 300.0))),
        Case("3 steps, 2 environments, 4 actions", _leaf(torch.randn(3, 2, 4))),
    ]


# 3.2 The loss with the bonus


def bonus_added(
    logits: Tensor,
    values: Tensor,
    actions: Tensor,
    returns: Tensor,
    value_weight: float = 0.5,
    entropy_weight: float = 0.01,
) -> Loss:
    loss = actor_critic_loss(logits, values, actions, returns, value_weight)
    bonus = entropy(logits).mean()
    return loss._replace(total=loss.total + entropy_weight * bonus, entropy=bonus)


def bonus_reported_but_not_used(
    logits: Tensor,
    values: Tensor,
    actions: Tensor,
    returns: Tensor,
    value_weight: float = 0.5,
    entropy_weight: float = 0.01,
) -> Loss:
    del entropy_weight
    return actor_critic_loss(logits, values, actions, returns, value_weight)


def bonus_summed(
    logits: Tensor,
    values: Tensor,
    actions: Tensor,
    returns: Tensor,
    value_weight: float = 0.5,
    entropy_weight: float = 0.01,
) -> Loss:
    loss = actor_critic_loss(logits, values, actions, returns, value_weight)
    bonus = entropy(logits).sum()
    return loss._replace(total=loss.total - entropy_weight * bonus, entropy=bonus)


def bonus_summed_but_reported_as_mean(
    logits: Tensor,
    values: Tensor,
    actions: Tensor,
    returns: Tensor,
    value_weight: float = 0.5,
    entropy_weight: float = 0.01,
) -> Loss:
    loss = actor_critic_loss(logits, values, actions, returns, value_weight)
    return loss._replace(total=loss.total - entropy_weight * entropy(logits).sum())


def bonus_detached(
    logits: Tensor,
    values: Tensor,
    actions: Tensor,
    returns: Tensor,
    value_weight: float = 0.5,
    entropy_weight: float = 0.01,
) -> Loss:
    loss = actor_critic_loss(logits, values, actions, returns, value_weight)
    bonus = entropy(logits).mean().detach()
    return loss._replace(total=loss.total - entropy_weight * bonus, entropy=bonus)


def weighted_entropy_reported(
    logits: Tensor,
    values: Tensor,
    actions: Tensor,
    returns: Tensor,
    value_weight: float = 0.5,
    entropy_weight: float = 0.01,
) -> Loss:
    loss = actor_critic_loss(logits, values, actions, returns, value_weight)
    bonus = entropy_weight * entropy(logits).mean()
    return loss._replace(total=loss.total - bonus, entropy=bonus)


def value_weight_forgotten(
    logits: Tensor,
    values: Tensor,
    actions: Tensor,
    returns: Tensor,
    value_weight: float = 0.5,
    entropy_weight: float = 0.01,
) -> Loss:
    del value_weight
    loss = actor_critic_loss(logits, values, actions, returns)
    bonus = entropy(logits).mean()
    return loss._replace(total=loss.policy + loss.value - entropy_weight * bonus, entropy=bonus)


def value_weight_not_handed_on(
    logits: Tensor,
    values: Tensor,
    actions: Tensor,
    returns: Tensor,
    value_weight: float = 0.5,
    entropy_weight: float = 0.01,
) -> Loss:
    del value_weight
    return a2c_loss(logits, values, actions, returns, entropy_weight=entropy_weight)


def entropy_weight_forgotten(
    logits: Tensor,
    values: Tensor,
    actions: Tensor,
    returns: Tensor,
    value_weight: float = 0.5,
    entropy_weight: float = 0.01,
) -> Loss:
    del entropy_weight
    return a2c_loss(logits, values, actions, returns, value_weight, entropy_weight=1.0)


def weighted_value_reported(
    logits: Tensor,
    values: Tensor,
    actions: Tensor,
    returns: Tensor,
    value_weight: float = 0.5,
    entropy_weight: float = 0.01,
) -> Loss:
    loss = a2c_loss(logits, values, actions, returns, value_weight, entropy_weight)
    return loss._replace(value=value_weight * loss.value)


def surprise_of_the_action_taken(
    logits: Tensor,
    values: Tensor,
    actions: Tensor,
    returns: Tensor,
    value_weight: float = 0.5,
    entropy_weight: float = 0.01,
) -> Loss:
    loss = actor_critic_loss(logits, values, actions, returns, value_weight)
    log_pi = logits.log_softmax(dim=-1)
    surprise = -log_pi.gather(-1, actions[..., None]).squeeze(-1).mean()
    return loss._replace(total=loss.total - entropy_weight * surprise, entropy=surprise)


def entropy_paid_as_a_reward(
    logits: Tensor,
    values: Tensor,
    actions: Tensor,
    returns: Tensor,
    value_weight: float = 0.5,
    entropy_weight: float = 0.01,
) -> Loss:
    H = entropy(logits)
    return actor_critic_loss(logits, values, actions, returns + entropy_weight * H, value_weight)


def all_parts_summed(
    logits: Tensor,
    values: Tensor,
    actions: Tensor,
    returns: Tensor,
    value_weight: float = 0.5,
    entropy_weight: float = 0.01,
) -> Loss:
    loss = a2c_loss(logits, values, actions, returns, value_weight, entropy_weight)
    return Loss(*(part * actions.numel() for part in loss))


def logarithm_of_a_softmax(
    logits: Tensor,
    values: Tensor,
    actions: Tensor,
    returns: Tensor,
    value_weight: float = 0.5,
    entropy_weight: float = 0.01,
) -> Loss:
    loss = actor_critic_loss(logits, values, actions, returns, value_weight)
    bonus = log_of_softmax(logits).mean()
    return loss._replace(total=loss.total - entropy_weight * bonus, entropy=bonus)


def only_the_total(
    logits: Tensor,
    values: Tensor,
    actions: Tensor,
    returns: Tensor,
    value_weight: float = 0.5,
    entropy_weight: float = 0.01,
) -> Tensor:
    return a2c_loss(logits, values, actions, returns, value_weight, entropy_weight).total


def _loss_cases() -> list[Case]:
    on_paper = Case(
        "on paper: π = (0.9, 0.1), a = 1, V = 2, R = 3",
        _leaf(torch.tensor([[[0.9, 0.1]]]).log()),
        _leaf(torch.tensor([[2.0]])),
        torch.tensor([[1]]),
        _leaf(torch.tensor([[3.0]])),
        value_weight=0.5,
        entropy_weight=0.5,
    )
    return [
        on_paper,
        Case("2 steps, certain in one of them", *_certain_once(), 0.5, 0.2),
        Case("3 steps of 2 environments", *_random_rollout(3, 2, 4), 0.3, 0.2),
        Case("5 steps, the default weights", *_random_rollout(5, 1, 2)),
    ]


# 3.3 Explained variance


def share_that_is_not_explained(returns: Tensor, values: Tensor) -> float:
    return 1 - explained_variance(returns, values)


def squared_errors_for_a_variance(returns: Tensor, values: Tensor) -> float:
    variance = returns.var(correction=0)
    if variance == 0:
        return math.nan
    return 1 - float((returns - values).square().mean() / variance)


def squared_errors_for_an_unbiased_variance(returns: Tensor, values: Tensor) -> float:
    variance = returns.var()
    if variance == 0:
        return math.nan
    return 1 - float((returns - values).square().mean() / variance)


def each_environment_by_itself(returns: Tensor, values: Tensor) -> float:
    if returns.var(correction=0) == 0:
        return math.nan
    left = (returns - values).var(dim=0, correction=0)
    return 1 - float((left / returns.var(dim=0, correction=0)).mean())


def share_of_the_values(returns: Tensor, values: Tensor) -> float:
    variance = values.var(correction=0)
    if variance == 0:
        return math.nan
    return 1 - float((returns - values).var(correction=0) / variance)


def ratio_of_variances(returns: Tensor, values: Tensor) -> float:
    variance = returns.var(correction=0)
    if variance == 0:
        return math.nan
    return float(values.var(correction=0) / variance)


def standard_deviations(returns: Tensor, values: Tensor) -> float:
    deviation = returns.std(correction=0)
    if deviation == 0:
        return math.nan
    return 1 - float((returns - values).std(correction=0) / deviation)


def squared_correlation(returns: Tensor, values: Tensor) -> float:
    R, V = returns - returns.mean(), values - values.mean()
    if (R == 0).all():
        return math.nan
    if (V == 0).all():
        return 0.0
    return float((R * V).mean() ** 2 / (R.square().mean() * V.square().mean()))


def divides_by_zero(returns: Tensor, values: Tensor) -> Tensor:
    return 1 - (returns - values).var(correction=0) / returns.var(correction=0)


def zero_where_there_is_no_answer(returns: Tensor, values: Tensor) -> float:
    variance = returns.var(correction=0)
    if variance == 0:
        return 0.0
    return 1 - float((returns - values).var(correction=0) / variance)


def _explained_variance_cases() -> list[Case]:
    R = torch.tensor([1.0, 2.0, 3.0])
    return [
        # First: of failing cases of one size the first is shown, and this fault hides all others.
        Case("returns that do not vary", torch.full((3,), 2.0), R),
        Case("a perfect critic", R, R.clone()),
        Case("a critic that says 2 everywhere", R, torch.full((3,), 2.0)),
        Case("a critic that is 1 too high everywhere", R, R + 1),
        Case("a critic that says twice what is right", R, 2 * R),
        Case("a critic that says the opposite", R, -R),
        Case("returns that vary little", 0.01 * R, torch.tensor([0.01, 0.01, 0.02])),
        Case("5 steps of 2 environments", torch.randn(5, 2), torch.randn(5, 2)),
    ]


# 3.4 A bug hunt


def full_loss(
    logits: Tensor,
    values: Tensor,
    actions: Tensor,
    returns: Tensor,
    value_weight: float = 0.5,
    entropy_weight: float = 0.01,
) -> Loss:
    """−mean log π(a | o) A + value_weight · mean (R − V)² − entropy_weight · mean H(π), in full."""
    log_pi = logits.log_softmax(dim=-1)
    pi = log_pi.exp()
    taken = log_pi.gather(-1, actions[..., None]).squeeze(-1)
    advantages = (returns - values).detach()

    policy = -(taken * advantages).mean()
    value = (returns.detach() - values).square().mean()
    entropy = -(pi * log_pi).sum(dim=-1).mean()
    return Loss(policy + value_weight * value - entropy_weight * entropy, policy, value, entropy)


def full_loss_with_a_bug(
    logits: Tensor,
    values: Tensor,
    actions: Tensor,
    returns: Tensor,
    value_weight: float = 0.5,
    entropy_weight: float = 0.01,
) -> Loss:
    """−mean log π(a | o) A + value_weight · mean (R − V)² − entropy_weight · mean H(π), in full."""
    log_pi = logits.log_softmax(dim=-1)
    with torch.no_grad():
        pi = log_pi.exp()
        advantages = returns - values
    taken = log_pi.gather(-1, actions[..., None]).squeeze(-1)

    policy = -(taken * advantages).mean()
    value = (returns.detach() - values).square().mean()
    entropy = -(pi * log_pi).sum(dim=-1).mean()
    return Loss(policy + value_weight * value - entropy_weight * entropy, policy, value, entropy)


def advantages_attached(
    logits: Tensor,
    values: Tensor,
    actions: Tensor,
    returns: Tensor,
    value_weight: float = 0.5,
    entropy_weight: float = 0.01,
) -> Loss:
    log_pi = logits.log_softmax(dim=-1)
    taken = log_pi.gather(-1, actions[..., None]).squeeze(-1)
    policy = -(taken * (returns - values)).mean()
    value = (returns.detach() - values).square().mean()
    H = entropy(logits).mean()
    return Loss(policy + value_weight * value - entropy_weight * H, policy, value, H)


def bonus_summed_in_full(
    logits: Tensor,
    values: Tensor,
    actions: Tensor,
    returns: Tensor,
    value_weight: float = 0.5,
    entropy_weight: float = 0.01,
) -> Loss:
    loss = actor_critic_loss(logits, values, actions, returns, value_weight)
    H = entropy(logits).sum()
    return loss._replace(total=loss.total - entropy_weight * H, entropy=H)


def sign_turned(
    logits: Tensor,
    values: Tensor,
    actions: Tensor,
    returns: Tensor,
    value_weight: float = 0.5,
    entropy_weight: float = 0.01,
) -> Loss:
    loss = full_loss_with_a_bug(logits, values, actions, returns, value_weight, entropy_weight)
    return loss._replace(total=loss.total + 2 * entropy_weight * loss.entropy)


def sign_turned_and_connected(
    logits: Tensor,
    values: Tensor,
    actions: Tensor,
    returns: Tensor,
    value_weight: float = 0.5,
    entropy_weight: float = 0.01,
) -> Loss:
    loss = full_loss(logits, values, actions, returns, value_weight, entropy_weight)
    return loss._replace(total=loss.total + 2 * entropy_weight * loss.entropy)


def _full_loss_cases() -> list[Case]:
    return [
        Case("3 steps of 2 environments", *_random_rollout(3, 2, 4), 0.3, 0.2),
        Case("5 steps, the default weights", *_random_rollout(5, 1, 2)),
        Case("2 steps, and all for the bonus", *_random_rollout(2, 1, 2), 0.0, 10.0),
        Case("2 steps, certain in one of them", *_certain_once(), 0.5, 0.2),
    ]


def _random_rollout(T: int, N: int, A: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    logits, values, returns = torch.randn(T, N, A), torch.randn(T, N), torch.randn(T, N)
    return _leaf(logits), _leaf(values), torch.randint(A, (T, N)), _leaf(returns)


def _certain_once() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Two steps of one environment. In the first, one π(a) is 0 in floating point."""
    logits = torch.tensor([[[200.0, 0.0]], [[0.5, -0.5]]])
    values, returns = torch.tensor([[1.0], [0.5]]), torch.tensor([[2.0], [1.0]])
    return _leaf(logits), _leaf(values), torch.tensor([[0], [1]]), _leaf(returns)


def _leaf(tensor: Tensor) -> Tensor:
    """The same numbers, in a tensor of its own that wants a gradient."""
    return tensor.detach().clone().requires_grad_()


EXERCISES = (
    Exercise(
        id="3.1",
        title="entropy",
        reference=entropy,
        cases=_entropy_cases,
        wrong=(
            Wrong(
                sign_forgotten,
                "This is Σ π log π, which is negative. Entropy is minus that: positive, and the "
                "larger the less decided the policy is.",
            ),
            Wrong(
                in_bits,
                "These are bits: the logarithm is to base 2. The book counts in nats, with the "
                "natural logarithm; 1 bit is 0.693 nats.",
            ),
            Wrong(
                mean_over_actions,
                "This is the mean over the actions. Entropy is their sum: π(a) is already the "
                "weight of each action in a mean of −log π.",
            ),
            Wrong(
                summed_over_everything,
                "This is one number for the whole batch. Each row of logits is a policy of its own "
                "and has its own entropy: sum over the last axis only.",
            ),
            Wrong(
                log_of_softmax,
                "Right, until the policy is certain. Then some π(a) is 0 in floating point, its "
                "logarithm is −inf, and 0 · −inf is NaN. `log_softmax` gives log π without "
                "rounding π to 0 first.",
            ),
            Wrong(
                zero_put_for_the_infinite,
                "The entropy is right, but where the policy is certain its gradient is NaN. You "
                "put a 0 in the place of 0 · log 0; on the way back autograd still goes through "
                "that logarithm, and 0 · ∞ is NaN. Let no infinity arise: `log_softmax` gives log "
                "π, which is finite.",
            ),
            Wrong(
                softmax_by_hand,
                "Right, as long as the logits are small. exp(300) is inf in floating point, and "
                "inf / inf is NaN. `log_softmax` subtracts the largest logit first.",
            ),
            Wrong(
                logits_for_logarithms,
                "You used logits as if they were log π. They are so only up to a constant: log π "
                "is what `log_softmax` makes of them.",
            ),
            Wrong(
                logits_for_logarithms_throughout,
                "You took the logits for log π, and their exp() for π. In the example on paper "
                "they "
                "are, but logits may be any numbers, and their exp() need not add up to 1. "
                "`log_softmax` makes log π of them.",
            ),
            Wrong(
                surprises_not_weighted,
                "Here every action's surprise −log π(a) counts the same. Entropy is the mean over "
                "what the policy does: weigh each surprise by π(a), and add up.",
            ),
            Wrong(
                surprises_added_up,
                "You add up the surprises −log π(a) as they are. Weigh each by π(a), for that is "
                "how often it is met.",
            ),
            Wrong(
                probabilities_detached,
                "The entropy is right, but its gradient is zero: you cut π out of the graph, and "
                "the entropy's gradient flows through π. Nothing here is a constant.",
            ),
            Wrong(
                softmax_over_steps,
                "The softmax runs over the first axis. The actions are the last one: dim=-1.",
            ),
            Wrong(
                all_over_the_first_axis,
                "Softmax and sum run over the first axis. With a single row that is the right "
                "one; in a batch the actions are the last axis: dim=-1.",
            ),
        ),
        hints=(
            (
                "You need π and log π for every action. Take both from one function, so that log π "
                "is finite even where π is 0."
            ),
            "logits.log_softmax(dim=-1) is log π; its exp() is π.",
            "-(log_pi.exp() * log_pi).sum(dim=-1)",
        ),
    ),
    Exercise(
        id="3.2",
        title="the loss with the bonus",
        reference=a2c_loss,
        cases=_loss_cases,
        wrong=(
            Wrong(
                bonus_added,
                "The sign is wrong: you add the bonus to a loss, and a loss is made small. So this "
                "agent is paid for making up its mind. Subtract.",
            ),
            Wrong(
                bonus_reported_but_not_used,
                "The parts are right, but `total` does not contain the bonus, and `total` is all "
                "that is differentiated. `_replace(total=…)` changes it.",
            ),
            Wrong(
                bonus_summed,
                "You add up the entropy over the rollout's steps, while the other parts are means. "
                "The bonus then weighs T·N times as much as you think. Take the mean.",
            ),
            Wrong(
                bonus_summed_but_reported_as_mean,
                "In `total` the entropy is summed over the rollout's steps, while the other parts "
                "are means. The bonus then weighs T·N times as much as you think. Take the mean.",
            ),
            Wrong(
                bonus_detached,
                "The numbers are right, but the bonus has no gradient: it is detached, and pushes "
                "nothing. It is a constant only for whoever looks at the number.",
            ),
            Wrong(
                weighted_entropy_reported,
                "`total` is right. But `entropy` is to be H itself, in nats: a number that means "
                "the same whatever the weight is. Apply the weight in `total` only.",
            ),
            Wrong(
                value_weight_forgotten,
                "You put `total` together anew and lost value_weight on the way. Take chapter 01's "
                "total, and subtract.",
            ),
            Wrong(
                value_weight_not_handed_on,
                "value_weight never reaches chapter 01's loss, which then uses its own default. "
                "Hand it on.",
            ),
            Wrong(
                entropy_weight_forgotten,
                "The bonus is subtracted without its weight. What a nat is worth is "
                "entropy_weight: multiply by it in `total`.",
            ),
            Wrong(
                weighted_value_reported,
                "`total` is right. But `value` is to be the mean of (R − V)² itself: a number that "
                "means the same whatever the weight is. Apply the weight in `total` only.",
            ),
            Wrong(
                surprise_of_the_action_taken,
                "This is −log π of the action that was taken: the surprise of one action. Entropy "
                "is the mean over all actions, each weighed by its π. Your `entropy` computes it.",
            ),
            Wrong(
                entropy_paid_as_a_reward,
                "You pay the entropy as if it were a reward, within the returns. The returns are "
                "constants, so no gradient of H comes from them, and the critic would learn to "
                "expect the pay. The bonus is a part of its own: subtract it from `total`.",
            ),
            Wrong(
                all_parts_summed,
                "These are sums over the rollout's steps. The gradient then grows with T·N. Take "
                "means.",
            ),
            Wrong(
                logarithm_of_a_softmax,
                "Right, until the policy is certain somewhere. Then a π(a) is 0 in floating point, "
                "0 · log 0 is NaN, and so is the whole loss. Take `entropy` from exercise 3.1.",
            ),
            Wrong(
                advantages_attached,
                "The numbers are right. But the advantage A = R − V is a weight in the policy's "
                "part, a constant: without its `detach()` that part moves the critic.",
            ),
            Wrong(
                only_the_total,
                "You return the total alone. The parts are needed too, to be looked at: return "
                "the Loss, with `total` and `entropy` replaced.",
            ),
        ),
        hints=(
            (
                "Chapter 01's `actor_critic_loss` does all but the bonus. Call it, with "
                "value_weight, and change its `total`."
            ),
            (
                "A loss is made small, and the entropy is to be large: subtract entropy_weight "
                "times the mean of entropy(logits)."
            ),
            (
                "bonus = entropy(logits).mean(), and then "
                "loss._replace(total=loss.total - entropy_weight * bonus, entropy=bonus)"
            ),
        ),
    ),
    Exercise(
        id="3.3",
        title="explained variance",
        reference=explained_variance,
        cases=_explained_variance_cases,
        wrong=(
            Wrong(
                share_that_is_not_explained,
                "This is the share that is *not* explained: 0 for a perfect critic. Take it from "
                "1.",
            ),
            Wrong(
                squared_errors_for_a_variance,
                "You divide the mean squared error by the variance. A critic that is 1 too high "
                "everywhere has a large squared error, but it explains all that varies: the "
                "variance of R − V is 0.",
            ),
            Wrong(
                squared_errors_for_an_unbiased_variance,
                "You divide the mean squared error by the variance, and forgive no critic that is "
                "too high everywhere: the variance of R − V is wanted. (Besides, `var()` divides "
                "by one less than the number of its elements. In a quotient of two such variances "
                "that cancels, here it does not.)",
            ),
            Wrong(
                each_environment_by_itself,
                "You take the share of each environment and average over them. Var runs over all "
                "T·N numbers at once: no `dim`.",
            ),
            Wrong(
                share_of_the_values,
                "You divide by the variance of the values. What is to be explained are the "
                "returns: divide by theirs.",
            ),
            Wrong(
                ratio_of_variances,
                "This compares how much R and V vary, not whether they vary together: a critic "
                "that says the opposite of the truth gets 1. Look at the variance of R − V.",
            ),
            Wrong(
                standard_deviations,
                "These are standard deviations. Variances are their squares.",
            ),
            Wrong(
                squared_correlation,
                "This is the squared correlation, which forgives a wrong scale: a critic that says "
                "twice what is right, or the opposite, gets 1. Look at the variance of R − V.",
            ),
            Wrong(
                divides_by_zero,
                "Where the returns do not vary there is nothing to explain, and this divides by "
                "0. Return NaN there, on purpose.",
            ),
            Wrong(
                zero_where_there_is_no_answer,
                "Where the returns do not vary you answer 0, which says that the critic is bad. "
                "The question has no answer there: return NaN.",
            ),
        ),
        hints=(
            "What is left of the returns when what the critic says is taken away? How much does it "
            "vary, beside the returns themselves?",
            (
                "Two variances, each with .var(correction=0): of returns − values, and of the "
                "returns. First ask whether the second is 0."
            ),
            (
                "1 - (returns - values).var(correction=0) / returns.var(correction=0), and "
                "math.nan where the denominator is 0"
            ),
        ),
    ),
    Exercise(
        id="3.4",
        title="bug hunt: a weight that does nothing",
        reference=full_loss,
        start=full_loss_with_a_bug,
        cases=_full_loss_cases,
        wrong=(
            Wrong(
                full_loss_with_a_bug,
                "The bonus still pushes nothing: with π a constant, the gradient of −Σ π log π is "
                "exactly zero, although log π has one. Which of the two lines under no_grad "
                "belongs there, and which does not?",
            ),
            Wrong(
                advantages_attached,
                "The bonus is connected now. But the advantages are too: the policy's part would "
                "move the critic. They stay constants; only π was wrongly cut.",
            ),
            Wrong(
                sign_turned,
                "You turned the bonus's sign. It was right: a loss is made small, so the entropy "
                "is subtracted. And the bonus still has no gradient at all.",
            ),
            Wrong(
                sign_turned_and_connected,
                "The bonus is connected now, but you also turned its sign, which was right: a loss "
                "is made small, so the entropy is subtracted.",
            ),
            Wrong(
                logarithm_of_a_softmax,
                "The bonus is connected now, but with the logarithm of a softmax it is NaN as soon "
                "as the policy is certain. log_pi was right as it was.",
            ),
            Wrong(
                bonus_summed_in_full,
                "The bonus is connected now, but you made a sum of the mean, which was right.",
            ),
        ),
        hints=(
            (
                "The number is right and the weight does nothing. What does an optimiser see of a "
                "number?"
            ),
            "Compute the gradient of the entropy alone with respect to the logits.",
            "Under torch.no_grad() stand two lines. One of them must not be there.",
        ),
    ),
)
