// @ts-check
/** Turns messages on in this browser, where it has them and the person allows them. */
import { post } from "../api.js";
import { say, warn } from "../dom.js";
import { t } from "../i18n.js";

const WORKER = "/notices-worker.js";
const button = document.querySelector("[data-role=push-on]");
const state = document.querySelector("[data-role=push-state]");

if (button instanceof HTMLButtonElement && "serviceWorker" in navigator && "PushManager" in window) {
  button.hidden = false;
  button.addEventListener("click", () => void turnOn(button));
} else if (button && state) {
  state.textContent = t("Trình duyệt này không nhận được thông báo khi đóng trang");
}

/** @param {HTMLButtonElement} button */
async function turnOn(button) {
  button.disabled = true;
  try {
    if ((await Notification.requestPermission()) !== "granted") {
      tell(t("Trình duyệt đang chặn thông báo. Mở khóa cạnh thanh địa chỉ rồi thử lại."));
      return;
    }
    await navigator.serviceWorker.register(address(), { scope: "/" });
    const { pushManager } = await navigator.serviceWorker.ready;
    const known = await pushManager.getSubscription();
    const subscription = known ?? (await pushManager.subscribe(options(button.dataset.key ?? "")));
    const { endpoint, keys } = subscription.toJSON();
    await post("/account/notices/browsers", { endpoint, p256dh: keys?.p256dh, auth: keys?.auth });
    say(t("Đã bật thông báo ở máy này"));
    location.reload();
  } catch (error) {
    tell(error instanceof Error && error.name === "ApiError" ? error.message : t("Chưa bật được. Kiểm tra mạng rồi thử lại."));
  } finally {
    button.disabled = false;
  }
}

/** Browsers with Trusted Types take the address of a worker from a policy only. */
function address() {
  const { trustedTypes } = /** @type {any} */ (window);
  return trustedTypes?.createPolicy("notices-worker", { createScriptURL: () => WORKER }).createScriptURL(WORKER) ?? WORKER;
}

/** @param {string} key */
function options(key) {
  return { userVisibleOnly: true, applicationServerKey: key };
}

/** @param {string} words */
function tell(words) {
  if (state) state.textContent = words;
  warn(words);
}
