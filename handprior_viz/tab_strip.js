// Tabs after the WAI-ARIA pattern (www.w3.org/WAI/ARIA/apg/patterns/tabs): the Tab key stops once, at the open one; the
// arrows go round, Home and End to the ends, and what they come to is opened.

export default {
  render({ model, el }) {
    const root = document.createElement("div");
    root.className = "handprior hp-markup hp-tabs";
    root.setAttribute("role", "tablist");
    el.appendChild(root);

    function build() {
      root.replaceChildren(...model.get("tabs").map(({ key, label, title }) => {
        const tab = document.createElement("button");
        tab.setAttribute("role", "tab");
        tab.dataset.key = key;
        tab.textContent = label;
        tab.title = title;
        return tab;
      }));
      show(model.get("chosen"));
    }
    function show(chosen) {
      for (const tab of root.children) {
        const open = tab.dataset.key === chosen;
        tab.setAttribute("aria-selected", String(open));
        tab.tabIndex = open ? 0 : -1;
      }
    }
    const refresh = () => show(model.get("chosen"));
    function open(tab) {
      tab.focus();
      if (tab.getAttribute("aria-selected") === "true") return;
      show(tab.dataset.key);
      model.send({ open: tab.dataset.key });
    }

    root.addEventListener("click", ({ target }) => {
      const tab = target.closest("[role=tab]");
      if (tab) open(tab);
    });
    root.addEventListener("keydown", (event) => {
      const tabs = [...root.children], here = tabs.indexOf(event.target), last = tabs.length - 1;
      const goes = { ArrowLeft: here - 1, ArrowRight: here + 1, Home: 0, End: last };
      if (here < 0 || !(event.key in goes) || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      event.stopPropagation();
      open(tabs.at(goes[event.key] % tabs.length)); // before the first comes the last
    });

    build();
    model.on("change:tabs", build);
    model.on("change:chosen", refresh);
    return () => {
      model.off("change:tabs", build);
      model.off("change:chosen", refresh);
    };
  },
};
