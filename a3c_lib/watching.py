"""Chapter 07: an agent at play, and beside the screen what it makes of it: V and π.

film = animate(beside(watch(model, Game("pong"))), fps=15)
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from a3c_lib.animation import GROUND, INK, Frame
from a3c_lib.atari import Game
from a3c_lib.drawing import BLUE, GREY, LIGHT_GREY, RED
from a3c_lib.evaluation import Actions
from a3c_lib.rollout import MakeEnv, device_of, initial_state, make_env, make_envs

PANEL = 156  # pixels: how wide the part beside the screen is
TRACE = 64  # pixels: how high the curve of V
MARGIN = 8
LINE = 14  # pixels: from one line of text to the next


class Watched(NamedTuple):
    """K steps of one agent in one environment."""

    frames: tuple[Frame, ...]  # K screens (H, W, 3), each before its step
    values: NDArray[np.float64]  # (K,)    V of what is seen there
    probabilities: NDArray[np.float64]  # (K, A)  π of it
    actions: NDArray[np.int64]  # (K,)    what was done
    rewards: NDArray[np.float64]  # (K,)    what was paid for it
    names: tuple[str, ...]  # (A,)    of the actions


@torch.no_grad()
def watch(
    model: Any,
    source: MakeEnv,
    *,
    seed: int = 0,
    max_steps: int = 300,
    names: Sequence[str] | None = None,
    actions: Actions = "sampled",
) -> Watched:
    """Let a model play one episode, or its first `max_steps` steps, with sampled or greedy actions.

    `source` is an Atari `Game`, whose screens are shown in colours, or what `play` takes: an id, or
    a function that takes render_mode="rgb_array". `names` are the actions'; if None the game's own,
    or their numbers.
    """
    if max_steps < 1:
        raise ValueError(f"max_steps is at least 1; got {max_steps}")
    if actions not in ("sampled", "greedy"):
        raise ValueError(f"actions is 'sampled' or 'greedy'; got {actions!r}")
    if isinstance(source, Game):
        envs = source.make_envs(1)
        screen: _Screens | _Rendered = _Screens(source, seed)
        names = source.actions if names is None else names
    else:
        envs = make_envs(lambda: make_env(source, render_mode="rgb_array"))
        screen = _Rendered(envs)
    generator = torch.Generator().manual_seed(seed)
    state = initial_state(model, 1)
    frames, rows = [], []
    try:
        space: Any = envs.single_action_space
        names = tuple(map(str, range(int(space.n))) if names is None else names)
        if len(names) != space.n:
            raise ValueError(f"{space.n} actions need as many names; got {len(names)}")
        observation, _ = envs.reset(seed=seed)
        for _ in range(max_steps):
            frames.append(screen.seen())
            value, logits, state = _said(model, torch.as_tensor(observation), state)
            pi = logits.softmax(dim=-1)
            drawn = torch.multinomial(pi, 1, generator=generator)
            action = int(drawn if actions == "sampled" else pi.argmax())
            taken = np.array([action + int(space.start)])
            observation, reward, terminated, truncated, info = envs.step(taken)
            screen.step(taken)
            rows.append((float(value), pi.tolist(), action, float(reward[0])))
            if info.get("game_over", terminated | truncated)[0]:
                break
            if (terminated | truncated)[0]:  # a life was lost: for the memory a beginning
                state = initial_state(model, 1)
    finally:
        envs.close()
        screen.close()
    values, probabilities, did, paid = (np.array(column) for column in zip(*rows, strict=True))
    return Watched(tuple(frames), values, probabilities, did, paid, names)


def _said(model: Any, observation: Tensor, state: Any) -> tuple[Tensor, Tensor, Any]:
    """V (), logits (A,) and the memory after it."""
    observation = observation.to(device_of(model))
    if state is None:
        return model.values(observation)[0].cpu(), model.logits(observation)[0].cpu(), None
    value = model.values(observation, state)[0].cpu()
    logits, state = model.logits(observation, state)
    return value, logits[0].cpu(), state


class _Screens:
    """A game in colours, played with the same seed and actions."""

    def __init__(self, game: Game, seed: int) -> None:
        self.envs = game.make_screens(1)
        self.screens, _ = self.envs.reset(seed=seed)

    def step(self, action: NDArray[np.int64]) -> None:
        self.screens, *_ = self.envs.step(action)

    def seen(self) -> Frame:
        screen: Frame = self.screens[0, -1].copy()
        return screen

    def close(self) -> None:
        self.envs.close()


class _Rendered:
    """What an environment renders of itself."""

    def __init__(self, envs: Any) -> None:
        self.envs = envs

    def step(self, action: NDArray[np.int64]) -> None:
        pass

    def seen(self) -> Frame:
        (frame,) = self.envs.render()
        return np.asarray(frame)

    def close(self) -> None:
        pass


def beside(watched: Watched) -> list[Frame]:
    """Each screen with the value so far, and the probabilities of the actions, at its right side.
    The action that was taken is red, and a reward is written where it is paid.   → frames (H, W, 3)

    >>> black = np.zeros((100, 80, 3), np.uint8)
    >>> pi = np.array([[0.9, 0.1]])
    >>> seen = Watched((black,), np.zeros(1), pi, np.zeros(1, int), np.zeros(1), ("UP", "DOWN"))
    >>> beside(seen)[0].shape
    (130, 236, 3)
    """
    height = max(watched.frames[0].shape[0], TRACE + (len(watched.names) + 2) * LINE + MARGIN + 2)
    scale = _scale(watched.values)
    return [_page(watched, step, height, scale) for step in range(len(watched.frames))]


def _scale(values: NDArray[np.float64]) -> Callable[[float], float]:
    """How high V stands in the curve, from 0 (the lowest of all) to 1."""
    low, high = float(values.min()), float(values.max())
    width = max(high - low, 1e-6)
    return lambda value: (value - low) / width


def _page(watched: Watched, step: int, height: int, scale: Callable[[float], float]) -> Frame:
    screen = watched.frames[step]
    page = Image.new("RGB", (screen.shape[1] + PANEL, height), GROUND)
    page.paste(Image.fromarray(screen), (0, 0))
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(size=11)
    left, right = screen.shape[1] + MARGIN, screen.shape[1] + PANEL - MARGIN
    said = f"step {step}   V {watched.values[step]:.2f}"
    draw.text((left, 2), said, fill=INK, font=font)
    if watched.rewards[step]:
        draw.text((left, 2 + LINE), f"reward {watched.rewards[step]:g}", fill=RED, font=font)

    bottom = 2 * LINE + TRACE
    draw.line([(left, bottom), (right, bottom)], fill=LIGHT_GREY)
    places = np.linspace(left, right, len(watched.values))
    curve = [
        (x, bottom - 2 - (TRACE - 4) * scale(value))
        for x, value in zip(places, watched.values[: step + 1], strict=False)
    ]
    if len(curve) > 1:
        draw.line(curve, fill=BLUE, width=2)
    x, y = curve[-1]
    draw.ellipse([x - 2, y - 2, x + 2, y + 2], fill=BLUE)

    bars = left + (right - left) // 2
    for action, (name, p) in enumerate(
        zip(watched.names, watched.probabilities[step], strict=True)
    ):
        colour = RED if action == watched.actions[step] else GREY
        top = bottom + 2 + action * LINE
        draw.text((left, top), name, fill=colour, font=font)
        draw.rectangle([bars, top + 2, bars + p * (right - bars), top + LINE - 2], fill=colour)
    return np.asarray(page)
