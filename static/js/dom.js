// @ts-check
/**
 * The page itself: look-ups that never return null, text that is only ever text, what is spoken, and
 * the furniture that every page has (state of the link, unsent count, clocks, busy buttons, toasts).
 */
import { formatRemaining, t } from "./i18n.js";

const SVG = "http://www.w3.org/2000/svg";
const TICK_MS = 10_000;
const TOAST_MS = 10_000;
// Who stops a page that does not come gets the button back.
const RELEASE_MS = 30_000;

/**
 * @template {Element} T
 * @typedef {new () => T} Kind
 */

/**
 * The one element that matches; a page that lacks it is a mistake in the page.
 * @template {Element} T
 * @param {string} selector
 * @param {Kind<T>} kind
 * @param {ParentNode} [root]
 * @returns {T}
 */
export function find(selector, kind, root = document) {
  const element = root.querySelector(selector);
  if (element instanceof kind) return element;
  throw new Error(element ? `${selector} is not a ${kind.name}` : `no ${selector} in the page`);
}

/**
 * @template {Element} T
 * @param {string} selector
 * @param {Kind<T>} kind
 * @param {ParentNode} [root]
 * @returns {T[]}
 */
export function findAll(selector, kind, root = document) {
  /** @param {Element} element @returns {element is T} */
  const isKind = (element) => element instanceof kind;
  return [...root.querySelectorAll(selector)].filter(isKind);
}

/**
 * An element by its `data-role`, or null where a page may do without it.
 * @param {string} role
 * @param {ParentNode} [root]
 * @returns {HTMLElement | null}
 */
export function part(role, root = document) {
  return root.querySelector(`[data-role="${role}"]`);
}

/**
 * A new element. Children that are strings become text, never markup.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, string | number | boolean | null>} [attributes] true: present; false, null: absent.
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null) element.setAttribute(name, String(value));
  }
  element.append(...children);
  return element;
}

/** @param {string} name A symbol of static/icons.svg. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "i");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `${new URL("../icons.svg", import.meta.url).pathname}#${name}`);
  svg.append(use);
  return svg;
}

/**
 * A mark and words in place of whatever the element held.
 * @param {Element} element
 * @param {string} mark
 * @param {string} text
 */
export function label(element, mark, text) {
  element.replaceChildren(icon(mark), make("span", {}, text));
}

/** Said by a screen reader when it has finished its sentence. @param {string} text */
export function say(text) {
  speak("says", text);
}

/** Said at once: errors and a new emergency only. @param {string} text */
export function warn(text) {
  speak("warns", text);
}

/** @param {string} role @param {string} text */
function speak(role, text) {
  const region = part(role);
  // A region that is emptied first speaks the same sentence a second time.
  region?.replaceChildren();
  setTimeout(() => region?.replaceChildren(text), 50);
}

/** @typedef {"ok" | "weak" | "off"} Link */

/** @returns {Record<Link, { mark: string, tone: string, words: string }>} */
function links() {
  return {
    ok: { mark: "link-ok", tone: "", words: t("Kết nối tốt") },
    weak: { mark: "link-weak", tone: "w", words: t("Kết nối yếu") },
    off: { mark: "link-off", tone: "e", words: t("Mất kết nối") },
  };
}

/** Show how the link is; it speaks when it changes. @param {Link} link */
export function showLink(link) {
  const place = part("link");
  if (!place || place.dataset.link === link) return;
  const { mark, tone, words } = links()[link];
  const isFirst = place.dataset.link === undefined;
  place.dataset.link = link;
  place.classList.remove("w", "e");
  if (tone) place.classList.add(tone);
  label(place, mark, words);
  if (!isFirst || link !== "ok") say(words);
}

/** Show how much stands on this device that the server has not got. @param {number} count */
export function showUnsent(count) {
  const place = part("unsent");
  if (!place) return;
  place.hidden = false;
  place.classList.toggle("w", count > 0);
  if (count) label(place, "outbox", t("{count} chưa gửi", { count }));
  else label(place, "done", t("Đã gửi hết"));
}

/**
 * Name of the count that drafts and outbox keep for a person across pages and tabs.
 * @param {string} person
 */
export function unsentKey(person) {
  return `telemed:unsent:${person}`;
}

/**
 * A message that floats for ten seconds. With an action it is also a way back (undo).
 * @param {string} text
 * @param {{ mark?: string, action?: string, onAction?: () => void }} [options]
 */
export function toast(text, { mark = "done", action = "", onAction } = {}) {
  const box = make("div", { class: "toast", role: "status" }, icon(mark), make("span", {}, text));
  const away = () => box.remove();
  if (action) {
    const button = make("button", { class: "btn sm end", type: "button" }, action);
    button.addEventListener("click", () => {
      away();
      onAction?.();
    });
    box.append(button);
  }
  part("toasts")?.append(box);
  setTimeout(away, TOAST_MS);
}

/**
 * A button that waits for the server: it says so, keeps the focus and cannot be pressed again.
 * Returns the way back.
 * @param {HTMLElement} button
 * @param {string} [words]
 */
export function busy(button, words) {
  const before = [...button.childNodes];
  button.setAttribute("aria-busy", "true");
  button.setAttribute("aria-disabled", "true");
  if (words) button.replaceChildren(words);
  return () => {
    button.removeAttribute("aria-busy");
    button.removeAttribute("aria-disabled");
    if (words) button.replaceChildren(...before);
  };
}

/** Plain forms send once: the second press of a hurried hand is dropped. */
function guardForms() {
  /** @type {Map<HTMLFormElement, () => void>} */
  const sent = new Map();
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!(form instanceof HTMLFormElement) || event.defaultPrevented || form.method !== "post") return;
    if (sent.has(form)) return event.preventDefault();
    const button = event.submitter ?? form.querySelector("button:not([type=button])");
    sent.set(form, button instanceof HTMLElement ? busy(button, form.dataset.busy) : () => {});
    setTimeout(() => release(form), RELEASE_MS);
  });
  const release = (/** @type {HTMLFormElement} */ form) => {
    sent.get(form)?.();
    sent.delete(form);
  };
  // A page taken from the back-forward cache was left in the middle of sending.
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    for (const form of sent.keys()) release(form);
  });
}

/** @type {WeakMap<Element, number>} */
const phases = new WeakMap();

/** @param {number} [now] */
export function tickClocks(now = Date.now()) {
  for (const due of findAll("[data-due]", HTMLElement)) {
    const left = (Date.parse(due.dataset.due ?? "") - now) / 60_000;
    const limit = Number(due.dataset.limit ?? 0);
    const words = formatRemaining(left);
    const clock = find(".clock", HTMLElement, due);
    if (clock.textContent?.trim() !== words) {
      clock.classList.toggle("e", left < 0);
      label(clock, left < 0 ? "warn" : "clock", words);
      const bar = due.querySelector("progress");
      if (bar) bar.value = Math.min(Math.max(limit - left, 0), limit);
      bar?.setAttribute("aria-label", words);
    }
    speakOfClock(due, left < 0 ? 2 : left < limit / 2 ? 1 : 0, words);
  }
}

/**
 * Clocks speak twice: when half of the time is over, and when all of it is.
 * @param {HTMLElement} due
 * @param {0 | 1 | 2} phase
 * @param {string} words
 */
function speakOfClock(due, phase, words) {
  const before = phases.get(due);
  phases.set(due, phase);
  const about = due.dataset.about;
  if (about && before !== undefined && phase > before) say(`${about}: ${words}`);
}

function furnish() {
  showLink(navigator.onLine ? "ok" : "off");
  part("link")?.setAttribute("role", "status");
  addEventListener("online", () => showLink("ok"));
  addEventListener("offline", () => showLink("off"));
  // api.js and live.js learn of the link as they use it.
  addEventListener("telemed:link", (event) => {
    if (event instanceof CustomEvent) showLink(event.detail);
  });
  const { person } = document.body.dataset;
  if (person) {
    const key = unsentKey(person);
    const show = () => showUnsent(Number(localStorage.getItem(key) ?? 0));
    show();
    addEventListener("storage", (event) => event.key === key && show());
    addEventListener("telemed:unsent", show);
  }
  guardForms();
  tickClocks();
  setInterval(tickClocks, TICK_MS);
  // The summary of errors takes the focus, also where `autofocus` does not work on a section.
  part("errors")?.focus();
}

if (globalThis.document) furnish();
