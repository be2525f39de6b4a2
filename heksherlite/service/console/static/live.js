// Says in place when somebody else changed something, without moving what the reader looks at.

export function follow() {
  const { root, revision } = document.body.dataset;
  const place = document.getElementById("live");
  if (!place || !document.querySelector("nav[aria-label=Main]")) return;
  const source = new EventSource(`${root}events?since=${revision}`);
  source.addEventListener("change", (event) => {
    const { text, link, label } = JSON.parse(event.data);
    const note = document.createElement("p");
    note.className = "notice";
    note.append(text, " ");
    for (const [href, words] of [[link && root + link, label], [location.href, "Show the new state"]]) {
      if (!href) continue;
      const anchor = document.createElement("a");
      anchor.href = href;
      anchor.textContent = words;
      note.append(anchor, " ");
    }
    place.replaceChildren(note);
  });
}
