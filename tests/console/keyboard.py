"""A walk over a page with the keys of the keyboard, which notes what cannot be reached, seen or left."""

from typing import Any, Final

_PREPARE: Final = """() => {
  document.querySelectorAll("details").forEach((each) => (each.open = true));
  const parts = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']";
  const shown = (each) => each.checkVisibility({ visibilityProperty: true }) && !each.disabled;
  const groups = new Set();
  const stops = [...document.querySelectorAll(parts)].filter(shown).filter((each) => {
    if (each.type !== "radio") return true;
    const group = [...document.querySelectorAll(`input[type=radio][name="${each.name}"]`)];
    const stop = group.find((one) => one.checked) ?? group[0];
    return each === stop || !group.includes(stop);
  });
  stops.forEach((each, number) => (each.dataset.stop = number));
  document.body.tabIndex = -1; // so that the walk begins at the top, wherever the page has put the focus
  document.body.focus();
  document.body.removeAttribute("tabindex");
  return stops.length;
}"""
"""Opens all details, numbers what the key Tab has to stop at, in its order, and returns how much that is."""

_LOOK: Final = """() => {
  const at = document.activeElement;
  if (!at || at === document.body) return null;
  const style = getComputedStyle(at);
  const box = at.getBoundingClientRect();
  const [left, right] = [Math.max(box.left, 0), Math.min(box.right, innerWidth)];
  const [top, bottom] = [Math.max(box.top, 0), Math.min(box.bottom, innerHeight)];
  let seen = 0;
  for (const x of [0.1, 0.5, 0.9]) for (const y of [0.1, 0.5, 0.9]) {
    const hit = document.elementFromPoint(left + x * (right - left), top + y * (bottom - top));
    seen += Boolean(hit && (at.contains(hit) || hit.contains(at)));
  }
  return {
    stop: at.dataset.stop === undefined ? -1 : Number(at.dataset.stop),
    what: at.outerHTML.slice(0, 160),
    isMarked: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
    isSeen: right > left && bottom > top && seen > 0,
  };
}"""
"""Returns which stop has the focus, whether it is marked, and whether any of it can be seen; null if nothing has it."""

_MOST_PRESSES: Final = 12
"""How often a key is pressed within one field: those for times have a part for each number."""


def walk(page: Any, name: str) -> list[str]:
    """Walk over a page forwards and backwards, and return what is wrong.

    Args:
        page: The page of the browser.
        name: How the page is called in what is returned.
    """
    count = page.evaluate(_PREPARE)
    faults = []
    for key, numbers in (("Tab", range(count)), ("Shift+Tab", range(count - 2, -1, -1))):
        for number in numbers:
            found = _press(page, key, number)
            if found is None:
                faults.append(f"{name}: {key} loses the focus before stop {number} of {count}: {_stop(page, number)}")
                page.evaluate("n => document.querySelector(`[data-stop='${n}']`).focus()", number)
                continue
            if found["stop"] != number:
                faults.append(f"{name}: {key} leads to {found['what']} and not to stop {number}: {_stop(page, number)}")
                page.evaluate("n => document.querySelector(`[data-stop='${n}']`).focus()", number)
            elif not found["isMarked"]:
                faults.append(f"{name}: the focus is not marked: {found['what']}")
            elif not found["isSeen"]:
                faults.append(f"{name}: {key}: what has the focus cannot be seen: {found['what']}")
    return faults


def _press(page: Any, key: str, number: int) -> Any:
    """Press a key until another element has the focus, and return that."""
    found = None
    for _ in range(_MOST_PRESSES):
        page.keyboard.press(key)
        found = page.evaluate(_LOOK)
        if found is None or found["stop"] != (number - 1 if key == "Tab" else number + 1):
            break
    return found


def _stop(page: Any, number: int) -> str:
    text: str = page.evaluate(
        "n => document.querySelector(`[data-stop='${n}']`)?.outerHTML.slice(0, 160) ?? ''", number
    )
    return text
