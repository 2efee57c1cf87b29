// @ts-check
/**
 * Looks at the link to the server: how long an answer takes, how much goes each way, by which ways a
 * relay is reached. Bounded in bytes and in time. No DOM.
 */

const DOWN_STEPS = [16_000, 60_000, 160_000];
const UP_STEPS = [8_000, 32_000, 96_000];
const STOP_AFTER_MS = 4_000;
// A step that took longer than this tells enough.
const GO_ON_BELOW_MS = 1_000;
const GATHER_WITHIN_MS = 5_000;
const PROBES = 5;
const CONNECT_WITHIN_MS = 20_000;
const CANDIDATES_WITHIN_MS = 3_000;
/** Voice as the lowest rung of a call sends it: a packet of 160 bytes every 60 ms. */
const PACKET_BYTES = 160;
const PACKET_EVERY_MS = 60;
const PACKETS = 80;
const LATE_MS = 3_000;

/**
 * @typedef {"udp" | "tcp" | "tls"} Way
 * @typedef {{ send: (event: string, payload: object, withinMs?: number) => Promise<unknown> }} Prober
 */

/**
 * Middle time of some answers over the connection that calls use, in milliseconds.
 * @param {Prober} live
 * @param {() => number} [now]
 */
export async function measureRoundTrip(live, now = () => performance.now()) {
  /** @type {number[]} */
  const times = [];
  for (let count = 0; count < PROBES; count += 1) {
    const began = now();
    await live.send("probe", {});
    times.push(now() - began);
  }
  times.sort((a, b) => a - b);
  return Math.round(times[Math.floor(PROBES / 2)] ?? 0);
}

/**
 * Kilobits a second towards this machine; null when not even the first step came.
 * @param {{ ask?: typeof fetch, now?: () => number }} [parts]
 */
export function measureDown({ ask = fetch.bind(globalThis), now } = {}) {
  return climb(DOWN_STEPS, now, async (bytes, signal) => {
    const answer = await ask(`/check/down?bytes=${bytes}&again=${crypto.randomUUID()}`, { signal, cache: "no-store" });
    if (!answer.ok) throw new Error(String(answer.status));
    await answer.arrayBuffer();
  });
}

/**
 * Kilobits a second from this machine; null when not even the first step went.
 * @param {{ ask?: typeof fetch, now?: () => number }} [parts]
 */
export function measureUp({ ask = fetch.bind(globalThis), now } = {}) {
  return climb(UP_STEPS, now, async (bytes, signal) => {
    const body = crypto.getRandomValues(new Uint8Array(Math.min(bytes, 65_536)));
    const parts = new Blob([body, body]).slice(0, bytes);
    const headers = { "Content-Type": "application/octet-stream", "X-By-Itself": "1" };
    const answer = await ask("/check/up", { method: "POST", body: parts, headers, signal });
    if (!answer.ok) throw new Error(String(answer.status));
  });
}

/**
 * Larger and larger steps while they are quick, all together for a few seconds at most.
 * @param {number[]} steps
 * @param {(() => number) | undefined} clock
 * @param {(bytes: number, signal: AbortSignal) => Promise<void>} move
 */
async function climb(steps, clock, move) {
  const now = clock ?? (() => performance.now());
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), STOP_AFTER_MS);
  /** @type {number | null} */
  let kbps = null;
  try {
    for (const bytes of steps) {
      const began = now();
      await move(bytes, limit.signal);
      const ms = Math.max(1, now() - began);
      kbps = Math.max(kbps ?? 0, Math.round((bytes * 8) / ms));
      if (ms > GO_ON_BELOW_MS) break;
    }
  } catch {
    // What the steps before it have shown still holds.
  } finally {
    clearTimeout(timer);
  }
  return kbps;
}

/**
 * The addresses of a relay by the way to it.
 * @param {RTCIceServer[]} servers
 * @param {Way} way
 * @returns {RTCIceServer[]}
 */
export function serversFor(servers, way) {
  return servers.flatMap((server) => {
    const urls = [server.urls].flat().filter((url) => wayOf(url) === way);
    return urls.length > 0 ? [{ ...server, urls }] : [];
  });
}

/** @param {string} url @returns {Way | null} */
function wayOf(url) {
  if (url.startsWith("turns:")) return "tls";
  if (!url.startsWith("turn:")) return null;
  return url.includes("transport=tcp") ? "tcp" : "udp";
}

/**
 * Whether a relay is reached that way; null where none is set up.
 * @param {RTCIceServer[]} servers
 * @param {Way} way
 * @param {(config: RTCConfiguration) => RTCPeerConnection} [create]
 * @returns {Promise<boolean | null>}
 */
export async function isRelayReached(servers, way, create = (config) => new RTCPeerConnection(config)) {
  const iceServers = serversFor(servers, way);
  if (iceServers.length === 0) return null;
  const connection = create({ iceServers, iceTransportPolicy: "relay" });
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  try {
    connection.createDataChannel("check");
    const found = new Promise((resolve) => {
      connection.onicecandidate = ({ candidate }) => {
        if (!candidate) resolve(false);
        else if (candidate.type === "relay" || / typ relay /.test(candidate.candidate)) resolve(true);
      };
      timer = setTimeout(() => resolve(false), GATHER_WITHIN_MS);
    });
    await connection.setLocalDescription();
    return Boolean(await found);
  } finally {
    clearTimeout(timer);
    connection.onicecandidate = null;
    connection.close();
  }
}

/**
 * @typedef {{ sent: number, received: number, loss_permille: number, rtt_ms: number | null }} Loop
 *
 * @typedef {object} LoopParts
 * @property {RTCIceServer[]} servers
 * @property {(offer: string) => Promise<string>} answer The server's answer to an offer.
 * @property {(config: RTCConfiguration) => RTCPeerConnection} [create]
 * @property {() => number} [now]
 */

/**
 * A synthetic call with the server: packets like those of voice go there and come back, each once.
 * No device is opened. A way that does not come about has lost everything.
 * @param {LoopParts} parts
 * @returns {Promise<Loop>}
 */
export async function loopVoice({ servers, answer, create = (config) => new RTCPeerConnection(config), now = () => performance.now() }) {
  const connection = create({ iceServers: servers });
  /** @type {number[]} */
  const times = [];
  let sent = 0;
  try {
    // As voice goes: what is lost is not sent again, what is late keeps nobody waiting.
    const channel = connection.createDataChannel("voice", { ordered: false, maxRetransmits: 0 });
    channel.binaryType = "arraybuffer";
    const opened = new Promise((resolve) => channel.addEventListener("open", resolve, { once: true }));
    await connection.setLocalDescription();
    await within(CANDIDATES_WITHIN_MS, gathered(connection));
    const sdp = await answer(connection.localDescription?.sdp ?? "");
    await connection.setRemoteDescription({ type: "answer", sdp });
    if (await within(CONNECT_WITHIN_MS, opened)) {
      /** @type {Map<number, number>} */
      const waiting = new Map();
      channel.addEventListener("message", ({ data }) => {
        const number = new DataView(data).getUint32(0);
        const began = waiting.get(number);
        if (began !== undefined) times.push(now() - began);
        waiting.delete(number);
      });
      for (; sent < PACKETS && channel.readyState === "open"; sent += 1) {
        const packet = new DataView(new ArrayBuffer(PACKET_BYTES));
        packet.setUint32(0, sent);
        waiting.set(sent, now());
        channel.send(packet.buffer);
        await rest(PACKET_EVERY_MS);
      }
      for (let left = LATE_MS; left > 0 && waiting.size > 0; left -= PACKET_EVERY_MS) await rest(PACKET_EVERY_MS);
    }
  } finally {
    connection.close();
  }
  times.sort((a, b) => a - b);
  const middle = times[Math.floor(times.length / 2)];
  return {
    sent,
    received: times.length,
    loss_permille: sent ? Math.round((1 - times.length / sent) * 1000) : 1000,
    rtt_ms: middle === undefined ? null : Math.round(middle),
  };
}

/** @param {RTCPeerConnection} connection */
function gathered(connection) {
  return new Promise((resolve) => {
    const look = () => connection.iceGatheringState === "complete" && resolve(true);
    connection.addEventListener("icegatheringstatechange", look);
    look();
  });
}

/** @param {number} ms @param {Promise<unknown>} promise @returns {Promise<boolean>} false when it took longer */
async function within(ms, promise) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  const isThere = await Promise.race([promise.then(() => true), late]);
  clearTimeout(timer);
  return isThere === true;
}

/** @param {number} ms @returns {Promise<void>} */
const rest = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * The server's answer to the offer of a synthetic call; null while it has no end free.
 * @param {string} offer
 * @param {boolean} isDrill
 */
export async function askLoop(offer, isDrill) {
  const answer = await fetch("/check/loop", {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json", "X-By-Itself": "1" },
    body: JSON.stringify({ offer, is_drill: isDrill }),
  });
  if (!answer.ok) throw new LoopRefused(answer.status);
  return (await answer.json()).answer;
}

/** The server makes no synthetic call now: that says nothing of the link. */
export class LoopRefused extends Error {
  /** @param {number} status */
  constructor(status) {
    super(`no loop: ${status}`);
    this.status = status;
  }
}

/**
 * Everything about the link that can be looked at without a person; told step by step.
 * @param {{ live: Prober, servers: RTCIceServer[], onStep?: (name: string, value: number | boolean | null) => void }} parts
 */
export async function lookAtLink({ live, servers, onStep = () => {} }) {
  const found = {
    rtt_ms: await tell("rtt_ms", measureRoundTrip(live).catch(() => null)),
    down_kbps: await tell("down_kbps", measureDown()),
    up_kbps: await tell("up_kbps", measureUp()),
    relay_udp: await tell("relay_udp", isRelayReached(servers, "udp")),
    relay_tcp: await tell("relay_tcp", isRelayReached(servers, "tcp")),
    relay_tls: await tell("relay_tls", isRelayReached(servers, "tls")),
  };
  const relays = [found.relay_udp, found.relay_tcp, found.relay_tls].filter((each) => each !== null);
  const is_well = found.rtt_ms !== null && found.up_kbps !== null && found.down_kbps !== null && (relays.length === 0 || relays.includes(true));
  return { ...found, is_well };

  /**
   * @template {number | boolean | null} T
   * @param {string} name
   * @param {Promise<T>} value
   */
  async function tell(name, value) {
    const known = await value;
    onStep(name, known);
    return known;
  }
}

/**
 * Keep what was found in the link profile of the own station.
 * @param {object} found
 * @param {boolean} isDrill
 * @returns {Promise<boolean>} false when there is no station to keep it for
 */
export async function saveCheck(found, isDrill) {
  const key = crypto.randomUUID().replaceAll("-", "").slice(0, 22);
  const answer = await fetch("/check/result", {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json", "X-By-Itself": "1" },
    body: JSON.stringify({ key, is_drill: isDrill, ...found }),
  });
  if (!answer.ok) throw new Error(String(answer.status));
  return Boolean((await answer.json()).saved);
}
