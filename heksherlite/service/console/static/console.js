// What makes the pages pleasant with script. Everything works without it.
import { follow } from "./live.js";
import { listen } from "./keys.js";

listen();
follow();
