// Ctrl+Z and Ctrl+Shift+Z (or Ctrl+Y) anywhere in the panel: the keyboard is in a slider or on a button, never in text.

const TEXT = "input:not([type=range]):not([type=checkbox]), textarea, [contenteditable]";

export default {
  render({ model, el }) {
    el.style.display = "none";
    let panel = null;
    function press(event) {
      if (!(event.ctrlKey || event.metaKey) || event.altKey || event.target.closest(TEXT)) return;
      const key = event.key.toLowerCase();
      if (key !== "z" && key !== "y") return;
      event.preventDefault();
      event.stopPropagation();
      model.send({ key: key === "y" || event.shiftKey ? "redo" : "undo" });
    }
    // The element is put into the page after this returns.
    const waiting = requestAnimationFrame(() => {
      panel = el.closest(".hp-panel");
      panel?.addEventListener("keydown", press);
    });
    return () => {
      cancelAnimationFrame(waiting);
      panel?.removeEventListener("keydown", press);
    };
  },
};
