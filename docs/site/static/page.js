// What is wider than its column scrolls, and must be reached with the keyboard too.
const reachable = () => {
  for (const box of document.querySelectorAll(".math, .cell_output, .table-wrapper, .highlight pre")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
};
addEventListener("load", () => (window.MathJax?.startup?.promise ?? Promise.resolve()).then(reachable));
addEventListener("resize", reachable);
