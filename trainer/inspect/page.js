"use strict";
const records = [...document.querySelectorAll("article")];
const position = document.getElementById("position");
let shown = 0;

function show(number) {
  records[shown].classList.remove("shown");
  shown = Math.max(0, Math.min(records.length - 1, number));
  records[shown].classList.add("shown");
  position.textContent = `${shown + 1} / ${records.length}`;
  history.replaceState(null, "", `#${records[shown].id}`);
  window.scrollTo(0, 0);
}

const acts = {
  ArrowLeft: () => show(shown - 1),
  ArrowRight: () => show(shown + 1),
  Home: () => show(0),
  End: () => show(records.length - 1),
  b: () => document.body.classList.toggle("unmarked"),
  t: () => document.body.classList.toggle("bounds"),
};

document.addEventListener("keydown", (event) => {
  const act = acts[event.key];
  if (act && !event.ctrlKey && !event.metaKey && !event.altKey) {
    act();
    event.preventDefault();
  }
});
document.getElementById("before").addEventListener("click", acts.ArrowLeft);
document.getElementById("after").addEventListener("click", acts.ArrowRight);
document.body.classList.add("paged");
show(Math.max(0, records.findIndex((record) => `#${record.id}` === location.hash)));
