// SPDX-License-Identifier: BSD-2-Clause
// Live pages: when the server says that something changed, fetch this page again and swap the parts marked data-live.
// Everything works without it.
"use strict";
(() => {
  const GAP = 1000; // at least so many ms between two fetches
  const link = document.getElementById("link");

  document.addEventListener("keydown", (event) => {
    const search = document.getElementById("q");
    if (event.key !== "/" || !search || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    event.preventDefault();
    search.select();
  });

  const ago = (seconds) => {
    for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"]]) {
      if (seconds >= size) return `${Math.floor(seconds / size)} ${unit} ago`;
    }
    return `${Math.floor(seconds)} s ago`;
  };
  const age = () => {
    for (const item of document.querySelectorAll("time[datetime]")) {
      item.textContent = ago(Math.max(0, (Date.now() - Date.parse(item.dateTime)) / 1000));
    }
  };
  setInterval(age, 10000);

  if (document.body.dataset.subject === undefined) return;

  // What is under the pointer or typed into does not move away.
  const inUse = (part) => part.querySelector("a:hover, button:hover, summary:hover, input:focus, select:focus");

  const place = (part) => {
    const item = part.contains(document.activeElement) && document.activeElement;
    if (!item) return () => {};
    const same = item.tagName === "SUMMARY"
      ? `details[data-key="${CSS.escape(item.parentElement.dataset.key)}"] > summary`
      : `a[href="${CSS.escape(item.getAttribute("href") || "")}"]`;
    const number = [...part.querySelectorAll(same)].indexOf(item);
    return () => {
      const found = part.querySelectorAll(same);
      const next = found[Math.min(number, found.length - 1)];
      if (next) next.focus({ preventScroll: true });
    };
  };

  const shown = new Map([...document.querySelectorAll("[data-live]")].map((part) => [part.id, part.innerHTML]));
  const swap = (fresh) => {
    let waiting = false;
    for (const part of document.querySelectorAll("[data-live]")) {
      const next = fresh.getElementById(part.id);
      if (!next || next.innerHTML === shown.get(part.id)) continue;
      if (inUse(part)) { waiting = true; continue; }
      const open = new Map([...part.querySelectorAll("details[data-key]")].map((item) => [item.dataset.key, item.open]));
      const focus = place(part);
      shown.set(part.id, next.innerHTML);
      part.innerHTML = next.innerHTML;
      for (const item of part.querySelectorAll("details[data-key]")) {
        if (open.has(item.dataset.key)) item.open = open.get(item.dataset.key);
      }
      focus();
    }
    return waiting;
  };

  const say = (words) => {
    link.hidden = !words;
    link.textContent = words;
  };

  let timer = 0;
  let again = false;
  let busy = false;
  const refresh = async () => {
    if (busy) { again = true; return; }
    busy = true;
    again = false;
    let waiting = false;
    try {
      const answer = await fetch(location.href, { signal: AbortSignal.timeout(20000) });
      if (answer.status === 401) { location.reload(); return; }
      if (answer.status === 404) { say("this machine is gone"); return; }
      if (!answer.ok) throw new Error(String(answer.status));
      waiting = swap(new DOMParser().parseFromString(await answer.text(), "text/html"));
      say("");
    } catch {
      say("not up to date: the server does not answer");
      waiting = true;
    } finally {
      busy = false;
    }
    if (again || waiting) soon();
  };
  const soon = () => {
    if (timer) return;
    timer = setTimeout(() => { timer = 0; refresh(); }, GAP);
  };

  let source = null;
  const listen = () => {
    if (document.hidden) {
      if (source) source.close();
      source = null;
      return;
    }
    if (source) return;
    source = new EventSource(`/live?${document.body.dataset.subject}`);
    source.onopen = () => { document.body.dataset.linked = "yes"; };
    source.onmessage = soon;
    source.onerror = () => {
      say("not up to date: the server does not answer");
      if (source.readyState === EventSource.CLOSED) { source = null; setTimeout(() => { listen(); soon(); }, 5000); }
    };
  };
  document.addEventListener("visibilitychange", () => { listen(); if (!document.hidden) soon(); });
  listen(); // the first message comes at once: something may have changed while nobody listened
})();
