"use strict";
const { leading: pattern, units, labels } = JSON.parse(document.getElementById("reading").textContent), leading = new RegExp(pattern);
// Methods are switched in all figures and tables at once.
function show(method, on) {
  for (const element of document.querySelectorAll(".m" + method)) element.classList.toggle("hidden", !on);
}
const boxes = [...document.querySelectorAll("input[data-method]")];
for (const box of boxes) box.addEventListener("change", () => show(box.dataset.method, box.checked));
for (const button of document.querySelectorAll("button[data-all]")) {
  button.addEventListener("click", () => {
    for (const box of boxes) { box.checked = button.dataset.all === "on"; show(box.dataset.method, box.checked); }
  });
}
// The legend stays in sight; where it would cover much of what is under it, it begins closed.
if (innerWidth < 700) document.querySelector(".methods").open = false;
// Tables are sorted by the raw value of a column, which is what the text says where it is not given; rows without last.
function key(row, column) {
  const cell = row.cells[column];
  if ("value" in cell.dataset) return Number(cell.dataset.value);
  const found = leading.exec(cell.firstChild ? cell.firstChild.textContent : "");
  return found ? Number(found[1] + (found[2] || "")) * (units[found[3]] || 1) : NaN;
}
function sort(table, column, header) {
  const down = header.getAttribute("aria-sort") === "ascending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", down ? "descending" : "ascending");
  const rows = [...table.tBodies[0].rows];
  const numeric = rows.some(row => !Number.isNaN(key(row, column)));
  rows.sort((a, b) => {
    if (!numeric) return a.cells[column].textContent.localeCompare(b.cells[column].textContent) * (down ? -1 : 1);
    const [x, y] = [key(a, column), key(b, column)];
    if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
    return (x - y) * (down ? -1 : 1);
  });
  table.tBodies[0].append(...rows);
}
for (const table of document.querySelectorAll("table.sortable")) {
  [...table.tHead.rows[0].cells].forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => sort(table, column, header));
  });
}
// Markers, each with its text: its method and its values.
const drawn = (name, attributes = {}) => {
  const element = document.createElementNS(document.querySelector("svg").namespaceURI, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
};
const named = text => { const title = drawn("title"); title.textContent = text; return title; };
for (const series of document.querySelectorAll("g.series")) {
  const label = labels[/\bm(\d+)/.exec(series.getAttribute("class"))[1]];
  series.prepend(named(label));
  for (const group of series.querySelectorAll("g[data-marks]")) {
    const [mark, ...places] = group.dataset.marks.split(" "), values = (group.dataset.at || "").split(" ");
    for (let place = 0; 2 * place < places.length; place += 1) {
      const use = drawn("use", { href: "#" + mark, x: places[2 * place], y: places[2 * place + 1] });
      if (values[place]) use.append(named(`${label}: ${values[place].replace(",", ", ")}`));
      group.append(use);
    }
  }
}
// What is folded away is printed too.
addEventListener("beforeprint", () => { for (const each of document.querySelectorAll("details")) each.open = true; });
// The values of a panel one after the other, by the arrow keys.
const tip = document.querySelector(".tip");
function leave() {
  tip.hidden = true;
  for (const mark of document.querySelectorAll("use.at")) mark.classList.remove("at");
}
function tell(mark) {
  leave();
  const box = mark.getBoundingClientRect();
  mark.classList.add("at");
  tip.textContent = mark.querySelector("title").textContent;
  tip.hidden = false;
  tip.style.left = Math.max(0, Math.min(box.right, innerWidth - tip.offsetWidth - 16)) + scrollX + "px";
  tip.style.top = box.bottom + scrollY + 4 + "px";
}
for (const panel of document.querySelectorAll("svg.panel")) {
  panel.addEventListener("keydown", event => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const marks = [...panel.querySelectorAll(".series:not(.hidden) use > title")].map(title => title.parentNode);
    if (event.key === "Escape") leave();
    if (!step || !marks.length) return;
    event.preventDefault();
    const at = marks.findIndex(mark => mark.classList.contains("at"));
    tell(marks[at < 0 ? (step > 0 ? 0 : marks.length - 1) : (at + step + marks.length) % marks.length]);
  });
  panel.addEventListener("blur", leave);
}
