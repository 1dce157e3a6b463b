// Real clients against an agent on Deno: see suite.ts.
import { clientSuite } from "./suite.ts";

clientSuite("deno");
