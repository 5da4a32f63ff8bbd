// SPDX-License-Identifier: BSD-2-Clause
// Live refresh: fetch this page again and swap the parts marked data-live. Everything works without it.
"use strict";
(() => {
  const PERIOD = 4000;
  const offline = document.getElementById("offline");
  if (!document.querySelector("[data-live]")) return;

  const inUse = (part) => part.contains(document.activeElement) && document.activeElement !== part;

  const swap = (fresh) => {
    for (const part of document.querySelectorAll("[data-live]")) {
      const next = fresh.getElementById(part.id);
      if (!next || inUse(part) || next.innerHTML === part.dataset.shown) continue;
      const open = [...part.querySelectorAll("details")].map((item) => item.open);
      part.dataset.shown = next.innerHTML;
      part.innerHTML = next.innerHTML;
      const details = part.querySelectorAll("details");
      if (details.length === open.length) details.forEach((item, index) => { item.open = open[index]; });
    }
  };

  const tick = async () => {
    if (!document.hidden) {
      try {
        const answer = await fetch(location.href, { signal: AbortSignal.timeout(10000) });
        if (answer.status === 401) { location.reload(); return; }
        if (!answer.ok) throw new Error(answer.status);
        swap(new DOMParser().parseFromString(await answer.text(), "text/html"));
        offline.hidden = true;
      } catch {
        offline.hidden = false;
      }
    }
    setTimeout(tick, PERIOD);
  };
  setTimeout(tick, PERIOD);
})();
