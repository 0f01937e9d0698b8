"""What commands print: aligned tables, a progress bar, and files that were set aside."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from data_tools.catalog import Catalog


Result = dict[str, Any]
"""What a command returns, printed by ``--json``."""


class ProgressBar:
    """A progress callback ``(done, total, name)`` with a bar on standard error, when someone watches there."""

    def __init__(self, what: str) -> None:
        self.what = what

    def __enter__(self) -> Callable[[int, int, str], None]:
        from tqdm import tqdm

        self.bar = tqdm(desc=self.what, leave=False, disable=not sys.stderr.isatty())
        return self._update

    def _update(self, done: int, total: int, name: str) -> None:
        self.bar.total, self.bar.n = total, done
        self.bar.set_postfix_str(name, refresh=False)
        self.bar.refresh()

    def __exit__(self, *exc: object) -> None:
        self.bar.close()


def print_table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print aligned columns; whole numbers get thousands separators and stand to the right."""
    texts = [[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in rows]
    right = [all(isinstance(row[k], int) for row in rows) for k in range(len(header))]
    widths = [max(len(row[k]) for row in [list(header), *texts]) for k in range(len(header))]
    for row in [list(header), *texts]:
        cells = (t.rjust(w) if r else t.ljust(w) for t, w, r in zip(row, widths, right, strict=True))
        print("  ".join(cells).rstrip())


MOST_NAMED = 100
"""Set-aside files that a command names; a folder of something else may hold thousands."""


def print_rejected(catalog: Catalog) -> None:
    """Name the files that were set aside, up to :data:`MOST_NAMED` of them, and count the others."""
    named = catalog.rejected[:MOST_NAMED]
    for rejected in named:
        print(f"set aside: {rejected.path}: {rejected.reason}", file=sys.stderr)
    more = len(catalog.rejected) - len(named)
    if more:
        print(f"set aside: {more:,} more files; `handprior scan DATA --json` lists them all", file=sys.stderr)
