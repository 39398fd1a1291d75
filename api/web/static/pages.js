// Optional improvements of the pages, which all work without scripts.
"use strict";

document.documentElement.classList.add("scripted");

// "None of these", "I don't know" and "Skip" exclude the other options of a group; selecting one clears them.
for (const group of document.querySelectorAll("[data-exclusive]")) {
  group.addEventListener("change", (event) => {
    const input = event.target;
    if (input.type === "number" || input.type === "text") {
      if (input.value) group.querySelectorAll("[data-exclusive-option]").forEach((option) => { option.checked = false; });
      return;
    }
    if (!input.checked) return;
    const isExclusive = input.hasAttribute("data-exclusive-option");
    for (const other of group.querySelectorAll("input")) {
      if (other === input) continue;
      if (other.type === "number" || other.type === "text") { if (isExclusive) other.value = ""; }
      else if (isExclusive || other.hasAttribute("data-exclusive-option")) other.checked = false;
    }
    group.dispatchEvent(new CustomEvent("cleared"));
  });
}

// A tap on the body map toggles the checkbox of that part.
for (const map of document.querySelectorAll(".body-map")) {
  const group = map.closest("[data-exclusive]");
  const parts = map.querySelectorAll("[data-for]");
  const show = () => parts.forEach((part) => {
    if (part.matches(".part")) part.classList.toggle("selected", document.getElementById(part.dataset.for).checked);
  });
  parts.forEach((part) => part.addEventListener("click", () => {
    document.getElementById(part.dataset.for).click();
  }));
  group.addEventListener("change", show);
  group.addEventListener("cleared", show);
  show();
}

// Screen readers start with the list of faults.
document.querySelector(".errors")?.focus();

// Every change is saved at once, so that a page that is left in any other way keeps what was entered.
const keeping = document.querySelector("form[data-keep]");
if (keeping) {
  let isChanged = false, saving = null;
  const send = async () => {
    const fields = new URLSearchParams(new FormData(keeping));
    fields.set("intent", "keep");
    const signal = AbortSignal.timeout(5000);
    await fetch(keeping.action, { method: "POST", body: fields, keepalive: true, redirect: "manual", signal });
  };
  const save = () => {
    isChanged = true;
    keeping.dataset.keep = "pending";
    if (saving || !navigator.onLine) return;
    isChanged = false;
    saving = send().catch(() => { isChanged = true; }).then(() => {
      saving = null;
      if (!isChanged) keeping.dataset.keep = "saved";
      else if (navigator.onLine) save();
    });
  };
  keeping.addEventListener("input", save);
  addEventListener("online", () => { if (isChanged) save(); });
  const notice = document.querySelector(".no-connection");
  keeping.addEventListener("submit", (event) => {
    if (navigator.onLine && !saving) return;
    event.preventDefault();
    if (navigator.onLine) {  // an older save must not arrive after this one
      isChanged = false;
      saving.then(() => keeping.requestSubmit(event.submitter));
      return;
    }
    notice.hidden = false;
    notice.scrollIntoView({ block: "center" });
  });
  addEventListener("online", () => { notice.hidden = true; });
}

for (const button of document.querySelectorAll("[data-print]")) button.addEventListener("click", () => print());

// On a shared device an idle page is left, so that it shows no answers to others.
const idle = Number(document.body.dataset.idleSeconds || 0);
if (idle) {
  let timer;
  const leave = () => {
    const button = document.querySelector("button[value=leave]");
    if (button) button.click(); else location.replace(document.body.dataset.leave);
  };
  const restart = () => {
    clearTimeout(timer);
    timer = setTimeout(leave, idle * 1000);
  };
  for (const kind of ["pointerdown", "keydown", "input", "scroll"]) addEventListener(kind, restart, { passive: true });
  restart();
}
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
