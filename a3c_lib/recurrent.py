"""Chapter 04: a network with memory, an LSTM between the torso and the two heads."""

from collections.abc import Sequence
from typing import Any

import torch
from gymnasium import spaces
from torch import Tensor, nn

from a3c_lib.distributions import PolicyOutput
from a3c_lib.networks import (
    HasSpaces,
    MakeEncoder,
    MakeHead,
    check_sizes,
    encoder_for,
    policy_head,
    torso,
)
from a3c_lib.rollout import Rollout
from a3c_lib.settings import Width, check_setting

# A forget gate σ(1) = 0.73 keeps more of the cell, at first, than torch's σ(0) = 0.5: what is to be
# remembered still arrives when nothing has been learned. [Jozefowicz, Zaremba and Sutskever 2015]
FORGET_BIAS = 1.0

Memory = tuple[Tensor, Tensor]  # h, the output, and c, the cell: (N, cells) each


class RecurrentActorCritic(nn.Module):
    """π(a | o_0 … o_t) and V(o_0 … o_t): torso, LSTM, two heads.

    What it remembers of an episode is (h, c), zero where the episode begins. The memory is handed
    in and handed back; the network keeps none itself, so evaluating it disturbs no training. The
    same seed gives the same weights, and torch's random state is left alone. Raises ValueError for
    spaces that are not supported. (torch.export takes a step of it, `logits`; torch.jit.script does
    not take it.)

    >>> model = RecurrentActorCritic(spaces.Box(-1, 1, (4,)), spaces.Discrete(2), seed=0)
    >>> logits, (h, c) = model.logits(torch.zeros(3, 4), model.initial_state(3))
    >>> logits.shape, h.shape, c.shape
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
        seed: int = 0,
        make_head: MakeHead = policy_head,
    ) -> None:
        super().__init__()
        check_sizes(hidden, seed)
        check_setting("cells", cells, Width)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.torso, width = torso(observation_space, hidden, make_encoder, activation)
            self.lstm = nn.LSTMCell(width, cells)
            self.policy_head = make_head(cells, action_space)
            self.value_head = nn.Linear(cells, 1)
        with torch.no_grad():
            self.value_head.bias.zero_()
            # torch adds two biases, and orders the gates: input, forget, cell, output.
            self.lstm.bias_ih[cells : 2 * cells] = FORGET_BIAS
            self.lstm.bias_hh[cells : 2 * cells] = 0.0

    @classmethod
    def for_env(cls, env: HasSpaces, **options: Any) -> "RecurrentActorCritic":
        """The network that fits an environment's spaces.

        >>> import gymnasium as gym
        >>> RecurrentActorCritic.for_env(gym.make("CartPole-v1"), cells=32).lstm
        LSTMCell(64, 32)
        """
        return cls(env.observation_space, env.action_space, **options)

    def initial_state(self, num_envs: int) -> Memory:
        """The memory with which an episode begins: zeros."""
        zeros = self.value_head.weight.new_zeros(num_envs, self.lstm.hidden_size)
        return zeros, zeros

    def logits(self, observations: Tensor, state: Memory) -> tuple[PolicyOutput, Memory]:
        """One step of N environments: (N, *O), memory before → logits (N, A), memory after."""
        h, c = self.lstm(self.torso(observations), state)
        return self.policy_head(h), (h, c)

    def values(self, observations: Tensor, state: Memory) -> Tensor:
        """V of what is seen now, with the memory of what came before: (N, *O) → (N).

        The memory is not advanced.
        """
        h, _ = self.lstm(self.torso(observations), state)
        values: Tensor = self.value_head(h).squeeze(-1)
        return values

    def forward(
        self, observations: Tensor, state: Memory, begins: Tensor
    ) -> tuple[PolicyOutput, Tensor, Memory]:
        """T steps in a row: (T, N, *O) → logits (T, N, A), values (T, N), memories after each step.

        begins (T, N) says where an observation is the first of its episode: the memory is zeroed
        before it, for that environment alone. Between steps nothing is detached, so that a loss at
        step t reaches what was seen at step 0.
        """
        memories = []
        for features, anew in zip(self.torso(observations), begins, strict=True):
            h, c = (part.masked_fill(anew[:, None], 0) for part in state)
            state = self.lstm(features, (h, c))
            memories.append(state)
        h, c = (torch.stack(part) for part in zip(*memories, strict=True))
        return self.policy_head(h), self.value_head(h).squeeze(-1), (h, c)

    def unroll(self, rollout: Rollout, state: Memory) -> tuple[PolicyOutput, Tensor, Tensor]:
        """logits (T, N, A), values (T, N) and V(o_{t+1}) (T, N) of a rollout that began with
        `state`.

        No gradient flows into `state`: this is where backpropagation through time is truncated.
        V(o_{t+1}) are constants.
        """
        state = tuple(part.detach() for part in state)  # type: ignore[assignment]
        ended, unseen = rollout.ended, rollout.unseen
        begins = torch.zeros_like(ended)
        begins[1:] = (ended | rollout.dummies)[:-1]
        logits, values, (h, c) = self(rollout.observations, state, begins)

        after = values.detach().roll(-1, dims=0)
        with torch.no_grad():
            after[unseen] = self.values(rollout.shown_unseen, (h[unseen], c[unseen]))
        return logits, values, after
