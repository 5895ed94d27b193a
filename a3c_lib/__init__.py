"""Asynchronous actor-critic methods, step by step: the package that the book builds.

Modules and names stand in the order in which the book introduces them, not in the alphabet's. Those
at the end are imported when they are asked for: they bring what the algorithms do without, such as
matplotlib and ale-py.
"""

# ruff: isort: skip_file

from importlib import import_module
from typing import TYPE_CHECKING, Any

from a3c_lib.app import interrupts as _interrupts

if _interrupts.is_the_command():  # until its main begins
    _interrupts.end_in_silence()

from a3c_lib.worlds import envs as envs
from a3c_lib.worlds import exact as exact
from a3c_lib import distributions as distributions
from a3c_lib.rollout import Episode as Episode
from a3c_lib.rollout import Position as Position
from a3c_lib.rollout import Rollout as Rollout
from a3c_lib.rollout import collect as collect
from a3c_lib.rollout import collect_episode as collect_episode
from a3c_lib.rollout import greedy as greedy
from a3c_lib.rollout import initial_state as initial_state
from a3c_lib.rollout import make_envs as make_envs
from a3c_lib.rollout import sampled as sampled
from a3c_lib.rollout import start as start
from a3c_lib.playing import Played as Played
from a3c_lib.playing import Player as Player
from a3c_lib.training import TorchOptimizer as TorchOptimizer
from a3c_lib.training import clip_gradients as clip_gradients
from a3c_lib.training import gradients_of as gradients_of
from a3c_lib.training import seeds as seeds
from a3c_lib import reinforce as reinforce
from a3c_lib.reinforce import TabularPolicy as TabularPolicy
from a3c_lib.reinforce import discounted_returns as discounted_returns
from a3c_lib.reinforce import reinforce_loss as reinforce_loss
from a3c_lib.evaluation import Agent as Agent
from a3c_lib.evaluation import Evaluation as Evaluation
from a3c_lib.evaluation import evaluate as evaluate
from a3c_lib.networks import ActorCritic as ActorCritic
from a3c_lib.networks import torso as torso
from a3c_lib.lessons import explained_variance as explained_variance
from a3c_lib import actor_critic as actor_critic
from a3c_lib.actor_critic import Loss as Loss
from a3c_lib.actor_critic import actor_critic_loss as actor_critic_loss
from a3c_lib.actor_critic import lesson_of as lesson_of
from a3c_lib.actor_critic import look_back as look_back
from a3c_lib.actor_critic import one_step_targets as one_step_targets
from a3c_lib.actor_critic import values_after as values_after
from a3c_lib.returns import lambda_returns as lambda_returns
from a3c_lib.returns import n_step_returns as n_step_returns
from a3c_lib.losses import a2c_loss as a2c_loss
from a3c_lib.losses import entropy as entropy
from a3c_lib.recurrent import RecurrentActorCritic as RecurrentActorCritic
from a3c_lib import optim as optim
from a3c_lib.workers import Team as Team
from a3c_lib.workers import WorkerError as WorkerError
from a3c_lib import hogwild as hogwild
from a3c_lib import a3c as a3c
from a3c_lib import a2c as a2c
from a3c_lib import parallel_a2c as parallel_a2c
from a3c_lib.q_networks import QNetwork as QNetwork
from a3c_lib.q_networks import RecurrentQNetwork as RecurrentQNetwork
from a3c_lib import q_learning as q_learning
from a3c_lib.replay import PrioritizedReplayMemory as PrioritizedReplayMemory
from a3c_lib.replay import ReplayMemory as ReplayMemory
from a3c_lib.replay import SumTree as SumTree
from a3c_lib.replay import importance_weights as importance_weights
from a3c_lib.dqn import DuelingQNetwork as DuelingQNetwork
from a3c_lib import dqn as dqn
from a3c_lib.normalising import Normalised as Normalised
from a3c_lib.normalising import RewardStatistics as RewardStatistics
from a3c_lib.normalising import measured_together as measured_together
from a3c_lib.normalising import normalised_rewards as normalised_rewards

if TYPE_CHECKING:
    from a3c_lib.app import check as check
    from a3c_lib.app import records as records
    from a3c_lib.figures import plots as plots
    from a3c_lib.figures.progress import live_plot as live_plot
    from a3c_lib.figures.progress import track as track
    from a3c_lib.figures.animation import animate as animate
    from a3c_lib.figures.watching import play as play
    from a3c_lib.figures.watching import watch as watch
    from a3c_lib.worlds.atari import Game as Game
    from a3c_lib.encoders import paper_network as paper_network
    from a3c_lib.one_look import OneLook as OneLook
    from a3c_lib.app import checkpoints as checkpoints
    from a3c_lib.app.plan import Network as Network
    from a3c_lib.app.plan import Plan as Plan
    from a3c_lib.app.runs import Run as Run
    from a3c_lib.app.runs import record as record

_WHEN_ASKED_FOR = {
    "check": "app",
    "records": "app",
    "plots": "figures",
    "live_plot": "figures.progress",
    "track": "figures.progress",
    "animate": "figures.animation",
    "play": "figures.watching",
    "watch": "figures.watching",
    "Game": "worlds.atari",
    "paper_network": "encoders",
    "OneLook": "one_look",
    "checkpoints": "app",
    "Network": "app.plan",
    "Plan": "app.plan",
    "Run": "app.runs",
    "record": "app.runs",
}


def __getattr__(name: str) -> Any:
    if name not in _WHEN_ASKED_FOR:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = f"{__name__}.{_WHEN_ASKED_FOR[name]}"
    if _WHEN_ASKED_FOR[name] in ("app", "figures"):
        return import_module(f"{module}.{name}")
    return getattr(import_module(module), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_WHEN_ASKED_FOR})


__version__ = "0.1.0"
