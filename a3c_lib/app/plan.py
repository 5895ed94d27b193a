"""Beside the chapters: what a run trains, and how. An algorithm is one entry in `ALGORITHMS`."""

import dataclasses
import importlib
import math
import os
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import partial
from itertools import pairwise
from operator import attrgetter
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Annotated, Any, Literal, NamedTuple, cast

import gymnasium as gym
import torch
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec
from torch import Tensor, nn

from a3c_lib import (
    a2c,
    a3c,
    actor_critic,
    dqn,
    hogwild,
    losses,
    parallel_a2c,
    q_learning,
    reinforce,
    returns,
    training,
)
from a3c_lib.actor_critic import Targets, one_step_targets
from a3c_lib.app import checkpoints
from a3c_lib.app.checkpoints import CheckpointError
from a3c_lib.app.telling import closing, in_a_line, told
from a3c_lib.distributions import PolicyDistribution
from a3c_lib.models import trainable
from a3c_lib.networks import ActorCritic, GaussianHead, HasSpaces, Variance
from a3c_lib.normalising import (
    Normalised,
    RewardStatistics,
    measured_together,
    normalised_rewards,
)
from a3c_lib.q_networks import QNetwork, RecurrentQNetwork
from a3c_lib.recurrent import RecurrentActorCritic
from a3c_lib.returns import n_step_returns
from a3c_lib.rollout import MakeEnv, MakesEnvs
from a3c_lib.settings import (
    Count,
    Fraction,
    NotNegative,
    NotNegativeCount,
    ProperFraction,
    Range,
    Seed,
    Width,
    check_setting,
    check_settings,
)
from a3c_lib.sharing import NoRoomError
from a3c_lib.training import TorchOptimizer, Training

Pixels = Annotated[int, Range(least=1, most=1000)]
ATARI = "atari:"  # what the name of an Atari game begins with
# Options that had another name in version 0.1, by whom they belong to.
RENAMED = {
    "config": {"epsilon": "rmsprop_epsilon"},
    "network": {
        "eyes": "encoder",
        "standardised": "normalise_pixels",
        "orthogonal": "orthogonal_init",
    },
}
# Options of a network that versions had not which wrote runs.
LATER_OPTIONS = (
    "own_network",
    "normalise_observations",
    "normalise_rewards",
    "variance",
    "squashed",
)


class RunError(ValueError):
    """Raised when a run cannot be started, resumed or read; names the run and the reason."""


# Algorithms


class _ActorCritic(ActorCritic):
    """As `ActorCritic`, but the heads of a table have no bias, which all states would share."""

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        hidden: Sequence[int] = (64, 64),
        **options: Any,
    ) -> None:
        super().__init__(observation_space, action_space, hidden, **options)
        if not hidden and isinstance(observation_space, spaces.Discrete):
            for head in self.policy_head, self.value_head:
                if isinstance(head, nn.Linear):
                    head.register_parameter("bias", None)


Networks = tuple[type[nn.Module], type[nn.Module] | None]


class Algorithm(NamedTuple):
    """An algorithm, as the command line and a run's folder know it."""

    about: str  # in a sentence, for --help
    config: type[training.Config]
    # (model, make_env, config, *, resume), and `targets` if it has some
    train: Callable[..., Training[Any, Any]]
    # config → what the critic is to predict; None: it has no critic, and learns from whole episodes
    targets: Callable[[Any], Targets] | None = lambda config: getattr(
        config, "returns", n_step_returns
    )
    # config → what learns, without and with memory; None: it cannot learn with one
    networks: Callable[[Any], Networks] = lambda config: (_ActorCritic, RecurrentActorCritic)
    # what the command line begins with, where that differs from the config's own defaults
    defaults: Mapping[str, Any] = MappingProxyType({})
    # and what of it is different where the network is a table
    table_defaults: Mapping[str, Any] = MappingProxyType({})

    @property
    def default(self) -> training.Config:
        """The config that the command line begins with."""
        return self.config(**self.defaults)

    @property
    def default_of_a_table(self) -> training.Config:
        """The config that it begins with where the network is a table."""
        return self.config(**{**self.defaults, **self.table_defaults})

    def hands_over_context(self, config: Any) -> bool:
        """Whether its targets see the Context, as those of actor-critics do."""
        without_memory, _ = self.networks(config)
        return self.targets is not None and issubclass(without_memory, ActorCritic)


@dataclass(frozen=True, kw_only=True)
class ActorCriticConfig(losses.Config, returns.Config, actor_critic.Config):
    """How one thread trains, with Adam."""

    # what the critic is to predict: rewards up to the rollout's end and then its own guess, as
    # lambda_ has it, or one reward and then its guess, whatever lambda_ is
    targets: Literal["n-step", "one-step"] = "n-step"


def _actor_critic(
    model: nn.Module, make_env: MakeEnv, config: ActorCriticConfig, **rest: Any
) -> Training[Any, Any]:
    return actor_critic.train(model, make_env, config, loss=config.loss, **rest)


@dataclass(frozen=True, kw_only=True)
class ReinforceConfig(reinforce.Config):
    """How REINFORCE trains."""

    # sgd: plain gradient ascent, as in chapter 00; adam: steps whose size suits returns of 1 and of
    # 500 alike
    optimizer: Literal["sgd", "adam"] = "sgd"
    anneal: bool = False  # bring the learning rate down to 0, linearly in steps
    entropy_weight: NotNegative = 0.0  # β, per nat, at least 0, of each step of an episode
    # subtract from an episode's returns a baseline: a number that comes, after each episode, this
    # much of the way to the return from its first step, in [0, 1]. 0: subtract nothing
    baseline_rate: Fraction = 0.0


class _Reinforce(reinforce.ReinforceTraining):
    """REINFORCE with the options that chapter 00 has not: a learning rate that comes down to 0
    where the budget ends, an entropy bonus, and a baseline, one for all states."""

    config: ReinforceConfig

    def __init__(
        self,
        model: nn.Module,
        make_env: MakeEnv,
        config: ReinforceConfig,
        resume: Mapping[str, Any] | None = None,
        optimizer: TorchOptimizer | None = None,
    ) -> None:
        # Older checkpoints hold no baseline.
        self.baseline = 0.0 if resume is None else float(resume.get("baseline", 0.0))
        super().__init__(cast(Any, model), make_env, config, resume, optimizer)

    def state_dict(self) -> dict[str, Any]:
        """As every single-threaded trainer's, and the baseline."""
        return {**super().state_dict(), "baseline": self.baseline}

    def update(self) -> reinforce.Update:
        """Play one episode, and learn from it at the rate that is left."""
        planned = self.config
        if planned.anneal:
            left = 1 - self.steps / self.total_steps
            self.config = dataclasses.replace(planned, learning_rate=left * planned.learning_rate)
        try:
            return super().update()
        finally:
            self.config = planned

    def _loss(self, pi: PolicyDistribution, actions: Tensor, returns: Tensor) -> Tensor:
        loss = super()._loss(pi, actions, self._above_baseline(returns))
        # A sum over the episode, as the rest of the loss is.
        return loss - self.config.entropy_weight * pi.entropy().sum()

    def _above_baseline(self, returns: Tensor) -> Tensor:
        """G_t − b, where b is of earlier episodes; then b follows.   (T,) → (T,)"""
        before = self.baseline
        self.baseline += self.config.baseline_rate * (returns[0].item() - before)
        return returns - before


def _reinforce(
    model: nn.Module, make_env: MakeEnv, config: ReinforceConfig, **rest: Any
) -> Training[Any, Any]:
    if config.optimizer == "adam":
        # Where only one episode in seventy is rewarded, as at first in FrozenLake-v1, the others
        # have no gradient; a mean square that forgets as fast as Adam's own takes one that has for
        # huge.
        adam = torch.optim.Adam(trainable(model), lr=config.learning_rate, betas=(0.9, 0.9999))
        rest["optimizer"] = TorchOptimizer(adam)
    return _Reinforce(model, make_env, config, **rest)


@dataclass(frozen=True, kw_only=True)
class OneStepQConfig(q_learning.Config):
    """How one-step Q-learning trains."""


@dataclass(frozen=True, kw_only=True)
class SarsaConfig(q_learning.Config):
    """How one-step Sarsa trains."""


@dataclass(frozen=True, kw_only=True)
class NStepQConfig(q_learning.Config):
    """How n-step Q-learning trains."""


def _q_networks(config: q_learning.Config) -> Networks:
    return QNetwork, RecurrentQNetwork


BUDGET = {"total_steps": 100_000}
# Settings chosen for CartPole-v1 within that budget. Those of the paper and of OpenAI's A2C, which
# the configs have, are for Atari.
SMALL_WORLDS = BUDGET | {
    "learning_rate": 5e-3,
    "t_max": 5,
    "num_envs": 16,
    "value_weight": 0.05,
    "entropy_weight": 0.01,
    "lambda_": 0.8,
}
# Where observations are state numbers and the network is a table, there is nothing to share between
# states, and steps may be larger; what was found for FrozenLake-v1.
ON_A_TABLE = {"learning_rate": 0.04, "entropy_weight": 0.005}
# Of each worker; there are two. One final ε for both: of the paper's three, a seed in eleven would
# draw 0.5 for each of them.
SMALL_WORLDS_BY_VALUE = BUDGET | {
    "optimizer": "adam",
    "learning_rate": 0.04,
    "gamma": 0.995,
    "t_max": 8,
    "num_envs": 8,
    "max_grad_norm": 1.0,
    "target_period": 250,
    "final_epsilons": (0.05,),
    "epsilon_chances": (1.0,),
    "epsilon_steps": 25_000,
}
# These were found together, on slippery ice; with an ε of 0.01 after 50,000 steps, annealed, Sarsa
# learned with one seed of five.
ON_A_TABLE_BY_VALUE = {
    "learning_rate": 0.01,
    "gamma": 0.99,
    "t_max": 4,
    "max_grad_norm": 10.0,
    "target_period": 500,
    "anneal": False,
    "epsilon_steps": 30_000,
}

ALGORITHMS = {
    "a3c": Algorithm(
        "A3C: workers that act and learn at the same time, each in a process (chapter 05).",
        a3c.Config,
        a3c.train,
        # Of each worker; there are two.
        defaults=SMALL_WORLDS | {"optimizer": "adam", "t_max": 8, "num_envs": 8},
        table_defaults=ON_A_TABLE,
    ),
    "a2c": Algorithm(
        "A2C: one process, many environments in step with each other (chapter 06).",
        a2c.Config,
        a2c.train,
        defaults=SMALL_WORLDS | {"optimizer": "adam"},
        table_defaults=ON_A_TABLE,
    ),
    "parallel-a2c": Algorithm(
        "A2C on all cores: its environments are split among processes (chapter 07).",
        parallel_a2c.Config,
        parallel_a2c.train,
        defaults=SMALL_WORLDS | {"optimizer": "adam"},
        table_defaults=ON_A_TABLE,
    ),
    "actor-critic": Algorithm(
        "Actor-critic: one process, Adam, n-step or one-step targets (chapters 01 to 03).",
        ActorCriticConfig,
        _actor_critic,
        targets=lambda config: config.returns if config.targets == "n-step" else one_step_targets,
        defaults=SMALL_WORLDS,
        table_defaults=ON_A_TABLE,
    ),
    "reinforce": Algorithm(
        "REINFORCE: one process, whole episodes, no critic (chapter 00).",
        ReinforceConfig,
        _reinforce,
        targets=None,
        defaults=BUDGET
        | {"optimizer": "adam", "learning_rate": 0.025, "gamma": 1.0, "anneal": True},
        table_defaults={
            "optimizer": "sgd",
            "learning_rate": 0.2,
            "anneal": False,
            "entropy_weight": 0.012,
            "baseline_rate": 0.01,
        },
    ),
    "q": Algorithm(
        "One-step Q-learning: workers that learn what actions are worth (chapter 08).",
        OneStepQConfig,
        partial(q_learning.train, method=q_learning.OneStepQ),
        targets=lambda config: one_step_targets,
        networks=_q_networks,
        defaults=SMALL_WORLDS_BY_VALUE,
        table_defaults=ON_A_TABLE_BY_VALUE,
    ),
    "sarsa": Algorithm(
        "One-step Sarsa: the same, from the actions that are executed (chapter 08).",
        SarsaConfig,
        partial(q_learning.train, method=q_learning.Sarsa),
        targets=lambda config: one_step_targets,
        networks=_q_networks,
        defaults=SMALL_WORLDS_BY_VALUE,
        table_defaults=ON_A_TABLE_BY_VALUE,
    ),
    "n-step-q": Algorithm(
        "n-step Q-learning: the same, with returns that look further ahead (chapter 08).",
        NStepQConfig,
        partial(q_learning.train, method=q_learning.NStepQ),
        networks=_q_networks,
        defaults=SMALL_WORLDS_BY_VALUE,
        table_defaults=ON_A_TABLE_BY_VALUE,
    ),
    "dqn": Algorithm(
        "DQN and its family: Q-learning from a replay memory, in one process (chapter 09).",
        dqn.Config,
        dqn.train,
        networks=lambda config: (config.network, None),
        # Without annealing what it does at the end hangs on the last few batches.
        defaults=BUDGET
        | {
            "learning_rate": 0.01,
            "anneal": True,
            "t_max": 4,
            "num_envs": 8,
            "n_steps": 5,
            "batch_size": 128,
            "target_period": 100,
            "final_epsilon": 0.04,
            "epsilon_steps": 16_000,
        },
        table_defaults={"final_epsilon": 0.05, "epsilon_steps": 30_000},
    ),
}


# What is trained


@dataclass(frozen=True, kw_only=True)
class Network:
    """The network that learns."""

    # widths of its layers, one after another, each at least 1; None: 64 64; with an LSTM 64; on
    # Atari 256; for reinforce none. Where observations are state numbers, the command begins with
    # none (a table), and with settings for that
    hidden: tuple[Width, ...] | None = None
    # with memory: an LSTM behind those layers; reinforce and dqn cannot have one
    recurrent: bool = False
    cells: Width = 64  # of the LSTM, at least 1
    network_seed: Seed | None = None  # of the first weights, at least 0; None: the run's seed
    # the convolutions for an Atari game: the paper's, or smaller ones that suit pictures of size 42
    encoder: Literal["paper", "small"] = "paper"
    # for an Atari game: from each pixel take its mean, and divide by the deviation, both measured
    # in random play before training
    normalise_pixels: bool = False
    # for an Atari game: orthogonal first weights, instead of torch's
    orthogonal_init: bool = False
    # for an Atari game: each picture passes through the convolutions once, for acting and learning
    # together, instead of twice: less to compute, and the same but for rounding
    one_look: bool = False
    # with one_look: compute with 8 bits of precision up to the heads, for processors that have it
    bfloat16: bool = False
    # where observations are vectors: take the mean from each, and divide by the deviation, of all
    # that were learned from so far
    normalise_observations: bool = False
    # learn from rewards divided by the deviation of the returns so far; scores stay the world's.
    # For a3c, a2c, parallel-a2c and actor-critic
    normalise_rewards: bool = False
    # σ² of the policy where actions are a Box: said by the network for each state, or one parameter
    # an axis
    variance: Variance = "per-state"
    # where actions are a Box: squash them into it, by a tanh, instead of clipping them
    squashed: bool = False
    # a network of your own instead: "my_package:make_network", which is called as
    # make_network(env, seed=seed); none of the options above goes with it, but for network_seed and
    # normalise_rewards
    own_network: str | None = None

    def __post_init__(self) -> None:
        check_settings(self)
        if self.bfloat16 and not self.one_look:
            raise ValueError("bfloat16 goes with one_look; got one_look=False")
        for name in "one_look", "normalise_pixels":
            if getattr(self, name) and self.encoder != "paper":
                raise ValueError(f"{name} goes with the encoder 'paper'; got {self.encoder!r}")
        if self.own_network is not None:
            for name in self._built_in:
                raise ValueError(f"{name} is for the package's networks, not for own_network")

    @property
    def _built_in(self) -> list[str]:
        """The options that are chosen of the package's networks."""
        of_any = "own_network", "network_seed", "normalise_rewards"
        return [
            field.name
            for field in fields(self)
            if field.name not in of_any and getattr(self, field.name) != field.default
        ]

    def make(
        self,
        env: HasSpaces,
        seed: int,
        to_be_loaded: bool = False,
        kinds: tuple[Any, Any] = (_ActorCritic, RecurrentActorCritic),
    ) -> nn.Module:
        """The network for an environment, of the first of `kinds`, with memory of the second; no
        random play is measured if it is `to_be_loaded`.

        Raises ValueError for spaces that are not supported, and RunError for one of somebody's own
        that is not there, or cannot be made.
        """
        seed = seed if self.network_seed is None else self.network_seed
        if self.own_network is not None:
            model = _own_network(self.own_network, env, seed)
        else:
            model = self._of_the_package(env, seed, to_be_loaded, kinds)
        if self.normalise_rewards:
            model.reward_statistics = RewardStatistics()
        return model

    def _of_the_package(
        self, env: HasSpaces, seed: int, to_be_loaded: bool, kinds: tuple[Any, Any]
    ) -> nn.Module:
        options: dict[str, Any] = {"seed": seed}
        if isinstance(env, MakesEnvs):
            options |= self._for_game(env, to_be_loaded)
        if self.hidden is not None:
            options["hidden"] = self.hidden
        if self.normalise_observations:
            options["make_encoder"] = Normalised
        without_memory, with_memory = kinds
        if (chosen := self._of_a_box(env)) and issubclass(without_memory, ActorCritic):
            options["make_head"] = partial(GaussianHead, **chosen)
        model: Any
        if self.recurrent:
            model = with_memory.for_env(env, cells=self.cells, **options)
        else:
            model = without_memory.for_env(env, **options)
        if self.orthogonal_init:
            from a3c_lib.encoders import orthogonal_init

            orthogonal_init(model, seed)
        return cast(nn.Module, model)

    def _of_a_box(self, env: HasSpaces) -> dict[str, Any]:
        """What is chosen of a policy over a Box. Raises ValueError where actions are none."""
        chosen = {
            name: getattr(self, name)
            for name in ("variance", "squashed")
            if getattr(self, name) != getattr(Network, name)
        }
        if chosen and not isinstance(env.action_space, spaces.Box):
            raise ValueError(
                f"{', '.join(chosen)}: for actions that are a Box; got {env.action_space}"
            )
        return chosen

    def refuse_larger_than(self, most: int) -> None:
        """Raise ValueError if its weights, between the layers that are chosen here, take more than
        `most` bytes: before any of them is made."""
        widths = [1, *(self.hidden or ())]
        weights = sum(before * after for before, after in pairwise(widths))
        if self.recurrent:
            weights += 4 * self.cells * (widths[-1] + self.cells)
        if 4 * weights > most:
            sizes = f"hidden {self.hidden}" + f", cells {self.cells}" * self.recurrent
            raise ValueError(
                f"a network with {sizes} does not fit into this machine's memory, "
                f"{most / 2**30:.0f} GiB"
            )

    def _for_game(self, game: MakesEnvs, to_be_loaded: bool) -> dict[str, Any]:
        from a3c_lib.encoders import PaperEncoder, SmallEncoder, pixel_statistics
        from a3c_lib.worlds.atari import Game

        make_encoder: Any = PaperEncoder if self.encoder == "paper" else SmallEncoder
        if self.normalise_pixels and not to_be_loaded:
            make_encoder = partial(PaperEncoder, statistics=pixel_statistics(cast(Game, game)))
        return {"hidden": (256,), "make_encoder": make_encoder, "activation": nn.ReLU}


@dataclass(frozen=True, kw_only=True)
class Screen:
    """How an Atari game is shown, and what is learned from; None is the game's own (chapter 07)."""

    size: Pixels | None = None  # height and width of the pictures; None: 84
    stack: Count | None = None  # the latest pictures that are seen at once; None: 4
    frame_skip: Count | None = None  # frames for which an action is held, one step; None: 4
    sticky: ProperFraction | None = None  # how likely an action is repeated in a frame; None: 0
    # fewer frames than this pass without an action at first; None: 30
    noop_max: NotNegativeCount | None = None
    fire_at_start: bool | None = None  # then press fire, where there is that button; None: yes
    life_ends: bool | None = None  # a lost life ends what is learned from; None: no
    max_frames: Count | None = None  # then a game is truncated; None: 108,000
    # learn from rewards of −1 to 1, report the score; None: yes, but for reinforce
    clip_rewards: bool | None = None

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def chosen(self) -> dict[str, Any]:
        """What is not left to the game."""
        return {name: value for name, value in vars(self).items() if value is not None}


class Plan(NamedTuple):
    """What is trained, and how."""

    algorithm: str  # a name in ALGORITHMS; of one's own, "module:ALGORITHM"
    env: str  # an id; for one of a package that has to be imported first, "module:Id"; "atari:pong"
    config: Any  # the algorithm's
    network: Network
    screen: Screen = Screen()

    @property
    def of_a_game(self) -> bool:
        """Whether it is an Atari game."""
        return self.env.startswith(ATARI)

    @property
    def clips_rewards(self) -> bool:
        """Whether it learns from clipped rewards, as of a game it does if nothing is said."""
        return self.of_a_game and self.screen.clip_rewards in (None, True)

    def world(self) -> EnvSpec | MakesEnvs:
        """What its environments are made from. Raises RunError if there is no such thing."""
        if self.of_a_game:
            return find_game(self.env, self.screen)
        if self.screen.chosen:
            raise RunError(
                f"{', '.join(self.screen.chosen)}: for an Atari game, such as {ATARI}pong; "
                f"got {self.env!r}"
            )
        return find_env(self.env)

    def may_be_a_table(self) -> bool:
        """Whether its network could be a table: observations are state numbers, and nothing else
        is asked for. No, where there is no such environment."""
        network = self.network
        if self.of_a_game or network.hidden or network.recurrent or network.own_network:
            return False
        with suppress(Exception), warnings.catch_warnings(action="ignore"):
            env = gym.make(cast(EnvSpec, self.world()))
            with closing(env, f"environment {self.env!r}", RunError):
                return isinstance(env.observation_space, spaces.Discrete)
        return False

    def make_model(self, to_be_loaded: bool = False) -> nn.Module:
        """The network, with its first weights; what is `to_be_loaded` is made in less time, and
        lacks what is measured, the mean and deviation of pixels.

        Raises RunError if there is no such environment, its spaces are not supported, or the
        algorithm cannot learn with such a network.
        """
        network, world = self._network(), self.world()
        if isinstance(world, MakesEnvs):
            return self._fitting(network, cast(HasSpaces, world), to_be_loaded)
        try:
            env = gym.make(world)
        except Exception as error:  # whatever an environment of somebody else raises
            raise RunError(f"environment {self.env!r} cannot be made: {told(error)}") from error
        with closing(env, f"environment {self.env!r}", RunError):
            return self._fitting(network, env)

    def _fitting(self, network: Network, env: HasSpaces, to_be_loaded: bool = False) -> nn.Module:
        try:
            network.refuse_larger_than(memory())
            kinds = algorithm_of(self.algorithm).networks(self.config)
            return network.make(env, self.config.seed, to_be_loaded, kinds)
        except RunError:
            raise
        except ValueError as error:
            raise RunError(f"environment {self.env!r}: {error}{_hint(self.env)}") from None

    def _network(self) -> Network:
        """The network's options, if the algorithm and the environment go with them."""
        network, algorithm = self.network, algorithm_of(self.algorithm)
        without_memory, with_memory = algorithm.networks(self.config)
        if algorithm.targets is None:
            for options, name, why in (
                (network, "recurrent", "has no memory"),
                (network, "one_look", "looks twice"),
                (self.screen, "life_ends", "learns from whole games and their score"),
                (self.screen, "clip_rewards", "learns from whole games and their score"),
            ):
                if getattr(options, name):
                    raise RunError(f"{self.algorithm} {why}; {name} is for the other algorithms")
            if network.hidden is None and network.own_network is None:
                network = dataclasses.replace(network, hidden=())
        if network.normalise_rewards:
            self._refuse_rewards_as_they_are()
        if network.recurrent and with_memory is None:
            raise RunError(
                f"{self.algorithm} learns from the middle of episodes; recurrent is for the "
                "algorithms that go through them"
            )
        if issubclass(without_memory, QNetwork):
            for name in "one_look", "orthogonal_init":
                if getattr(network, name):
                    raise RunError(
                        f"{self.algorithm} has no policy of its own; {name} is for the algorithms "
                        "that have"
                    )
        if not self.of_a_game:
            for name in "one_look", "normalise_pixels", "orthogonal_init":
                if getattr(network, name):
                    raise RunError(
                        f"{name} is for an Atari game, such as {ATARI}pong; got {self.env!r}"
                    )
            if network.encoder != "paper":
                raise RunError(
                    f"encoder is for an Atari game, such as {ATARI}pong; got {self.env!r}"
                )
        return network

    def _refuse_rewards_as_they_are(self) -> None:
        """Raise RunError if what it learns from cannot be normalised."""
        algorithm = algorithm_of(self.algorithm)
        if not algorithm.hands_over_context(self.config):
            able = [name for name, its in ALGORITHMS.items() if its.hands_over_context(its.default)]
            raise RunError(
                f"{self.algorithm} learns from rewards as they are; normalise_rewards is for "
                f"{', '.join(able)}"
            )
        if self.clips_rewards:
            raise RunError(
                "rewards of a game are clipped, unless clip_rewards is False; normalise_rewards is "
                "for rewards that are not"
            )

    def train(
        self, model: nn.Module, resume: Mapping[str, Any] | None = None
    ) -> Training[Any, Any]:
        """The trainer. Raises RunError if it cannot go on from `resume`."""
        if self.network.one_look:
            from a3c_lib.one_look import OneLook

            model = OneLook(cast(Any, model), self.network.bfloat16)
        world, options = cast(MakeEnv, self.world()), self._targets()
        options = {name: self._measuring(model, targets) for name, targets in options.items()}
        try:
            algorithm = algorithm_of(self.algorithm)
            return algorithm.train(model, world, self.config, resume=resume, **options)
        except NoRoomError as error:
            raise RunError(in_a_line(error)) from error
        except (ValueError, RuntimeError, LookupError, TypeError, AttributeError) as error:
            if resume is None:
                raise
            raise RunError(
                f"the run cannot go on from its checkpoint: {in_a_line(error)}"
            ) from error

    def _targets(self) -> dict[str, Targets]:
        """What the critic is to predict, from clipped rewards or not; nothing if there is none."""
        make = algorithm_of(self.algorithm).targets
        if make is None:
            return {}
        targets = make(self.config)
        if self.clips_rewards:
            from a3c_lib.worlds.atari import clipped

            targets = clipped(targets)
        return {"targets": targets}

    def _measuring(self, model: nn.Module, targets: Targets) -> Targets:
        """These targets of normalised rewards, and with workers that measure together, if that is
        chosen and can be."""
        if self.network.normalise_rewards:
            return normalised_rewards(model, self.config, targets)
        meet = isinstance(self.config, hogwild.Config) and self.network.normalise_observations
        if meet and algorithm_of(self.algorithm).hands_over_context(self.config):
            return measured_together(model, self.config, targets)
        return targets

    def as_json(self) -> dict[str, Any]:
        """What run.json says of it."""
        network = dataclasses.asdict(self.network)
        if self.network.hidden is not None:
            network["hidden"] = list(self.network.hidden)
        for name in LATER_OPTIONS:
            if network[name] == getattr(Network, name):  # as older versions wrote it
                del network[name]
        return {
            "algorithm": self.algorithm,
            "env": self.env,
            "config": dataclasses.asdict(self.config),
            "network": network,
            "screen": self.screen.chosen,
        }

    @classmethod
    def from_json(cls, about: Mapping[str, Any]) -> "Plan":
        """The plan of which run.json says that; options may have the names of version 0.1."""
        kind = algorithm_of(str(about["algorithm"])).config
        config = _renamed(about["config"], "config", kind)
        if missing := {field.name for field in fields(training.Config)} - config.keys():
            raise ValueError(f"config lacks {', '.join(sorted(missing))}")
        check_setting("env", about["env"], str)
        return cls(
            about["algorithm"],
            about["env"],
            _config(kind, config),
            Network(**_tuples(_renamed(about["network"], "network", Network))),
            Screen(**about.get("screen", {})),
        )

    def checked(self, state: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
        """A checkpoint's content, if it is of this algorithm, environment and network, and can be
        gone on from. Raises CheckpointError if not."""
        try:
            reason = self._reason_against(state)
        except (LookupError, TypeError, AttributeError, RuntimeError) as error:
            reason = f"is no checkpoint of a run: {in_a_line(error)}"  # somebody made it by hand
        if reason:
            raise CheckpointError(f"{path} {reason}")
        return state

    def _reason_against(self, state: Mapping[str, Any]) -> str:
        about, state_of_training = state.get("plan"), state.get("training")
        if not isinstance(about, dict) or not isinstance(state_of_training, dict):
            return "is no checkpoint of a run"
        network = _renamed(about["network"], "network", Network)
        ours, theirs = self.as_json(), {"screen": {}, **about, "network": network}
        for what in "algorithm", "env", "network", "screen":
            if ours[what] != theirs.get(what):
                return f"is of another {what}, {theirs.get(what)}; the run has {ours[what]}"
        for name, number in (
            ("steps", state_of_training.get("steps")),
            ("updates", state_of_training.get("updates", 0)),
            ("seconds", state.get("seconds")),
        ):
            kinds = (int, float) if name == "seconds" else (int,)
            if (
                not isinstance(number, kinds)
                or isinstance(number, bool)
                or not 0 <= number < math.inf
            ):
                return f"holds no number of {name}; it is no trainer's state"
        if damage := spoilt(state_of_training):
            return (
                f"is of a run that diverged: {damage} is not finite. Begin a new one, with a "
                "smaller learning rate"
            )
        return ""


def spoilt(state: Mapping[str, Any]) -> str:
    """What of a training's weights and statistics is not finite, the first; "" if all is.

    >>> import torch
    >>> spoilt({"model": {"weight": torch.ones(2)}, "optimizer": {"g": [torch.tensor(torch.nan)]}})
    'optimizer.g.0'
    """
    learned = {name: state.get(name) for name in ("model", "optimizer", "target", "statistics")}
    # Workers in turn have weights, and perhaps an optimiser, of their own. (What they have seen is
    # no matter of finiteness: a world may have its own use for infinity.)
    workers = [
        {name: worker.get(name) for name in ("model", "optimizer", "statistics")}
        for worker in state.get("workers") or ()
    ]
    return next(checkpoints.not_finite(learned | {"workers": workers}), "")


def _renamed(options: Mapping[str, Any], whose: str, kind: type) -> dict[str, Any]:
    """Options by the names that they have now. An algorithm of somebody's own may have an option
    that is called as one of ours once was."""
    of_today = {option.name for option in fields(kind)}
    renamed = {old: new for old, new in RENAMED[whose].items() if old not in of_today}
    return {renamed.get(name, name): value for name, value in options.items()}


def _tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that JSON has lists of, as it has no tuples."""
    return {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}


def _config(kind: type[training.Config], values: Mapping[str, Any]) -> training.Config:
    """A run's config; on the CPU, if it trained on a device that cannot be used here."""
    values = _tuples(values)
    try:
        return kind(**values)
    except ValueError:
        device = values.get("device", "cpu")
        if device == "cpu" or not isinstance(device, str):
            raise
        try:
            torch.device(device)
        except RuntimeError:  # there is no such thing anywhere
            raise ValueError(f"device is such as 'cpu' or 'cuda'; got {device!r}") from None
        return kind(**{**values, "device": "cpu"})


def memory() -> int:
    """This machine's memory in bytes; where it is not told, more than any has."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 2**45


def algorithm_of(name: str) -> Algorithm:
    """The algorithm of a name in `ALGORITHMS`, or of somebody's own, "module:ALGORITHM". Raises
    RunError if there is none."""
    if name in ALGORITHMS:
        return ALGORITHMS[name]
    if ":" not in name:
        raise RunError(f"algorithm is one of {', '.join(ALGORITHMS)}; got {name!r}")
    found = _found(name, "algorithm")
    if not isinstance(found, Algorithm):
        raise RunError(f"algorithm {name!r} is a {type(found).__name__}, and no Algorithm")
    return found


def _found(name: str, kind: str) -> Any:
    """What "module:name" stands for. Raises RunError if nothing."""
    module, _, attribute = name.rpartition(":")
    what = f"{kind} {name!r}"
    module_found = _imported(module, what)
    try:
        return attrgetter(attribute)(module_found)
    except AttributeError:
        raise RunError(f"{what}: there is no {attribute} in {module}") from None


def _own_network(name: str, env: HasSpaces, seed: int) -> nn.Module:
    """What a function of somebody's own makes, "module:function". Raises RunError if it cannot."""
    if ":" not in name:
        raise RunError(
            f"network {name!r} is no module:function, from which it could be made; in Python it is "
            "handed over: Run.open(folder).model(network)"
        )
    make = _found(name, "network")
    try:
        model = make(env, seed=seed)
    except Exception as error:
        raise RunError(f"network {name!r} cannot be made: {told(error)}") from error
    if not isinstance(model, nn.Module):
        raise RunError(f"network {name!r}: makes a torch.nn.Module; got {type(model).__name__}")
    return model


def find_env(env_id: str) -> EnvSpec:
    """What an id stands for; "module:Id" imports the module first. Raises RunError if nothing.

    >>> find_env("a3c_lib.worlds.envs:a3c_lib/Catch-v0").id
    'a3c_lib/Catch-v0'
    """
    module, colon, name = env_id.rpartition(":")
    if colon:
        _imported(module, f"environment {env_id!r}")
    try:
        return gym.spec(name)
    except gym.error.Error as error:
        hint = "" if module else "; one of another package is asked for as module:Id"
        if newest := _newest(name):
            hint = f"; did you mean {module}{colon}{newest}?"
        hint = _hint(env_id) or hint
        raise RunError(f"environment {env_id!r} is unknown: {in_a_line(error)}{hint}") from None


def _imported(module: str, what: str) -> ModuleType:
    """The module in which `what` is to be found. Raises RunError, whatever that module does."""
    if not all(part.isidentifier() for part in module.split(".")):
        raise RunError(f"{what}: before the colon stands a module; got {module!r}")
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise RunError(f"{what}: {in_a_line(error)}") from None
    except (Exception, SystemExit) as error:
        raise RunError(f"{what}: {module} cannot be imported: {told(error)}") from error


def _hint(env_id: str) -> str:
    """How an Atari game is asked for here, if an id of ale-py's is given.

    >>> _hint("ale_py:ALE/SpaceInvaders-v5")
    '; Atari games are asked for as atari:space_invaders'
    """
    game = re.fullmatch(r"(?:.*:)?ALE/(\w+)-v\d+", env_id)
    if game is None:
        return ""
    return (
        f"; Atari games are asked for as {ATARI}{re.sub('(?<!^)(?=[A-Z])', '_', game[1]).lower()}"
    )


def _newest(name: str) -> str | None:
    """The id that is meant by one without its version."""
    versions = [each for each in gym.registry if re.fullmatch(re.escape(name) + r"-v\d+", each)]
    return max(versions, key=lambda each: int(each.rpartition("-v")[2]), default=None)


def find_game(name: str, screen: Screen) -> MakesEnvs:
    """The Atari game "atari:GAME". Raises RunError if there is none, or it cannot be shown so."""
    try:
        from a3c_lib.worlds.atari import Game
    except ImportError:
        raise RunError(f"environment {name!r} needs a package: pip install ale-py") from None
    options = {option: value for option, value in screen.chosen.items() if option != "clip_rewards"}
    try:
        return Game(name.removeprefix(ATARI), **options)
    except ValueError as error:
        raise RunError(f"environment {name!r}: {error}") from None
