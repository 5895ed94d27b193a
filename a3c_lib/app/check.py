"""Chapter 00: is everything there that the book needs?

`python -m a3c_lib.app.check` prints a line for each thing, [OK], or [FAIL] with the remedy. The
first cell of the book does the same by `check.installation()`.
"""

import os
import platform
import sys
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from packaging.requirements import Requirement

OLDEST_PYTHON = (3, 11)
BOOK = {"extra": "book"}
PYTHON_NAMES = {"python", "python3", f"python3.{sys.version_info.minor}"}


class Check(NamedTuple):
    """One line of the report."""

    what: str
    look: Callable[[], str]  # → what was found; raises if that is not good
    remedy: str


def installation() -> bool:
    """Print a line for each thing that the book needs.   → whether all of it is there."""
    failed = [check for check in checks() if not passes(check)]
    return not failed


def passes(check: Check) -> bool:
    """Make one check and print its line.

    >>> passes(Check("arithmetic", lambda: f"1 + 1 = {1 + 1}", remedy="None is known."))
    [OK]   arithmetic: 1 + 1 = 2
    True
    >>> passes(Check("arithmetic", lambda: str(1 / 0), remedy="Divide by something else."))
    [FAIL] arithmetic: division by zero
           → Divide by something else.
    False
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            print(f"[OK]   {check.what}: {check.look()}")
    except Exception as error:  # noqa: BLE001  whatever a broken installation raises
        print(f"[FAIL] {check.what}: {str(error) or type(error).__name__}")
        print(f"       → {check.remedy}")
        return False
    return True


def checks() -> Iterator[Check]:
    """Every check, in the order of the report."""
    install = f'"{sys.executable}" -m pip install'
    again = "Install again: make clean, then make lab."
    yield Check("Python", _python, "Install a newer Python; then make clean, and make lab.")
    yield Check("a3c_lib", _package, "In the book's folder: make lab.")
    for requirement in requirements():
        look = partial(_version, requirement)
        yield Check(
            requirement.name, look, f'{install} "{requirement.name}{requirement.specifier}"'
        )
    yield Check("torch computes", _torch, again)
    yield Check("a Gymnasium environment", _cartpole, again)
    yield Check("one of the book's worlds", _corridor, again)
    yield Check("Atari", _atari, f"{install} --force-reinstall ale-py   (its games come with it)")
    yield Check("MuJoCo", _mujoco, f'{install} "gymnasium[mujoco]"')
    yield Check(
        "the notebooks' kernel",
        _kernel,
        f'"{sys.executable}" -m ipykernel install --sys-prefix --name python3 --display-name '
        '"A3C book"   (and unset JUPYTER_PATH, if set)',
    )
    yield Check("processor", _cores, "")


def requirements() -> "list[Requirement]":
    """What the package and the book ask for on this system, as declared when the package was
    installed; nothing if it was not."""
    try:
        from packaging.requirements import Requirement

        declared = [Requirement(line) for line in metadata.requires("a3c_lib") or []]
    except (ImportError, metadata.PackageNotFoundError):
        return []  # which `_package` reports
    here = [each for each in declared if each.marker is None or each.marker.evaluate(BOOK)]
    return list({requirement.name: requirement for requirement in here}.values())


def _python() -> str:
    if sys.version_info[:2] < OLDEST_PYTHON:
        raise RuntimeError(f"{platform.python_version()} is too old")
    return platform.python_version()


def _package() -> str:
    import packaging  # noqa: F401  without which nothing else can be compared

    return metadata.version("a3c_lib")


def _version(requirement: "Requirement") -> str:
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        raise RuntimeError("not installed") from None
    if not requirement.specifier.contains(version, prereleases=True):
        raise RuntimeError(f"{version}, but the book needs {requirement.specifier}")
    return version


def _torch() -> str:
    import torch

    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    total = (x @ x).sum()
    (gradient,) = torch.autograd.grad(total, x)
    if total.item() != 54 or gradient.tolist() != [[7.0, 11.0], [9.0, 13.0]]:
        raise RuntimeError("a product of matrices, or its gradient, comes out wrong")
    threads = torch.get_num_threads()
    return f"a product and its gradient, on {threads} {'thread' if threads == 1 else 'threads'}"


def _cartpole() -> str:
    return _step("CartPole-v1")


def _corridor() -> str:
    from a3c_lib.worlds import envs  # noqa: F401  importing it registers its worlds

    return _step("a3c_lib/Corridor-v0")


def _atari() -> str:
    import ale_py
    import gymnasium as gym

    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
    gym.register_envs(ale_py)
    return _step("ALE/Pong-v5")


def _mujoco() -> str:
    import gymnasium as gym

    env = gym.make("InvertedPendulum-v5")  # which the book draws itself
    env.reset(seed=0)
    env.step(env.action_space.sample())
    env.close()
    return "InvertedPendulum-v5, a step taken"


def _step(env_id: str) -> str:
    """Make an environment, take a step, and look at the picture."""
    import gymnasium as gym

    if platform.system() == "Linux" and not {"DISPLAY", "WAYLAND_DISPLAY"} & set(os.environ):
        os.environ.setdefault("SDL_VIDEODRIVER", "dummy")  # pygame draws without a screen
    env = gym.make(env_id, render_mode="rgb_array")
    try:
        env.reset(seed=0)
        env.step(env.action_space.sample())
        picture = env.render()
    finally:
        env.close()
    height, width, _ = picture.shape  # type: ignore[union-attr]
    return f"{env_id}, a step taken, a picture of {width} × {height} drawn"


def _kernel() -> str:
    """A notebook asks for the kernel called python3: it must be this Python."""
    from jupyter_client.kernelspec import KernelSpecManager

    command = KernelSpecManager().get_kernel_spec("python3").argv[0]
    ours = Path(sys.prefix).resolve()
    # Jupyter puts its own Python in place of a bare name.
    if command not in PYTHON_NAMES and ours not in Path(command).parent.resolve().parents:
        raise RuntimeError(f"python3 is {command}, which is not the Python that runs this check")
    return f"python3, Python {platform.python_version()}"


def _cores() -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cores} cores, {platform.system()} on {platform.machine()}"


if __name__ == "__main__":
    sys.exit(not installation())
