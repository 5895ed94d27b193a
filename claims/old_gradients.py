"""Is a gradient of old parameters any good? One worker learns CartPole-v1, and each of its
gradients is applied `delay` updates after it was computed. Whichever way it comes out.

Nothing but the age changes: one worker acts in the same environments, always with the newest θ,
and computes its gradient at the θ with which it acted; what is applied is the gradient of `delay`
updates before. So successive gradients are as much alike as without a delay, which is not so when
the age comes from other workers. With a delay of 0 this is A3C with one worker. The last `delay`
gradients are never applied. `episode_return` is the mean of the latest 50 episodes.
"""

from collections import deque
from types import SimpleNamespace

import gymnasium as gym
from torch import Tensor

from a3c_lib import a3c
from a3c_lib.actor_critic import lesson_of
from a3c_lib.evaluation import evaluate
from a3c_lib.networks import ActorCritic
from a3c_lib.playing import Player
from a3c_lib.returns import n_step_returns
from a3c_lib.rollout import make_envs, sampled
from a3c_lib.training import clip_gradients, seeds

DELAYS = (0, 1, 3, 7, 15)  # updates
LEARNING_RATES = (0.003, 0.01, 0.03)
SETTINGS = [
    {"learning_rate": learning_rate, "delay": delay}
    for learning_rate in LEARNING_RATES
    for delay in DELAYS
]
SEEDS = range(10)

WORLD = "CartPole-v1"
EVERY = 2_000  # steps from one row to the next


def config(seed: int, learning_rate: float, delay: int) -> SimpleNamespace:
    """All that a run is made of."""
    return SimpleNamespace(
        world=WORLD,
        model=ActorCritic.for_env(gym.make(WORLD), seed=seed),
        training=a3c.Config(
            total_steps=30_000,
            t_max=5,
            num_envs=4,
            num_workers=1,
            schedule="round-robin",
            learning_rate=learning_rate,
            value_weight=0.05,
            entropy_weight=0.001,
            seed=seed,
        ),
        targets=n_step_returns,
        delay=delay,
        evaluation={"episodes": 50, "actions": "sampled"},
    )


def run(seed: int, learning_rate: float, delay: int) -> list[dict[str, float]]:
    its = config(seed, learning_rate, delay)
    training, model = its.training, its.model
    player = Player(make_envs(its.world, training.num_envs), seeds(training.seed, 0, 0), model)
    optimizer = training.make_optimizer(list(model.parameters()))
    waiting: deque[tuple[Tensor, ...]] = deque()
    latest: deque[float] = deque(maxlen=50)
    rows: list[dict[str, float]] = []
    batch = training.t_max * training.num_envs
    for steps in range(0, training.total_steps, batch):
        played = player.play(sampled(model, player.generator), training.t_max)
        latest.extend(episode.episode_return for episode in played.rollout.episodes)
        lesson = lesson_of(model, played, its.targets, training.loss, training.gamma, steps)
        waiting.append(tuple(clip_gradients(lesson.gradients, training.max_grad_norm)[0]))
        if len(waiting) > its.delay:
            optimizer.step(waiting.popleft(), training.annealed(steps))
        if (steps + batch) % EVERY == 0:
            mean = sum(latest) / max(len(latest), 1)
            rows.append({"steps": steps + batch, "episode_return": mean})
    player.close()
    played_after = evaluate(model, its.world, **its.evaluation, seed=1000 + seed, num_envs=50)
    return [{**row, "evaluated": played_after.mean} for row in rows]
