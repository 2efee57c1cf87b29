// @ts-check
/** The page of a session's recordings: one button and one time line for all players. */
import { find, findAll, label } from "../dom.js";
import { t } from "../i18n.js";
import { TogetherPlayer } from "../recording-player.js";

const TICK_MS = 250;

/** @param {number} seconds */
function clock(seconds) {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** @param {HTMLElement} section */
function wire(section) {
  const videos = findAll("video", HTMLVideoElement, section);
  if (videos.length === 0) return;
  const together = new TogetherPlayer(
    videos.map((player) => ({
      player,
      offset: Number(player.dataset.offsetMs) / 1000,
      duration: Number(player.dataset.durationMs) / 1000,
    })),
  );
  const button = find("[data-role=play]", HTMLButtonElement, section);
  const slider = find("[data-role=at]", HTMLInputElement, section);
  const output = find("[data-role=clock]", HTMLOutputElement, section);
  find("[data-role=together]", HTMLElement, section).hidden = false;
  for (const video of videos) video.controls = false;
  slider.max = String(together.duration);

  function show() {
    const { position, duration, isPlaying } = together;
    section.dataset.playing = String(isPlaying);
    label(button, isPlaying ? "half" : "video", isPlaying ? t("Tạm dừng") : t("Phát cùng lúc"));
    slider.value = String(position);
    slider.setAttribute("aria-valuetext", clock(position));
    output.textContent = `${clock(position)} / ${clock(duration)}`;
  }

  let last = performance.now();
  setInterval(() => {
    const now = performance.now();
    together.tick((now - last) / 1000);
    last = now;
    if (together.isPlaying || section.dataset.playing === "true") show();
  }, TICK_MS);
  button.addEventListener("click", () => {
    if (together.isPlaying) together.pause();
    else together.play();
    show();
  });
  slider.addEventListener("input", () => {
    together.seek(Number(slider.value));
    show();
  });
  show();
}

for (const section of findAll("[data-role=recording]", HTMLElement)) wire(section);
