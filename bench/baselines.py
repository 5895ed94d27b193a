"""stable-baselines3's A2C, where it is installed: the same network, preparation and batch.

Two settings of its environments are tried: all in one process, and each in a process of its own.
"""

from collections.abc import Callable
from importlib.util import find_spec
from multiprocessing import get_all_start_methods
from typing import TYPE_CHECKING, Any

import torch
from gymnasium import Env
from torch import nn

from bench.measuring import FOREVER, Watch

if TYPE_CHECKING:
    from stable_baselines3 import A2C
    from stable_baselines3.common.vec_env import VecEnv

# Its environments' processes are forked where that is possible: sixteen that import torch anew take
# a minute. Nothing has been computed with threads at that time.
START_METHOD = "fork" if "fork" in get_all_start_methods() else "spawn"


def installed() -> bool:
    return find_spec("stable_baselines3") is not None


def follow(model: "A2C", watch: Watch) -> None:
    """Train for as long as the watch says."""
    from stable_baselines3.common.callbacks import BaseCallback

    class Watched(BaseCallback):
        """Tells the watch, after every update, how far the training is."""

        def _on_rollout_start(self) -> None:
            self.more = watch.goes_on(self.model.num_timesteps)

        def _on_step(self) -> bool:
            return self.more

    model.learn(FOREVER, callback=Watched())


def atari(game_id: str, num_envs: int, stack: int, processes: bool, seed: int = 0) -> "VecEnv":
    """A game, prepared as for ours: no sticky actions, and a lost life ends nothing."""
    import ale_py
    import gymnasium as gym
    from ale_py import ALEInterface, LoggerMode
    from stable_baselines3.common.env_util import make_atari_env
    from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecFrameStack

    gym.register_envs(ale_py)
    ALEInterface.setLoggerMode(LoggerMode.Error)  # else each console greets
    envs = make_atari_env(
        game_id,
        n_envs=num_envs,
        seed=seed,
        env_kwargs={"frameskip": 1, "repeat_action_probability": 0.0},
        wrapper_kwargs={"terminal_on_life_loss": False},
        vec_env_cls=SubprocVecEnv if processes else DummyVecEnv,
        vec_env_kwargs={"start_method": START_METHOD} if processes else {},
    )
    return VecFrameStack(envs, stack)


def a2c_with_torso(envs: "VecEnv", torso: nn.Module, width: int, **options: Any) -> "A2C":
    """A2C whose two heads, one layer each, stand on `torso`: (N, *O) bytes → (N, width).

    The torso divides the pictures by 255 itself, so stable-baselines3 does not.
    """
    from stable_baselines3 import A2C
    from stable_baselines3.common.torch_layers import BaseFeaturesExtractor

    class Torso(BaseFeaturesExtractor):
        def __init__(self, space: Any) -> None:
            super().__init__(space, features_dim=width)
            self.torso = torso

        def forward(self, pictures: torch.Tensor) -> torch.Tensor:
            features: torch.Tensor = self.torso(pictures)
            return features

    network = {
        "features_extractor_class": Torso,
        "net_arch": {"pi": [], "vf": []},
        "normalize_images": False,
    }
    return A2C("CnnPolicy", envs, policy_kwargs=network, device="cpu", **options)


def cartpole(num_envs: int, seed: int, **options: Any) -> "A2C":
    """A2C with its own network, two torsos of 64 and 64 units."""
    from stable_baselines3 import A2C
    from stable_baselines3.common.env_util import make_vec_env

    envs = make_vec_env("CartPole-v1", n_envs=num_envs, seed=seed)
    return A2C("MlpPolicy", envs, seed=seed, device="cpu", **options)


def halfcheetah(make_env: Callable[..., Env[Any, Any]], seed: int) -> "A2C":
    """A2C with its own network, in one environment, observations and rewards normalised."""
    from stable_baselines3 import A2C
    from stable_baselines3.common.env_util import make_vec_env
    from stable_baselines3.common.vec_env import VecNormalize

    envs = VecNormalize(make_vec_env(make_env, n_envs=1, seed=seed))
    return A2C("MlpPolicy", envs, seed=seed, device="cpu")


def mean_action(model: "A2C", observations: Any) -> Any:
    """What it does on average, on observations that its environments would normalise.
    (N, *O) → (N, D)"""
    envs = model.get_vec_normalize_env()
    if envs is not None:
        observations = envs.normalize_obs(observations)
    return model.predict(observations, deterministic=True)[0]
