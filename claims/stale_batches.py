"""Eight steps along A2C's gradient on the same rollout ruin the policy on Catch. Because another policy
played it, because it is the same one eight times, or because eight steps are a long way? Whichever
way it comes out.

`a2c_looks` has `times` steps on the same rollout, 300 times over. Here one thing at a time is other:

- corrected: the same rollout, but each action counts π / π before times in the policy's part of the
  loss, so that on average it is as if the newest policy had chosen it. (Which observations it met
  and what it was paid afterwards stays the old policy's.)
- new rollouts, old policy: each step has a rollout of its own, but all are played by the policy from
  before the first step. They are as old as the same rollout would be, and never the same.
- new rollouts, newest policy: each step's rollout is played by the policy that takes the step.
- one long step: a single step on one rollout, with a learning rate `times` as large.

So the first three take as many gradients as `a2c_looks`, and the fourth fewer; the second and the
third play `times` as many steps of the world. `moved` is the mean of KL(π before ‖ π after all steps)
over the observations of the first rollout, in nats; `entropy` is the policy's over the last quarter
of the 300 times; `evaluated` is the mean of 200 episodes of greedy actions after training.
"""

from copy import deepcopy
from dataclasses import replace
from types import SimpleNamespace

from torch import Tensor

from a3c_lib.actor_critic import Loss, LossFunction, lesson_of
from a3c_lib.evaluation import evaluate
from a3c_lib.playing import Player
from a3c_lib.rollout import make_envs, sampled
from a3c_lib.training import clip_gradients, seeds
from claims import a2c_looks
from claims.a2c_looks import log_policy

CORRECTED, LONG = "corrected", "one long step"
NEW, NEWEST = "new rollouts, old policy", "new rollouts, newest policy"
SETTINGS = [
    {"change": change, "times": times}
    for change in (CORRECTED, NEW, NEWEST, LONG)
    for times in (2, 4, 8)
]
SEEDS = range(10)


def config(seed: int, change: str, times: int) -> SimpleNamespace:
    """All that a run is made of; what is not told here is as `a2c_looks` has it."""
    its = a2c_looks.config(seed, looks=1, learning_rate=0.01)
    del its.looks
    its.steps_each_time = 1 if change == LONG else times
    its.rollouts_each_time = times if change in (NEW, NEWEST) else 1
    its.played_by = "newest policy" if change == NEWEST else "policy before"
    its.corrected = change == CORRECTED
    if change == LONG:
        rate = its.training.learning_rate * times
        its.training = replace(its.training, learning_rate=rate)
    return its


def run(seed: int, change: str, times: int) -> list[dict[str, float]]:
    its = config(seed, change, times)
    training, model = its.training, its.model
    player = Player(make_envs(its.world, training.num_envs), seeds(training.seed, 0), model)
    optimizer = training.make_optimizer(list(model.parameters()))
    moved, entropies = [], []
    for steps in range(0, training.total_steps, training.t_max * training.num_envs):
        acting = model if its.played_by == "newest policy" else deepcopy(model)
        played = player.play(sampled(acting, player.generator), training.t_max)
        first = played.rollout.observations
        before = log_policy(model, first)
        loss = corrected(training.loss, before) if its.corrected else training.loss
        for step in range(its.steps_each_time):
            if 0 < step < its.rollouts_each_time:
                played = player.play(sampled(acting, player.generator), training.t_max)
            lesson = lesson_of(model, played, its.targets, loss, training.gamma, steps)
            gradients, _ = clip_gradients(lesson.gradients, training.max_grad_norm)
            optimizer.step(gradients, training.annealed(steps))
        after = log_policy(model, first)
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


def corrected(loss: LossFunction, before: Tensor) -> LossFunction:
    """A loss of which −mean log π(a | o) A becomes −mean ρ log π(a | o) A, with ρ = π / π before held
    constant. `before` (T, N, A) is log π of the policy that acted."""

    def of(logits: Tensor, values: Tensor, actions: Tensor, returns: Tensor) -> Loss:
        its: Loss = loss(logits, values, actions, returns)
        log_pi, acted = (
            log.gather(-1, actions[..., None]).squeeze(-1)
            for log in (logits.log_softmax(dim=-1), before)
        )
        ratio = (log_pi - acted).exp().detach()
        more = -((ratio - 1) * log_pi * (returns - values).detach()).mean()
        return its._replace(total=its.total + more, policy=its.policy + more)

    return of
