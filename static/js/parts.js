// @ts-check
/**
 * Bring parts of this page up to date from the server's own page, and leave the rest, the focus and
 * the scroll where they are. A document comes as a document: no text is ever turned into markup here.
 */
import { findAll, part } from "./dom.js";

const TIMEOUT_MS = 20_000;

/** The server did not give the page: `status` says why, 0 where nothing came back. */
export class PageError extends Error {
  /** @param {number} status */
  constructor(status) {
    super(`page not loaded: ${status}`);
    this.status = status;
  }
}

/**
 * @param {string} url
 * @returns {Promise<Document>}
 */
export function loadPage(url) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const fail = () => reject(new PageError(request.status));
    request.open("GET", url);
    request.responseType = "document";
    request.timeout = TIMEOUT_MS;
    request.setRequestHeader("Accept", "text/html");
    // A page that looks by itself must not keep its reader signed in.
    request.setRequestHeader("X-By-Itself", "1");
    for (const end of ["error", "timeout", "abort"]) request.addEventListener(end, fail);
    request.addEventListener("load", () => {
      if (request.status === 200 && request.responseXML) resolve(request.responseXML);
      else fail();
    });
    request.send();
  });
}

/**
 * Take parts over from a fresh page by their `data-role`.
 * @param {Document} fresh
 * @param {string[]} roles
 */
export function takeParts(fresh, roles) {
  for (const role of roles) {
    const now = part(role);
    const next = part(role, fresh);
    if (now && next) now.replaceWith(document.adoptNode(next));
  }
}

/**
 * Take over what differs inside one part: what stays the same stays the same element, so that nothing
 * that was read out is read out again.
 * @param {Document} fresh
 * @param {string} role
 * @param {Element[]} [kept] Children of our own that stay at the end.
 */
export function patchPart(fresh, role, kept = []) {
  const now = part(role);
  const next = part(role, fresh);
  if (!now || !next) return;
  for (const { name, value } of next.attributes) if (name.startsWith("data-")) now.setAttribute(name, value);
  const old = [...now.children].filter((child) => !kept.includes(child));
  [...next.children].forEach((child, place) => {
    const before = old[place];
    if (before?.isEqualNode(child)) return;
    const taken = document.adoptNode(child);
    if (before) before.replaceWith(taken);
    else now.insertBefore(taken, kept[0] ?? null);
  });
  for (const extra of old.slice(next.children.length)) extra.remove();
}

/**
 * Has somebody begun to type, or put the focus, inside an element?
 * @param {Element} element
 */
export function isInUse(element) {
  if (element.contains(document.activeElement)) return true;
  const fields = [
    ...findAll("textarea", HTMLTextAreaElement, element),
    ...findAll("input:not([type=hidden])", HTMLInputElement, element),
  ];
  return fields.some((field) => field.value !== field.defaultValue);
}
