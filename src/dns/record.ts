// Resource records, question types and response codes by their registered names
// (RFC 1035, 2782, 3596, 6891; https://www.iana.org/assignments/dns-parameters).

/** Numbers of the record and question types that this server knows by name. */
export const TYPE = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  OPT: 41,
  DS: 43,
  IXFR: 251,
  AXFR: 252,
  ANY: 255,
} as const;

/** The Internet class. */
export const CLASS_IN = 1;

/** Response codes. Those above 15 need an OPT record for their upper bits (RFC 6891 §6.1.3). */
export const RCODE = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5, BADVERS: 16 } as const;

/** What every record has. Names are in the form of name.ts; `ttl` is seconds. */
interface RecordHead {
  name: string;
  ttl: number;
  /** The Internet's when absent. */
  class?: number;
}

/** An IPv4 address, 4 bytes. */
export interface ARecord extends RecordHead {
  type: "A";
  address: Uint8Array;
}
/** An IPv6 address, 16 bytes. */
export interface AaaaRecord extends RecordHead {
  type: "AAAA";
  address: Uint8Array;
}
export interface NameRecord extends RecordHead {
  type: "CNAME" | "NS" | "PTR";
  target: string;
}
/** Intervals are seconds. */
export interface SoaRecord extends RecordHead {
  type: "SOA";
  mname: string;
  rname: string;
  serial: number;
  refresh: number;
  retry: number;
  expire: number;
  minimum: number;
}
export interface MxRecord extends RecordHead {
  type: "MX";
  preference: number;
  exchange: string;
}
/** Character strings of at most 255 bytes each. */
export interface TxtRecord extends RecordHead {
  type: "TXT";
  texts: readonly Uint8Array[];
}
export interface SrvRecord extends RecordHead {
  type: "SRV";
  priority: number;
  weight: number;
  port: number;
  target: string;
}
/** A record of a type not named above: its data as it came. */
export interface OpaqueRecord extends RecordHead {
  type: "other";
  code: number;
  data: Uint8Array;
}
/** The pseudo-record of EDNS (RFC 6891): its owner is the root and its other fields mean something else. */
export interface OptRecord {
  type: "OPT";
  /** The UDP payload that the sender can take, in bytes. */
  udpBytes: number;
  /** The upper eight bits of the response code. */
  extendedRcode: number;
  version: number;
  dnssecOk: boolean;
  options: readonly { code: number; data: Uint8Array }[];
}

export type ResourceRecord =
  | ARecord
  | AaaaRecord
  | NameRecord
  | SoaRecord
  | MxRecord
  | TxtRecord
  | SrvRecord
  | OpaqueRecord
  | OptRecord;

/** A question: `type` and `class` are numbers, since any may be asked. */
export interface Question {
  name: string;
  type: number;
  class: number;
}
