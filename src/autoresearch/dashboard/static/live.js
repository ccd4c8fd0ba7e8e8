// Keeps a page up to date: when the server says that something came, the page is fetched again and what differs is put
// in its place; what runs comes with the event itself. What is unfolded stays so, and what somebody is typing into is left alone.
"use strict";
const news = document.body.dataset.news;
let busy = false, again = false;

function swap(now, next) {
  if (now.innerHTML === next.innerHTML || now.contains(document.activeElement)) return;
  const open = [...now.querySelectorAll("details[open]")].map((one) => (one.closest("[id]") || one).id);
  const ends = [...now.querySelectorAll("pre.log")].map((one) => one.scrollTop + one.clientHeight >= one.scrollHeight - 4);
  now.replaceChildren(...next.childNodes);
  for (const one of now.querySelectorAll("details")) {
    const id = (one.closest("[id]") || one).id;
    if (open.includes(id)) one.open = true;
  }
  [...now.querySelectorAll("pre.log")].forEach((one, place) => { if (ends[place] !== false) one.scrollTop = one.scrollHeight; });
}

async function refresh() {
  if (busy) { again = true; return; }
  busy = true;
  try {
    const answer = await fetch(location.href, { credentials: "same-origin" });
    if (answer.ok) {
      const next = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of document.querySelectorAll("main > section")) {
        const found = next.getElementById(part.id);
        if (found) swap(part, found);
      }
    }
  } finally {
    busy = false;
    if (again) { again = false; refresh(); }
  }
}

for (const log of document.querySelectorAll("pre.log")) log.scrollTop = log.scrollHeight;
if (news) {
  const source = new EventSource(news);
  source.addEventListener("news", refresh);
  source.addEventListener("running", (event) => {
    const part = document.getElementById("running");
    if (part) swap(part, new DOMParser().parseFromString(event.data, "text/html").body);
  });
  source.addEventListener("open", () => document.body.classList.remove("away"));
  source.addEventListener("error", () => document.body.classList.add("away"));
}
