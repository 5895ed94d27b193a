"""Chapter 00: results that took many seeds or minutes are recorded; this reads them.

The records lie in the book's folder `claims/records`: a table of rows and a page on how they came
about, with the settings of the runs. A wheel carries them, for a notebook outside that folder.
"""

import csv
import inspect
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, is_dataclass
from functools import partial
from pathlib import Path
from textwrap import fill
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import nn

Curve = tuple[NDArray[np.float64], NDArray[np.float64]]

CARRIED = Path(__file__).parent / "recorded"  # where setup.py puts them in a wheel


class Record(NamedTuple):
    """Rows of one claim. `about` says what is claimed, by which command, on which machine."""

    name: str
    rows: list[dict[str, Any]]
    about: dict[str, Any]

    def __str__(self) -> str:
        count = self.about["seeds"]
        said = (
            f"Recorded, not run here: {count} seed{'s' * (count != 1)} per setting, "
            f"{self.about['seconds'] / 60:.0f} min of computing on {self.about['date']} "
            f"({self.about['machine']})."
        )
        return f"{_wrapped(said)}\nTo run it again: {self.about['command']} --again"

    def settings(self, **here: Any) -> str:
        """With which settings the rows came about: all but those that are the same here.

        `here` are the parts of which this page's own run is made, by the names that they have in
        the claim: a Config, a model, a loss. Without them all settings are told.
        """
        own = {name: _told([value]) for name, value in fields(**here).items()}
        recorded = {name: _told(values) for name, values in self._config().items()}
        differ = [
            f"{name} {told} (here {own[name]})"
            for name, told in recorded.items()
            if own.get(name, told) != told
        ]
        alone = [f"{name} {told}" for name, told in recorded.items() if name not in own]
        sentence = (
            f"Settings of the record: {'; '.join([*differ, *alone]) or 'those of the code here'}."
        )
        if 0 < len(differ) + len(alone) < len(recorded):
            sentence += " All else is as in the code here."
        return _wrapped(sentence)

    def _config(self) -> dict[str, list[Any]]:
        """The different values of every setting, over the rows."""
        found: dict[str, list[Any]] = {}
        for setting, config in _configs(self.about):
            if any(_belongs(row, setting) for row in self.rows):
                for name, value in config.items():
                    values = found.setdefault(name, [])
                    values += [value] * (value not in values)
        return found

    def select(self, **values: Any) -> "Record":
        """The rows in which every named column has the given value."""
        for column in values:
            self._check(column)
        rows = [row for row in self.rows if all(row.get(c) == v for c, v in values.items())]
        if not rows:
            raise ValueError(f"no row of record {self.name!r} has {values}")
        return self._replace(rows=rows)

    def column(self, name: str) -> NDArray[Any]:
        """The values of a column, row by row. Raises ValueError, with the columns there are; or
        with the first row in which it is blank."""
        self._check(name)
        blank = [row for row in self.rows if name not in row]
        if blank:
            raise ValueError(
                f"record {self.name!r}: {name!r} is blank in {len(blank)} of {len(self.rows)} "
                f"rows, the first of them {blank[0]}"
            )
        return np.array([row[name] for row in self.rows])

    def levels(self, name: str) -> list[Any]:
        """The different values of a column, in order of appearance; blanks are none."""
        self._check(name)
        return list(dict.fromkeys(row[name] for row in self.rows if name in row))

    def curves(self, x: str, y: str) -> list[Curve]:
        """One (x, y) pair of arrays for each seed, as learning curves want them."""
        return [
            (seed.column(x).astype(float), seed.column(y).astype(float))
            for seed in (self.select(seed=s) for s in self.levels("seed"))
        ]

    def _check(self, column: str) -> None:
        columns = list(dict.fromkeys(name for row in self.rows for name in row))
        if column not in columns:
            raise ValueError(f"record {self.name!r} has columns {columns}; got {column!r}")


def _wrapped(text: str) -> str:
    """In lines of at most 100 letters, as a cell of code has them."""
    return fill(text, width=100, break_on_hyphens=False)


def fields(**parts: Any) -> dict[str, Any]:
    """The settings of a run that is made of `parts`, by name.

    A dataclass gives its fields, a function its name and its options, a model its layers, a mapping
    its items with the part's name before theirs. Seeds are left out.

    >>> from a3c_lib.reinforce import Config
    >>> fields(world="a3c_lib/Corridor-v0", training=Config(gamma=1.0, seed=7))
    {'world': 'a3c_lib/Corridor-v0', 'algorithm': 'reinforce', 'total_steps': 20000, 'gamma': 1.0, \
'learning_rate': 0.1}
    """
    found: dict[str, Any] = {}
    for name, part in parts.items():
        found |= _fields_of(name, part)
    found.pop("seed", None)
    plain: dict[str, Any] = json.loads(json.dumps(found))  # as a file has them
    return plain


def _fields_of(name: str, part: Any) -> dict[str, Any]:
    if is_dataclass(part) and not isinstance(part, type):
        return {"algorithm": _algorithm(part), **asdict(part)}
    if isinstance(part, list) and part and all(map(is_dataclass, part)):
        return _together([_fields_of(name, each) for each in part])
    if isinstance(part, nn.Module):
        return {"network": " + ".join(_layers(part))}
    if isinstance(part, Mapping):
        return {f"{name}_{key}": value for key, value in part.items()}
    if isinstance(part, partial):
        return _fields_of(name, part.func) | part.keywords
    if isinstance(part, type):
        return {name: _kind(part)}
    if callable(part):
        return {name: part.__name__, **_options(part)}
    return {name: part}


def _together(configs: list[dict[str, Any]]) -> dict[str, Any]:
    """The fields of several configs; a list of its different values for a field that is not the
    same in all."""
    found = {}
    for name in configs[0]:
        values = list(dict.fromkeys(config[name] for config in configs))
        found[name] = values if len(values) > 1 else values[0]
    return found


def _algorithm(config: Any) -> str:
    """The module of the package in which a Config, or what it is derived from, is defined."""
    modules = [kind.__module__ for kind in type(config).__mro__]
    ours = (module for module in modules if module.startswith("a3c_lib."))
    return next(ours, modules[0]).rsplit(".", maxsplit=1)[-1]


def _kind(kind: type) -> str:
    """The name of a class, or that of torch's from which it is derived."""
    torchs = (each for each in kind.__mro__ if each.__module__.startswith("torch."))
    found = next(torchs, None)
    return f"torch's {found.__name__}" if found else kind.__name__


def _options(function: Any) -> dict[str, Any]:
    """The parameters of a function that have a default."""
    options = inspect.signature(function).parameters.values()
    return {each.name: each.default for each in options if each.default is not each.empty}


def _layers(model: nn.Module) -> Iterator[str]:
    """The parts of a model, each with the sizes of its layers."""
    for name, table in model.named_parameters(recurse=False):
        yield f"{name} {'×'.join(map(str, table.shape))}"
    for name, child in model.named_children():
        layers = [_layer(leaf) for leaf in child.modules() if _is_layer(leaf)]
        if layers:
            yield " ".join([name, *layers])


def _is_layer(module: nn.Module) -> bool:
    return type(module).__module__.startswith("torch.") and not list(module.children())


def _layer(leaf: nn.Module) -> str:
    if isinstance(leaf, nn.Linear):
        return f"{leaf.in_features}→{leaf.out_features}"
    if isinstance(leaf, nn.LSTMCell):
        return f"{leaf.input_size}→{leaf.hidden_size}"
    if isinstance(leaf, nn.Conv2d):
        return f"{leaf.kernel_size[0]}×{leaf.kernel_size[1]} {leaf.in_channels}→{leaf.out_channels}"
    return type(leaf).__name__


def _configs(about: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Every setting of a record, and its config."""
    config = about["config"]
    for each in config["by setting"]:
        yield each["setting"], config["all"] | each["differs"]


def _belongs(row: Mapping[str, Any], setting: Mapping[str, Any]) -> bool:
    return all(row.get(column) == value_of(str(value)) for column, value in setting.items())


def _told(values: list[Any]) -> str:
    """Values as a sentence has them, numbers by size.

    >>> _told([8, 1, 2]), _told([[64, 64]]), _told([24_000]), _told(["b", "a"])
    ('1, 2 or 8', '(64, 64)', '24,000', 'b or a')
    """
    if all(isinstance(value, int | float) for value in values):
        values = sorted(values)
    *most, last = (_plain(value) for value in values)
    return f"{', '.join(most)} or {last}" if most else last


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return f"({', '.join(map(_plain, value))})"
    if value is None:
        return "none"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def load(name: str) -> Record:
    """Read a record of the book: of the book's folder, if this is it or one below it; else of
    those that came with the package.

    Raises FileNotFoundError, with the records that there are.
    """
    folder = _folder()
    table, about = folder / f"{name}.csv", folder / f"{name}.json"
    if not table.exists():
        known = sorted(
            str(path.relative_to(folder).with_suffix("")) for path in folder.rglob("*.csv")
        )
        raise FileNotFoundError(f"no record is called {name!r}; there are {known}")
    with table.open(newline="", encoding="utf-8") as f:
        rows = [
            {key: value_of(text) for key, text in row.items() if text != ""}
            for row in csv.DictReader(f)
        ]
    return Record(name, rows, json.loads(about.read_text(encoding="utf-8")))


def path(name: str) -> Path:
    """Where something lies that is kept beside the records, such as a trained network.

    Raises FileNotFoundError if it is not there.
    """
    found = _folder() / name
    if not found.exists():
        raise FileNotFoundError(f"there is no {found}")
    return found


def _folder() -> Path:
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "claims" / "records").is_dir():
            return folder / "claims" / "records"
    if CARRIED.is_dir():
        return CARRIED
    raise FileNotFoundError(f"no claims/records in {here} or above it; work in the book's folder")


def value_of(text: str) -> Any:
    """A number, if the text is one."""
    for kind in int, float:
        try:
            return kind(text)
        except ValueError:
            continue
    return text
