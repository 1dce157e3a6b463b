// What a key's bytes mean.

/** Values of one type as bytes; `decode` throws what it cannot read. */
export interface Codec<T> {
  encode(value: T): string | Uint8Array;
  decode(bytes: Uint8Array): T;
}

/** UTF-8. */
export const text: Codec<string> = {
  encode: (value) => value,
  // A byte order mark is part of what somebody stored.
  decode: (value) => new TextDecoder("utf-8", { ignoreBOM: true }).decode(value),
};

/** As they are. */
export const bytes: Codec<Uint8Array> = { encode: (value) => value, decode: (value) => value };

/** JSON. @param check makes sure that it is a `T`, and throws otherwise; without it, whoever wrote the key is trusted. */
export function json<T>(check: (value: unknown) => T = (value) => value as T): Codec<T> {
  return {
    encode: (value) => JSON.stringify(value),
    decode: (value) => check(JSON.parse(text.decode(value))),
  };
}
