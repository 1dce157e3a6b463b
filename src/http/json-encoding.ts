// How a read's value becomes a reply. An encoding has a form that names everything besides the value that the bytes depend
// on, so that a reply can be kept beside the value and given to everybody who asks for that form.
import { stringifyJson } from "../util/json.ts";
import { jsonReply, reply, type Reply } from "./reply.ts";

export interface Encoding<R> {
  readonly form: string;
  /** Makes the reply; `headers` are those of the answer (index, leader, contact, consistency) and go in as they are. */
  encode(value: R, headers: readonly string[]): Reply;
}

/**
 * An encoding as JSON text and its indented twin; `pretty` picks one. What `isMissing` calls missing is a 404 without a
 * body, as Consul's key-value store and coordinates have it.
 */
export function jsonEncoding<R>(
  form: string,
  encode: (value: R, pretty: boolean) => string,
  isMissing: (value: R) => boolean = () => false,
): (pretty: boolean) => Encoding<R> {
  const twin = (pretty: boolean): Encoding<R> => ({
    form: pretty ? `${form}-pretty` : form,
    encode: (value, headers) =>
      isMissing(value) ? reply(404, headers, null) : jsonReply(encode(value, pretty), headers),
  });
  const [plain, indented] = [twin(false), twin(true)];
  return (pretty) => (pretty ? indented : plain);
}

/** The value's own JSON. */
export const asIs: (pretty: boolean) => Encoding<unknown> = jsonEncoding<unknown>("json", stringifyJson);
