"""One set of needs, said in three places: pyproject.toml, environment.yml and constraints.txt."""

import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
CONDA_NAMES = {"pytorch": "torch"}
# A GPU's own libraries, which torch pins to versions of its own.
OF_TORCH = ("nvidia-", "cuda-", "triton")

Needs = dict[str, tuple[frozenset[str], SpecifierSet]]


def project() -> dict[str, list[Requirement]]:
    """Requirements by extra, the package's own under ''."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = {"": table["dependencies"], **table["optional-dependencies"]}
    return {extra: [Requirement(line) for line in lines] for extra, lines in groups.items()}


def needs(requirements: Iterable[Requirement]) -> Needs:
    """Extras and versions by name; where one is asked for twice, both together."""
    merged: Needs = {}
    for r in requirements:
        extras, versions = merged.get(r.name, (frozenset(), SpecifierSet()))
        merged[r.name] = (extras | r.extras, versions & r.specifier)
    return merged


def constraints() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = [line.split("==") for line in lines if not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pinned}


def test_conda_asks_for_what_the_project_asks_for() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    *conda, pip = environment["dependencies"]
    asked = {r.name: r for r in map(Requirement, conda)}
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert str(asked.pop("python").specifier) == table["requires-python"]
    asked.pop("pip")
    ours = pip["pip"].pop()
    assert ours == "--editable ."
    for r in asked.values():
        r.name = CONDA_NAMES.get(r.name, r.name)
    wanted = project()
    assert needs([*asked.values(), *map(Requirement, pip["pip"])]) == needs(
        wanted[""] + wanted["book"] + wanted["cli"]
    )


def test_every_line_of_the_conda_environment_says_what_it_is_for() -> None:
    text = (ROOT / "environment.yml").read_text()
    lines = text[text.index("dependencies:") :].splitlines()[1:]
    assert [line for line in lines if "  # " not in line and line != "  - pip:"] == []


def test_the_tested_versions_are_allowed_ones() -> None:
    pinned = constraints()
    for requirement in (r for requirements in project().values() for r in requirements):
        assert pinned[canonicalize_name(requirement.name)] in requirement.specifier


def test_every_package_that_gets_installed_has_a_tested_version() -> None:
    extras = [extra for extra in project() if extra not in ("", "browser")]
    missing = installed_with(f"a3c_lib[{','.join(extras)}]") - set(constraints())
    assert {name for name in missing if not name.startswith(OF_TORCH)} == {"a3c-lib"}


def test_every_package_that_drives_a_browser_has_a_tested_version() -> None:
    pytest.importorskip("playwright", reason="not installed: make .venv/ready-for-site")
    needed = {
        name for requirement in project()["browser"] for name in installed_with(str(requirement))
    }
    assert needed <= set(constraints())


def test_the_tested_versions_are_of_every_system() -> None:
    for name, version in constraints().items():
        assert "+" not in version, f"{name} {version} is a build for one system"
        assert not name.startswith(OF_TORCH), f"{name} is for one system"


def installed_with(root: str) -> set[str]:
    """Names of all packages that a requirement brings in on this system, its own included."""
    found: set[tuple[str, str]] = set()
    waiting = [Requirement(root)]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        for extra in {"", *requirement.extras} - {e for n, e in found if n == name}:
            found.add((name, extra))
            lines = metadata.requires(name) or []
            waiting += [
                r
                for r in map(Requirement, lines)
                if r.marker is None or r.marker.evaluate({"extra": extra})
            ]
    return {name for name, _ in found}
