"""Beside the chapters: a run is a folder, which can go on, be evaluated and be plotted.

    run.json        what is trained, how, with which versions
    metrics.csv     a row for every update
    checkpoint.pt   the latest state; from the beginning on there is one

The folder appears as a whole, with its first checkpoint, before training begins; so a run that is
killed, at whatever moment, can be resumed.
"""

import csv
import dataclasses
import importlib
import importlib.metadata
import json
import math
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal, NamedTuple, cast

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec
from torch import nn

from a3c_lib import a2c, a3c, actor_critic, checkpoints, losses, parallel_a2c, reinforce
from a3c_lib.actor_critic import Targets, one_step_targets
from a3c_lib.checkpoints import CheckpointError
from a3c_lib.networks import ActorCritic, HasSpaces
from a3c_lib.recurrent import RecurrentActorCritic
from a3c_lib.returns import n_step_returns
from a3c_lib.rollout import MakeEnv, MakesEnvs
from a3c_lib.training import Training

RUN, METRICS, CHECKPOINT, LOCK = "run.json", "metrics.csv", "checkpoint.pt", "lock"
TARGETS = {"n-step": n_step_returns, "one-step": one_step_targets}
ATARI = "atari:"  # what the name of an Atari game begins with


class RunError(ValueError):
    """A run cannot be begun, resumed or read. Says which one, and why."""


@dataclass(frozen=True, kw_only=True)
class ActorCriticConfig(losses.Config, actor_critic.Config):
    """How one thread trains, with Adam."""

    targets: Literal["n-step", "one-step"] = "n-step"  # what the critic is to predict

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.targets not in TARGETS:
            raise ValueError(f"targets is 'n-step' or 'one-step'; got {self.targets!r}")


@dataclass(frozen=True, kw_only=True)
class Network:
    """The network that learns."""

    # widths of its layers, each at least 1; None: 64 64, before an LSTM 64, behind the eyes of an
    # Atari game 256, for reinforce none at all, so that its policy is a table where observations
    # are state numbers
    hidden: tuple[int, ...] | None = None
    # with memory: an LSTM between those layers and the two heads; reinforce cannot have one
    recurrent: bool = False
    cells: int = 64  # of the LSTM, at least 1
    network_seed: int | None = None  # of the first weights, at least 0; None: the run's seed
    # of an Atari game; small ones suit pictures of size 42
    eyes: Literal["paper", "small"] = "paper"
    # an Atari game's pictures are standardised: less their mean, over their deviation, both measured
    # in random play
    standardised: bool = False
    # an Atari game's network begins with orthogonal weights, instead of torch's
    orthogonal: bool = False
    # an Atari game's pictures are looked at once, to act and to learn, instead of twice: less to
    # compute, and the same but for rounding
    one_look: bool = False
    # with one_look: compute with 8 bits of precision up to the heads, for processors that have it
    bfloat16: bool = False

    def __post_init__(self) -> None:
        if any(width < 1 for width in self.hidden or ()):
            raise ValueError(f"hidden are widths, each at least 1; got {self.hidden}")
        if self.cells < 1:
            raise ValueError(f"cells is at least 1; got {self.cells}")
        if self.network_seed is not None and self.network_seed < 0:
            raise ValueError(f"network_seed is at least 0; got {self.network_seed}")
        if self.eyes not in ("paper", "small"):
            raise ValueError(f"eyes is 'paper' or 'small'; got {self.eyes!r}")
        if self.bfloat16 and not self.one_look:
            raise ValueError("bfloat16 goes with one_look; got one_look=False")
        for name in "one_look", "standardised":
            if getattr(self, name) and self.eyes != "paper":
                raise ValueError(f"{name} goes with the eyes 'paper'; got {self.eyes!r}")

    def make(self, env: HasSpaces, seed: int, to_be_loaded: bool = False) -> nn.Module:
        """The network for an environment; no random play is measured if it is `to_be_loaded`.

        Raises ValueError for spaces that are not supported.
        """
        options: dict[str, Any] = {"seed": seed if self.network_seed is None else self.network_seed}
        if isinstance(env, MakesEnvs):
            from a3c_lib.atari import Game, PaperEyes, SmallEyes, light_of

            make_eyes: Any = PaperEyes if self.eyes == "paper" else SmallEyes
            if self.standardised and not to_be_loaded:
                make_eyes = partial(PaperEyes, light=light_of(cast(Game, env)))
            options |= {"hidden": (256,), "make_eyes": make_eyes, "activation": nn.ReLU}
        if self.hidden is not None:
            options["hidden"] = self.hidden
        model: ActorCritic | RecurrentActorCritic
        if self.recurrent:
            model = RecurrentActorCritic.for_env(env, cells=self.cells, **options)
        else:
            model = ActorCritic.for_env(env, **options)
        if self.orthogonal:
            from a3c_lib.atari import begun_orthogonal

            begun_orthogonal(model, options["seed"])
        return model


@dataclass(frozen=True, kw_only=True)
class Screen:
    """How an Atari game is shown, and what is learned from; None is the game's own (chapter 07)."""

    size: int | None = None  # height and width of the pictures; None: 84
    stack: int | None = None  # the latest pictures that are seen at once; None: 4
    frame_skip: int | None = None  # frames for which an action is held, one step; None: 4
    sticky: float | None = None  # how likely an action is repeated in a frame; None: 0
    noop_max: int | None = None  # fewer frames than this pass without an action at first; None: 30
    fire_at_start: bool | None = None  # then press fire, where there is that button; None: yes
    life_ends: bool | None = None  # a lost life ends what is learned from; None: no
    max_frames: int | None = None  # then a game is truncated; None: 108,000
    # learn from rewards of −1 to 1, report the score; None: yes, but for reinforce
    clip_rewards: bool | None = None

    @property
    def chosen(self) -> dict[str, Any]:
        """What is not left to the game."""
        return {name: value for name, value in vars(self).items() if value is not None}


AnyConfig = a3c.Config | a2c.Config | parallel_a2c.Config | ActorCriticConfig | reinforce.Config
CONFIGS: dict[str, type[AnyConfig]] = {
    "a3c": a3c.Config,
    "a2c": a2c.Config,
    "parallel-a2c": parallel_a2c.Config,
    "actor-critic": ActorCriticConfig,
    "reinforce": reinforce.Config,
}


class Plan(NamedTuple):
    """What is trained, and how."""

    algorithm: str  # a name in CONFIGS
    env: str  # an id; for one of a package that has to be imported first, "module:Id"; "atari:pong"
    config: AnyConfig
    network: Network
    screen: Screen = Screen()

    def world(self) -> EnvSpec | MakesEnvs:
        """What its environments are made from. Raises RunError if there is no such thing."""
        if self.env.startswith(ATARI):
            return find_game(self.env, self.screen)
        if self.screen.chosen:
            raise RunError(
                f"{', '.join(self.screen.chosen)}: for an Atari game, such as {ATARI}pong; "
                f"got {self.env!r}"
            )
        return find_env(self.env)

    def make_model(self, to_be_loaded: bool = False) -> nn.Module:
        """The network, with its first weights; what is `to_be_loaded` is made in less time, and
        lacks what is measured, the mean and deviation of `standardised` pictures.

        Raises RunError if there is no such environment, its spaces are not supported, or the
        algorithm cannot learn with such a network.
        """
        world, network = self.world(), self.network
        if isinstance(self.config, reinforce.Config):
            if network.recurrent:
                raise RunError("reinforce has no memory; recurrent is for the other algorithms")
            if network.one_look:
                raise RunError("reinforce looks twice; one_look is for the other algorithms")
            for name in "life_ends", "clip_rewards":
                if getattr(self.screen, name):
                    raise RunError(
                        f"reinforce learns from whole games and their score; {name} is for the "
                        "other algorithms"
                    )
            if network.hidden is None:
                network = dataclasses.replace(network, hidden=())
        if isinstance(world, MakesEnvs):
            try:
                return network.make(cast(HasSpaces, world), self.config.seed, to_be_loaded)
            except ValueError as error:
                raise RunError(f"environment {self.env!r}: {error}") from None
        for name in "one_look", "standardised", "orthogonal":
            if getattr(network, name):
                raise RunError(
                    f"{name} is for an Atari game, such as {ATARI}pong; got {self.env!r}"
                )
        try:
            env = gym.make(world)
        except Exception as error:  # whatever an environment of somebody else raises
            raise RunError(f"environment {self.env!r} cannot be made: {_said(error)}") from error
        try:
            return network.make(env, self.config.seed)
        except ValueError as error:
            raise RunError(f"environment {self.env!r}: {error}") from None
        finally:
            env.close()

    def train(
        self, model: nn.Module, resume: Mapping[str, Any] | None = None
    ) -> Training[nn.Module, Any]:
        """The trainer. Raises RunError if it cannot go on from `resume`."""
        config, targets = self.config, self._targets()
        world = cast(MakeEnv, self.world())
        if self.network.one_look:
            from a3c_lib.one_look import OneLook

            model = OneLook(cast(Any, model), self.network.bfloat16)
        try:
            if isinstance(config, a3c.Config):
                return a3c.train(model, world, config, targets=targets, resume=resume)
            if isinstance(config, parallel_a2c.Config):
                return parallel_a2c.train(model, world, config, targets=targets, resume=resume)
            if isinstance(config, a2c.Config):
                return a2c.train(model, world, config, targets=targets, resume=resume)
            if isinstance(config, reinforce.Config):  # any network that has logits will do
                training = reinforce.train(cast(Any, model), world, config, resume=resume)
                return cast(Training[nn.Module, Any], training)
            return actor_critic.train(
                model, world, config, targets=targets, loss=config.loss, resume=resume
            )
        except (ValueError, RuntimeError, LookupError, TypeError, AttributeError) as error:
            if resume is None:
                raise
            raise RunError(f"the run cannot go on from its checkpoint: {_said(error)}") from error

    def _targets(self) -> Targets:
        config = self.config
        targets = TARGETS[config.targets if isinstance(config, ActorCriticConfig) else "n-step"]
        if self.env.startswith(ATARI) and self.screen.clip_rewards in (None, True):
            from a3c_lib.atari import clipped

            return clipped(targets)
        return targets

    def as_json(self) -> dict[str, Any]:
        return {
            "algorithm": self.algorithm,
            "env": self.env,
            "config": dataclasses.asdict(self.config),
            "network": {
                **dataclasses.asdict(self.network),
                "hidden": None if self.network.hidden is None else list(self.network.hidden),
            },
            "screen": self.screen.chosen,
        }

    @classmethod
    def from_json(cls, about: Mapping[str, Any]) -> "Plan":
        config = _config(CONFIGS[about["algorithm"]], about["config"])
        hidden = about["network"]["hidden"]
        network = {**about["network"], "hidden": None if hidden is None else tuple(hidden)}
        screen = Screen(**about.get("screen", {}))
        return cls(about["algorithm"], about["env"], config, Network(**network), screen)

    def checked(self, state: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
        """A checkpoint's content, if it is of this algorithm, environment and network."""
        ours, theirs = self.as_json(), state.get("plan")
        training = state.get("training")
        if not isinstance(theirs, dict) or not isinstance(training, dict) or "seconds" not in state:
            raise CheckpointError(f"{path} is no checkpoint of a run")
        for what in "algorithm", "env", "network", "screen":
            if ours[what] != theirs.get(what):
                raise CheckpointError(
                    f"{path} is of another {what}, {theirs.get(what)}; the run has {ours[what]}"
                )
        if not isinstance(training.get("steps"), int):
            raise CheckpointError(f"{path} holds no number of steps; it is no trainer's state")
        return state


def _config(kind: type[AnyConfig], values: Mapping[str, Any]) -> AnyConfig:
    """A run's config; on the CPU, if it trained on a device that cannot be used here."""
    try:
        return kind(**values)
    except ValueError:
        if values.get("device", "cpu") == "cpu":
            raise
        return kind(**{**values, "device": "cpu"})


def find_env(env_id: str) -> EnvSpec:
    """What an id stands for; "module:Id" imports the module first. Raises RunError if nothing.

    >>> find_env("a3c_lib.envs:a3c_lib/Catch-v0").id
    'a3c_lib/Catch-v0'
    """
    module, _, name = env_id.rpartition(":")
    try:
        if module:
            importlib.import_module(module)
        return gym.spec(name)
    except ImportError as error:
        raise RunError(f"environment {env_id!r}: {error}") from None
    except gym.error.Error as error:
        hint = "" if module else "; one of another package is asked for as module:Id"
        raise RunError(f"environment {env_id!r} is unknown: {_said(error)}{hint}") from None


def find_game(name: str, screen: Screen) -> MakesEnvs:
    """The Atari game "atari:GAME". Raises RunError if there is none, or it cannot be shown so."""
    try:
        from a3c_lib.atari import Game
    except ImportError:
        raise RunError(f"environment {name!r} needs a package: pip install ale-py") from None
    options = {option: value for option, value in screen.chosen.items() if option != "clip_rewards"}
    try:
        return Game(name.removeprefix(ATARI), **options)
    except ValueError as error:
        raise RunError(f"environment {name!r}: {error}") from None


@dataclass(frozen=True)
class Run:
    """A run's folder, and what its run.json says."""

    folder: Path
    plan: Plan
    about: Mapping[str, Any]  # versions, machine, when it began

    @classmethod
    def create(cls, folder: Path, plan: Plan, state: Mapping[str, Any]) -> "Run":
        """Make the folder of a run that is about to begin in `state`; at once, with all in it."""
        refuse_existing(folder)
        about = {"started": time.strftime("%Y-%m-%d %H:%M:%S"), "versions": versions()}
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            unfinished.chmod(0o777 & ~_umask())  # mkdtemp's is for the owner alone
            run = cls(unfinished, plan, about)
            run.describe()
            run.save(state, seconds=0.0)
            unfinished.rename(folder)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
        checkpoints.sync_folder(folder.parent)
        return dataclasses.replace(run, folder=folder)

    @classmethod
    def open(cls, folder: Path) -> "Run":
        """Read what run.json says. Raises RunError if that is not there or not a run's."""
        path = folder / RUN
        try:
            about = json.loads(path.read_text(encoding="utf-8"))
            plan = Plan.from_json(about)
        except (FileNotFoundError, NotADirectoryError):
            raise RunError(f"{folder} is no run: there is no {path}") from None
        except OSError as error:
            raise RunError(f"{path} cannot be read: {error.strerror}") from None
        except (ValueError, KeyError, TypeError) as error:
            raise RunError(f"{path} is damaged, or not a run's: {_said(error)}") from None
        rest = {key: value for key, value in about.items() if key not in plan.as_json()}
        return cls(folder, plan, rest)

    @property
    def checkpoint(self) -> Path:
        return self.folder / CHECKPOINT

    def describe(self) -> None:
        """Write run.json."""
        text = json.dumps({**self.plan.as_json(), **self.about}, indent=1, ensure_ascii=False)
        checkpoints.write_text(self.folder / RUN, text + "\n")

    def save(self, state: Mapping[str, Any], seconds: float) -> None:
        """Put a training's state in the place of the last one."""
        content = {"plan": self.plan.as_json(), "training": state, "seconds": seconds}
        checkpoints.save(self.checkpoint, content)

    def load(self) -> Mapping[str, Any]:
        """The latest checkpoint: "plan", "training" and "seconds". Raises CheckpointError if it is
        damaged, or of another run."""
        return self.plan.checked(checkpoints.load(self.checkpoint), self.checkpoint)

    def model(self) -> nn.Module:
        """The network as the latest checkpoint has it."""
        state, model = self.load(), self.plan.make_model(to_be_loaded=True)
        try:
            model.load_state_dict(state["training"]["model"])
        except (RuntimeError, KeyError, AttributeError, TypeError) as error:
            raise CheckpointError(f"{self.checkpoint} is of another network: {error}") from None
        return model

    def metrics(self) -> list[SimpleNamespace]:
        """The updates that metrics.csv has rows of, with a column's numbers as attributes."""
        rows = list(_rows(self.folder / METRICS))
        if not rows:
            raise RunError(f"{self.folder} has no updates yet")
        return [SimpleNamespace(**row) for row in rows]

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep others from training in this folder meanwhile. Raises RunError if one does.

        The lock ends with the process that holds it, however that ends.
        """
        with (self.folder / LOCK).open("a") as file:
            try:
                if sys.platform == "win32":
                    import msvcrt

                    msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
                else:
                    import fcntl

                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise RunError(f"{self.folder} is being trained by another process") from None
            yield


def recorded(
    run: Run,
    training: Training[nn.Module, Any],
    updates: Iterable[Any],
    *,
    every: float = 60.0,
    tensorboard: bool = False,
) -> Iterator[Any]:
    """Hand a training's updates through; write a row of each, and a checkpoint `every` so many
    seconds and at the end, also where the loop is left early.

    After an error in the training the last checkpoint stays as it is. `updates` are the training's,
    or what wraps them, such as `track(training)`.

    >>> config, network = a2c.Config(total_steps=80, num_envs=2), Network(hidden=(8,))
    >>> plan = Plan("a2c", "a3c_lib/TMaze-v0", config, network)
    >>> with tempfile.TemporaryDirectory() as folder, plan.train(plan.make_model()) as training:
    ...     run = Run.create(Path(folder, "maze"), plan, training.state_dict())
    ...     for update in recorded(run, training, training):
    ...         pass
    ...     [row.steps for row in run.metrics()]
    [40, 80]
    """
    seconds, steps = run.load()["seconds"], training.steps
    began = saved = time.monotonic()
    with _Metrics(run.folder, training.steps, tensorboard) as metrics:

        def save() -> None:
            metrics.sync()
            run.save(training.state_dict(), seconds + time.monotonic() - began)

        try:
            for update in updates:
                gone = time.monotonic() - began
                speed = (update.steps - steps) / gone if gone > 0 else math.nan
                metrics.add(update, seconds + gone, speed)  # the speed since it began, or went on
                if began + gone - saved >= every:
                    save()
                    saved = time.monotonic()
                yield update
        except GeneratorExit:  # the loop is left
            save()
            raise
        save()


def refuse_existing(folder: Path) -> None:
    """Raise RunError if a run cannot begin there, because something is there."""
    if folder.exists() or folder.is_symlink():
        goes_on = (folder / RUN).exists()
        raise RunError(
            f"{folder} exists already; "
            + (f"resume it, with a3c-lib resume {folder}, or give" if goes_on else "give")
            + " another folder with --run"
        )


def versions() -> dict[str, str]:
    """Of what a run's numbers depend on."""
    packages = "a3c_lib", "torch", "numpy", "gymnasium", "ale-py"
    found = {"python": platform.python_version(), "system": platform.platform()}
    for name in packages:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


class _Metrics:
    """The rows of metrics.csv, from `steps` on, and the same for TensorBoard if that is wanted."""

    def __init__(self, folder: Path, steps: int, tensorboard: bool) -> None:
        self.path, self.steps = folder / METRICS, steps
        self.board: Any = None
        if tensorboard:
            self.board = tensorboard_writer()(str(folder / "tensorboard"), purge_step=steps + 1)

    def __enter__(self) -> "_Metrics":
        kept = [row for row in _rows(self.path) if row["steps"] <= self.steps]
        self.columns = list(kept[0]) if kept else None
        # Rows of a run that was killed, later than its checkpoint, come again.
        text = _csv([self.columns] if self.columns else []) + _csv(row.values() for row in kept)
        checkpoints.write_text(self.path, text)
        self.file = self.path.open("a", newline="", encoding="utf-8")
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        if self.board is not None:
            self.board.close()

    def add(self, update: Any, seconds: float, speed: float) -> None:
        row = {
            **update._asdict(),
            "episodes": len(update.episodes),
            "episode_return": update.episode_return,
            "seconds": round(seconds, 3),
            "steps_per_second": round(speed, 1),
        }
        if self.columns is None:
            self.columns = list(row)
            self.file.write(_csv([self.columns]))
        self.file.write(_csv([[row[column] for column in self.columns]]))
        if self.board is not None:
            for name, value in row.items():
                if name != "steps" and not math.isnan(value):
                    self.board.add_scalar(name, value, update.steps)

    def sync(self) -> None:
        """Bring the rows to the disk: none that a checkpoint counts may be lost."""
        self.file.flush()
        os.fsync(self.file.fileno())
        if self.board is not None:
            self.board.flush()


def tensorboard_writer() -> Callable[..., Any]:
    """torch's. Raises RunError if TensorBoard is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise RunError("--tensorboard needs a package: pip install tensorboard") from None
    writer: Callable[..., Any] = SummaryWriter
    return writer


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """The whole rows of a table of numbers; the last line of a run that was killed may be a part."""
    if not path.exists():
        return
    text = path.read_text(encoding="utf-8")
    lines = csv.DictReader(text[: text.rfind("\n") + 1].splitlines())
    if lines.fieldnames is not None and "steps" not in lines.fieldnames:
        raise RunError(f"{path} is no table of updates: it has no column steps")
    for line in lines:
        try:
            yield {key: _number(value) for key, value in line.items()}
        except (TypeError, ValueError):
            raise RunError(f"{path}, line {lines.line_num}, is no row of numbers") from None


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)


def _csv(rows: Iterable[Iterable[Any]]) -> str:
    return "".join(",".join(map(str, row)) + "\n" for row in rows)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _said(error: BaseException) -> str:
    """An exception in one line."""
    return " ".join(str(error).split()) or type(error).__name__
