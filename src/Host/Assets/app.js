// What the pages need beyond HTML. htmx carries requests and swaps, Alpine what is really local state; the rest is here.
import htmx from "htmx.org";
// From its source: what it publishes for bundlers holds the development build of what makes it reactive.
import Alpine from "@alpinejs/csp/src/index.js";
import { composer } from "./composer.js";
import { remember } from "./dom.js";
import { goLive } from "./live.js";
import { follow } from "./scrolling.js";
import { startShell } from "./shell.js";

document.documentElement.classList.add("js");
// So that "Today" begins at the person's midnight.
remember("tz", Intl.DateTimeFormat().resolvedOptions().timeZone);
startShell(htmx);
follow();
goLive(htmx);
Alpine.data("composer", composer);
Alpine.start();
