// @ts-check
/**
 * The readiness drill: an open page of a station makes a synthetic call when the server asks, so that
 * coordinators know before an emergency whether a real one would come about. Nobody is seen or heard.
 */

/** Held by a page for as long as it is in a call: a drill would take of its line. */
export const CALL_LOCK = "telemed.call";
const SPREAD_MS = 2_000;
const TRIES = 3;
const BUSY_MS = 15_000;
const BUSY = 503;

/** @typedef {import("./live.js").Live} Live */

/**
 * Take part when the server asks.
 * @param {Live} live
 */
export function hearDrills(live) {
  const { person } = document.body.dataset;
  if (!person) return;
  live.watch(`person:${person}`, ({ event }) => {
    if (event !== "drill-asked") return;
    // The pages of a station do not all begin at once; the server takes one of them.
    setTimeout(() => void drill(live), Math.random() * SPREAD_MS);
  });
}

/**
 * One synthetic call, and what it found to the server. False when another page does it, or nobody can now.
 * @param {Live} live
 * @returns {Promise<boolean>}
 */
export async function drill(live) {
  if (!navigator.locks) return run(live);
  return navigator.locks.request(CALL_LOCK, { ifAvailable: true }, async (lock) => (lock ? run(live) : false));
}

/** @param {Live} live */
async function run(live) {
  const { askLoop, lookAtLink, loopVoice, saveCheck, LoopRefused } = await import("./link-check.js");
  try {
    const headers = { Accept: "application/json", "X-By-Itself": "1" };
    const { ice_servers: servers } = await (await fetch("/check/ice", { headers, cache: "no-store" })).json();
    // First the voice: who is not taken moves no bytes.
    const voice = await loop(0);
    const link = await lookAtLink({ live, servers });
    const rtt_ms = voice.rtt_ms ?? link.rtt_ms;
    return await saveCheck({ ...link, rtt_ms, loss_permille: voice.loss_permille }, true);

    /** @param {number} tried @returns {Promise<import("./link-check.js").Loop>} */
    async function loop(tried) {
      try {
        return await loopVoice({ servers, answer: (offer) => askLoop(offer, true) });
      } catch (error) {
        if (!(error instanceof LoopRefused) || error.status !== BUSY || tried >= TRIES) throw error;
        await new Promise((resolve) => setTimeout(resolve, BUSY_MS * (1 + Math.random())));
        return loop(tried + 1);
      }
    }
  } catch {
    // Another page of the station does it, or the link broke: then the server hears nothing, and asks again.
    return false;
  }
}
