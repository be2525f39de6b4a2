// Says in place when somebody else changed something, and shows new values where they are, without moving the page.

const MOST_NOTES = 3;
const PAUSE = 250; // milliseconds until new values are shown; the note is shown at once
const LONGEST_PAUSE = 2000; // milliseconds, while changes follow each other

// Replaces what changed within the elements that have a data-fresh key, unless somebody is using it.
async function refresh() {
  const response = await fetch(location.href, { headers: { accept: "text/html" } });
  if (!response.ok || response.redirected) return;
  const fetched = new DOMParser().parseFromString(await response.text(), "text/html");
  const fresh = new Map([...fetched.querySelectorAll("[data-fresh]")].map((each) => [each.dataset.fresh, each]));
  for (const old of document.querySelectorAll("[data-fresh]")) {
    const replacement = fresh.get(old.dataset.fresh);
    if (!replacement || replacement.innerHTML === old.innerHTML || old.contains(document.activeElement)) continue;
    replacement.classList.add("changed");
    old.replaceWith(document.adoptNode(replacement));
  }
}

function link(href, words) {
  const anchor = document.createElement("a");
  anchor.href = href;
  anchor.textContent = words;
  return anchor;
}

function show(place, text, links) {
  const note = document.createElement("p");
  note.className = "notice";
  const dismiss = document.createElement("button");
  dismiss.className = "link";
  dismiss.textContent = "Dismiss";
  dismiss.addEventListener("click", () => note.remove());
  note.append(text, ...links.flatMap((each) => [" ", each]), " ", dismiss);
  place.prepend(note);
  [...place.children].slice(MOST_NOTES).forEach((each) => each.remove());
}

export function follow() {
  const { root, revision } = document.body.dataset;
  const place = document.getElementById("live");
  if (!place || !document.querySelector("nav[aria-label=Main]")) return;
  const { about } = document.querySelector("main").dataset;
  let waiting = 0;
  let pause = PAUSE;
  let refreshed = 0;
  const source = new EventSource(`${root}events?since=${revision}`);
  source.addEventListener("change", (event) => {
    const { text, settings, link: href, label } = JSON.parse(event.data);
    if (about && settings && !settings.includes(about)) return;
    show(place, text, [...(href ? [link(root + href, label)] : []), link(location.href, "Show the new state")]);
    if (waiting || !document.querySelector("[data-fresh]")) return;
    // A page that changes all the time is not fetched all the time.
    pause = Date.now() - refreshed > 2 * pause ? PAUSE : Math.min(2 * pause, LONGEST_PAUSE);
    waiting = setTimeout(() => {
      waiting = 0;
      refreshed = Date.now();
      refresh().catch((error) => console.warn("the page shows older values:", error));
    }, pause);
  });
}
