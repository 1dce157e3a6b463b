// The blobs in IndexedDB pass the suite. fake-indexeddb stands in for the browser, which has its own test beside this.
import "fake-indexeddb/auto";
import { IdbBlobs } from "../../../runtimes/browser/blobs.ts";
import { blobsSuite } from "../storage/blobs-suite.ts";

let databases = 0;
blobsSuite("blobs in IndexedDB", async () => {
  databases += 1;
  const name = `blobs-${databases}`;
  return { open: async () => new IdbBlobs(name), remove: async () => {} };
});
