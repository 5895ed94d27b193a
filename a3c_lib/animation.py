"""Chapter 00: an agent playing, as a moving picture that shows wherever a notebook is read.

It is an animated PNG: an image like any other, so it needs no JavaScript, no ffmpeg and no trust in
the notebook, and a viewer that knows no animation shows its first frame.
"""

import inspect
import itertools
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from a3c_lib.rollout import MakeEnv, Policy, make_env

Frame = NDArray[np.uint8]  # (H, W, 3)

WIDTH = 320  # pixels; wider pictures are made smaller
NARROWEST = 180  # pixels; under narrower pictures the caption would not fit
MAX_BYTES = 300_000
SLOWEST = 2.0  # frames a second; with fewer it is no animation
COLOURS = 64
PAUSE = 3  # more frames of an episode's end, before the next episode begins
GROUND, INK = "#ffffff", "#333333"


class Animation:
    """An animated PNG that a notebook shows, and `save` writes."""

    def __init__(self, png: bytes, size: tuple[int, int], frames: int, seconds: float) -> None:
        self.png, self.size, self.frames, self.seconds = png, size, frames, seconds

    def save(self, path: str | Path) -> None:
        Path(path).write_bytes(self.png)

    def _repr_png_(self) -> bytes:
        return self.png

    def __repr__(self) -> str:
        width, height = self.size
        return (
            f"Animation: {self.frames} frames of {width} × {height} pixels, "
            f"{self.seconds:.1f} s, {len(self.png) / 1000:.0f} kB"
        )


def play(
    policy: Policy,
    source: MakeEnv,
    *,
    seed: int = 0,
    max_steps: int = 200,
    episodes: int = 1,
    values: Callable[[Tensor], Tensor] | None = None,
    captions: bool = True,
    policy_state: Any = None,
) -> list[Frame]:
    """Let a policy act for some episodes, `max_steps` at most in all, and take a picture before the
    first step and after each.   → frames (H, W, 3).

    `policy` is what `collect` takes too, such as `greedy(model)` or `sampled(model, generator)`.
    `source` is an id, an EnvSpec or a function that makes an environment with
    `render_mode="rgb_array"`. Under each picture stand the step, its reward and, where `values`
    (observations (1, *O) → (1,)) is given, the value of what is seen; at an episode's end, which
    end it was. An end is seen three frames longer if another episode follows.

    >>> from a3c_lib.reinforce import TabularPolicy
    >>> from a3c_lib.rollout import sampled
    >>> policy = sampled(TabularPolicy(4, 2), torch.Generator().manual_seed(0))
    >>> frames = play(policy, "a3c_lib/Corridor-v0", max_steps=5)
    >>> len(frames), frames[0].shape
    (6, (66, 192, 3))
    """
    if hasattr(policy, "logits"):
        raise TypeError(
            "policy is a function (observation, state) → (action, state), such as greedy(model); "
            f"got the model itself, a {type(policy).__name__}"
        )
    for name, number in (("max_steps", max_steps), ("episodes", episodes)):
        if number < 1:
            raise ValueError(f"{name} is at least 1; got {number}")
    env = _make_rendering_env(source)
    camera = _Camera(env, values, captions)
    first_action = int(getattr(env.action_space, "start", 0))
    try:
        observation, step = camera.see(env.reset(seed=seed)[0], "step 0"), 0
        for _ in range(max_steps):
            action, policy_state = policy(observation, policy_state)
            seen, reward, terminated, truncated, _ = env.step(action.item() + first_action)
            step += 1
            said = f"step {step}   reward {float(reward):.3g}"
            if not terminated and not truncated:
                observation = camera.see(seen, said)
                continue
            camera.take(said + ("   terminated" if terminated else "   truncated"))
            episodes -= 1
            if episodes == 0:
                break
            camera.frames += camera.frames[-1:] * PAUSE
            observation, step = camera.see(env.reset()[0], "step 0"), 0
    finally:
        env.close()
    return camera.frames


def animate(
    frames: Sequence[Frame], fps: float = 8, *, hold: float = 1.0, max_bytes: int = MAX_BYTES
) -> Animation:
    """Make an animation of frames (H, W, 3), `fps` a second; the last is held `hold` s longer.

    To stay below `max_bytes` it is at most 320 pixels wide, has 64 colours, and leaves out every
    second frame, or more of them; its length in seconds stays. Raises ValueError if that does not
    suffice.

    >>> animation = animate([np.full((48, 96, 3), grey, np.uint8) for grey in (0, 80, 160)], fps=4)
    >>> animation.frames, animation.size, animation.seconds
    (3, (96, 48), 1.75)
    """
    if not fps > 0:
        raise ValueError(f"fps, frames a second, is positive; got {fps}")
    if not hold >= 0:
        raise ValueError(f"hold is a number of seconds, at least 0; got {hold}")
    _check_frames(frames)
    images = _with_one_palette([_narrowed(frame) for frame in frames])
    every = 1
    while True:
        kept = [*images[:-1:every], images[-1]]
        durations = _milliseconds(len(images), every, fps, hold)
        png = _encoded(kept, durations)
        if len(png) <= max_bytes:
            return Animation(png, images[0].size, len(kept), sum(durations) / 1000)
        every += 1
        if fps / every < SLOWEST or every > len(images):
            raise ValueError(
                f"{len(frames)} frames take {len(png):,} bytes even with {len(kept)} of them, and "
                f"max_bytes is {max_bytes:,}; give fewer frames, such as frames[:100]"
            )


class _Camera:
    """Takes pictures of an environment, each with a line of text under it, if they are wanted."""

    def __init__(
        self,
        env: gym.Env[Any, Any],
        values: Callable[[Tensor], Tensor] | None,
        captions: bool,
    ) -> None:
        self.env, self.values, self.captions = env, values, captions
        self.frames: list[Frame] = []

    def see(self, observation: Any, said: str) -> Tensor:
        """Picture what is observed, with its value.   → the observation as policies take it, N = 1."""
        batch = torch.as_tensor(observation)[None]
        if self.values is not None:
            with torch.no_grad():
                said += f"   V {self.values(batch).item():.2f}"
        self.take(said)
        return batch

    def take(self, said: str) -> None:
        picture: Any = self.env.render()
        _check_frames([picture])
        image = _narrowed(picture)
        self.frames.append(np.asarray(_captioned(image, said) if self.captions else image))


def _make_rendering_env(source: MakeEnv) -> gym.Env[Any, Any]:
    """An environment that renders; a function that takes no render_mode must have chosen it."""
    options = {"render_mode": "rgb_array"} if _takes_render_mode(source) else {}
    env = make_env(source, **options)
    if env.render_mode != "rgb_array":
        env.close()
        raise ValueError(
            "to be seen, an environment is made with render_mode='rgb_array'; "
            f"this one has {env.render_mode!r}"
        )
    return env


def _takes_render_mode(source: MakeEnv) -> bool:
    if not callable(source):
        return True
    try:
        inspect.signature(source).bind(render_mode="rgb_array")
    except TypeError:
        return False
    return True


def _check_frames(frames: Sequence[Frame]) -> None:
    if len(frames) == 0:
        raise ValueError("frames is empty; an animation needs at least one")
    for frame in frames:
        if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8 or frame.ndim != 3:
            raise ValueError(f"a frame is an array (H, W, 3) of bytes; got {_kind(frame)}")
        if frame.shape[2] != 3 or frame.shape != frames[0].shape:
            shapes = sorted({f.shape for f in frames})
            raise ValueError(f"frames are (H, W, 3), all of one size; got {shapes}")


def _kind(frame: Any) -> str:
    if isinstance(frame, np.ndarray):
        return f"shape {frame.shape} of {frame.dtype}"
    return type(frame).__name__


def _narrowed(frame: Frame) -> Image.Image:
    """At most WIDTH pixels wide, in proportion."""
    image = Image.fromarray(frame)
    if image.width <= WIDTH:
        return image
    return image.resize((WIDTH, round(image.height * WIDTH / image.width)), Image.Resampling.BOX)


def _captioned(image: Image.Image, text: str) -> Image.Image:
    """The picture with a line of text under it."""
    font = ImageFont.load_default(size=12)
    page = Image.new("RGB", (max(image.width, NARROWEST), image.height + 18), GROUND)
    page.paste(image, ((page.width - image.width) // 2, 0))
    ImageDraw.Draw(page).text((4, image.height + 2), text, fill=INK, font=font)
    return page


def _with_one_palette(images: Sequence[Image.Image]) -> list[Image.Image]:
    """The images in COLOURS colours, the same for all: a PNG with one palette takes a byte a pixel."""
    chosen = images[:: max(1, len(images) // 8)]
    sheet = Image.new("RGB", (images[0].width, sum(image.height for image in chosen)))
    for place, image in enumerate(chosen):
        sheet.paste(image, (0, place * image.height))
    palette = sheet.quantize(COLOURS, dither=Image.Dither.NONE)
    return [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]


def _milliseconds(frames: int, every: int, fps: float, hold: float) -> list[int]:
    """How long each kept frame is shown, so that all together take as long as all frames would."""
    starts = [*range(0, frames - 1, every), frames - 1, frames]
    edges = [round(1000 * start / fps) for start in starts]
    durations = [after - before for before, after in itertools.pairwise(edges)]
    durations[-1] += round(1000 * hold)
    return durations


def _encoded(images: Sequence[Image.Image], durations: list[int]) -> bytes:
    """An animated PNG. Of equal frames in a row Pillow stores one, and shows it as long as all."""
    buffer = BytesIO()
    images[0].save(
        buffer,
        format="PNG",
        save_all=True,
        append_images=images[1:],
        duration=durations,
        loop=0,
        optimize=True,
    )
    return buffer.getvalue()
