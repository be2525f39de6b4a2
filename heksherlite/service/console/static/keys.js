// Keys: "/" searches, "?" helps, arrows move between the rows of tables, Escape leaves a field.

const linksOf = (row) => row.querySelector("th a[href], td a[href]");

function move(from, step) {
  const rows = [...document.querySelectorAll("main tbody tr:not(.group)")].filter(linksOf);
  if (!rows.length) return false;
  const place = rows.indexOf(from?.closest?.("tr"));
  const next = rows[place < 0 ? (step > 0 ? 0 : rows.length - 1) : place + step];
  if (next) linksOf(next).focus();
  return Boolean(next);
}

export function listen() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const field = event.target.closest?.("input, textarea, select");
    if (field) {
      if (event.key === "Escape") field.blur();
      return;
    }
    if (event.key === "/") {
      const search = document.querySelector("main input[type=search]");
      if (search) {
        event.preventDefault();
        search.focus();
        search.select();
      }
    } else if (event.key === "?") {
      location.href = `${document.body.dataset.root}help`;
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (event.target.closest?.("table") && move(event.target, event.key === "ArrowDown" ? 1 : -1)) event.preventDefault();
    }
  });
}
