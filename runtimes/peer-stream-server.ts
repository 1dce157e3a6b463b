// The listener's end of a stream: each call is handed to the agent, and answered when the agent has answered, in any order.
import { isPeerPath, type PeerHandle } from "./peer-handle.ts";
import { BEAT, CALL, FAILED, type Frame } from "./peer-frames.ts";
import { type LinkSink, PeerLink } from "./peer-link.ts";

/** The path of the request whose two bodies are the stream. */
export const STREAM_PATH = "/rpc/1/stream";
/** What its bodies are. */
export const STREAM_TYPE = "application/x-proconsul-frames";

/** A client says something each second; one that is silent for this long has gone without a word. */
const SILENCE_MS = 15_000;
/** Calls under way on one stream. */
const CALLS_MAX = 65_536;

const decoder = new TextDecoder();

/** Serves one stream: tell the link what comes, when it may write again, and the end. @param from the caller's IP address */
export function serveStream(handle: PeerHandle, from: string, sink: LinkSink): PeerLink {
  let underWay = 0;
  const take = ({ kind, id, payload }: Frame): void => {
    if (kind === BEAT) {
      link.beat();
      return;
    }
    if (kind !== CALL || payload.length === 0) throw new Error(`a frame of kind ${kind}`);
    const pathEnd = 1 + (payload[0] as number);
    if (pathEnd > payload.length || underWay >= CALLS_MAX) throw new Error("a call that is none, or one too many");
    const path = decoder.decode(payload.subarray(1, pathEnd));
    if (!isPeerPath(path)) {
      link.say(FAILED, id);
      return;
    }
    underWay += 1;
    handle(path, payload.subarray(pathEnd), from).then(
      (answer) => {
        underWay -= 1;
        if (!link.isClosed) link.answer(id, answer);
      },
      () => {
        underWay -= 1;
        if (!link.isClosed) link.say(FAILED, id);
      },
    );
  };
  const watch = setInterval(() => {
    if (performance.now() - link.heardMs > SILENCE_MS) link.close("nothing was heard for long");
  }, SILENCE_MS / 3);
  watch.unref();
  const link = new PeerLink(sink, take, () => clearInterval(watch));
  return link;
}
