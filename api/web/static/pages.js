// Optional improvements of the pages, which all work without scripts.
"use strict";

document.documentElement.classList.add("scripted");

// "None of these", "I don't know" and "Skip" exclude the other options of a group; marking one clears them.
for (const group of document.querySelectorAll("[data-exclusive]")) {
  group.addEventListener("change", (event) => {
    const mark = event.target;
    if (mark.type === "number" || mark.type === "text") {
      if (mark.value) group.querySelectorAll("[data-alone]").forEach((option) => { option.checked = false; });
      return;
    }
    if (!mark.checked) return;
    const alone = mark.hasAttribute("data-alone");
    for (const other of group.querySelectorAll("input")) {
      if (other === mark) continue;
      if (other.type === "number" || other.type === "text") { if (alone) other.value = ""; }
      else if (alone || other.hasAttribute("data-alone")) other.checked = false;
    }
    group.dispatchEvent(new CustomEvent("marked"));
  });
}

// A tap on the body map toggles the checkbox of that part.
for (const map of document.querySelectorAll(".body-map")) {
  const group = map.closest("[data-exclusive]");
  const parts = map.querySelectorAll("[data-for]");
  const show = () => parts.forEach((part) => {
    part.classList.toggle("marked", document.getElementById(part.dataset.for).checked);
  });
  parts.forEach((part) => part.addEventListener("click", () => {
    document.getElementById(part.dataset.for).click();
  }));
  group.addEventListener("change", show);
  group.addEventListener("marked", show);
  show();
}

// Screen readers start with the list of faults.
document.querySelector(".errors")?.focus();

// On a shared device an idle page is left, so that it shows no answers to others.
const idle = Number(document.body.dataset.idleSeconds || 0);
if (idle) {
  let timer;
  const restart = () => {
    clearTimeout(timer);
    timer = setTimeout(() => location.replace(document.body.dataset.leave), idle * 1000);
  };
  for (const kind of ["pointerdown", "keydown", "input", "scroll"]) addEventListener(kind, restart, { passive: true });
  restart();
}
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
