// What this build says of itself.

/** Proconsul's own version. */
export const VERSION = "0.1.0";
/** The version of Consul whose interfaces this build serves: what clients that ask for Consul's version are told. */
export const CONSUL_VERSION = "1.22.0";
