"""Three agents in the T-maze act alike, with a memory that is carried from rollout to rollout, and
learn from their rollouts with different ones: the memory with which the rollout began, zeros, or
the memory with which it ended. The two wrong ones raise no error, and learn in some seeds; with the memory of its end none of ten
seeds reaches 0.95, with that of its beginning at least seven do.
"""

import torch

from a3c_lib.actor_critic import Loss
from a3c_lib.losses import a2c_loss
from a3c_lib.recurrent import Memory, RecurrentActorCritic
from a3c_lib.returns import n_step_returns
from a3c_lib.rollout import Rollout, collect, initial_state, make_envs, sampled, start
from a3c_lib.training import TorchOptimizer, clip_gradients, gradients_of
from claims.tmaze_memory import EVERY, STEPS, TMAZE, measured, new_model

SETTINGS = [{"memory": memory} for memory in ("beginning", "zeros", "end")]
SEEDS = range(10)

T_MAX, NUM_ENVS, LEARNING_RATE = 8, 8, 0.01
UPDATES = STEPS // (T_MAX * NUM_ENVS)


def run(seed: int, memory: str) -> list[dict[str, float]]:
    model = new_model("LSTM", 1.0, seed)
    assert isinstance(model, RecurrentActorCritic)
    parameters = list(model.parameters())
    optimizer = TorchOptimizer(torch.optim.Adam(parameters))
    policy = sampled(model, torch.Generator().manual_seed(seed))
    envs = make_envs(TMAZE, NUM_ENVS)
    position = start(envs, seed, initial_state(model, NUM_ENVS))
    rows = [{"steps": 0, "score": measured(model)["score"]}]
    for update in range(1, UPDATES + 1):
        began = position.policy_state
        rollout, position = collect(envs, policy, position, T_MAX)
        zeros = model.initial_state(NUM_ENVS)
        taken = {"beginning": began, "zeros": zeros, "end": position.policy_state}[memory]
        gradients = gradients_of(lesson(model, rollout, taken).total, parameters)
        gradients, _ = clip_gradients(gradients, 0.5)
        optimizer.step(gradients, LEARNING_RATE * (1 - (update - 1) / UPDATES))
        steps = update * T_MAX * NUM_ENVS
        if steps % EVERY < T_MAX * NUM_ENVS:
            rows.append({"steps": steps // EVERY * EVERY, "score": measured(model)["score"]})
    return rows


def lesson(model: RecurrentActorCritic, rollout: Rollout, state: Memory) -> Loss:
    logits, values, next_values = model.unroll(rollout, state)
    ends = rollout.terminated, rollout.truncated
    returns = n_step_returns(rollout.rewards, next_values, *ends, 0.99)
    return a2c_loss(logits, values, rollout.actions, returns)
