// AES-256-GCM by Web Crypto, which pages have where they are served by HTTPS or from localhost.
import type { Cipher } from "../../src/platform.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Everything later: Web Crypto knows nothing else. */
export const webCipher: Cipher = {
  key(bytes) {
    const imported = crypto.subtle.importKey("raw", bytes as Bytes, "AES-GCM", false, ["encrypt", "decrypt"]);
    // Whoever seals or opens hears of it.
    imported.catch(() => {});
    return {
      async seal(nonce, aad, plain, headBytes) {
        const how = { name: "AES-GCM", iv: nonce as Bytes, additionalData: aad as Bytes };
        const sealed = new Uint8Array(await crypto.subtle.encrypt(how, await imported, plain as Bytes));
        const whole = new Uint8Array(headBytes + sealed.length);
        whole.set(sealed, headBytes);
        return whole;
      },
      async open(nonce, aad, sealed) {
        const key = await imported;
        try {
          const how = { name: "AES-GCM", iv: nonce as Bytes, additionalData: aad as Bytes };
          return new Uint8Array(await crypto.subtle.decrypt(how, key, sealed as Bytes));
        } catch {
          return null;
        }
      },
    };
  },
};
