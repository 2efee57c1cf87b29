// @ts-check
/** Third parties in the room: inviting them, who is there in which capacity, sending them out. */
import { find, icon, make, part, say, toast } from "../dom.js";
import { t } from "../i18n.js";
import { press } from "./room-press.js";
import { capacityWords } from "./room-words.js";

const SEARCH_AFTER_MS = 300;
const LEAST_LETTERS = 2;

/**
 * @typedef {import("../seat.js").Peer} Peer
 * @typedef {import("../seat.js").Seat} Seat
 * @typedef {{ person: string, name: string, title: string, place: string }} Found
 */

/** The panel and the notes of third parties; without the right to invite there is no panel. */
export class InviteDesk {
  #seat;
  #own;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #asked = 0;
  #shown = "";

  /** @param {{ seat: Seat, own: () => string }} parts */
  constructor({ seat, own }) {
    this.#seat = seat;
    this.#own = own;
    part("open-invite")?.addEventListener("click", () => {
      /** @type {HTMLDialogElement | null} */ (part("invite"))?.showModal();
    });
    part("invite-name")?.addEventListener("input", () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => void this.#search(), SEARCH_AFTER_MS);
    });
  }

  /** Who is there by invitation, for all to see, all the time. @param {Iterable<Peer>} peers @param {boolean} isIn */
  show(peers, isIn) {
    const button = /** @type {HTMLButtonElement | null} */ (part("open-invite"));
    if (button) button.disabled = !isIn;
    const guests = [...peers].filter(({ capacity }) => capacity);
    const note = find("[data-role=guests]", HTMLElement);
    const key = JSON.stringify(guests.map(({ participant, name, capacity, inviter }) => [participant, name, capacity, inviter]));
    note.hidden = guests.length === 0;
    if (key === this.#shown) return;
    this.#shown = key;
    find("[data-role=guests-list]", HTMLElement, note).replaceChildren(...guests.map((peer) => this.#line(peer)));
  }

  /** @param {Peer} peer */
  #line(peer) {
    const words = `${peer.name} – ${capacityWords(peer.capacity ?? "")}`;
    const line = make("li", { class: "row", "data-role": "guest" }, icon("user"), make("span", {}, words));
    if (peer.inviter === this.#own() && part("open-invite")) {
      const button = make("button", { class: "btn sm end", type: "button", "aria-label": t("Đưa {name} ra", { name: peer.name }) }, t("Đưa ra"));
      button.addEventListener("click", () => void this.#remove(button, peer));
      line.append(button);
    }
    return line;
  }

  async #search() {
    const name = find("[data-role=invite-name]", HTMLInputElement).value.trim();
    const asked = ++this.#asked;
    const found = name.length < LEAST_LETTERS ? [] : await this.#find(name);
    // Answers may overtake each other.
    if (asked !== this.#asked) return;
    const list = find("[data-role=invite-found]", HTMLElement);
    list.replaceChildren(...found.map((person) => this.#choice(person)));
    if (found.length === 0 && name.length >= LEAST_LETTERS) {
      list.append(make("li", { class: "soft" }, t("Không tìm thấy ai tên như vậy.")));
    }
  }

  /** @param {string} name @returns {Promise<Found[]>} */
  async #find(name) {
    /** @type {Found[]} */
    let people = [];
    await press(null, async () => {
      ({ people } = await this.#seat.invitation("find-people", { name }));
    });
    return people;
  }

  /** @param {Found} person */
  #choice(person) {
    const words = [person.title, person.name].filter(Boolean).join(" ");
    const button = make("button", { class: "btn sm", type: "button" }, t("Mời {name}", { name: words }));
    button.addEventListener("click", () => void this.#invite(button, person));
    return make("li", { class: "split" }, make("span", { class: "small soft" }, person.place), button);
  }

  /** @param {HTMLElement} button @param {Found} person */
  async #invite(button, person) {
    const capacity = find("[data-role=invite-capacity]", HTMLSelectElement).value;
    const isDone = await press(button, () => this.#seat.invitation("invite", { person: person.person, capacity }));
    if (!isDone) return;
    const words = t("Đang gọi {name}…", { name: person.name });
    say(words);
    toast(words, { mark: "user" });
    find("[data-role=invite]", HTMLDialogElement).close();
  }

  /** @param {HTMLElement} button @param {Peer} peer */
  async #remove(button, peer) {
    await press(button, () => this.#seat.invitation("remove", { participant: peer.participant }));
  }
}
