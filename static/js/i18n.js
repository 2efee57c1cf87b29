// @ts-check
/**
 * Words, numbers and times in the language of the page. Vietnamese is the text itself; another
 * language is a table from it, made by `python -m tools.catalogue`.
 */

/** @typedef {Record<string, string | number>} Params */

const ZONE = "Asia/Ho_Chi_Minh";
const NBSP = "\u00a0";

export const locale = globalThis.document?.documentElement.lang || "vi";
// Figures are written as in Viet Nam in every language, as the server writes them: one page, one comma.
const REGION = "vi-VN";

/** @type {Readonly<Record<string, string>>} */
const table = locale === "vi" ? {} : await load(locale);

/**
 * @param {string} language
 * @returns {Promise<Readonly<Record<string, string>>>}
 */
async function load(language) {
  try {
    return (await import(`./catalogue/${language}.js`)).default;
  } catch {
    // A page that answers in Vietnamese is better than one that does not answer.
    return {};
  }
}

/**
 * A text in the language of the page, with `{name}` placeholders filled in.
 * @param {string} msgid
 * @param {Params} [params]
 */
export function t(msgid, params = {}) {
  return (table[msgid] ?? msgid).replace(/\{(\w+)\}/g, (whole, name) =>
    name in params ? String(params[name]) : whole,
  );
}

const clockShort = formatter({ hour: "2-digit", minute: "2-digit" });
const clockLong = formatter({ hour: "2-digit", minute: "2-digit", second: "2-digit" });
const calendar = formatter({ day: "2-digit", month: "2-digit", year: "numeric" });

/** @param {Intl.DateTimeFormatOptions} options */
function formatter(options) {
  return new Intl.DateTimeFormat(REGION, { timeZone: ZONE, hourCycle: "h23", ...options });
}

/** @param {Date | string | number} moment @param {{ seconds?: boolean }} [options] */
export function formatTime(moment, { seconds = false } = {}) {
  return (seconds ? clockLong : clockShort).format(new Date(moment));
}

/** @param {Date | string | number} moment */
export function formatDate(moment) {
  return calendar.format(new Date(moment));
}

/** @param {Date | string | number} moment */
export function formatDateTime(moment) {
  return `${formatTime(moment)} ${formatDate(moment)}`;
}

/** @param {number} value @param {number} [digits] At most so many decimals. */
export function formatNumber(value, digits = 1) {
  return new Intl.NumberFormat(REGION, { maximumFractionDigits: digits }).format(value);
}

/** @param {number} bytes */
export function formatBytes(bytes) {
  if (bytes < 1000) return `${formatNumber(bytes)}${NBSP}B`;
  if (bytes < 1_000_000) return `${formatNumber(bytes / 1000, 0)}${NBSP}kB`;
  return `${formatNumber(bytes / 1_000_000)}${NBSP}MB`;
}

/**
 * How long is left, or how long it is overdue; the same words and steps as the `clock` macro.
 * @param {number} minutes Negative when overdue.
 */
export function formatRemaining(minutes) {
  const size = Math.abs(minutes);
  if (size > 2880) {
    const n = Math.round(size / 1440);
    return minutes < 0 ? t("Quá {n}\u00a0ngày", { n }) : t("Còn {n}\u00a0ngày", { n });
  }
  if (size > 100) {
    const n = Math.round(size / 60);
    return minutes < 0 ? t("Quá {n}\u00a0giờ", { n }) : t("Còn {n}\u00a0giờ", { n });
  }
  if (minutes < 0) return t("Quá {n}\u00a0phút", { n: Math.max(1, Math.floor(size)) });
  return t("Còn {n}\u00a0phút", { n: Math.max(1, Math.ceil(size)) });
}
