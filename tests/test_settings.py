"""Every field of every config says what it may be, and is named where it is not."""

import dataclasses
import math
from pathlib import Path
from typing import Annotated, Literal

import gymnasium as gym
import numpy as np
import pytest

from a3c_lib import (
    a2c,
    a3c,
    actor_critic,
    dqn,
    hogwild,
    losses,
    optim,
    parallel_a2c,
    q_learning,
    reinforce,
)
from a3c_lib.networks import ActorCritic
from a3c_lib.recurrent import RecurrentActorCritic
from a3c_lib.settings import Range, check_setting, check_settings
from a3c_lib.training import Config, RolloutConfig

MODULES = (reinforce, actor_critic, losses, optim, hogwild, a3c, a2c, parallel_a2c, q_learning, dqn)
CONFIGS = Config, RolloutConfig, *(module.Config for module in MODULES)
FIELDS = [(config, field) for config in CONFIGS for field in dataclasses.fields(config)]

NO_COUNTS = [True, 1.5, 2.0, math.nan, math.inf, "1", None, [1], -1, 2**80, np.True_, np.float64(1)]
NO_NUMBERS = [True, math.nan, -math.inf, "1", None, [1.0], -1, 10**400, -(10**400), np.nan, 1j]
NO_TRUTHS = ["no", "True", None, 0, 1, math.nan, [True]]
NO_TEXTS = [None, 5, b"cpu", True, ["cpu"], "no such thing"]
NO_FRACTIONS = [0.5, "0.5", None, (True,), (1.5,), (0.5, -0.5), (math.nan,), ("0.5",)]
WRONG = {
    int: NO_COUNTS,
    float: NO_NUMBERS,
    bool: NO_TRUTHS,
    str: NO_TEXTS,
    tuple: NO_FRACTIONS,
}


@pytest.mark.parametrize(("config", "field"), FIELDS)
def test_every_field_is_named_where_it_is_wrong(config, field):
    for value in WRONG[type(field.default)]:
        with pytest.raises(ValueError, match=rf"^{field.name} .*(got|used)"):
            config(**{field.name: value})


@pytest.mark.parametrize(("config", "field"), FIELDS)
def test_what_it_is_by_default_is_right_and_so_are_numpys_numbers(config, field):
    for kind in {int: [np.int64, np.int32], float: [np.float64], bool: [bool]}.get(
        type(field.default), [type(field.default)]
    ):
        config(**{field.name: kind(field.default)})


@pytest.mark.parametrize(
    ("value", "kind", "said"),
    [
        (0, Annotated[int, Range(least=1)], "x is at least 1; got 0"),
        (0.0, Annotated[float, Range(above=0)], "x is positive; got 0.0"),
        (2, Annotated[float, Range(above=2)], "x is above 2; got 2"),
        (3, Annotated[int, Range(most=2)], "x is at most 2; got 3"),
        (1.0, Annotated[float, Range(least=0, below=1)], "x is below 1; got 1.0"),
        (math.inf, Annotated[float, Range()], "x is finite; got inf"),
        (math.nan, Annotated[float, Range(finite=False)], "x is finite; got nan"),
        (-math.inf, Annotated[float, Range(finite=False)], "x is finite; got -inf"),
        (math.nan, Annotated[float, Range(above=0, finite=False)], "x is positive; got nan"),
        ("a", Literal["b", "c"], "x is 'b' or 'c'; got 'a'"),
        (["b"], Literal["b"], "x is 'b'; got ['b']"),
        (True, Literal[1], "x is 1; got True"),
        ("a", int | None, "x is a whole number or None; got 'a'"),
        (0, Annotated[int, Range(least=1)] | None, "x is at least 1 or None; got 0"),
        (3, tuple[int, ...], "x are whole numbers; got 3"),
        ((3, 1.5), tuple[int, ...], "x are whole numbers; got (3, 1.5)"),
        ((3, True), tuple[int, ...], "x are whole numbers; got (3, True)"),
        ([3, 0], tuple[Annotated[int, Range(least=1)], ...], "x are whole numbers, each at least"),
        ("a" * 99, int, f"x is a whole number; got '{'a' * 59} …"),
    ],
)
def test_what_is_wrong_is_said(value, kind, said):
    with pytest.raises(ValueError, match="x ") as error:
        check_setting("x", value, kind)
    assert str(error.value).startswith(said)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (math.inf, Annotated[float, Range(above=0, finite=False)]),
        (3, float),
        (np.float32(3), float),
        (np.True_, bool),
        (None, int | None),
        ("b", Literal["a", "b"]),
        ((), tuple[int, ...]),
        ([1, np.int64(2)], tuple[int, ...]),
        (object(), list[int]),
    ],
)
def test_what_is_right_passes(value, kind):
    check_setting("x", value, kind)


def test_fields_of_ones_own_are_checked_with_the_packages():
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Mine(a3c.Config):
        depth: Annotated[int, Range(least=1)] = 3
        free: "NotKnownHere" = None  # noqa: F821

    Mine(free=4)
    with pytest.raises(ValueError, match="depth is at least 1; got 0"):
        Mine(depth=0)
    with pytest.raises(ValueError, match="lock is True or False; got 'no'"):
        Mine(lock="no")


def test_all_dataclasses_can_be_checked():
    @dataclasses.dataclass
    class Plain:
        width: int
        more: list = dataclasses.field(default_factory=list)

    check_settings(Plain(3))
    with pytest.raises(ValueError, match="width is a whole number; got 'wide'"):
        check_settings(Plain("wide"))


@pytest.mark.parametrize("kind", [ActorCritic, RecurrentActorCritic])
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"seed": 1.5}, "seed is a whole number; got 1.5"),
        ({"seed": "0"}, "seed is a whole number; got '0'"),
        ({"seed": -1}, "seed is at least 0; got -1"),
        ({"seed": 2**64}, "seed is at most"),
        ({"hidden": (0,)}, r"hidden are whole numbers, each at least 1; got \(0,\)"),
        ({"hidden": (8, 2.5)}, r"hidden are whole numbers; got \(8, 2.5\)"),
        ({"hidden": 64}, "hidden are whole numbers; got 64"),
        ({"hidden": (10**13,)}, "hidden are whole numbers, each at most"),
    ],
)
def test_a_network_that_cannot_be_is_refused(kind, options, said):
    with pytest.raises(ValueError, match=said):
        kind.for_env(gym.make("CartPole-v1"), **options)


def test_a_networks_options_may_be_numpys():
    ActorCritic.for_env(gym.make("CartPole-v1"), hidden=[np.int64(4)], seed=np.int64(3))


@pytest.mark.parametrize("kind", [Path, tuple[Path, ...]])
def test_a_kind_that_is_not_known_is_not_looked_at(kind):
    check_setting("runs", 5, kind)
