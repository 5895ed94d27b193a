"""Chapter 02: n-step returns, the forward view."""

import torch
from torch import Tensor

from a3c_lib.rollout import check_shapes


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
