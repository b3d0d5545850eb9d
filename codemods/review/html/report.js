"use strict";
const $ = (id) => document.getElementById(id);
const articles = [...document.querySelectorAll("article")];
const decisions = JSON.parse($("data").textContent);
const choices = new Map();
let sideBySide = false;
let current = -1;

// What is closed is not rendered: a page of five hundred files opens at once.
function fill(details) {
  const template = details.querySelector(":scope > template");
  if (!template) return;
  details.append(template.content.cloneNode(true));
  template.remove();
  if (sideBySide) details.querySelectorAll("table.unified").forEach(toSides);
}
document.querySelectorAll("details.lazy").forEach((details) => {
  details.addEventListener("toggle", () => details.open && fill(details));
});

// Side by side: what is removed stands left of what is added in its place.
function toSides(table) {
  const sides = document.createElement("table");
  sides.className = "diff sides";
  const body = sides.createTBody();
  let removed = [], added = [];
  const cells = (row, old) => {
    const number = document.createElement("td");
    const code = document.createElement("td");
    number.className = "n";
    code.className = "code";
    if (row) {
      number.textContent = row.cells[old ? 0 : 1].textContent;
      code.append(...[...row.cells[2].childNodes].map((node) => node.cloneNode(true)));
      if (row.className !== "same") code.classList.add(row.className);
    }
    return [number, code];
  };
  const flush = () => {
    for (let i = 0; i < Math.max(removed.length, added.length); i++) {
      body.insertRow().append(...cells(removed[i], true), ...cells(added[i], false));
    }
    removed = [];
    added = [];
  };
  for (const row of table.rows) {
    if (row.className === "del") removed.push(row);
    else if (row.className === "add") added.push(row);
    else {
      flush();
      if (row.className === "hunk") {
        const line = body.insertRow();
        line.className = "hunk";
        line.insertCell().colSpan = 4;
        line.cells[0].textContent = row.cells[2].textContent;
      } else body.insertRow().append(...cells(row, true), ...cells(row, false));
    }
  }
  flush();
  table.hidden = true;
  table.after(sides);
}
function setSides(on) {
  sideBySide = on;
  $("side").textContent = on ? "unified" : "side by side";
  document.querySelectorAll("table.sides").forEach((table) => table.remove());
  document.querySelectorAll("table.unified").forEach((table) => {
    table.hidden = false;
    if (on) toSides(table);
  });
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  $("theme").textContent = theme === "dark" ? "light" : "dark";
}

function filter() {
  const wanted = (id) => ($(id) ? $(id).value : "");
  const verdict = (article) => article.querySelector("[data-verdict]")?.dataset.verdict ?? "none";
  const text = wanted("f-text").toLowerCase();
  let shown = 0;
  for (const article of articles) {
    const is = article.dataset;
    const fits =
      (!wanted("f-rule") || is.rule === wanted("f-rule")) &&
      (!wanted("f-model") || is.models.split(" ").includes(wanted("f-model"))) &&
      (!wanted("f-status") || is.status === wanted("f-status")) &&
      (!wanted("f-verdict") || verdict(article) === wanted("f-verdict")) &&
      (!text || (article.textContent + " " + is.models + " " + is.id).toLowerCase().includes(text));
    article.hidden = !fits;
    shown += fits;
  }
  $("shown").textContent = `${shown} of ${articles.length}`;
}

function choose(article, choice) {
  if (choice && choices.get(article.dataset.id) !== choice) {
    choices.set(article.dataset.id, choice);
    article.dataset.choice = choice;
  } else {
    choices.delete(article.dataset.id);
    delete article.dataset.choice;
  }
  $("exported").hidden = true;
}

// What --decisions FILE reads.
function exportDecisions() {
  const said = decisions
    .filter((decision) => choices.has(decision.id))
    .map((decision) => ({ verdict: choices.get(decision.id), ...decision }));
  const others = $("others").checked ? "reject" : "accept";
  const text = JSON.stringify({ schema_version: 1, others: others, decisions: said }, null, 2) + "\n";
  $("exported").hidden = false;
  $("exported").querySelector("textarea").value = text;
  URL.revokeObjectURL($("download").href);
  $("download").href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  $("exported").scrollIntoView({ block: "nearest" });
}

function go(step) {
  const shown = articles.filter((article) => !article.hidden);
  if (!shown.length) return;
  const at = shown.indexOf(articles[current]);
  const next = shown[Math.min(Math.max(at + step, 0), shown.length - 1)];
  current = articles.indexOf(next);
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: "start" });
}
function toggle(article) {
  const details = [...article.querySelectorAll(":scope > details")];
  const own = details.filter((each) => each.hasAttribute("data-root"));
  const open = !details.some((each) => each.open);
  (open ? (own.length ? own : details) : details).forEach((each) => (each.open = open));
}

const keys = {
  j: () => go(1),
  k: () => go(-1),
  a: () => current >= 0 && choose(articles[current], "accepted"),
  r: () => current >= 0 && choose(articles[current], "rejected"),
  u: () => current >= 0 && choose(articles[current], null),
  o: () => current >= 0 && toggle(articles[current]),
  s: () => setSides(!sideBySide),
  t: () => setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"),
  e: exportDecisions,
  "/": () => $("f-text").focus(),
  "?": () => ($("keys").open = !$("keys").open),
};
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, select, textarea");
  if (event.key === "Escape" && typing) event.target.blur();
  if (typing || event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(keys, event.key)) return;
  event.preventDefault();
  keys[event.key]();
});
document.querySelector("main").addEventListener("click", (event) => {
  const article = event.target.closest("article");
  if (article) current = articles.indexOf(article);
  const button = event.target.closest("button[data-choice]");
  if (button) choose(article, button.dataset.choice);
});
$("filters").addEventListener("input", filter);
$("filters").addEventListener("submit", (event) => event.preventDefault());
$("side").addEventListener("click", keys.s);
$("theme").addEventListener("click", keys.t);
$("export").addEventListener("click", exportDecisions);
$("others").addEventListener("change", () => ($("exported").hidden = true));
setTheme(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
filter();
// The first decision shows its diff: that is what the reader came for.
const first = document.querySelector("article details[data-root]");
if (first) first.open = true;
