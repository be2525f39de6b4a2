// Says in place when somebody else changed something, and shows new values where they are, without moving the page.

const MOST_NOTES = 3;
const PAUSE = 250; // milliseconds until new values are shown; the note is shown at once
const INTERVAL = 600; // milliseconds between two requests for the page, at least
const SHARE = 8; // how much longer the interval is than a request takes, so that a busy service is not made busier

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

let before; // what had the focus before the notes

function show(place, text, links) {
  const note = document.createElement("p");
  note.className = "notice";
  const dismiss = document.createElement("button");
  dismiss.className = "link";
  dismiss.textContent = "Dismiss";
  dismiss.addEventListener("click", () => {
    note.remove();
    (place.querySelector("button") ?? (before?.isConnected ? before : document.querySelector("main"))).focus();
  });
  note.append(text, ...links.flatMap((each) => [" ", each]), " ", dismiss);
  place.prepend(note);
  [...place.children].slice(MOST_NOTES).forEach((each) => each.remove());
}

// Returns whether the page shows values of settings that changed; all of them are meant if there are no names.
function concerns(about, settings) {
  if (!document.querySelector("[data-fresh]")) return false;
  return !settings || about || settings.some((name) => document.querySelector(`[data-fresh="${CSS.escape(name)}"]`));
}

// Returns a function that shows new values soon, and not more often than the service can bear.
function refresher() {
  let waiting = 0;
  let began = 0;
  let took = 0;
  const start = async () => {
    waiting = 0;
    if (document.hidden) return;
    began = performance.now();
    await refresh().catch((error) => console.warn("the page shows older values:", error));
    took = performance.now() - began;
  };
  const soon = () => {
    const interval = Math.max(INTERVAL, SHARE * took);
    waiting ||= setTimeout(start, Math.max(PAUSE, began ? began + interval - performance.now() : 0));
  };
  document.addEventListener("visibilitychange", () => document.hidden || soon());
  return soon;
}

export function follow() {
  const { root, revision } = document.body.dataset;
  const place = document.getElementById("live");
  if (!place || !document.querySelector("nav[aria-label=Main]")) return;
  const { about } = document.querySelector("main").dataset;
  const refreshSoon = refresher();
  place.addEventListener("focusin", ({ relatedTarget }) => {
    if (relatedTarget && !place.contains(relatedTarget)) before = relatedTarget;
  });
  const source = new EventSource(`${root}events?since=${revision}`);
  source.addEventListener("change", (event) => {
    const { text, settings, link: href, label } = JSON.parse(event.data);
    if (about && settings && !settings.includes(about)) return;
    show(place, text, [...(href ? [link(root + href, label)] : []), link(location.href, "Show the new state")]);
    if (concerns(about, settings)) refreshSoon();
  });
}
