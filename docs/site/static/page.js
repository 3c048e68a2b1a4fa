// What is wider than its column scrolls, and must be reached with the keyboard too.
const reachable = () => {
  for (const formula of document.querySelectorAll("span.math")) {
    formula.classList.remove("wide");
    formula.classList.toggle("wide", formula.getBoundingClientRect().width > formula.closest("p, li, td, div").clientWidth);
  }
  for (const box of document.querySelectorAll(".math, .cell_output, .table-wrapper, .highlight pre")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
};
addEventListener("load", () => (window.MathJax?.startup?.promise ?? Promise.resolve()).then(reachable));
addEventListener("resize", reachable);

// On paper nothing unfolds: what is folded away stands at the end, under the words that it is folded behind.
addEventListener("beforeprint", () => {
  const folded = document.querySelectorAll("article details");
  if (!folded.length) return;
  const end = document.createElement("section");
  end.id = "on-paper";
  end.append(Object.assign(document.createElement("h2"), { textContent: "Folded away above" }));
  for (const each of folded) {
    const [summary, ...inside] = each.childNodes;
    end.append(Object.assign(document.createElement("h3"), { textContent: summary.textContent }));
    end.append(...inside.map((node) => node.cloneNode(true)));
  }
  document.querySelector("article").append(end);
});
addEventListener("afterprint", () => document.getElementById("on-paper")?.remove());

// Without a server the search finds pages too, and may not read lines from them.
DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = location.protocol !== "file:";
