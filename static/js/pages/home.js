// @ts-check
/** The first page: says that something changed, and moves nothing under the reader's hand. */
import { find, showLink } from "../dom.js";
import { Live } from "../live.js";
import { hearCalls } from "../ringing.js";

const strip = find("[data-role=strip]", HTMLElement);
// Calls have a card of their own.
const QUIET = new Set(["watched", "ringing", "ring-ended"]);
const { person } = document.body.dataset;

if (person) {
  const live = new Live();
  let wasUp = false;
  live.onLink((link) => {
    wasUp ||= link === "up";
    if (wasUp) showLink(link === "up" ? "ok" : "off");
  });
  /** @param {{ event: string }} hint */
  const gotHint = (hint) => {
    if (!QUIET.has(hint.event)) strip.hidden = false;
  };
  live.watch(`person:${person}`, gotHint);
  if (strip.dataset.watch === "worklist") live.watch("worklist", gotHint);
  hearCalls(live);
  live.connect();
}
