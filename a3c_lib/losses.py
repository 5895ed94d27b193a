"""Chapter 03: the entropy bonus, and with it the loss of A3C and A2C."""

from dataclasses import dataclass
from functools import partial

from torch import Tensor

from a3c_lib import training
from a3c_lib.actor_critic import Loss, LossFunction, actor_critic_loss
from a3c_lib.distributions import PolicyOutput
from a3c_lib.settings import NotNegative


def entropy(logits: Tensor) -> Tensor:
    """H(π) = −Σ_a π(a) log π(a), in nats: log A for a uniform policy, 0 for a certain one.

    (*B, A) → (*B).  0 log 0 is 0: a logit of −∞ stands for an action that cannot be taken.

    >>> import torch
    >>> round(entropy(torch.tensor([0.9, 0.1]).log()).item(), 5)
    0.32508
    >>> entropy(torch.tensor([1.0, 1.0, -torch.inf]))
    tensor(0.6931)
    """
    log_pi = logits.log_softmax(dim=-1)
    log_pi = log_pi.masked_fill(log_pi.isneginf(), 0.0)
    return -(log_pi.exp() * log_pi).sum(dim=-1)


def a2c_loss(
    logits: PolicyOutput,
    values: Tensor,
    actions: Tensor,
    returns: Tensor,
    value_weight: float = 0.5,
    entropy_weight: float = 0.01,
) -> Loss:
    """−mean log π(a | o) A + value_weight · mean (R − V)² − entropy_weight · mean H(π).

    Shapes as in `actor_critic_loss`.                                          [A3C, section 4]

    entropy_weight is the paper's β, per nat: 0.01 for Atari. Entropy is positive, so it is
    subtracted: descending the loss raises it. (Algorithm S3 in the paper leaves this term out; its
    text has it.)
    """
    if entropy_weight < 0:
        raise ValueError(f"entropy_weight is at least 0; got {entropy_weight}")
    loss = actor_critic_loss(logits, values, actions, returns, value_weight)
    bonus = entropy(logits).mean() if isinstance(logits, Tensor) else loss.entropy
    return loss._replace(total=loss.total - entropy_weight * bonus, entropy=bonus)


@dataclass(frozen=True, kw_only=True)
class Config(training.Config):
    """The weights of the loss."""

    value_weight: NotNegative = 0.5  # of (R − V)², at least 0; the paper has none [OpenAI's A2C]
    entropy_weight: NotNegative = 0.01  # β, per nat, at least 0 [A3C]

    @property
    def loss(self) -> LossFunction:
        """`a2c_loss` with these weights."""
        return partial(a2c_loss, value_weight=self.value_weight, entropy_weight=self.entropy_weight)
