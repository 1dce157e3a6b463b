// Bad input to an agent on Node: see live-suite.ts.
import { liveInputSuite } from "./live-suite.ts";

liveInputSuite("node");
