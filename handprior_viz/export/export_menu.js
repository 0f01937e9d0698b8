// The explorer's export menu: a button, a list of what poses can become, and a line that says where the file went.
// Python writes the files; this shows the list, copies text to the clipboard and saves a copy where the browser is.

function element(kind, className, text = "") {
  const made = document.createElement(kind);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}

function build(el) {
  const root = element("div", "handprior hp-export");
  root.dataset.lmSuppressShortcuts = "true"; // arrow keys are for the menu, not for JupyterLab
  const button = element("button", "hp-export-button", "Export");
  Object.assign(button, { type: "button", title: "Write this pose, or the walk from A to B, to a file" });
  button.setAttribute("aria-haspopup", "menu");
  button.setAttribute("aria-expanded", "false");
  const menu = element("div", "hp-export-menu");
  menu.popover = "auto"; // above everything, never cut off by the notebook's cell; Escape and clicks elsewhere close it
  menu.setAttribute("role", "menu");
  menu.setAttribute("aria-label", "Export");
  button.popoverTargetElement = menu;
  const said = element("span", "hp-export-said");
  said.setAttribute("role", "status");
  root.append(button, menu, said);
  el.appendChild(root);
  return { root, button, menu, said };
}

function itemOf({ key, words, ending, why }) {
  const item = element("button", "hp-export-item");
  item.type = "button";
  item.dataset.key = key;
  item.setAttribute("role", "menuitem");
  item.tabIndex = -1;
  item.append(element("span", "", words), element("small", "", ending));
  if (why) {
    item.setAttribute("aria-disabled", "true");
    item.title = why;
  }
  return item;
}

function groupOf({ title, why, items }) {
  const group = element("div", "hp-export-group");
  group.setAttribute("role", "group");
  group.setAttribute("aria-label", title);
  const head = element("div", "hp-export-title", title);
  if (why) head.append(element("span", "hp-export-why", why));
  group.append(head, ...items.map(itemOf));
  return group;
}

export default {
  render({ model, el }) {
    const { root, button, menu, said } = build(el);
    let copy = copyText;
    const ending = new AbortController();
    const on = (target, name, act, more = {}) => target.addEventListener(name, act, { signal: ending.signal, ...more });
    const items = () => [...menu.querySelectorAll('.hp-export-item:not([aria-disabled="true"])')];

    function list() {
      const focused = document.activeElement?.dataset?.key;
      menu.replaceChildren(...model.get("groups").map(groupOf));
      if (focused) menu.querySelector(`[data-key="${focused}"]`)?.focus();
      place();
    }
    function place() {
      if (!menu.matches(":popover-open")) return;
      const at = button.getBoundingClientRect(), size = menu.getBoundingClientRect();
      const below = window.innerHeight - at.bottom - 12, above = at.top - 12;
      const up = size.height > below && above > below;
      menu.style.maxHeight = `${Math.max(up ? above : below, 160)}px`;
      const height = Math.min(size.height, Math.max(up ? above : below, 160));
      menu.style.left = `${Math.max(8, Math.min(at.left, window.innerWidth - size.width - 8))}px`;
      menu.style.top = `${up ? at.top - 4 - height : at.bottom + 4}px`;
    }
    function tell() {
      const { text = "", kind = "", file = "", path = "", after = "" } = model.get("said");
      const line = element("span", kind ? `hp-${kind}` : "", text);
      said.replaceChildren(line);
      if (!file) return;
      const link = element("a", "", file);
      Object.assign(link, { href: "#", title: `${path}\nClick to save a copy where your browser keeps downloads` });
      said.append(link, after);
    }
    function choose(item) {
      if (item.getAttribute("aria-disabled") === "true") return;
      menu.hidePopover();
      button.focus({ preventScroll: true });
      if (item.dataset.key === "copy") {
        copy = copyLater();
        model.send({ act: "copy" });
      } else model.send({ act: "write", key: item.dataset.key });
    }
    function hear(message, buffers) {
      if (message.text !== undefined) {
        copy(message.text).then((copied) => model.send({ act: "copied", copied }));
      } else if (message.file !== undefined) {
        const link = element("a", "");
        link.href = URL.createObjectURL(new Blob([buffers[0]], { type: message.mime }));
        link.download = message.file;
        link.click();
        setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
      }
    }

    on(menu, "toggle", ({ newState }) => {
      const open = newState === "open";
      button.setAttribute("aria-expanded", String(open));
      if (!open) return;
      model.send({ act: "opened" }); // what is possible may have changed
      place();
      items()[0]?.focus();
    });
    on(menu, "click", ({ target }) => {
      const item = target.closest(".hp-export-item");
      if (item) choose(item);
    });
    on(said, "click", (event) => {
      if (event.target.tagName !== "A") return;
      event.preventDefault();
      model.send({ act: "fetch" });
    });
    on(root, "keydown", (event) => {
      if (event.key === "ArrowDown" && event.target === button) {
        event.preventDefault();
        menu.showPopover();
        return;
      }
      const all = items(), at = all.indexOf(document.activeElement);
      const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
      if (to === undefined || !menu.contains(event.target)) return;
      event.preventDefault();
      all[(to + all.length) % all.length]?.focus();
    });
    on(window, "resize", place);
    on(window, "scroll", ({ target }) => { if (target !== menu && menu.matches(":popover-open")) menu.hidePopover(); }, { capture: true });

    list();
    tell();
    model.on("change:groups", list);
    model.on("change:said", tell);
    model.on("msg:custom", hear);
    return () => {
      ending.abort();
      model.off("change:groups", list);
      model.off("change:said", tell);
      model.off("msg:custom", hear);
      root.remove();
    };
  },
};
