"""Tabs show one part and keep the others."""

from __future__ import annotations

import ipywidgets as W
import pytest

from handprior_viz.explorer.tabs import Tabs


@pytest.fixture
def parts() -> dict[str, tuple[W.Widget, str]]:
    return {name: (W.Label(name), f"about {name}") for name in ("Axes", "Joints", "<b>")}


def visible(tabs: Tabs) -> list[str]:
    return [box.children[0].value for box in tabs.widget.children[1:] if box.layout.display != "none"]


def test_the_first_tab_is_open_until_another_is_pressed(parts: dict[str, tuple[W.Widget, str]]) -> None:
    opened: list[str] = []
    tabs = Tabs(parts, on_open=opened.append)
    assert visible(tabs) == ["Axes"]
    for key in ("Joints", "Joints", "Map", 7):  # pressed again, and what no page sends
        tabs.strip._hear(None, {"open": key}, [])
    assert visible(tabs) == [tabs.chosen] == [tabs.strip.chosen] == opened == ["Joints"]


def test_opened_from_code_the_strip_follows(parts: dict[str, tuple[W.Widget, str]]) -> None:
    tabs = Tabs(parts)
    tabs.open("<b>")
    assert visible(tabs) == [tabs.strip.chosen] == ["<b>"]
    assert [(tab["label"], tab["title"]) for tab in tabs.strip.tabs][1] == ("Joints", "about Joints")


def test_a_tab_that_is_not_there_is_named(parts: dict[str, tuple[W.Widget, str]]) -> None:
    with pytest.raises(ValueError, match="no tab 'Map': there are Axes, Joints"):
        Tabs(parts).open("Map")
