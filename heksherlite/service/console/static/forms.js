// Shows the results of searches and contexts while they are typed. The URL follows, so that it can be sent to others.

const PAUSE = 250; // milliseconds

async function refresh(form, signal) {
  const url = new URL(form.action || location.href);
  url.search = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
  const response = await fetch(url, { signal, headers: { accept: "text/html" } });
  if (!response.ok || response.redirected) return;
  const fetched = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const id of form.dataset.live.split(" ")) {
    const [place, fresh] = [document.getElementById(id), fetched.getElementById(id)];
    if (place && fresh && !place.contains(document.activeElement)) place.replaceWith(document.adoptNode(fresh));
  }
  history.replaceState(null, "", url);
}

// Whoever enters something into an optional part wants it to be set.
export function setWhatIsEntered() {
  document.addEventListener("input", (event) => {
    if (event.target.name?.startsWith("g$")) return;
    for (let part = event.target.closest(".part, .row"); part; part = part.parentElement.closest(".part, .row")) {
      const box = part.querySelector('input[name^="g$"]');
      if (box && box.closest(".part, .row") === part) box.checked = true;
    }
  });
}

export function refreshWhileTyping() {
  for (const form of document.querySelectorAll("form[data-live]")) {
    let waiting = 0;
    let request = new AbortController();
    form.addEventListener("input", () => {
      clearTimeout(waiting);
      request.abort();
      request = new AbortController();
      const { signal } = request;
      waiting = setTimeout(() => refresh(form, signal).catch((error) => {
        if (error.name !== "AbortError") form.removeAttribute("data-live");
      }), PAUSE);
    });
  }
}
