"""Chapter 08: networks of action values, Q(o, a), for every kind of observation, with memory or
without."""

import math
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from gymnasium import spaces
from torch import Tensor, nn
from torch.nn.functional import one_hot

from a3c_lib.networks import (
    HasSpaces,
    MakeEncoder,
    check_sizes,
    encoder_for,
    small,
    torso,
)
from a3c_lib.recurrent import FORGET_BIAS, Memory
from a3c_lib.rollout import Rollout, State
from a3c_lib.settings import ProperFraction, Width, check_setting

# With which a network plays where nobody says with what: `evaluate(..., actions="sampled")`.
PLAYING_EPSILON = 0.05  # [DQN 2015]


@runtime_checkable
class HasUnroll(Protocol):
    """A network with memory, which goes through a rollout itself."""

    def initial_state(self, num_envs: int) -> State:
        """What its policy carries along when N episodes begin: (N, …) each."""

    def q(self, observations: Tensor, state: Any) -> tuple[Tensor, Any]:
        """One step: (N, *O), memory before → Q (N, A), memory after."""

    def unroll(self, rollout: Rollout, state: Any) -> tuple[Tensor, Tensor]:
        """Q(o_t, ·) and Q(o_{t+1}, ·) of a rollout that began with `state`, (T, N, A) each."""


def epsilon_greedy_probabilities(q: Tensor, epsilon: float) -> Tensor:
    """π(a | o) = 1 − ε + ε/A for the action that is worth most, ε/A for every other one.

    (*B, A) → (*B, A).  Of several that are worth most, it is the first.

    >>> epsilon_greedy_probabilities(torch.tensor([1.0, 3.0]), epsilon=0.5)
    tensor([0.2500, 0.7500])
    """
    num_actions = q.shape[-1]
    return one_hot(q.argmax(dim=-1), num_actions) * (1 - epsilon) + epsilon / num_actions


class QNetwork(nn.Module):
    """Q(o, a) of every action: an encoder, a layer of each width in `hidden`, and a head.

    With hidden=() the head sees the observation itself; if that is Discrete, it is a table. The
    head starts small, so at first every action is worth about nothing. Another encoder than the
    space's own is made by `make_encoder(space)`. The same seed gives the same weights, and torch's
    random state is left alone.

    For whatever plays a policy, this one is ε-greedy with `epsilon`: `logits` are the logarithms of
    its probabilities. (Workers that learn have an ε of their own.) Raises ValueError for spaces
    that are not supported, for widths below 1, and for an epsilon outside [0, 1).

    >>> model = QNetwork(spaces.Box(-1, 1, (4,)), spaces.Discrete(2), seed=0)
    >>> model(torch.zeros(5, 3, 4)).shape
    torch.Size([5, 3, 2])
    """

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        hidden: Sequence[int] = (64, 64),
        make_encoder: MakeEncoder = encoder_for,
        activation: type[nn.Module] = nn.Tanh,
        epsilon: float = PLAYING_EPSILON,
        seed: int = 0,
    ) -> None:
        super().__init__()
        num_actions, self.epsilon = _checked(action_space, epsilon)
        check_sizes(hidden, seed)
        # One bias for all states would make one of them learn from another.
        table = not hidden and isinstance(observation_space, spaces.Discrete)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.torso, width = torso(observation_space, hidden, make_encoder, activation)
            self.head = small(nn.Linear(width, num_actions, bias=not table))

    @classmethod
    def for_env(cls, env: HasSpaces, **options: Any) -> "QNetwork":
        """The network that fits an environment's spaces.

        >>> import gymnasium as gym
        >>> QNetwork.for_env(gym.make("CartPole-v1"), hidden=(32,)).head
        Linear(in_features=32, out_features=2, bias=True)
        """
        return cls(env.observation_space, env.action_space, **options)

    def forward(self, observations: Tensor) -> Tensor:
        """(*B, *O) → Q (*B, A), for any batch axes B."""
        q: Tensor = self.head(self.torso(observations))
        return q

    def values(self, observations: Tensor) -> Tensor:
        """max_a Q(o, a): (*B, *O) → (*B)."""
        return self(observations).amax(dim=-1)  # type: ignore[no-any-return]

    def logits(self, observations: Tensor) -> Tensor:
        """log π(a | o) of the ε-greedy policy: (*B, *O) → (*B, A)."""
        return _log_policy(self(observations), self.epsilon)


class RecurrentQNetwork(nn.Module):
    """Q(o_0 … o_t, a): a torso, an LSTM, and a head. Its memory is that of `RecurrentActorCritic`:
    handed in and handed back, zero where an episode begins.

    >>> model = RecurrentQNetwork(spaces.Box(-1, 1, (4,)), spaces.Discrete(2), seed=0)
    >>> q, (h, c) = model.q(torch.zeros(3, 4), model.initial_state(3))
    >>> q.shape, h.shape, c.shape
    (torch.Size([3, 2]), torch.Size([3, 64]), torch.Size([3, 64]))
    """

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        hidden: Sequence[int] = (64,),
        cells: int = 64,
        make_encoder: MakeEncoder = encoder_for,
        activation: type[nn.Module] = nn.Tanh,
        epsilon: float = PLAYING_EPSILON,
        seed: int = 0,
    ) -> None:
        super().__init__()
        num_actions, self.epsilon = _checked(action_space, epsilon)
        check_sizes(hidden, seed)
        check_setting("cells", cells, Width)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.torso, width = torso(observation_space, hidden, make_encoder, activation)
            self.lstm = nn.LSTMCell(width, cells)
            self.head = small(nn.Linear(cells, num_actions))
        with torch.no_grad():  # the gates' order is: input, forget, cell, output
            self.lstm.bias_ih[cells : 2 * cells] = FORGET_BIAS
            self.lstm.bias_hh[cells : 2 * cells] = 0.0

    @classmethod
    def for_env(cls, env: HasSpaces, **options: Any) -> "RecurrentQNetwork":
        """The network that fits an environment's spaces.

        >>> import gymnasium as gym
        >>> RecurrentQNetwork.for_env(gym.make("CartPole-v1"), cells=32).lstm
        LSTMCell(64, 32)
        """
        return cls(env.observation_space, env.action_space, **options)

    def initial_state(self, num_envs: int) -> Memory:
        """The memory with which an episode begins: zeros."""
        zeros = self.head.weight.new_zeros(num_envs, self.lstm.hidden_size)
        return zeros, zeros

    def q(self, observations: Tensor, state: Memory) -> tuple[Tensor, Memory]:
        """One step of N environments: (N, *O), memory before → Q (N, A), memory after."""
        h, c = self.lstm(self.torso(observations), state)
        return self.head(h), (h, c)

    def values(self, observations: Tensor, state: Memory) -> Tensor:
        """max_a Q of what is seen now: (N, *O) → (N). The memory is not advanced."""
        return self.q(observations, state)[0].amax(dim=-1)

    def logits(self, observations: Tensor, state: Memory) -> tuple[Tensor, Memory]:
        """log π(a | o_0 … o_t) of the ε-greedy policy, and the memory after."""
        q, state = self.q(observations, state)
        return _log_policy(q, self.epsilon), state

    def forward(self, observations: Tensor, state: Memory, begins: Tensor) -> tuple[Tensor, Memory]:
        """T steps in a row: (T, N, *O) → Q (T, N, A), memories after each step.

        begins (T, N) says where an observation is the first of its episode: the memory is zeroed
        before it, for that environment alone.
        """
        memories = []
        for features, anew in zip(self.torso(observations), begins, strict=True):
            h, c = (part.masked_fill(anew[:, None], 0) for part in state)
            state = self.lstm(features, (h, c))
            memories.append(state)
        h, c = (torch.stack(part) for part in zip(*memories, strict=True))
        return self.head(h), (h, c)

    def unroll(self, rollout: Rollout, state: Memory) -> tuple[Tensor, Tensor]:
        """Q(o_t, ·) and Q(o_{t+1}, ·) of a rollout that began with `state`, (T, N, A) each.

        No gradient flows into `state`. Q(o_{t+1}, ·) are constants.
        """
        h, c = (part.detach() for part in state)
        ended, unseen = rollout.ended, rollout.unseen
        begins = torch.zeros_like(ended)
        begins[1:] = (ended | rollout.dummies)[:-1]
        q, (h, c) = self(rollout.observations, (h, c), begins)
        next_q = q.detach().roll(-1, dims=0)
        with torch.no_grad():
            next_q[unseen], _ = self.q(rollout.shown_unseen, (h[unseen], c[unseen]))
        return q, next_q


def _checked(action_space: spaces.Space[Any], epsilon: float) -> tuple[int, float]:
    """How many actions there are, and ε."""
    if not isinstance(action_space, spaces.Discrete):
        raise ValueError(
            f"actions {action_space} are not supported: Q(o, a) is of actions that are Discrete"
        )
    check_setting("epsilon", epsilon, ProperFraction)
    return int(action_space.n), epsilon


def _log_policy(q: Tensor, epsilon: float) -> Tensor:
    """log π(a | o) of the ε-greedy policy, (*B, A) → (*B, A). Where Q is no number, neither is
    this: no action is worth most."""
    log_pi = epsilon_greedy_probabilities(q, epsilon).log()
    return log_pi.masked_fill(q.isnan().any(dim=-1, keepdim=True), math.nan)
