import gymnasium as gym
import pytest
import torch
from gymnasium.vector import VectorWrapper
from hypothesis import given, strategies as st

from a3c_lib import reinforce
from a3c_lib.making import HasLives, make_envs
from a3c_lib.reinforce import Config, TabularPolicy, discounted_returns, reinforce_loss, train
from a3c_lib.worlds.envs import corridor
from a3c_lib.worlds.exact import policy_gradient


@given(T=st.integers(1, 8), gamma=st.sampled_from([0.0, 0.5, 0.9, 1.0]), seed=st.integers(0, 999))
def test_the_recursion_equals_the_sum_it_abbreviates(T, gamma, seed):
    r = torch.randn(T, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    direct = [sum(gamma**k * r[t + k] for k in range(T - t)) for t in range(T)]
    torch.testing.assert_close(discounted_returns(r, gamma), torch.stack(direct))


def test_the_loss_on_paper():
    logits = torch.tensor([[0.7, 0.3]]).log().requires_grad_()
    log_pi = logits.log_softmax(dim=-1)[:, 1]
    loss = reinforce_loss(log_pi, torch.tensor([2.0]))
    # d log π(1) / d logits = (−.7, .7); descending the loss makes action 1 likelier.
    (gradient,) = torch.autograd.grad(loss, logits)
    assert gradient.flatten().tolist() == pytest.approx([1.4, -1.4])


def test_the_loss_is_a_sum_and_returns_are_constants():
    log_pi, returns = torch.randn(2, 5)
    loss = reinforce_loss(log_pi.requires_grad_(), returns.requires_grad_())
    torch.testing.assert_close(loss, -sum(returns[t].detach() * log_pi[t] for t in range(5)))
    assert torch.autograd.grad(loss, returns, allow_unused=True) == (None,)


def test_on_average_the_estimate_is_the_exact_gradient():
    """All episodes of a corridor with one cell: left k times, then right."""
    gamma = 0.9
    table = torch.tensor([[0.2, -0.3], [0.0, 0.0]], dtype=torch.float64, requires_grad=True)
    expected = torch.zeros_like(table)
    for lefts in range(300):
        actions = torch.tensor([0] * lefts + [1])
        log_pi = table[0].log_softmax(dim=-1)[actions]
        rewards = torch.eye(lefts + 1, dtype=torch.float64)[lefts]
        discounts = gamma ** torch.arange(lefts + 1)
        loss = reinforce_loss(log_pi, discounts * discounted_returns(rewards, gamma))
        (gradient,) = torch.autograd.grad(loss, table)
        expected -= log_pi.sum().exp().detach() * gradient
    torch.testing.assert_close(expected, policy_gradient(corridor(length=1), table, gamma))


def run(seed=0, total_steps=300):
    policy = TabularPolicy(4, 2)
    config = Config(total_steps=total_steps, learning_rate=0.5, seed=seed)
    with train(policy, "a3c_lib/Corridor-v0", config) as training:
        return policy, list(training)


def test_an_update_is_one_whole_episode():
    _, updates = run()
    steps = [0, *(update.steps for update in updates)]
    for before, after, update in zip(steps, steps[1:], updates, strict=False):
        assert update.episodes[0].length == after - before
        assert update.episode_return == 1
    assert steps[-2] < 300 <= steps[-1]


def test_the_same_seed_gives_the_same_run_and_another_another():
    assert run(1)[1] == run(1)[1]
    assert run(1)[1] != run(2)[1]


@pytest.mark.learning
def test_every_seed_learns_to_walk_right():
    for seed in range(5):
        policy, _ = run(seed, total_steps=4000)
        assert (policy.table[:3].softmax(dim=-1)[:, 1] > 0.8).all()


def test_an_untrained_table_is_fair():
    policy = TabularPolicy.for_env(gym.make("a3c_lib/Trap-v0"))
    assert torch.equal(policy(torch.arange(3)).softmax(dim=-1), torch.full((3, 2), 0.5))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: TabularPolicy.for_env(gym.make("CartPole-v1")), "a table needs Discrete"),
        (lambda: discounted_returns(torch.zeros(3, 1), 0.9), r"are \(T,\); got \(3, 1\)"),
        (lambda: reinforce_loss(torch.zeros(3), torch.zeros(3, 1)), r"\(3,\).*\(3, 1\)"),
        (lambda: Config(gamma=-0.1), "got -0.1"),
        (lambda: Config(learning_rate=0), "positive; got 0"),
        (lambda: Config(total_steps=0), "at least 1; got 0"),
        (lambda: Config(seed=-1), "seed is at least 0; got -1"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


class Lives(VectorWrapper, HasLives):
    """A game has two lives, of which each is an episode of the world within."""

    def reset(self, **options):
        self.lost = 0
        return super().reset(**options)

    def step(self, actions):
        *seen, info = super().step(actions)
        self.lost += int(seen[2][0] or seen[3][0])
        self.game_over = (seen[2] | seen[3]) & (self.lost % 2 == 0)
        return *seen, info


def test_returns_do_not_flow_through_a_lost_life(monkeypatch):
    judged = []

    def noted(log_probabilities, returns):
        judged.append(returns)
        return reinforce_loss(log_probabilities, returns)

    monkeypatch.setattr(reinforce, "reinforce_loss", noted)
    corridor = make_envs(lambda: gym.make("a3c_lib/Corridor-v0", length=1))
    config = Config(total_steps=1, gamma=0.5, seed=3)
    with train(TabularPolicy(2, 2), Lives(corridor), config) as training:
        (update,) = training
    (returns,) = judged
    assert update.episode_return == 2  # each life is paid 1 at its end
    assert (returns == 1).sum() == 2
    assert returns.max() == 1
