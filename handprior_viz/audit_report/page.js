// Opening, sorting and filtering in the audit's page. Everything can be read without it; it fetches nothing.
"use strict";

const table = document.getElementById("datasets-table");
const bodies = [...table.querySelectorAll(":scope > tbody")];
const datasets = bodies.filter((body) => !body.classList.contains("tier"));

/** Open or close a dataset's details. */
function setOpen(body, open) {
  body.classList.toggle("open", open);
  body.querySelector(".name button").setAttribute("aria-expanded", open);
}

/** Compare as numbers where both are, as text otherwise; what is not known comes last either way. */
function compare(a, b, down) {
  const known = (v) => v !== undefined && v !== "" && v !== "None";
  if (!known(a) || !known(b)) return known(b) - known(a);
  const x = Number(a), y = Number(b);
  const order = Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b) : x - y;
  return down ? -order : order;
}

/** Mark the column that is sorted by; returns whether to sort downwards. Numbers start with the largest. */
function turn(button, down) {
  const cell = button.closest("th");
  if (down === undefined) {
    const now = cell.getAttribute("aria-sort");
    down = now ? now !== "descending" : cell.classList.contains("number");
  }
  for (const other of cell.parentNode.children) other.removeAttribute("aria-sort");
  cell.setAttribute("aria-sort", down ? "descending" : "ascending");
  return down;
}

function sortRows(button, downwards) {
  const down = turn(button, downwards);
  const column = button.closest("th").cellIndex;
  const body = button.closest("table").tBodies[0];
  const rows = [...body.rows].sort((a, b) => compare(a.cells[column].dataset.v, b.cells[column].dataset.v, down));
  body.append(...rows);
}

function sortDatasets(button) {
  const down = turn(button), key = button.dataset.key;
  for (const body of bodies) if (body.classList.contains("tier")) body.hidden = true;
  table.append(...[...datasets].sort((a, b) => compare(a.dataset[key], b.dataset[key], down)));
  document.getElementById("reset").hidden = false;
}

function filter(text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const body of datasets) {
    body.hidden = !words.every((word) => body.dataset.text.toLowerCase().includes(word));
    shown += !body.hidden;
  }
  const sorted = !document.getElementById("reset").hidden;
  for (const body of bodies) if (body.classList.contains("tier")) body.hidden = sorted || words.length > 0;
  document.getElementById("matches").textContent = words.length ? `${shown} of ${datasets.length} datasets` : "";
}

/** Go to what a link names: open the dataset it lies in, and sort its sequences by what was clicked on. */
function reveal(id, sort) {
  const target = id && document.getElementById(id);
  const body = target && target.closest("#datasets-table > tbody");
  if (!body) return;
  setOpen(body, true);
  body.hidden = false;
  const found = sort && target.parentNode.querySelector(`.sortable button[data-key="${sort}"]`);
  if (found) sortRows(found, true);
  target.scrollIntoView({ block: "start" });
}

document.addEventListener("click", (event) => {
  const link = event.target.closest('a[href^="#"]');
  if (link) {
    // After the browser has gone there itself, so that back and forward work.
    setTimeout(() => reveal(link.hash.slice(1), link.dataset.sort));
    return;
  }
  const sorter = event.target.closest("th button");
  if (sorter) {
    if (sorter.closest("table") === table) sortDatasets(sorter);
    else sortRows(sorter);
    return;
  }
  const row = event.target.closest("#datasets-table > tbody > tr.line, #datasets-table > tbody > tr.said");
  if (row && !String(window.getSelection())) setOpen(row.parentNode, !row.parentNode.classList.contains("open"));
});
document.getElementById("filter").addEventListener("input", (event) => filter(event.target.value));
document.getElementById("open-all").addEventListener("click", (event) => {
  const open = event.target.getAttribute("aria-pressed") !== "true";
  event.target.setAttribute("aria-pressed", open);
  event.target.textContent = open ? "Close all" : "Open all";
  for (const body of datasets) if (!body.hidden) setOpen(body, open);
});
document.getElementById("reset").addEventListener("click", (event) => {
  event.target.hidden = true;
  for (const cell of table.tHead.rows[0].cells) cell.removeAttribute("aria-sort");
  table.append(...bodies);
  filter(document.getElementById("filter").value);
});
window.addEventListener("hashchange", () => reveal(location.hash.slice(1)));
reveal(location.hash.slice(1));

const holder = document.getElementById("map-data");
if (holder) {
  const data = JSON.parse(holder.textContent);
  const said = document.getElementById("map-said");
  for (const map of document.querySelectorAll("svg.map")) {
    const side = Number(map.dataset.side), room = Number(map.dataset.room), here = map.querySelector(".here");
    map.addEventListener("pointermove", (event) => {
      const place = new DOMPoint(event.clientX, event.clientY).matrixTransform(map.getScreenCTM().inverse());
      const column = Math.floor((place.x - room) / side), row = Math.floor((place.y - room) / side);
      const inside = row >= 0 && column >= 0 && row < data.names.length && column < data.names.length && row !== column;
      here.style.visibility = inside ? "visible" : "hidden";
      if (!inside) return;
      here.setAttribute("x", room + side * column - 0.5);
      here.setAttribute("y", room + side * row - 0.5);
      const figure = (value) => (value === null ? "not known" : (value / 1000).toFixed(2));
      const joint = data.joint[row][column];
      const most = joint === null ? "" : `; most unlike at the ${data.joints[joint]}`;
      said.textContent =
        `${data.names[row]} and ${data.names[column]}: ${figure(data.angles[row][column])} angle by angle, ` +
        `${figure(data.poses[row][column])} as whole poses${most}`;
    });
    map.addEventListener("pointerleave", () => { here.style.visibility = "hidden"; });
  }
}
