// @ts-check
/**
 * Hand scanners type what they read into whatever has the focus, faster than any hand, and press Enter.
 * A burst of keys that is a card goes where cards are read; the field it fell into is as before.
 *
 * An input method that turns “dd” into “đ” sees those keys first, and what it did cannot be undone
 * here: the server says so when the text does not make sense (`qr_retyped`).
 */
import { isCardLike } from "./cards.js";

// Quick typists leave 60 ms between keys now and then, but never for a whole card with its bars.
const LONGEST_GAP_MS = 100;
// On a busy machine keys arrive late, with the times at which they were pressed.
const SILENCE_MS = 1000;
// So many quick keys while no field has the focus: nobody meant to type them there.
const ENOUGH_KEYS = 3;
// Some end with two keys, or after a pause: neither may press what the card has just filled.
const AFTERWARDS_MS = 1000;
const ENDS = new Set(["Enter", "Tab"]);

/**
 * @typedef {Pick<HTMLInputElement, "value" | "focus" | "dispatchEvent">} Home
 * @typedef {Pick<HTMLInputElement, "value" | "selectionStart" | "selectionEnd" | "maxLength" | "setSelectionRange" | "dispatchEvent">} Field
 * @typedef {{ field: Field | null, other: { value: string } | null, value: string, start: number, end: number }} Before
 * @typedef {Pick<KeyboardEvent, "key" | "timeStamp" | "repeat" | "ctrlKey" | "altKey" | "metaKey" | "target" | "preventDefault" | "stopPropagation">} Key
 */

export class TypedCards {
  #home;
  #take;
  #focused;
  #keys = "";
  #count = 0;
  #last = -Infinity;
  #taken = -Infinity;
  /** @type {Before} */
  #before = { field: null, other: null, value: "", start: 0, end: 0 };
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #silence;

  /**
   * @param {Home} home The field for cards, which gets what is typed while no field has the focus.
   * @param {(text: string) => void} take
   * @param {() => unknown} [focused]
   */
  constructor(home, take, focused = () => document.activeElement) {
    this.#home = home;
    this.#take = take;
    this.#focused = focused;
  }

  /** @param {EventTarget} root */
  watch(root) {
    root.addEventListener("keydown", (event) => this.gotKey(/** @type {any} */ (event)), true);
  }

  /** @param {Key} event */
  gotKey(event) {
    if (event.ctrlKey || event.metaKey) return;
    if (ENDS.has(event.key)) return this.#gotEnd(event);
    const isQuick = event.timeStamp - this.#last <= LONGEST_GAP_MS;
    // An input method hides what was typed, but not that it was.
    const isTyped = [...event.key].length === 1 || event.key === "Process";
    if (!isTyped || event.repeat) return;
    if (!isQuick) this.#begin(event.target);
    this.#last = event.timeStamp;
    this.#count += 1;
    // Digits typed with Alt are the number of one letter.
    if (event.key !== "Process" && !event.altKey) this.#keys += event.key;
    if (!this.#before.field && this.#count >= ENOUGH_KEYS) this.#bringHome(event);
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#finish(), SILENCE_MS);
  }

  /** @param {EventTarget | null} target */
  #begin(target) {
    this.#keys = "";
    this.#count = 0;
    const place = /** @type {any} */ (target);
    const isField = typeof place?.selectionStart === "number" && !place.readOnly;
    this.#before = {
      field: isField ? place : null,
      // Letters typed at a list choose from it.
      other: !isField && typeof place?.value === "string" ? place : null,
      value: place?.value ?? "",
      start: place?.selectionStart ?? 0,
      end: place?.selectionEnd ?? 0,
    };
  }

  /** @param {Key} event */
  #bringHome(event) {
    // Else a blank would press the button that has the focus.
    event.preventDefault();
    const { other, value } = this.#before;
    if (other) other.value = value;
    const home = /** @type {Home & Field} */ (this.#home);
    home.value = this.#keys;
    home.focus();
    home.setSelectionRange(home.value.length, home.value.length);
    // Not where something covers the page: then the keys alone are what was typed.
    if (this.#focused() === home) this.#before = { field: home, other: null, value: "", start: 0, end: 0 };
  }

  /** @param {Key} event */
  #gotEnd(event) {
    const isItsEnd = event.timeStamp - this.#last <= AFTERWARDS_MS;
    const isLeftOver = event.timeStamp - this.#taken <= AFTERWARDS_MS;
    if ((isItsEnd && this.#finish()) || isLeftOver) {
      event.preventDefault();
      event.stopPropagation();
    }
    this.#last = -Infinity;
  }

  /** Whether it was a card; until it is one, more keys may belong to it. */
  #finish() {
    clearTimeout(this.#silence);
    const text = this.#text();
    if (!isCardLike(text)) return false;
    this.#taken = this.#last;
    this.#last = -Infinity;
    this.#keys = "";
    this.#putBack();
    this.#take(text);
    return true;
  }

  /** What stands in the field knows of letters that no key has; a full field has lost some. */
  #text() {
    const { field, value, start, end } = this.#before;
    if (!field) return this.#keys;
    const [head, tail] = [value.slice(0, start), value.slice(end)];
    const isFull = field.maxLength >= 0 && field.value.length >= field.maxLength;
    const isAround = field.value.startsWith(head) && field.value.endsWith(tail);
    if (isFull || !isAround) return this.#keys;
    return field.value.slice(head.length, field.value.length - tail.length);
  }

  #putBack() {
    const { field, value, start, end } = this.#before;
    if (!field) return;
    field.value = value;
    field.setSelectionRange(start, end);
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
}
