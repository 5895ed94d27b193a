"""Beside the chapters: a training's state in a file that is whole, or not there.

checkpoints.save("run.pt", training.state_dict())
...
with a3c.train(model, make_env, config, resume=checkpoints.load("run.pt")) as training:
    ...
"""

import os
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

FORMAT = "a3c_lib checkpoint 1"
ARRAY = "numpy.ndarray"  # the key of a dict that stands for an array
UNFINISHED = ".unfinished"  # what a file is called while it is written


class CheckpointError(ValueError):
    """A checkpoint cannot be read, or is of something else. Says which one, and why."""


def save(path: str | Path, state: Mapping[str, Any]) -> None:
    """Write a state to `path`. Whatever happens meanwhile, the file is the old one or the new one.

    It is written under another name, brought to the disk, and renamed. Raises TypeError, with
    nothing written, if the state holds anything but numbers, text, None, tensors and arrays, and
    lists, tuples and dicts of them.
    """
    path = Path(path)
    checkpoint = {"format": FORMAT, "state": _plain(state, "state")}
    with _Replacement(path) as temporary:
        torch.save(checkpoint, temporary)


def load(path: str | Path) -> dict[str, Any]:
    """The state in a file that `save` wrote, its tensors on the CPU.

    Raises CheckpointError if the file is not there, is damaged, or is something else. What is not
    plain data is refused, not run: an unknown file can do no harm.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            whole = archive.testzip() is None
        if not whole:
            raise CheckpointError(f"{path} is damaged: what is in it is not what was written")
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(f"there is no checkpoint {path}") from None
    except (IsADirectoryError, PermissionError) as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from None
    except pickle.UnpicklingError:
        raise CheckpointError(
            f"{path} holds more than numbers, text and tensors; it was refused, and nothing in it "
            "was run"
        ) from None
    except (zipfile.BadZipFile, zipfile.LargeZipFile, RuntimeError, EOFError, NotImplementedError):
        raise CheckpointError(
            f"{path} is damaged, or was never a checkpoint: it is no whole file of torch.save"
        ) from None
    if not isinstance(checkpoint, dict) or checkpoint.get("format") != FORMAT:
        raise CheckpointError(f"{path} is no checkpoint of a3c_lib (or of another version of it)")
    state: dict[str, Any] = _with_arrays(checkpoint["state"])
    return state


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
