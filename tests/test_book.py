"""The stored notebooks are what their sources give, and the builder does what it says."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import book
import nbformat
import pytest
from nbformat import NotebookNode

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
        self.solved = book.solved_notebook(self.chapter.source)
        self.stubs = book.notebook_with_stubs(self.solved, start_of)

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


def test_ids_and_metadata_come_from_the_source_alone(built: SmallBook) -> None:
    notebook = stored(built.chapter.solved)
    assert [cell.id for cell in notebook.cells] == [f"cell-{i:02d}" for i in range(5)]
    assert [cell.metadata for cell in notebook.cells] == [
        {"tags": ["nbval-check-output"]} if i == 1 else {} for i in range(5)
    ]
    assert notebook.metadata == book.METADATA


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
