from itertools import product

import numpy as np
import pytest
import torch

from a3c_lib.rollout import collect, make_envs, start
from a3c_lib.worlds.envs import RIGHT, TabularEnv, corridor, trap
from a3c_lib.worlds.exact import (
    action_values,
    objective,
    optimal_policy,
    optimal_values,
    policy_direction,
    policy_gradient,
    state_values,
)

WORLDS = [corridor(3), corridor(4, slip=0.2), trap(2, 3, 0.3, 1.0)]


def some_policy(mdp, seed=0):
    logits = torch.randn(mdp.num_states, 2, generator=torch.Generator().manual_seed(seed))
    return logits.double().softmax(dim=-1)


@pytest.mark.parametrize("mdp", WORLDS)
def test_values_are_the_discounted_rewards_step_by_step(mdp):
    """The linear system against Σ_t γ^t E[r_t], the state's distribution pushed forward."""
    policy, gamma = some_policy(mdp).numpy(), 0.8
    for first in range(mdp.num_states):
        state, total = np.eye(mdp.num_states)[first], 0.0
        for t in range(200):
            state = np.where(mdp.terminal, 0, state)
            flow = state[:, None, None] * policy[:, :, None] * mdp.transitions
            total += gamma**t * (flow * mdp.rewards).sum()
            state = flow.sum(axis=(0, 1))
        assert state_values(mdp, torch.tensor(policy), gamma)[first].item() == pytest.approx(total)


@pytest.mark.parametrize("mdp", WORLDS)
def test_optimal_values_are_the_best_of_all_deterministic_policies(mdp):
    best = torch.zeros(mdp.num_states, dtype=torch.float64)
    for actions in product(range(2), repeat=mdp.num_states):
        policy = torch.nn.functional.one_hot(torch.tensor(actions), 2).double()
        best = best.maximum(state_values(mdp, policy, 0.9))
    torch.testing.assert_close(optimal_values(mdp, 0.9), best)


def test_the_best_way_through_the_corridor_is_right():
    for length in (1, 3, 10):
        values = optimal_values(corridor(length), gamma=0.9)
        expected = torch.tensor([*(0.9 ** (length - 1 - s) for s in range(length)), 0.0])
        torch.testing.assert_close(values, expected.double())
        assert (optimal_policy(corridor(length), 0.9)[:length].argmax(-1) == RIGHT).all()


def test_an_action_is_worth_its_reward_and_what_comes_after():
    mdp = corridor(2)
    Q = action_values(mdp, optimal_values(mdp, 0.5), 0.5)
    assert Q.tolist() == [[0.25, 0.5], [0.25, 1.0], [0.0, 0.0]]


@pytest.mark.parametrize("mdp", WORLDS)
def test_the_policy_gradient_is_the_slope_of_the_objective(mdp):
    logits = torch.randn(mdp.num_states, 2, generator=torch.Generator().manual_seed(1)).double()
    gradient = policy_gradient(mdp, logits, 0.9)
    for s, a in product(range(mdp.num_states), range(2)):
        nudge = torch.zeros_like(logits)
        nudge[s, a] = 1e-6
        rise = objective(mdp, logits + nudge, 0.9) - objective(mdp, logits - nudge, 0.9)
        assert gradient[s, a].item() == pytest.approx(rise.item() / 2e-6, abs=1e-7)


@pytest.mark.parametrize("mdp", WORLDS)
@pytest.mark.parametrize("discounted", [True, False])
def test_the_direction_of_an_actor_critic_adds_up_advantages_step_by_step(mdp, discounted):
    """Visits by pushing the state's distribution forward. Each counted γ^t times, it is the policy
    gradient; each counted once, it is the direction."""
    logits, gamma = some_policy(mdp, seed=1).log(), 0.9
    pi = logits.softmax(dim=-1)
    V = state_values(mdp, pi, gamma)
    A = action_values(mdp, V, gamma) - V[:, None]
    state, total = mdp.start, torch.zeros_like(pi)
    for t in range(5000):
        state = np.where(mdp.terminal, 0, state)
        weight = gamma**t if discounted else 1.0
        total += weight * torch.tensor(state)[:, None] * pi * A
        state = np.einsum("s,sa,sat->t", state, pi.numpy(), mdp.transitions)
    exact = policy_gradient if discounted else policy_direction
    torch.testing.assert_close(total, exact(mdp, logits, gamma))


def test_playing_gives_what_the_table_promises():
    """In a noisy corridor the mean discounted return is V^π(s_0), within 4 standard errors."""
    mdp = corridor(4, slip=0.2, reward_noise=0.3)
    policy, gamma = some_policy(mdp), 0.9
    generator = torch.Generator().manual_seed(0)

    def act(observation, state):
        return torch.multinomial(policy[observation], 1, generator=generator).squeeze(1), state

    envs = make_envs(lambda: TabularEnv(mdp), 10)
    rollout, _ = collect(envs, act, start(envs, 0), 6000)
    returns = []
    for n in range(10):
        G, discount = 0.0, 1.0
        for reward, end in zip(rollout.rewards[:, n], rollout.terminated[:, n], strict=True):
            G, discount = G + discount * reward.item(), discount * gamma
            if end:
                returns.append(G)
                G, discount = 0.0, 1.0
    assert len(returns) > 3000
    error = np.std(returns) / len(returns) ** 0.5
    assert np.mean(returns) == pytest.approx(
        state_values(mdp, policy, gamma)[0].item(), abs=4 * error
    )


@pytest.mark.parametrize(
    ("shape", "gamma", "message"),
    [((3, 2), 0.9, r"\(S, A\) = \(4, 2\); got \(3, 2\)"), ((4, 2), 1.1, "got 1.1")],
)
def test_bad_input_is_named(shape, gamma, message):
    with pytest.raises(ValueError, match=message):
        state_values(corridor(3), torch.full(shape, 0.5), gamma)


@pytest.mark.parametrize(("length", "gamma"), [(240, 0.9), (40, 0.5), (60, 0.6)])
def test_the_best_way_is_right_however_little_the_goal_is_worth_from_afar(length, gamma):
    chosen = optimal_policy(corridor(length), gamma).argmax(-1)
    assert (chosen[:length] == RIGHT).all()
    values = optimal_values(corridor(length), gamma)
    assert values[0].item() == pytest.approx(gamma ** (length - 1))


def test_of_two_equally_good_actions_one_is_chosen():
    assert optimal_values(trap(2, 2, small=1.0, large=1.0), 0.5).tolist() == [
        0.0,
        1.0,
        0.5,
        1.0,
        0.0,
    ]


def test_without_a_discount_episodes_must_end():
    left = torch.tensor([[1.0, 0.0]]).repeat(4, 1)
    for solve in (
        lambda: state_values(corridor(3), left, 1.0),
        lambda: policy_direction(corridor(3), left.log(), 0.9),
    ):
        with pytest.raises(ValueError, match="episodes must end under the policy"):
            solve()
    for solve in optimal_policy, optimal_values:
        with pytest.raises(ValueError, match="gamma is below 1 where the best policy"):
            solve(corridor(3), 1.0)
