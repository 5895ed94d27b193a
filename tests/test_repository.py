"""What a repository has beside the book and the package: who cites it, reports, builds, and how."""

import json
import re
from pathlib import Path

import address
import pytest
import yaml

import a3c_lib

ROOT = Path(__file__).resolve().parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TEMPLATES = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
MAKE = (ROOT / "Makefile").read_text("utf-8")


def loaded(path: Path) -> dict:
    return yaml.safe_load(path.read_text("utf-8"))


def test_a_citation_is_of_this_version_and_this_address() -> None:
    cited = loaded(ROOT / "CITATION.cff")
    assert cited["version"] == a3c_lib.__version__
    known = address.repository()
    assert cited.get("repository-code") == (known.url if known else None)
    assert {"cff-version", "message", "title", "authors", "license"} <= set(cited)
    assert [author["name"] for author in cited["authors"]] == ["The a3c_lib authors"]
    (paper,) = cited["references"]
    bibliography = (ROOT / "docs" / "bibliography.md").read_text("utf-8")
    assert paper["url"] in bibliography
    assert (
        "".join(f"{author['family-names']}, " for author in paper["authors"])[:-2] in bibliography
    )


def test_three_kinds_of_report_can_be_filed() -> None:
    names = {path.stem for path in TEMPLATES}
    assert names == {"config", "stumble", "wrong_answer_accepted", "fault"}
    for path in TEMPLATES:
        if path.stem == "config":
            continue
        form = loaded(path)
        assert {"name", "description", "body"} <= set(form)
        ids = [field["id"] for field in form["body"]]
        assert len(ids) == len(set(ids))
        assert any(field.get("validations", {}).get("required") for field in form["body"])
        assert all(field["type"] in ("input", "textarea") for field in form["body"])


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_runs_what_there_is(path: Path) -> None:
    workflow = loaded(path)
    assert True in workflow  # `on`, as YAML reads it
    for job in workflow["jobs"].values():
        assert set(job.get("needs", "").split()) <= set(workflow["jobs"])
        for step in job["steps"]:
            assert ("run" in step) != ("uses" in step), step
            command = step.get("run", "")
            for goal in re.findall(r"\bmake (\S+)", command):
                assert re.search(rf"^{re.escape(goal)}:", MAKE, re.MULTILINE), goal
            for file in re.findall(r"(?<!\S)((?:tests|tools|\.ci)/[\w./]+)", command):
                assert (ROOT / file).exists(), file


def test_the_workflows_are_of_three_systems_and_four_pythons() -> None:
    matrix = loaded(ROOT / ".github" / "workflows" / "test.yml")["jobs"]["everywhere"]["strategy"]
    assert {name.split("-")[0] for name in matrix["matrix"]["system"]} == {
        "ubuntu",
        "macos",
        "windows",
    }
    assert matrix["matrix"]["python"] == ["3.11", "3.12", "3.13", "3.14"]


def test_a_codespace_makes_what_the_book_needs() -> None:
    made = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text("utf-8"))
    goal = made["postCreateCommand"].removeprefix("make ")
    assert re.search(rf"^{re.escape(goal)}:", MAKE, re.MULTILINE)
    (first,) = made["customizations"]["codespaces"]["openFiles"]
    assert (ROOT / first).exists()
    image, _, python = made["image"].rpartition(":")
    assert image == "mcr.microsoft.com/devcontainers/python"
    assert tuple(map(int, python.split("."))) >= (3, 11)


def test_who_finds_a_hole_is_told_where_to_say_so() -> None:
    said = (ROOT / "SECURITY.md").read_text("utf-8")
    assert "*What can do harm*" in said
    assert "**What can do harm.**" in (ROOT / "README.md").read_text("utf-8")
    assert "## What may be run" in (ROOT / "CONTRIBUTING.md").read_text("utf-8")
