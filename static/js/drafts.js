// @ts-check
/**
 * A form that loses nothing: what is typed goes to the device first, then to the server, and the page
 * always says how far it came.
 *
 *   <form data-draft="/consults/…/draft" data-revision="3" method="post" action="…/submit">
 *
 * The draft address takes `{revision, values}` and answers `{revision}`; a newer revision there is
 * refused with 409 and `{current: {revision, values}}`. A field `revision` of the form is kept up to date.
 */
import { ApiError, newKey, send } from "./api.js";
import { icon, label, make, part, say, unsentKey, warn } from "./dom.js";
import { formatTime, t } from "./i18n.js";

const AFTER_KEY_MS = 500;
const SLOW_MS = 2_000;
const RETRY_MS = [2_000, 5_000, 15_000, 30_000, 60_000];
const NOT_KEPT = new Set(["password", "file", "hidden", "submit", "button", "reset", "image"]);

/**
 * @typedef {Record<string, string | string[]>} Values
 * @typedef {{ values: Values, revision: number, key: string }} Attempt
 * @typedef {object} Copy What the device keeps.
 * @property {Values} values
 * @property {number} revision The server's revision they were typed over.
 * @property {boolean} isSent
 * @property {Attempt | null} attempt Sent, but never answered.
 * @property {Values | null} other The text that was not chosen in a conflict.
 *
 * @typedef {object} Device
 * @property {() => Promise<Copy | null>} get
 * @property {(copy: Copy) => Promise<void>} put
 * @property {() => Promise<void>} remove
 *
 * @typedef {{ kind: "server", at: number } | { kind: "device", at: number } | { kind: "failed", message: string, status: number } | { kind: "conflict", mine: Values, theirs: Values } | { kind: "kept_aside", other: Values }} State
 *
 * @typedef {object} Parts
 * @property {() => Values} read
 * @property {(values: Values) => void} write
 * @property {Device} device
 * @property {(attempt: Attempt) => Promise<{ revision: number }>} save
 * @property {(state: State) => void} show
 * @property {number} revision
 * @property {() => number} [now]
 *
 * @typedef {"safe" | "unanswered" | "signed_out" | "refused" | "conflict"} Outcome Of an attempt to save.
 */

/** The rules of one draft, without a page: what is where, and what to do when a step fails. */
export class Draft {
  /** @type {Required<Parts>} */
  #parts;
  #revision;
  #typed = 0;
  #onDevice = 0;
  #onServer = 0;
  /** @type {Attempt | null} */
  #attempt = null;
  #attempted = 0;
  /** @type {Values | null} */
  #other = null;
  /** @type {{ revision: number, values: Values } | null} */
  #theirs = null;
  /** @type {Promise<void> | null} */
  #sending = null;
  #failures = 0;
  #refusedWith = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {Parts} parts */
  constructor(parts) {
    this.#parts = { now: Date.now, ...parts };
    this.#revision = parts.revision;
  }

  get revision() {
    return this.#revision;
  }

  /** True when the server has everything that was typed. */
  get isSafe() {
    return this.#onServer === this.#typed && this.#theirs === null;
  }

  /** True when what was typed stands nowhere but in the page. */
  get isAtRisk() {
    return !this.isSafe && this.#onDevice === -1;
  }

  /** Bring back what an earlier page left on this device, if the server never got it. */
  async resume() {
    const { device, read, write } = this.#parts;
    const copy = await device.get().catch(() => null);
    if (!copy) return;
    this.#other = copy.other;
    if (this.#other) this.#parts.show({ kind: "kept_aside", other: this.#other });
    const served = read();
    if (copy.isSent || same(copy.values, served)) return this.#tidy();
    const wasServed = copy.revision === this.#revision || same(copy.attempt?.values, served);
    write(copy.values);
    this.#typed += 1;
    if (!wasServed) return this.#conflict({ revision: this.#revision, values: served });
    await this.flush();
  }

  /** Something was typed: save it half a second after the last key. */
  touch() {
    this.#typed += 1;
    this.#schedule(AFTER_KEY_MS);
  }

  /**
   * Save now what is not saved: to the device, then to the server. Never raises.
   * @returns {Promise<Outcome>}
   */
  async flush() {
    clearTimeout(this.#timer);
    await this.#toDevice();
    if (!this.isSafe && !this.#theirs) {
      this.#sending ??= this.#toServer().finally(() => (this.#sending = null));
      await this.#sending;
    }
    if (this.#theirs) return "conflict";
    if (this.isSafe) return "safe";
    if (this.#refusedWith === 401) return "signed_out";
    return this.#refusedWith ? "refused" : "unanswered";
  }

  /** Settle a conflict; the other text stays on the device. @param {"mine" | "theirs"} choice */
  async choose(choice) {
    if (!this.#theirs) return;
    const { revision, values } = this.#theirs;
    this.#theirs = null;
    this.#revision = revision;
    this.#other = choice === "mine" ? values : this.#parts.read();
    if (choice === "theirs") this.#parts.write(values);
    this.#typed += 1;
    this.#parts.show({ kind: "kept_aside", other: this.#other });
    await this.flush();
  }

  /** The text that was not chosen is not needed any more. */
  async dropOther() {
    this.#other = null;
    await this.#tidy();
  }

  close() {
    clearTimeout(this.#timer);
  }

  /** @param {number} ms */
  #schedule(ms) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.flush(), ms);
  }

  async #toDevice() {
    if (this.#onDevice === this.#typed) return;
    const typed = this.#typed;
    try {
      await this.#parts.device.put(this.#copy());
      this.#onDevice = typed;
      if (!this.isSafe && this.#failures) this.#showKept();
    } catch {
      // The server may still take it; if it does not, #gotFailure says so.
      this.#onDevice = -1;
    }
  }

  async #toServer() {
    const slow = setTimeout(() => this.#showKept(), SLOW_MS);
    try {
      while (!this.isSafe) {
        // An attempt without an answer goes out again as it was, under its own key: it may have arrived.
        if (!this.#attempt) {
          this.#attempt = { values: this.#parts.read(), revision: this.#revision, key: newKey() };
          this.#attempted = this.#typed;
        }
        const answer = await this.#parts.save(this.#attempt);
        this.#revision = answer.revision;
        this.#onServer = this.#attempted;
        this.#attempt = null;
      }
      this.#failures = 0;
      this.#parts.show({ kind: "server", at: this.#parts.now() });
      await this.#tidy();
    } catch (error) {
      await this.#gotFailure(error);
    } finally {
      clearTimeout(slow);
    }
  }

  #showKept() {
    if (this.#onDevice === this.#typed) this.#parts.show({ kind: "device", at: this.#parts.now() });
  }

  /** @param {unknown} error */
  async #gotFailure(error) {
    const refusal = error instanceof ApiError ? error : new ApiError("unexpected", String(error), { status: 400 });
    this.#refusedWith = refusal.isUnanswered ? 0 : refusal.status;
    if (this.#refusedWith) this.#attempt = null;
    if (refusal.status === 409 && refusal.data.current) return this.#conflict(refusal.data.current);
    const pause = RETRY_MS[Math.min(this.#failures, RETRY_MS.length - 1)];
    this.#failures += 1;
    if (refusal.isUnanswered) this.#schedule(pause);
    if (this.#attempt) await this.#parts.device.put(this.#copy()).catch(() => (this.#onDevice = -1));
    if (refusal.isUnanswered && this.#onDevice === this.#typed) this.#showKept();
    else this.#parts.show({ kind: "failed", status: refusal.status, message: refusal.message });
  }

  /** @param {{ revision: number, values: Values }} current */
  async #conflict(current) {
    const mine = this.#parts.read();
    if (same(mine, current.values)) {
      this.#revision = current.revision;
      this.#onServer = this.#typed;
      this.#parts.show({ kind: "server", at: this.#parts.now() });
      return this.#tidy();
    }
    this.#theirs = current;
    this.#parts.show({ kind: "conflict", mine, theirs: current.values });
  }

  /** What the server has need not stay on a shared machine. */
  async #tidy() {
    const { device } = this.#parts;
    const done = this.#other || !this.isSafe ? device.put(this.#copy()) : device.remove();
    await done.catch(() => undefined);
  }

  /** @returns {Copy} */
  #copy() {
    return {
      values: this.#parts.read(),
      revision: this.#revision,
      isSent: this.isSafe,
      attempt: this.#attempt,
      other: this.#other,
    };
  }
}

/** @param {Values} [one] @param {Values} [two] */
export function same(one, two) {
  return differences(one, two).length === 0;
}

/**
 * Names of the fields that differ; an absent field is an empty one, and blanks at the ends are nothing:
 * the server may have tidied what it keeps.
 * @param {Values} [one]
 * @param {Values} [two]
 */
export function differences(one = {}, two = {}) {
  const names = new Set([...Object.keys(one), ...Object.keys(two)]);
  return [...names].filter((name) => flat(one[name]) !== flat(two[name]));
}

/** @param {string | string[]} [value] */
function flat(value = "") {
  const list = [value].flat().map((text) => text.replaceAll("\r\n", "\n").trim().normalize());
  while (list.length && !list[list.length - 1]) list.pop();
  return JSON.stringify(list);
}

/**
 * What stands in the fields of a form. Names that occur more than once, check boxes, and fields marked
 * `data-list` give lists; passwords, files and hidden fields are left out.
 * @param {Iterable<any>} fields
 * @returns {Values}
 */
export function readFields(fields) {
  /** @type {Values} */
  const values = {};
  for (const field of fields) {
    const { name, type, value } = field;
    if (!name || NOT_KEPT.has(type)) continue;
    const before = values[name];
    if (type === "radio") values[name] = field.checked ? value : (before ?? "");
    else if (type === "checkbox") values[name] = [...(before ?? []), ...(field.checked ? [value] : [])];
    else if (before !== undefined) values[name] = [before, value].flat();
    else values[name] = field.dataset?.list === undefined ? value : [value];
  }
  return values;
}

/**
 * Put values back; a field that the values do not name keeps what it has.
 * @param {Iterable<any>} fields
 * @param {Values} values
 */
export function writeFields(fields, values) {
  /** @type {Map<string, number>} */
  const seen = new Map();
  for (const field of fields) {
    const { name, type } = field;
    if (!name || NOT_KEPT.has(type) || !(name in values)) continue;
    const wanted = [values[name]].flat();
    const nth = seen.get(name) ?? 0;
    seen.set(name, nth + 1);
    if (type === "radio" || type === "checkbox") field.checked = wanted.includes(field.value);
    else field.value = wanted[nth] ?? "";
  }
}

/**
 * Drafts on this device, unreadable without the key of the person; the key cannot be taken out of the
 * browser. Gone when the server has the draft, or with `forget` at sign-out.
 */
export class DeviceStore {
  #db;
  #person;
  #key;

  /** @param {IDBDatabase} db @param {string} person @param {CryptoKey} key */
  constructor(db, person, key) {
    this.#db = db;
    this.#person = person;
    this.#key = key;
  }

  /** Null where the browser keeps nothing for us (private window, page without TLS). @param {string} person */
  static async open(person) {
    try {
      const db = await openDatabase();
      return new DeviceStore(db, person, await personKey(db, person));
    } catch {
      return null;
    }
  }

  /** @param {string} name @returns {Device} */
  device(name) {
    const id = `${this.#person} ${name}`;
    return {
      get: async () => {
        const row = await ask(this.#drafts("readonly").get(id));
        if (!row) return null;
        const bytes = await crypto.subtle.decrypt({ name: "AES-GCM", iv: row.iv }, this.#key, row.bytes);
        return JSON.parse(new TextDecoder().decode(bytes));
      },
      put: async (copy) => {
        const iv = crypto.getRandomValues(new Uint8Array(12));
        const text = new TextEncoder().encode(JSON.stringify(copy));
        const bytes = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, this.#key, text);
        await ask(this.#drafts("readwrite").put({ id, iv, bytes, isSent: copy.isSent }));
        await this.#count();
      },
      remove: async () => {
        await ask(this.#drafts("readwrite").delete(id));
        await this.#count();
      },
    };
  }

  /** How many drafts of this person the server has not got. */
  async countUnsent() {
    const rows = await ask(this.#drafts("readonly").getAll(this.#range()));
    return rows.filter((/** @type {{ isSent: boolean }} */ row) => !row.isSent).length;
  }

  /** Wipe the drafts and the key of this person. */
  async forget() {
    await ask(this.#drafts("readwrite").delete(this.#range()));
    await ask(this.#db.transaction("keys", "readwrite").objectStore("keys").delete(this.#person));
    localStorage.removeItem(unsentKey(this.#person));
  }

  async #count() {
    localStorage.setItem(unsentKey(this.#person), String(await this.countUnsent()));
    dispatchEvent(new Event("telemed:unsent"));
  }

  #range() {
    return IDBKeyRange.bound(`${this.#person} `, `${this.#person} \uffff`);
  }

  /** @param {IDBTransactionMode} mode */
  #drafts(mode) {
    return this.#db.transaction("drafts", mode, { durability: "strict" }).objectStore("drafts");
  }
}

/** @returns {Promise<IDBDatabase>} */
function openDatabase() {
  const request = indexedDB.open("telemed-drafts", 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore("drafts", { keyPath: "id" });
    request.result.createObjectStore("keys");
  };
  return ask(request);
}

/** @param {IDBDatabase} db @param {string} person @returns {Promise<CryptoKey>} */
async function personKey(db, person) {
  const fresh = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
  const keys = db.transaction("keys", "readwrite").objectStore("keys");
  // Two tabs may come at once: the first key stays.
  const kept = await ask(keys.get(person));
  if (!kept) await ask(keys.put(fresh, person));
  return kept ?? fresh;
}

/** @template T @param {IDBRequest<T>} request @returns {Promise<T>} */
function ask(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** Where nothing can be kept. @type {Device} */
const NOWHERE = {
  get: async () => null,
  put: async () => {
    throw new Error("this browser keeps nothing");
  },
  remove: async () => undefined,
};

/** What a person sees of a draft: the time of saving in the bar, a note where something is wrong. */
class DraftView {
  #form;
  #place;
  #note = make("div", { class: "note stack", tabindex: -1, hidden: true });
  #spoken = "";
  /** @type {Draft | null} */
  draft = null;

  /** @param {HTMLFormElement} form */
  constructor(form) {
    this.#form = form;
    this.#place = part("saved", form);
    // In the bar, which is in view wherever the person is typing.
    (form.querySelector(".acts") ?? form).prepend(this.#note);
  }

  /** @param {State} state */
  show(state) {
    if (state.kind === "server") this.#showSaved(state.at);
    else if (state.kind === "device") this.#showKept(state.at);
    else if (state.kind === "failed") this.#showFailure(state.message, state.status);
    else if (state.kind === "conflict") this.#showConflict(state.mine, state.theirs);
    else this.#showOther(state.other);
  }

  /** The link went before the form could be sent; what was typed is safe. */
  showNotSent() {
    const words = t("Chưa gửi được vì mất kết nối. Bấm gửi lại khi có mạng – bạn không phải ghi lại.");
    this.#put("w", "link-off", words, [this.#fileButton()]);
    warn(words);
  }

  focus() {
    this.#note.focus();
  }

  /** @param {number} at */
  #showSaved(at) {
    this.#mark("ok", "done", t("Đã lưu {time}", { time: formatTime(at, { seconds: true }) }));
    if (this.#note.dataset.kind !== "kept_aside") this.#note.hidden = true;
    this.#speak(t("Đã lưu"));
  }

  /** @param {number} at */
  #showKept(at) {
    this.#mark("w", "outbox", t("Đã lưu trên máy này {time}", { time: formatTime(at) }));
    this.#speak(t("Đã lưu trên máy này, chưa gửi được lên máy chủ"));
  }

  /** @param {string} message @param {number} status */
  #showFailure(message, status) {
    this.#mark("e", "stop", t("Chưa lưu được"));
    const again = this.#button(t("Thử lại"), () => this.draft?.flush());
    const signIn = make("a", { class: "btn sm", href: "/sign-in", target: "_blank" }, t("Đăng nhập ở thẻ mới"));
    this.#put("e", "stop", `${message}. ${t("Những gì bạn đã ghi vẫn còn trên trang này.")}`, [
      ...(status === 401 ? [signIn] : []),
      again,
      this.#fileButton(),
    ]);
    this.#spoken = "";
    warn(message);
  }

  /** @param {Values} mine @param {Values} theirs */
  #showConflict(mine, theirs) {
    this.#mark("w", "swap", t("Có hai bản khác nhau"));
    const words = t("Phiếu này đã được sửa ở nơi khác. Chọn bản để ghi tiếp – bản kia vẫn được giữ lại.");
    const rows = differences(mine, theirs).map((name) =>
      make("tr", {}, make("th", { scope: "row" }, this.#nameOf(name)), cell(mine[name]), cell(theirs[name])),
    );
    const head = make("tr", {}, make("th", {}, t("Mục")), make("th", {}, t("Bản trên máy này")), make("th", {}, t("Bản trên máy chủ")));
    const table = make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows));
    this.#put("w", "swap", words, [
      this.#button(t("Giữ bản trên máy này"), () => this.draft?.choose("mine")),
      this.#button(t("Lấy bản trên máy chủ"), () => this.draft?.choose("theirs")),
      this.#fileButton(),
    ], make("div", { class: "scroll" }, table));
    warn(words);
  }

  /** @param {Values} other */
  #showOther(other) {
    this.#put("", "info", t("Bản bạn không chọn vẫn còn trên máy này."), [
      this.#button(t("Lưu bản đó ra tệp"), () => this.#toFile(other)),
      this.#button(t("Bỏ bản đó"), () => {
        this.#note.hidden = true;
        return this.draft?.dropOther();
      }),
    ]);
    this.#note.dataset.kind = "kept_aside";
  }

  /** @param {string} tone @param {string} mark @param {string} words */
  #mark(tone, mark, words) {
    if (!this.#place) return;
    this.#place.className = `st ${tone}`;
    label(this.#place, mark, words);
  }

  /**
   * @param {string} tone
   * @param {string} mark
   * @param {string} words
   * @param {Element[]} buttons
   * @param {...Element} more
   */
  #put(tone, mark, words, buttons, ...more) {
    this.#note.className = `note ${tone}`;
    this.#note.dataset.kind = tone;
    this.#note.hidden = false;
    const line = make("div", { class: "line" }, ...buttons);
    this.#note.replaceChildren(icon(mark), make("div", { class: "stack tight grow" }, make("p", {}, words), ...more, line));
  }

  /** Each thing is said once, not at each save. @param {string} words */
  #speak(words) {
    if (this.#spoken !== words) say(words);
    this.#spoken = words;
  }

  /** @param {string} words @param {() => unknown} act */
  #button(words, act) {
    const button = make("button", { class: "btn sm", type: "button" }, words);
    button.addEventListener("click", act);
    return button;
  }

  #fileButton() {
    return this.#button(t("Lưu ra tệp"), () => this.#toFile(readFields(this.#form.elements)));
  }

  /** @param {Values} values */
  #toFile(values) {
    const lines = Object.entries(values).map(([name, value]) => `${this.#nameOf(name)}: ${[value].flat().join("; ")}`);
    const href = URL.createObjectURL(new Blob(["\uFEFF", lines.join("\r\n")], { type: "text/plain" }));
    make("a", { href, download: t("Bản nháp") + ".txt" }).click();
    setTimeout(() => URL.revokeObjectURL(href), 60_000);
  }

  /** The words in front of a field, else its name. @param {string} name */
  #nameOf(name) {
    const field = this.#form.querySelector(`[name="${CSS.escape(name)}"]`);
    const several = field?.matches("[type=radio],[type=checkbox]") ? field.closest("fieldset")?.querySelector("legend") : null;
    const words = several ?? (field && this.#form.querySelector(`label[for="${CSS.escape(field.id)}"]`));
    return words?.textContent?.trim().replace(/\s+/g, " ") || name;
  }
}

/** @param {string | string[]} [value] */
function cell(value = "") {
  return make("td", { class: "said" }, [value].flat().filter(Boolean).join("\n") || "–");
}

/**
 * Give a form its draft. A page that adds rows by itself listens for `telemed:grow` ({name, count}) to
 * make room for a longer list, for `telemed:filled` when values were put back, and for `telemed:saved` with
 * what the server answered.
 * @param {HTMLFormElement} form
 */
export async function attach(form) {
  const url = form.dataset.draft ?? "";
  const { person = "" } = document.body.dataset;
  const store = person ? await DeviceStore.open(person) : null;
  const view = new DraftView(form);
  const draft = new Draft({
    read: () => readFields(form.elements),
    write: (values) => fill(form, values),
    device: store?.device(url) ?? NOWHERE,
    save: (attempt) => saveDraft(form, url, attempt),
    show: (state) => view.show(state),
    revision: Number(form.dataset.revision ?? 0),
  });
  view.draft = draft;
  form.addEventListener("input", () => draft.touch());
  form.addEventListener("focusout", () => draft.flush());
  addEventListener("online", () => draft.flush());
  document.addEventListener("visibilitychange", () => document.hidden && draft.flush());
  addEventListener("beforeunload", (event) => draft.isAtRisk && event.preventDefault());
  sendOnceSafe(form, draft, view);
  await draft.resume();
  return draft;
}

/** @param {HTMLFormElement} form @param {Values} values */
function fill(form, values) {
  for (const [name, value] of Object.entries(values)) {
    if (Array.isArray(value)) form.dispatchEvent(new CustomEvent("telemed:grow", { detail: { name, count: value.length } }));
  }
  writeFields(form.elements, values);
  form.dispatchEvent(new Event("telemed:filled"));
}

/** @param {HTMLFormElement} form @param {string} url @param {Attempt} attempt */
async function saveDraft(form, url, { values, revision, key }) {
  const body = { revision, values };
  const options = { body, key, retries: 0, keepalive: document.hidden };
  const answer = await send(form.dataset.draftMethod ?? "POST", url, options);
  const field = form.elements.namedItem("revision");
  if (field instanceof HTMLInputElement) field.value = String(answer.revision);
  form.dispatchEvent(new CustomEvent("telemed:saved", { detail: answer }));
  return answer;
}

/**
 * A form goes out only after its draft has: a link that is gone must not end in the browser's error page.
 * @param {HTMLFormElement} form
 * @param {Draft} draft
 * @param {DraftView} view
 */
function sendOnceSafe(form, draft, view) {
  let isChecked = false;
  form.addEventListener("submit", async (event) => {
    if (isChecked) return;
    event.preventDefault();
    const outcome = await draft.flush();
    if (outcome === "conflict" || outcome === "signed_out") return view.focus();
    if (outcome === "unanswered") return view.showNotSent();
    draft.close();
    // A browser ignores a form that is sent while its own submit event is still under way.
    await new Promise((resolve) => setTimeout(resolve));
    isChecked = true;
    form.requestSubmit(event.submitter);
    isChecked = false;
  });
}

if (globalThis.document) {
  for (const form of document.querySelectorAll("form[data-draft]")) {
    if (form instanceof HTMLFormElement) attach(form);
  }
}
