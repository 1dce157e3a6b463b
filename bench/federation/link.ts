// A long way between two addresses of this machine: whatever is sent to `far` arrives at `near`, on the same port, so much later,
// and what comes back as well. TCP alone, as agents use it between each other.
import { connect, createServer, type Server, type Socket } from "node:net";
import { once } from "node:events";

/** Carries bytes from one socket to the other, each chunk `delayMs` after it came, in order. */
function carry(from: Socket, to: Socket, delayMs: number): void {
  from.on("data", (chunk) => void setTimeout(() => to.writable && to.write(chunk), delayMs));
  from.on("end", () => void setTimeout(() => to.end(), delayMs));
  from.on("close", () => void setTimeout(() => to.destroy(), delayMs));
  from.on("error", () => {});
}

export class Link {
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();

  /** Opens the way for these ports. @param delayMs one way. */
  static async open(far: string, near: string, ports: readonly number[], delayMs: number): Promise<Link> {
    const link = new Link();
    for (const port of ports) {
      const server = createServer({ noDelay: true }, (incoming) => {
        const outgoing = connect({ host: near, port, noDelay: true });
        for (const socket of [incoming, outgoing]) {
          link.#sockets.add(socket);
          socket.once("close", () => link.#sockets.delete(socket));
        }
        carry(incoming, outgoing, delayMs);
        carry(outgoing, incoming, delayMs);
      });
      server.listen(port, far);
      await once(server, "listening");
      link.#servers.push(server);
    }
    return link;
  }

  /** Whoever is on it finds his connection broken, and nobody gets on it any more. */
  cut(): void {
    for (const server of this.#servers) server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}
