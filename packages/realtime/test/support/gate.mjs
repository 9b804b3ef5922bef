/**
 * An HTTP proxy in front of a server, which lets WebSockets through or does not, as many a company's does, or answers
 * itself.
 */
import { once } from "node:events";
import { createServer, request } from "node:http";

export class Gate {
  #server;
  /** Whether WebSockets may pass. */
  open;
  /** What it answers to everything, as it stands on the wire, instead of passing it on. */
  answer;
  /** How often it did. */
  answers = 0;
  /** Requests of long-polling that passed, WebSockets that did, and those that did not. */
  polls = 0;
  sockets = 0;
  refused = 0;

  constructor(server, open) {
    this.#server = server;
    this.open = open;
  }

  /** A gate in front of the server at `port`, there until the test ends. */
  static async before(t, port, { open }) {
    const server = createServer();
    const gate = new Gate(server, open);
    const answered = (socket) => gate.answer !== undefined && (gate.answers++, socket.end(gate.answer), true);
    server.on("request", (from, to) => {
      if (answered(to.socket)) return;
      if (from.url.includes("transport=polling")) gate.polls++;
      from.pipe(gate.#onward(port, from, (answer) => {
        to.writeHead(answer.statusCode, answer.headers);
        answer.pipe(to);
      }).on("error", () => to.destroy()));
      to.on("close", () => from.destroy());
    });
    server.on("upgrade", (from, socket, head) => {
      if (answered(socket)) return;
      if (!gate.open) {
        gate.refused++;
        return socket.end("HTTP/1.1 403 Forbidden\r\nconnection: close\r\n\r\n");
      }
      gate.sockets++;
      const onward = gate.#onward(port, from, () => socket.destroy());
      onward.on("upgrade", ({ rawHeaders }, other, first) => {
        const fields = rawHeaders.map((part, n) => part + (n % 2 ? "\r\n" : ": "));
        socket.write(`HTTP/1.1 101 Switching Protocols\r\n${fields.join("")}\r\n`);
        other.unshift(first);
        socket.unshift(head);
        for (const [one, two] of [[socket, other], [other, socket]]) {
          one.pipe(two);
          one.on("error", () => two.destroy()).on("close", () => two.destroy());
        }
      });
      onward.on("error", () => socket.destroy()).end();
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    t.after(() => (server.closeAllConnections(), server.close()));
    return gate;
  }

  get url() {
    return `http://127.0.0.1:${this.#server.address().port}`;
  }

  #onward(port, { method, url, headers }, answered) {
    return request({ host: "127.0.0.1", port, method, path: url, headers }, answered);
  }
}
