// What the pages gain with JavaScript. Everything works without it; nothing here evaluates text as code.
(() => {
  "use strict";
  const root = document.documentElement;
  root.classList.remove("no-js");
  const $ = (selector, from = document) => from.querySelector(selector);
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const near = (event, selector) => event.target instanceof Element && event.target.closest(selector);
  const store = {
    get: (key) => { try { return localStorage.getItem(key); } catch { return null; } },
    set: (key, value) => { try { localStorage.setItem(key, value); } catch { /* storage is blocked: it lasts for this page */ } },
  };

  // Toasts: success only, six seconds, longer while looked at.
  const leaveLater = (toast) => setTimeout(() => (toast.matches(":hover, :focus-within") ? leaveLater(toast) : toast.remove()), 6000);
  const say = (message, detail = "") => {
    const template = $("#toast-template");
    if (!template) return;
    const toast = template.content.firstElementChild.cloneNode(true);
    $("b", toast).textContent = message;
    $("p", toast).append(detail);
    $("#toasts").append(toast);
    leaveLater(toast);
  };
  const complain = (message, hint = "") => {
    const template = $("#problem-template");
    if (!template) return;
    const note = template.content.firstElementChild.cloneNode(true);
    $("b", note).textContent = message;
    $("span", note).textContent = hint;
    $("#problems").replaceChildren(note);
    note.scrollIntoView({ block: "nearest" });
  };
  all("#toasts .toast").forEach(leaveLater);
  const detailOf = (event) => (event.detail && event.detail.value && typeof event.detail.value === "object" ? event.detail.value : event.detail) || {};
  document.addEventListener("toast", (event) => { const { message, value, detail } = detailOf(event); say(message || value, detail); });
  document.addEventListener("problem", (event) => { const { message, value, hint } = detailOf(event); complain(message || value, hint); });

  // Theme: the form posts and comes back; here it changes at once.
  const isDark = () => (root.dataset.theme === "auto" ? matchMedia("(prefers-color-scheme: dark)").matches : root.dataset.theme === "dark");
  document.addEventListener("submit", (event) => {
    if (!near(event, "[data-theme-form]")) return;
    event.preventDefault();
    root.dataset.theme = isDark() ? "light" : "dark";
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `theme=${root.dataset.theme}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
  });

  // A form is sent once; what takes a while says so on the button that was pressed. htmx sends its own.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method !== "post") return;
    if (form.dataset.sent) return event.preventDefault();
    form.dataset.sent = "yes";
    const button = event.submitter;
    if (!button || !button.dataset.busy) return;
    button.dataset.label = button.lastChild.textContent;
    setTimeout(() => { button.setAttribute("aria-busy", "true"); button.lastChild.textContent = button.dataset.busy; }, 300);
  });
  // Coming back, the browser may show the page as it was left.
  addEventListener("pageshow", (event) => event.persisted && all("form[data-sent]").forEach((form) => {
    delete form.dataset.sent;
    all("[aria-busy][data-label]").forEach((button) => { button.removeAttribute("aria-busy"); button.lastChild.textContent = button.dataset.label; });
  }));

  // Copying
  const copy = async (text) => {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  };
  const copyFrom = async (button) => {
    try {
      await copy(button.dataset.copy);
    } catch {
      return complain("Copying was refused by the browser.", "Select the text and copy it.");
    }
    button.classList.add("copied");
    say("Copied", button.dataset.copy.length < 60 ? button.dataset.copy : "");
    setTimeout(() => button.classList.remove("copied"), 1500);
  };
  document.addEventListener("copy", (event) => {
    const { anchorNode, focusNode } = getSelection();
    const found = anchorNode && anchorNode.parentElement && anchorNode.parentElement.closest(".root");
    if (!found || !found.contains(focusNode) || !event.clipboardData) return;
    event.clipboardData.setData("text/plain", found.title);
    event.preventDefault();
  });

  // Dialogs and closing
  const openDialog = (id) => {
    const dialog = document.getElementById(id);
    if (!dialog || !dialog.showModal) return false;
    if (!dialog.open) dialog.showModal();
    guard(dialog);
    return true;
  };
  const guard = (scope) => all("[data-confirm-with]", scope).forEach((input) => {
    const submit = input.form && $("[data-confirm-submit]", input.form);
    if (submit) submit.disabled = input.value.trim() !== input.dataset.confirmWith;
  });
  document.addEventListener("click", (event) => {
    const button = near(event, "[data-copy], [data-dialog], [data-close]");
    if (event.target instanceof HTMLDialogElement && event.target.open) return event.target.close();
    if (!button || event.ctrlKey || event.metaKey) return;
    if ("copy" in button.dataset) copyFrom(button);
    if (button.dataset.dialog && openDialog(button.dataset.dialog)) event.preventDefault();
    if (button.dataset.close === "toast") button.closest(".toast").remove();
    if (button.dataset.close === "dialog") { event.preventDefault(); button.closest("dialog").close(); }
  });

  // Selected rows
  const count = () => {
    const picked = all(".row-check:checked").length;
    const every = $("[data-select-all]");
    all("[data-selected]").forEach((place) => { place.textContent = String(picked); });
    if (every) {
      every.checked = picked > 0 && picked === all(".row-check").length;
      every.indeterminate = picked > 0 && !every.checked;
    }
  };
  document.addEventListener("change", (event) => {
    if (near(event, "[data-select-all]")) all(".row-check").forEach((box) => { box.checked = event.target.checked; });
    if (near(event, "[data-select-all], .row-check")) count();
    if (near(event, "[data-keys-switch]")) store.set("keys", event.target.checked ? "on" : "off");
  });
  document.addEventListener("reset", () => setTimeout(count));
  document.addEventListener("input", (event) => {
    if (near(event, "[data-confirm-with]")) guard(event.target.form);
    if (!near(event, "[data-find]")) return;
    const wanted = event.target.value.toLowerCase();
    all(".choice", event.target.parentElement).forEach((row) => { row.hidden = !row.textContent.toLowerCase().includes(wanted); });
  });

  // htmx: a hidden tab does not poll; what failed to arrive says since when; a form's summary takes focus.
  const clock = () => new Date().toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  const markStale = (part) => {
    if (part.dataset.stale) return;
    part.dataset.stale = clock();
    const note = $("#stale-template").content.firstElementChild.cloneNode(true);
    $("span span", note).textContent = `Not live since ${part.dataset.stale}`;
    $("a", note).href = location.href;
    part.prepend(note);
  };
  const failed = (event) => {
    const { elt, xhr } = event.detail;
    const status = xhr ? xhr.status : 0;
    const part = elt && elt.closest("[data-poll]");
    if (part && (status === 0 || status >= 500)) return markStale(part);
    const told = xhr && /"problem"/.test((status && xhr.getResponseHeader("HX-Trigger")) || "");
    if (told) return;
    if (status === 0) return complain("The portal cannot be reached.", "What you see may be old. Check your network, then try again.");
    if (status === 401) return complain("You are signed out.", "Open the page again and sign in.");
    if (status === 403) return complain("Your role does not allow this.", "Nothing was changed.");
    if (status === 409) return complain("The state changed since you opened the page.", "Nothing was changed. Open the page again.");
    if (status === 429) return complain("Too many tries.", "Wait a minute, then try again.");
    complain(status >= 500 ? "The portal failed to answer." : "The portal refused this.", "What you see may be old. Open the page again.");
  };
  document.addEventListener("htmx:beforeRequest", (event) => {
    const { elt, requestConfig } = event.detail;
    const isPoll = requestConfig && requestConfig.triggeringEvent === undefined;
    if (document.hidden && elt.matches("[data-poll]") && (isPoll || requestConfig.verb === "get")) event.preventDefault();
  });
  // What a person has opened stays open when a poll swaps it.
  let opened = [];
  document.addEventListener("htmx:beforeSwap", (event) => { opened = all("details[open][id]", event.detail.target).map((part) => part.id); });
  document.addEventListener("htmx:afterSwap", () => opened.splice(0).forEach((id) => { const part = document.getElementById(id); if (part) part.open = true; }));
  document.addEventListener("htmx:responseError", failed);
  document.addEventListener("htmx:sendError", failed);
  document.addEventListener("htmx:timeout", failed);
  document.addEventListener("htmx:afterRequest", (event) => {
    const part = event.detail.successful && event.detail.elt && event.detail.elt.closest("[data-stale]");
    if (!part) return;
    delete part.dataset.stale;
    all(":scope > .stale", part).forEach((note) => note.remove());
  });
  document.addEventListener("htmx:afterSettle", (event) => {
    const place = event.detail.elt || document;
    const summary = place.id === "error-summary" ? place : $("#error-summary", place);
    if (summary && event.detail.xhr && event.detail.xhr.status === 422) summary.focus();
    if (all(".row-check").length) count();
    guard(document);
  });

  // Keys: off in fields, switched off in the list that "?" opens.
  let awaitsGo = false;
  const rows = () => all(".table tbody tr").filter((row) => $("a", row));
  const rowNow = () => rows().find((row) => row.contains(document.activeElement));
  const step = (by) => {
    const list = rows();
    const next = list[Math.max(0, Math.min(list.length - 1, list.indexOf(rowNow()) + by))];
    if (next) { $(".c-main a, a", next).focus(); next.scrollIntoView({ block: "nearest" }); }
  };
  const click = (selector, from = document) => { const found = from && $(selector, from); if (found) found.click(); return Boolean(found); };
  const focusOn = (selector) => { const found = $(selector); if (found) { found.focus(); if (found.select) found.select(); } return Boolean(found); };
  const keys = {
    "/": () => focusOn("main [type=search]") || focusOn("#goto"),
    "?": () => openDialog("keys"),
    c: () => click("[data-key=c]"),
    j: () => step(1),
    k: () => step(-1),
    x: () => click(".row-check", rowNow()),
    ".": () => click("[data-row-menu]", rowNow()),
    "[": () => click("[rel=prev]"),
    "]": () => click("[rel=next]"),
  };
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === "k" && store.get("keys") !== "off") {
      if (focusOn("#goto")) event.preventDefault();
      return;
    }
    const typing = near(event, "input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || store.get("keys") === "off" || $("dialog[open]")) return;
    if (awaitsGo) {
      awaitsGo = false;
      if (/^[imsphe]$/.test(event.key) && click(`[data-go="${event.key}"]`)) event.preventDefault();
      return;
    }
    if (event.key === "g") {
      awaitsGo = true;
      setTimeout(() => { awaitsGo = false; }, 1200);
      return;
    }
    const act = Object.hasOwn(keys, event.key) && keys[event.key];
    if (act && act() !== false) event.preventDefault();
  });
  all("[data-keys-switch]").forEach((box) => { box.checked = store.get("keys") !== "off"; });
  guard(document);
  count();
})();
