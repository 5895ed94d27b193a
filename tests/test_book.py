"""The stored notebooks are what their sources give, and the builder does what it says."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import book
import dependencies
import nbformat
import pytest
from jupyter_client.kernelspec import NoSuchKernel
from nbformat import NotebookNode

from a3c_lib.exercises.engine import registry

NOTEBOOKS = [path for c in book.chapters() for path in (c.solved, c.stubs)]


# The book as it is stored


@pytest.fixture(scope="session")
def expected() -> dict[Path, NotebookNode]:
    """Every notebook as its source gives it, without outputs."""
    return {target.path: target.expected for target in book.targets(book.chapters())}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=book.name)
def test_a_notebook_is_what_its_source_gives_run_in_order_without_a_fault(
    path: Path, expected: dict[Path, NotebookNode]
) -> None:
    if complaint := book.complaint(path, expected[path]):
        pytest.fail(complaint, pytrace=False)


def test_every_notebook_has_a_source() -> None:
    assert [book.name(path) for path in book.orphans()] == []


# A small book, built from end to end

SOURCE = '''\
# %% [markdown]
# # A small chapter
#
# ### BEGIN SOLUTION
# Because.
# ### END SOLUTION

# %% tags=["nbval-check-output"]
import sys


def exercise(exercise_id):
    return lambda function: function


@exercise("9.1")
def double(x):
    """Twice x."""
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION


print(double(2))


# %%
@exercise("9.2")
def factorial(n):
    """Right, and called from within."""
    return 1 if n == 0 else n * factorial(n - 1)


print(factorial(4))
# %%
for percent in range(0, 101, 50):
    print(f"\\r{percent} %", end="", flush=True)
print()

# %%
print("stays", end="")
print(", it seems", file=sys.stdout)
'''


def factorial_with_a_bug(n: int) -> int:
    """Wrong: adds."""
    return 1 if n == 0 else n + factorial_with_a_bug(n - 1)


def start_of(exercise_id: str) -> Any:
    return {"9.1": None, "9.2": factorial_with_a_bug}[exercise_id]


class SmallBook:
    """A repository with one chapter, as `make book` leaves it."""

    def __init__(self, root: Path, source: str = SOURCE) -> None:
        (root / "solutions").mkdir()
        (root / "chapters").mkdir()
        (root / "solutions" / "09_small.py").write_text(source)
        (self.chapter,) = book.chapters(root)
        solved = book.solved_notebook(self.chapter.source)
        self.solved = book.with_fingerprint(solved, root)
        self.stubs = book.with_fingerprint(book.notebook_with_stubs(solved, start_of), root)

    def build(self) -> "SmallBook":
        book.build(book.Target(self.chapter.solved, self.solved))
        book.build(book.Target(self.chapter.stubs, self.stubs))
        return self


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> SmallBook:
    return SmallBook(tmp_path_factory.mktemp("book")).build()


def stored(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def printed(path: Path) -> list[str]:
    return ["".join(o.text for o in c.outputs) for c in stored(path).cells if "outputs" in c]


def test_a_marked_solution_becomes_a_stub_and_the_rest_stays(built: SmallBook) -> None:
    source = built.stubs.cells[1].source
    assert '    """Twice x."""\n    ...\n\n\nprint(double(2))' in source
    assert "SOLUTION" not in source
    assert built.stubs.cells[0].source == "# A small chapter\n\n*Your answer.*"
    assert "return 2 * x" in built.solved.cells[1].source


def test_a_bug_hunt_starts_from_the_broken_code_under_its_right_name(built: SmallBook) -> None:
    assert built.stubs.cells[2].source == (
        '@exercise("9.2")\n'
        "def factorial(n: int) -> int:\n"
        '    """Wrong: adds."""\n'
        "    return 1 if n == 0 else n + factorial(n - 1)\n"
        "\n\n"
        "print(factorial(4))"
    )


def test_both_notebooks_are_run(built: SmallBook) -> None:
    assert printed(built.chapter.solved)[:2] == ["4\n", "24\n"]
    assert printed(built.chapter.stubs)[:2] == ["None\n", "11\n"]


def test_streams_are_joined_and_only_a_progress_bars_last_line_stays(built: SmallBook) -> None:
    assert printed(built.chapter.solved)[2:] == ["100 %\n", "stays, it seems\n"]


def test_ids_and_metadata_come_from_the_source_and_what_it_reaches(built: SmallBook) -> None:
    notebook = stored(built.chapter.solved)
    assert [cell.id for cell in notebook.cells] == [f"cell-{i:02d}" for i in range(5)]
    assert [cell.metadata for cell in notebook.cells] == [
        {"tags": ["nbval-check-output"]} if i == 1 else {} for i in range(5)
    ]
    assert notebook.metadata == {**book.METADATA, "a3c_lib": {"depends_on": ANY}}


def test_a_built_notebook_has_no_faults_and_is_not_built_again(built: SmallBook) -> None:
    assert book.faults(built.chapter.solved, built.solved) == []
    assert book.faults(built.chapter.stubs, built.stubs) == []


def test_a_changed_source_makes_its_notebooks_stale(built: SmallBook, tmp_path: Path) -> None:
    changed = SmallBook(tmp_path, SOURCE.replace("print(double(2))", "print(double(3))"))
    for path, new in [
        (built.chapter.solved, changed.solved),
        (built.chapter.stubs, changed.stubs),
    ]:
        assert book.faults(path, new) == ["differs from its source in cell-01"]
        assert book.complaint(path, new).endswith("Run `make book`.")


def test_a_source_fault_names_the_cell(tmp_path: Path) -> None:
    with pytest.raises(book.BookError, match="cell-01: no end solution statement found"):
        SmallBook(tmp_path, SOURCE.replace("    ### END SOLUTION\n", ""))


def test_broken_code_under_another_name_is_refused() -> None:
    source = "@exercise('9.2')\ndef product(n):\n    return n"
    with pytest.raises(book.BookError, match="must be called product_with_a_bug"):
        book.with_bug(source, start_of)


def test_a_cell_that_raises_is_named_and_nothing_is_stored(tmp_path: Path) -> None:
    small = SmallBook(tmp_path, "# %%\nprint(1)\n\n# %%\n1 / 0\n")
    with pytest.raises(book.BookError, match="cell-01: ZeroDivisionError: division by zero"):
        small.build()
    assert not small.chapter.solved.exists()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["02", "99"], "no source in solutions/ begins with 99"),
        (["--jobs", "0"], "argument --jobs: is at least 1; got 0"),
        (["--jobs", "two"], "argument --jobs: invalid jobs value: 'two'"),
    ],
)
def test_what_cannot_be_built_is_refused_before_anything_is(
    arguments: list[str],
    complaint: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(book, "build_all", lambda *_: pytest.fail("it builds"))
    with pytest.raises(SystemExit) as stopped:
        book.main(arguments)
    assert stopped.value.code == 2
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (book.BookError("09_b.ipynb, cell-01: NameError"), "✗ 09_b.ipynb, cell-01: NameError"),
        (OSError(28, "No space left on device"), "b.ipynb: OSError: [Errno 28] No space left"),
        (RuntimeError("Kernel died before replying"), "b.ipynb: RuntimeError: Kernel died"),
        (NoSuchKernel("python3"), "b.ipynb: NoSuchKernel: No such kernel named python3"),
    ],
)
def test_a_notebook_that_cannot_be_built_is_named_and_the_others_are_built(
    error: Exception,
    told: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def build(target: book.Target) -> str:
        if target.path.stem == "b":
            raise error
        return f"{target.path.stem} is built"

    monkeypatch.setattr(book, "build", build)
    stale = [book.Target(Path(f"{stem}.ipynb"), NotebookNode()) for stem in "abc"]
    assert book.build_all(stale, jobs=1) == 1
    printed = capsys.readouterr()
    assert told in printed.err
    assert sorted(printed.out.splitlines()) == ["a is built", "c is built"]


# What a notebook depends on beside its source

LEANING = """\
# %%
from a3c_lib.app import records
from a3c_lib.exercises import exercise, hint, progress
from a3c_lib.returns import n_step_returns

print([row["x"] for row in records.load("games/small").rows])
# %%
progress()
# %%
hint("2.1")
"""


def change(path: Path, right: str, wrong: str) -> None:
    text = path.read_text("utf-8")
    assert right in text
    path.write_text(text.replace(right, wrong, 1), "utf-8")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A copy of the package, and a record: what the leaning notebook depends on."""
    for source in (book.ROOT / "a3c_lib").rglob("*.py"):
        target = tmp_path / source.relative_to(book.ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    records = tmp_path / "claims" / "records" / "games"
    records.mkdir(parents=True)
    for name in "small", "other":
        (records / f"{name}.csv").write_text("x\n1\n")
        (records / f"{name}.json").write_text('{"code": "ab", "seeds": 1}\n')
    return tmp_path


def leaning(root: Path, source: str = LEANING) -> NotebookNode:
    """The notebook as it is expected now."""
    (root / "solutions").mkdir(exist_ok=True)
    (root / "solutions" / "08_leaning.py").write_text(source)
    (chapter,) = book.chapters(root)
    return book.with_fingerprint(book.solved_notebook(chapter.source), root)


STALE = ["what it runs has changed since it was executed"]


def test_a_notebook_is_run_again_when_a_record_has_changed(repository: Path) -> None:
    path = repository / "solutions" / "08_leaning.ipynb"
    book.build(book.Target(path, leaning(repository)))
    assert book.faults(path, leaning(repository)) == []
    assert printed(path)[0] == "[1]\n"
    change(repository / "claims/records/games/small.csv", "1", "2")
    assert book.faults(path, leaning(repository)) == STALE
    assert book.complaint(path, leaning(repository)).endswith("Run `make book`.")
    book.build(book.Target(path, leaning(repository)))
    assert book.faults(path, leaning(repository)) == []
    assert printed(path)[0] == "[2]\n"


CHANGES: dict[str, Callable[[Path], None]] = {
    "a record": lambda root: change(root / "claims/records/games/small.json", "1", "2"),
    "the number of exercises": lambda root: change(
        root / "a3c_lib/exercises/atari.py", 'id="7.1"', 'id="7.9"'
    ),
    "a title": lambda root: change(root / "a3c_lib/exercises/atari.py", 'title="', 'title="New: '),
    "a hint": lambda root: change(root / "a3c_lib/exercises/n_step.py", "hints=(", 'hints=("a",'),
    "a reference": lambda root: change(
        root / "a3c_lib/exercises/n_step.py", "rewards[t] + gamma * R", "rewards[t] + R"
    ),
    "the engine": lambda root: change(root / "a3c_lib/exercises/__init__.py", "Hint {", "Tip {"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_a_notebook_depends_on_makes_it_stale(what: str, repository: Path) -> None:
    before = leaning(repository)
    CHANGES[what](repository)
    assert book.source_faults(before, leaning(repository)) == STALE


def said_otherwise(root: Path) -> None:
    for path in (root / "a3c_lib").rglob("*.py"):
        text = re.sub(r'^( *""")(?=\w)', r"\1So: ", path.read_text("utf-8"), flags=re.MULTILINE)
        path.write_text(f"# A comment.\n{text}\n\ndef added():\n    return 1\n", "utf-8")


NO_CHANGES: dict[str, Callable[[Path], None]] = {
    "docstrings, comments, added functions": said_otherwise,
    "a record that it does not name": lambda root: change(
        root / "claims/records/games/other.csv", "1", "2"
    ),
    "what a record says of our code": lambda root: change(
        root / "claims/records/games/small.json", "ab", "cd"
    ),
    "a function that it only imports": lambda root: change(
        root / "a3c_lib/returns.py", "R = next_values[-1]", "R = next_values[0]"
    ),
    "another chapter's reference": lambda root: change(
        root / "a3c_lib/exercises/lstm.py", "def ", "def new():\n    pass\n\n\ndef "
    ),
}


@pytest.mark.parametrize("what", NO_CHANGES)
def test_what_changes_no_output_does_not(what: str, repository: Path) -> None:
    # Chapter 02's exercises use the package's function; those of 00 do not.
    source = LEANING.replace("2.1", "0.1")
    before = leaning(repository, source)
    NO_CHANGES[what](repository)
    assert book.source_faults(before, leaning(repository, source)) == []


def test_a_definition_that_is_used_makes_it_stale(repository: Path) -> None:
    source = LEANING + "# %%\nn_step_returns\n"
    before = leaning(repository, source)
    change(repository / "a3c_lib/returns.py", "R = next_values[-1]", "R = next_values[0]")
    assert book.source_faults(before, leaning(repository, source)) == STALE


@pytest.mark.parametrize(
    "cell",
    [
        "import inspect\nprint(inspect.getsource(n_step_returns))",
        "import inspect\ndef show(f): print(inspect.getsource(f))\nshow(n_step_returns)",
        "help(n_step_returns)",
    ],
)
def test_of_a_source_that_is_printed_every_letter_counts(cell: str, repository: Path) -> None:
    source = f"{LEANING}# %%\n{cell}\n"
    before = leaning(repository, source)
    returns = repository / "a3c_lib/returns.py"
    change(returns, "from ", "# A comment.\nfrom ")
    assert book.source_faults(before, leaning(repository, source)) == []
    change(returns, "    R = next_values[-1]", "    # A comment.\n    R = next_values[-1]")
    assert book.source_faults(before, leaning(repository, source)) == STALE


def test_of_a_solution_that_is_printed_every_letter_counts(repository: Path) -> None:
    source = LEANING + '# %%\nfrom a3c_lib.exercises import solution\nsolution("2.1")\n'
    before = leaning(repository, source)
    change(
        repository / "a3c_lib/exercises/n_step.py",
        "    R = bootstrap",
        "    # .\n    R = bootstrap",
    )
    assert book.source_faults(before, leaning(repository, source)) == STALE


def test_the_list_of_exercises_is_the_registrys() -> None:
    tree = dependencies.Tree(book.ROOT)
    lists = dependencies.lists_of_exercises(tree)
    found = [title for n in sorted(lists) for title in dependencies.titles(tree, lists[n])]
    assert found == [
        f"{each.id} {each.title} {each.minutes} {each.difficulty}"
        for each in registry.all_exercises()
    ]


def test_the_exercises_of_all_pages_are_counted() -> None:
    pages = [int(source.name[:2]) for source in sorted((book.ROOT / "solutions").glob("*.py"))]
    assert list(registry.PAGES) == pages
    assert {each.chapter for each in registry.on_pages()} == set(pages)


def loaded(source: str) -> set[str]:
    """The files of records that a chapter loads."""
    names = re.findall(r'records\.(?:load|path)\("([^"]+)"\)', source)
    folder = book.ROOT / "claims" / "records"
    found = {p for n in names for p in (folder / n, folder / f"{n}.csv", folder / f"{n}.json")}
    return {path.relative_to(folder).as_posix() for path in found if path.is_file()}


@pytest.mark.parametrize("chapter", book.chapters(), ids=lambda chapter: chapter.source.stem)
def test_every_record_that_a_chapter_loads_counts(chapter: book.Chapter) -> None:
    script = dependencies.script_of(book.solved_notebook(chapter.source))
    text = dependencies.Tree(book.ROOT, script).reach(["__main__"]).text
    named = {line.partition(": ")[0] for line in dependencies.records_named(book.ROOT, text)}
    assert loaded(chapter.source.read_text("utf-8")) <= named


def test_a_cell_that_is_no_python_is_left_to_the_run(repository: Path) -> None:
    assert leaning(repository, LEANING + "# %%\n1 +\n").metadata["a3c_lib"]


# Outputs that a reader must not meet


def with_output(output: NotebookNode, count: int = 1) -> NotebookNode:
    cell = nbformat.v4.new_code_cell("1", execution_count=count, outputs=[output], id="cell-00")
    return nbformat.v4.new_notebook(cells=[cell])


def stream(text: str, name: str = "stdout") -> NotebookNode:
    return nbformat.v4.new_output("stream", name=name, text=text)


@pytest.mark.parametrize(
    ("notebook", "fault"),
    [
        (with_output(stream("1"), count=2), "execution counts are [2], not 1 to 1"),
        (with_output(stream("oops\n", "stderr")), "cell-00: on stderr: oops"),
        (
            with_output(nbformat.v4.new_output("error", ename="KeyError", evalue="'x'")),
            "cell-00: stored error KeyError: 'x'",
        ),
        (with_output(stream(f"{book.ROOT}/a\n")), f"cell-00: the output shows {book.ROOT}/a"),
        (with_output(stream("<f at 0x7f01>")), "cell-00: the output shows at 0x7f01"),
    ],
    ids=["order", "stderr", "error", "path", "address"],
)
def test_a_bad_output_is_a_fault(notebook: NotebookNode, fault: str) -> None:
    assert book.output_faults(notebook) == [fault]


@pytest.mark.parametrize(
    ("root", "home", "text", "shown"),
    [
        ("/srv/a3c", "/home/me", "/srv/a3c/x.py", ["/srv/a3c/x.py"]),
        ("/srv/a3c", "/home/me", "/home/me/x.py", ["/home/me/x.py"]),
        ("/home/me/a3c", "/home/me", "/home/me/a3c/x.py", ["/home/me/a3c/x.py"]),
        ("/home/me/my a3c", "/home/me", "/home/me/my a3c/x.py", ["/home/me/my a3c/x.py"]),
        ("/home/me", "/home/me", "/home/me/x.py", ["/home/me/x.py"]),
        (
            "/srv/a3c",
            "/home/me",
            "/home/me/tmp/ipykernel_9/1.py",
            ["/home/me/tmp/ipykernel_9/1.py"],
        ),
        ("/srv/a3c", "/home/me", "/home/me/x /home/me/y /home/me/x", ["/home/me/x", "/home/me/y"]),
        ("/srv/a3c", "/", "https://example.org", []),
    ],
)
def test_one_path_is_one_fault_wherever_the_book_lies(
    root: str, home: str, text: str, shown: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book, "ROOT", Path(root))
    monkeypatch.setattr(Path, "home", lambda: Path(home))
    assert book.output_faults(with_output(stream(f"in '{text}'\n"))) == [
        f"cell-00: the output shows {path}" for path in shown
    ]


def picture(metadata: dict[str, Any], **data: str) -> NotebookNode:
    return nbformat.v4.new_output(
        "display_data", data=data or {"image/png": "a"}, metadata=metadata
    )


@pytest.mark.parametrize(
    "output",
    [
        picture({}),
        picture({"image/png": {"alt": " ", "width": 9}}),
        picture({"image/jpeg": {"alt": "A curve."}}),
        picture({}, **{"text/html": '<p><img src="a" alt=""></p>'}),
        picture({}, **{"text/html": "<img src='a'>"}),
    ],
)
def test_a_picture_that_says_nothing_is_a_fault(output: NotebookNode) -> None:
    said = ["cell-00: a picture without a title or alternative text"]
    assert book.output_faults(with_output(output)) == said


@pytest.mark.parametrize(
    "output",
    [
        picture({"image/png": {"alt": "A curve."}}),
        picture({}, **{"text/html": '<img src="a" alt="A curve.">'}),
    ],
)
def test_a_picture_that_says_what_it_shows_is_none(output: NotebookNode) -> None:
    assert book.output_faults(with_output(output)) == []


def test_a_notebook_that_is_too_large_is_a_fault() -> None:
    (fault,) = book.output_faults(with_output(stream("x" * book.LARGEST)))
    assert fault.endswith("a notebook has at most 1,500,000")


def test_a_good_output_is_no_fault() -> None:
    assert book.output_faults(with_output(stream("1"))) == []


# A reader's edits


@pytest.fixture
def clone(built: SmallBook, tmp_path: Path) -> Path:
    """The small book in a git repository, committed."""
    root = tmp_path / "clone"
    shutil.copytree(built.chapter.source.parent.parent, root)
    for command in ("init", "add .", "commit -m book"):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        subprocess.run(["git", *identity, *command.split()], cwd=root, check=True)
    return root


def edit(path: Path) -> None:
    notebook = stored(path)
    notebook.cells[1].source = notebook.cells[1].source.replace("    ...", "    return x + x")
    path.write_text(book.text_of(notebook))


def test_a_readers_edits_are_called_that(clone: Path, built: SmallBook) -> None:
    path = clone / "chapters" / "09_small.ipynb"
    assert book.complaint(path, built.stubs) == ""
    edit(path)
    complaint = book.complaint(path, built.stubs)
    assert complaint.startswith("your edits: ")
    assert "differs from its source in cell-01" in complaint
    assert "`make update`" in complaint


def test_opening_a_notebook_is_no_edit(clone: Path, built: SmallBook) -> None:
    path = clone / "chapters" / "09_small.ipynb"
    notebook = stored(path)
    notebook.metadata.language_info.version = "3.13.1"
    notebook.metadata.kernelspec.display_name = "Another"
    notebook.cells[1].metadata.jupyter = {"source_hidden": False}
    path.write_text(book.text_of(notebook))
    assert book.complaint(path, built.stubs) == ""


def test_a_notebook_that_was_run_out_of_order_is_a_readers_too(
    clone: Path, built: SmallBook
) -> None:
    path = clone / "chapters" / "09_small.ipynb"
    notebook = stored(path)
    notebook.cells[1].execution_count = 7
    path.write_text(book.text_of(notebook))
    assert book.complaint(path, built.stubs).startswith("your edits: ")


def test_a_damaged_notebook_is_a_readers_too(clone: Path, built: SmallBook) -> None:
    path = clone / "chapters" / "09_small.ipynb"
    path.write_text("<<<<<<< HEAD")
    assert "not a notebook" in book.complaint(path, built.stubs)
    assert book.complaint(path, built.stubs).startswith("your edits: ")


def test_what_was_committed_wrong_is_not_called_a_readers_edit(
    clone: Path, built: SmallBook, tmp_path: Path
) -> None:
    (other := tmp_path / "other").mkdir()
    changed = SmallBook(other, SOURCE.replace("print(double(2))", "print(double(3))"))
    path = clone / "chapters" / "09_small.ipynb"
    assert book.complaint(path, changed.stubs).endswith("Run `make book`.")
