// What makes the pages pleasant with script. Everything works without it.
import { refreshWhileTyping, setWhatIsEntered } from "./forms.js";
import { listen } from "./keys.js";
import { follow } from "./live.js";
import { addLocalTimes } from "./times.js";

listen();
refreshWhileTyping();
setWhatIsEntered();
addLocalTimes();
follow();
