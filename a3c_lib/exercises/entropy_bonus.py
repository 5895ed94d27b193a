"""Chapter 03: the exercises of "The entropy bonus".

An exercise's reference is the package's own function where the package has it.
"""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Categorical

from a3c_lib.actor_critic import Loss, actor_critic_loss
from a3c_lib.exercises.engine.cases import Answer, Case, Exercise, Wrong, heeds, ignores
from a3c_lib.lessons import explained_variance
from a3c_lib.losses import a2c_loss, entropy

# 3.1 Entropy


def entropy_in_steps(logits: Tensor) -> Tensor:
    log_pi = logits.log_softmax(dim=-1)
    pi = log_pi.exp()
    surprise = -log_pi
    H: Tensor = (pi * surprise).sum(dim=-1)
    return H


def log_of_softmax(logits: Tensor) -> Tensor:
    pi = logits.softmax(dim=-1)
    return -(pi * pi.log()).sum(dim=-1)


def softmax_by_hand(logits: Tensor) -> Tensor:
    pi = logits.exp() / logits.exp().sum(dim=-1, keepdim=True)
    return -(pi * pi.log()).sum(dim=-1)


def zero_put_for_the_infinite(logits: Tensor) -> Tensor:
    pi = logits.softmax(dim=-1)
    return -torch.where(pi > 0, pi * pi.log(), 0.0).sum(dim=-1)


def _small_number_added(size: float) -> Answer:
    """1e-6 and the like in the logarithm."""

    def small_number_in_the_logarithm(logits: Tensor) -> Tensor:
        pi = logits.softmax(dim=-1)
        return -(pi * (pi + size).log()).sum(dim=-1)

    return small_number_in_the_logarithm


def _lower_limit(size: float) -> Answer:
    """1e-6 and the like as the least that a logarithm is taken of."""

    def probabilities_with_a_lower_limit(logits: Tensor) -> Tensor:
        pi = logits.softmax(dim=-1)
        return -(pi * pi.clamp(min=size).log()).sum(dim=-1)

    return probabilities_with_a_lower_limit


def _lower_limit_of_all(size: float) -> Answer:
    """The same, of the probabilities everywhere."""

    def probabilities_with_a_lower_limit_everywhere(logits: Tensor) -> Tensor:
        pi = logits.softmax(dim=-1).clamp(min=size)
        return -(pi * pi.log()).sum(dim=-1)

    return probabilities_with_a_lower_limit_everywhere


def distribution_of_probabilities(logits: Tensor) -> Tensor:
    H: Tensor = Categorical(probs=logits.softmax(dim=-1)).entropy()
    return H


def _enlarged(answer: Answer, logits: Tensor, factor: float) -> Tensor:
    """So many times the entropy, so that a small number in a logarithm shows."""
    H: Tensor = answer(logits)
    return factor * H if isinstance(H, Tensor) else H


def _entropy_cases() -> list[Case]:
    levels = torch.tensor([[300.0, 299.0, 0.0], [-300.0, -301.0, -299.0]])
    rare = torch.full((1_001,), -32.2, dtype=torch.float64)  # e^−32.2 is 1e-14
    rare[0] = 0
    return [
        Case("on paper: π = (0.9, 0.1)", _leaf(torch.tensor([0.9, 0.1]).log())),
        Case("one of two is certain", _leaf(torch.tensor([200.0, 0.0]))),
        Case("a uniform policy with large logits", _leaf(torch.full((3,), 300.0))),
        Case("2 steps of one environment", _leaf(torch.randn(2, 1, 3))),
        Case("3 steps, 2 environments, 4 actions", _leaf(torch.randn(3, 2, 4))),
        Case("2000 actions, all as likely", _leaf(torch.zeros(2_000))),
        Case("large logits in one row, small ones in the other", _leaf(levels)),
        Case("logits with three axes in front of the actions", _leaf(torch.randn(2, 1, 2, 3))),
        Case(
            "one of two is certain; a million times the entropy, which is exactly 0",
            _leaf(torch.tensor([200.0, 0.0])),
            1e6,
            probe=_enlarged,
        ),
        Case(
            "one action nearly certain, 1000 others with 1e-14 each; 1e8 times the entropy",
            _leaf(rare),
            1e8,
            probe=_enlarged,
        ),
        Case("one of two is certain, logits 1000 apart", _leaf(torch.tensor([1000.0, 0.0]))),
    ]


# 3.2 The loss with the bonus

DEFAULT_WEIGHTS = 0.5, 0.01


def _to_be_differentiated(
    answer: Any,
    logits: Tensor,
    values: Tensor,
    actions: Tensor,
    returns: Tensor,
    value_weight: float = 0.5,
    entropy_weight: float = 0.01,
) -> Any:
    """The loss. Of its total the gradients count; the parts are for looking at, and it is all the
    same whether they are cut from the graph."""
    weights = value_weight, entropy_weight
    loss = answer(
        logits, values, actions, returns, *(weights if weights != DEFAULT_WEIGHTS else ())
    )
    if not isinstance(loss, Loss):
        return loss
    parts = (part.detach() if isinstance(part, Tensor) else part for part in loss[1:])
    return Loss(loss.total, *parts)


def loss_with_bonus(
    logits: Tensor,
    values: Tensor,
    actions: Tensor,
    returns: Tensor,
    value_weight: float = 0.5,
    entropy_weight: float = 0.01,
) -> Loss:
    loss = actor_critic_loss(logits, values, actions, returns, value_weight)
    bonus = entropy(logits).mean()
    total = loss.total - entropy_weight * bonus
    return loss._replace(total=total, entropy=bonus)


def _loss_cases() -> list[Case]:
    on_paper = Case(
        "on paper: π = (0.9, 0.1), a = 1, V = 2, R = 3",
        _leaf(torch.tensor([[[0.9, 0.1]]]).log()),
        _leaf(torch.tensor([[2.0]])),
        torch.tensor([[1]]),
        _leaf(torch.tensor([[3.0]])),
        probe=_to_be_differentiated,
        value_weight=0.5,
        entropy_weight=0.5,
    )
    others: dict[str, tuple[Any, ...]] = {
        "2 steps, certain in one of them": (*_certain_once(), 0.5, 0.2),
        "3 steps of 2 environments": (*_random_rollout(3, 2, 4), 0.3, 0.2),
        "5 steps, the default weights": _random_rollout(5, 1, 2),
        "2 steps with large returns": (*_large_returns(), 0.5, 0.2),
        "2 steps, the critic and the bonus without weight": (
            *_random_rollout(2, 2, 3),
            0.0,
            0.0,
        ),
    }
    return [
        on_paper,
        *(Case(label, *args, probe=_to_be_differentiated) for label, args in others.items()),
    ]


# 3.3 Explained variance


def share_explained(returns: Tensor, values: Tensor) -> float:
    variance = returns.var(correction=0)
    left = (returns - values).var(correction=0)
    if returns.min() == returns.max():
        return math.nan
    return 1 - float(left / variance)


def each_environment_by_itself(returns: Tensor, values: Tensor) -> float:
    if returns.var(correction=0) == 0:
        return math.nan
    left = (returns - values).var(dim=0, correction=0)
    return 1 - float((left / returns.var(dim=0, correction=0)).mean())


def numpys_variance_is_0(returns: Tensor, values: Tensor) -> float:
    R, V = returns.numpy(), values.numpy()
    return float(1 - np.var(R - V) / np.var(R)) if np.var(R) != 0 else math.nan


def squared_correlation(returns: Tensor, values: Tensor) -> float:
    R, V = returns - returns.mean(), values - values.mean()
    if (R == 0).all():
        return math.nan
    if (V == 0).all():
        return 0.0
    return float((R * V).mean() ** 2 / (R.square().mean() * V.square().mean()))


def _explained_variance_cases() -> list[Case]:
    R = torch.tensor([[1.0], [2.0], [3.0]])
    both = torch.tensor([[1.0, 2.0]]).expand(3, 2).clone()
    exact = torch.full((7, 1), 0.1, dtype=torch.float64)
    return [
        # First: of failing cases of one size the first is shown, and this fault hides all others.
        Case("returns that do not vary", torch.full((3, 1), 2.0), R),
        # Variances that are computed from these are not exactly 0: by torch, by numpy, in float64.
        Case("ten returns of 0.3", torch.full((10, 1), 0.3), torch.linspace(0, 1, 10)[:, None]),
        Case("three returns of 0.9", torch.full((3, 1), 0.9), R),
        Case("seven returns of 0.1, as float64", exact, torch.linspace(0, 1, 7)[:, None].double()),
        Case("a perfect critic", R, R.clone()),
        Case("a critic that says 2 everywhere", R, torch.full((3, 1), 2.0)),
        Case("a critic that is 1 too high everywhere", R, R + 1),
        Case("a critic that says twice what is right", R, 2 * R),
        Case("a critic that says the opposite", R, -R),
        Case("returns that vary little", 0.01 * R, torch.tensor([[0.01], [0.01], [0.02]])),
        Case("5 steps of 2 environments", torch.randn(5, 2), torch.randn(5, 2)),
        Case("one step of 3 environments", torch.tensor([[1.0, 2.0, 4.0]]), R.T),
        Case("one step of one environment", R[:1], R[1:2]),
        Case("returns that vary from one environment to the other alone", both, torch.randn(3, 2)),
        Case("returns of a millionth of a millionth", 1e-12 * R, 1e-12 * R.roll(1, 0)),
        Case(
            "returns that vary little beside their mean",
            100_000 + R / 64,
            100_000 + torch.tensor([[1.0], [1.0], [2.0]]) / 64,
        ),
        Case("a critic that is worth less than none", R, 10 * R.flip(0)),
        Case("returns below 0", -R, -R.roll(1, 0)),
        Case("2 steps of 2 environments", R[:2] * R[:2].T, R[:2].T + R[:2], probe=_plain),
    ]


def _plain(answer: Answer, returns: Tensor, values: Tensor) -> dict[str, Any]:
    """The share, and whether it is a plain number."""
    share = answer(returns, values)
    return {
        "the share": share,
        "is it a Python float, and no tensor?": isinstance(share, float | np.floating),
    }


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


def _full_loss_cases() -> list[Case]:
    one = torch.ones(1, 1)
    undecided = _leaf(torch.zeros(1, 1, 2_000)), _leaf(one), one.long(), _leaf(2 * one)
    cases: dict[str, tuple[Any, ...]] = {
        "3 steps of 2 environments": (*_random_rollout(3, 2, 4), 0.3, 0.2),
        "5 steps, the default weights": _random_rollout(5, 1, 2),
        "2 steps, and all for the bonus": (*_random_rollout(2, 1, 2), 0.0, 10.0),
        "2 steps, certain in one of them": (*_certain_once(), 0.5, 0.2),
        "2 steps with large returns": (*_large_returns(), 0.5, 0.2),
        "2 steps, the bonus without weight": (*_random_rollout(2, 2, 3), 0.5, 0.0),
        "1 step with 2000 actions, all as likely": (*undecided, 0.5, 0.2),
    }
    return [Case(label, *args, probe=_to_be_differentiated) for label, args in cases.items()]


def _random_rollout(T: int, N: int, A: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    logits, values, returns = torch.randn(T, N, A), torch.randn(T, N), torch.randn(T, N)
    return _leaf(logits), _leaf(values), torch.randint(A, (T, N)), _leaf(returns)


def _certain_once() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Two steps of one environment. In the first, one π(a) is 0 in floating point."""
    logits = torch.tensor([[[200.0, 0.0]], [[0.5, -0.5]]])
    values, returns = torch.tensor([[1.0], [0.5]]), torch.tensor([[2.0], [1.0]])
    return _leaf(logits), _leaf(values), torch.tensor([[0], [1]]), _leaf(returns)


def _large_returns() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Two steps of one environment, with returns far from what the critic says; in the first, an
    action that is next to impossible was taken."""
    logits, values = (
        torch.tensor([[[0.0, -200.0]], [[300.0, 299.0]]]),
        torch.tensor([[1.0], [-2.0]]),
    )
    returns = torch.tensor([[1_000.0], [-500.0]])
    return _leaf(logits), _leaf(values), torch.tensor([[1], [0]]), _leaf(returns)


def _leaf(tensor: Tensor) -> Tensor:
    """The same numbers, in a tensor of its own that wants a gradient."""
    return tensor.detach().clone().requires_grad_()


def _moved(logits: Tensor) -> Tensor:
    """With another number in the first place."""
    other = logits.detach().clone()
    other[(0,) * other.dim()] += 1
    return other


EXERCISES = (
    Exercise(
        id="3.1",
        title="entropy",
        reference=entropy,
        form=entropy_in_steps,
        cases=_entropy_cases,
        wrong=(
            Wrong(
                {"surprise = -log_pi": "surprise = log_pi"},
                "This is Σ π log π, which is negative. Entropy is minus that: positive, and the "
                "larger the less decided the policy is.",
            ),
            Wrong(
                {"return H": "return H / math.log(2)"},
                "These are bits: the logarithm is to base 2. The book counts in nats, with the "
                "natural logarithm; 1 bit is 0.693 nats.",
            ),
            Wrong(
                {".sum(dim=-1)": ".mean(dim=-1)"},
                "This is the mean over the actions. Entropy is their sum: π(a) is already the "
                "weight of each action in a mean of −log π.",
            ),
            Wrong(
                {".sum(dim=-1)": ".sum()"},
                "This is one number for the whole batch. Each row of logits is a policy of its own "
                "and has its own entropy: sum over the last axis only.",
            ),
            Wrong(
                {
                    "log_pi = logits.log_softmax(dim=-1)": "pi = logits.softmax(dim=-1)",
                    "pi = log_pi.exp()": "log_pi = pi.log()",
                },
                "Where the policy is certain this is NaN: some π(a) is 0 in floating point, its "
                "logarithm is −inf, and 0 · −inf is NaN. `log_softmax` gives log π without "
                "rounding π to 0 first.",
                also=(
                    log_of_softmax,
                    {
                        "log_pi = logits.log_softmax(dim=-1)": "pi = logits.double()"
                        ".softmax(dim=-1)",
                        "pi = log_pi.exp()": "log_pi = pi.log()",
                    },
                ),
            ),
            Wrong(
                {"return H": "return H.mean()"},
                "The entropies are averaged to one number. Each row is a policy and has its own: "
                "the axes in front of the actions stay.",
            ),
            Wrong(
                {
                    "log_pi = logits.log_softmax(dim=-1)": "softmax = logits.softmax(dim=-1)\n    "
                    "log_pi = torch.where(softmax > 0, "
                    "softmax.log(), 0.0)",
                    "log_pi.exp()": "softmax",
                },
                "Where the policy is certain, the gradient of the entropy is NaN. You "
                "put a 0 in the place of 0 · log 0; on the way back autograd still goes through "
                "that logarithm, and 0 · ∞ is NaN. Let no infinity arise: `log_softmax` gives log "
                "π, which is finite.",
                also=(zero_put_for_the_infinite,),
            ),
            Wrong(
                _small_number_added(1e-6),
                "The small number inside the logarithm, added or as a lower limit, keeps it "
                "finite, and it changes the entropy a little: with many rare actions that is more "
                "than rounding. `log_softmax` needs no such number.",
                also=(
                    *map(_small_number_added, (1e-5, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12)),
                    *map(_lower_limit, (1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12)),
                    *map(_lower_limit_of_all, (1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12)),
                ),
            ),
            Wrong(
                {"return H": "return H.clamp(min=1e-6)"},
                "What is small at the end is replaced by another number. The entropy of a policy "
                "that is certain is 0, and one of nearly 0 counts as it is: return H itself.",
                also=(
                    {"return H": "return H.clamp(min=1e-5)"},
                    {"return H": "return H.clamp(min=1e-8)"},
                    {"return H": "return H * (H > 1e-3)"},
                    {"return H": "return H * (H > 1e-6)"},
                ),
            ),
            Wrong(
                distribution_of_probabilities,
                "Categorical keeps probabilities that it is given a little away from 0 and 1, so "
                "that the entropy of an agent that is certain is not exactly 0. Give it the "
                "logits: Categorical(logits=logits), or use `log_softmax`.",
            ),
            Wrong(
                {
                    "log_pi = logits.log_softmax(dim=-1)": "logits = logits - logits.max()\n    "
                    "log_pi = logits - logits.exp().sum(dim=-1, keepdim=True).log()"
                },
                "You subtract the largest logit of the whole batch. In a row whose own logits are "
                "far below it every exponential is 0, and the logarithm of their sum −inf. Each "
                "row has a largest of its own; `log_softmax` takes it.",
            ),
            Wrong(
                {"logits.log_softmax(dim=-1)": "logits.clamp(-20, 20).log_softmax(dim=-1)"},
                "The logits are cut off above and below. Two large logits become one and the same, "
                "and the policy another one. `log_softmax` takes logits of any size.",
                also=(
                    {"logits.log_softmax(dim=-1)": "logits.clamp(-10, 10).log_softmax(dim=-1)"},
                    {"logits.log_softmax(dim=-1)": "logits.clamp(-50, 50).log_softmax(dim=-1)"},
                    {"logits.log_softmax(dim=-1)": "logits.clamp(-80, 80).log_softmax(dim=-1)"},
                    {"logits.log_softmax(dim=-1)": "logits.clamp(max=80).log_softmax(dim=-1)"},
                ),
            ),
            Wrong(
                softmax_by_hand,
                "Where the logits are large this is NaN: exp(300) is inf in floating point, and "
                "inf / inf is NaN. `log_softmax` subtracts the largest logit first.",
            ),
            Wrong(
                {"surprise = -log_pi": "surprise = -logits"},
                "You used logits as if they were log π. They are so only up to a constant: log π "
                "is what `log_softmax` makes of them.",
            ),
            Wrong(
                {"log_pi = logits.log_softmax(dim=-1)": "log_pi = logits"},
                "You took the logits for log π, and their exp() for π. In the example on paper "
                "they "
                "are, but logits may be any numbers, and their exp() need not add up to 1. "
                "`log_softmax` makes log π of them.",
            ),
            Wrong(
                {"(pi * surprise).sum(dim=-1)": "surprise.mean(dim=-1)"},
                "Here every action's surprise −log π(a) counts the same. Entropy is the mean over "
                "what the policy does: weigh each surprise by π(a), and add up.",
            ),
            Wrong(
                {"(pi * surprise)": "surprise"},
                "You add up the surprises −log π(a) as they are. Weigh each by π(a), for that is "
                "how often it is met.",
            ),
            Wrong(
                {"log_pi.exp()": "log_pi.exp().detach()"},
                "π is cut out of the graph, and the entropy's gradient flows through π: what is "
                "left of it is zero. Nothing here is a constant (no detach, no_grad, .item() or "
                ".numpy()).",
                also=(
                    {
                        "log_pi = logits.log_softmax(dim=-1)": "log_pi = "
                        "logits.log_softmax(dim=-1).detach()"
                    },
                ),
            ),
            Wrong(
                {"log_softmax(dim=-1)": "log_softmax(dim=0)"},
                "The softmax runs over the first axis. The actions are the last one: dim=-1.",
            ),
            Wrong(
                {"log_softmax(dim=-1)": "log_softmax(dim=0)", ".sum(dim=-1)": ".sum(dim=0)"},
                "Softmax and sum run over the first axis. With a single row that is the right "
                "one; in a batch the actions are the last axis: dim=-1.",
            ),
            Wrong(
                {".sum(dim=-1)": ".sum(dim=0)"},
                "The sum runs over the first axis. The actions are the last one: dim=-1.",
            ),
            Wrong(
                {".sum(dim=-1)": ".mean()"},
                "This is one number for the whole batch. Each row of logits is a policy of its "
                "own: sum over the last axis only.",
            ),
            Wrong(
                {"return H": "return H / math.log(logits.shape[-1])"},
                "You divide by log A, so that a uniform policy has 1. The book's entropy is in "
                "nats: log A for a uniform policy.",
            ),
            Wrong(
                {"(pi * surprise).sum(dim=-1)": "surprise.amin(dim=-1)"},
                "This is the surprise of the likeliest action. Entropy is the mean over all "
                "actions, each weighed by its π.",
            ),
            Wrong(
                {"surprise = -log_pi": "surprise = 1 - pi"},
                "This is 1 − Σ π², the Gini impurity. Entropy weighs −log π.",
            ),
            Wrong(
                {"(pi * surprise)": "(surprise * surprise.exp())"},
                "Each surprise is weighed by 1/π. It is weighed by π: what is rare is rarely met.",
            ),
            Wrong(
                {"log_pi.exp()": "logits.softmax(dim=-1).softmax(dim=-1)"},
                "A softmax is taken twice for π. The softmax of the logits is π already.",
                also=(
                    {
                        "log_pi = logits.log_softmax(dim=-1)": "log_pi = "
                        "logits.softmax(dim=-1).log_softmax(dim=-1)"
                    },
                ),
            ),
            Wrong(
                {".sum(dim=-1)": ".sum(dim=-1, keepdim=True)"},
                "The result keeps an axis of length 1, (*B, 1). Asked for is one number for each "
                "row, (*B).",
            ),
        ),
        properties=(
            heeds(
                "Adding the same number to all logits of a row changes the entropy. To a softmax "
                "that "
                "makes no difference: logits are log π only up to a constant.",
                lambda given: {"logits": given.logits + 1},
            ),
            heeds(
                "A row's entropy changes with another row's logits. Each row is a policy of its "
                "own: "
                "everything runs over the last axis.",
                lambda given: {"logits": _moved(given.logits)} if given.logits.dim() > 1 else {},
            ),
            heeds(
                "The order of the actions matters. To the entropy all actions are alike.",
                lambda given: {"logits": given.logits.flip(-1)},
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
        praise="Finite for every policy, and so is its gradient. How large is it for a uniform "
        "choice among 18 actions?",
        minutes=10,
        difficulty=2,
    ),
    Exercise(
        id="3.2",
        title="the loss with the bonus",
        reference=a2c_loss,
        form=loss_with_bonus,
        cases=_loss_cases,
        wrong=(
            Wrong(
                {"loss.total - entropy": "loss.total + entropy"},
                "The sign is wrong: you add the bonus to a loss, and a loss is made small. So this "
                "agent is paid for making up its mind. Subtract.",
            ),
            Wrong(
                {"total = loss.total - entropy_weight * bonus": "total = loss.total"},
                "`total` does not contain the bonus, and `total` is all that is differentiated: "
                "`_replace(total=…)` gives a new Loss and leaves the old one as it is, so return "
                "the new one.",
            ),
            Wrong(
                {"bonus = entropy(logits).mean()": "bonus = entropy(logits).sum()"},
                "You add up the entropy over the rollout's steps, while the other parts are means. "
                "The bonus then weighs T·N times as much as you think. Take the mean.",
            ),
            Wrong(
                {"entropy_weight * bonus": "entropy_weight * entropy(logits).sum()"},
                "In `total` the entropy is summed over the rollout's steps, while the other parts "
                "are means. The bonus then weighs T·N times as much as you think. Take the mean.",
            ),
            Wrong(
                {"entropy_weight * bonus": "entropy_weight * bonus.detach()"},
                "The bonus has no gradient: it is detached, and pushes nothing. It is a constant "
                "only for whoever looks at the number.",
                also=(
                    {"bonus = entropy(logits).mean()": "bonus = entropy(logits).mean().detach()"},
                ),
            ),
            Wrong(
                {"entropy=bonus": "entropy=entropy_weight * bonus"},
                "`entropy` is to be H itself, in nats: a number that means the same whatever the "
                "weight is. Apply the weight in `total` only.",
            ),
            Wrong(
                {"loss.total - entropy": "loss.policy + loss.value - entropy"},
                "You put `total` together anew and lost value_weight on the way. Take chapter 01's "
                "total, and subtract.",
            ),
            Wrong(
                {"returns, value_weight)": "returns)"},
                "value_weight never reaches chapter 01's loss, which then uses its own default. "
                "Hand it on.",
            ),
            Wrong(
                {"entropy_weight * bonus": "bonus"},
                "The bonus is subtracted without its weight. What a nat is worth is "
                "entropy_weight: multiply by it in `total`.",
            ),
            Wrong(
                {"(total=total, entropy": "(total=total, value=value_weight * loss.value, entropy"},
                "`value` is to be the mean of (R − V)² itself: a number that means the same "
                "whatever the weight is. Apply the weight in `total` only.",
            ),
            Wrong(
                {
                    "bonus = entropy(logits).mean()": "bonus = -logits.log_softmax(-1).gather(-1, "
                    "actions[..., None]).squeeze(-1).mean()"
                },
                "This is −log π of the action that was taken: the surprise of one action. Entropy "
                "is the mean over all actions, each weighed by its π. Your `entropy` computes it.",
            ),
            Wrong(
                {
                    "actions, returns, value_weight)": "actions, returns + entropy_weight * "
                    "entropy(logits), value_weight)",
                    "total = loss.total - entropy_weight * bonus": "total = loss.total",
                },
                "You pay the entropy as if it were a reward, within the returns. The returns are "
                "constants, so no gradient of H comes from them, and the critic would learn to "
                "expect the pay. The bonus is a part of its own: it is subtracted from `total`, "
                "and the returns stay as they are.",
                also=(
                    {
                        "actions, returns, value_weight)": "actions, returns + entropy_weight * "
                        "entropy(logits), value_weight)"
                    },
                ),
            ),
            Wrong(
                {
                    "loss._replace(total=total, entropy=bonus)": "Loss(loss.policy, loss.value, "
                    "bonus, total)"
                },
                "The numbers of the Loss stand in another order. `total` comes first, then "
                "`policy`, `value` and `entropy`; by their names they may come in any.",
            ),
            Wrong(
                {"entropy_weight: float = 0.01": "entropy_weight: float = 0.1"},
                "Where a weight is not handed over, another number is used than the text has. The "
                "defaults are value_weight = 0.5 and entropy_weight = 0.01.",
                also=(
                    {"entropy_weight: float = 0.01": "entropy_weight: float = 0.0"},
                    {"entropy_weight: float = 0.01": "entropy_weight: float = 0.05"},
                    {"value_weight: float = 0.5": "value_weight: float = 1.0"},
                    {"value_weight: float = 0.5": "value_weight: float = 0.25"},
                ),
            ),
            Wrong(
                {"entropy_weight * bonus": "(entropy_weight or 0.01) * bonus"},
                "A weight of 0 is taken for none, and the default takes its place. 0 is a weight "
                "like any other: use both weights as they are.",
                also=(
                    {"returns, value_weight)": "returns, value_weight or 0.5)"},
                    {
                        "entropy_weight * bonus": "(entropy_weight or 0.01) * bonus",
                        "returns, value_weight)": "returns, value_weight or 0.5)",
                    },
                ),
            ),
            Wrong(
                {
                    "loss._replace(total=total, entropy=bonus)": "Loss(*(actions.numel() * part "
                    "for part in "
                    "loss._replace(total=total, "
                    "entropy=bonus)))"
                },
                "These are sums over the rollout's steps. The gradient then grows with T·N. Take "
                "means.",
            ),
            Wrong(
                {
                    "bonus = entropy(logits).mean()": "pi = logits.softmax(dim=-1)\n    "
                    "bonus = -(pi * pi.log()).sum(dim=-1).mean()"
                },
                "Where the policy is certain somewhere, a π(a) is 0 in floating point, "
                "0 · log 0 is NaN, and so is the whole loss. Take `entropy` from exercise 3.1.",
            ),
            Wrong(
                advantages_attached,
                "The advantage A = R − V is a weight in the policy's part, a constant: without "
                "its `detach()` that part moves the critic.",
            ),
            Wrong(
                {"return loss._replace(total=total, entropy=bonus)": "return total"},
                "You return the total alone. The parts are needed too, to be looked at: return "
                "the Loss, with `total` and `entropy` replaced.",
            ),
            Wrong(
                {"loss.total - entropy": "entropy"},
                "`total` is the bonus alone, and not even with its sign. Subtract it from chapter "
                "01's total.",
                also=({"loss.total - entropy": "-entropy"},),
            ),
            Wrong(
                {"loss.total - entropy": "loss.policy - entropy"},
                "The critic's part is missing in `total`. Take chapter 01's total, and subtract.",
            ),
            Wrong(
                {"entropy_weight * bonus": "0.01 * bonus"},
                "The weight is always 0.01. entropy_weight is an argument, and 0.01 only its "
                "default: use it.",
            ),
            Wrong(
                {"entropy_weight * bonus": "value_weight * bonus"},
                "The bonus is weighed with value_weight. Its own weight is entropy_weight.",
            ),
            Wrong(
                {"entropy=bonus": "entropy=-bonus"},
                "`entropy` is reported with a minus. H itself is positive.",
            ),
            Wrong(
                {
                    "(total=total, entropy=bonus)": "(total=total, policy=loss.policy - "
                    "entropy_weight * bonus, entropy=bonus)"
                },
                "The bonus is in `policy` too. It is a part of its own: only `total` contains it.",
            ),
            Wrong(
                {"entropy_weight * bonus": "entropy_weight**2 * bonus"},
                "The weight is applied twice: the bonus counts entropy_weight² times H.",
            ),
            Wrong(
                {
                    "bonus = entropy(logits).mean()": "bonus = entropy(logits).mean() / "
                    "math.log(logits.shape[-1])"
                },
                "You divide the entropy by log A. Take it as it is, in nats.",
            ),
            Wrong(
                {
                    "loss.total - entropy_weight * bonus": "loss.total - entropy_weight * "
                    "bonus.exp()"
                },
                "The bonus goes through an exponential. It is the entropy itself, times its "
                "weight.",
            ),
        ),
        properties=(
            ignores(
                "entropy_weight has no effect: `total` is to contain the bonus, times that weight.",
                lambda given: {"entropy_weight": given.entropy_weight + 0.3},
            ),
            ignores(
                "value_weight has no effect: hand it on to chapter 01's loss.",
                lambda given: {"value_weight": given.value_weight + 0.25},
            ),
            ignores(
                "It makes no difference which actions were taken.",
                lambda given: {"actions": (given.actions + 1) % given.logits.shape[-1]},
            ),
            heeds(
                "`entropy` changes with the returns, the values or the actions. It is a property "
                "of "
                "the policy alone: entropy(logits).mean().",
                lambda given: {
                    "returns": given.returns + torch.arange(1.0, 1 + len(given.returns))[:, None],
                    "actions": (given.actions + 1) % given.logits.shape[-1],
                },
            ),
            heeds(
                "A part changes with the weights. They are applied in `total` only.",
                lambda given: {
                    "entropy_weight": given.entropy_weight + 0.3,
                    "value_weight": given.value_weight + 0.25,
                },
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
        praise="This is the loss of A3C and of A2C. From here on only the returns and the memory "
        "change.",
        parts=("policy", "value", "entropy", "total"),
        minutes=10,
        difficulty=2,
    ),
    Exercise(
        id="3.3",
        title="explained variance",
        reference=explained_variance,
        form=share_explained,
        cases=_explained_variance_cases,
        wrong=(
            Wrong(
                {"1 - float": "float"},
                "This is the share that is *not* explained: 0 for a perfect critic. Take it from "
                "1.",
            ),
            Wrong(
                {"(returns - values).var(correction=0)": "(returns - values).square().mean()"},
                "You divide the mean squared error by the variance. A critic that is 1 too high "
                "everywhere has a large squared error, but it explains all that varies: the "
                "variance of R − V is 0.",
            ),
            Wrong(
                {
                    "(returns - values).var(correction=0)": "(returns - values).square().mean()",
                    "variance = returns.var(correction=0)": "variance = returns.var()",
                },
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
                {"variance = returns.var": "variance = values.var"},
                "You divide by the variance of the values. What is to be explained are the "
                "returns: divide by theirs.",
                also=({"left / variance": "left / values.var(correction=0)"},),
            ),
            Wrong(
                {"1 - float(left / variance)": "float(values.var(correction=0) / variance)"},
                "This compares how much R and V vary, not whether they vary together: a critic "
                "that says the opposite of the truth gets 1. Look at the variance of R − V.",
                also=(
                    {
                        "(returns - values).var(correction=0)": "(returns.var(correction=0) - "
                        "values.var(correction=0))"
                    },
                ),
            ),
            Wrong(
                {"float(left / variance)": "float((left / variance).sqrt())"},
                "These are standard deviations. Variances are their squares.",
            ),
            Wrong(
                squared_correlation,
                "This is the squared correlation, which forgives a wrong scale: a critic that says "
                "twice as much, or the opposite, gets 1. Look at the variance of R − V.",
            ),
            Wrong(
                {"    if returns.min() == returns.max():\n        return math.nan\n": ""},
                "Where the returns do not vary there is nothing to explain, and this divides by "
                "0. Return NaN there, on purpose.",
            ),
            Wrong(
                {"returns.min() == returns.max()": "variance == 0"},
                "Returns that are all the same may have a computed variance of some 1e-16, and "
                "then a number comes out that means nothing. Compare the returns themselves.",
                also=(
                    {"returns.min() == returns.max()": "returns.var() == 0"},
                    {"returns.min() == returns.max()": "returns.std() == 0"},
                    numpys_variance_is_0,
                ),
            ),
            Wrong(
                {"return math.nan": "return 0.0"},
                "Where the returns do not vary you answer 0, which says that the critic is bad. "
                "The question has no answer there: return NaN.",
            ),
            Wrong(
                {"return math.nan": "return None"},
                "Where the returns do not vary you return None. The question has no answer there: "
                "return NaN, math.nan, with which whoever reads it can still compute.",
                also=({"return math.nan": "return"},),
            ),
            Wrong(
                {"1 - float(left / variance)": "1 - left / variance"},
                "This is a tensor of one number. Asked for is a Python float: float(…), or "
                "`.item()`.",
            ),
            Wrong(
                {"returns.min() == returns.max()": "variance < 1e-8"},
                "Returns that vary by little are taken for returns that do not vary. EV has no "
                "unit: where rewards are small, so are all variances. Compare the returns "
                "themselves, exactly.",
                also=(
                    {"returns.min() == returns.max()": "variance < 1e-6"},
                    {"returns.min() == returns.max()": "variance < 1e-12"},
                    {"returns.min() == returns.max()": "returns.std() < 1e-8"},
                    {"returns.min() == returns.max()": "returns.std() < 1e-6"},
                    {
                        "returns.min() == returns.max()": "torch.allclose(returns, "
                        "returns.flatten()[0])"
                    },
                ),
            ),
            Wrong(
                {"returns.min() == returns.max()": "(returns == returns[0]).all()"},
                "`returns[0]` is the first row, one return of each environment. Each environment "
                "is compared with itself, and returns that vary from one to another count as all "
                "the same. One number is enough: returns[0, 0].",
            ),
            Wrong(
                {"return math.nan": "return 1.0"},
                "Where the returns do not vary you answer 1, which says that the critic is "
                "perfect. The question has no answer there: return NaN.",
            ),
            Wrong(
                {
                    "left / variance": "left / (variance + 1e-8)",
                    "    if returns.min() == returns.max():\n        return math.nan\n": "",
                },
                "A small number in the denominator hides the division by 0, and the answer is a "
                "huge number. Where the returns do not vary, return NaN.",
                also=(
                    {
                        "left / variance": "left / (variance + 1e-6)",
                        "    if returns.min() == returns.max():\n        return math.nan\n": "",
                    },
                    {
                        "left / variance": "left / variance.clamp(min=1e-8)",
                        "    if returns.min() == returns.max():\n        return math.nan\n": "",
                    },
                ),
            ),
            Wrong(
                {"left / variance": "left / (variance + 1e-8)"},
                "A small number in the denominator changes the share where the returns vary by "
                "little. EV has no unit: where rewards are small, all variances may be smaller "
                "than that number. Divide by the variance itself.",
                also=(
                    {"left / variance": "left / (variance + 1e-6)"},
                    {"left / variance": "left / (variance + 1e-12)"},
                    {"left / variance": "left / variance.clamp(min=1e-8)"},
                ),
            ),
            Wrong(
                {"(returns: Tensor, values: Tensor)": "(values: Tensor, returns: Tensor)"},
                "Returns and values are exchanged. explained_variance(returns, values) gets the "
                "returns first, and it is their variance that is to be explained.",
            ),
            Wrong(
                {"variance = returns.var(correction=0)": "variance = returns.var()"},
                "The two variances are not of the same kind: one divides by the number of "
                "elements, the other by one less. Use correction=0 in both.",
                also=({"(returns - values).var(correction=0)": "(returns - values).var()"},),
            ),
            Wrong(
                {"(returns - values).var(correction=0)": "(returns + values).var(correction=0)"},
                "What is left when the critic's word is taken away is R − V, not R + V.",
            ),
            Wrong(
                {"1 - float(left / variance)": "float(left / variance) - 1"},
                "The sign is wrong: 1 for a perfect critic, 0 for a constant one.",
            ),
            Wrong(
                {"1 - float(left / variance)": "1 - float(variance / left) if left else 1.0"},
                "The quotient is upside down: the variance of R − V is divided by that of R.",
            ),
            Wrong(
                {"1 - float(left / variance)": "max(0.0, 1 - float(left / variance))"},
                "What is negative is cut off at 0. A critic that is worse than a constant one has "
                "a negative share, and that is worth seeing.",
            ),
            Wrong(
                {"1 - float(left / variance)": "100 * (1 - float(left / variance))"},
                "This is in percent. Asked for is the share itself: 1 for a perfect critic.",
            ),
            Wrong(
                {"1 - float": "1 + float"},
                "What is left is added to 1. It is taken from it: 1 for a perfect critic.",
            ),
            Wrong(
                {"left / variance": "left * variance"},
                "The two variances are multiplied. Divide: "
                "which share of the returns' variance is left?",
            ),
        ),
        properties=(
            heeds(
                "The share changes when the critic is too high by the same number everywhere. That "
                "does not vary: the variance of R − V forgives it, a squared error does not.",
                lambda given: {"values": given.values + 3},
            ),
            heeds(
                "The share changes when returns and values are in another unit. A quotient of "
                "variances has none.",
                lambda given: {"returns": 2 * given.returns, "values": 2 * given.values},
            ),
            heeds(
                "The order of the steps or environments matters. All T·N numbers count alike.",
                lambda given: {"returns": given.returns.flip(0), "values": given.values.flip(0)},
            ),
            ignores(
                "A critic that says the opposite gets the same share. Look at the variance of R − "
                "V.",
                lambda given: {"values": -given.values},
            ),
        ),
        hints=(
            "What is left of the returns when what the critic says is taken away? How much does it "
            "vary, beside the returns themselves?",
            (
                "Two variances, each with .var(correction=0): of returns − values, and of the "
                "returns. First ask whether all returns are the same."
            ),
            (
                "1 - (returns - values).var(correction=0) / returns.var(correction=0), and "
                "math.nan where returns.min() == returns.max()"
            ),
        ),
        praise="Now you can see whether a critic knows anything, in any unit of reward.",
        minutes=10,
        difficulty=2,
    ),
    Exercise(
        id="3.4",
        title="bug hunt: a weight that does nothing",
        reference=full_loss,
        start=full_loss_with_a_bug,
        cases=_full_loss_cases,
        wrong=(
            Wrong(
                {"pi = log_pi.exp()": "pi = log_pi.exp().detach()"},
                "The bonus still pushes nothing: with π a constant, the gradient of −Σ π log π is "
                "exactly zero, although log π has one. Which of the two lines under no_grad "
                "belongs there, and which does not?",
            ),
            Wrong(
                {"(returns - values).detach()": "returns.detach() - values"},
                "The bonus is connected now. But the advantages are too: the policy's part would "
                "move the critic. They stay constants; only π was wrongly cut.",
                also=({"(returns - values).detach()": "returns - values"},),
            ),
            Wrong(
                {
                    "pi = log_pi.exp()": "pi = log_pi.exp().detach()",
                    "- entropy_weight": "+ entropy_weight",
                },
                "You turned the bonus's sign. It was right: a loss is made small, so the entropy "
                "is subtracted. And the bonus still has no gradient at all.",
            ),
            Wrong(
                {"- entropy_weight": "+ entropy_weight"},
                "The bonus is connected now, but you also turned its sign, which was right: a loss "
                "is made small, so the entropy is subtracted.",
            ),
            Wrong(
                {"-(pi * log_pi).sum": "-(logits.softmax(-1) * logits.softmax(-1).log()).sum"},
                "The bonus is connected now, but with the logarithm of a softmax it is NaN as soon "
                "as the policy is certain. log_pi was right as it was.",
            ),
            Wrong(
                {"(pi * log_pi).sum(dim=-1).mean()": "(pi * log_pi).sum()"},
                "The bonus is connected now, but you made a sum of the mean, which was right.",
            ),
            Wrong(
                {"entropy = -(pi * log_pi).sum(dim=-1).mean()": "entropy = -taken.mean()"},
                "The entropy is now −log π of the actions that were taken. It is a mean over all "
                "actions, −Σ π log π, and was right as it was given.",
            ),
            Wrong(
                {"entropy = -(pi": "entropy = (pi"},
                "The entropy has lost its minus: H = −Σ π log π is positive. It was right as it "
                "was given.",
            ),
            Wrong(
                {"(returns.detach() - values)": "(returns - values)"},
                "A gradient flows into the returns through the critic's part. They are targets: "
                "the detach() was right.",
            ),
            Wrong(
                {"(pi * log_pi)": "(pi * (pi + 1e-6).log())"},
                "There is a small number inside the logarithm of the entropy. With many actions it "
                "shows, and log_pi, which was right as it was given, needs none.",
                also=(
                    {"(pi * log_pi)": "(pi * (pi + 1e-5).log())"},
                    {"(pi * log_pi)": "(pi * pi.clamp(min=1e-3).log())"},
                ),
            ),
            Wrong(
                {".squeeze(-1)": ".squeeze()"},
                "squeeze() takes away the axis of a single environment too. (T,) times (T, 1) is "
                "(T, T), and every log π meets every advantage. squeeze(-1) was right as it was "
                "given.",
            ),
            Wrong(
                {"taken * advantages": "taken.detach() * advantages"},
                "Now log π of the actions taken is cut from the graph, and the policy's part "
                "teaches nothing. It was right as it was given.",
            ),
            Wrong(
                {"(pi * log_pi).sum(dim=-1)": "(pi * log_pi).mean(dim=-1)"},
                "The entropy is a mean over the actions now. It is their sum, and was right as it "
                "was given.",
            ),
            Wrong({"- entropy_weight * entropy": "- entropy"}, "The bonus has lost its weight."),
        ),
        properties=(
            ignores(
                "entropy_weight has no effect.",
                lambda given: {"entropy_weight": given.entropy_weight + 0.3},
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
        praise="A number can be right and push nothing: look at gradients, not only at values.",
        parts=("policy", "value", "entropy", "total"),
        minutes=10,
        difficulty=2,
    ),
)
