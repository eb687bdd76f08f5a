"use strict";
const one = selector => document.querySelector(selector);

const copy = one("#copy");
if (copy) {
  const markdown = one("#markdown");
  const done = () => {
    copy.textContent = "Copied";
    setTimeout(() => { copy.textContent = "Copy as Markdown"; }, 2000);
  };
  copy.hidden = false;
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(markdown.value);
      done();
    } catch {
      // Only a secure context has a clipboard. The text is selected for the reader's own key.
      markdown.closest("details").open = true;
      markdown.focus();
      markdown.select();
    }
  });
}

const unfold = one("#unfold");
if (unfold) {
  unfold.hidden = false;
  unfold.addEventListener("click", () => {
    const frames = [...document.querySelectorAll(".frames details")];
    const isOpen = frames.some(frame => !frame.open);
    frames.forEach(frame => { frame.open = isOpen; });
  });
}

const localize = () => {
  for (const time of document.querySelectorAll("time")) {
    time.textContent = new Date(time.dateTime).toLocaleTimeString();
  }
};
localize();

const list = () => one("#failures");
if (list()) {
  setInterval(async () => {
    if (document.hidden) return;
    try {
      const response = await fetch(location.href, { headers: { accept: "text/html" } });
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const next = page.querySelector("#failures");
      if (next && next.dataset.last !== list().dataset.last) {
        list().replaceWith(document.adoptNode(next));
        localize();
      }
    } catch {
      // The server restarts.
    }
  }, 1500);
}
