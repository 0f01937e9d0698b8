// A rack of native range inputs: keyboard, touch and screen readers work as everywhere, a double click goes home.
// At most one message is under way: while the kernel is busy only the newest values wait, so dragging never queues.

const LOST_AFTER_MS = 2000; // an answer that has not come by then never will (kernel restarted)
const DOUBLE_CLICK_MS = 600;
const SETTLED_AFTER_MS = 200; // a row moved by hand this recently is not overwritten by an older value from Python

function build(row, index) {
  const line = document.createElement("label");
  line.className = "hp-slider";
  line.title = row.title ?? "";
  if (row.colour) line.style.setProperty("--hp-slider", row.colour);
  const name = document.createElement("span");
  name.className = "hp-slider-name";
  name.textContent = row.label;
  const input = document.createElement("input");
  Object.assign(input, { type: "range", min: row.low, max: row.high, step: row.step });
  input.dataset.index = index;
  input.setAttribute("aria-label", row.unit ? `${row.label}, ${row.unit}` : row.label);
  if (row.usual) {
    line.classList.add("hp-slider-banded");
    const share = (v) => (v - row.low) / (row.high - row.low);
    input.style.setProperty("--usual-from", share(row.usual[0]));
    input.style.setProperty("--usual-to", share(row.usual[1]));
  }
  const shown = document.createElement("output");
  line.append(name, input, shown);
  return { line, input, shown, row };
}

// `told` is what Python says, which may lie beyond the slider's ends; without it the slider's own value is shown.
function paint({ line, input, shown, row }, told) {
  const value = told ?? Number(input.value);
  const text = value.toFixed(row.digits ?? 1).replace(/^-(0(\.0*)?)$/, "$1");
  const sign = row.signed && Number(text) > 0 ? "+" : "";
  const gap = row.unit === "\u00b0" ? "" : " ";
  shown.textContent = `${sign}${text.replace("-", "\u2212")}${gap}${row.unit ?? ""}`.trimEnd();
  if (row.usual) line.classList.toggle("hp-slider-beyond", value < row.usual[0] || value > row.usual[1]);
  input.setAttribute("aria-valuetext", shown.textContent);
  const share = (v) => Math.min(1, Math.max(0, (v - row.low) / (row.high - row.low)));
  const [from, to] = [share(row.home ?? row.low), share(value)].sort((a, b) => a - b);
  input.style.setProperty("--from", from);
  input.style.setProperty("--to", to);
}

export default {
  render({ model, el }) {
    const root = document.createElement("div");
    root.className = "handprior hp-rack";
    root.setAttribute("role", "group");
    el.appendChild(root);
    let rows = [];
    let gesture = 0;
    let underWay = false;
    let lost = 0;
    const waiting = new Map();
    const touched = new Map();

    function flush() {
      if (underWay || !waiting.size) return;
      underWay = true;
      lost = setTimeout(answered, LOST_AFTER_MS);
      model.send({ moves: [...waiting], gesture });
      waiting.clear();
    }
    function answered() {
      clearTimeout(lost);
      underWay = false;
      flush();
    }
    function move(index, value) {
      touched.set(index, performance.now());
      waiting.set(index, value);
      paint(rows[index]);
      flush();
    }
    function rebuild() {
      rows = model.get("rows").map(build);
      root.replaceChildren(...rows.map(({ line }) => line));
      refresh();
    }
    function refresh() {
      const values = model.get("values");
      const disabled = model.get("disabled");
      root.classList.toggle("hp-disabled", Boolean(disabled));
      rows.forEach((row, index) => {
        const held = waiting.has(index) || performance.now() - (touched.get(index) ?? -1e9) < SETTLED_AFTER_MS;
        if (!held && values[index] !== undefined) row.input.value = values[index];
        row.input.disabled = Boolean(disabled);
        row.line.title = disabled || (row.row.title ?? "");
        paint(row, held ? undefined : values[index]);
      });
    }

    root.addEventListener("input", ({ target }) => move(Number(target.dataset.index), Number(target.value)));
    // A drag is one gesture; so is a double click, and each run of key presses that a press or the loss of the keyboard
    // ends.
    let pressed = {};
    root.addEventListener("pointerdown", ({ target, timeStamp }) => {
      if (target !== pressed.target || timeStamp - pressed.at > DOUBLE_CLICK_MS) gesture += 1;
      pressed = { target, at: timeStamp, down: true };
    });
    for (const end of ["pointerup", "pointercancel", "change"]) {
      root.addEventListener(end, () => { pressed.down = false; });
    }
    root.addEventListener("focusin", () => { if (!pressed.down) gesture += 1; });
    root.addEventListener("keydown", () => {
      if (pressed.down) return;
      if (pressed.target) gesture += 1;
      pressed = {};
    });
    // When the hand is off the slider Python's word counts again, also where it refused or rounded.
    const settle = () => setTimeout(refresh, SETTLED_AFTER_MS + 50);
    root.addEventListener("change", settle);
    root.addEventListener("dblclick", ({ target }) => {
      const input = target.closest(".hp-slider")?.querySelector("input");
      if (!input || input.disabled) return;
      const index = Number(input.dataset.index);
      input.value = rows[index].row.home ?? 0;
      move(index, Number(input.value));
      settle();
    });
    const hear = (message) => { if (message.answered) answered(); };

    rebuild();
    model.on("change:rows", rebuild);
    model.on("change:values", refresh);
    model.on("change:disabled", refresh);
    model.on("msg:custom", hear);
    return () => {
      clearTimeout(lost);
      model.off("change:rows", rebuild);
      model.off("change:values", refresh);
      model.off("change:disabled", refresh);
      model.off("msg:custom", hear);
    };
  },
};
