"""Chapter 02: n-step returns, the forward view; and λ-returns, their mean (chapter 10)."""

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from a3c_lib import training
from a3c_lib.actor_critic import Targets
from a3c_lib.rollout import check_shapes
from a3c_lib.settings import Fraction


def n_step_returns(
    rewards: Tensor, next_values: Tensor, terminated: Tensor, truncated: Tensor, gamma: float
) -> Tensor:
    """R_t = r_t + γ · (0 where the world ended | V(o_{t+1}) where it was cut | else R_{t+1}).

    It is cut by a time limit, and where the rollout stops.   all (T, N) → (T, N)   [A3C, Alg. S3]

    Every step looks as far ahead as the rollout goes: the last one step, the
    one before two. next_values[t] = V(o_{t+1}), the observation before any reset; it is read only
    where the rollout or a time limit cut. A gradient flows into whatever of it requires one.

    >>> column = lambda *numbers: torch.tensor(numbers)[:, None]
    >>> r, v, no = column(1.0, 2.0, 3.0), column(0.0, 0.0, 8.0), column(False, False, False)
    >>> n_step_returns(r, v, terminated=no, truncated=no, gamma=0.5).squeeze()
    tensor([3.7500, 5.5000, 7.0000])
    """
    check_shapes(
        rewards=rewards, next_values=next_values, terminated=terminated, truncated=truncated
    )
    returns = []
    R = next_values[-1]
    for t in reversed(range(len(rewards))):
        after = torch.where(truncated[t], next_values[t], R)
        R = rewards[t] + gamma * torch.where(terminated[t], 0.0, after)
        returns.append(R)
    return torch.stack(returns[::-1])


def lambda_returns(
    rewards: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    gamma: float,
    lambda_: float,
) -> Tensor:
    """R_t = r_t + γ · (0 where the world ended | V(o_{t+1}) where it was cut | else
    (1 − λ) V(o_{t+1}) + λ R_{t+1}).   all (T, N) → (T, N)

    A mean of the returns that look 1, 2, 3, … steps ahead, with weights 1 − λ, (1 − λ) λ, … and
    all the rest on the last. With λ = 1 it is the n-step return, with λ = 0 the one-step target,
    bit for bit. R_t − V(o_t) is the generalised advantage, Σ_k (γλ)^k δ_{t+k} up to the cut.
    [GAE, eq. 16]

    >>> column = lambda *numbers: torch.tensor(numbers)[:, None]
    >>> r, v, no = column(1.0, 2.0, 3.0), column(4.0, 6.0, 8.0), column(False, False, False)
    >>> lambda_returns(r, v, terminated=no, truncated=no, gamma=0.5, lambda_=0.5).squeeze()
    tensor([3.3125, 5.2500, 7.0000])
    """
    if not 0 <= lambda_ <= 1:
        raise ValueError(f"lambda_ is in [0, 1]; got {lambda_}")
    check_shapes(
        rewards=rewards, next_values=next_values, terminated=terminated, truncated=truncated
    )
    returns = []
    R = next_values[-1]
    for t in reversed(range(len(rewards))):
        ahead = next_values[t].lerp(R, lambda_)  # (1 − λ) V + λ R
        after = torch.where(truncated[t], next_values[t], ahead)
        R = rewards[t] + gamma * after.masked_fill(terminated[t], 0.0)
        returns.append(R)
    return torch.stack(returns[::-1])


@dataclass(frozen=True, kw_only=True)
class Config(training.Config):
    """How far ahead returns look."""

    # 1: n-step returns, all the way to the rollout's end; 0: one step; between: a mean of all [GAE]
    lambda_: Fraction = 1.0

    @property
    def returns(self) -> Targets:
        """What the critic is to predict."""
        if self.lambda_ == 1:
            return n_step_returns
        return partial(lambda_returns, lambda_=self.lambda_)
