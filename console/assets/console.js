// What script adds to pages that work without it: live pages, finding by keyboard,
// copying, and the lock of a page that nobody uses. Nothing here decides anything.
"use strict";

// The menu is open where there is room for it; without script it is a disclosure.
const menu = document.querySelector("[data-menu]");
const wide = matchMedia("(min-width: 56.01rem)");
const openMenu = () => { menu.open = wide.matches; };
if (menu) { openMenu(); wide.addEventListener("change", openMenu); }

// A page that says what it waits for is asked for again when that has come, unless
// somebody is writing in it.
let stream;
const busy = () => document.activeElement && document.activeElement.closest("main form, dialog") !== null;
const quietly = { credentials: "same-origin", headers: { "Sallyport-Quiet": "1" } }; // nobody uses the session by it
async function again() {
  if (busy() || document.hidden) return;
  const answer = await fetch(location.href, quietly);
  if (!answer.ok || answer.redirected) { location.reload(); return; }
  const next = new DOMParser().parseFromString(await answer.text(), "text/html");
  const open = [...document.querySelectorAll("main details[open][id]")].map((d) => d.id);
  for (const part of document.querySelectorAll("[data-live]")) {
    const to = next.getElementById(part.id);
    if (!to || to.innerHTML === part.innerHTML) continue;
    const at = document.activeElement; // whoever is there by keyboard keeps their place
    if (part.contains(at)) at.addEventListener("blur", () => { again().catch(() => {}); }, { once: true });
    else part.innerHTML = to.innerHTML;
  }
  for (const id of open) { const d = document.getElementById(id); if (d) d.open = true; }
}
function listen() {
  const live = document.querySelector("[data-live]");
  if (!live || !window.EventSource) return;
  let waiting = 0;
  const soon = () => { if (!waiting) waiting = setTimeout(() => { waiting = 0; again().catch(() => {}); }, 400); };
  stream = new EventSource("/console/live");
  for (const kind of live.dataset.live.split(" ")) stream.addEventListener(kind, soon);
  stream.addEventListener("over", () => location.reload());
}
listen();

// What is still being made is looked for until it is there.
const making = setInterval(async () => {
  if (!document.querySelector("[data-again]")) { clearInterval(making); return; }
  if (busy() || document.hidden) return;
  const answer = await fetch(location.href, quietly).catch(() => null);
  if (!answer || answer.ok && (await answer.text()).includes("data-again")) return;
  clearInterval(making);
  location.reload();
}, 1500);

// The lock: what stood on the page is hidden from who comes by; the server ends the
// session by itself.
const lock = document.getElementById("lock");
if (lock && document.body.dataset.idle) {
  let timer;
  const shut = () => {
    if (stream) stream.close();
    clearInterval(making);
    for (const open of document.querySelectorAll("dialog[open]")) open.close();
    const frame = document.querySelector(".frame");
    frame.hidden = frame.inert = true;
    lock.hidden = false;
    lock.querySelector("a").focus();
  };
  const use = () => {
    const idle = Number(document.body.dataset.idle) * 1000;
    clearTimeout(timer);
    if (idle > 0 && lock.hidden) timer = setTimeout(shut, Math.min(idle, 2147483647));
  };
  for (const kind of ["pointerdown", "keydown", "scroll"]) addEventListener(kind, use, { passive: true });
  use();
}

// Copying: a button names what it copies.
for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const from = document.getElementById(button.dataset.copy);
    const label = button.textContent;
    try { await navigator.clipboard.writeText(from.textContent.trim()); button.textContent = "Copied"; } catch { button.textContent = "Select it and copy"; }
    setTimeout(() => { button.textContent = label; }, 2000);
  });
}

// Finding: Ctrl K, or the button; without script the page /console/find does the same.
const palette = document.getElementById("palette");
const find = document.querySelector("[data-palette]");
if (palette && palette.showModal) {
  const field = palette.querySelector("input"), list = palette.querySelector("ul");
  const pages = [...document.querySelectorAll(".side a")].map((a) => ({ label: a.firstChild.textContent.trim(), href: a.getAttribute("href") }));
  const show = (items) => {
    list.replaceChildren(...items.slice(0, 12).map((x) => {
      const li = document.createElement("li"), a = document.createElement("a");
      a.href = x.href; a.textContent = x.label;
      if (x.help) { const s = document.createElement("span"); s.className = "help"; s.textContent = x.help; a.append(s); }
      li.append(a); return li;
    }));
  };
  let asked = 0;
  const look = async () => {
    const q = field.value.trim().toLowerCase();
    const own = pages.filter((p) => p.label.toLowerCase().includes(q));
    show(own);
    if (q.length < 2) return;
    const turn = ++asked;
    const answer = await fetch("/console/find?format=json&q=" + encodeURIComponent(q), { credentials: "same-origin" }).catch(() => null);
    if (!answer || !answer.ok || turn !== asked) return;
    const found = await answer.json();
    show(own.concat(found.filter((x) => !own.some((p) => p.href === x.href))));
  };
  const open = () => { if (palette.open) return; field.value = ""; look(); palette.showModal(); field.focus(); };
  find.querySelector("kbd").hidden = false;
  find.addEventListener("click", (event) => { event.preventDefault(); open(); });
  field.addEventListener("input", look);
  addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") { event.preventDefault(); open(); }
  });
  palette.querySelector("form").addEventListener("submit", (event) => {
    const first = list.querySelector("a");
    if (first) { event.preventDefault(); first.click(); }
  });
  palette.addEventListener("keydown", (event) => {
    const links = [...list.querySelectorAll("a")], at = links.indexOf(document.activeElement);
    if (event.key === "ArrowDown" && links.length) { event.preventDefault(); links[(at + 1) % links.length].focus(); }
    if (event.key === "ArrowUp" && links.length) { event.preventDefault(); links[(at - 1 + links.length) % links.length].focus(); }
  });
}

// A choice in a filter is shown at once.
for (const form of document.querySelectorAll("form.filters")) {
  for (const choice of form.querySelectorAll("select")) choice.addEventListener("change", () => form.requestSubmit());
}
