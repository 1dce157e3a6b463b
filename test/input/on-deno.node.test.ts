// Bad input to an agent on Deno: see live-suite.ts.
import { liveInputSuite } from "./live-suite.ts";

liveInputSuite("deno");
