"""Beside the chapters: the command line, to train, resume, evaluate, plot and check.

What can be asked for stands in dataclasses, the trainers' own configs among them; tyro makes the
options and their help from the fields and the comments beside them.
"""

import contextlib
import dataclasses
import io
import re
import shlex
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar, Union, cast

import gymnasium as gym
import torch
import tyro
from torch import nn
from tyro.conf import (
    OmitArgPrefixes,
    OmitSubcommandPrefixes,
    Positional,
    PositionalMetavarFromFieldName,
    subcommand,
)

import a3c_lib
from a3c_lib.app.checkpoints import CheckpointError
from a3c_lib.app.interrupts import SIGPIPE, Interrupts, exit_code, is_unread
from a3c_lib.app.metrics import tensorboard_writer
from a3c_lib.app.plan import (
    ALGORITHMS,
    RENAMED,
    Network,
    Plan,
    RunError,
    Screen,
)
from a3c_lib.app.runs import Run, record, refuse_existing, versions
from a3c_lib.app.telling import closing, is_somebodys, told
from a3c_lib.evaluation import evaluate
from a3c_lib.restoring import with_statistics
from a3c_lib.rollout import HasLogits, MakeEnv, MakesEnvs, greedy, initial_state, sampled
from a3c_lib.settings import Count, NotNegative, NumEnvs, Range, Seed, check_settings
from a3c_lib.training import Config, Training
from a3c_lib.workers import WorkerError

PROGRAM = "a3c-lib"
COMMANDS = "train", "resume", "evaluate", "plot", "check"
FAILED, BAD_INPUT = 1, 2  # exit codes; an interrupt's is 128 + the signal's number, 130 for Ctrl-C

C = TypeVar("C", bound=Config)  # an algorithm's config


# What can be asked for


@dataclass(frozen=True, kw_only=True)
class Recording:
    """What is kept while it trains."""

    # seconds from one checkpoint to the next, at least 0; there is one at the start and one at the
    # end as well; 0: after every update
    checkpoint_every: Annotated[float, Range(least=0, finite=False)] = 60.0
    tensorboard: bool = False  # write the metrics for TensorBoard too, if that is installed

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True, kw_only=True)
class Begin(Generic[C]):
    """What every algorithm is told."""

    # id of a Gymnasium environment; of another package's, "module:Id"; of an Atari game,
    # "atari:pong"
    env: Positional[str]
    # folder of the run, which must not exist yet; None: runs/ENV-ALGORITHM-SEED
    run: Path | None = None
    network: Network = field(default_factory=Network)  # the network that learns
    screen: Screen = field(default_factory=Screen)  # how an Atari game is shown, and learned from
    recording: Recording = field(default_factory=Recording)  # what is kept while it trains
    config: C  # how it learns

    @property
    def algorithm(self) -> str:
        """Whose config it is."""
        return next(name for name, its in ALGORITHMS.items() if its.config is type(self.config))

    @property
    def plan(self) -> Plan:
        """What is to be trained, and how."""
        return Plan(self.algorithm, self.env, self.config, self.network, self.screen)

    @property
    def folder(self) -> Path:
        """Where the run is to be."""
        name = re.sub(r"[^\w.-]+", "_", self.env)
        return self.run or Path("runs", f"{name}-{self.algorithm}-{self.config.seed}")


# `Begin` with the config of each algorithm, as a subcommand of its name.
Beginning: Any = Union[
    *(
        Annotated[
            Begin[algorithm.config],  # type: ignore[name-defined]
            subcommand(
                name,
                description=algorithm.about,
                default=Begin(env=tyro.MISSING, config=algorithm.default),
            ),
        ]
        for name, algorithm in ALGORITHMS.items()
    )
]


@dataclass(frozen=True, kw_only=True)
class Train:
    """Train an agent, in a new run: train ALGORITHM ENV; train ALGORITHM --help lists all options.

    For example: a3c-lib train a2c CartPole-v1 --seed 1
    """

    begin: Beginning


@dataclass(frozen=True, kw_only=True)
class Resume:
    """Go on with a run from its latest checkpoint.

    It goes on as if it had never stopped, bit for bit, in environments that can be restored: the
    book's own Corridor, Trap, Catch and TMaze, and any that has state_dict() and load_state_dict().
    In others, such as CartPole, and where workers are processes, new episodes begin; it is said
    which.
    """

    run: Positional[Path]  # folder of the run
    # a new budget, in environment steps, above those taken; a learning rate that is annealed comes
    # down to 0 at its end, from now on; None: the run's own
    total_steps: Count | None = None
    recording: Recording = field(default_factory=Recording)  # what is kept while it trains


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Play episodes with what a run has learned: mean return, with a 95 % interval."""

    run: Positional[Path]  # folder of the run
    episodes: Annotated[Count, Range(least=2)] = 100  # how many, at least 2, for an interval
    actions: Literal["sampled", "greedy"] = "sampled"  # drawn from the policy, or its likeliest
    # of these episodes, at least 0; with a training's own they would begin with the draws that it
    # began with
    seed: Seed = 10_000
    # how many environments play at once, at least 1; 1 for a simulator of which only one can run
    num_envs: NumEnvs = 10
    # a file for a film of the agent playing: .png (animated) or .gif, or .mp4 where ffmpeg is
    # installed
    film: Path | None = None
    film_steps: Count = 200  # longest film, in environment steps, at least 1
    fps: Annotated[float, Range(least=0.01, most=1000)] = (
        20.0  # frames a second in the film, 0.01 to 1000
    )

    def __post_init__(self) -> None:
        check_settings(self)
        if self.film is not None and self.film.suffix.lower() not in (".png", ".gif", ".mp4"):
            raise ValueError(f"film is a .png, .gif or .mp4; got {self.film}")


@dataclass(frozen=True, kw_only=True)
class Plot:
    """Draw the curves of one run, or compare several; runs that differ in the seed alone are one
    curve with a band."""

    runs: Positional[tuple[Path, ...]]  # folders of runs, 1 at least
    out: Path = Path("curves.png")  # the picture: .png, .svg, .pdf
    # a column of metrics.csv, what to compare several runs by, or to draw of one; None:
    # episode_return, and of one run the four that say most
    signal: str | None = None
    # environment steps that a point is the mean of, at least 0; None: a twentieth of the longest
    # run
    window: NotNegative | None = None
    title: str = ""  # above the picture

    def __post_init__(self) -> None:
        if not self.runs:
            raise ValueError("runs: name one folder at least")
        check_settings(self)
        if not self.out.suffix:
            raise ValueError(f"out is a picture, .png, .svg or .pdf; got {str(self.out)!r}")


@dataclass(frozen=True, kw_only=True)
class Check:
    """Is everything installed that the book needs? A line for each thing, with the remedy."""


Command = (
    Annotated[Train, subcommand("train")]
    | Annotated[Resume, subcommand("resume")]
    | Annotated[Evaluate, subcommand("evaluate")]
    | Annotated[Plot, subcommand("plot")]
    | Annotated[Check, subcommand("check")]
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.   → the exit code: 0, 1 if it failed, 2 for bad options, 130 for Ctrl-C."""
    argv = sys.argv[1:] if argv is None else argv
    with warnings.catch_warnings():
        warnings.showwarning = _warn
        try:
            try:
                return _run(argv)
            finally:  # a reader that has gone is noticed here, and not as Python ends
                if sys.stdout is not None:
                    sys.stdout.flush()
        except BrokenPipeError:
            if not is_unread():
                raise
            return 128 + SIGPIPE


def _run(argv: Sequence[str]) -> int:
    if list(argv) == ["--version"]:
        print(f"a3c_lib {a3c_lib.__version__}")
        return 0
    try:
        command = parsed(argv)
        match command:
            case Train():
                return train(command.begin)
            case Resume():
                return resume(command)
            case Evaluate():
                return play_episodes(command)
            case Plot():
                return plot(command)
            case _:
                from a3c_lib.app import check

                return int(not check.installation())
    except (BadInput, RunError, CheckpointError) as error:
        return _complain(error, BAD_INPUT)
    except Failed as error:
        return _complain(error, FAILED)
    except OSError as error:
        if isinstance(error, BrokenPipeError) and is_unread():
            return 128 + SIGPIPE
        return _complain(error, FAILED)  # a full disk, a folder that may not be written
    except KeyboardInterrupt as error:
        return _complain("interrupted", exit_code(error))


class BadInput(Exception):
    """An option that cannot be. Says which, and what is allowed."""


class Failed(Exception):
    """What was asked for could not be done to its end. Says why."""


def parsed(argv: Sequence[str]) -> Any:
    """The command that is asked for. Raises BadInput, in one line; exits for --help."""
    _known(argv[:1], "command", COMMANDS)
    if argv[0] == "train":
        _known(argv[1:2], "algorithm", ALGORITHMS)
    _refuse_renamed(argv)
    command = _read(Command, argv)
    if isinstance(command, Train) and command.begin.plan.may_be_a_table():
        algorithm = ALGORITHMS[command.begin.algorithm]
        of_a_table = algorithm.default_of_a_table
        default = Begin(env=tyro.MISSING, network=Network(hidden=()), config=of_a_table)
        begin = _read(cast(Any, Begin)[type(of_a_table)], argv[2:], default)
        # --hidden None asks for the usual layers; without a critic there are none.
        if begin.network.hidden is not None or algorithm.targets is None:
            command = Train(begin=begin)
    if isinstance(command, Train):
        _refuse_cells_alone(command.begin.network)
    return command


def _refuse_cells_alone(network: Network) -> None:
    """Refuse a size of an LSTM where none is asked for. (A `Network` itself allows it: older runs
    have such a number in run.json, and are read.)"""
    if network.cells != Network.cells and not network.recurrent:
        raise BadInput(f"--cells goes with --recurrent; got --cells {network.cells} alone")


def _read(kind: Any, words: Sequence[str], default: Any = tyro.MISSING_NONPROP) -> Any:
    """What the words ask for. Raises BadInput, in one line; exits for --help."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return tyro.cli(
                kind,
                prog=PROGRAM,
                description="Train agents, and look at what they learned. "
                "`a3c-lib COMMAND --help` says more.",
                # `lambda` is a word that Python has for itself
                args=[re.sub(r"^--lambda(?=$|=)", "--lambda_", word) for word in words],
                default=default,
                config=(OmitArgPrefixes, OmitSubcommandPrefixes, PositionalMetavarFromFieldName),
            )
    except SystemExit as end:
        if end.code != BAD_INPUT:
            raise
        raise BadInput(in_one_line(said.getvalue())) from None


def _known(word: Sequence[str], kind: str, names: Iterable[str]) -> None:
    if not word:
        raise BadInput(f"which {kind}? There are {', '.join(names)}; --help says more")
    if not word[0].startswith("-") and word[0] not in names:
        hint = "; one of your own is trained from Python" if ":" in word[0] else ""
        raise BadInput(f"{kind} is one of {', '.join(names)}; got {word[0]!r}{hint}")


def _refuse_renamed(argv: Sequence[str]) -> None:
    """Refuse an option by the name that it had in version 0.1, with the one that it has now, and
    with those that may be meant as well."""
    algorithm = ALGORITHMS.get(argv[1]) if len(argv) > 1 and argv[0] == "train" else None
    if algorithm is None:
        return
    options = {option.name for kind in (algorithm.config, Network) for option in fields(kind)}
    renamed = {old: new for names in RENAMED.values() for old, new in names.items()}
    for word in argv:
        flag = re.fullmatch(r"--(no-)?([\w-]+?)(=.*)?", word)
        old = flag[2].replace("-", "_") if flag else ""
        if flag and renamed.get(old) in options:
            new = f"--{flag[1] or ''}{renamed[old]}".replace("_", "-")
            raise BadInput(f"--{flag[1] or ''}{flag[2]} is called {new} now{_exploring(options)}")


def _exploring(options: set[str]) -> str:
    named = ("first_epsilon", "final_epsilon", "final_epsilons")
    its = [f"--{name}".replace("_", "-") for name in named if name in options]
    return f"; how often actions are random is {' and '.join(its)}" if its else ""


def in_one_line(box: str) -> str:
    """What tyro says in a box of several lines.

    >>> in_one_line('''
    ... ╭─ Value error ────────────────────────╮
    ... │ Error parsing config: gamma is a     │
    ... │ discount in [0, 1]; got 1.5          │
    ... │ ──────────────────────────────────── │
    ... │ For full helptext, see a3c-lib -h    │
    ... ╰──────────────────────────────────────╯''')
    'gamma is a discount in [0, 1]; got 1.5'
    """
    box = re.sub(r"\A\s*\w[^\n]*\n -{5,}", "", box)  # its title, where a terminal has no lines
    lines = [line.strip("│ ") for line in box.splitlines() if not line.startswith(("╭", "╰"))]
    said, _, more = re.sub(r"[─-]{5,}|\n\n", "\0", "\n".join(lines).strip()).partition("\0")
    said, more = " ".join(said.split()), " ".join(more.split())
    said = re.sub(r"^Error parsing (--\S+:)?(\S+: )?", r"\1", said) or " ".join(box.split())
    meant = re.search(r"Perhaps you meant: (--[\w-]+).*?( in a3c-lib .*?) --help", more)
    if meant is None:
        return said
    where = meant[2] if meant[1] in said.split() else ""  # right, but not of this command
    return f"{said}; perhaps you meant {meant[1]}{where}"


# What is done


def train(command: Begin[Any]) -> int:
    """Train in a new run.   → the exit code"""
    plan = command.plan
    with _refusing():
        refuse_existing(command.folder)
    if command.recording.tensorboard:
        tensorboard_writer()
    with Interrupts() as interrupts:
        with _refusing():
            training = plan.train(plan.make_model())
        with closing(training, "the environment", Failed):
            try:
                run = Run.create(command.folder, plan, training.state_dict())
            except (OSError, TypeError) as error:
                raise BadInput(f"{command.folder} cannot be made: {error}") from None
            print(f"{plan.algorithm} learns {plan.env}; the run is in {run.folder}", flush=True)
            with run.locked() as guarded:
                _warn_of_others(run, guarded)
                return _learn(run, training, command.recording, interrupts)


def resume(command: Resume) -> int:
    """Go on with a run.   → the exit code"""
    run = Run.open(command.run)
    with run.locked() as guarded, Interrupts() as interrupts:
        _warn_of_others(run, guarded)
        state = run.load()
        steps = state["training"]["steps"]
        if command.total_steps is not None:
            with _refusing():
                config = dataclasses.replace(run.plan.config, total_steps=command.total_steps)
            run = dataclasses.replace(run, plan=run.plan._replace(config=config))
        if steps >= run.plan.config.total_steps:
            of_its_own = command.total_steps is None
            raise BadInput(
                f"{run.folder} has taken {steps:,} steps"
                + (f", and its budget is {run.plan.config.total_steps:,}" if of_its_own else "")
                + "; --total-steps is to be more than that"
            )
        if command.recording.tensorboard:
            tensorboard_writer()
        with _refusing():
            model = run.plan.make_model(to_be_loaded=True)
            training = run.plan.train(model, state["training"])
        with closing(training, "the environment", Failed):
            if command.total_steps is not None:
                run.describe()
            print(f"{run.folder} goes on after {steps:,} steps, {_how(training)}", flush=True)
            if run.about.get("versions") != versions():
                print("It began with other versions (see run.json): the last digits may differ.")
            if said := run.divergence(steps):
                print(f"{said} With a smaller learning_rate in run.json it may not diverge again.")
            return _learn(run, training, command.recording, interrupts)


def _warn_of_others(run: Run, guarded: bool) -> None:
    if not guarded:
        print(
            f"{PROGRAM}: the file system of {run.folder} knows no locks: see to it that no other "
            "process trains there",
            file=sys.stderr,
        )


def _how(training: Training[nn.Module, Any]) -> str:
    if training.restored:
        return "exactly where it stopped"
    if training.pids:
        return "with new episodes: processes are not put back where they stood"
    if not getattr(training, "remembers", True):
        return "with an empty replay memory: it was larger than memory_in_state MB"
    return "with new episodes: its environment cannot be put back where it stood"


def _learn(
    run: Run, training: Training[nn.Module, Any], recording: Recording, interrupts: Interrupts
) -> int:
    again = f"{PROGRAM} resume {shlex.quote(str(run.folder))}"
    updates = record(
        run,
        training,
        _told_of(training, interrupts),
        every=recording.checkpoint_every,
        tensorboard=recording.tensorboard,
    )
    interrupts.stop(training.stop)
    try:
        with contextlib.closing(cast(Any, updates)):
            for _ in updates:
                pass
    except KeyboardInterrupt as error:  # the second one
        print(f"\nStopped at once. To go on from the last checkpoint: {again}", file=sys.stderr)
        return exit_code(error)
    except Exception as error:  # noqa: BLE001  whatever an environment raises
        _complain_of_training(error, run, training.steps)
        print(f"The last checkpoint is as it was. To go on: {again}", file=sys.stderr)
        return FAILED
    folder = shlex.quote(str(run.folder))
    if interrupts.signal and training.steps < training.total_steps:
        print(f"Stopped after {training.steps:,} steps, and kept. To go on: {again}")
        return 128 + interrupts.signal
    print(f"Done: {training.steps:,} steps. To see what it learned: {PROGRAM} evaluate {folder}")
    return 0


def _told_of(training: Training[nn.Module, Any], interrupts: Interrupts) -> Iterator[Any]:
    """Its updates, with a line that says how it goes. Where nobody reads that any more, it ends."""
    from a3c_lib.figures.progress import track  # brings matplotlib

    updates = _Handed(training)
    try:
        for update in track(updates):
            updates.in_hand.clear()
            yield update
    except BrokenPipeError as error:
        unread = interrupts.is_unread()
        # As it ends, whatever ends it, `track` prints once more.
        if (wrong := updates.failed or _before(error)) is not None:
            raise wrong from None
        if not unread:
            raise
        yield from [*updates.in_hand, *training.finish()]


def _before(error: BaseException | None) -> BaseException | None:
    """What went wrong before a print did."""
    while isinstance(error, BrokenPipeError):
        error = error.__context__
    return error


class _Handed(Iterator[Any]):
    """A training's updates. What was handed out and has not arrived is `in_hand`, what the training
    raised is `failed`."""

    def __init__(self, training: Training[nn.Module, Any]) -> None:
        self.training, self.in_hand = training, list[Any]()
        self.failed: BaseException | None = None
        self.steps, self.total_steps = training.steps, training.total_steps

    def __next__(self) -> Any:
        try:
            update = next(self.training)
        except StopIteration:
            raise
        except BaseException as error:
            self.failed = error
            raise
        self.in_hand.append(update)
        return update


def _complain_of_training(error: Exception, run: Run, steps: int) -> None:
    """Say why it failed. What an environment raises that acts in this process is a line; the whole
    traceback, of which few lines are about the environment, is kept in the run's folder."""
    if isinstance(error, FloatingPointError):
        with contextlib.suppress(OSError):
            run.note_divergence(steps, " ".join(str(error).split()))
    ours = isinstance(error, FloatingPointError | WorkerError)
    if ours or (isinstance(error, OSError) and not is_somebodys(error)):  # a full disk
        _complain(error, FAILED)
        return
    kept = run.keep_traceback(error)
    more = f"; the whole traceback is in {kept}" if kept else ""
    _complain(f"failed after {steps:,} steps: {told(error)}{more}", FAILED)


def play_episodes(command: Evaluate) -> int:
    """Say how good a run's agent is, and film it if that is asked.   → the exit code"""
    run = Run.open(command.run)
    if command.film is not None:
        _refuse_film(command.film)
    state = run.load()["training"]
    model = run.model(state=state)
    world, steps = cast(MakeEnv, run.plan.world()), state["steps"]
    statistics = state.get("statistics")  # with which environments normalise
    with _failing(run.plan.env):
        result = evaluate(
            cast(HasLogits, model),
            world,
            command.episodes,
            command.seed,
            command.actions,
            command.num_envs,
            statistics=statistics,
        )
    print(f"{run.folder}, {run.plan.algorithm} after {steps:,} steps of {run.plan.env}")
    if said := run.divergence(steps):
        print(said)
    print(f"mean return {result}; 95 % interval {result.low:.2f} to {result.high:.2f}")
    if command.film is not None:
        with _failing(run.plan.env):
            frames = list(_frames(model, with_statistics(world, statistics or ()), command))
        with _refusing():
            _film(frames, command)
        print(f"film: {command.film}")
    return 0


def _refuse_film(path: Path) -> None:
    if path.suffix.lower() == ".mp4" and shutil.which("ffmpeg") is None:
        raise BadInput(
            f"{path}: a video needs ffmpeg, which is not installed; .png and .gif do not"
        )
    if not path.parent.is_dir():
        raise BadInput(f"{path}: there is no folder {path.parent}")


def _film(frames: Sequence[Any], command: Evaluate) -> None:
    from a3c_lib.figures.animation import animate

    assert command.film is not None
    kind = command.film.suffix.lower()
    if kind == ".mp4":
        _video(frames, command.fps, command.film)
        return
    animation = animate(frames, command.fps, max_bytes=100 * 2**20)
    if kind == ".png":
        animation.save(command.film)
    else:
        from PIL import Image

        Image.open(io.BytesIO(animation.png)).save(command.film, save_all=True, loop=0)


def _frames(model: nn.Module, world: MakeEnv, command: Evaluate) -> list[Any]:
    """The agent at play; of an Atari game with what it makes of it beside the screen."""
    from a3c_lib.figures.watching import beside, play, watch

    seed, steps = command.seed, command.film_steps
    if isinstance(world, MakesEnvs):
        return beside(watch(model, world, seed=seed, max_steps=steps, actions=command.actions))
    playing, generator = cast(HasLogits, model), torch.Generator().manual_seed(seed)
    policy = sampled(playing, generator) if command.actions == "sampled" else greedy(playing)
    state = initial_state(model, 1)
    return play(policy, world, seed=seed, max_steps=steps, policy_state=state)


def _video(frames: Sequence[Any], fps: float, path: Path) -> None:
    height, width, _ = frames[0].shape
    options = (
        "-loglevel error -y -f rawvideo -pixel_format rgb24 "
        f"-video_size {width}x{height} -framerate {fps} -i - "
        "-vf pad=ceil(iw/2)*2:ceil(ih/2)*2 -pix_fmt yuv420p"  # H.264 takes even sizes only
    )
    made = subprocess.run(
        ["ffmpeg", *shlex.split(options), str(path)],
        input=b"".join(frame.tobytes() for frame in frames),
        stderr=subprocess.PIPE,
        check=False,
    )
    if made.returncode != 0:
        raise ValueError(f"ffmpeg failed: {made.stderr.decode(errors='replace').strip()}")


def plot(command: Plot) -> int:
    """Draw curves of runs.   → the exit code"""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    from a3c_lib.figures.plots import SIGNALS, learning_curves, signals

    runs = [Run.open(folder) for folder in _each_once(command.runs)]
    chosen = command.signal or (SIGNALS[0] if len(runs) > 1 else None)
    histories = [run.metrics(*([chosen] if chosen else SIGNALS)) for run in runs]
    for run, history in zip(runs, histories, strict=True):
        if chosen and chosen not in history.names:
            columns = ", ".join(history.names)
            raise BadInput(f"{run.folder}: signal is one of {columns}; got {chosen!r}")
    longest = max(history[-1].steps for history in histories)
    window = longest / 20 if command.window is None else command.window
    with _refusing():
        if len(runs) == 1:
            title = command.title or f"{runs[0].plan.algorithm}, {runs[0].plan.env}"
            names = [chosen] if chosen else None
            figure: Any = signals(histories[0], names=names, window=window, title=title)[0].figure
        else:
            curves: dict[str, list[Any]] = {}
            assert chosen is not None
            for label, history in zip(_labels(runs), histories, strict=True):
                curve = history.column("steps"), history.column(chosen)
                curves.setdefault(label, []).append(curve)
            ax = learning_curves(
                curves,
                window=window,
                title=command.title,
                y_label=chosen.replace("_", " "),
            )
            figure = ax.figure
        figure.savefig(command.out)
        plt.close(figure)
    print(command.out)
    return 0


def _each_once(folders: Iterable[Path]) -> list[Path]:
    return list({folder.resolve(): folder for folder in folders}.values())


def _labels(runs: Sequence[Run]) -> list[str]:
    """A name for each run; the same for those that differ in the seed alone, and only for them."""
    groups: dict[str, list[Path]] = {}
    for run in runs:
        groups.setdefault(_but_for_seeds(run.plan), []).append(run.folder)
    labels: dict[str, str] = {}
    for key, folders in groups.items():
        name = folders[0].resolve().name
        without_seed = re.sub(r"[-_ ]?\d+$", "", name) if len(folders) > 1 else ""
        names = (without_seed or name, str(folders[0]), str(folders[0].resolve()))
        labels[key] = next(name for name in names if name not in labels.values())
    return [labels[_but_for_seeds(run.plan)] for run in runs]


def _but_for_seeds(plan: Plan) -> str:
    about = plan.as_json()
    return repr(
        {**about, "config": {**about["config"], "seed": None}}
        | {"network": {**about["network"], "network_seed": None}}
    )


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    """Turn errors about the input into a one-line BadInput; what an environment raises as it begins
    is one, too."""
    try:
        yield
    except (ValueError, TypeError, OSError, gym.error.Error) as error:
        raise BadInput(told(error) if is_somebodys(error) else str(error)) from error
    except Exception as error:
        raise BadInput(told(error)) from error


@contextlib.contextmanager
def _failing(env: str) -> Iterator[None]:
    """Turn whatever an environment raises as an agent plays into a one-line Failed."""
    try:
        yield
    except Exception as error:
        raise Failed(f"environment {env!r} failed: {told(error)}") from error


def _warn(message: Warning | str, *_: object, **__: object) -> None:
    """Show a warning in a line."""
    print(f"{PROGRAM}: {' '.join(str(message).split())}", file=sys.stderr)


def _complain(error: object, code: int) -> int:
    """Say what was wrong on stderr: in one line, but for a worker's traceback.   → the code."""
    said = str(error)
    if not isinstance(error, WorkerError):
        said = " ".join(said.split())
    print(f"{PROGRAM}: {said}", file=sys.stderr)
    return code
