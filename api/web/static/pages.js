// What makes the pages a little easier where scripts run. Everything works without it.
"use strict";

document.documentElement.classList.add("scripted");

// "None of these", "I don't know" and "Skip" stand alone in a group; marking one clears the others.
for (const group of document.querySelectorAll("[data-exclusive]")) {
  group.addEventListener("change", (event) => {
    const mark = event.target;
    if (mark.type === "number" || mark.type === "text") {
      if (mark.value) group.querySelectorAll("[data-alone]").forEach((each) => { each.checked = false; });
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

// The picture of the body is a second way to the same checkboxes.
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

// What is to be put right is read first.
document.querySelector(".errors")?.focus();

// On a shared device a page that nobody touches goes away, and so does what it shows.
const idle = Number(document.body.dataset.idleSeconds || 0);
if (idle) {
  let timer;
  const again = () => {
    clearTimeout(timer);
    timer = setTimeout(() => location.replace(document.body.dataset.leave), idle * 1000);
  };
  for (const kind of ["pointerdown", "keydown", "input", "scroll"]) addEventListener(kind, again, { passive: true });
  again();
}
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
