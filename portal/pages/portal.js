// Two conveniences, without which every page works as well: the code of a link goes
// from the address into its field, and a form is saved as it is typed.
"use strict";

for (const field of document.querySelectorAll("[data-fragment]")) {
  const code = decodeURIComponent(location.hash.slice(1));
  if (code && code.length <= 60) {
    field.value = code;
    history.replaceState(null, "", location.pathname); // the code leaves the address
  }
}

// A form with data-save is sent as it would be by its button, a moment after the last
// key. Its answer is shown in the form's own status line.
for (const form of document.querySelectorAll("form[data-save]")) {
  const line = form.querySelector(".saved");
  let timer = 0, running = false, again = false, sent = false;
  const say = (text, bad) => {
    line.textContent = text;
    line.toggleAttribute("data-bad", Boolean(bad));
  };
  async function save() {
    clearTimeout(timer);
    timer = 0;
    if (running) {
      again = true;
      return;
    }
    running = true;
    say("Saving…");
    try {
      const answer = await fetch(form.action, {
        method: "POST", body: new URLSearchParams(new FormData(form)), headers: { Accept: "application/json" }, redirect: "error",
      });
      const told = await answer.json();
      say(answer.ok ? told.text : `Not saved: ${told.title}. ${told.next_step ?? ""}`, !answer.ok);
    } catch {
      say("Not saved: the server could not be reached, or the link is over. Press the button to try again.", true);
    }
    running = false;
    if (again) {
      again = false;
      save();
    }
  }
  form.addEventListener("input", () => {
    say("Not saved yet");
    clearTimeout(timer);
    timer = setTimeout(save, 1200);
  });
  form.addEventListener("change", save);
  addEventListener("beforeunload", (event) => {
    if ((timer || running) && !sent) {
      event.preventDefault();
    }
  });
  form.addEventListener("submit", () => {
    clearTimeout(timer);
    timer = 0;
    sent = true; // all of it is on its way: nothing is lost by leaving
  });
}

const errors = document.querySelector("[data-errors]");
if (errors) {
  errors.focus();
}
