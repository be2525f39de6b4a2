// Adds the local time to each time, which is in UTC.

export function addLocalTimes() {
  const zone = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  for (const time of document.querySelectorAll("time[datetime]")) {
    time.title = `${zone.format(new Date(time.dateTime))} local time`;
  }
}
