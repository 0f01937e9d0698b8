"""What all panels share: errors in one line, and nothing left behind."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace

import ipywidgets as W
import pytest

from handprior_viz import cell_runs
from handprior_viz.live_markup import LiveMarkup
from handprior_viz.pacing import Every
from handprior_viz.panel import Panel, button, column, row, set_enabled, short_path
from handprior_viz.slider_rack import Slider, SliderRack


class Little(Panel):
    """A panel with a bit of everything."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Every(0.01, lambda: None)
        self.ends_with(self.clock)
        menu = W.Dropdown(options=["a", "b"], layout={"width": "90px"}, style={"description_width": "10px"})
        self.arrange(row(button("Go", "Goes", lambda: None), menu), column(SliderRack([Slider("x", 0, 1)])))


@pytest.mark.usefixtures("no_widgets_left")
def test_closing_leaves_neither_widgets_nor_threads() -> None:
    threads = set(threading.enumerate())
    little = Little()
    little.close()
    little.close()
    assert little.closed
    assert set(threading.enumerate()) <= threads


def run_of_cell(monkeypatch: pytest.MonkeyPatch, cell: str, run: str) -> None:
    request = {"metadata": {"cellId": cell}, "header": {"msg_id": run}, "content": {"code": "Little()"}}
    shell = SimpleNamespace(kernel=SimpleNamespace(get_parent=lambda _: request))
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)


@pytest.mark.usefixtures("no_widgets_left")
def test_running_a_cell_again_closes_what_it_made_before(monkeypatch: pytest.MonkeyPatch) -> None:
    run_of_cell(monkeypatch, "cell-1", "first")
    one, two = Little(), Little()
    assert not one.closed  # two panels of one run of a cell live side by side
    run_of_cell(monkeypatch, "cell-2", "second")
    other = Little()
    run_of_cell(monkeypatch, "cell-1", "third")
    three = Little()
    assert one.closed
    assert two.closed
    assert not other.closed
    for panel in (other, three):
        panel.close()
    assert cell_runs._OPEN == {}


@pytest.mark.usefixtures("no_widgets_left")
def test_a_cell_run_fifty_times_keeps_one_panel(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = set(threading.enumerate())
    for k in range(50):
        run_of_cell(monkeypatch, "cell", f"run {k}")
        little = Little()
    assert len(set(threading.enumerate()) - threads) == 1
    little.close()


def test_an_expected_error_is_one_line_in_the_panel() -> None:
    panel = Panel()
    panel.arrange()
    with panel.telling():
        raise ValueError("seed must be\n0 or more, got <-1>")
    said = panel.children[-1].markup
    assert "seed must be 0 or more, got &lt;-1&gt;" in said
    assert 'role="alert"' in said
    panel.say()
    assert panel.children[-1].markup == ""
    panel.close()


def test_a_defect_is_shown_and_raised() -> None:
    panel = Panel()
    panel.arrange()
    with pytest.raises(KeyError):
        panel.tell(KeyError("gone"))
    assert "KeyError" in panel.children[-1].markup
    panel.close()


def test_a_disabled_control_says_why() -> None:
    control = W.Button()
    set_enabled(control, False, "Undo", "Nothing to take back yet")
    assert (control.disabled, control.tooltip) == (True, "Nothing to take back yet")
    set_enabled(control, True, "Undo", "Nothing to take back yet")
    assert (control.disabled, control.tooltip) == (False, "Undo")
    control.close()


def test_a_rack_tells_every_row_that_moved_and_answers() -> None:
    moved, answers = [], []
    rack = SliderRack([Slider("a", -3, 3), Slider("b", -3, 3, home=1)], on_move=lambda *event: moved.append(event))
    rack.send = lambda content, buffers=None: answers.append(content)
    assert rack.values == [0.0, 1.0]
    rack._hear(rack, {"moves": [[1, 2.5], [0, -1], [7, 9.9]], "gesture": 4}, [])
    assert moved == [(1, 2.5, 4), (0, -1.0, 4)]
    assert rack.values == [-1.0, 2.5]
    assert answers == [{"answered": True}]
    rack.close()


def test_a_rack_answers_even_when_the_move_fails() -> None:
    def refuse(*_: object) -> None:
        raise ValueError("no")

    rack, answers = SliderRack([Slider("a", 0, 1)], on_move=refuse), []
    rack.send = lambda content, buffers=None: answers.append(content)
    with pytest.raises(ValueError, match="no"):
        rack._hear(rack, {"moves": [[0, 1]]}, [])
    assert answers
    rack.close()


def test_markup_passes_on_what_people_press() -> None:
    heard = []
    markup = LiveMarkup("<button data-event=stop>", on_event=lambda *event: heard.append(event))
    markup._hear(markup, {"event": "stop", "target": "run-1", "value": ""}, [])
    markup._hear(markup, {"nonsense": 1}, [])
    markup._hear(markup, "nonsense", [])
    assert heard == [("stop", "run-1", "")]
    markup.close()


def test_a_path_below_the_working_folder_is_shown_from_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert short_path(tmp_path / "tour" / "store") == str(Path("tour", "store"))
    assert short_path(tmp_path.parent / "elsewhere") == str(tmp_path.parent / "elsewhere")
