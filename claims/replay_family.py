"""What does each part of DQN's family bring on Catch, alone? DQN with targets of five steps, with
Double, with two streams, and with priorities. Whichever way it comes out.

All else is as in `replay_catch`, which has DQN without any part and with all of them.
"""

from types import SimpleNamespace
from typing import Any

from a3c_lib import dqn
from claims.replay_catch import by_replay, measured

PARTS: dict[str, dict[str, Any]] = {
    "five steps": {"n_steps": 5},
    "Double": {"double": True},
    "dueling": {"dueling": True},
    "prioritised": {"prioritized": True},
}
SETTINGS = [{"part": part, "learning_rate": rate} for part in PARTS for rate in (0.001,)]
SEEDS = range(10)
ALONE = True  # no run of the same claim at the same time
CLOCKED = ("seconds",)


def config(seed: int, part: str, learning_rate: float) -> SimpleNamespace:
    """All that a run is made of."""
    return by_replay({**PARTS[part], "learning_rate": learning_rate, "seed": seed})


def run(seed: int, part: str, learning_rate: float) -> list[dict[str, float]]:
    return measured(dqn.train, config(seed, part, learning_rate))
