// What the tests use of dns-packet, which has no types of its own.
declare module "dns-packet" {
  export interface Question {
    name: string;
    type: string;
    class: string;
  }
  /** `data` is what the type makes it. */
  export interface Record {
    type: string;
    name: string;
    ttl?: number;
    class?: string;
    data?: unknown;
    [field: string]: unknown;
  }
  export interface Packet {
    id?: number;
    type?: "query" | "response";
    flags?: number;
    rcode?: string;
    questions?: Question[];
    answers?: Record[];
    authorities?: Record[];
    additionals?: Record[];
  }
  export interface DecodedPacket extends Required<Packet> {
    opcode: string;
    flag_qr: boolean;
    flag_aa: boolean;
    flag_tc: boolean;
    flag_rd: boolean;
    flag_ra: boolean;
    flag_ad: boolean;
    flag_cd: boolean;
  }
  export const RECURSION_DESIRED: number;
  export function encode(packet: Packet): Buffer;
  export function decode(bytes: Buffer): DecodedPacket;
}
