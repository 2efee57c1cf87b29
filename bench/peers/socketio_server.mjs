// Node's socket.io as it comes, without the polling that the others lack as well.
import { createServer } from "node:http";
import { Server } from "socket.io";

const http = createServer();
const io = new Server(http, { transports: ["websocket"], serveClient: false });

io.on("connection", (socket) => {
  socket.on("join", async (room, answer) => {
    await socket.join(room);
    answer(true);
  });
  socket.on("signal", (data) => {
    socket.to(data.room).emit("signal", data);
  });
});

http.listen(Number(process.argv[2]), "127.0.0.1");
