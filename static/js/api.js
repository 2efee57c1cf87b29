// @ts-check
/**
 * Questions to the server: JSON both ways, one idempotency key per act of the user, refusals as errors
 * with a stable code. No DOM. What the link is like is told to the page by `telemed:link` events.
 */
import { t } from "./i18n.js";

const TIMEOUT_MS = 20_000;
const SLOW_MS = 4_000;
const PAUSES_MS = [1_000, 4_000];
const TRY_AGAIN = new Set([408, 425, 429, 502, 503, 504]);

/**
 * @typedef {object} Options
 * @property {unknown} [body] Sent as JSON; a picture as it is.
 * @property {string} [key] The idempotency key of the act; the same act sent again takes the same key.
 *   "" for what changes nothing: its answer is not kept.
 * @property {number} [timeout] Milliseconds for one attempt.
 * @property {number} [retries] How often an attempt without an answer is repeated.
 * @property {AbortSignal} [signal] Gives up for good.
 * @property {boolean} [keepalive] Lets the request outlive the page (64 KiB at most).
 */

/** A refusal of the server, or the lack of an answer (`link_lost`, `no_answer`). */
export class ApiError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {{ status?: number, fields?: Record<string, string>, requestId?: string, retryAfter?: number, data?: any }} [more]
   */
  constructor(code, message, { status = 0, fields = {}, requestId = "", retryAfter = 0, data = {} } = {}) {
    super(message);
    this.name = "ApiError";
    this.code = code;
    this.status = status;
    /** Field name → sentence, in the order of the answer. */
    this.fields = fields;
    this.requestId = requestId;
    this.retryAfterSeconds = retryAfter;
    /** The whole answer; a conflict carries what the server has. */
    this.data = data;
  }

  /** True when nothing is known of what became of the request, so it may be sent again. */
  get isUnanswered() {
    return this.status === 0 || TRY_AGAIN.has(this.status);
  }
}

/** A key for one act of the user. Make it when the button is pressed, not when the request is sent. */
export function newKey() {
  // randomUUID is absent where the page came without TLS.
  if (crypto.randomUUID) return crypto.randomUUID();
  return [...crypto.getRandomValues(new Uint8Array(16))].map((n) => n.toString(16).padStart(2, "0")).join("");
}

/** @param {string} url @param {Options} [options] */
export function get(url, options) {
  return send("GET", url, options);
}

/** @param {string} url @param {unknown} body @param {Options} [options] */
export function post(url, body, options) {
  return send("POST", url, { ...options, body });
}

/** @param {string} url @param {unknown} body @param {Options} [options] */
export function put(url, body, options) {
  return send("PUT", url, { ...options, body });
}

/**
 * One question. Every unsafe method carries a key, so that a repetition is answered as the first time.
 * @param {string} method
 * @param {string} url
 * @param {Options} [options]
 * @returns {Promise<any>} What the server answered.
 */
export async function send(method, url, options = {}) {
  const key = method === "GET" ? "" : (options.key ?? newKey());
  const pauses = PAUSES_MS.slice(0, options.retries ?? PAUSES_MS.length);
  for (;;) {
    try {
      return await attempt(method, url, key, options);
    } catch (error) {
      const pause = pauses.shift();
      const isFinal = !(error instanceof ApiError && error.isUnanswered) || options.signal?.aborted;
      if (isFinal || pause === undefined) throw error;
      await rest(Math.max(pause, error.retryAfterSeconds * 1000), options.signal);
    }
  }
}

/**
 * @param {string} method
 * @param {string} url
 * @param {string} key
 * @param {Options} options
 */
async function attempt(method, url, key, { body, timeout = TIMEOUT_MS, signal, keepalive = false }) {
  const limit = new AbortController();
  const giveUp = () => limit.abort();
  const timer = setTimeout(giveUp, timeout);
  signal?.addEventListener("abort", giveUp, { once: true });
  if (signal?.aborted) giveUp();
  const started = performance.now();
  try {
    const response = await fetch(url, {
      method,
      headers: headersOf(key, body),
      body: body === undefined || body instanceof Blob ? body : JSON.stringify(body),
      signal: limit.signal,
      credentials: "same-origin",
      cache: "no-store",
      keepalive,
    });
    const data = await read(response);
    tellLink(performance.now() - started > SLOW_MS ? "weak" : "ok");
    if (response.ok && data !== undefined) return data;
    throw refusal(response, data ?? {});
  } catch (error) {
    if (error instanceof ApiError) throw error;
    throw unanswered(limit.signal.aborted, signal?.aborted ?? false);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", giveUp);
  }
}

/** @param {string} key @param {unknown} body */
function headersOf(key, body) {
  /** @type {Record<string, string>} */
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = body instanceof Blob ? body.type : "application/json";
  if (key) headers["Idempotency-Key"] = key;
  return headers;
}

/**
 * The JSON of an answer, null when it is empty, undefined when it is something else (a sign-in page).
 * @param {Response} response
 */
async function read(response) {
  if (response.status === 204) return null;
  const isJson = response.headers.get("Content-Type")?.includes("json");
  return isJson ? response.json() : undefined;
}

/** @param {Response} response @param {any} data */
function refusal(response, data) {
  // A redirect that ended on a page is the way of an expired session.
  const status = response.ok ? 401 : response.status;
  return new ApiError(data.code ?? `http_${status}`, data.message ?? wordsFor(status), {
    status,
    fields: fieldsOf(data.fields),
    requestId: data.request_id ?? response.headers.get("X-Request-Id") ?? "",
    retryAfter: Number(response.headers.get("Retry-After")) || 0,
    data,
  });
}

/**
 * @param {{ field: string, message: string }[] | undefined} fields
 * @returns {Record<string, string>}
 */
function fieldsOf(fields) {
  return Object.fromEntries((fields ?? []).map(({ field, message }) => [field, message]));
}

/** @param {boolean} tooLong @param {boolean} byUser */
function unanswered(tooLong, byUser) {
  if (byUser) return new ApiError("given_up", t("Đã dừng gửi"));
  tellLink(tooLong ? "weak" : "off");
  if (tooLong) return new ApiError("no_answer", t("Máy chủ chưa trả lời. Thử lại khi đường truyền khá hơn"));
  return new ApiError("link_lost", t("Mất kết nối. Những gì bạn đã ghi vẫn còn trên máy này"));
}

/** @param {number} status */
function wordsFor(status) {
  if (status === 401) return t("Phiên làm việc đã hết. Đăng nhập lại để gửi tiếp");
  if (status === 409) return t("Có người vừa thay đổi trước bạn");
  if (status === 413) return t("Tệp hoặc nội dung quá lớn");
  if (status < 500) return t("Máy chủ không nhận yêu cầu này");
  return t("Máy chủ gặp lỗi. Thử lại sau một phút");
}

/** @param {"ok" | "weak" | "off"} link */
function tellLink(link) {
  if (globalThis.document) dispatchEvent(new CustomEvent("telemed:link", { detail: link }));
}

/** @param {number} ms @param {AbortSignal} [signal] */
function rest(ms, signal) {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
    signal?.addEventListener("abort", resolve, { once: true });
  });
}
