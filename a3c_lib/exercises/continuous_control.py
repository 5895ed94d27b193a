"""Chapter 10: the exercises of "Continuous control and generalised advantages"."""

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus

from a3c_lib.distributions import Gaussian
from a3c_lib.exercises.engine.cases import (
    Case,
    Exercise,
    Wrong,
    heeds,
    ignores,
    scales,
)
from a3c_lib.returns import lambda_returns

# 10.1 log π and entropy


def log_pi_and_entropy(mean: Tensor, deviation: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
    """log π(a | o) and H(π) of a Gaussian with D axes.   (*B, D) each → (*B), (*B)"""
    z = (actions - mean) / deviation
    log_densities = -z.square() / 2 - deviation.log() - math.log(2 * math.pi) / 2
    entropies = deviation.log() + math.log(2 * math.pi * math.e) / 2
    return log_densities.sum(dim=-1), entropies.sum(dim=-1)


def log_pi_and_entropy_in_steps(
    mean: Tensor, deviation: Tensor, actions: Tensor
) -> tuple[Tensor, Tensor]:
    off = actions - mean
    z = off / deviation
    from_the_middle = -0.5 * z**2
    from_the_width = -deviation.log()
    constant = -0.5 * math.log(2 * math.pi)
    each = from_the_middle + from_the_width + constant
    log_pi = each.sum(dim=-1)
    chaos = deviation.log() + 0.5 * math.log(2 * math.pi * math.e)
    H = chaos.sum(dim=-1)
    return log_pi, H


def a_leaf(*numbers: float) -> Tensor:
    return torch.tensor(numbers, requires_grad=True)


def _gaussians(*batch: int, D: int, width: float = 1.0) -> tuple[Tensor, Tensor, Tensor]:
    """Means, deviations and actions that are not all near the mean; the first two are learned."""
    mean, deviation = torch.randn(*batch, D), width * (0.2 + torch.rand(*batch, D))
    actions = mean + 1.5 * deviation * torch.randn(*batch, D)
    return mean.requires_grad_(), deviation.requires_grad_(), actions


def _density_cases() -> list[Case]:
    paper = a_leaf(1.0, -1.0), a_leaf(2.0, 0.5), torch.tensor([2.0, 0.0])
    standard = a_leaf(0.0), a_leaf(1.0), torch.tensor([0.0])
    narrow = a_leaf(0.3, -0.2), a_leaf(0.01, 0.002), torch.tensor([0.3, -0.201])
    return [
        Case("on paper", *paper),
        Case("one axis, σ = 1, at the mean", *standard),
        Case("σ of 0.01 and 0.002", *narrow),
        Case("one observation, 3 axes", *_gaussians(1, D=3)),
        Case("5 observations, one axis", *_gaussians(5, D=1)),
        Case("4 observations, 3 axes", *_gaussians(4, D=3)),
        Case("as many observations as axes", *_gaussians(3, D=3)),
        Case("4 steps of 2 environments, 3 axes", *_gaussians(4, 2, D=3)),
        Case("actions in the hundreds", *_gaussians(3, D=2, width=200.0)),
        Case("15 deviations from the mean", a_leaf(0.0), a_leaf(0.1), torch.tensor([1.5])),
    ]


# 10.2 The head


def mean_and_deviation(said: Tensor, centre: Tensor, reach: Tensor) -> tuple[Tensor, Tensor]:
    """μ and σ in the world's units, of what a layer said.   (*B, 2D), (D,), (D,) → (*B, D) each"""
    mean, variance = said.chunk(2, dim=-1)
    return centre + reach * mean, reach * softplus(variance).sqrt()


def mean_and_deviation_in_steps(
    said: Tensor, centre: Tensor, reach: Tensor
) -> tuple[Tensor, Tensor]:
    first, second = said.chunk(2, dim=-1)
    variance = softplus(second)
    deviation = variance.sqrt()
    mean = centre + reach * first
    sigma = reach * deviation
    return mean, sigma


def _head_cases() -> list[Case]:
    def said(*batch: int, D: int) -> Tensor:
        return torch.randn(*batch, 2 * D, requires_grad=True)

    def box(*pairs: tuple[float, float]) -> tuple[Tensor, Tensor]:
        """Middle and half the width of each axis, from its lowest and highest action."""
        low, high = torch.tensor(pairs).T
        return (low + high) / 2, (high - low) / 2

    one = torch.tensor(math.log(math.e - 1))  # of which the softplus is 1
    paper = torch.stack([torch.tensor(0.5), one])
    wide = box((-2.0, 2.0), (10.0, 30.0), (0.0, 0.5))
    large = torch.tensor([[2.0, -3.0, 20.0, -6.0]], requires_grad=True)
    tiny = torch.tensor([[0.5, -0.5, -17.0, -20.0]], requires_grad=True)
    return [
        Case("on paper", paper.requires_grad_(), *box((0.0, 20.0))),
        Case("a layer that says 0", torch.zeros(1, 4, requires_grad=True), *box(*[(-1, 1)] * 2)),
        Case("one observation, 3 axes", said(1, D=3), *wide),
        Case("4 observations, 3 axes", said(4, D=3), *wide),
        Case("5 observations, one axis from −3 to 3", said(5, D=1), *box((-3.0, 3.0))),
        Case("4 steps of 2 environments, 3 axes", said(4, 2, D=3), *wide),
        Case("as many observations as axes", said(3, D=3), *wide),
        Case("large numbers", large, *box((-1.0, 1.0), (-1.0, 3.0))),
        Case("a layer that says −17 and −20", tiny, *box((-1.0, 1.0), (-1.0, 3.0))),
    ]


# 10.3 Drawn, and taken


def drawn_and_taken(
    mean: Tensor, deviation: Tensor, z: Tensor, low: Tensor, high: Tensor
) -> tuple[Tensor, Tensor]:
    """The action that is drawn, and what of it the world takes.   (*B, D), low, high (D,) → both"""
    drawn = mean + deviation * z
    return drawn, drawn.clamp(low, high)


def drawn_and_taken_in_steps(
    mean: Tensor, deviation: Tensor, z: Tensor, low: Tensor, high: Tensor
) -> tuple[Tensor, Tensor]:
    off = deviation * z
    drawn = mean + off
    taken = drawn.clamp(low, high)
    return drawn, taken


def _draw_cases() -> list[Case]:
    def some(*batch: int, D: int, size: float = 1.0) -> tuple[Tensor, Tensor, Tensor]:
        mean, z = size * torch.randn(*batch, D), torch.randn(*batch, D)
        return mean, size * (0.3 + torch.rand(*batch, D)), z

    def bounds(*pairs: tuple[float, float]) -> tuple[Tensor, Tensor]:
        low, high = torch.tensor(pairs).T
        return low, high

    one, many = bounds((-1.0, 1.0)), bounds((-0.5, 0.5), (-1.0, 0.2), (0.0, 2.0))
    paper = torch.tensor([0.8]), torch.tensor([0.5]), torch.tensor([1.0])
    endless = bounds((-math.inf, math.inf), (-1.0, math.inf))
    far = torch.tensor([0.0]), torch.tensor([1.0]), torch.tensor([4.0])
    return [
        Case("on paper", *paper, *one),
        Case("on paper, a small draw", *paper[:2], torch.tensor([-0.5]), *one),
        Case("a mean outside of the bounds", torch.tensor([[3.0]]), *some(1, D=1)[1:], *one),
        Case("8 observations, 3 axes", *some(8, D=3), *many),
        Case("6 steps of 2 environments, 3 axes", *some(6, 2, D=3), *many),
        Case("8 observations, σ of about 40", *some(8, D=3, size=40.0), *many),
        Case("no bounds, but for one", *some(8, D=2, size=3.0), *endless),
        Case("4 deviations from the mean", *far, *bounds((-5.0, 5.0))),
    ]


# 10.4 A bug hunt: drawn from one, judged by another


def drawn_with_log_pi(said: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
    """Actions, drawn with the noise z, and log π of them.   (*B, 2D), (*B, D) → (*B, D), (*B)"""
    mean, second = said.chunk(2, dim=-1)
    variance = softplus(second)
    actions = (mean + variance.sqrt() * z).detach()
    return actions, Gaussian(mean, variance.sqrt()).log_prob(actions)


def drawn_with_log_pi_with_a_bug(said: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
    """Actions, drawn with the noise z, and log π of them.   (*B, 2D), (*B, D) → (*B, D), (*B)"""
    mean, second = said.chunk(2, dim=-1)
    variance = softplus(second)
    actions = (mean + variance * z).detach()
    return actions, Gaussian(mean, variance.sqrt()).log_prob(actions)


def _hunt_cases() -> list[Case]:
    def some(*batch: int, D: int, of: float = 0.0) -> tuple[Tensor, Tensor]:
        said = torch.randn(*batch, 2 * D)
        said[..., D:] += of
        return said.requires_grad_(), torch.randn(*batch, D)

    one = math.log(math.e - 1)  # of which the softplus is 1
    four = math.log(math.exp(4) - 1)
    return [
        Case("the variance is 1", a_leaf(0.5, one), torch.tensor([2.0])),
        Case("the variance is 4", a_leaf(0.5, four), torch.tensor([2.0])),
        Case("4 observations, one axis", *some(4, D=1)),
        Case("4 observations, 3 axes", *some(4, D=3)),
        Case("3 steps of 2 environments, 3 axes", *some(3, 2, D=3)),
        Case("small variances", *some(4, D=2, of=-5.0)),
        Case("large variances", *some(4, D=2, of=20.0)),
    ]


# 10.5 The λ-return


def lambda_returns_in_a_loop(
    rewards: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    gamma: float,
    lambda_: float,
) -> Tensor:
    T = len(rewards)
    returns = torch.zeros_like(rewards)
    R = next_values[-1]
    for t in reversed(range(T)):
        now = (1 - lambda_) * next_values[t]
        later = lambda_ * R
        ahead = now + later
        after = torch.where(truncated[t], next_values[t], ahead)
        after = torch.where(terminated[t], 0.0, after)
        R = rewards[t] + gamma * after
        returns[t] = R
    return returns


def _only_the_shortest_and_the_longest(
    rewards: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    gamma: float,
    lambda_: float,
) -> Tensor:
    given = rewards, next_values, terminated, truncated, gamma
    one_step, all_the_way = (lambda_returns(*given, lambda_=end) for end in (0.0, 1.0))
    return (1 - lambda_) * one_step + lambda_ * all_the_way


def _column(*numbers: float) -> Tensor:
    return torch.tensor(numbers)[:, None]


def _lambda_cases() -> list[Case]:
    def random(T: int, N: int, share: float) -> tuple[Tensor, ...]:
        terminated, truncated = torch.rand(2, T, N) < share
        return torch.randn(T, N), torch.randn(T, N), terminated, truncated

    r, V = _column(1.0, 2.0, 3.0), _column(4.0, 6.0, 8.0)
    no, second, third = (_column(0, k == 2, k == 3).bool() for k in (0, 2, 3))
    huge = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[1e6, 6000.0], [-7000.0, -1e6]])
    ends = torch.tensor([[True, False], [False, True]]), torch.tensor([[False, True], [True, True]])
    four = torch.tensor([[1.0, 2.0, 3.0, 4.0]]), torch.tensor([[10.0, 20.0, 30.0, 40.0]])
    flags = (
        torch.tensor([[True, False, True, False]]),
        torch.tensor([[False, True, True, False]]),
    )
    return [
        Case("on paper, no end", r, V, no, no, 0.5, 0.5),
        Case("on paper, terminated at the second step", r, V, second, no, 0.5, 0.5),
        Case("on paper, truncated at the second step", r, V, no, second, 0.5, 0.5),
        Case("on paper, both flags at the second step", r, V, second, second, 0.5, 0.5),
        Case("on paper, terminated at the last step", r, V, third, no, 0.5, 0.5),
        Case("on paper, truncated at the last step", r, V, no, third, 0.5, 0.5),
        Case("on paper, λ = 0", r, V, no, no, 0.5, 0.0),
        Case("on paper, λ = 1", r, V, no, no, 0.5, 1.0),
        Case("5 steps of 3 environments, λ = 0.8", *random(5, 3, 0.0), 0.9, 0.8),
        Case("8 steps of 4 environments with ends, λ = 0.9", *random(8, 4, 0.3), 0.95, 0.9),
        Case("6 steps of 6 environments with ends, λ = 0.3", *random(6, 6, 0.3), 0.9, 0.3),
        Case("6 steps of 2 environments with ends, λ = 1", *random(6, 2, 0.4), 0.99, 1.0),
        Case("6 steps of 2 environments with ends, λ = 0", *random(6, 2, 0.4), 0.99, 0.0),
        Case("4 steps of 2 environments, γ = 1", *random(4, 2, 0.2), 1.0, 0.7),
        Case("4 steps of 2 environments, γ = 0", *random(4, 2, 0.2), 0.0, 0.7),
        Case("60 steps of an environment", *random(60, 1, 0.05), 0.99, 0.95),
        Case("one step: an end, a time limit, both, none", *four, *flags, 0.5, 0.7),
        Case("huge values where the world ended", *huge, *ends, 0.5, 0.5),
    ]


# 10.6 The same, from the errors


def advantage_from(t: int, deltas: Tensor, ended: Tensor, gamma: float, lambda_: float) -> Tensor:
    """Σ_k (γλ)^k δ_{t+k}, up to the first end from t on, its own δ included.   (T,), (T,) → ()"""
    A, factor = torch.zeros(()), 1.0
    for k in range(t, len(deltas)):
        A = A + factor * deltas[k]
        factor *= gamma * lambda_
        if ended[k]:
            break
    return A


def all_advantages(t: int, deltas: Tensor, ended: Tensor, gamma: float, lambda_: float) -> Tensor:
    return torch.stack(
        [advantage_from(k, deltas, ended, gamma, lambda_) for k in range(len(deltas))]
    )


def _advantage_cases() -> list[Case]:
    def flags(T: int, *at: int) -> Tensor:
        return torch.tensor([k in at for k in range(T)])

    paper, some = torch.tensor([2.0, -1.0, 8.0]), torch.randn(8)
    return [
        Case("on paper, no end", 0, paper, flags(3), 0.5, 0.5),
        Case("on paper, an end at step 1", 0, paper, flags(3, 1), 0.5, 0.5),
        Case("on paper, an end at step 0", 0, paper, flags(3, 0), 0.5, 0.5),
        Case("on paper, from step 1, an end at step 0", 1, paper, flags(3, 0), 0.5, 0.5),
        Case("on paper, from the last step", 2, paper, flags(3, 0), 0.5, 0.5),
        Case("8 steps, an end at step 4", 1, some, flags(8, 4), 0.9, 0.8),
        Case("8 steps, ends at steps 2 and 5", 0, some, flags(8, 2, 5), 0.9, 0.8),
        Case("8 steps from step 3, ends at steps 1 and 6", 3, some, flags(8, 1, 6), 0.99, 0.95),
        Case("8 steps from step 3, where one ends", 3, some, flags(8, 3), 0.9, 0.8),
        Case("8 steps, an end at the last", 2, some, flags(8, 7), 0.9, 0.7),
        Case("λ = 0: one error", 2, some, flags(8), 0.9, 0.0),
        Case("λ = 1: all errors", 2, some, flags(8), 0.9, 1.0),
        Case("γ = 1 and λ = 1", 0, some, flags(8, 6), 1.0, 1.0),
        Case("one step alone", 0, torch.tensor([3.0]), flags(1), 0.9, 0.9),
        Case("90 steps", 3, torch.randn(90), flags(90, 80), 0.99, 0.9),
    ]


# What is changed to see how an answer responds


def _plus_one(tensor: Tensor, row: int) -> Tensor:
    changed = tensor.clone()
    changed[row] += 1
    return changed


def _column_plus_one(tensor: Tensor, column: int = 0) -> Tensor:
    changed = tensor.clone()
    changed[:, column] += 1
    return changed


EXERCISES = (
    Exercise(
        id="10.1",
        title="log π and entropy",
        minutes=12,
        difficulty=2,
        reference=log_pi_and_entropy,
        form=log_pi_and_entropy_in_steps,
        cases=_density_cases,
        parts=("log π", "the entropy"),
        rtol=2e-4,
        wrong=(
            Wrong(
                {
                    "log_pi = each.sum(dim=-1)": "log_pi = each",
                    "H = chaos.sum(dim=-1)": "H = chaos",
                },
                "Both have a number for each axis. An action is all its axes together: add up over "
                "the last axis. (torch's Normal does not do it by itself; Independent does.)",
            ),
            Wrong(
                {
                    "z = off / deviation": "z = off / deviation.sqrt()",
                    "from_the_width = -deviation.log()": "from_the_width = -0.5 * deviation.log()",
                    "chaos = deviation.log() + 0.5": "chaos = 0.5 * deviation.log() + 0.5",
                },
                "You take `deviation` for the variance σ², everywhere. It is the deviation σ.",
            ),
            Wrong(
                {
                    "z = off / deviation": "z = off / deviation.square()",
                    "from_the_width = -deviation.log()": "from_the_width = -2 * deviation.log()",
                    "chaos = deviation.log() + 0.5": "chaos = 2 * deviation.log() + 0.5",
                },
                "You put σ² where σ belongs, everywhere. (torch's Normal takes the deviation too.)",
            ),
            Wrong(
                {
                    "log_pi = each.sum(dim=-1)": "log_pi = each.sum()",
                    "H = chaos.sum(dim=-1)": "H = chaos.sum()",
                },
                "Both are one number for all observations. Each observation has its own: add up "
                "over the last axis alone, dim=-1.",
                also=(
                    {
                        "log_pi = each.sum(dim=-1)": "log_pi = each.sum(dim=-1).mean()",
                        "H = chaos.sum(dim=-1)": "H = chaos.sum(dim=-1).mean()",
                    },
                ),
            ),
            Wrong(
                {
                    "log_pi = each.sum(dim=-1)": "log_pi = each.sum(dim=0)",
                    "H = chaos.sum(dim=-1)": "H = chaos.sum(dim=0)",
                },
                "You add up over the first axis, dim=0: those are the observations. The axes of "
                "an action are the last, dim=-1.",
            ),
            Wrong(
                {
                    "log_pi = each.sum(dim=-1)": "log_pi = each.sum(dim=-1, keepdim=True)",
                    "H = chaos.sum(dim=-1)": "H = chaos.sum(dim=-1, keepdim=True)",
                },
                "Both keep an axis of length 1 at their end. Against advantages (*B) they would be "
                "spread out to all pairs. They are (*B).",
            ),
            Wrong(
                {
                    "z = off / deviation": "z = off / deviation.exp()",
                    "from_the_width = -deviation.log()": "from_the_width = -deviation",
                    "chaos = deviation.log() + 0.5": "chaos = deviation + 0.5",
                },
                "You take `deviation` for log σ, everywhere. It is σ itself: no exponential "
                "function is due, and a logarithm is.",
                also=(
                    {
                        "z = off / deviation": "z = off / deviation.exp()",
                        "from_the_width = -deviation.log()": "from_the_width = "
                        "-deviation.exp().log()",
                        "chaos = deviation.log() + 0.5": "chaos = deviation.exp().log() + 0.5",
                    },
                ),
            ),
            Wrong(
                {"log_pi = each.sum(dim=-1)": "log_pi = each"},
                "log π has a number for each axis. An action is all its axes together: their "
                "densities are multiplied, so their logarithms are added up, over the last axis.",
            ),
            Wrong(
                {"H = chaos.sum(dim=-1)": "H = chaos"},
                "The entropy has a number for each axis. Add them up over the last axis.",
            ),
            Wrong(
                {"log_pi = each.sum(dim=-1)": "log_pi = each.mean(dim=-1)"},
                "log π is a mean over the axes. It is their sum: the densities are multiplied.",
            ),
            Wrong(
                {"H = chaos.sum(dim=-1)": "H = chaos.mean(dim=-1)"},
                "The entropy is a mean over the axes. It is their sum.",
            ),
            Wrong(
                {"log_pi = each.sum(dim=-1)": "log_pi = each.sum()"},
                "log π of all observations is added up into one number. Each observation has its "
                "own: add up over the last axis alone, dim=-1.",
            ),
            Wrong(
                {"log_pi = each.sum(dim=-1)": "log_pi = each.sum(dim=-1, keepdim=True)"},
                "log π keeps an axis of length 1 at its end. Against advantages (*B) it would be "
                "spread out to all pairs. It is (*B).",
            ),
            Wrong(
                {"H = chaos.sum(dim=-1)": "H = chaos.sum()"},
                "The entropy of all observations is added up into one number. Each observation "
                "has its own: add up over the last axis alone, dim=-1.",
            ),
            Wrong(
                {"H = chaos.sum(dim=-1)": "H = chaos.sum(dim=-1, keepdim=True)"},
                "The entropy keeps an axis of length 1 at its end. It is (*B).",
            ),
            Wrong(
                {"log_pi = each.sum(dim=-1)": "log_pi = each.prod(dim=-1)"},
                "The logarithms of the axes are multiplied. The densities are; their logarithms "
                "are added.",
            ),
            Wrong(
                {"log_pi = each.sum(dim=-1)": "log_pi = each.exp().sum(dim=-1).log()"},
                "The densities of the axes are added. They are multiplied, so their logarithms "
                "are added.",
            ),
            Wrong(
                {"z = off / deviation": "z = off / deviation.sqrt()"},
                "You divide by the root of what is handed over: you take it for the variance σ². "
                "It is the deviation σ.",
            ),
            Wrong(
                {"z = off / deviation": "z = off / deviation.square()"},
                "You divide by σ², and then square. It is ((a − μ)/σ)²: divide by σ.",
            ),
            Wrong(
                {"z = off / deviation": "z = off"},
                "How far the action is from the mean is measured in deviations: (a − μ)/σ.",
            ),
            Wrong(
                {"-0.5 * z**2": "-(z**2)"},
                "The factor ½ is missing in front of the square.",
            ),
            Wrong(
                {"-0.5 * z**2": "-0.5 * z"},
                "The bracket is not squared: −½((a − μ)/σ)².",
                also=({"-0.5 * z**2": "-0.5 * z.abs()"},),
            ),
            Wrong(
                {"-0.5 * z**2": "0.5 * z**2"},
                "The square has the wrong sign: what is far from the mean is less likely.",
            ),
            Wrong(
                {"from_the_width = -deviation.log()": "from_the_width = deviation.log()"},
                "log σ has the wrong sign in log π: a wide Gaussian is low.",
            ),
            Wrong(
                {"from_the_width = -deviation.log()": "from_the_width = -deviation"},
                "σ itself is subtracted in log π. Its logarithm is.",
            ),
            Wrong(
                {"from_the_width = -deviation.log()": "from_the_width = -0.5 * deviation.log()"},
                "log σ is halved in log π. ½ log σ² is log σ: `deviation` is σ.",
            ),
            Wrong(
                {"from_the_width = -deviation.log()": "from_the_width = -deviation.square().log()"},
                "log σ² stands in log π without its ½. Write log σ.",
            ),
            Wrong(
                {"each = from_the_middle + from_the_width": "each = from_the_middle"},
                "log σ is missing in log π. Without it a policy that gets wider loses nothing by "
                "it, since its density need not come down.",
            ),
            Wrong(
                {"constant = -0.5 * math.log(2 * math.pi)": "constant = 0.0"},
                "The constant is missing in log π: −½ log 2π on each axis.",
            ),
            Wrong(
                {"constant = -0.5 * math.log(2 * math.pi)": "constant = -0.5 * math.log(math.pi)"},
                "The constant in log π is −½ log 2π on each axis; in yours the 2 is missing.",
            ),
            Wrong(
                {"constant = -0.5 * math.log(2 * math.pi)": "constant = -math.sqrt(2 * math.pi)"},
                "√2π itself is subtracted in log π. Its logarithm is, which is ½ log 2π.",
            ),
            Wrong(
                {"constant = -0.5 * math.log(2 * math.pi)": "constant = -math.log(2 * math.pi)"},
                "The constant in log π is −½ log 2π on each axis; yours has no ½.",
            ),
            Wrong(
                {
                    "constant = -0.5 * math.log(2 * math.pi)": "constant = "
                    "-0.5 * math.log(2 * math.pi) / off.shape[-1]",
                    "0.5 * math.log(2 * math.pi * math.e)": "0.5 * math.log(2 * math.pi * math.e) "
                    "/ off.shape[-1]",
                },
                "The constants are added once. Each axis has its own, so add them before you sum "
                "over the axes.",
            ),
            Wrong(
                {
                    "constant = -0.5 * math.log(2 * math.pi)": "constant = "
                    "-0.5 * math.log(2 * math.pi) / off.shape[-1]"
                },
                "The constant in log π is added once. Each axis has its own, −½ log 2π: add it "
                "before you sum over the axes.",
            ),
            Wrong(
                {
                    "0.5 * math.log(2 * math.pi * math.e)": "0.5 * math.log(2 * math.pi * math.e) "
                    "/ off.shape[-1]"
                },
                "The constant in the entropy is added once. Each axis has its own, ½ log 2πe: add "
                "it before you sum over the axes.",
            ),
            Wrong(
                {"-0.5 * z**2": "-((0.5 * z) ** 2)"},
                "The ½ is squared too. It stands in front of the square: −½((a − μ)/σ)².",
            ),
            Wrong(
                {"log_pi = each.sum(dim=-1)": "log_pi = 2 * each.sum(dim=-1)"},
                "log π is twice what it should be: the ½ is missing everywhere in "
                "−½((a − μ)/σ)² − ½ log 2πσ².",
            ),
            Wrong(
                {" + 0.5 * math.log(2 * math.pi * math.e)": ""},
                "The constant is missing in the entropy: ½ log 2πe on each axis.",
            ),
            Wrong(
                {"math.log(2 * math.pi * math.e)": "math.log(2 * math.pi)"},
                "The e is missing in the entropy: ½ log 2πe on each axis, that is ½ log 2π + ½.",
            ),
            Wrong(
                {"math.log(2 * math.pi * math.e)": "math.log(math.e)"},
                "The 2π is missing in the entropy: ½ log 2πe on each axis.",
            ),
            Wrong(
                {"math.log(2 * math.pi * math.e)": "math.log(math.pi * math.e)"},
                "The constant in the entropy is ½ log 2πe on each axis; in yours the 2 is missing.",
            ),
            Wrong(
                {" + 0.5 * math.log(2 * math.pi * math.e)": " + math.log(2 * math.pi * math.e)"},
                "The constant in the entropy is ½ log 2πe on each axis; yours has no ½.",
            ),
            Wrong(
                {"chaos = deviation.log() + 0.5": "chaos = 0 * deviation + 0.5"},
                "log σ is missing in the entropy: the wider, the less certain.",
            ),
            Wrong(
                {"chaos = deviation.log() + 0.5": "chaos = deviation + 0.5"},
                "σ itself is added in the entropy. Its logarithm is.",
            ),
            Wrong(
                {"chaos = deviation.log() + 0.5": "chaos = -deviation.log() + 0.5"},
                "log σ has the wrong sign in the entropy: what is wider is less certain.",
            ),
            Wrong(
                {"chaos = deviation.log() + 0.5": "chaos = 0.5 * deviation.log() + 0.5"},
                "log σ is halved in the entropy. ½ log σ² is log σ: `deviation` is σ.",
            ),
            Wrong(
                {"chaos = deviation.log() + 0.5": "chaos = 2 * deviation.log() + 0.5"},
                "log σ² stands in the entropy without its ½. Write log σ.",
            ),
            Wrong(
                {"chaos = deviation.log() + 0.5": "chaos = deviation.log().detach() + 0.5"},
                "No gradient flows from the entropy to σ. So the bonus would change nothing.",
            ),
            Wrong(
                {"H = chaos.sum(dim=-1)": "H = 2 * chaos.sum(dim=-1)"},
                "The entropy is twice what it should be. It is ½ log 2πeσ² on each axis, that is "
                "log σ + ½ log 2πe.",
            ),
            Wrong(
                {
                    "H = chaos.sum(dim=-1)": "H = deviation.sum(dim=-1).log() "
                    "+ 0.5 * math.log(2 * math.pi * math.e) * off.shape[-1]"
                },
                "The entropy has the logarithm of a sum. The logarithms are summed, one of each "
                "axis.",
                also=(
                    {
                        "H = chaos.sum(dim=-1)": "H = deviation.sum(dim=-1).log() "
                        "+ 0.5 * math.log(2 * math.pi * math.e)"
                    },
                ),
            ),
            Wrong(
                {"H = chaos.sum(dim=-1)": "H = -(log_pi.exp() * log_pi)"},
                "−π log π of one action is no entropy. Of a list one adds it up over all actions; "
                "here the sum is an integral, and it comes to log σ + ½ log 2πe on each axis.",
                also=({"H = chaos.sum(dim=-1)": "H = -(each.exp() * each).sum(dim=-1)"},),
            ),
            Wrong(
                {"H = chaos.sum(dim=-1)": "H = -each.sum(dim=-1)"},
                "That is −log π of one action. The entropy is its mean over all actions, and does "
                "not depend on which one was drawn.",
            ),
            Wrong(
                {"return log_pi, H": "return log_pi.exp(), H"},
                "That is the density π itself. What is asked for is its logarithm.",
            ),
            Wrong(
                {"return log_pi, H": "return H, log_pi"},
                "The two are exchanged: log π comes first, and then the entropy.",
            ),
            Wrong(
                {"return log_pi, H": "return log_pi, -H"},
                "The entropy has the wrong sign. (The paper writes the *cost*, −½(log 2πσ² + 1), "
                "which is −H.)",
            ),
        ),
        properties=(
            ignores(
                "The actions have no effect on log π.",
                lambda given: {"actions": given.actions + given.deviation.detach()},
            ),
            heeds(
                "Moving the mean and the actions together changes your numbers. Only how far they "
                "are apart matters.",
                lambda given: {
                    "mean": given.mean.detach() + 1,
                    "actions": given.actions + 1,
                },
            ),
        ),
        hints=(
            "Take the logarithm of the density, axis by axis: a product becomes a sum. What is "
            "left of the exponential function?",
            "On each axis: −½((a − μ)/σ)² − log σ − ½ log 2π, and the entropy is "
            "log σ + ½ log 2πe. Then add up over dim=-1.",
            "z = (actions - mean) / deviation; log π is (-0.5 * z**2 - deviation.log() "
            "- 0.5 * math.log(2 * math.pi)).sum(dim=-1).",
        ),
        praise="With these two numbers everything that A2C does with logits it does with a Box.",
    ),
    Exercise(
        id="10.2",
        title="the Gaussian head",
        minutes=8,
        difficulty=1,
        reference=mean_and_deviation,
        form=mean_and_deviation_in_steps,
        cases=_head_cases,
        parts=("the mean", "the deviation"),
        wrong=(
            Wrong(
                {"variance = softplus(second)": "variance = torch.log(1 + second.exp())"},
                "Where the layer says less than −17, 1 + eˣ is 1 in numbers of 32 bits, its "
                "logarithm is 0, and so is σ. softplus computes the same without that sum.",
            ),
            Wrong(
                {"deviation = variance.sqrt()": "deviation = variance"},
                "The softplus is the variance σ², as the paper has it. The deviation σ is its "
                "root.",
            ),
            Wrong(
                {"deviation = variance.sqrt()": "deviation = variance.square()"},
                "You square the softplus. It is the variance σ² already, and σ is its root.",
            ),
            Wrong(
                {
                    "deviation = variance.sqrt()": "deviation = variance",
                    "sigma = reach * deviation": "sigma = reach.square() * deviation",
                },
                "That is the variance, in the world's unit. What is asked for is its root, σ.",
            ),
            Wrong(
                {"deviation = variance.sqrt()": "deviation = variance.exp()"},
                "After the softplus comes an exponential function too. One of the two keeps a "
                "number above 0: the softplus is σ², and σ is its root.",
            ),
            Wrong(
                {
                    "variance = softplus(second)": "variance = softplus(reach * second)",
                    "sigma = reach * deviation": "sigma = deviation",
                },
                "The second half is scaled before the softplus, which is no line. Scale what comes "
                "of it: σ is `reach` times the root.",
            ),
            Wrong(
                {"variance = softplus(second)": "variance = second.exp()"},
                "You take the exponential function. It keeps σ² above 0 too, but the paper has the "
                "softplus, log(1 + e^x), which does not run away.",
            ),
            Wrong(
                {"variance = softplus(second)": "variance = (2 * second).exp()"},
                "You take what the layer says for log σ. It is what σ² is the softplus of.",
            ),
            Wrong(
                {"variance = softplus(second)": "variance = second.relu()"},
                "You take the ReLU, so that σ is 0 wherever the layer says less than 0. Take the "
                "softplus, which is always above 0.",
            ),
            Wrong(
                {"variance = softplus(second)": "variance = 1 + second.exp()"},
                "With you σ² is 1 + e^x: the logarithm is missing, or an exponential function "
                "undoes it. The softplus is log(1 + e^x).",
            ),
            Wrong(
                {"variance = softplus(second)": "variance = second.abs()"},
                "You take the absolute value. So σ would be 0 where the layer says 0, and its "
                "gradient would change sign there. Take the softplus.",
            ),
            Wrong(
                {"variance = softplus(second)": "variance = second.square()"},
                "You take the square of what the layer says, so that σ is 0 where it says 0. Take "
                "the softplus.",
            ),
            Wrong(
                {"variance = softplus(second)": "variance = second.sigmoid()"},
                "You take the sigmoid, which is at most 1. Take the softplus.",
            ),
            Wrong(
                {"first, second = said.chunk(2, dim=-1)": "second, first = said.chunk(2, dim=-1)"},
                "The two halves are exchanged: the first half is about the means.",
            ),
            Wrong(
                {
                    "first, second = said.chunk(2, dim=-1)": "first, second = said[..., 0::2], "
                    "said[..., 1::2]"
                },
                "You take every second number. The first half of them is about the means, of all "
                "axes, and the second half about the variances.",
            ),
            Wrong(
                {"mean = centre + reach * first": "mean = first"},
                "The mean is in the layer's units. The world's are other ones: the middle is at "
                "`centre`, and 1 is `reach`.",
            ),
            Wrong(
                {"mean = centre + reach * first": "mean = reach * first"},
                "The middle is missing in the mean: where the layer says 0, it is `centre`.",
            ),
            Wrong(
                {"mean = centre + reach * first": "mean = centre + first"},
                "The mean is not scaled: 1 of the layer's is `reach` of the world's.",
            ),
            Wrong(
                {
                    "mean = centre + reach * first": "mean = reach + centre * first",
                    "sigma = reach * deviation": "sigma = centre * deviation",
                },
                "`centre` and `reach` are exchanged: `centre` is where 0 lies, and `reach` is how "
                "far 1 is from there.",
                also=({"mean = centre + reach * first": "mean = reach + centre * first"},),
            ),
            Wrong(
                {"mean = centre + reach * first": "mean = reach * (centre + first)"},
                "`centre` is scaled too. It is in the world's unit already: centre + reach · what "
                "the layer says.",
            ),
            Wrong(
                {
                    "mean = centre + reach * first": "mean = centre + 2 * reach * first",
                    "sigma = reach * deviation": "sigma = 2 * reach * deviation",
                },
                "You scale by the whole width. `reach` is half of it, from the middle to a bound, "
                "and 1 is `reach`.",
                also=({"mean = centre + reach * first": "mean = centre + 2 * reach * first"},),
            ),
            Wrong(
                {
                    "mean = centre + reach * first": "mean = centre - reach + 2 * reach * first",
                },
                "You count from the lowest action. Where the layer says 0, the mean is `centre`, "
                "and where it says 1, `reach` above.",
                also=({"mean = centre + reach * first": "mean = centre - reach + reach * first"},),
            ),
            Wrong(
                {"mean = centre + reach * first": "mean = centre + reach * first.tanh()"},
                "You squash the mean. Some do; here it is linear, as in the paper.",
            ),
            Wrong(
                {"mean = centre + reach * first": "mean = centre + reach * first.clamp(-1, 1)"},
                "You clip the mean to the bounds. It may lie outside. What is drawn is clipped, "
                "and that is the next exercise's matter.",
            ),
            Wrong(
                {"mean = centre + reach * first": "mean = centre + reach * softplus(first)"},
                "The mean went through the softplus too. That is for the second half alone: a mean "
                "may have any sign.",
            ),
            Wrong(
                {"sigma = reach * deviation": "sigma = deviation"},
                "The deviation is in the layer's units: 1 of them is `reach` of the world's.",
            ),
            Wrong(
                {"sigma = reach * deviation": "sigma = centre + reach * deviation"},
                "The middle is added to the deviation. That is a width, wherever the middle is.",
            ),
            Wrong(
                {"sigma = reach * deviation": "sigma = reach.square() * deviation"},
                "The deviation is scaled by the square of `reach`. That is for the variance: twice "
                "the unit is twice the deviation.",
            ),
            Wrong(
                {"sigma = reach * deviation": "sigma = reach.sqrt() * deviation"},
                "The deviation is scaled by the root of `reach`. Twice the unit is twice the "
                "deviation, and four times the variance.",
            ),
            Wrong(
                {"return mean, sigma": "return sigma, mean"},
                "The two are exchanged: the mean comes first.",
            ),
        ),
        properties=(
            ignores(
                "What the layer says has no effect.",
                lambda given: {"said": given.said.detach() + 1},
            ),
            ignores(
                "`reach` has no effect.",
                lambda given: {"reach": 2 * given.reach},
            ),
            scales(
                "In units half as large the same action is twice the number: with twice `centre` "
                "and twice `reach` both results are twice as large. Yours are not. Is a number "
                "added, or a bound set, that knows nothing of the unit?",
                lambda given: {"centre": 2 * given.centre, "reach": 2 * given.reach},
            ),
        ),
        hints=(
            "said.chunk(2, dim=-1) cuts the last axis into two halves.",
            "σ² = softplus(second half), so σ is its root. Then into the world's units: the mean "
            "is moved and scaled, the deviation is scaled alone.",
            "return centre + reach * mean, reach * softplus(variance).sqrt()",
        ),
        praise="One linear layer says both, and 1 means as much in every world.",
    ),
    Exercise(
        id="10.3",
        title="drawn, and taken",
        minutes=5,
        difficulty=1,
        reference=drawn_and_taken,
        form=drawn_and_taken_in_steps,
        cases=_draw_cases,
        parts=("what is drawn", "what the world takes"),
        wrong=(
            Wrong(
                {"drawn = mean + off": "drawn = (mean + off).clamp(low, high)"},
                "What you remember as drawn is clipped already. log π is to be that of what was "
                "drawn: the policy has no edge, only the world has.",
            ),
            Wrong(
                {"taken = drawn.clamp(low, high)": "taken = drawn"},
                "Nothing is clipped: the world takes only what lies in low … high.",
            ),
            Wrong(
                {"drawn = mean + off": "drawn = mean.clamp(low, high) + off"},
                "The mean is clipped. It may lie outside: what is drawn from it is clipped, once.",
            ),
            Wrong(
                {"off = deviation * z": "off = deviation * z.clamp(low, high)"},
                "The noise z is clipped. It has no bounds: clip what is drawn, for the world.",
            ),
            Wrong(
                {"taken = drawn.clamp(low, high)": "taken = drawn.clamp(high, low)"},
                "The bounds are exchanged: clamp takes the lower one first.",
                also=(
                    {
                        "taken = drawn.clamp(low, high)": "taken = torch.maximum("
                        "torch.minimum(drawn, low), high)"
                    },
                ),
            ),
            Wrong(
                {"taken = drawn.clamp(low, high)": "taken = drawn.clamp(low[0], high[0])"},
                "All axes are clipped to the same bounds. Each has its own, and clamp takes them "
                "as they are: drawn.clamp(low, high).",
                also=(
                    {"drawn.clamp(low, high)": "drawn.clamp(low.min(), high.max())"},
                    {"drawn.clamp(low, high)": "drawn.clamp(low.max(), high.min())"},
                ),
            ),
            Wrong(
                {
                    "taken = drawn.clamp(low, high)": "taken = (low + high) / 2 "
                    "+ (high - low) / 2 * drawn.clamp(-1, 1)"
                },
                "You clip to −1 … 1 and then scale to the world's unit. Mean and deviation are in "
                "that unit already: clip to low … high, and no more.",
            ),
            Wrong(
                {"taken = drawn.clamp(low, high)": "taken = drawn.clamp(max=high)"},
                "What is too small is not clipped.",
            ),
            Wrong(
                {"taken = drawn.clamp(low, high)": "taken = drawn.clamp(min=low)"},
                "What is too large is not clipped.",
            ),
            Wrong(
                {"taken = drawn.clamp(low, high)": "taken = drawn.clamp(-1, 1)"},
                "You clip to −1 … 1. The bounds are `low` and `high`, and each axis has its own.",
            ),
            Wrong(
                {
                    "taken = drawn.clamp(low, high)": "taken = (low + high) / 2 "
                    "+ (high - low) / 2 * drawn.tanh()"
                },
                "You squash what is drawn. Here it is clipped: what lies inside of the bounds is "
                "taken as it is.",
            ),
            Wrong(
                {"taken = drawn.clamp(low, high)": "taken = mean.clamp(low, high) + off"},
                "The mean is clipped, and then the noise is added, so that the sum may lie "
                "outside.",
            ),
            Wrong(
                {"off = deviation * z": "off = deviation.square() * z"},
                "The noise is multiplied by the variance. z has the deviation 1, so σ z has the "
                "deviation σ.",
            ),
            Wrong(
                {"off = deviation * z": "off = deviation.sqrt() * z"},
                "You take the root of the deviation. It is σ already.",
            ),
            Wrong(
                {"off = deviation * z": "off = deviation.exp() * z"},
                "You take `deviation` for log σ. It is σ already.",
            ),
            Wrong(
                {"off = deviation * z": "off = z"},
                "The noise is not scaled: z has the deviation 1, and σ z is wanted.",
            ),
            Wrong(
                {"drawn = mean + off": "drawn = mean - off"},
                "You subtract the noise. It is as random, but it is another draw: a = μ + σ z.",
            ),
            Wrong(
                {"drawn = mean + off": "drawn = (mean + deviation) * z"},
                "Mean and deviation are added, and then multiplied by the noise. Only σ is: "
                "a = μ + σ z.",
            ),
            Wrong(
                {"drawn = mean + off": "drawn = (z - mean) / deviation"},
                "That is the way back, from an action to its noise. Here it goes from the noise z "
                "to the action: a = μ + σ z.",
            ),
            Wrong(
                {"drawn = mean + off": "drawn = z + deviation * mean"},
                "z and the mean are exchanged: it is the noise that is scaled, a = μ + σ z.",
            ),
            Wrong(
                {"drawn = mean + off": "drawn = off"},
                "The mean is missing: a = μ + σ z.",
            ),
            Wrong(
                {"return drawn, taken": "return taken, drawn"},
                "The two are exchanged: what is drawn comes first.",
            ),
        ),
        hints=(
            "z is drawn already, from N(0, 1). What has to be done to it, so that its mean is μ "
            "and its deviation σ?",
            "drawn = mean + deviation * z, and drawn.clamp(low, high) is what the world takes.",
        ),
        praise="The world has an edge, and the policy has none.",
    ),
    Exercise(
        id="10.4",
        title="bug hunt: drawn from one, judged by another",
        minutes=10,
        difficulty=2,
        reference=drawn_with_log_pi,
        start=drawn_with_log_pi_with_a_bug,
        cases=_hunt_cases,
        parts=("the actions", "log π"),
        wrong=(
            Wrong(
                drawn_with_log_pi_with_a_bug,
                "Actions are still drawn with the variance in the deviation's place. Where σ² is "
                "4, they scatter by 4 and not by 2, and log π is that of another policy.",
                also=({"(mean + variance.sqrt() * z)": "(mean + variance.square() * z)"},),
            ),
            Wrong(
                {
                    "(mean + variance.sqrt() * z)": "(mean + variance * z)",
                    "Gaussian(mean, variance.sqrt())": "Gaussian(mean, variance)",
                },
                "Now the two agree, and on the wrong policy: in both the variance stands for the "
                "deviation. What the layer says is about σ², as in the paper, and σ is its root.",
            ),
            Wrong(
                {"Gaussian(mean, variance.sqrt())": "Gaussian(mean, variance)"},
                "Gaussian takes the deviation, and you hand over the variance.",
            ),
            Wrong(
                {"Gaussian(mean, variance.sqrt())": "Gaussian(mean, variance.square())"},
                "Gaussian takes the deviation. That is the root of the variance, not its square.",
            ),
            Wrong(
                {"variance = softplus(second)": "variance = softplus(second).sqrt()"},
                "The root is taken twice, in both places. The softplus is σ², and σ is its root.",
            ),
            Wrong(
                {"Gaussian(mean, variance.sqrt())": "Gaussian(mean, variance.sqrt().sqrt())"},
                "The root is taken twice for log π. Gaussian takes σ, as it is.",
            ),
            Wrong(
                {"(mean + variance.sqrt() * z)": "(mean + variance.sqrt().sqrt() * z)"},
                "The root is taken twice for the actions. They scatter by σ.",
            ),
            Wrong(
                {".log_prob(actions)": ".log_prob(z)"},
                "log π is asked of the noise z. It is to be that of the action.",
            ),
            Wrong(
                {".log_prob(actions)": ".log_prob(actions.clamp(-1, 1))"},
                "log π is asked of a clipped action. It is to be that of what was drawn.",
                also=({".detach()": ".detach().clamp(-1, 1)"},),
            ),
            Wrong(
                {
                    "Gaussian(mean, variance.sqrt()).log_prob(actions)": "Gaussian("
                    "mean[..., None], variance.sqrt()[..., None]).log_prob(actions[..., None])"
                },
                "log π has a number for each axis, as torch's Normal says it. An action is all its "
                "axes together: add up over the last axis.",
            ),
            Wrong(
                {".detach()": ""},
                "Now the gradient of log π flows through the action too. It is a number by now: "
                "what is learned is how likely it was.",
            ),
            Wrong(
                {"variance = softplus(second)": "variance = second.exp()"},
                "You have changed what the layer means: σ² is the softplus of it.",
            ),
        ),
        hints=(
            "Where the variance is 1 the function is right. So what is wrong?",
            "Two lines draw and judge. Each needs σ, and what there is so far is σ².",
            "actions = (mean + variance.sqrt() * z).detach()",
        ),
    ),
    Exercise(
        id="10.5",
        title="the λ-return",
        minutes=12,
        difficulty=2,
        reference=lambda_returns,
        form=lambda_returns_in_a_loop,
        cases=_lambda_cases,
        wrong=(
            Wrong(
                {
                    "(1 - lambda_) * next_values[t]": "lambda_ * next_values[t]",
                    "later = lambda_ * R": "later = (1 - lambda_) * R",
                },
                "The two weights are exchanged: λ is the next return's, and 1 − λ that of "
                "V(o_{t+1}). With λ = 1 you are to look all the way.",
            ),
            Wrong(
                {
                    "(1 - lambda_) * next_values[t]": "(1 - gamma) * next_values[t]",
                    "later = lambda_ * R": "later = gamma * R",
                    "rewards[t] + gamma * after": "rewards[t] + lambda_ * after",
                },
                "γ and λ are exchanged. γ discounts what follows, and λ shares it out between "
                "V(o_{t+1}) and the next return.",
            ),
            Wrong(
                {
                    "now = (1 - lambda_) * next_values[t]": "now = gamma * (1 - lambda_) "
                    "* next_values[t]",
                    "truncated[t], next_values[t], ahead": "truncated[t], gamma * next_values[t], "
                    "ahead",
                    "rewards[t] + gamma * after": "rewards[t] + after",
                },
                "γ reaches V(o_{t+1}) alone, and the next return is not discounted. Set brackets: "
                "γ · ((1 − λ) V + λ R).",
            ),
            Wrong(
                {"later = lambda_ * R": "later = gamma * lambda_ * R"},
                "The next return is discounted twice. γ stands once, in front of the bracket: "
                "γ · ((1 − λ) V + λ R).",
            ),
            Wrong(
                {
                    "now = (1 - lambda_) * next_values[t]": "now = (1 - lambda_) "
                    "* next_values[min(t + 1, T - 1)]",
                    "truncated[t], next_values[t], ahead": "truncated[t], "
                    "next_values[min(t + 1, T - 1)], ahead",
                },
                "next_values is read one step too late, at t + 1. next_values[t] is V(o_{t+1}) "
                "already.",
                also=(
                    {
                        "now = (1 - lambda_) * next_values[t]": "now = (1 - lambda_) "
                        "* next_values[min(t + 1, T - 1)]"
                    },
                ),
            ),
            Wrong(
                _only_the_shortest_and_the_longest,
                "You take a mean of two returns, the shortest and the longest. It is the mean of "
                "all lengths: what λ leaves over at each step goes to R_{t+1}, which is such a "
                "mean itself.",
            ),
            Wrong(
                {"(1 - lambda_) * next_values[t]": "next_values[t]"},
                "V(o_{t+1}) is counted in full, and the next return on top. The two weights add up "
                "to 1: (1 − λ) V + λ R.",
            ),
            Wrong(
                {"now = (1 - lambda_) * next_values[t]": "now = torch.zeros_like(next_values[t])"},
                "What λ leaves over is missing: (1 − λ) V(o_{t+1}).",
            ),
            Wrong(
                {"later = lambda_ * R": "later = R"},
                "The next return is counted in full. Its weight is λ.",
            ),
            Wrong(
                {"ahead = now + later": "ahead = R"},
                "λ has no effect: these are n-step returns, λ = 1.",
            ),
            Wrong(
                {"ahead = now + later": "ahead = next_values[t]"},
                "λ has no effect: these are one-step targets, λ = 0.",
            ),
            Wrong(
                {"R = next_values[-1]": "R = torch.zeros_like(next_values[-1])"},
                "Behind the rollout nothing is said to come. It goes on in the next one: begin "
                "with R = next_values[-1], not 0. (With λ = 0 one does not see it.)",
            ),
            Wrong(
                {
                    "R = next_values[-1]": "next_values = next_values.clone()\n"
                    "    next_values[-1] = 0\n"
                    "    R = next_values[-1]"
                },
                "The last of next_values is taken for 0. The rollout stops there, and the world "
                "does not: what follows is worth next_values[-1], unless it is terminated.",
            ),
            Wrong(
                {"R = next_values[-1]": "R = next_values[0]"},
                "The loop begins with the first step's value. Behind the last step comes "
                "next_values[-1].",
            ),
            Wrong(
                {"torch.where(truncated[t], next_values[t], ahead)": "ahead"},
                "The return runs on through a time limit, into the next episode. Where truncated, "
                "what follows is worth next_values[t], whatever λ is.",
            ),
            Wrong(
                {
                    "torch.where(truncated[t], next_values[t], ahead)": "torch.where("
                    "truncated[t], now, ahead)"
                },
                "Where the clock cut, V(o_{t+1}) has the weight 1 − λ. Nothing else is left there, "
                "so it has the whole weight, as in the n-step return.",
            ),
            Wrong(
                {
                    "torch.where(truncated[t], next_values[t], ahead)": "ahead "
                    "+ truncated[t] * next_values[t]"
                },
                "Where truncated, V(o_{t+1}) is added to what follows. It is all that follows: "
                "nothing of the next episode counts beside it.",
            ),
            Wrong(
                {"torch.where(terminated[t], 0.0, after)": "after"},
                "This looks past a terminal state: where terminated, nothing comes after, neither "
                "V nor the next return.",
            ),
            Wrong(
                {
                    "torch.where(terminated[t], 0.0, after)": "after if t == T - 1 else "
                    "torch.where(terminated[t], 0.0, after)"
                },
                "The last step is not asked whether it is terminated. Where the world ended there, "
                "nothing comes after, and its return is its reward.",
            ),
            Wrong(
                {
                    "torch.where(terminated[t], 0.0, after)": "torch.where("
                    "terminated[t], next_values[t], after)"
                },
                "This bootstraps through termination: where the world ended, V(o_{t+1}) follows "
                "with its whole weight. Nothing comes after: 0.",
            ),
            Wrong(
                {
                    "torch.where(terminated[t], 0.0, after)": "torch.where("
                    "terminated[t], later, after)"
                },
                "Where the world ended, V(o_{t+1}) is gone, and the next return still counts with "
                "λ: that is another episode's. Nothing comes after, neither V nor R.",
                also=(
                    {
                        "R = next_values[-1]": "R = torch.where(terminated[-1], 0.0, "
                        "next_values[-1])",
                        "torch.where(terminated[t], 0.0, after)": "torch.where("
                        "terminated[t], later, after)",
                    },
                ),
            ),
            Wrong(
                {
                    "torch.where(terminated[t], 0.0, after)": "torch.where("
                    "terminated[t], now, after)"
                },
                "Where the world ended, V(o_{t+1}) still counts with 1 − λ. Nothing comes after.",
            ),
            Wrong(
                {"terminated[t], 0.0": "terminated[t] | truncated[t], 0.0"},
                "This takes a time limit for an ending. Where only truncated, what follows is "
                "worth next_values[t], not 0.",
            ),
            Wrong(
                {"terminated[t], 0.0": "terminated[t] & ~truncated[t], 0.0"},
                "Where both flags are set, this bootstraps. `terminated` wins.",
            ),
            Wrong(
                {
                    "truncated[t], next": "truncated[(t + 1) % T], next",
                    "terminated[t], 0.0": "terminated[(t + 1) % T], 0.0",
                },
                "The flags are read one step too late, at t + 1. terminated[t] speaks of the step "
                "that r_t was paid for. (Some libraries keep the flag of the step before, and so "
                "their code reads t + 1.)",
                also=(
                    {"terminated[t], 0.0": "terminated[(t + 1) % T], 0.0"},
                    {
                        "truncated[t], next": "truncated[min(t + 1, T - 1)], next",
                        "terminated[t], 0.0": "terminated[min(t + 1, T - 1)], 0.0",
                    },
                    {"terminated[t], 0.0": "terminated[min(t + 1, T - 1)], 0.0"},
                ),
            ),
            Wrong(
                {
                    "truncated[t], next": "truncated[t] & (t == T - 1), next",
                    "terminated[t], 0.0": "terminated[t] & (t == T - 1), 0.0",
                },
                "Only an end at the last step is seen. Episodes end within a rollout too: look at "
                "terminated[t] and truncated[t] in every step.",
            ),
            Wrong(
                {
                    "torch.where(truncated[t], next_values[t], ahead)": "ahead",
                    "torch.where(terminated[t], 0.0, after)": "after",
                    "returns[t] = R": "returns[t] = R\n"
                    "        R = torch.where(terminated[t] | truncated[t], 0.0, R)",
                },
                "R is set to 0 after the step that ended has used it, so the step before loses "
                "what is its own. Decide what follows before R is computed.",
            ),
            Wrong(
                {
                    "truncated[t], next": "truncated[t].any(), next",
                    "terminated[t], 0.0": "terminated[t].any(), 0.0",
                },
                "Where one environment's episode ends, all returns are cut. Each environment has "
                "its own ends: use torch.where with the whole row.",
                also=(
                    {"terminated[t], 0.0": "terminated[t].any(), 0.0"},
                    {"truncated[t], next": "truncated[t].any(), next"},
                ),
            ),
            Wrong(
                {"rewards[t] + gamma * after": "rewards[t] + after"},
                "Nothing is discounted. Each step back costs a factor γ.",
            ),
            Wrong(
                {"rewards[t] + gamma * after": "gamma * (rewards[t] + after)"},
                "Each step's own reward is discounted too. It comes at once.",
            ),
            Wrong(
                {"later = lambda_ * R": "later = lambda_ * lambda_ * R"},
                "λ is multiplied in twice. R has it already for what comes later.",
            ),
            Wrong(
                {"reversed(range(T))": "range(T)"},
                "This loop runs forward. Each return needs the one after it, so begin at the end.",
            ),
            Wrong(
                {"return returns": "return returns.flip(0)"},
                "The order is wrong: the first step's return belongs first in the result.",
            ),
            Wrong(
                {"return returns": "return returns - next_values"},
                "You subtract values: that would be advantages, and of V(o_{t+1}) at that. What is "
                "asked for are the returns.",
            ),
        ),
        properties=(
            ignores(
                "`lambda_` has no effect.",
                lambda given: (
                    {"lambda_": 1 - given.lambda_} if given.lambda_ != 0.5 else {"lambda_": 0.9}
                ),
            ),
            ignores(
                "`gamma` has no effect.",
                lambda given: {"gamma": 0.7 * given.gamma},
            ),
            heeds(
                "A reward changes the returns of later steps. Begin with the last step, and go "
                "back.",
                lambda given: (
                    {"rewards": _plus_one(given.rewards, 0)} if len(given.rewards) > 1 else {}
                ),
                where=lambda given: (torch.arange(len(given.rewards)) > 0)[:, None].expand_as(
                    given.rewards
                ),
            ),
            heeds(
                "An environment's returns change with another one's rewards.",
                lambda given: (
                    {"rewards": _column_plus_one(given.rewards)}
                    if given.rewards.shape[1] > 1
                    else {}
                ),
                where=lambda given: (torch.arange(given.rewards.shape[1]) > 0).expand_as(
                    given.rewards
                ),
            ),
            scales(
                "Twice the rewards and twice the values are not twice the returns.",
                lambda given: {
                    "rewards": 2 * given.rewards,
                    "next_values": 2 * given.next_values,
                },
            ),
        ),
        hints=(
            "It is exercise 2.2 with one line more: what stood there as R is now a mean of "
            "V(o_{t+1}) and R.",
            "ahead = (1 - lambda_) * next_values[t] + lambda_ * R; where truncated it is "
            "next_values[t], and where terminated 0.",
            "after = torch.where(terminated[t], 0.0, torch.where(truncated[t], next_values[t], "
            "ahead)), and R = rewards[t] + gamma * after",
        ),
        praise="λ = 0 is one step, λ = 1 is n steps, and between them nothing jumps.",
    ),
    Exercise(
        id="10.6",
        title="the same, from the errors",
        minutes=8,
        difficulty=2,
        reference=advantage_from,
        cases=_advantage_cases,
        without=("lambda_returns",),
        wrong=(
            Wrong(
                {"factor *= gamma * lambda_": "factor *= gamma"},
                "λ has no effect: each step further costs a factor γλ.",
            ),
            Wrong(
                {"factor *= gamma * lambda_": "factor *= lambda_"},
                "γ has no effect: each step further costs a factor γλ.",
            ),
            Wrong(
                {"factor *= gamma * lambda_": "factor = gamma * lambda_"},
                "The factor is γλ for all later errors. It shrinks with every step: γλ, (γλ)², …",
                also=(
                    {
                        "A, factor = torch.zeros(()), 1.0": "A, factor = torch.zeros(()), "
                        "gamma * lambda_",
                        "factor *= gamma * lambda_": "factor = gamma * lambda_",
                    },
                ),
            ),
            Wrong(
                {"factor *= gamma * lambda_": "factor *= 1"},
                "Nothing is discounted: each step further costs a factor γλ.",
            ),
            Wrong(
                {"factor *= gamma * lambda_": "factor *= gamma * (1 - lambda_)"},
                "The factor is γ(1 − λ). Each step further costs γλ.",
            ),
            Wrong(
                {"        if ended[k]:\n            break\n": ""},
                "The sum runs on through an end, into the next episode.",
            ),
            Wrong(
                {
                    "        A = A + factor * deltas[k]\n": "        if k > 0 and ended[k - 1]:\n"
                    "            break\n"
                    "        A = A + factor * deltas[k]\n",
                    "        if ended[k]:\n            break\n": "",
                },
                "An end before step t stops the sum. Those are of an earlier episode: only an end "
                "from t on counts.",
            ),
            Wrong(
                {"range(t, len(deltas))": "range(t, int(ended.int().argmax()) + 1)"},
                "It goes on as far as the first end of the whole rollout. There may be none, and "
                "argmax is 0 then, or that end may lie before t.",
            ),
            Wrong(
                {"            break": "            factor = 1.0"},
                "At an end the factor begins anew, and the sum goes on into the next episode. Stop "
                "there.",
            ),
            Wrong(
                {"            break": "            A, factor = torch.zeros(()), 1.0"},
                "At an end the sum begins anew, so that what comes out is the next episode's. Stop "
                "there, and keep what is added up.",
                also=({"            break": "            A = torch.zeros(())"},),
            ),
            Wrong(
                {
                    "        A = A + factor * deltas[k]\n": "        if ended[k]:\n"
                    "            continue\n"
                    "        A = A + factor * deltas[k]\n",
                    "        if ended[k]:\n            break\n": "",
                },
                "The step that ended is left out, and the sum goes on in the next episode. It is "
                "the other way round: that step's error counts, and nothing after it.",
            ),
            Wrong(
                {"if ended[k]:": "if ended[t]:"},
                "You look whether step t ended, in every step. Look at the step whose error was "
                "just added: ended[k].",
            ),
            Wrong(
                {"if ended[k]:": "if ended.any():"},
                "An end anywhere stops the sum. Only one that the sum has come to stops it: "
                "ended[k].",
            ),
            Wrong(
                {"if ended[k]:": "if k + 1 < len(deltas) and ended[k + 1]:"},
                "The sum stops a step too early: the error of the step that ended belongs to it.",
                also=(
                    {
                        "        A = A + factor * deltas[k]\n": "        if ended[k]:\n"
                        "            break\n"
                        "        A = A + factor * deltas[k]\n",
                    },
                ),
            ),
            Wrong(
                {
                    "A, factor = torch.zeros(()), 1.0": "A, factor = torch.zeros(()), "
                    "(gamma * lambda_) ** t"
                },
                "The factor is (γλ)^k, counted from the rollout's first step. Count from step t: "
                "δ_t itself has the factor 1.",
            ),
            Wrong(
                {
                    "A, factor = torch.zeros(()), 1.0": "A, factor = torch.zeros(()), gamma",
                    "factor *= gamma * lambda_": "factor *= lambda_",
                },
                "γ is multiplied in once, to all errors alike. It belongs to λ: each step further "
                "costs γλ, and δ_t counts in full.",
            ),
            Wrong(
                {"if ended[k]:": "if k > t and ended[k]:"},
                "An end at step t itself is overlooked. Then the sum is δ_t alone.",
            ),
            Wrong(
                {"if ended[k]:": "if ended[: k + 1].any():"},
                "Ends before step t stop the sum. Those belong to earlier episodes.",
            ),
            Wrong(
                {"range(t, len(deltas))": "range(t, len(deltas) - 1)"},
                "The last error is left out: the sum goes up to len(deltas) − 1, so the range up "
                "to len(deltas).",
            ),
            Wrong(
                {"range(t, len(deltas))": "range(t + 1, len(deltas))"},
                "δ_t itself is missing.",
            ),
            Wrong(
                all_advantages,
                "You return the advantages of all steps. One number is asked for, that of step t.",
            ),
            Wrong(
                {"range(t, len(deltas))": "range(len(deltas))"},
                "The sum begins with the first step. It begins with t.",
            ),
            Wrong(
                {
                    "A, factor = torch.zeros(()), 1.0": "A, factor = torch.zeros(()), "
                    "gamma * lambda_"
                },
                "The first error has a factor already. δ_t counts in full.",
            ),
            Wrong(
                {"A, factor = torch.zeros(()), 1.0": "A, factor = torch.zeros(()), 1 - lambda_"},
                "The whole sum is multiplied by 1 − λ. That factor is in the mean of the returns, "
                "and it cancels when the sum is written with errors.",
            ),
        ),
        properties=(
            heeds(
                "An error before step t changes the result.",
                lambda given: {"deltas": _plus_one(given.deltas, 0)} if given.t > 0 else {},
            ),
            ignores(
                "`gamma` has no effect.",
                lambda given: {"gamma": 0.5 * given.gamma},
            ),
            scales(
                "Errors twice as large are not twice the result.",
                lambda given: {"deltas": 2 * given.deltas},
            ),
        ),
        hints=(
            "It is exercise 2.3, with errors in the place of rewards, and γλ in the place of γ.",
            "Begin with A = 0 and a factor of 1. For each k from t on: add factor * deltas[k], "
            "multiply the factor by gamma * lambda_, and stop where ended[k].",
        ),
        praise="Two ways that look nothing alike, and the same numbers.",
    ),
)
