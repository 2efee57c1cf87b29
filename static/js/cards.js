// @ts-check
/**
 * The texts in the QR codes of identity and health-insurance cards, read on this device so that a
 * scan fills the form at once. The server reads and judges every field again when it is saved.
 */

/** @typedef {Record<string, string>} Fields Names of form fields and their values. */

const ID_FIELDS = 6;

/** Whether this can only be meant as a card, read or not. @param {string} text */
export function isCardLike(text) {
  return text.split("|").length >= ID_FIELDS;
}

/**
 * The form fields that a card fills, or null for a text that is no card.
 * @param {string} text
 * @returns {Fields | null}
 */
export function readCard(text) {
  const parts = text.normalize("NFC").split("|").map((part) => part.trim());
  if (parts.length < ID_FIELDS) return null;
  return /^\d{4,8}$/.test(parts[3]) ? readIdCard(parts) : readInsuranceCard(parts);
}

/** @param {string[]} parts @returns {Fields | null} */
function readIdCard([number, old, name, birth, sex, address]) {
  if (!/^\d{12}$/.test(number) || !name) return null;
  return {
    personal_number: number,
    old_number: old,
    full_name: name,
    birth: birth.length === 8 ? asDate(birth) : birth,
    sex: { nam: "male", nữ: "female" }[sex.toLowerCase()] ?? "",
    address,
  };
}

/** @param {string[]} parts @returns {Fields | null} */
function readInsuranceCard([typed, name, birth, sex, address]) {
  const number = typed.replace(/\s/g, "").toUpperCase();
  const words = [name, address === "-" ? "" : address].map(fromHex);
  if (words[0] === null || words[1] === null || !/^[A-Z]{2}\d{13}$|^\d{10}$|^\d{12}$/.test(number))
    return null;
  return {
    insurance_number: number,
    full_name: words[0],
    birth,
    sex: sex === "1" ? "male" : "female",
    address: words[1],
  };
}

/** @param {string} digits DDMMYYYY; zeros where only the year is known. */
function asDate(digits) {
  const [day, month, year] = [digits.slice(0, 2), digits.slice(2, 4), digits.slice(4)];
  return day === "00" ? year : `${day}/${month}/${year}`;
}

/** @param {string} hex @returns {string | null} */
function fromHex(hex) {
  if (!/^([0-9a-f]{2})*$/i.test(hex)) return null;
  const bytes = Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes).normalize("NFC");
    // Some cards end a name as C does.
    return text.replace(/[\s\0]+/g, " ").trim();
  } catch {
    return null;
  }
}
