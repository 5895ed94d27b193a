"""Why a final ε of its own for each worker? n-step Q on Catch, with workers that draw one of the paper's
three, and with workers that all come down to the same one, 0.01, 0.1 or 0.5. Whichever way it comes
out.

All else is as in `q_catch`, with the learning rate that was better for n-step Q there. Workers act in
turn. `episode_return` is the mean of the latest 100 episodes of training, with the workers'
exploration in it; `evaluated` is the mean of 200 episodes of greedy actions after it.
"""

from types import SimpleNamespace

from a3c_lib.evaluation import evaluate
from a3c_lib.q_learning import Config, NStepQ, train
from a3c_lib.q_networks import QNetwork
from claims.curves import training_curve
from claims.n_step_catch import flat_catch

FINAL = {
    "drawn": ((0.1, 0.01, 0.5), (0.4, 0.3, 0.3)),
    "all 0.01": ((0.01,), (1.0,)),
    "all 0.1": ((0.1,), (1.0,)),
    "all 0.5": ((0.5,), (1.0,)),
}
SETTINGS = [{"final": final} for final in FINAL]
SEEDS = range(10)

EVERY = 2_000  # steps from one row to the next


def config(seed: int, final: str) -> SimpleNamespace:
    """All that a run is made of."""
    final_epsilons, epsilon_chances = FINAL[final]
    return SimpleNamespace(
        world=flat_catch,
        model=QNetwork.for_env(flat_catch(), hidden=(64,), seed=seed),
        training=Config(
            total_steps=40_000,
            t_max=5,
            num_envs=8,
            num_workers=4,
            schedule="round-robin",
            learning_rate=0.01,
            target_period=500,
            final_epsilons=final_epsilons,
            epsilon_chances=epsilon_chances,
            epsilon_steps=10_000,
            seed=seed,
        ),
        method=NStepQ,
        evaluation={"episodes": 200, "actions": "greedy"},
    )


def run(seed: int, final: str) -> list[dict[str, float]]:
    its = config(seed, final)
    with train(its.model, its.world, its.training, method=its.method) as training:
        rows = training_curve(training, EVERY)
    played = evaluate(its.model, its.world, **its.evaluation, seed=1000 + seed, num_envs=50)
    return [{**row, "evaluated": played.mean} for row in rows]
