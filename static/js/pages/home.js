// @ts-check
/** The first page: says that something changed, and moves nothing under the reader's hand. */
import { hearAlerts } from "../alerts.js";
import { find, showLink } from "../dom.js";
import { drill, hearDrills } from "../drill.js";
import { Live } from "../live.js";
import { hearCalls } from "../ringing.js";

const strip = find("[data-role=strip]", HTMLElement);
// Calls have a card of their own; a drill goes on without a word.
const QUIET = new Set(["watched", "ringing", "ring-ended", "drill-asked", "escalated", "noticed"]);
const DRILLED_AT = "telemed.drilled-at";
const DRILL_AGAIN_AFTER_MS = 30 * 60 * 1000;
const { person } = document.body.dataset;

if (person) {
  const live = new Live();
  let wasUp = false;
  live.onLink((link) => {
    wasUp ||= link === "up";
    if (wasUp) showLink(link === "up" ? "ok" : "off");
    if (link === "up") void drillOnce(live);
  });
  /** @param {{ event: string }} hint */
  const gotHint = (hint) => {
    if (!QUIET.has(hint.event)) strip.hidden = false;
  };
  live.watch(`person:${person}`, gotHint);
  if (strip.dataset.watch === "worklist") live.watch("worklist", gotHint);
  hearCalls(live);
  hearAlerts(live);
  hearDrills(live);
  live.connect();
}

/**
 * Where nobody knows whether the station can be called, the page finds out without a word.
 * @param {Live} live
 */
async function drillOnce(live) {
  const before = Number(sessionStorage.getItem(DRILLED_AT) ?? 0);
  if (!document.querySelector("[data-drill]") || Date.now() - before < DRILL_AGAIN_AFTER_MS) return;
  sessionStorage.setItem(DRILLED_AT, String(Date.now()));
  // The next page tries again when this one finds no way to tell.
  if (!(await drill(live))) sessionStorage.removeItem(DRILLED_AT);
}
