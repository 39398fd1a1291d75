// Copies a link or a note to the clipboard, and proposes the time zone of this computer.
// Optional: every page works without scripts.
"use strict";

for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    const field = document.getElementById(button.dataset.copy);
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
    } catch {
      document.execCommand("copy");
    }
    document.getElementById("copied").textContent = button.dataset.done;
  });
}

const zone = document.querySelector("[data-own-time-zone]");
const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && zone.value === "UTC" && [...zone.options].some((option) => option.value === own)) {
  zone.value = own;
}

// Five minutes before the session ends the page says so; a newly opened page prolongs the session.
const WARNING_SECONDS = 300;
const sessionSeconds = Number(document.body.dataset.sessionSeconds || 0);
const warning = document.getElementById("session-ending");
if (sessionSeconds > WARNING_SECONDS && warning) {
  let timer;
  const restart = () => {
    warning.hidden = true;
    clearTimeout(timer);
    timer = setTimeout(() => { warning.hidden = false; }, (sessionSeconds - WARNING_SECONDS) * 1000);
  };
  document.getElementById("stay").addEventListener("click", restart);
  restart();
}
