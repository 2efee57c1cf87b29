// @ts-check
/** The worklist: says when something new waits, shows a case without leaving the list, keys. */
import { hearAlerts } from "../alerts.js";
import { get } from "../api.js";
import { find, findAll, label, make, part, say, showLink, warn } from "../dom.js";
import { t } from "../i18n.js";
import { Live } from "../live.js";
import { loadPage, takeParts } from "../parts.js";
import { hearDrills } from "../drill.js";
import { hearCalls } from "../ringing.js";

/** @typedef {{ uid: string, urgency: "emergency" | "urgent" | "routine" }} Case */

const work = find("[data-role=work]", HTMLElement);
const title = document.title;
/** What has been listed, or was waiting when the page came.
 * @type {Set<string> | null} */
let known = null;
let selections = 0;

const rows = () => findAll("[data-role=row]", HTMLAnchorElement);
const current = () => rows().findIndex((row) => row.hasAttribute("aria-current"));

/** @param {HTMLAnchorElement} row */
async function select(row) {
  const mine = ++selections;
  for (const other of rows()) other.removeAttribute("aria-current");
  row.setAttribute("aria-current", "true");
  row.scrollIntoView({ block: "nearest" });
  try {
    const fresh = await loadPage(row.href);
    if (mine !== selections) return;
    takeParts(fresh, ["preview"]);
    history.replaceState(null, "", row.href.split("#")[0]);
    const heading = part("preview")?.querySelector("h2")?.textContent;
    if (heading) say(heading);
  } catch {
    location.assign(row.href);
  }
}

work.addEventListener("click", (event) => {
  const row = event.target instanceof Element ? event.target.closest("[data-role=row]") : null;
  if (!(row instanceof HTMLAnchorElement) || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  select(row).then(() => {
    const preview = part("preview");
    if (preview && preview.getBoundingClientRect().top > innerHeight - 100) preview.scrollIntoView();
  });
});

/** @param {number} by */
function move(by) {
  const all = rows();
  const next = all[Math.min(Math.max(current() + by, 0), all.length - 1)];
  if (next) void select(next);
}

function open() {
  const way = part("open");
  if (way instanceof HTMLAnchorElement) return location.assign(way.href);
  const preview = part("preview");
  if (!preview) return;
  preview.tabIndex = -1;
  preview.focus();
}

function claim() {
  const form = part("claim");
  if (form instanceof HTMLFormElement) form.requestSubmit();
}

/** @type {Record<string, () => void>} */
const keys = {
  j: () => move(1),
  k: () => move(-1),
  n: claim,
  "/": () => work.dataset.search && location.assign(work.dataset.search),
};

addEventListener("keydown", (event) => {
  const isTyping = event.target instanceof Element && event.target.closest("input, textarea, select");
  if (isTyping || event.ctrlKey || event.altKey || event.metaKey) return;
  const isOnControl = event.target instanceof Element && event.target.closest("a, button");
  const act = event.key === "Enter" && !isOnControl ? open : keys[event.key.toLowerCase()];
  if (!act) return;
  event.preventDefault();
  act();
});

/** A row that somebody else has taken stays in its place, and says so. @param {Set<string>} waiting */
function markTaken(waiting) {
  for (const row of rows()) {
    const isTaken = !waiting.has(row.dataset.uid ?? "");
    if (!isTaken || row.dataset.taken) continue;
    row.dataset.taken = "true";
    const clock = row.querySelector(".due") ?? row.children[1];
    const words = make("span", { class: "st" });
    label(words, "check", t("Đã có người nhận"));
    clock?.replaceWith(words);
  }
}

/** @param {Case[]} added */
function tell(added) {
  const strip = find("[data-role=strip]", HTMLElement);
  strip.hidden = added.length === 0;
  document.title = added.length ? `(${added.length}) ${title}` : title;
  if (added.length === 0) return;
  const words = t("{count} ca mới – xem", { count: added.length });
  const link = find("[data-role=strip-link]", HTMLAnchorElement);
  if (link.textContent === words) return;
  link.textContent = words;
  if (added.some((one) => one.urgency === "emergency")) warn(t("Có ca cấp cứu mới chờ nhận"));
}

async function look() {
  /** @type {{ data: { waiting: Case[] } }} */
  const { data } = await get("/worklist/waiting");
  const waiting = new Set(data.waiting.map((one) => one.uid));
  known ??= new Set([...waiting].filter((uid) => rows().some((row) => row.dataset.uid === uid)));
  const onPage = new Set(rows().map((row) => row.dataset.uid));
  const before = known;
  markTaken(waiting);
  tell(data.waiting.filter((one) => !before.has(one.uid) && !onPage.has(one.uid)));
}

async function renew() {
  const list = work.dataset.list ?? "/worklist";
  try {
    const fresh = await loadPage(list);
    takeParts(fresh, ["list", "count"]);
    known = null;
    tell([]);
    say(t("Danh sách đã cập nhật"));
    rows()[0]?.focus({ preventScroll: true });
  } catch {
    location.assign(list);
  }
}

part("strip-link")?.addEventListener("click", (event) => {
  event.preventDefault();
  void renew();
});

function watch() {
  const live = new Live();
  let wasUp = false;
  live.onLink((link) => {
    wasUp ||= link === "up";
    if (wasUp) showLink(link === "up" ? "ok" : "off");
  });
  // A hint may be lost, and so may a look: the next one brings everything.
  live.watch("worklist", () => void look().catch(() => {}));
  hearCalls(live);
  hearAlerts(live, { isListed: true });
  hearDrills(live);
  live.connect();
}

const help = part("keys");
if (help) help.hidden = false;
if (work.dataset.live === "waiting") watch();
