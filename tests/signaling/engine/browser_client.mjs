// The client of the pages, outside a page: says on standard output what it hears, as JSON lines.
import { io } from "socket.io-client";

const [origin, wish] = process.argv.slice(2);
const say = (...words) => process.stdout.write(`${JSON.stringify(words)}\n`);
const socket = io(origin, {
  transports: ["websocket"],
  extraHeaders: { Origin: origin },
  auth: { name: "An", wish },
  reconnectionDelay: 20,
  reconnectionDelayMax: 50,
});

socket.on("connect", async () => {
  say("connect");
  say("ack", await socket.timeout(5000).emitWithAck("name"));
  say("failure", await socket.timeout(5000).emitWithAck("fail", 1));
});
socket.on("connect_error", (error) => {
  if (error.data) say("refused", error.message, error.data, socket.active);
});
socket.on("disconnect", (reason) => say("disconnect", reason, socket.active));
socket.onAny((...words) => say("event", ...words));
