// What the pages need beyond HTML. htmx carries requests and swaps, Alpine what is really local state; the rest is here.
import htmx from "htmx.org";
import Alpine from "@alpinejs/csp";
import { composer } from "./composer.js";
import { connection, goLive } from "./live.js";
import { follow } from "./scrolling.js";
import { startShell } from "./shell.js";

document.documentElement.classList.add("js");
// So that "Today" begins at the person's midnight.
document.cookie = `tz=${Intl.DateTimeFormat().resolvedOptions().timeZone};path=/;max-age=31536000;samesite=lax`;
startShell(htmx);
follow();
goLive(htmx);
Alpine.data("composer", composer);
Alpine.data("connection", connection);
Alpine.start();
