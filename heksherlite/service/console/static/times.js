// Shows times, which are in UTC, in the local time zone if the reader chooses so. The other one is in the tooltip.

const KEY = "heksherlite-times";
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const pad = (number) => String(number).padStart(2, "0");

function local(moment) {
  const date = [moment.getFullYear(), pad(moment.getMonth() + 1), pad(moment.getDate())].join("-");
  return `${date} ${pad(moment.getHours())}:${pad(moment.getMinutes())}`;
}

function show(within) {
  const isLocal = localStorage.getItem(KEY) === "local";
  for (const time of within.querySelectorAll("time[datetime]")) {
    time.dataset.utc ??= time.textContent;
    const here = local(new Date(time.dateTime));
    time.textContent = isLocal ? here : time.dataset.utc;
    time.title = isLocal ? `${time.dataset.utc} UTC` : `${here} ${zone}`;
  }
}

export function addLocalTimes() {
  const place = document.getElementById("zone");
  if (!place) return;
  const button = document.createElement("button");
  button.className = "link";
  const name = () => {
    const isLocal = localStorage.getItem(KEY) === "local";
    place.textContent = isLocal ? `times are in ${zone}` : "times are in UTC";
    button.textContent = isLocal ? "Show them in UTC" : `Show them in ${zone}`;
  };
  button.addEventListener("click", () => {
    localStorage.setItem(KEY, localStorage.getItem(KEY) === "local" ? "utc" : "local");
    name();
    show(document);
  });
  show(document);
  if (zone === "UTC") return;
  name();
  place.after(" · ", button);
  new MutationObserver((changes) => {
    for (const { addedNodes } of changes) for (const node of addedNodes) if (node.querySelectorAll) show(node);
  }).observe(document.querySelector("main"), { childList: true, subtree: true });
}
