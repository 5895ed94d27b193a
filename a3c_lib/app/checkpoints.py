"""Chapter 07: a training's state in a file that is whole, or not there.

checkpoints.save("run.pt", training.state_dict())
...
with a3c.train(model, make_env, config, resume=checkpoints.load("run.pt")) as training:
    ...
"""

import errno
import io
import os
import pickle
import stat
import warnings
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

# A file is this line, a checksum, and what torch.save writes. The checksum, since a zip file's own
# does not cover its directory: with a bit changed there, other weights can be read.
FORMAT = b"a3c_lib checkpoint 1\n"
HEAD = len(FORMAT) + sha256().digest_size
ARRAY = "numpy.ndarray"  # the key of a dict that stands for an array
UNFINISHED = ".unfinished"  # what a file is called while it is written


class CheckpointError(ValueError):
    """A checkpoint cannot be read, or is of something else. Says which one, and why."""


def save(path: str | Path, state: Mapping[str, Any]) -> None:
    """Write a state to `path`. Whatever happens meanwhile, the file is the old one or the new one.

    In spite of the usual ending, .pt, it is not torch's format: `load` reads it, torch.load does
    not. It is written under another name, brought to the disk, and renamed. Raises TypeError, with
    nothing written, if the state holds anything but numbers, text, None, tensors and arrays, and
    lists, tuples and dicts of them.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(f"{folder}/run.pt", {"theta": torch.ones(2), "steps": 3})
    ...     load(f"{folder}/run.pt")
    {'theta': tensor([1., 1.]), 'steps': 3}
    """
    content = io.BytesIO()
    torch.save(_plain(state, "state"), content)
    with _Replacement(Path(path)) as file:
        file.write(FORMAT + sha256(content.getbuffer()).digest() + content.getbuffer())


def load(path: str | Path) -> dict[str, Any]:
    """The state in a file that `save` wrote, its tensors on the CPU.

    Raises CheckpointError if the file is not there, is damaged, or is something else. What is not
    plain data is refused: nothing in the file is run. Its checksum finds damage; it is no
    signature, so the numbers may be anybody's. (A run's folder is another matter than its
    checkpoint: it names an environment and perhaps a network, as "module:Id" and
    "module:function", and whoever resumes or evaluates the run imports those modules.)
    """
    path = Path(path)
    try:
        content = content_of(path)
    except FileNotFoundError:
        raise CheckpointError(f"there is no checkpoint {path}") from None
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from None
    if content.startswith(b"PK"):  # a zip file, as torch writes
        raise CheckpointError(
            f"{path} looks like a file of torch.save, which torch.load reads; a checkpoint has a "
            "format of its own, with a checksum (a3c_lib.app.checkpoints.save)"
        )
    if not content.startswith(FORMAT):
        raise CheckpointError(
            f"{path} is no checkpoint of a3c_lib (or of another version of it, or damaged)"
        )
    digest, content = content[len(FORMAT) : HEAD], content[HEAD:]
    if sha256(content).digest() != digest:
        raise CheckpointError(f"{path} is damaged: what is in it is not what was written")
    try:
        with warnings.catch_warnings(action="ignore"):  # torch's, of pickles that it did not write
            state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise CheckpointError(
            f"{path} holds more than numbers, text and tensors; it was refused, and nothing in it "
            "was run"
        ) from None
    except Exception as error:  # noqa: BLE001  whatever a made-up file makes torch raise
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise CheckpointError(
            f"{path} cannot be read by torch {torch.__version__}: {reason}"
        ) from None
    if not isinstance(state, dict):
        raise CheckpointError(f"{path} holds a {type(state).__name__}, which is no trainer's state")
    try:
        with_arrays: dict[str, Any] = _with_arrays(state)
    except (AttributeError, TypeError, RuntimeError):  # no tensor, or one that is no array's
        raise CheckpointError(f"{path} holds an array that is none") from None
    return with_arrays


def content_of(path: Path) -> bytes:
    """What is in a file. Raises OSError; also for a pipe and a device, which may never end."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "it is no file", str(path))
    return path.read_bytes()


def not_finite(value: Any, name: str = "") -> Iterator[str]:
    """The tensors and arrays in a state that hold NaN or infinity, by name.

    >>> list(not_finite({"model": {"bias": torch.tensor([1.0, torch.inf])}, "steps": 3}))
    ['model.bias']
    """
    if isinstance(value, Tensor | np.ndarray):
        if not torch.as_tensor(value).isfinite().all():
            yield name
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from not_finite(each, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple):
        for i, each in enumerate(value):
            yield from not_finite(each, f"{name}.{i}")


def write_text(path: Path, text: str) -> None:
    """Write a text file that is, whatever happens meanwhile, the old one or the new one."""
    with _Replacement(path) as temporary:
        temporary.write(text.encode())


def sync_folder(folder: Path) -> None:
    """Bring what was created or renamed in a folder to the disk; Windows does so by itself."""
    if os.name != "nt":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class _Replacement:
    """A file, open to be written, that takes the place of `path` when all of it is on the disk."""

    def __init__(self, path: Path) -> None:
        self.path, self.temporary = path, path.with_name(path.name + UNFINISHED)

    def __enter__(self) -> Any:
        self.file = self.temporary.open("wb")
        return self.file

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            with self.file:
                if kind is None:
                    self.file.flush()
                    os.fsync(self.file.fileno())
            if kind is None:
                self.temporary.replace(self.path)
                sync_folder(self.path.parent)
        finally:
            self.temporary.unlink(missing_ok=True)


def _plain(value: Any, where: str) -> Any:
    """The same without arrays, classes of others, and memory that is shared with others."""
    if isinstance(value, Tensor):
        return value.detach().cpu().clone()  # a view would bring with it all that it is a view of
    if isinstance(value, np.ndarray | np.generic):
        return {ARRAY: torch.as_tensor(np.array(value))} if value.ndim else value.item()
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, Mapping):
        return {key: _plain(each, f"{where}[{key!r}]") for key, each in value.items()}
    if isinstance(value, list | tuple):
        parts = [_plain(each, f"{where}[{i}]") for i, each in enumerate(value)]
        return parts if isinstance(value, list) else tuple(parts)
    raise TypeError(
        f"a checkpoint holds numbers, text, None, tensors, arrays, and lists, tuples and dicts of "
        f"them; {where} is a {type(value).__name__}"
    )


def _with_arrays(value: Any) -> Any:
    """What `_plain` was given."""
    if isinstance(value, dict):
        if value.keys() == {ARRAY}:
            return value[ARRAY].numpy()
        return {key: _with_arrays(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_with_arrays(each) for each in value]
    if isinstance(value, tuple):
        return tuple(map(_with_arrays, value))
    return value
