// `encrypt`: the keys of an agent and the two doors that seal with them (rpc/seal.ts). As in Consul, the key that is given first
// is written to the data directory, and from then on what is written there counts:
// https://developer.hashicorp.com/consul/docs/secure/encryption/gossip/enable
import type { AgentConfig } from "../config/config-types.ts";
import type { Peers, Platform } from "../platform.ts";
import { RefusalLog } from "../rpc/refusal-log.ts";
import { Seal } from "../rpc/seal.ts";
import { type DoorHandle, noKeyHere, SealedDoor, type SealedOptions, SealedPeers } from "../rpc/sealed-peers.ts";
import { OperationalError } from "../types/error.ts";
import { assert } from "../util/assert.ts";
import { decodeBase64, encodeBase64 } from "../util/base64.ts";
import { equal, text, utf8 } from "../util/bytes.ts";
import { toUserMap } from "../util/user-map.ts";
import type { UserMap } from "../types/records.ts";
import type { Logger } from "./logs.ts";

/** Where the keys are kept: a JSON array of base64, the one that seals first (Serf). */
const KEYRING_BLOB = "serf/local.keyring";
const KEY_BYTES: readonly number[] = [16, 24, 32];

/** What it is made with. */
export interface EncryptionOptions {
  config: AgentConfig;
  platform: Platform;
  logger: Logger;
  /** Answers what came in, opened. */
  handle: DoorHandle;
}

/** One pool of agents in the answer of /v1/operator/keyring. */
export interface KeyringReport {
  WAN: boolean;
  Datacenter: string;
  Segment: string;
  Keys: UserMap<number>;
  PrimaryKeys: UserMap<number>;
  NumNodes: number;
}

/** The keys of one agent. Nothing is called, and nothing answered, before `start` has ended. */
export class Encryption {
  /** The way to other agents: sealed when there is a key. */
  readonly peers: Peers;
  readonly #options: EncryptionOptions;
  /** What is refused of others' calls, and of this agent's by others. */
  readonly refusals: RefusalLog;
  #isStarted = false;
  #seal: Seal | null = null;
  #out: Peers;
  #door: SealedDoor | null = null;

  constructor(options: EncryptionOptions) {
    this.#options = options;
    const { platform, logger } = options;
    this.#out = platform.peers;
    this.refusals = new RefusalLog(
      () => platform.now(),
      (message, fields) => logger.warn(message, fields),
    );
    this.peers = {
      call: (address, path, body, timeoutMs, sending) => {
        assert(this.#isStarted, "no call is made before the keys are read");
        return this.#out.call(address, path, body, timeoutMs, sending);
      },
    };
  }

  /** Reads the keys. @throws OperationalError when they are faulty, or the platform cannot encrypt. */
  async start(): Promise<void> {
    const { config, platform, handle } = this.#options;
    const keys = await this.#keys();
    if (keys.length > 0) {
      const { cipher } = platform;
      if (cipher === undefined)
        throw new OperationalError(
          "unsupported",
          "encrypt: this runtime's platform has no `cipher`, so nothing can be encrypted; use another runtime, or take the key away",
        );
      const source = { wall: () => platform.wall(), random: (length: number) => platform.random(length), cipher };
      this.#seal = new Seal({ keys, name: config.nodeName, platform: source });
      const options: SealedOptions = {
        seal: this.#seal,
        now: () => platform.now(),
        wall: () => platform.wall(),
        refusals: this.refusals,
      };
      if (config.encryptVerifyOutgoing) this.#out = new SealedPeers(platform.peers, options);
      this.#door = new SealedDoor(handle, options, !config.encryptVerifyIncoming);
    }
    this.#isStarted = true;
  }

  /** Answers a call of another agent. Never rejects. */
  peer(path: string, bytes: Uint8Array, from: string): Promise<Uint8Array> {
    if (this.#door !== null) return this.#door.handle(path, bytes, from);
    const refusal = noKeyHere(bytes);
    if (refusal === null) return this.#options.handle(path, bytes, from);
    this.refusals.note(
      from,
      "an encrypted call: the agent there has an `encrypt` key, and this one has none: give it the same key",
    );
    return refusal;
  }

  /** True when there is a key. */
  get enabled(): boolean {
    return this.#seal !== null;
  }

  /** Calls refused so far, in both directions. */
  get refused(): number {
    return this.refusals.count;
  }

  /**
   * The keys of a pool with so many members that are there. Who lacks the key that seals is no member; of further keys, which only
   * a keyring file that somebody wrote can have, this agent vouches for its own.
   */
  report(wan: boolean, members: number): KeyringReport {
    assert(this.#seal !== null, "there is no keyring without a key");
    const names = this.#seal.keys.map(encodeBase64);
    const first = names[0] as string;
    return {
      WAN: wan,
      Datacenter: this.#options.config.datacenter,
      Segment: "",
      Keys: toUserMap(names.map((name): [string, number] => [name, name === first ? members : 1])),
      PrimaryKeys: toUserMap([[first, members]]),
      NumNodes: members,
    };
  }

  async #keys(): Promise<Uint8Array[]> {
    const { config, platform, logger } = this.#options;
    const given = config.encrypt === "" ? null : decodeBase64(config.encrypt);
    if (config.disableKeyringFile) return given === null ? [] : [given];
    const file = await platform.blobs.read(KEYRING_BLOB);
    if (file !== null) {
      const keys = readKeyring(file);
      if (given !== null && !keys.some((key) => equal(key, given)))
        logger.warn("encrypt is not in the keyring of the data directory, whose keys are used instead", {
          file: KEYRING_BLOB,
        });
      return keys;
    }
    if (given === null) return [];
    await platform.blobs.write(KEYRING_BLOB, utf8(`${JSON.stringify([encodeBase64(given)])}\n`));
    return [given];
  }
}

/** @throws OperationalError that says what is wrong with it and what to do. */
function readKeyring(file: Uint8Array): Uint8Array[] {
  try {
    const names: unknown = JSON.parse(text(file));
    if (!Array.isArray(names) || names.length === 0) throw new Error("it is no list of keys");
    return names.map((name: unknown) => {
      if (typeof name !== "string") throw new Error("a key is a text in base64");
      const key = decodeBase64(name);
      if (!KEY_BYTES.includes(key.length)) throw new Error("key size must be 16, 24 or 32 bytes");
      return key;
    });
  } catch (error) {
    throw new OperationalError(
      "invalid-request",
      `the keyring ${KEYRING_BLOB} of the data directory is faulty: ${(error as Error).message}; mend it, or remove it to begin anew with encrypt`,
      { cause: error },
    );
  }
}
