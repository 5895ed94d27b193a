"""Three agents in the T-maze act alike, with a memory that is carried from rollout to rollout, and
learn from their rollouts with different ones: the memory with which the rollout began, zeros, or
the memory with which it ended. The two wrong ones raise no error, and learn in some seeds; with the memory of its end none of ten
seeds reaches 0.95, with that of its beginning at least seven do.
"""

from types import SimpleNamespace

import torch

from a3c_lib.actor_critic import Config, Loss
from a3c_lib.losses import a2c_loss
from a3c_lib.recurrent import Memory
from a3c_lib.returns import n_step_returns
from a3c_lib.rollout import Rollout, collect, initial_state, make_envs, sampled, start
from a3c_lib.training import TorchOptimizer, clip_gradients, gradients_of
from claims.tmaze_memory import EVERY, TMAZE, measured, new_model

SETTINGS = [{"memory": memory} for memory in ("beginning", "zeros", "end")]
SEEDS = range(10)


def config(seed: int, memory: str) -> SimpleNamespace:
    """All that a run is made of."""
    return SimpleNamespace(
        world=TMAZE,
        model=new_model("LSTM", 1.0, seed),
        memory=memory,
        training=Config(total_steps=40_000, t_max=8, num_envs=8, learning_rate=0.01, seed=seed),
        targets=n_step_returns,
        loss=a2c_loss,
    )


def run(seed: int, memory: str) -> list[dict[str, float]]:
    its = config(seed, memory)
    model, training, batch = its.model, its.training, its.training.t_max * its.training.num_envs
    parameters = list(model.parameters())
    optimizer = TorchOptimizer(torch.optim.Adam(parameters))
    policy = sampled(model, torch.Generator().manual_seed(seed))
    envs = make_envs(its.world, training.num_envs)
    position = start(envs, seed, initial_state(model, training.num_envs))
    rows = [{"steps": 0, "score": measured(model)["score"]}]
    updates = training.total_steps // batch
    for update in range(1, updates + 1):
        began = position.policy_state
        rollout, position = collect(envs, policy, position, training.t_max)
        zeros = model.initial_state(training.num_envs)
        taken = {"beginning": began, "zeros": zeros, "end": position.policy_state}[its.memory]
        gradients = gradients_of(lesson(its, rollout, taken).total, parameters)
        gradients, _ = clip_gradients(gradients, training.max_grad_norm)
        optimizer.step(gradients, training.learning_rate * (1 - (update - 1) / updates))
        steps = update * batch
        if steps % EVERY < batch:
            rows.append({"steps": steps // EVERY * EVERY, "score": measured(model)["score"]})
    return rows


def lesson(its: SimpleNamespace, rollout: Rollout, state: Memory) -> Loss:
    logits, values, next_values = its.model.unroll(rollout, state)
    ends = rollout.terminated, rollout.truncated
    returns = its.targets(rollout.rewards, next_values, *ends, its.training.gamma)
    loss: Loss = its.loss(logits, values, rollout.actions, returns)
    return loss
