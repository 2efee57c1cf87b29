// @ts-check
/**
 * The request form: boxes for more questions, flags under vital signs, the search for codes, and how
 * far each part is. Saving is the business of drafts.js; without this module every button still works.
 */
import { get } from "../api.js";
import { find, findAll, icon, label, make, part, say } from "../dom.js";
import { formatDate, formatTime, t } from "../i18n.js";

const MOST_QUESTIONS = 10;
const SEARCH_AFTER_MS = 250;
const SHORTEST_SEARCH = 2;

const form = find("[data-role=request]", HTMLFormElement);

/** @param {string} name */
function box(name) {
  return find(`[name="${name}"]`, HTMLInputElement, form);
}

/** Scripts change a field as hands do, so that the draft is saved. @param {HTMLElement} field */
function touched(field) {
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

// Questions

const questions = part("questions", form);

function countQuestions() {
  return questions?.querySelectorAll("textarea").length ?? 0;
}

function addQuestion() {
  const n = countQuestions() + 1;
  const id = `f-question_${n}`;
  const text = make("textarea", { id, name: "question", "data-list": true, maxlength: 1000 });
  questions?.append(make("div", { class: "f" }, make("label", { for: id }, t("Câu {n}", { n })), text));
  if (n >= MOST_QUESTIONS) part("add-question", form)?.remove();
  return text;
}

part("add-question", form)?.addEventListener("click", (event) => {
  event.preventDefault();
  const text = addQuestion();
  text.focus();
  touched(text);
});

form.addEventListener("telemed:grow", (event) => {
  const { name, count } = /** @type {CustomEvent<{ name: string, count: number }>} */ (event).detail;
  while (name === "question" && countQuestions() < Math.min(count, MOST_QUESTIONS)) addQuestion();
});

// Vital signs

/** @param {HTMLElement} cell A cell with the usual range of an adult. */
function judge(cell) {
  const [low, high] = (cell.dataset.usual ?? "").split(" ").map(Number);
  const typed = find("input", HTMLInputElement, cell).value.trim().replace(",", ".");
  const value = /^\d+(\.\d+)?$/.test(typed) ? Number(typed) : NaN;
  const flag = cell.querySelector(".flag");
  const isOff = value < low || value > high;
  cell.classList.toggle("off", isOff);
  if (!flag) return;
  flag.replaceChildren();
  if (isOff) flag.append(icon(value < low ? "down" : "up"), value < low ? t("Thấp") : t("Cao"));
}

/** The time of measuring is now, unless something else is written. */
function noteTime() {
  const time = box("taken_time");
  if (time.value) return;
  time.value = formatTime(Date.now());
  box("taken_date").value = formatDate(Date.now());
}

for (const table of findAll("[data-role=vitals]", HTMLElement, form)) {
  table.addEventListener("input", (event) => {
    const field = /** @type {HTMLInputElement} */ (event.target);
    if (field.value.trim()) noteTime();
    const cell = field.closest("[data-usual]");
    if (cell instanceof HTMLElement) judge(cell);
  });
}

// Fields that only some answers need

/** @param {string} name @param {string} asked @param {string} answer */
function showOnly(name, asked, answer) {
  const place = box(name).closest(".f");
  const chosen = new FormData(form).get(asked);
  if (place instanceof HTMLElement) place.hidden = chosen !== answer;
}

function showNeeded() {
  showOnly("allergies", "allergy_state", "known");
  showOnly("giver_name", "basis", "guardian");
}

form.addEventListener("change", showNeeded);
form.addEventListener("telemed:filled", () => {
  showNeeded();
  for (const cell of findAll("[data-usual]", HTMLElement, form)) judge(cell);
});
showNeeded();

// Enter in a box would press the first button; with scripts everything is saved already.
form.addEventListener("keydown", (event) => {
  const isBox = event.target instanceof HTMLInputElement && !event.target.matches("[type=file]");
  if (event.key === "Enter" && isBox) event.preventDefault();
});

const attach = part("attach", form);
if (attach) attach.hidden = false;

// How far each part is

/** @typedef {{ id: string, state: "done" | "wrong" | "missing" | "optional" }} Section */

/** @returns {Record<Section["state"], { mark: string, tone: string, words: string }>} */
function marks() {
  return {
    done: { mark: "done", tone: "ok", words: t("xong") },
    wrong: { mark: "stop", tone: "e", words: t("cần sửa") },
    missing: { mark: "ring", tone: "", words: t("còn thiếu") },
    optional: { mark: "ring", tone: "soft", words: t("không bắt buộc") },
  };
}

/** @param {Section[]} sections */
function showSections(sections) {
  /** @type {HTMLAnchorElement[]} */
  const open = [];
  for (const { id, state } of sections) {
    const link = document.querySelector(`[data-role=steps] a[href="#${id}"]`);
    if (!(link instanceof HTMLAnchorElement)) continue;
    const { mark, tone, words } = marks()[state];
    const title = find("span", HTMLSpanElement, link);
    const sign = icon(mark);
    if (tone) sign.classList.add(tone);
    link.dataset.state = state;
    link.replaceChildren(sign, title, make("span", { class: "sr" }, ` – ${words}`));
    if (state === "missing" || state === "wrong") open.push(make("a", { href: `#${id}` }, title.textContent ?? ""));
  }
  showMissing(open);
}

/** @param {HTMLAnchorElement[]} open */
function showMissing(open) {
  const place = part("missing", form);
  if (!place) return;
  label(place, open.length ? "ring" : "done", t("Đã đủ để gửi"));
  if (!open.length) return;
  const more = open.length > 1 ? "…" : "";
  place.lastElementChild?.replaceChildren(t("Còn {n} phần:", { n: open.length }), " ", open[0], more);
}

/**
 * What the triage scores say: telemed/consults/vitals/note.py.
 * @typedef {{ tone: "" | "w" | "e", title: string, advice: string, lines: string[], disagreement: string, basis: string }} TriageNote
 */

/** @param {TriageNote | null} note */
function showTriage(note) {
  const place = part("triage", form);
  if (!place) return;
  if (!note) return place.replaceChildren();
  const { tone, title, advice, lines, disagreement, basis } = note;
  const words = make("div", {}, make("b", {}, title), advice && ` – ${advice}`);
  for (const line of lines) words.append(make("br"), line);
  if (disagreement) words.append(make("br"), make("b", {}, disagreement));
  words.append(make("br"), make("span", { class: "small" }, basis));
  const box = make("div", { class: tone ? `note ${tone}` : "note" }, icon({ "": "info", w: "warn", e: "stop" }[tone]), words);
  // A screen reader is told of what has changed, not of every save.
  if (box.textContent !== place.textContent) place.replaceChildren(box);
}

form.addEventListener("telemed:saved", (event) => {
  const { sections, triage } = /** @type {CustomEvent<{ sections?: Section[], triage?: TriageNote | null }>} */ (event).detail;
  if (sections) showSections(sections);
  if (triage !== undefined) showTriage(triage);
});

// The search for codes: a text box with a list of choices (ARIA combobox)

/** @typedef {{ code: string, title: string }} Code */

class CodeSearch {
  #input = box("icd");
  #title = part("icd-title", form);
  #list = make("ul", { id: "icd-list", role: "listbox", class: "card flat rows", hidden: true });
  /** @type {Code[]} */
  #codes = [];
  #at = -1;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {AbortController | null} */
  #asked = null;

  constructor() {
    const attributes = {
      role: "combobox",
      "aria-autocomplete": "list",
      "aria-expanded": "false",
      "aria-controls": this.#list.id,
    };
    for (const [name, value] of Object.entries(attributes)) this.#input.setAttribute(name, value);
    const words = form.querySelector(`label[for="${this.#input.id}"]`);
    this.#list.setAttribute("aria-label", words?.textContent?.trim() ?? "");
    this.#input.after(this.#list);
    this.#input.addEventListener("input", () => this.#gotText());
    this.#input.addEventListener("keydown", (event) => this.#gotKey(event));
    this.#input.addEventListener("blur", () => this.#close());
    // The box must keep the focus, or the list is gone before the click arrives.
    this.#list.addEventListener("mousedown", (event) => event.preventDefault());
    this.#list.addEventListener("click", (event) => {
      const item = event.target instanceof Element ? event.target.closest("li") : null;
      if (item) this.#choose([...this.#list.children].indexOf(item));
    });
  }

  #gotText() {
    clearTimeout(this.#timer);
    this.#asked?.abort();
    this.#title?.replaceChildren();
    const text = this.#input.value.trim();
    if (text.length < SHORTEST_SEARCH) return this.#close();
    this.#timer = setTimeout(() => this.#search(text), SEARCH_AFTER_MS);
  }

  /** @param {string} text */
  async #search(text) {
    this.#asked = new AbortController();
    const { signal } = this.#asked;
    try {
      const { codes } = await get(`/icd?q=${encodeURIComponent(text)}`, { retries: 0, signal });
      if (!signal.aborted && document.activeElement === this.#input) this.#open(codes);
    } catch {
      // Without an answer the code is judged when the form is sent.
      this.#close();
    }
  }

  /** @param {Code[]} codes */
  #open(codes) {
    this.#codes = codes;
    this.#at = -1;
    this.#list.replaceChildren(
      ...codes.map(({ code, title }, nth) =>
        make(
          "li",
          { id: `icd-${nth}`, role: "option", class: "item", "aria-selected": "false" },
          make("span", {}, make("b", {}, code), ` ${title}`),
        ),
      ),
    );
    this.#expand(codes.length > 0);
    say(codes.length ? t("{count} mã", { count: codes.length }) : t("Không có mã nào"));
    this.#showExact();
  }

  /** A code typed in full needs no choosing. */
  #showExact() {
    const typed = this.#input.value.replace(/[\s.]/g, "").toUpperCase();
    const exact = this.#codes.find(({ code }) => code.replace(".", "") === typed);
    if (exact) this.#title?.replaceChildren(`${exact.code} – ${exact.title}`);
  }

  /** @param {KeyboardEvent} event */
  #gotKey(event) {
    if (this.#list.hidden) return;
    const moves = { ArrowDown: 1, ArrowUp: -1 };
    if (event.key in moves) this.#move(moves[/** @type {keyof typeof moves} */ (event.key)]);
    else if (event.key === "Enter" && this.#at >= 0) this.#choose(this.#at);
    else if (event.key === "Escape") this.#close();
    else return;
    event.preventDefault();
  }

  /** @param {number} step */
  #move(step) {
    const items = [...this.#list.children];
    items[this.#at]?.setAttribute("aria-selected", "false");
    this.#at = (this.#at + step + items.length + (this.#at < 0 && step < 0 ? 1 : 0)) % items.length;
    const item = items[this.#at];
    item.setAttribute("aria-selected", "true");
    item.scrollIntoView({ block: "nearest" });
    this.#input.setAttribute("aria-activedescendant", item.id);
  }

  /** @param {number} nth */
  #choose(nth) {
    const { code, title } = this.#codes[nth];
    this.#input.value = code;
    this.#close();
    touched(this.#input);
    clearTimeout(this.#timer);
    this.#title?.replaceChildren(`${code} – ${title}`);
    say(`${code} ${title}`);
  }

  /** @param {boolean} isOpen */
  #expand(isOpen) {
    this.#list.hidden = !isOpen;
    this.#input.setAttribute("aria-expanded", String(isOpen));
    this.#input.removeAttribute("aria-activedescendant");
  }

  #close() {
    clearTimeout(this.#timer);
    this.#asked?.abort();
    this.#expand(false);
  }
}

new CodeSearch();
