"""Does A2C on Catch learn more from as many steps if it learns several times from each rollout?
1, 2, 4 and 8 looks, each with the same two learning rates. Whichever way it comes out.

All but the number of looks is the same; each look computes the gradient anew. `moved` is the mean of
KL(π before ‖ π after) over a rollout's observations, in nats; `entropy` is the policy's over the last
quarter of the rollouts; `evaluated` is the mean of 200 episodes of greedy actions after training.
"""

from types import SimpleNamespace

import torch
from torch import Tensor

from a3c_lib import a2c
from a3c_lib.actor_critic import lesson_of
from a3c_lib.evaluation import evaluate
from a3c_lib.networks import ActorCritic
from a3c_lib.playing import Player
from a3c_lib.returns import n_step_returns
from a3c_lib.rollout import make_envs, sampled
from a3c_lib.training import clip_gradients, seeds
from claims.n_step_catch import flat_catch

SETTINGS = [
    {"looks": looks, "learning_rate": learning_rate}
    for looks in (1, 2, 4, 8)
    for learning_rate in (0.003, 0.01)
]
SEEDS = range(10)


def config(seed: int, looks: int, learning_rate: float) -> SimpleNamespace:
    """All that a run is made of."""
    return SimpleNamespace(
        world=flat_catch,
        model=ActorCritic.for_env(flat_catch(), hidden=(64,), seed=seed),
        training=a2c.Config(
            total_steps=12_000, t_max=5, num_envs=8, learning_rate=learning_rate, seed=seed
        ),
        targets=n_step_returns,
        looks=looks,
        evaluation={"episodes": 200, "actions": "greedy"},
    )


def run(seed: int, looks: int, learning_rate: float) -> list[dict[str, float]]:
    its = config(seed, looks, learning_rate)
    training, model = its.training, its.model
    player = Player(make_envs(its.world, training.num_envs), seeds(training.seed, 0), model)
    optimizer = training.make_optimizer(list(model.parameters()))
    moved, entropies = [], []
    for steps in range(0, training.total_steps, training.t_max * training.num_envs):
        played = player.play(sampled(model, player.generator), training.t_max)
        before = log_policy(model, played.rollout.observations)
        for _ in range(its.looks):
            lesson = lesson_of(model, played, its.targets, training.loss, training.gamma, steps)
            gradients, _ = clip_gradients(lesson.gradients, training.max_grad_norm)
            optimizer.step(gradients, training.annealed(steps))
        after = log_policy(model, played.rollout.observations)
        moved.append((before.exp() * (before - after)).sum(dim=-1).mean().item())
        entropies.append(lesson.loss.entropy.item())
    player.close()
    late = slice(-(len(moved) // 4), None)
    played_after = evaluate(model, its.world, **its.evaluation, seed=1000 + seed, num_envs=50)
    return [
        {
            "moved": sum(moved) / len(moved),
            "entropy": sum(entropies[late]) / len(entropies[late]),
            "evaluated": played_after.mean,
        }
    ]


@torch.no_grad()
def log_policy(model: ActorCritic, observations: Tensor) -> Tensor:
    logits, _ = model(observations)
    return logits.log_softmax(dim=-1)
