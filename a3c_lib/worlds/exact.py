"""Chapter 00: what a table lets us know exactly: V^π, V*, the objective and its gradient.

Everything here is a linear system. Tensors are float64, and a policy that requires a gradient gets
one.
"""

import torch
from torch import Tensor

from a3c_lib.worlds.envs import MDP


def state_values(mdp: MDP, policy: Tensor, gamma: float) -> Tensor:
    """Solve V = r_π + γ P_π V, the Bellman equation of a fixed policy.

    policy (S, A), π(a | s) → (S,).  A terminal state is worth 0. With γ = 1, under the policy
    episodes must end some time; ValueError if they do not.

    >>> from a3c_lib.worlds.envs import corridor
    >>> always_right = torch.tensor([[0.0, 1.0]]).repeat(4, 1)
    >>> state_values(corridor(length=3), always_right, gamma=0.5)
    tensor([0.2500, 0.5000, 1.0000, 0.0000], dtype=torch.float64)
    """
    _check(mdp, policy, gamma)
    transitions, rewards = _tables(mdp)
    P_pi = torch.einsum("sa,sat->st", policy.double(), transitions)
    r_pi = torch.einsum("sa,sa->s", policy.double(), rewards)
    identity = torch.eye(mdp.num_states, dtype=torch.float64)
    return _solved(identity - gamma * P_pi, r_pi)


def action_values(mdp: MDP, values: Tensor, gamma: float) -> Tensor:
    """Q(s, a) = r(s, a) + γ Σ_s' P(s' | s, a) V(s').   values (S,) → (S, A)."""
    transitions, rewards = _tables(mdp)
    return rewards + gamma * transitions @ values.double()


def optimal_policy(mdp: MDP, gamma: float) -> Tensor:
    """Improve a policy until no other action is better anywhere (policy iteration).   → (S, A),
    rows of one 1.

    An action is better if that is more than rounding can make of it, 10⁻¹⁴ of the largest value.
    ValueError for γ = 1, with which a policy under which episodes never end has no values.

    >>> from a3c_lib.worlds.envs import trap
    >>> optimal_policy(trap(near=1, far=3), gamma=0.9)[1:4].argmax(dim=-1)
    tensor([1, 1, 1])
    """
    if gamma == 1:
        raise ValueError("gamma is below 1 where the best policy is looked for; got 1")
    chosen = torch.zeros(mdp.num_states, dtype=torch.long)
    while True:
        policy = torch.nn.functional.one_hot(chosen, mdp.num_actions).double()
        Q = action_values(mdp, state_values(mdp, policy, gamma), gamma)
        best, action = Q.max(dim=-1)
        # What is as good is kept: two equally good actions would swap places for ever.
        better = best > Q.gather(-1, chosen[:, None])[:, 0] + 1e-14 * Q.abs().max()
        if not better.any():
            return policy
        chosen = torch.where(better, action, chosen)


def optimal_values(mdp: MDP, gamma: float) -> Tensor:
    """V*(s) = max_π V^π(s).   → (S,).

    >>> from a3c_lib.worlds.envs import corridor
    >>> optimal_values(corridor(length=3), gamma=0.5)
    tensor([0.2500, 0.5000, 1.0000, 0.0000], dtype=torch.float64)
    """
    return state_values(mdp, optimal_policy(mdp, gamma), gamma)


def objective(mdp: MDP, logits: Tensor, gamma: float) -> Tensor:
    """J(θ) = Σ_s P(s_0 = s) V^π(s), what the agent is to make large.   logits (S, A) → ()."""
    values = state_values(mdp, logits.double().softmax(dim=-1), gamma)
    return torch.as_tensor(mdp.start) @ values


def policy_gradient(mdp: MDP, logits: Tensor, gamma: float) -> Tensor:
    """dJ/dlogits, by differentiating through the linear system.   logits (S, A) → (S, A)."""
    theta = logits.detach().double().requires_grad_()
    (gradient,) = torch.autograd.grad(objective(mdp, theta, gamma), theta)
    return gradient


def policy_direction(mdp: MDP, logits: Tensor, gamma: float) -> Tensor:
    """Σ_t A^π(s_t, a_t) ∇log π(a_t | s_t), on average over episodes: the direction that an
    actor-critic estimates.   logits (S, A) → (S, A)

    For the logit of a in s that is d(s) π(a | s) A^π(s, a), where d(s) is how often an episode
    visits s, on average. `policy_gradient` would count a visit at step t only γ^t times; with
    γ = 1 the two are the same. Under the policy episodes must end some time; ValueError if they do
    not.

    >>> from a3c_lib.worlds.envs import corridor
    >>> policy_direction(corridor(length=1), torch.zeros(2, 2), gamma=0.5)[0]
    tensor([-0.3333,  0.3333], dtype=torch.float64)
    """
    pi = logits.detach().double().softmax(dim=-1)
    V = state_values(mdp, pi, gamma)
    A = action_values(mdp, V, gamma) - V[:, None]
    return _visits(mdp, pi)[:, None] * pi * A


def _visits(mdp: MDP, policy: Tensor) -> Tensor:
    """How often an episode visits each state, d = start + Pᵀ d: at its start, or from another.
    (S, A) → (S,)"""
    P = torch.einsum("sa,sat->st", policy, _tables(mdp)[0])
    identity = torch.eye(mdp.num_states, dtype=torch.float64)
    return _solved(identity - P.T, torch.as_tensor(mdp.start))


def _solved(equations: Tensor, right: Tensor) -> Tensor:
    """x of equations @ x = right, (S, S) and (S,) → (S,)"""
    try:
        solution: Tensor = torch.linalg.solve(equations, right)
    except torch.linalg.LinAlgError:  # type: ignore[attr-defined]
        raise ValueError(
            "without a discount, with gamma = 1, episodes must end under the policy; there are "
            "states from which they never do"
        ) from None
    return solution


def _tables(mdp: MDP) -> tuple[Tensor, Tensor]:
    """P (S, A, S) and r (S, A), both zero from a terminal state on: nothing comes after it."""
    alive = torch.as_tensor(~mdp.terminal)[:, None].double()
    transitions, rewards = torch.as_tensor(mdp.transitions), torch.as_tensor(mdp.rewards)
    return transitions * alive[..., None], (transitions * rewards).sum(dim=-1) * alive


def _check(mdp: MDP, policy: Tensor, gamma: float) -> None:
    if policy.shape != (mdp.num_states, mdp.num_actions):
        expected = (mdp.num_states, mdp.num_actions)
        raise ValueError(f"policy is (S, A) = {expected}; got {tuple(policy.shape)}")
    if not 0 <= gamma <= 1:
        raise ValueError(f"gamma is a discount in [0, 1]; got {gamma}")
