"""What pyproject.toml cannot say: a wheel carries the book's records, which lie in claims/records.

`a3c_lib.app.records` looks for them in the book's folder first, and then where they are put here.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

RECORDS = Path("claims", "records")
PLACE = Path("a3c_lib", "app", "recorded")


class WithRecords(build_py):
    """setuptools' step that collects the package, and the records with it."""

    def run(self) -> None:
        """Collect; the records not for an editable installation, which has the book's folder."""
        super().run()
        if not self.editable_mode:
            for source, target in self._records().items():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """Every file that `run` leaves."""
        return [*super().get_outputs(include_bytecode), *map(str, self._records().values())]

    def _records(self) -> dict[Path, Path]:
        files = (path for path in sorted(RECORDS.rglob("*")) if path.is_file())
        kept = (path for path in files if "unfinished" not in path.parts)
        return {path: Path(self.build_lib, PLACE, path.relative_to(RECORDS)) for path in kept}


setup(cmdclass={"build_py": WithRecords})
