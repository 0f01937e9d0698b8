"""The structure that the README promises: who may import whom, which names are public, how fast the base imports."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = ["data_tools", "training", "handprior_viz"]


def imported_packages(file: Path) -> set[str]:
    """Top-level names that a file imports anywhere in its body."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("layer", LAYERS)
def test_imports_go_left_only(layer: str) -> None:
    to_the_right = set(LAYERS[LAYERS.index(layer) + 1 :])
    files = list((ROOT / layer).rglob("*.py"))
    assert files
    offenders = {str(f.relative_to(ROOT)): imported_packages(f) & to_the_right for f in files}
    assert not {f: names for f, names in offenders.items() if names}


def test_data_tools_needs_neither_lightning_nor_widgets() -> None:
    forbidden = {"pytorch_lightning", "lightning", "ipywidgets", "anywidget", "plotly"}
    for file in (ROOT / "data_tools").rglob("*.py"):
        assert not imported_packages(file) & forbidden, file


def test_importing_data_tools_pulls_in_nothing_heavy() -> None:
    """A stand-in for the 0.3 s budget that does not depend on the machine's speed."""
    code = "import sys, data_tools; print(sorted({'torch', 'polars', 'scipy', 'smplx'} & set(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("package", "names"),
    [
        ("data_tools", ["HandModel", "PoseStore", "audit", "balance", "demo_corpus", "pack", "plan", "scan"]),
        ("training", ["evaluate", "fit", "fit_errors", "load_prior", "train"]),
        (
            "handprior_viz",
            ["AuditPanel", "BalancePanel", "ComparePanel", "HandGrid", "HandView", "LatentExplorer", "TrainingPanel"],
        ),
    ],
)
def test_public_names(package: str, names: list[str]) -> None:
    module = __import__(package)
    assert sorted(module.__all__) == names
    for name in names:
        assert getattr(module, name) is not None


def test_public_functions_are_not_shadowed_by_modules_of_the_same_name() -> None:
    code = (
        "import data_tools.catalog, data_tools.mix, data_tools.store, training.run, training.fitting;"
        "from data_tools import audit, scan, plan, balance, pack;"
        "from training import train, evaluate, fit, fit_errors, load_prior;"
        "print(all(map(callable, (audit, scan, plan, balance, pack, train, evaluate, fit, fit_errors, load_prior))))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "True"
