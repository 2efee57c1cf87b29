// @ts-check
/**
 * Techniques of the national list, offered while the code or the name of one is typed. The browser
 * shows them (a datalist); one that is picked fills in the other box of its row. Without this module,
 * or without an answer, everything is typed by hand.
 */
import { get } from "../api.js";
import { findAll, make } from "../dom.js";

const SEARCH_AFTER_MS = 250;
const SHORTEST_SEARCH = 2;

/** @typedef {{ code: string, name: string }} Technique */

/**
 * What the browser offers for one box. Its own filter hides what does not hold the typed letters, so
 * an option of a name carries the code only as a note.
 * @param {"code" | "name"} kind
 * @param {Technique[]} found
 * @returns {{ value: string, label: string }[]}
 */
export function optionsOf(kind, found) {
  const other = kind === "code" ? "name" : "code";
  return found.map((each) => ({ value: each[kind], label: each[other] }));
}

/**
 * What belongs into the other box once this one holds a technique in full: nothing where a hand has
 * written something else there.
 * @param {"code" | "name"} kind
 * @param {string} typed
 * @param {string} other What stands in the other box.
 * @param {string} filled What was put there by the list, if anything.
 * @param {Technique[]} found
 */
export function fillFor(kind, typed, other, filled, found) {
  if (other && other !== filled) return null;
  const wanted = kind === "code" ? typed.trim().toUpperCase() : typed.trim();
  const exact = found.filter((each) => each[kind] === wanted);
  return exact.length === 1 ? exact[0][kind === "code" ? "name" : "code"] : null;
}

let lists = 0;

class Row {
  /** @type {Record<"code" | "name", HTMLInputElement | undefined>} */
  #boxes = { code: undefined, name: undefined };
  /** @type {Record<"code" | "name", string>} */
  #filled = { code: "", name: "" };
  /** @type {Technique[]} */
  #found = [];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {AbortController | null} */
  #asked = null;

  /** @param {HTMLElement} row */
  constructor(row) {
    for (const box of findAll("[data-technique]", HTMLInputElement, row)) {
      const kind = box.dataset.technique === "code" ? "code" : "name";
      const list = make("datalist", { id: `techniques-${(lists += 1)}` });
      box.setAttribute("list", list.id);
      box.after(list);
      this.#boxes[kind] = box;
      box.addEventListener("input", () => this.#gotText(kind, box, list));
    }
  }

  /** @param {"code" | "name"} kind @param {HTMLInputElement} box @param {HTMLElement} list */
  #gotText(kind, box, list) {
    clearTimeout(this.#timer);
    this.#asked?.abort();
    if (this.#fill(kind, box)) return;
    const text = box.value.trim();
    if (text.length < SHORTEST_SEARCH) return list.replaceChildren();
    this.#timer = setTimeout(() => this.#search(kind, box, list, text), SEARCH_AFTER_MS);
  }

  /** @param {"code" | "name"} kind @param {HTMLInputElement} box @param {HTMLElement} list @param {string} text */
  async #search(kind, box, list, text) {
    this.#asked = new AbortController();
    const { signal } = this.#asked;
    try {
      const { techniques } = await get(`/training/techniques?q=${encodeURIComponent(text)}`, { retries: 0, signal });
      if (signal.aborted) return;
      this.#found = techniques;
      list.replaceChildren(
        ...optionsOf(kind, techniques).map(({ value, label }) => make("option", { value, label })),
      );
      this.#fill(kind, box);
    } catch {
      // Without an answer nothing is offered; what is typed counts.
      list.replaceChildren();
    }
  }

  /** @param {"code" | "name"} kind @param {HTMLInputElement} box */
  #fill(kind, box) {
    const otherKind = kind === "code" ? "name" : "code";
    const other = this.#boxes[otherKind];
    if (!other) return false;
    const text = fillFor(kind, box.value, other.value, this.#filled[otherKind], this.#found);
    if (text === null) return false;
    other.value = text;
    this.#filled[otherKind] = text;
    return true;
  }
}

if (globalThis.document) for (const row of findAll('[data-role="technique"]', HTMLElement)) new Row(row);
