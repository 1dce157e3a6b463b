// Real clients against an agent on Node: see suite.ts.
import { clientSuite } from "./suite.ts";

clientSuite("node");
