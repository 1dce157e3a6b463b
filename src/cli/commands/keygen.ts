// `keygen`: a key for the encryption of gossip.
import { encodeBase64 } from "../../util/base64.ts";
import type { Command } from "../command.ts";

export const keygen: Command = {
  name: "keygen",
  synopsis: "Makes a new key for the encryption of gossip",
  help: `Prints 32 random bytes in base64, for "encrypt" in the configuration.`,
  async run(call) {
    call.none();
    call.print(encodeBase64(call.io.random(32)));
    return 0;
  },
};
