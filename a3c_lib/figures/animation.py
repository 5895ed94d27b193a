"""Chapter 00: frames become a moving picture that shows wherever a notebook is read.

It is an animated PNG: an image like any other, so it needs no JavaScript, no ffmpeg and no trust in
the notebook, and a viewer that knows no animation shows its first frame.
"""

import itertools
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from a3c_lib.figures.pictures import as_html
from a3c_lib.settings import Count, check_setting

Frame = NDArray[np.uint8]  # (H, W, 3)

WIDTH = 320  # pixels; wider pictures are made smaller, if nothing else is asked for
MAX_BYTES = 300_000
SLOWEST = 2.0  # frames a second; with fewer it is no animation
COLOURS = 64
SHOWN = 640  # pixels: a notebook shows a film up to so wide, small ones twice as wide as they are


class Animation:
    """An animated PNG that a notebook shows, `still` stops, and `save` writes.

    `alt` says what is seen, for those who do not see it. `places` says of each frame which picture
    of the PNG it is: equal frames in a row are one there.
    """

    def __init__(
        self,
        png: bytes,
        size: tuple[int, int],
        places: Sequence[int],
        seconds: float,
        alt: str = "",
    ) -> None:
        self.png, self.size, self.places, self.seconds = png, size, places, seconds
        self.frames, self.alt = len(places), alt

    def still(self, frame: int) -> "Animation":
        """One frame of it, counted from 0; from the end, if negative.

        >>> black, white = np.zeros((9, 9, 3), np.uint8), np.full((9, 9, 3), 255, np.uint8)
        >>> animate([black, white], alt="A flash.").still(-1).alt
        'A flash. Frame 1 of 0 to 1.'
        """
        if not -self.frames <= frame < self.frames:
            raise IndexError(f"frame is from 0 to {self.frames - 1}; got {frame}")
        image = Image.open(BytesIO(self.png))
        image.seek(self.places[frame])
        which = f"Frame {frame % self.frames} of 0 to {self.frames - 1}."
        png = _encoded([image.convert("RGB")], [0])
        return Animation(png, self.size, [0], 0.0, f"{self.alt} {which}".strip())

    def save(self, path: str | Path) -> None:
        """Write the PNG to a file."""
        Path(path).write_bytes(self.png)

    def _repr_html_(self) -> str:
        film = as_html(self.png, self.alt, min(2 * self.size[0], SHOWN))
        if self.frames == 1:
            return film
        said = f"Film, {self.seconds:.0f} s, again and again. Click here to put it away."
        return f"<details open><summary>{said}</summary>{film}</details>"

    def __repr__(self) -> str:
        width, height = self.size
        size = (
            f"Animation: {self.frames} frames of {width} × {height} pixels, "
            f"{self.seconds:.1f} s, {len(self.png) / 1000:.0f} kB"
        )
        return f"{self.alt} ({size})" if self.alt else size


def animate(
    frames: Sequence[Frame],
    fps: float = 8,
    *,
    alt: str = "",
    hold: float = 1.0,
    width: int = WIDTH,
    max_bytes: int = MAX_BYTES,
) -> Animation:
    """Make an animation of frames (H, W, 3), `fps` a second; the last is held `hold` s longer.

    `alt` says in a sentence what is seen; `animation.still(12)` shows one moment.

    To stay below `max_bytes` it is at most `width` pixels wide, has 64 colours, and leaves out
    every second frame, or more of them; its length in seconds stays. Raises ValueError if that does
    not suffice. (A notebook shows films twice as wide as they are, but no wider than 640 pixels: so
    one of large plain areas is sharp with width=640, and takes little more.)

    >>> animation = animate([np.full((48, 96, 3), grey, np.uint8) for grey in (0, 80, 160)], fps=4)
    >>> animation.frames, animation.size, animation.seconds
    (3, (96, 48), 1.75)
    """
    if not fps > 0:
        raise ValueError(f"fps, frames a second, is positive; got {fps}")
    if not hold >= 0:
        raise ValueError(f"hold is a number of seconds, at least 0; got {hold}")
    check_setting("width", width, Count)
    check_frames(frames)
    images = _with_one_palette([narrowed(frame, width) for frame in frames])
    every = 1
    while True:
        kept = [*images[:-1:every], images[-1]]
        durations = _milliseconds(len(images), every, fps, hold)
        png = _encoded(kept, durations)
        if len(png) <= max_bytes:
            return Animation(png, images[0].size, _places(kept), sum(durations) / 1000, alt)
        every += 1
        if fps / every < SLOWEST or every > len(images):
            raise ValueError(
                f"{len(frames)} frames take {len(png):,} bytes even with {len(kept)} of them, and "
                f"max_bytes is {max_bytes:,}; give fewer frames, such as frames[:100]"
            )


def check_frames(frames: Sequence[Frame]) -> None:
    """Raise ValueError unless these are frames (H, W, 3) of bytes, of one size, at least one."""
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


def narrowed(frame: Frame, width: int) -> Image.Image:
    """At most `width` pixels wide, in proportion."""
    image = Image.fromarray(frame)
    if image.width <= width:
        return image
    return image.resize((width, round(image.height * width / image.width)), Image.Resampling.BOX)


def _with_one_palette(images: Sequence[Image.Image]) -> list[Image.Image]:
    """The images in COLOURS colours, the same for all, so that the PNG takes a byte a pixel."""
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


def _places(images: Sequence[Image.Image]) -> list[int]:
    """Of each image, which of those that are stored it is."""
    pixels = [image.convert("RGB").tobytes() for image in images]
    differs = (before != after for before, after in itertools.pairwise(pixels))
    return list(itertools.accumulate(differs, initial=0))


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
