// @ts-nocheck a worker's globals are not a page's, and one project has one set of them
/**
 * Shows messages while no page is open. It keeps nothing, and no page goes through it.
 * A classic service worker, so that every browser takes it; its address is /notices-worker.js.
 */
"use strict";

addEventListener("install", () => void skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));

addEventListener("push", (event) => {
  const { sentence, uid, delivery, urgent } = event.data.json();
  const shown = registration.showNotification("Telemed", {
    body: sentence,
    // The same message may come twice and shows once.
    tag: uid,
    renotify: urgent,
    requireInteraction: urgent,
    data: { uid },
  });
  const told = fetch(`/deliveries/${delivery}/arrived`, { method: "POST", credentials: "omit" });
  // Whoever is offline now has the message all the same.
  event.waitUntil(Promise.all([shown, told.catch(() => undefined)]));
});

addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(clients.openWindow(`/notices/${event.notification.data.uid}`));
});
