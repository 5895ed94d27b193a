"""A fingerprint changes with what a claim depends on, and with nothing else, on every Python."""

import ast
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from claims import recording
from claims.fingerprints import WORLD, Reach, Tree, module_of, short

ROOT = Path(__file__).resolve().parent.parent
OURS = [p for folder in ("a3c_lib", "claims", "solutions") for p in (ROOT / folder).rglob("*.py")]


# The form in which code is written: these texts were the same on Python 3.11, 3.12 and 3.13.


def in_our_form(source: str) -> str:
    module = module_of(source)
    texts = [*module.definitions.values(), module.effects]
    return "".join(p if isinstance(p, str) else f"«{p.to}»" for text in texts for p in text)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("x = -1.5", "(Assign targets=[x ] value=(UnaryOp op=(USub) operand=(Constant 1.5)))"),
        ("x = u'é'", r"(Assign targets=[x ] value=(Constant '\xe9'))"),
        ("x = {**y}", "(Assign targets=[x ] value=(Dict keys=[None ] values=[«y» ]))"),
        ("x = a.b().c", "(Assign targets=[x ] value=(Attribute value=(Call func=«a.b») attr='c'))"),
        (
            "x = 'a' f'b{y}{z!r:>{n}}' '' f'{{c}}'",
            "(Assign targets=[x ] value=(JoinedStr values=["
            "(Constant 'ab') (FormattedValue value=«y» conversion=-1) "
            "(FormattedValue value=«z» conversion=114 format_spec=(JoinedStr values=["
            "(Constant '>') (FormattedValue value=«n» conversion=-1) ])) (Constant '{c}') ]))",
        ),
        (
            'def f(a: A, /, b=c, *d, e, **g) -> A:\n    """Doc."""\n    import h\n    a: A = h.i',
            "(FunctionDef name='f' positional=['a' ] args=['b' ] star='d' only_named=['e' ] "
            "stars='g' defaults=[«c» ] defaults_of_named=[None ])"
            "[(Assign targets=[a ] value=«h.i») ]",
        ),
        (
            "class A(B):\n    c: D = 1\n",
            "(ClassDef name='A' bases=[«B» ] "
            "body=[(AnnAssign target=c annotation=«D» value=(Constant 1) simple=1) ])",
        ),
        (
            "x = [y for y in y if y]",
            "(Assign targets=[x ] value=(ListComp through=«y» is_async=0)"
            "(each target=y ifs=[y ] elt=y))",
        ),
    ],
    ids=["number", "letters", "None", "attributes", "f-string", "function", "class", "loop"],
)
def test_code_is_written_in_a_form_of_our_own(source: str, text: str) -> None:
    assert in_our_form(source) == text


ALL_SYNTAX = '''
"""A docstring."""
from __future__ import annotations
import a.b
from c import d as e

@e(1, *x, k=2, **y)
class A(B, metaclass=C):
    """Another."""
    field: int = 3
    bare: str

    async def f(self, a, /, b=1, *c, d=(2, 3), **e) -> None:
        async with self.a as b, c:
            await d
        async for i in b:
            yield i

def g(x: int) -> str:
    global G, H
    G = x if x > 1 else not x
    try:
        with open(x) as f, f:
            assert x, "because"
    except (OSError, ValueError) as error:
        raise RuntimeError(f"{error!r:>{x}} {x=}" "and") from error
    else:
        del x
    finally:
        return

def h(*values):
    def inner():
        nonlocal values
        values = [v for v in values if v not in {1, 2} for w in v]
    while (n := len(values)) >= 1 and n != 2 or n is None or n is not G or n <= 5 < n:
        if n == 3: continue
        elif n in [4, 5]: break
        else: pass
    else:
        yield from values
    for k, (l, *m) in {1: 2, **values}.items():
        values[1:2, ..., -1] += l @ m ** 2 // 3 % 4 - 5 * 6 / 7 & 8 | 9 ^ ~10 << 1 >> 2
    match values:
        case [1, "a", *rest] | (None | True) as whole: return {a: b for a in rest}
        case {"k": A(x, y=-1.5), **more} if more < 2: return {a for a in more}
        case a.b | 1 + 2j: return lambda q, *r: (q for q in r)
        case _: return b"bytes", 1e300, 2j, 0x10, "\\u00e9", ...

A.late, B = g, h
B += 1
a.b.c()
'''


def kinds(source: str) -> set[str]:
    return {type(node).__name__ for node in ast.walk(ast.parse(source))}


def test_all_syntax_that_is_used_is_written_as_it_was() -> None:
    # A kind that is missing goes into ALL_SYNTAX; the new fingerprint must be that of every Python.
    used = set().union(*(kinds(path.read_text(encoding="utf-8")) for path in OURS))
    assert used - kinds(ALL_SYNTAX) == set()
    assert short(in_our_form(ALL_SYNTAX)) == "6b4f7e4724e0c526"


@pytest.mark.parametrize("line", ["from a3c_lib.worlds.envs import *", "from . import envs"])
def test_what_cannot_be_followed_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="line 1: not followed: from"):
        module_of(line)


# What is followed, in a small package

SMALL = {
    "a3c_lib/__init__.py": "from a3c_lib import worlds as worlds\nfrom a3c_lib.used import f as f\n",
    "a3c_lib/used.py": '''
"""Doc."""
import torch
from torch import nn
from a3c_lib import helping

SIZE, OTHER = 1, 2

def made(function):
    return function

class Base:
    def size(self):
        return SIZE

class Config(Base):
    field: "int" = 1
    other: Base

@made
def f(x: int, start=OTHER) -> int:
    """Doc."""
    helper = torch.zeros(1)
    return _helper(x) + g(x) + helping.f(x) + nn.Linear(x)

def _helper(x):
    return x

def g(x):
    return f(x - 1) if x else 0

def helper():
    return "of nobody"
''',
    "a3c_lib/helping.py": """
def f(x):
    from a3c_lib.late import last
    return _helper(last(x))

def _helper(x):
    return 2 * x
""",
    "a3c_lib/late.py": "def last(x):\n    return -x\n",
    "a3c_lib/worlds.py": """
import gymnasium as gym

class World:
    reward = 1

class Unused:
    reward = 2

gym.register("a3c_lib/World-v0", "a3c_lib.worlds:World", kwargs={"size": 3})
gym.register("a3c_lib/Unused-v0", "a3c_lib.worlds:Unused")
""",
    "claims/small.py": '''
"""A claim."""
import a3c_lib
from a3c_lib.used import Config, f as first

WORLD = "a3c_lib/World-v0"

def run(seed):
    return first(seed), Config(WORLD), a3c_lib.used.SIZE, [x for x in WORLD]

if __name__ == "__main__":
    run(0)
''',
}


def small(folder: Path, *changes: tuple[str, str, str]) -> Reach:
    """What the small claim reaches after changes: of a text in a file, to another."""
    files = dict(SMALL)
    for name, old, new in changes:
        assert old in files[name], old
        files[name] = files[name].replace(old, new)
    return reached(folder, files)


def reached(folder: Path, files: dict[str, str]) -> Reach:
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return Tree(folder).reach(["claims.small.run"])


USED, WORLDS, CLAIM = "a3c_lib/used.py", "a3c_lib/worlds.py", "claims/small.py"


@pytest.mark.parametrize(
    "change",
    [
        (USED, "return _helper(x)", "return 1 + _helper(x)"),
        (USED, "def _helper(x):\n    return x", "def _helper(x):\n    return -x"),
        ("a3c_lib/helping.py", "2 * x", "3 * x"),
        ("a3c_lib/late.py", "-x", "+x"),
        (USED, "f(x - 1)", "f(x - 2)"),
        (USED, "SIZE, OTHER = 1, 2", "SIZE, OTHER = 2, 2"),
        (USED, "start=OTHER", "start=SIZE"),
        (USED, "def made(function):\n", "def made(function):\n    print()\n"),
        (USED, "@made\n", ""),
        (USED, "return SIZE", "return OTHER"),
        (USED, 'field: "int"', 'field: "float"'),
        (USED, "other: Base", "other: Config"),
        (USED, "from torch import nn", "from numpy import nn"),
        (USED, "nn.Linear", "nn.Bilinear"),
        (USED, "helping.f", "helping._helper"),
        (USED, "\n\ndef g(x)", "\n\n_helper.late = 1\n\ndef g(x)"),
        (USED, "\n\ndef g(x)", "\n\nif torch:\n    _helper = abs\n\ndef g(x)"),
        (USED, "\n\ndef g(x)", "\n\nif torch:\n    from a3c_lib.late import last as g\n\ndef g(x)"),
        (WORLDS, "reward = 1", "reward = -1"),
        (WORLDS, '"size": 3', '"size": 4'),
        (WORLDS, "a3c_lib.worlds:World", "a3c_lib.worlds:Unused"),
        (CLAIM, "World-v0", "Unused-v0"),
        (CLAIM, "used.SIZE", "used.OTHER"),
        (CLAIM, "Config(WORLD)", "Config.size(WORLD)"),
        (CLAIM, "f as first", "_helper as first"),
        (CLAIM, "Config, f as", "Base as Config, f as"),
    ],
    ids=lambda change: f"{Path(change[0]).stem}: {change[2]}",
)
def test_what_is_reached_counts(change: tuple[str, str, str], tmp_path: Path) -> None:
    before, after = small(tmp_path), small(tmp_path, change)
    assert after.fingerprint != before.fingerprint


@pytest.mark.parametrize(
    "changes",
    [
        [(USED, '"""Doc."""', '"""Otherwise said."""')],
        [(USED, '    """Doc."""\n', "    # why\n")],
        [(USED, "x: int", "x: float")],
        [
            (USED, "helper = torch", "helper: object = torch"),
            (USED, "helper: object =", "helper ="),
        ],
        [(USED, "of nobody", "of nobody at all")],
        [(USED, "\nSIZE", "\ndef new():\n    pass\n\nSIZE")],
        [(USED, "from torch import nn", "import torch.nn as n"), (USED, "nn.Linear", "n.Linear")],
        [(USED, "nn.Linear", "torch.nn.Linear")],
        [(USED, "import helping", "import helping as h"), (USED, "helping.f", "h.f")],
        [(WORLDS, "reward = 2", "reward = 3")],
        [(CLAIM, ", f as first", "\nfrom a3c_lib import f as first")],
        [(CLAIM, "import a3c_lib\n", "import a3c_lib.used\n")],
        [(CLAIM, "run(0)", "run(1)")],
        [(CLAIM, "f as first", "f as f"), (CLAIM, "first(seed)", "f(seed)")],
    ],
    ids=lambda changes: changes[0][2],
)
def test_what_changes_no_result_does_not(
    changes: list[tuple[str, str, str]], tmp_path: Path
) -> None:
    before, after = small(tmp_path), small(tmp_path, *changes)
    assert after.text == before.text


def test_helpers_of_the_same_name_are_not_confused(tmp_path: Path) -> None:
    user = "from a3c_lib.{} import _helper\n\ndef use():\n    return _helper()\n"
    files = {
        "a3c_lib/one.py": "def _helper():\n    return 1\n",
        "a3c_lib/two.py": "def _helper():\n    return 2\n",
        "a3c_lib/left.py": user.format("one"),
        "a3c_lib/right.py": user.format("two"),
        "claims/small.py": "from a3c_lib import left, one, right, two\n\ndef run():\n"
        "    return one._helper, two._helper, left.use, right.use\n",
    }
    swapped = {"a3c_lib/left.py": user.format("two"), "a3c_lib/right.py": user.format("one")}
    before, after = reached(tmp_path, files), reached(tmp_path, files | swapped)
    assert sorted(before.text) == sorted(after.text)  # the same definitions are reached
    assert before.fingerprint != after.fingerprint


def test_two_names_of_one_statement_are_not_confused(tmp_path: Path) -> None:
    named = "first(seed), Config(WORLD), a3c_lib.used.SIZE, [x for x in WORLD]"
    one = small(tmp_path, (CLAIM, named, "a3c_lib.used.SIZE, a3c_lib.used.OTHER"))
    other = small(tmp_path, (CLAIM, named, "a3c_lib.used.OTHER, a3c_lib.used.SIZE"))
    assert one.fingerprint != other.fingerprint


def test_a_name_that_is_imported_and_defined_counts_as_both(tmp_path: Path) -> None:
    both = "if torch:\n    from a3c_lib.worlds import Unused as g\n\n\ndef g(x)"
    before = small(tmp_path, (USED, "def g(x)", both))
    for change in (WORLDS, "reward = 2", "reward = 3"), (USED, "f(x - 1)", "f(x - 2)"):
        after = small(tmp_path, (USED, "def g(x)", both), change)
        assert after.fingerprint != before.fingerprint


def test_a_program_runs_what_is_for_main_too(tmp_path: Path) -> None:
    small(tmp_path)
    program = "from a3c_lib.used import g\nif __name__ == '__main__':\n    g(1)\n"
    assert ("a3c_lib.used", "g") in Tree(tmp_path, program).reach(["__main__"])


def test_a_module_that_is_handed_on_counts_whole(tmp_path: Path) -> None:
    handed = (CLAIM, "a3c_lib.used.SIZE", "a3c_lib.used")
    before = small(tmp_path, handed)
    changed = small(tmp_path, handed, (USED, "of nobody", "of somebody"))
    assert changed.fingerprint != before.fingerprint


def test_a_claim_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    small(tmp_path)
    with pytest.raises(LookupError, match=r"there is no claims\.small\.SEEDS"):
        Tree(tmp_path).reach(["claims.small.SEEDS"])


# Changes that are planted in a copy of the package, and the claims that notice

CLAIMS = {claim for claim in recording.names() if not recording.is_dated(claim)}
TRAP = {"decorrelation", "signals", "trap_entropy"}
CATCH = {"a2c_equal_seconds", "a2c_equal_steps", "decorrelation", "n_step_catch"}
CATCH |= {"q_catch", "q_epsilons", "q_workers", "a2c_looks", "replay_catch", "replay_family"}
CATCH |= {"stale_batches", "replay_worlds", "q_workers_cartpole"}
TMAZE = {"a2c_recurrent", "a3c_recurrent", "tmaze_memory", "tmaze_wrong_memory"}
BLIND = {"cartpole_memory", "cartpole_two_observations"}
A2C = {"a2c_equal_seconds", "a2c_equal_steps", "a2c_recurrent", "bounce_pictures"}
A2C |= {"decorrelation", "lambda_point_mass", "pendulum_v1", "replay_catch"}
A2C |= {"inverted_pendulum", "lambda_cartpole", "normalised_rewards", "paper_pendulum"}
A2C |= {"replay_worlds"}
A3C = {"a2c_equal_seconds", "a2c_equal_steps", "a3c_cartpole", "a3c_recurrent", "lost_updates"}
A3C |= {"workers_in_turn", "workers_speed", "four_methods", "q_catch", "q_epsilons", "q_workers"}
A3C |= {"replay_catch", "replay_worlds", "bounce_discount", "bounce_methods", "q_workers_cartpole"}
NO_A2C_LOSS = {"adding_ones", "cartpole_one_step", "critic_alone", "n_step_cartpole"}
NO_A2C_LOSS |= {"n_step_catch", "noisy_corridor", "policy_gradient", "q_epsilons", "q_workers"}
NO_A2C_LOSS |= {"dqn_cartpole", "dqn_shares", "replay_family", "replay_pictures"}
NO_A2C_LOSS |= {"q_workers_cartpole"}


def fingerprints(root: Path) -> dict[str, str]:
    tree = Tree(root)
    return {
        claim: tree.reach(f"claims.{claim}.{name}" for name in recording.OF_A_CLAIM).fingerprint
        for claim in CLAIMS
    }


@pytest.fixture(scope="module")
def today() -> dict[str, str]:
    return fingerprints(ROOT)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for folder in "a3c_lib", "claims":
        for source in (ROOT / folder).rglob("*.py"):
            target = tmp_path / source.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    return tmp_path


def noticed(copy: Path, today: dict[str, str]) -> set[str]:
    """The claims that are out of date in the copy."""
    now = fingerprints(copy)
    return {claim for claim in CLAIMS if now[claim] != today[claim]}


def plant(copy: Path, right: str, wrong: str) -> None:
    """Change a text that stands once in the package, wherever that is."""
    modules = [p for p in (copy / "a3c_lib").rglob("*.py") if p.parent.name != "exercises"]
    (path,) = (module for module in modules if right in module.read_text("utf-8"))
    text = path.read_text("utf-8")
    assert text.count(right) == 1
    path.write_text(text.replace(right, wrong), "utf-8")


@pytest.mark.parametrize(
    ("right", "wrong", "who"),
    [
        ("1.0 if self._paddle == column", "-1.0 if self._paddle == column", CATCH),
        ("1.0 if action == self._way", "-1.0 if action == self._way", TMAZE),
        ("small: float = 0.3,\n        large", "small: float = 0.4,\n        large", TRAP),
        ("observation[::2], seen", "observation[1::2], seen", BLIND),
        ('"slip": 0.2', '"slip": 0.1', {"critic_alone", "noisy_corridor"}),
        ("loss.total - entropy_weight * bonus, e", "loss.total + bonus, e", CLAIMS - NO_A2C_LOSS),
        ("model.to(config.device)", "model", A2C),
        ("class HogwildTraining(", "@abs\nclass HogwildTraining(", A3C),
        (
            "class RMSProp(Optimizer):",
            "@abs\nclass RMSProp(Optimizer):",
            A2C
            | A3C
            | {"a2c_dummies", "old_gradients", "a2c_looks", "stale_batches"}
            | {"dqn_cartpole", "dqn_shares", "replay_family"},
        ),
    ],
    ids=["Catch", "TMaze", "Trap", "blind CartPole", "slip", "loss", "A2C", "A3C", "RMSProp"],
)
def test_a_planted_change_is_noticed_by_the_claims_that_use_it(
    right: str, wrong: str, who: set[str], copy: Path, today: dict[str, str]
) -> None:
    plant(copy, right, wrong)
    assert noticed(copy, today) == who


def test_a_copy_is_no_change(copy: Path, today: dict[str, str]) -> None:
    assert noticed(copy, today) == set()


def rewrite(copy: Path, how: Callable[[str], str]) -> None:
    for path in copy.rglob("*.py"):
        path.write_text(how(path.read_text("utf-8")), "utf-8")


def test_modules_that_move_are_no_change(copy: Path, today: dict[str, str]) -> None:
    moved = "worlds.envs", "worlds.exact", "rollout", "networks", "returns"
    (copy / "a3c_lib" / "deeper").mkdir()
    (copy / "a3c_lib" / "deeper" / "__init__.py").touch()
    for name in moved:
        path = copy / "a3c_lib" / name.replace(".", "/")
        shutil.move(path.with_suffix(".py"), copy / "a3c_lib" / "deeper")
    names = "|".join(re.escape(name) for name in moved)

    def both(found: re.Match[str]) -> str:
        modules = re.findall(r"\w+", found[1])
        here = [name for name in modules if name not in moved]
        there = [name for name in modules if name in moved]
        lines = [f"from a3c_lib import {', '.join(here)}"] * bool(here)
        lines += [f"from a3c_lib.deeper import {', '.join(there)}"] * bool(there)
        return "\n".join(lines)

    def moved_to_deeper(text: str) -> str:
        text = re.sub(
            r"from a3c_lib\.worlds import (?=envs|exact)", "from a3c_lib.deeper import ", text
        )
        # Modules that are imported as such, from one that moved and from one that did not.
        text = re.sub(
            r"^from a3c_lib import ((?:\w+, )*\w+|\([^)]*\))$", both, text, flags=re.MULTILINE
        )
        # A class with its whole path stands in messages alone, and what they say is no path of code.
        return re.sub(
            rf"\ba3c_lib\.({names})\b(?!\.[A-Z])",
            lambda found: f"a3c_lib.deeper.{found[1].removeprefix('worlds.')}",
            text,
        )

    rewrite(copy, moved_to_deeper)
    assert '"a3c_lib.deeper.envs:Catch"' in (copy / "a3c_lib/deeper/envs.py").read_text("utf-8")
    assert noticed(copy, today) == set()


def test_functions_that_are_added_are_no_change(copy: Path, today: dict[str, str]) -> None:
    rewrite(copy, lambda text: text + "\n\ndef added(x):\n    return x\n\n\nADDED = added(1)\n")
    assert noticed(copy, today) == set()


def otherwise_said(text: str) -> str:
    """Every docstring changed, and comments added."""
    lines = text.split("\n")
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Expr(ast.Constant(str())):
                lines[node.lineno - 1] = lines[node.lineno - 1].replace('"""', '"""So: ', 1)
    return "\n".join(["# A comment.", *lines])


def test_docstrings_and_comments_are_no_change(copy: Path, today: dict[str, str]) -> None:
    rewrite(copy, otherwise_said)
    assert "So: " in (copy / "a3c_lib" / "losses.py").read_text("utf-8")
    assert noticed(copy, today) == set()


@pytest.mark.parametrize("claim", sorted(CLAIMS))
def test_every_world_that_a_claim_names_is_found(claim: str) -> None:
    reach = Tree(ROOT).reach(f"claims.{claim}.{name}" for name in recording.OF_A_CLAIM)
    found = {name for _, name in reach.definitions}
    assert set(WORLD.findall(reach.text)) <= found
