// Real clients against an agent on Bun: see suite.ts.
import { clientSuite } from "./suite.ts";

clientSuite("bun");
