// @ts-check
/** A press in the room that the server may refuse. */
import { busy, toast } from "../dom.js";
import { LiveError } from "../live.js";

/**
 * Do it, with the button busy meanwhile; a refusal is said in its words. True when it was done.
 * @param {HTMLElement | null} button
 * @param {() => Promise<unknown>} act
 */
export async function press(button, act) {
  const free = button ? busy(button) : () => {};
  try {
    await act();
    return true;
  } catch (error) {
    if (!(error instanceof LiveError)) throw error;
    toast(error.message, { mark: "warn" });
    return false;
  } finally {
    free();
  }
}
