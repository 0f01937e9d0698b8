// Shows HTML and SVG written by Python and keeps it up to date in place: only what differs is touched, so scroll
// positions, focus and hover survive, bars glide, and numbers that changed flash once.

const FLASH_AFTER_MS = 250; // flash when the changing is over, not at each step of a drag

function sameKind(a, b) {
  return a.nodeType === b.nodeType && a.nodeName === b.nodeName &&
    (a.nodeType !== 1 || a.getAttribute("data-key") === b.getAttribute("data-key"));
}

function patchAttributes(here, wanted) {
  for (const { name } of [...here.attributes]) {
    if (!wanted.hasAttribute(name)) here.removeAttribute(name);
  }
  for (const { name, value } of wanted.attributes) {
    if (here.getAttribute(name) !== value) here.setAttribute(name, value);
  }
}

function patch(here, wanted, changed) {
  if (here.nodeType !== 1) {
    if (here.data !== wanted.data) {
      here.data = wanted.data;
      const shown = here.parentElement?.closest("[data-flash]");
      if (shown) changed.add(shown);
    }
    return;
  }
  patchAttributes(here, wanted);
  patchChildren(here, wanted, changed);
}

function patchChildren(here, wanted, changed) {
  const keyed = new Map();
  for (const child of here.children) {
    const key = child.getAttribute("data-key");
    if (key !== null) keyed.set(key, child);
  }
  let at = here.firstChild;
  for (const next of [...wanted.childNodes]) {
    const key = next.nodeType === 1 ? next.getAttribute("data-key") : null;
    const old = key !== null && keyed.has(key) ? keyed.get(key) : at;
    if (old && sameKind(old, next)) {
      if (old === at) at = at.nextSibling;
      else here.insertBefore(old, at);
      patch(old, next, changed);
    } else {
      here.insertBefore(document.importNode(next, true), at);
    }
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
}

// JupyterLab and Notebook 7 take Enter, Space and the arrows from whatever has the focus in an output. Inside a panel
// plain keys belong to the panel; with Ctrl, Alt or Cmd, and Shift+Enter, they are the notebook's as everywhere.
function keepPlainKeys(event) {
  if (!event.target.closest?.(".hp-panel")) return;
  const ours = !(event.ctrlKey || event.metaKey || event.altKey || (event.shiftKey && event.key === "Enter"));
  event.target.toggleAttribute("data-lm-suppress-shortcuts", ours);
}
if (!window.handpriorKeepsPlainKeys) {
  window.handpriorKeepsPlainKeys = true;
  window.addEventListener("keydown", keepPlainKeys, true); // before the notebook's own listener on the document
}

function listen(root, model) {
  const tell = (element) => model.send({
    event: element.dataset.event,
    target: element.dataset.target ?? "",
    value: element.type === "checkbox" ? element.checked : element.value ?? "",
  });
  root.addEventListener("click", ({ target }) => {
    const element = target.closest("button[data-event]");
    if (element && element.getAttribute("aria-disabled") !== "true") tell(element);
  });
  root.addEventListener("change", ({ target }) => {
    const element = target.closest("select[data-event], input[data-event]");
    if (element) tell(element);
  });
  root.addEventListener("input", ({ target }) => {
    if (target.matches('input[type="search"][data-event]')) tell(target); // as it is typed
  });
  // A notebook may prevent what Enter does by itself in a text field: it would only take effect when that is left.
  root.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.matches("input[data-event]:not([type=checkbox])")) tell(event.target);
  });
}

export default {
  render({ model, el }) {
    const root = document.createElement("div");
    root.className = "handprior hp-markup";
    el.appendChild(root);
    const changed = new Set();
    let flashing = 0;

    function flash() {
      if (!window.matchMedia("(prefers-reduced-motion: reduce)").matches) {
        for (const element of changed) {
          element.animate?.([{ backgroundColor: "rgba(47, 111, 222, .28)" }, { backgroundColor: "transparent" }], 700);
        }
      }
      changed.clear();
    }
    function showMarkup() {
      const parsed = new DOMParser().parseFromString(model.get("markup"), "text/html");
      patchChildren(root, parsed.body, changed);
      if (changed.size) {
        clearTimeout(flashing);
        flashing = setTimeout(flash, FLASH_AFTER_MS);
      }
      showMarks();
    }
    function showMarks() {
      const { variables = {}, texts = {} } = model.get("marks");
      for (const [name, value] of Object.entries(variables)) root.style.setProperty(name, value);
      for (const [name, value] of Object.entries(texts)) {
        for (const element of root.querySelectorAll(`[data-text="${name}"]`)) {
          if (element.textContent !== value) element.textContent = value;
        }
      }
    }
    showMarkup();
    listen(root, model);
    model.on("change:markup", showMarkup);
    model.on("change:marks", showMarks);
    return () => {
      clearTimeout(flashing);
      model.off("change:markup", showMarkup);
      model.off("change:marks", showMarks);
    };
  },
};
