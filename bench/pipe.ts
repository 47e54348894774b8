/** `pipe.ts PORT UPSTREAM_PORT`: bytes in, bytes out; what a second process on the way costs at least. */
import net from "node:net";

const [port, upstream] = process.argv.slice(2).map(Number);
net
  .createServer({ noDelay: true }, (socket) => {
    const other = net.connect({ port: upstream ?? 0, host: "127.0.0.1", noDelay: true });
    socket.pipe(other).pipe(socket);
    socket.on("error", () => other.destroy());
    other.on("error", () => socket.destroy());
  })
  .listen(port, "127.0.0.1", () => console.log("ready"));
