// Drag a dataset by its name onto another tier: its line, any line below it, or the strip that shows while one is dragged.
// A drop moves the dataset's menu, as a person would: what follows in Python is the same.

export default {
  render({ el }) {
    const ending = new AbortController();
    let panel = null, menu = null;

    const tierAt = ({ target }) => {
      const tier = target.closest?.("[data-tier]")?.dataset.tier;
      return menu && tier !== menu.value ? tier : undefined;
    };
    function mark(tier) {
      for (const one of panel.querySelectorAll(".hp-balance [data-tier]")) {
        one.classList.toggle("hp-balance-over", one.dataset.tier === tier);
      }
    }
    function end() {
      menu = null;
      mark();
      panel.querySelector(".hp-balance-dragging")?.classList.remove("hp-balance-dragging");
    }
    // WebKit tells what a drag enters only so, not as passing over it too.
    function over(event) {
      if (!menu) return;
      const tier = tierAt(event);
      mark(tier);
      if (!tier) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = "move";
    }
    const acts = {
      dragstart(event) {
        const line = event.target.closest?.(".hp-balance-name")?.closest(".hp-balance-line");
        if (!line) return;
        menu = line.querySelector("select");
        event.dataTransfer.effectAllowed = "move";
        event.dataTransfer.setData("text/plain", line.dataset.key);
        event.dataTransfer.setDragImage(line, 8, 8);
        // Later: a page that changes under the pointer now would end the drag.
        setTimeout(() => { if (menu) line.closest(".hp-balance").classList.add("hp-balance-dragging"); });
      },
      dragenter: over,
      dragover: over,
      drop(event) {
        const tier = tierAt(event);
        if (!tier) return;
        event.preventDefault();
        event.stopPropagation(); // the notebook has uses of its own for what is dropped on it
        menu.value = tier;
        menu.dispatchEvent(new Event("change", { bubbles: true }));
      },
      dragend: end,
    };
    // The element is put into the page after this returns.
    const waiting = requestAnimationFrame(() => {
      panel = el.closest(".hp-panel");
      for (const [name, act] of Object.entries(acts)) panel?.addEventListener(name, act, { signal: ending.signal });
    });
    return () => {
      cancelAnimationFrame(waiting);
      ending.abort();
    };
  },
};
