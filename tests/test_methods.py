"""A method of one's own plugs into the workers, from wherever it was written."""

import subprocess
import sys

import pytest

METHOD = """
from typing import NamedTuple

import gymnasium as gym
import torch

from a3c_lib import hogwild
from a3c_lib.actor_critic import actor_critic_loss, lesson_of, one_step_targets
from a3c_lib.hogwild import HogwildTraining
from a3c_lib.networks import ActorCritic
from a3c_lib.optim import Optimizer
from a3c_lib.rollout import sampled


class Report(NamedTuple):
    steps: int
    updates: int
    episodes: tuple
    policy_loss: float
    value_loss: float
    entropy: float
    explained_variance: float
    gradient_norm: float
    learning_rate: float
    worker: int
    policy_lag: int


class Network(ActorCritic):
    pass


class Descent(Optimizer):
    statistics = {}

    @torch.no_grad()
    def step(self, gradients, learning_rate):
        for theta, d_theta in zip(self.parameters, gradients):
            theta -= learning_rate * d_theta


class Config(hogwild.Config):
    def make_optimizer(self, parameters):
        return Descent(parameters)


class Method:
    make_update = Report

    def policy(self, worker):
        return sampled(worker.model, worker.player.generator)

    def lesson(self, worker, played):
        return lesson_of(worker.model, played, one_step_targets, actor_critic_loss, 0.9)

    def counted(self, shared, before, after):
        pass


if __name__ == "__main__":
    model = Network.for_env(gym.make("CartPole-v1"), hidden=(4,))
    config = Config(total_steps=60, schedule=SCHEDULE, t_max=5)
    with HogwildTraining(model, "CartPole-v1", config, Method()) as training:
        history = list(training)
    assert all(type(update) is Report for update in history)
    assert history[-1].steps >= 60
    print("learned")
"""


def run(*arguments):
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.parametrize("schedule", ["round-robin", "processes"])
@pytest.mark.parametrize("place", ["script", "command"])
def test_a_method_of_ones_own_is_learned_by(schedule, place, tmp_path):
    code = METHOD.replace("SCHEDULE", repr(schedule))
    script = tmp_path / "own method.py"
    script.write_text(code, encoding="utf-8")
    arguments = [str(script)] if place == "script" else ["-c", code]
    done = run(*arguments)
    assert (done.stdout, done.returncode) == ("learned\n", 0), done.stderr


NETWORK = """
import gymnasium as gym

from a3c_lib import parallel_a2c
from a3c_lib.networks import ActorCritic
from a3c_lib.optim import RMSProp


class Network(ActorCritic):
    pass


class Optimizer(RMSProp):
    pass


class Config(parallel_a2c.Config):
    def make_optimizer(self, parameters):
        return Optimizer(parameters)


if __name__ == "__main__":
    model = Network.for_env(gym.make("CartPole-v1"), hidden=(4,))
    config = Config(total_steps=60, num_envs=2, t_max=5)
    with parallel_a2c.train(model, "CartPole-v1", config) as training:
        print(list(training)[-1].steps >= 60)
"""


def test_a_network_and_an_optimizer_of_a_command_reach_the_workers_of_parallel_a2c():
    done = run("-c", NETWORK)
    assert (done.stdout, done.returncode) == ("True\n", 0), done.stderr
