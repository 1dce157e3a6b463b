// What wrangler deploys (wrangler.toml): the Worker, and the class of its objects.
import type { Environment } from "./settings.ts";
import { answer } from "./worker.ts";

export { DatacenterObject } from "./object.ts";
export type { Environment } from "./settings.ts";

/** The Worker. */
const worker: { fetch(request: Request, environment: Environment): Promise<Response> } = { fetch: answer };
export default worker;
