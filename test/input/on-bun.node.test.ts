// Bad input to an agent on Bun: see live-suite.ts.
import { liveInputSuite } from "./live-suite.ts";

liveInputSuite("bun");
