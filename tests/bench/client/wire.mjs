/** The network between pages and server: a TCP proxy that can be cut. */
import { once } from "node:events";
import { connect, createServer } from "node:net";

export class Wire {
  #server;
  #sockets = new Set();
  #isCut = false;

  /** A wire to the server at `port`, until the scope ends. */
  static async before(scope, port) {
    const wire = new Wire();
    wire.#server = createServer((from) => wire.#join(from, port));
    wire.#server.listen(0, "127.0.0.1");
    await once(wire.#server, "listening");
    scope.after(() => (wire.cut(), wire.#server.close()));
    return wire;
  }

  get url() {
    return `http://127.0.0.1:${this.#server.address().port}`;
  }

  #join(from, port) {
    if (this.#isCut) return from.resetAndDestroy();
    const to = connect(port, "127.0.0.1");
    for (const [one, other] of [[from, to], [to, from]]) {
      this.#sockets.add(one);
      one.setNoDelay().on("error", () => {}).on("close", () => {
        this.#sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  }

  /** Ends every connection by a reset and lets no other begin. */
  cut() {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  mend() {
    this.#isCut = false;
  }
}
