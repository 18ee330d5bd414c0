# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The script of a report's page. Pure.

It makes the controls: what a page without it has not, sorting and filtering, has no control there either.
"""

from __future__ import annotations

SCRIPT = """
"use strict";
(function () {
  var order = new Intl.Collator("en", {numeric: true, sensitivity: "base"});
  // Before there is a page: to change the style of all of it later takes time.
  document.documentElement.classList.add("js");
  document.addEventListener("DOMContentLoaded", start);

  function keyOf(cell) {
    var number = cell.querySelector("data");
    return number ? Number(number.value) : cell.textContent.trim();
  }

  function sort(table, head, index) {
    var body = table.tBodies[0], numbers = head.classList.contains("n");
    var now = head.getAttribute("aria-sort");
    var up = now === "none" ? !numbers : now === "descending";
    var rows = Array.from(body.rows, function (row) { return {row: row, key: keyOf(row.cells[index])}; });
    rows.sort(function (one, other) {
      var less = numbers ? (one.key || 0) - (other.key || 0) : order.compare(one.key, other.key);
      return up ? less : -less;
    });
    var sorted = document.createDocumentFragment();
    rows.forEach(function (each) { sorted.appendChild(each.row); });
    body.appendChild(sorted);
    table.querySelectorAll("th[aria-sort]").forEach(function (other) { other.setAttribute("aria-sort", "none"); });
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
  }

  function makeSortable(table) {
    Array.from(table.tHead.rows[0].cells).forEach(function (head, index) {
      if (head.classList.contains("fixed")) { return; }
      var button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.textContent = "";
      head.appendChild(button);
      head.setAttribute("aria-sort", "none");
      button.addEventListener("click", function () { sort(table, head, index); });
    });
  }

  function makeFilter(tools) {
    var table = document.getElementById(tools.getAttribute("data-for"));
    var rows = Array.from(table.tBodies[0].rows, function (row) {
      return {row: row, text: row.textContent.toLowerCase(), status: row.dataset.status, change: row.dataset.change};
    });
    var words = tools.querySelector("input"), output = tools.querySelector("output");
    var selects = Array.from(tools.querySelectorAll("select"));
    var none = document.getElementById(table.id + "-none"), whole = tools.querySelector("button");

    function filter() {
      var wanted = words.value.toLowerCase().split(/\\s+/).filter(Boolean), shown = 0;
      rows.forEach(function (each) {
        var fits = wanted.every(function (word) { return each.text.indexOf(word) >= 0; }) &&
          selects.every(function (select) { return !select.value || each[select.name] === select.value; });
        each.row.hidden = !fits;
        shown += fits ? 1 : 0;
      });
      none.hidden = shown > 0;
      output.textContent = shown === rows.length ? "All " + shown + " shown" : shown + " of " + rows.length + " shown";
    }

    words.addEventListener("input", filter);
    selects.forEach(function (select) { select.addEventListener("change", filter); });
    whole.addEventListener("click", function () {
      var short = table.classList.toggle("short");
      whole.setAttribute("aria-pressed", String(!short));
    });
    tools.hidden = false;
    filter();
  }

  function start() {
    document.querySelectorAll("table.sorts").forEach(makeSortable);
    document.querySelectorAll(".tools").forEach(makeFilter);
  }

  var closed = [];
  window.addEventListener("beforeprint", function () {
    closed = Array.from(document.querySelectorAll("details:not([open])"));
    closed.forEach(function (one) { one.open = true; });
  });
  window.addEventListener("afterprint", function () {
    closed.forEach(function (one) { one.open = false; });
  });
})();
"""
