"""Tabs show one part and keep the others."""

from __future__ import annotations

import ipywidgets as W
import pytest

from handprior_viz.explorer.tabs import Tabs


@pytest.fixture
def parts() -> dict[str, W.Widget]:
    return {name: W.Label(name) for name in ("Axes", "Joints", "<b>")}


def visible(tabs: Tabs) -> list[str]:
    return [box.children[0].value for box in tabs.widget.children[1:] if box.layout.display != "none"]


def test_the_first_tab_is_open_until_another_is_pressed(parts: dict[str, W.Widget]) -> None:
    opened: list[str] = []
    tabs = Tabs(parts, on_open=opened.append)
    assert visible(tabs) == ["Axes"]
    tabs._strip._hear(None, {"event": "tab", "target": "Joints", "value": ""}, [])
    tabs._strip._hear(None, {"event": "tab", "target": "Joints", "value": ""}, [])
    assert visible(tabs) == [tabs.chosen] == opened == ["Joints"]
    assert tabs._strip.markup.count('aria-selected="true"') == 1


def test_names_are_shown_as_they_are(parts: dict[str, W.Widget]) -> None:
    assert "&lt;b&gt;" in Tabs(parts)._strip.markup
    assert "<b>" not in Tabs(parts)._strip.markup


def test_a_tab_that_is_not_there_is_named(parts: dict[str, W.Widget]) -> None:
    with pytest.raises(ValueError, match="no tab 'Map': there are Axes, Joints"):
        Tabs(parts).open("Map")
