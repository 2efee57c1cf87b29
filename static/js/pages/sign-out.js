// @ts-check
/**
 * Leaving a shared machine: drafts that the server has not got are named first and stay locked on the
 * device; when there are none, nothing of the person stays. For `<form data-role="sign-out">`.
 */
import { find, icon, make } from "../dom.js";
import { DeviceStore } from "../drafts.js";
import { t } from "../i18n.js";

const form = find("form[data-role=sign-out]", HTMLFormElement);
let isSettled = false;

form.addEventListener("submit", async (event) => {
  if (isSettled) return;
  event.preventDefault();
  const store = await DeviceStore.open(document.body.dataset.person ?? "");
  const count = (await store?.countUnsent().catch(() => 0)) ?? 0;
  if (count && !(await askToLeave(count))) return;
  if (!count) await store?.forget().catch(() => undefined);
  isSettled = true;
  form.requestSubmit(event.submitter);
});

/**
 * The safe answer is first and has the focus; Escape gives it too.
 * @param {number} count
 * @returns {Promise<boolean>}
 */
function askToLeave(count) {
  const stay = make("button", { class: "btn go", value: "stay", autofocus: true }, t("Ở lại để gửi xong"));
  const leave = make("button", { class: "btn bad", value: "leave" }, t("Đăng xuất"));
  const dialog = make(
    "dialog",
    { "aria-labelledby": "leaving" },
    make(
      "form",
      { method: "dialog", class: "stack" },
      make("h2", { id: "leaving", class: "row" }, icon("outbox"), t("Đăng xuất khi còn {count} mục chưa gửi?", { count })),
      make("p", {}, t("Bản nháp vẫn ở trên máy này, đã khóa. Chúng chỉ tự gửi khi bạn đăng nhập lại trên máy này.")),
      make("div", { class: "line" }, stay, leave),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "leave");
    });
  });
}
