"""Asynchronous actor-critic methods, step by step: the package that the book builds.

Modules and names stand in the order in which the book introduces them, not in the alphabet's.
"""

# ruff: isort: skip_file

from a3c_lib.app import interrupts as _interrupts

if _interrupts.is_the_command():  # until its main begins
    _interrupts.end_in_silence()

from a3c_lib.worlds import envs as envs
from a3c_lib.worlds import exact as exact
from a3c_lib.rollout import Episode as Episode
from a3c_lib.rollout import Position as Position
from a3c_lib.rollout import Rollout as Rollout
from a3c_lib.rollout import collect as collect
from a3c_lib.rollout import collect_episode as collect_episode
from a3c_lib.rollout import dummy_steps as dummy_steps
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
from a3c_lib.evaluation import Evaluation as Evaluation
from a3c_lib.evaluation import evaluate as evaluate
from a3c_lib.networks import ActorCritic as ActorCritic
from a3c_lib.lessons import explained_variance as explained_variance
from a3c_lib import actor_critic as actor_critic
from a3c_lib.actor_critic import Loss as Loss
from a3c_lib.actor_critic import actor_critic_loss as actor_critic_loss
from a3c_lib.actor_critic import lesson_of as lesson_of
from a3c_lib.actor_critic import look_back as look_back
from a3c_lib.actor_critic import one_step_targets as one_step_targets
from a3c_lib.actor_critic import values_after as values_after
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

__version__ = "0.1.0"
