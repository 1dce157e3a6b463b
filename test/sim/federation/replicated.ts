// The prefixes of keys that are replicated between simulated datacenters: what is copied from the first one, where it is in the
// others, and what all of them write.
export const COPIED = "copied/";
export const COPY = "copy/";
export const SHARED = "shared/";
